import * as corrections from './corrections.js';
import { element, part, setText } from './dom.js';
import { duration, language, percent, wholePercent } from './formats.js';
import * as preview from './preview.js';
import { texts } from './texts.js';

/** @typedef {import('./api.js').Answer} Answer @typedef {import('./api.js').Mark} Mark */

/** A digit with less confidence is doubtful: the function's own limit, for its notice. */
const UNSURE = 0.6;

/** Whether its copying is being told about. */
let telling = 0;

/** Draws what was read. @param {Answer} answer @param {number} milliseconds from sending to having the answer */
export function drawAnswer(answer, milliseconds) {
  drawResult(answer.result);
  say('confidence', answer.digits.length ? texts.sure(answer.confidence) : '');
  drawNotice(answer.notice);
  say('took', duration(milliseconds));
  say('recorded', texts.recorded[answer.recorded] ?? answer.recorded);
  say('model', answer.model);
  corrections.begin(answer);
  drawMarks(answer.digits);
}

/** The same panel without an answer; it keeps its size, so that the next answer moves nothing. @param {string} notice */
export function clearAnswer(notice = '') {
  for (const name of ['result', 'confidence', 'took', 'recorded', 'model']) say(name, '');
  say('notice', notice);
  part('result').removeAttribute('data-length');
  part('copy').hidden = true;
  corrections.end();
  drawMarks([]);
}

export function listenToCopying() {
  part('copy').addEventListener('click', async () => {
    const isDone = await copied(part('result').dataset.text);
    clearTimeout(telling);
    part('copy').textContent = isDone ? texts.copied : texts.notCopied;
    telling = setTimeout(() => { part('copy').textContent = texts.copy; }, 2000);
  });
}

/** @param {string} text @returns {Promise<boolean>} whether it is on the clipboard, which browsers open over HTTPS alone */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(part('result'));
    return document.execCommand('copy');
  }
}

/** The API's own words, which are English. @param {Answer['notice']} notice */
function drawNotice(notice) {
  const own = language === 'en' ? undefined : texts.notices[notice?.code];
  part('notice').lang = own || !notice ? language : 'en';
  say('notice', own ?? notice?.text ?? '');
}

/** @param {string} name @param {string} text */
const say = (name, text) => setText(part(name), text);

/** @param {string} result */
function drawResult(result) {
  say('result', result || texts.noDigit);
  part('result').dataset.text = result;
  part('result').dataset.length = lengthOf(result);
  part('copy').hidden = !result;
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
  preview.drawBoxes(marks.map(drawn), (index) => choose(marks, index));
  select(marks, 0);
}

/** @param {Mark} mark @returns {import('./preview.js').Drawn} */
function drawn(mark) {
  return { box: mark.box, name: shortOf(mark), share: wholePercent(mark.confidence), doubtful: isDoubtful(mark) };
}

/** Has the same effect as choosing it below. @param {Mark[]} marks @param {number} index */
function choose(marks, index) {
  const label = part('marks').querySelectorAll('label')[index];
  label.querySelector('input').checked = true;
  // Not scrollIntoView(), which would scroll the page away from the picture too.
  part('marks').scrollTop = label.offsetTop - part('marks').offsetTop - label.offsetHeight / 2;
  select(marks, index);
}

/** @param {Mark} mark @param {number} index @param {() => void} onchange */
function choice(mark, index, onchange) {
  const label = texts.markLabel(mark.digit, index + 1, mark.confidence);
  return element(
    'label', { className: isDoubtful(mark) ? 'doubtful' : '' },
    element('input', {
      type: 'radio', name: 'mark', className: 'visually-hidden', checked: index === 0, ariaLabel: label, onchange,
    }),
    element('img', { src: mark.seen, alt: '' }),
    element('span', { ariaHidden: 'true' }, shortOf(mark)),
  );
}

/** @param {Mark[]} marks @param {number} index */
function select(marks, index) {
  const mark = marks[index];
  preview.markBox(marks.length > 1 ? index : -1);
  corrections.choose(index);
  drawSeen(mark);
  say('doubt', mark && isDoubtful(mark) ? texts.unsure(likeliest(mark)) : '');
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
    row.querySelector('.share').textContent = percent(probabilities[digit]);
  });
}

/** @param {number} digit */
function bar(digit) {
  const track = element('span', { className: 'track', ariaHidden: 'true' }, element('span', { className: 'fill' }));
  return element('li', {}, element('span', {}, String(digit)), track, element('span', { className: 'share' }));
}

/**
 * What a mark most likely is: what it was read as, and the likeliest of the rest.
 * @param {Mark} mark
 * @returns {(number | null)[]} two, of which null is no digit
 */
export function likeliest({ digit, probabilities }) {
  const others = (probabilities ?? []).map((share, other) => [share, other]).filter(([, other]) => other !== digit);
  others.sort(([one], [other]) => other - one);
  return [digit, others[0]?.[1] ?? null];
}

/** @param {Mark} mark */
const isDoubtful = (mark) => mark.digit === null || mark.confidence < UNSURE;

/** @param {Mark} mark @returns {string} its digit, with a question mark if it is doubtful */
const shortOf = (mark) => (mark.digit !== null && isDoubtful(mark) ? `${mark.digit}?` : nameOf(mark));

/** @param {Mark} mark @returns {string} its digit, or "?" for a mark that is none */
const nameOf = (mark) => (mark.digit === null ? '?' : String(mark.digit));
