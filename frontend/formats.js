// The viewer's language, and its ways with numbers and times.

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

/** The browser's own way of this language: en-GB writes a date otherwise than en-US. */
export const locale = navigator.languages.find((tag) => tag.split('-')[0] === language) ?? language;

const percents = onceUsed(() => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 }));
const wholePercents = onceUsed(() => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 }));
const numbers = onceUsed(() => new Intl.NumberFormat(language, { maximumFractionDigits: 1 }));
const times = onceUsed(() => new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'medium' }));

/**
 * What is made when it is first used. A browser reads its tables of the language for a format, which takes longer than all
 * else that the page does before it can be used.
 * @template T
 * @param {() => T} make
 * @returns {() => T}
 */
function onceUsed(make) {
  /** @type {T | undefined} */
  let made;
  return () => (made ??= make());
}

/**
 * A probability in words. Rounding never claims certainty: 0.9999 is not 100 %, and 0.0001 is not nothing.
 * @param {number | null | undefined} probability
 */
export function percent(probability) {
  if (!Number.isFinite(probability)) return '–';
  if (probability > 0 && probability < 0.0005) return `<${percents().format(0.001)}`;
  if (probability < 1 && probability >= 0.9995) return `>${percents().format(0.999)}`;
  return percents().format(probability);
}

/** The same in two digits at most, for over the picture. @param {number | null} probability */
export const wholePercent = (probability) =>
  Number.isFinite(probability) ? wholePercents().format(Math.min(0.99, Math.max(0.01, probability))) : '–';

/** @param {number} milliseconds */
export const duration = (milliseconds) =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${numbers().format(milliseconds / 1000)} s`;

/** @param {number} bytes */
export const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${numbers().format(bytes / 1e6)} MB`);

/** @param {string} iso @returns {string} the moment as the viewer's locale and clock write it */
export const localTime = (iso) => (Number.isNaN(Date.parse(iso)) ? iso : times().format(new Date(iso)));
