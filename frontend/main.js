// The only wiring: picture → Read it → answer or problem → records ← correction.

import { asProblem, check, Problem, read } from './api.js';
import { clearAnswer, drawAnswer } from './answer.js';
import * as corrections from './corrections.js';
import { element, part } from './dom.js';
import * as pictures from './picture.js';
import * as preview from './preview.js';
import { listenToDownloads, refreshRecords } from './records.js';
import * as texts from './texts.js';

/** @type {{file: File, key: string} | null} */
let picture = null;
/** @type {AbortController | null} the request under way */
let reading = null;

clearAnswer();
setBusy(false);
pictures.listen([part('file'), part('camera')], take, () => showProblem(new Problem(texts.notAFile, 400)));
part('form').addEventListener('submit', submit);
part('again').addEventListener('click', (event) => { part('submit').focus(); submit(event); });
corrections.listen(refreshRecords);
part('records-again').addEventListener('click', () => refreshRecords({ mayAsk: true }));
listenToDownloads();
refreshRecords();

/** A new picture takes the place of the old one and of its answer. @type {Parameters<typeof pictures.listen>[1]} */
function take(file, others, way) {
  reading?.abort();
  picture = { file, key: newKey() };
  part('caption').textContent = texts.caption(file, others);
  preview.show(file);
  clearAnswer();
  setBusy(false);
  clearProblem();
  check(file).catch((problem) => picture?.file === file && showProblem(problem));
  // Drop or paste, then Enter.
  if (way !== 'input') part('submit').focus({ preventScroll: true });
}

/** @param {Event} event */
async function submit(event) {
  event.preventDefault();
  if (reading) return;
  if (!picture) showProblem(new Problem(texts.noPicture, 400));
  else await answerTo(picture);
}

/**
 * Reads the picture and shows what comes of it, unless another picture has taken its place meanwhile.
 * @param {{file: File, key: string}} asked
 */
async function answerTo(asked) {
  const started = performance.now();
  const controller = new AbortController();
  setBusy(true, controller);
  clearProblem();
  try {
    const answer = await read(asked.file, asked.key, controller);
    if (picture !== asked) return;
    drawAnswer(answer, performance.now() - started);
    // Reading it once more is a new question, with a record of its own.
    asked.key = newKey();
  } catch (error) {
    if (picture === asked) showProblem(error);
  } finally {
    if (picture === asked) settle();
    refreshRecords();
  }
}

/** On a phone the answer lies below the picture. Its beginning is what counts: all of it may be longer than the screen. */
function settle() {
  setBusy(false);
  const { top } = part('answer').getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) part('answer').scrollIntoView();
}

/** @param {boolean} busy @param {AbortController | null} controller */
function setBusy(busy, controller = null) {
  reading = controller;
  part('answer').setAttribute('aria-busy', String(busy));
  // Not `disabled`, which would take the keyboard's focus away.
  part('submit').setAttribute('aria-disabled', String(busy || !picture));
  part('submit').replaceChildren(...(busy ? [element('span', { className: 'spinner' }), texts.reading] : [texts.readIt]));
}

/** @param {unknown} error */
function showProblem(error) {
  const problem = asProblem(error);
  clearAnswer();
  part('answer').dataset.state = 'problem';
  part('problem-title').textContent = problem.title;
  part('problem-detail').textContent = problem.detail;
  part('again').hidden = !problem.passes;
}

function clearProblem() {
  part('problem-title').textContent = '';
  part('problem-detail').textContent = '';
  delete part('answer').dataset.state;
}

/** Not crypto.randomUUID(), which browsers offer over HTTPS and on localhost only. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
