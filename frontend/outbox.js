// The pictures of this page, each on its way from being chosen to its answer, whatever happens to the connection.

import { asProblem, check, read } from './api.js';
import { isPassing, pause } from './retries.js';
import * as store from './store.js';

/**
 * `preparing` and then `ready` to be sent; `queued` until there is room; `sending`; `waiting` for another try; `read`;
 * `failed` for good; `cancelled` by the viewer.
 * @typedef {'preparing' | 'ready' | 'queued' | 'sending' | 'waiting' | 'read' | 'failed' | 'cancelled'} State
 * @typedef {{key: string, file: File, state: State, isWanted: boolean, isKept: boolean, share: number, tries: number,
 *            took: number, answer: import('./api.js').Answer | null, problem: import('./api.js').Problem | null,
 *            controller: AbortController, timer: number}} Item
 */

/** So many at once as the function reads at once. */
const AT_ONCE = 2;
/** Bytes that are sent as quickly as they are made fewer. */
const FEW = 300_000;
/** Milliseconds that a picture waits for the browser to keep it. */
const KEEPING = 1000;

/** In the order in which they came. @type {Item[]} */
let items = [];
/** @type {(item: Item) => void} */
let changed = () => {};
/** One after the other: each decoded photo takes much memory. */
let preparing = Promise.resolve();

/**
 * Goes on with what an earlier page was closed over.
 * @param {(item: Item) => void} onchange after each change of a picture, and of how much of it is sent
 */
export function listen(onchange) {
  changed = onchange;
  addEventListener('online', () => items.filter(({ state }) => state === 'waiting').forEach(send));
  store.begin();
  store.takeOver((kept) => {
    const left = kept.map(({ key, file }) => made(file, { key, state: 'ready', isKept: true }));
    items = [...left, ...items];
    left.forEach(send);
  });
}

/** @returns {readonly Item[]} in the order in which they came */
export const list = () => items;

/** @param {File[]} files @returns {Item[]} */
export function add(files) {
  const added = files.map((file) => made(file));
  items = [...items, ...added];
  for (const item of added) preparing = preparing.then(() => prepare(item));
  added.forEach(changed);
  return added;
}

/** Lets go of the pictures that nothing more is expected of. @param {(item: Item) => boolean} which of them */
export function clear(which = () => true) {
  items = items.filter((item) => isUnderWay(item) || !which(item));
}

/** @param {Item} item whether it goes on by itself */
export const isUnderWay = ({ state, isWanted }) => isWanted || ['queued', 'sending', 'waiting'].includes(state);

/**
 * Sends a picture as soon as can be. One that has been read is a new question, with a record of its own.
 * @param {Item} item
 */
export function send(item) {
  if (item.state === 'sending' || item.state === 'queued') return;
  clearTimeout(item.timer);
  item.isWanted = true;
  if (item.state === 'read') Object.assign(item, { key: store.newKey(), isKept: false });
  if (item.state === 'read' || item.state === 'cancelled') item.tries = 0;
  if (item.state === 'preparing') return;
  become(item, 'queued');
  sendKept(item);
}

/** @param {Item} item */
export function cancel(item) {
  clearTimeout(item.timer);
  Object.assign(item, { problem: null, isKept: false });
  become(item, 'cancelled');
  item.controller.abort();
  store.release(item.key);
}

/** @param {Item} item */
async function prepare(item) {
  try {
    const file = item.file.size > FEW ? await smaller(item.file) : item.file;
    await check(file);
    if (item.state !== 'preparing') return;
    item.file = file;
    become(item, 'ready');
    if (item.isWanted) send(item);
  } catch (error) {
    fail(item, error);
  }
}

/** A big photo made smaller, if it can be. @param {File} file */
async function smaller(file) {
  try {
    const { shrunk } = await import('./shrink.js');
    return await shrunk(file);
  } catch {
    return file; // is sent as it is
  }
}

/**
 * Not before the browser has it: a page that is reloaded at once would lose it. But a browser that is slow stops nothing.
 * @param {Item} item
 */
async function sendKept(item) {
  if (!item.isKept) {
    const patience = new Promise((resolve) => { setTimeout(resolve, KEEPING); });
    await Promise.race([store.keep(item.key, item.file), patience]);
    item.isKept = true;
  }
  sendNext();
}

function sendNext() {
  const room = AT_ONCE - items.filter(({ state }) => state === 'sending').length;
  items.filter(({ state, isKept }) => state === 'queued' && isKept).slice(0, Math.max(0, room)).forEach(post);
}

/** @param {Item} item */
async function post(item) {
  const controller = new AbortController();
  const started = performance.now();
  const progressed = (share) => { item.share = share; changed(item); };
  Object.assign(item, { controller, share: 0 });
  become(item, 'sending');
  try {
    const answer = await read(item.file, item.key, controller, progressed);
    if (item.controller !== controller || item.state !== 'sending') return;
    Object.assign(item, { answer, problem: null, tries: 0, took: performance.now() - started });
    store.release(item.key);
    become(item, 'read');
  } catch (error) {
    if (item.controller === controller && item.state === 'sending') fail(item, error);
  } finally {
    sendNext();
  }
}

/** @param {Item} item @param {unknown} error */
function fail(item, error) {
  const problem = asProblem(error);
  Object.assign(item, { problem, tries: item.tries + 1 });
  if (isPassing(problem)) {
    item.timer = setTimeout(send, 1000 * pause(item.tries, problem.retryAfter, Math.random()), item);
    become(item, 'waiting');
  } else {
    store.release(item.key);
    item.isKept = false;
    become(item, 'failed');
  }
}

/** @param {Item} item @param {State} state */
function become(item, state) {
  item.state = state;
  if (['read', 'failed', 'cancelled'].includes(state)) item.isWanted = false;
  changed(item);
}

/** @param {File} file @param {Partial<Item>} [known] @returns {Item} */
const made = (file, known) => ({
  key: store.newKey(), file, state: 'preparing', isWanted: false, isKept: false, share: 0, tries: 0, took: 0,
  answer: null, problem: null, controller: new AbortController(), timer: 0, ...known,
});
