import { element, part } from './dom.js';
import * as preview from './preview.js';
import * as texts from './texts.js';

/** @typedef {import('./api.js').Answer} Answer @typedef {import('./api.js').Mark} Mark */

/** Draws what was read. @param {Answer} answer @param {number} milliseconds from sending to having the answer */
export function drawAnswer(answer, milliseconds) {
  drawResult(answer.result);
  part('confidence').textContent = answer.digits.length ? texts.sure(answer.confidence) : '';
  part('notice').textContent = answer.notice?.text ?? '';
  part('took').textContent = texts.duration(milliseconds);
  part('recorded').textContent = texts.recorded[answer.recorded] ?? answer.recorded;
  part('model').textContent = answer.model;
  drawMarks(answer.digits);
}

/** The same panel without an answer; it keeps its size, so that the next answer moves nothing. */
export function clearAnswer() {
  for (const name of ['result', 'confidence', 'notice', 'took', 'recorded', 'model']) part(name).textContent = '';
  part('result').removeAttribute('data-length');
  drawMarks([]);
}

/** @param {string} result */
function drawResult(result) {
  part('result').textContent = result || texts.noDigit;
  part('result').dataset.length = lengthOf(result);
}

/** @param {string} result */
function lengthOf(result) {
  if (!result) return 'words';
  if (result.length <= 2) return 'few';
  return result.length <= 5 ? 'some' : 'long';
}

/**
 * The marks of the picture in reading order, to choose whose probabilities are shown; a single one needs no choice.
 * @param {Mark[]} marks
 */
function drawMarks(marks) {
  const [legend] = part('marks').children;
  part('marks').replaceChildren(legend, ...marks.map((mark, index) => choice(mark, index, () => select(marks, index))));
  part('marks').hidden = marks.length < 2;
  preview.drawBoxes(marks.map((mark) => mark.box));
  select(marks, 0);
}

/** @param {Mark} mark @param {number} index @param {() => void} onchange */
function choice(mark, index, onchange) {
  const name = nameOf(mark);
  const label = texts.markLabel(name, index + 1);
  return element(
    'label', {},
    element('input', {
      type: 'radio', name: 'mark', className: 'visually-hidden', checked: index === 0, ariaLabel: label, onchange,
    }),
    element('img', { src: mark.seen, alt: '' }),
    element('span', { ariaHidden: 'true' }, name),
  );
}

/** @param {Mark[]} marks @param {number} index */
function select(marks, index) {
  const mark = marks[index];
  preview.markBox(marks.length > 1 ? index : -1);
  drawSeen(mark);
  drawBars(mark?.probabilities ?? [], mark?.digit);
}

/** @param {Mark | undefined} mark */
function drawSeen(mark) {
  part('seen').hidden = !mark;
  if (mark) Object.assign(part('seen'), { src: mark.seen, alt: texts.seen(nameOf(mark)) });
  else part('seen').removeAttribute('src');
}

/** Ten bars, always. @param {number[]} probabilities by digit @param {number | null | undefined} likeliest */
function drawBars(probabilities, likeliest) {
  if (!part('bars').children.length) part('bars').append(...Array.from({ length: 10 }, (_, digit) => bar(digit)));
  [...part('bars').children].forEach((row, digit) => {
    row.classList.toggle('likeliest', digit === likeliest);
    row.querySelector('.fill').style.setProperty('--probability', String(probabilities[digit] ?? 0));
    row.querySelector('.share').textContent = texts.percent(probabilities[digit]);
  });
}

/** @param {number} digit */
function bar(digit) {
  const track = element('span', { className: 'track', ariaHidden: 'true' }, element('span', { className: 'fill' }));
  return element('li', {}, element('span', {}, String(digit)), track, element('span', { className: 'share' }));
}

/** @param {Mark} mark @returns {string} its digit, or "?" for a mark that is none */
const nameOf = (mark) => (mark.digit === null ? '?' : String(mark.digit));
