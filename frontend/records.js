import { asProblem, download, latest } from './api.js';
import { element, part } from './dom.js';
import { keyFor } from './keys.js';
import * as texts from './texts.js';

/** Whether the function shows them for a key alone. */
let areLocked = false;

/**
 * Brings the table up to date. When that fails, the rows that are there stay, and words say why. For a key it asks only
 * where somebody has just said so: nobody is interrupted who only wants a picture read.
 */
export async function refreshRecords({ mayAsk = false } = {}) {
  try {
    drawRecords(await latest(10, mayAsk));
    say(part('records').children.length ? '' : texts.noRecords);
  } catch (error) {
    showProblem(error);
  }
}

/** A link sends no key along, so where one is needed the page downloads the file in its place. */
export function listenToDownloads() {
  part('downloads').addEventListener('click', (event) => {
    const link = event.target.closest('a');
    if (!link || !(areLocked || keyFor('records'))) return;
    event.preventDefault();
    save(link);
  });
}

/** @param {HTMLAnchorElement} link */
async function save(link) {
  say(texts.downloading);
  try {
    const url = URL.createObjectURL(await download(link.search));
    element('a', { href: url, download: link.download }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    await refreshRecords();
  } catch (error) {
    showProblem(error);
  }
}

/** @param {unknown} error */
function showProblem(error) {
  const problem = asProblem(error);
  areLocked ||= problem.wantsKey;
  say(`${problem.title}. ${problem.detail}`, problem.wantsKey ? texts.enterKey : texts.tryAgain);
}

/** @param {import('./api.js').Entry[]} records */
function drawRecords(records) {
  part('records').replaceChildren(...records.map(row));
  part('table').hidden = records.length === 0;
}

/** @param {import('./api.js').Entry} record */
function row({ time, filename, result, confidence, correction }) {
  const when = element('time', { dateTime: time, title: time }, texts.localTime(time));
  const file = element('span', { className: 'name', title: filename }, filename ?? '');
  const read = [result || '–', ...corrected(result, correction)];
  const cells = [[when], [file], read, [result ? texts.percent(confidence) : '–']];
  return element('tr', {}, ...cells.map((cell) => element('td', {}, ...cell)));
}

/** What an undone correction leaves behind is as it was read. @param {string} result @param {string | null} correction */
function corrected(result, correction) {
  const isAsRead = (correction ?? result) === result;
  return isAsRead ? [] : [element('span', { className: 'corrected' }, texts.corrected(correction))];
}

/** @param {string} message @param {string} again what the button says that has it tried again; without, there is none */
function say(message, again = '') {
  part('records-message').textContent = message;
  part('records-again').textContent = again || texts.tryAgain;
  part('records-again').hidden = !again;
}
