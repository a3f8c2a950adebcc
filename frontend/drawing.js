import { element, part } from './dom.js';
import { stored } from './storage.js';
import * as strokes from './strokes.js';
import { texts } from './texts.js';

/** The same in dark mode, for this is what is read. */
const INK = '#14171c';
const PAPER = '#ffffff';

/** Of the picture that is sent, in pixels: its longer side (more is read no better), and white around the paper. */
const SIDE = 560;
const MARGIN = 16;

/** What the browser's storage calls the drawing, and the pen. */
const NAME = 'drawing';
const PEN = 'pen';

/** @typedef {import('./strokes.js').Size} Size */

const canvas = part('canvas');
const invitation = element('p', { className: 'by-hand write-here', ariaHidden: 'true' }, texts.writeHere);

let history = strokes.blank;
/** @type {number | null} which pointer draws, of all that touch the canvas */
let drawing = null;
/** @type {(isSettled: boolean) => void} */
let tell = () => {};
/** Whether the canvas is to be painted before the screen is shown next. */
let isStale = false;

/**
 * Lets people draw, beginning with what they had drawn before the page was loaded anew.
 * @param {{onchange: (isSettled: boolean) => void}} listener which hears of each change, and whether it is a whole one:
 *   while a stroke is being drawn, it is not
 */
export function listen({ onchange }) {
  tell = onchange;
  restore();
  canvas.after(invitation);
  listenToPointers();
  part('undo-stroke').addEventListener('click', () => edit(strokes.undo));
  part('redo-stroke').addEventListener('click', () => edit(strokes.redo));
  part('clear').addEventListener('click', clear);
  part('pens').addEventListener('change', save);
  addEventListener('keydown', onkeydown);
  addEventListener('pagehide', finish);
  new ResizeObserver(paint).observe(canvas);
  watchResolution();
  show();
}

/** Whether there is nothing to read. */
export const isEmpty = () => strokes.strokesOf(history).length === 0;

/** Leaves nothing on the paper. It can be undone. */
export const clear = () => edit(strokes.clear);

/**
 * What is drawn as a picture, which is the same on any screen.
 * @returns {Promise<{blob: Blob, viewBox: string}>} with which part of it, in its pixels, an SVG that covers the canvas
 *   is to show, so that what lies over the picture lies over the drawing
 */
export function toBlob() {
  const drawn = strokes.strokesOf(history);
  const frame = strokes.frame(drawn, room());
  const scale = (SIDE - 2 * MARGIN) / Math.max(...frame);
  const [width, height] = frame.map((length) => Math.max(1, Math.round(length * scale)));
  const picture = element('canvas', { width: width + 2 * MARGIN, height: height + 2 * MARGIN });
  const context = picture.getContext('2d');
  context.fillStyle = PAPER;
  context.fillRect(0, 0, picture.width, picture.height);
  put(context, drawn, scale);
  return new Promise((resolve, reject) => {
    picture.toBlob((blob) => {
      if (blob) resolve({ blob, viewBox: `${MARGIN} ${MARGIN} ${width} ${height}` });
      else reject(new Error('the browser makes no PNG of the drawing'));
    }, 'image/png');
  });
}

/** @param {(history: import('./strokes.js').History) => import('./strokes.js').History} change that is a whole one */
function edit(change) {
  const changed = change(history);
  if (changed === history) return;
  drawing = null;
  history = changed;
  settle();
  say(texts.drawn(strokes.strokesOf(history).length));
}

/** Nothing is being drawn any more. */
function settle() {
  save();
  show();
  tell(true);
}

/** What can be done now, and the drawing itself. */
function show() {
  invitation.hidden = !isEmpty();
  // Not `disabled`, which would take the keyboard's focus away.
  allow('undo-stroke', strokes.canUndo(history));
  allow('redo-stroke', strokes.canRedo(history));
  allow('clear', !isEmpty());
  paintSoon();
}

/** @param {string} name of a button @param {boolean} isOfUse */
const allow = (name, isOfUse) => part(name).setAttribute('aria-disabled', String(!isOfUse));

/** To those who do not see it. @param {string} words */
function say(words) {
  part('drawn').textContent = words;
}

// ---------------------------------------------------------------------------------------------- Pointers

function listenToPointers() {
  canvas.addEventListener('pointerdown', start);
  canvas.addEventListener('pointermove', (event) => { if (event.pointerId === drawing) move(event); });
  canvas.addEventListener('pointerup', (event) => { if (event.pointerId === drawing) { draw(event); finish(); } });
  // Where it was when it was taken away means nothing.
  for (const type of ['pointercancel', 'lostpointercapture']) {
    canvas.addEventListener(type, (event) => { if (event.pointerId === drawing) finish(); });
  }
}

/** @param {PointerEvent} event */
function start(event) {
  if (!event.isPrimary || event.button !== 0) return;
  // A pen counts for more than the hand that holds it, which may have come first.
  if (drawing !== null && event.pointerType !== 'pen') return;
  if (drawing !== null) history = strokes.drop(history);
  drawing = event.pointerId;
  canvas.setPointerCapture(event.pointerId);
  say('');
  history = strokes.begin(history, ...pointsOf([event]), paper());
  show();
  tell(false);
}

/** @param {PointerEvent} event */
function move(event) {
  // Of several buttons the first can be let go before the others.
  if (event.buttons & 1) draw(event);
  else finish();
}

/** @param {PointerEvent} event */
function draw(event) {
  const all = event.getCoalescedEvents?.() ?? [];
  history = strokes.extend(history, pointsOf(all.length ? all : [event]));
  paintSoon();
  tell(false);
}

function finish() {
  if (drawing === null) return;
  drawing = null;
  history = strokes.end(history);
  settle();
}

/** @param {PointerEvent[]} events */
function pointsOf(events) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const scale = scaleNow();
  return events.map((event) => /** @type {import('./strokes.js').Point} */ ([
    (event.clientX - left - width / 2) / scale,
    (event.clientY - top - height / 2) / scale,
    strokes.widthOf(pen(), event),
  ]));
}

// ------------------------------------------------------------------------------------------------- Keys

/** @param {KeyboardEvent} event */
function onkeydown(event) {
  const change = changeBy(event);
  if (!change || !isInUse(event.target)) return;
  // The browser's own would undo what was typed into a field elsewhere.
  event.preventDefault();
  edit(change);
}

/** @param {KeyboardEvent} event */
function changeBy({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  if (altKey || !(ctrlKey || metaKey)) return undefined;
  const name = `${shiftKey ? 'Shift+' : ''}${key.toUpperCase()}`;
  return { Z: strokes.undo, 'Shift+Z': strokes.redo, Y: strokes.redo }[name];
}

/** Whether people are drawing, and nothing else has the keyboard. @param {EventTarget | null} target of a key */
const isInUse = (target) =>
  canvas.clientWidth > 0 && (target === document.body || canvas.closest('form').contains(target));

// --------------------------------------------------------------------------------------------- Painting

/** @returns {Size} of the canvas, in pixels of CSS; where it is hidden, it has none */
const room = () => [canvas.clientWidth || 1, canvas.clientHeight || 1];

/** How many times larger than it was begun the drawing is shown. */
const scaleNow = () => strokes.fit(strokes.frame(strokes.strokesOf(history), room()), room());

/** @returns {Size} how much of the paper is to be seen */
function paper() {
  const scale = scaleNow();
  return /** @type {Size} */ (room().map((length) => length / scale));
}

/** Once before the screen is shown next, however much changes until then. */
function paintSoon() {
  if (isStale) return;
  isStale = true;
  requestAnimationFrame(paint);
}

function paint() {
  isStale = false;
  const [width, height] = room().map((length) => Math.round(length * devicePixelRatio));
  // Setting either empties the canvas, and costs more than emptying it.
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  context.resetTransform();
  context.clearRect(0, 0, width, height);
  put(context, strokes.strokesOf(history), scaleNow() * devicePixelRatio);
}

/**
 * Puts the middle of a drawing into the middle of a canvas.
 * @param {CanvasRenderingContext2D} context @param {import('./strokes.js').Stroke[]} drawn @param {number} scale
 */
function put(context, drawn, scale) {
  context.setTransform(scale, 0, 0, scale, context.canvas.width / 2, context.canvas.height / 2);
  Object.assign(context, { strokeStyle: INK, fillStyle: INK, lineCap: 'round', lineJoin: 'round' });
  for (const { points } of drawn) {
    if (points.length > 1) putLine(context, strokes.curves(points));
    else putDot(context, points[0]);
  }
}

/** @param {CanvasRenderingContext2D} context @param {import('./strokes.js').Curve[]} line */
function putLine(context, line) {
  line.forEach(({ from, control, to, width }, i) => {
    if (width !== line[i - 1]?.width) {
      if (i > 0) context.stroke();
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(...from);
    }
    context.quadraticCurveTo(...control, ...to);
  });
  context.stroke();
}

/**
 * A line without a length has no caps.
 * @param {CanvasRenderingContext2D} context @param {import('./strokes.js').Point} point
 */
function putDot(context, [x, y, width]) {
  context.beginPath();
  context.arc(x, y, width / 2, 0, 2 * Math.PI);
  context.fill();
}

/** Its pixels can become finer or coarser while nothing on the page changes its size: on another screen. */
function watchResolution() {
  const isAsNow = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
  isAsNow.addEventListener('change', () => { paint(); watchResolution(); }, { once: true });
}

// ---------------------------------------------------------------------------------------------- Keeping

/** @returns {keyof typeof strokes.WIDTHS} */
const pen = () => part('pens').querySelector(':checked').value;

function save() {
  stored('sessionStorage', (storage) => storage.setItem(NAME, strokes.serialised(history)));
  stored('sessionStorage', (storage) => storage.setItem(PEN, pen()));
}

function restore() {
  history = strokes.parsed(stored('sessionStorage', (storage) => storage.getItem(NAME)));
  const kept = stored('sessionStorage', (storage) => storage.getItem(PEN));
  for (const radio of part('pens').querySelectorAll('input')) if (radio.value === kept) radio.checked = true;
}
