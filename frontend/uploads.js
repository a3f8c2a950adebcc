import { element, part, setText } from './dom.js';
import { percent, size } from './formats.js';
import { isUnderWay } from './outbox.js';
import { texts } from './texts.js';

/** @typedef {import('./outbox.js').Item} Item */

/** The row of each picture, which stays as long as the picture does: so do the keyboard's focus and what moves. */
const rows = new WeakMap();

/**
 * Draws the list of pictures, with a result or a progress for each.
 * @param {readonly Item[]} items
 * @param {Item | null} current whose answer is shown
 * @param {{show: (item: Item) => void, cancel: (item: Item) => void, again: (item: Item) => void}} acts
 */
export function drawUploads(items, current, acts) {
  const list = part('pictures');
  const wanted = items.map((item) => rows.get(item) ?? newRow(item, acts));
  if (wanted.some((row, i) => row !== list.children[i]) || list.children.length > wanted.length) {
    list.replaceChildren(...wanted);
  }
  items.forEach((item, i) => drawRow(wanted[i], item, item === current));
  setText(part('caption'), summary(items));
}

/** @param {readonly Item[]} items */
function summary(items) {
  if (!items.length) return texts.nothingYet;
  const count = (...states) => items.filter(({ state }) => states.includes(state)).length;
  return texts.progress(items.length, count('read'), count('waiting'), count('failed', 'cancelled'));
}

/** @param {Item} item @param {Parameters<typeof drawUploads>[2]} acts */
function newRow(item, acts) {
  const row = element(
    'li', {},
    element('button', { type: 'button', className: 'name', onclick: () => acts.show(item) },
      element('span', { className: 'file' }), element('span', { className: 'state' })),
    element('progress', { max: 1 }),
    element('button', { type: 'button', className: 'button small', onclick: () => act(item, acts) }),
  );
  rows.set(item, row);
  return row;
}

/** @param {HTMLElement} row @param {Item} item @param {boolean} isCurrent */
function drawRow(row, item, isCurrent) {
  const [name, progress, button] = row.children;
  const [file, state] = name.children;
  row.dataset.state = item.state;
  name.setAttribute('aria-pressed', String(isCurrent));
  setText(file, item.file.name);
  setText(state, stateOf(item));
  drawProgress(progress, item);
  setText(button, isUnderWay(item) ? texts.cancel : texts.tryAgain);
  button.hidden = !(isUnderWay(item) || mayTry(item));
  button.ariaLabel = `${button.textContent}: ${item.file.name}`;
}

/** @param {HTMLProgressElement} progress which is without a value while the picture is being read */
function drawProgress(progress, { state, share, file }) {
  progress.ariaLabel = `${texts.uploading}: ${file.name}`;
  if (state === 'sending' && share < 1) progress.value = share;
  else if (state === 'sending') progress.removeAttribute('value');
  else progress.value = state === 'read' ? 1 : 0;
}

/** @param {Item} item @param {Parameters<typeof drawUploads>[2]} acts */
const act = (item, acts) => (isUnderWay(item) ? acts.cancel(item) : acts.again(item));

/** @param {Item} item */
const mayTry = ({ state, problem }) => state === 'cancelled' || (state === 'failed' && Boolean(problem?.passes));

/** @param {Item} item */
function stateOf({ state, isWanted, file, share, answer, problem }) {
  switch (state) {
    case 'preparing': return isWanted ? texts.reading : texts.preparing;
    case 'ready': return size(file.size);
    case 'sending': return share < 1 ? texts.sending(percent(share)) : texts.reading;
    case 'read': return answer.result.replaceAll('\n', ', ') || texts.noDigit;
    case 'failed': return problem.title;
    default: return texts.states[state];
  }
}
