// The only wiring: picture or drawing → outbox → answer or problem → records ← correction.

import { clearAnswer, drawAnswer, listenToCopying } from './answer.js';
import { asProblem, preview as readUnrecorded, Problem } from './api.js';
import * as corrections from './corrections.js';
import { element, part } from './dom.js';
import * as history from './history.js';
import * as outbox from './outbox.js';
import * as pictures from './picture.js';
import * as preview from './preview.js';
import { stored } from './storage.js';
import { texts, translatePage } from './texts.js';
import { drawUploads } from './uploads.js';

/** @typedef {import('./outbox.js').Item} Item */

/** Milliseconds between two questions about a drawing that goes on. */
const BREATH = 150;

/** Loaded when somebody first wants to draw: most who come have a picture. @type {typeof import('./drawing.js')} */
let drawing;
/** Where the picture comes from. @type {'file' | 'hand'} */
let way = 'file';
/** Of the pictures from files, the one that is shown. @type {Item | null} */
let picked = null;
/** What became of the drawing as it is now. @type {Item | null} */
let submitted = null;
/** What is on the stage and what in the answer's panel, each drawn once. @type {File | null} */
let onStage = null;
/** @type {unknown} */
let onPanel = null;
/** The drawing is being read, and perhaps has changed since. */
const live = { isAsking: false, isStale: false };

translatePage();
clearAnswer();
pictures.listen([part('file'), part('camera')], take, () => showProblem(new Problem(texts.notAFile, 400)));
part('ways').hidden = false;
part('ways').addEventListener('change', (event) => (event.target.value === 'hand' ? draw() : setWay('file')));
part('form').addEventListener('submit', submit);
part('again').addEventListener('click', () => { part('submit').focus(); outbox.send(current()); });
listenToCopying();
corrections.listen(history.refresh);
history.listen();
outbox.listen(changed);
drawPage();
if (!picked && stored('sessionStorage', (storage) => storage.getItem('way')) === 'hand') draw();
// In a task of its own, so that a slow phone need not have done it before the page can be used.
setTimeout(history.refresh);
addEventListener('load', () => navigator.serviceWorker?.register('sw.js').catch(() => {}));

/** Whose answer is shown. */
function current() {
  return way === 'hand' ? submitted : picked;
}

/** New pictures take the place of those that are done with. @type {Parameters<typeof pictures.listen>[1]} */
function take(files, how) {
  outbox.clear();
  [picked] = outbox.add(files);
  setWay('file');
  // Drop or paste, then Enter.
  if (how !== 'input') part('submit').focus({ preventScroll: true });
}

/** @param {'file' | 'hand'} next */
function setWay(next) {
  if (way !== next) stored('sessionStorage', (storage) => storage.setItem('way', next));
  way = next;
  part('form').dataset.way = way;
  part('ways').querySelector(`[value="${way}"]`).checked = true;
  onStage = null;
  onPanel = null;
  clearProblem();
  clearAnswer();
  if (way === 'hand') drawingChanged();
  else if (!picked) preview.show(null);
  drawPage();
}

/** Lets people draw. */
async function draw() {
  try {
    const loaded = await import('./drawing.js');
    if (!drawing) loaded.listen({ onchange: drawingChanged });
    drawing = loaded;
    setWay('hand');
  } catch (error) {
    setWay('file');
    showProblem(new Problem(navigator.onLine ? texts.unreachable : texts.offline, 0, error));
    part('again').hidden = true;
  }
}

/** Something happened to a picture. @param {Item} item */
function changed(item) {
  if (!current() && outbox.isUnderWay(item)) picked = item;
  drawPage();
  if (item.state === 'read') history.refresh();
  if (item === current() && (item.state === 'read' || (item.problem && item.tries === 1))) settle();
}

/** @param {Event} event */
async function submit(event) {
  event.preventDefault();
  if (way === 'hand') await submitDrawing();
  else if (!picked) showProblem(new Problem(texts.noPicture, 400));
  else {
    const ready = outbox.list().filter(isReady);
    for (const item of ready.length ? ready : [picked]) outbox.send(item);
  }
}

async function submitDrawing() {
  if (drawing.isEmpty()) return showProblem(new Problem(texts.noPicture, 400));
  if (!submitted) {
    const { blob, viewBox } = await drawing.toBlob();
    preview.showDrawing(viewBox);
    outbox.clear((item) => item.file.name === texts.drawingName);
    [submitted] = outbox.add([new File([blob], texts.drawingName, { type: blob.type })]);
  }
  return outbox.send(submitted);
}

/** What was said of the drawing holds no more. */
function drawingChanged() {
  submitted = null;
  onPanel = null;
  if (way !== 'hand') return;
  clearProblem();
  drawPage();
  live.isStale = true;
  if (!live.isAsking) readDrawing();
}

/** Reads the drawing, unrecorded, and again as long as it has changed meanwhile. */
async function readDrawing() {
  live.isAsking = true;
  while (live.isStale && way === 'hand' && !submitted) {
    live.isStale = false;
    if (drawing.isEmpty()) clearAnswer();
    else await showReading();
    await new Promise((resolve) => { setTimeout(resolve, BREATH); });
  }
  live.isAsking = false;
}

async function showReading() {
  const started = performance.now();
  const { blob, viewBox } = await drawing.toBlob();
  try {
    const picture = new File([blob], texts.drawingName, { type: blob.type });
    const answer = await readUnrecorded(picture, new AbortController());
    if (way !== 'hand' || submitted || drawing.isEmpty()) return;
    preview.showDrawing(viewBox);
    drawAnswer(answer, performance.now() - started);
  } catch (error) {
    if (way === 'hand' && !submitted) clearAnswer(asProblem(error).title);
  }
}

function drawPage() {
  const item = current();
  part('waits').hidden = item?.state !== 'waiting';
  drawUploads(outbox.list(), item, { show, cancel: outbox.cancel, again: outbox.send });
  drawSubmit(item);
  part('answer').setAttribute('aria-busy', String(isBusy(item)));
  if (item) drawItem(item);
}

/** @param {Item} item */
function drawItem(item) {
  if (way === 'file' && item.file !== onStage) {
    onStage = item.file;
    preview.show(item.file);
  }
  const panel = item.problem ?? item.answer;
  // While it is tried once more, what was said before stays.
  if (panel === onPanel) return;
  onPanel = panel;
  clearProblem();
  if (item.problem) showProblem(item.problem);
  else if (item.answer) drawAnswer(item.answer, item.took);
  else clearAnswer();
}

/** Another of the pictures is to be looked at. @param {Item} item */
function show(item) {
  picked = item;
  setWay('file');
}

/** @param {Item} item */
function isReady({ state, isWanted }) {
  return (state === 'ready' || state === 'preparing') && !isWanted;
}

/** @param {Item | null} item */
function isBusy(item) {
  return Boolean(item?.isWanted) && item.state !== 'waiting';
}

/** On a phone the answer lies below the picture. Its beginning is what counts: it may be longer than the screen. */
function settle() {
  const { top } = part('answer').getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) part('answer').scrollIntoView();
}

/** @param {Item | null} item */
function drawSubmit(item) {
  const button = part('submit');
  const busy = isBusy(item);
  const canSend = way === 'hand' ? !drawing.isEmpty() : Boolean(item);
  // Not `disabled`, which would take the keyboard's focus away.
  button.setAttribute('aria-disabled', String(busy || !canSend));
  const words = way === 'file' && outbox.list().filter(isReady).length > 1 ? texts.readAll : texts.readIt;
  const wanted = busy ? texts.reading : words;
  if (button.textContent === wanted) return;
  button.replaceChildren(...(busy ? [element('span', { className: 'spinner' }), wanted] : [wanted]));
}

/** @param {Problem} problem */
function showProblem(problem) {
  clearAnswer();
  part('answer').dataset.state = 'problem';
  part('problem').lang = problem.language;
  part('problem-title').textContent = problem.title;
  part('problem-detail').textContent = problem.detail;
  part('again').hidden = !problem.passes;
}

function clearProblem() {
  part('problem-title').textContent = '';
  part('problem-detail').textContent = '';
  delete part('answer').dataset.state;
}
