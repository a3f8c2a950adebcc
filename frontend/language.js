import { stored } from './storage.js';

/** What the page speaks. The first is what is spoken to whoever understands none of them. */
const LANGUAGES = ['en', 'de'];
const NAME = 'language';

/** @returns {string} what the address asks for, which is kept; else what was kept; else what the browser prefers */
function chosen() {
  const asked = new URLSearchParams(location.search).get('lang');
  if (isSpoken(asked)) stored('localStorage', (storage) => storage.setItem(NAME, asked));
  const kept = stored('localStorage', (storage) => storage.getItem(NAME));
  const preferred = navigator.languages.map((tag) => tag.split('-')[0]);
  return [asked, kept, ...preferred].find(isSpoken) ?? LANGUAGES[0];
}

/** @param {string | null} language */
const isSpoken = (language) => LANGUAGES.includes(language);

export const language = chosen();
