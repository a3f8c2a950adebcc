import { asProblem, correct } from './api.js';
import { element, part } from './dom.js';
import { texts } from './texts.js';

/**
 * An answer that can be corrected: how its `digits` were read, the `correction` that its record has now, if any, and which
 * it had `before`.
 * @typedef {{id: string, result: string, digits: (number | null)[], correction: string | null, before: (string | null)[],
 *            saving: boolean, hasChanged: boolean}} Kept
 */

/** @type {Kept | null} */
let kept = null;
/** Which of its digits is to be corrected. */
let chosen = 0;
/** @type {() => void} what to do once more after a problem */
let repeat = () => {};
/** @type {() => void} */
let afterwards = () => {};

/** @param {() => void} onsaved when a record has another correction */
export function listen(onsaved) {
  afterwards = onsaved;
  part('save').addEventListener('click', () => change(part('whole').value.trim()));
  part('whole').addEventListener('input', fit);
  part('undo').addEventListener('click', undo);
  part('correction-again').addEventListener('click', () => { part('save').focus(); repeat(); });
}

/** @param {import('./api.js').Answer} answer which can be corrected if it has a record */
export function begin({ id, result, digits, recorded }) {
  const read = digits.map(({ digit }) => digit);
  const isKept = recorded === 'stored' || recorded === 'queued';
  set(isKept ? { id, result, digits: read, correction: null, before: [], saving: false, hasChanged: false } : null);
}

/** There is no answer any more. */
export const end = () => set(null);

/** @param {Kept | null} answer */
function set(answer) {
  kept = answer;
  fill(textOf(kept));
  say('');
  draw();
}

/** @param {number} index of the digit to correct */
export function choose(index) {
  chosen = index;
  draw();
}

/**
 * A result in which one mark says something else. Marks are counted as the answer's digits are: spaces and line breaks are none.
 * @param {string} text
 * @param {number} index from 0
 * @param {string} character
 */
export function replaced(text, index, character) {
  let place = 0;
  return text.replace(/\S/g, (mark) => (place++ === index ? character : mark));
}

/** What each mark says. @param {string} text */
const marksOf = (text) => [...text.replace(/\s/g, '')];

/** What the record says now. @param {Kept | null} answer */
const textOf = (answer) => answer?.correction ?? answer?.result ?? '';

/** @param {string} text what the record is to say from now on */
function change(text) {
  if (kept) save(text, text === kept.correction ? kept.before : [...kept.before, kept.correction]);
}

function undo() {
  if (kept?.before.length) save(kept.before.at(-1), kept.before.slice(0, -1));
}

/** @param {string | null} correction @param {(string | null)[]} before which it had before, once this is saved */
async function save(correction, before) {
  const asked = kept;
  if (!asked || asked.saving) return;
  asked.saving = true;
  say(texts.saving);
  draw();
  try {
    await correct(asked.id, correction);
    if (kept === asked) have(asked, correction, before);
    afterwards();
  } catch (error) {
    if (kept === asked) showProblem(error, () => save(correction, before));
  } finally {
    asked.saving = false;
    draw();
  }
}

/** @param {Kept} asked @param {string | null} correction @param {(string | null)[]} before */
function have(asked, correction, before) {
  const typed = part('whole').value;
  const wasAsBefore = typed === textOf(asked);
  Object.assign(asked, { correction, before, hasChanged: true });
  // What was typed and not saved stays.
  if (wasAsBefore || typed.trim() === correction) fill(textOf(asked));
  say(outcome(asked));
}

/** @param {Kept} answer */
function outcome({ correction, result }) {
  if (correction === null) return texts.takenBack;
  return correction === result ? texts.confirmed(correction) : texts.corrected(correction);
}

/** @param {unknown} error @param {() => void} again */
function showProblem(error, again) {
  const problem = asProblem(error);
  say('');
  repeat = again;
  part('correction-problem').hidden = false;
  part('correction-problem').lang = problem.language;
  part('correction-title').textContent = problem.title;
  part('correction-detail').textContent = problem.detail;
  part('correction-again').hidden = problem.status === 400;
}

/** @param {string} words in place of what was said before, be it a problem */
function say(words) {
  part('corrected').textContent = words;
  part('correction-problem').hidden = true;
  part('correction-again').hidden = true;
}

/** @param {string} text */
function fill(text) {
  part('whole').value = text;
  fit();
}

/** As many rows as lines, within reason. */
function fit() {
  part('whole').rows = Math.min(6, part('whole').value.split('\n').length);
}

function draw() {
  const marks = marksOf(textOf(kept));
  const isOneEach = marks.length > 0 && marks.length === kept?.digits.length;
  part('correction').disabled = !kept;
  part('which').textContent = kept ? which(kept.digits, isOneEach) : texts.theDigit;
  part('one').disabled = !isOneEach;
  if (!part('choices').children.length) part('choices').append(...[...'0123456789?'].map(button));
  for (const choice of part('choices').children) {
    choice.setAttribute('aria-pressed', String(isOneEach && choice.value === marks[chosen]));
  }
  part('undo').hidden = !kept?.hasChanged;
  // Neither is `disabled`, which would take the keyboard's focus away.
  part('undo').setAttribute('aria-disabled', String(!kept?.before.length || kept.saving));
  part('save').setAttribute('aria-disabled', String(!kept || kept.saving));
}

/** @param {(number | null)[]} digits @param {boolean} isOneEach whether the text still has one character for each of them */
function which(digits, isOneEach) {
  if (!digits.length) return texts.noMark;
  if (!isOneEach) return texts.othersThanMarks;
  return digits.length > 1 ? texts.theMark(digits[chosen], chosen + 1) : texts.theDigit;
}

/** @param {string} character */
function button(character) {
  const onclick = () => { if (kept) change(replaced(textOf(kept), chosen, character)); };
  const words = character === '?' ? texts.notADigit : character;
  return element('button', { type: 'button', className: 'button', value: character, onclick }, words);
}
