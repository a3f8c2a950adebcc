// The page says the same in all its languages, and index.html what en.js says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

// What a browser has.
globalThis.location ??= { search: '' };
Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en-GB'] }, configurable: true });

const { en } = await import('../../frontend/en.js');
const { de } = await import('../../frontend/de.js');
const page = readFileSync(new URL('../../frontend/index.html', import.meta.url), 'utf8');

/** What is said in words, in functions and in groups of them, by its place. */
function shape(texts) {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [
    name, typeof text === 'object' ? shape(text) : `${typeof text} ${typeof text === 'function' ? text.length : ''}`,
  ]));
}

/** Words for the API's codes are for languages that the API does not speak. */
const others = ({ notices, ...texts }) => texts;

test('every text is there in every language', () => {
  assert.deepEqual(shape(others(de)), shape(others(en)));
});

test('no text is empty, nor the same in both languages but for a few', () => {
  const flat = (texts) => Object.values(texts).flatMap((text) => (typeof text === 'object' ? flat(text) : [text]));
  const [english, german] = [flat(others(en)), flat(others(de))];
  assert.ok(english.every(Boolean) && german.every(Boolean));
  const same = english.filter((text, i) => typeof text === 'string' && text === german[i]);
  assert.ok(same.length < english.length / 20, same.join(', '));
});

test('index.html says what en.js says', () => {
  const said = [...page.matchAll(/data-text="(\w+)"[^>]*>([^<]*)</g)];
  assert.ok(said.length > 40);
  for (const [, name, text] of said) assert.equal(text, en[name], name);
  const labels = [...page.matchAll(/<[^>]*data-label="(\w+)"[^>]*>/g)];
  assert.ok(labels.length > 4);
  for (const [tag, name] of labels) assert.ok(tag.includes(`aria-label="${en[name]}"`), name);
});

test('every word that can be seen in index.html can be translated', () => {
  const body = page.slice(page.indexOf('<body>')).replace(/<noscript>.*?<\/noscript>|<!--.*?-->/gs, '');
  const kept = new Set(['English', 'Deutsch', 'CSV', '–']);
  for (const [, tag, text] of body.matchAll(/<([^>]*)>\s*([^<>\s][^<]*)/g)) {
    assert.ok(tag.includes('data-text=') || kept.has(text.trim()), `${tag}: ${text}`);
  }
});
