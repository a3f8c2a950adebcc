/** What the page speaks. The first is what is spoken to whoever understands none of them. */
const LANGUAGES = ['en', 'de'];
const NAME = 'language';

/** @returns {string} what the address asks for, which is kept; else what was kept; else the first that the browser prefers */
function chosen() {
  const asked = new URLSearchParams(location.search).get('lang');
  if (isSpoken(asked)) stored((storage) => storage.setItem(NAME, asked));
  const wanted = [asked, stored((storage) => storage.getItem(NAME)), ...navigator.languages.map((tag) => tag.split('-')[0])];
  return wanted.find(isSpoken) ?? LANGUAGES[0];
}

/** @param {string | null} language */
const isSpoken = (language) => LANGUAGES.includes(language);

/** Nothing where the browser forbids storage. */
function stored(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

export const language = chosen();
