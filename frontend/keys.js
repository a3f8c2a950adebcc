import { element } from './dom.js';
import { stored } from './storage.js';
import { texts } from './texts.js';

/**
 * What a key opens: reading pictures, or the records.
 * @typedef {'upload' | 'records'} Realm
 */

/** @type {Map<Realm, string>} */
const held = new Map();
/** One question at a time. @type {Promise<unknown>} */
let asking = Promise.resolve();

/** This tab's key, or ''. @param {Realm} realm */
export const keyFor = (realm) =>
  held.get(realm) ?? stored('sessionStorage', (storage) => storage.getItem(nameOf(realm))) ?? '';

/** What sends a key along. @param {string} key @returns {Record<string, string>} */
export function bearer(key) {
  // A header is made of bytes. Any key can be sent so, in whatever script.
  return key ? { Authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(key))}` } : {};
}

/**
 * Asks for a key, unless another one has been given since `refused` was sent.
 * @param {Realm} realm
 * @param {string} refused or '' if there was none
 * @param {{title: string, detail: string}} problem what the function said to it
 * @param {AbortSignal} [signal] when the key is wanted no more
 * @returns {Promise<boolean>} whether it is worth another try
 */
export function askForKey(realm, refused, problem, signal) {
  const asked = asking.then(() => keyFor(realm) !== refused || ask(realm, refused, problem, signal));
  asking = asked;
  return asked;
}

/** @type {typeof askForKey} */
function ask(realm, refused, problem, signal) {
  if (signal?.aborted) return Promise.resolve(false);
  const field = fieldWith(refused);
  const dialog = dialogAround(field, texts.needsKey[realm], refused ? [wordsOf(problem)] : []);
  const close = () => dialog.close('');
  document.body.append(dialog);
  signal?.addEventListener('abort', close);
  dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      const key = dialog.returnValue && field.value.trim();
      if (key) keep(realm, key);
      signal?.removeEventListener('abort', close);
      dialog.remove();
      resolve(Boolean(key));
    });
  });
}

/** @param {string} refused */
function fieldWith(refused) {
  const field = element('input', {
    type: 'password', id: 'key', value: refused, required: true, autocomplete: 'current-password', spellcheck: false,
    ariaInvalid: String(Boolean(refused)),
  });
  field.setAttribute('aria-describedby', 'key-problem key-hint');
  return field;
}

/** Enter is its first button, Esc the same as its second. */
function dialogAround(field, heading, words) {
  const form = element(
    'form', { method: 'dialog' },
    element('h2', {}, heading),
    ...words,
    element('label', { htmlFor: field.id }, texts.key),
    field,
    element('p', { id: 'key-hint', className: 'hint' }, texts.keyHint),
    element(
      'div', { className: 'actions' },
      element('button', { className: 'button primary', value: 'use' }, texts.useKey),
      element('button', { className: 'button', value: '', formNoValidate: true }, texts.cancel),
    ),
  );
  return element('dialog', { className: 'card key', ariaLabel: heading }, form);
}

/** @param {{title: string, detail: string}} problem */
function wordsOf({ title, detail }) {
  const words = [element('p', { className: 'title' }, title), element('p', {}, detail)];
  return element('div', { id: 'key-problem', role: 'alert' }, ...words);
}

/** @param {Realm} realm @param {string} key */
function keep(realm, key) {
  held.set(realm, key);
  stored('sessionStorage', (storage) => storage.setItem(nameOf(realm), key));
}

/** @param {Realm} realm */
const nameOf = (realm) => `key-${realm}`;
