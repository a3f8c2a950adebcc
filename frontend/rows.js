import { element, part } from './dom.js';
import { localTime, percent } from './formats.js';
import { texts } from './texts.js';

/** @typedef {import('./api.js').Entry} Entry */

/** So many digits of a record are shown as the model saw them. */
const SEEN = 12;

/** The rows that are there, each by its record's id. @type {Map<string, {says: string, row: HTMLElement}>} */
let drawn = new Map();

/**
 * Draws one row for each record. Rows that say what they said stay as they are, with the keyboard's focus and what is
 * selected in them.
 * @param {Entry[]} records
 */
export function drawRows(records) {
  const before = drawn;
  drawn = new Map(records.map((record) => [record.id, kept(record, before.get(record.id))]));
  const rows = [...drawn.values()].map(({ row }) => row);
  const body = part('records');
  const staying = new Set(rows);
  for (const row of [...body.children]) if (!staying.has(row)) row.remove();
  rows.forEach((row, index) => {
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
  });
}

/** To it the focus can be given, so that one reads on where new rows begin. @param {number} index */
export function focusRow(index) {
  const row = part('records').children[index];
  row?.setAttribute('tabindex', '-1');
  row?.focus({ preventScroll: true });
}

/** @param {Entry} record @param {{says: string, row: HTMLElement} | undefined} before */
function kept(record, before) {
  const says = JSON.stringify(record);
  return before?.says === says ? before : { says, row: rowOf(record) };
}

/** @param {Entry} record */
function rowOf({ time, filename, result, confidence, correction, seen = [] }) {
  const when = element('time', { dateTime: time, title: time }, localTime(time));
  const file = element('span', { className: 'name', title: filename }, filename ?? '');
  const read = element('span', { className: 'read' }, result || '–');
  const said = [read, ...thumbnails(seen), ...corrected(result, correction)];
  const cells = [[when], [file], said, [result ? percent(confidence) : '–']];
  return element('tr', {}, ...cells.map((cell) => element('td', {}, ...cell)));
}

/** @param {string[]} seen */
function thumbnails(seen) {
  if (!seen.length) return [];
  // The result says it in words, right before.
  const pictures = seen.slice(0, SEEN).map((src) => element('img', { src, alt: '', width: 28, height: 28 }));
  const others = seen.length > SEEN ? [`+${seen.length - SEEN}`] : [];
  return [' ', element('span', { className: 'thumbnails' }, ...pictures, ...others)];
}

/** @param {string} result @param {string | null} correction */
function corrected(result, correction) {
  const isAsRead = (correction ?? result) === result;
  return isAsRead ? [] : [' ', element('span', { className: 'corrected' }, texts.corrected(correction))];
}
