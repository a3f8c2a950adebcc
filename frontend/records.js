import { latest } from './api.js';
import { element, part } from './dom.js';
import * as texts from './texts.js';

/** Brings the table up to date. When that fails, the rows that are there stay, and words say why. */
export async function refreshRecords() {
  try {
    drawRecords(await latest(10));
    say(part('records').children.length ? '' : texts.noRecords);
  } catch (problem) {
    say(`${problem.title ?? texts.broken.title}. ${problem.detail ?? ''}`, { again: true });
  }
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

function say(message, { again = false } = {}) {
  part('records-message').textContent = message;
  part('records-again').hidden = !again;
}
