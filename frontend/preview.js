import { part, svg } from './dom.js';
import { texts } from './texts.js';

/** Pixels of the screen: between a box and its label, around a label's words, and how far beside a box is still on it. */
const GAP = 4;
const PADDING = 3;
const REACH = 16;

/** Where there is no room for all labels as large as style.css has them, they are so much smaller. */
const SMALLER = 0.85;
/** Where more than this share of them has no room, only the chosen one's is shown. */
const CROWDED = 0.25;

/**
 * @typedef {[number, number, number, number]} Box left, top, width and height
 * @typedef {{box: Box, name: string, share: string, doubtful: boolean}} Drawn
 */

const image = part('preview');
const boxes = part('boxes');

/** @type {Box[]} in pixels of the upright picture */
let drawn = [];
/** @type {SVGElement[]} */
let labels = [];
/** @type {(index: number) => void} */
let choose = () => {};
/** Whether the boxes lie over the drawing, where pressing means to draw. */
let isDrawing = false;

image.addEventListener('load', () => {
  setShown(true);
  // Both sides are upright: browsers apply the EXIF orientation, and boxes are given in pixels of the upright picture.
  if (!isDrawing) frame(`0 0 ${image.naturalWidth} ${image.naturalHeight}`);
});
image.addEventListener('error', () => { if (image.src) setShown(false); });
new ResizeObserver(placeLabels).observe(boxes);

part('stage').addEventListener('click', (event) => {
  const index = markAt(event);
  if (index < 0) return;
  // Anywhere else, the picture is a label of the file input.
  event.preventDefault();
  choose(index);
});

/** Shows the picture, or says kindly that this browser cannot (HEIC and TIFF in most). @param {File | null} picture */
export function show(picture) {
  isDrawing = false;
  URL.revokeObjectURL(image.src);
  part('invitation').hidden = Boolean(picture);
  part('unshown').hidden = true;
  if (!picture) {
    image.removeAttribute('src');
    image.hidden = true;
    return;
  }
  part('unshown').textContent = texts.unshown(picture.name);
  image.alt = picture.name;
  image.src = URL.createObjectURL(picture);
}

/** Lays the boxes over the drawing. @param {string} viewBox what is to be seen of its picture, in pixels */
export function showDrawing(viewBox) {
  isDrawing = true;
  boxes.removeAttribute('hidden');
  frame(viewBox);
}

/** Only one of picture and words is to be seen, and boxes only over a picture. @param {boolean} shown */
function setShown(shown) {
  image.hidden = !shown;
  boxes.toggleAttribute('hidden', !shown && !isDrawing);
  part('unshown').hidden = shown;
}

/** @param {string} viewBox */
function frame(viewBox) {
  boxes.setAttribute('viewBox', viewBox);
  placeLabels();
}

/** @param {Drawn[]} marks @param {(index: number) => void} onchoose when one of several is clicked */
export function drawBoxes(marks, onchoose) {
  drawn = marks.map(({ box }) => box);
  labels = marks.map(drawLabel);
  choose = onchoose;
  boxes.replaceChildren(...marks.map(drawBox), ...labels);
  placeLabels();
}

/** @param {number} index of the box that stands out, as the one whose probabilities are shown */
export function markBox(index) {
  [...boxes.querySelectorAll('.box')].forEach((box, i) => box.classList.toggle('current', i === index));
  labels.forEach((label, i) => label.classList.toggle('chosen', i === index));
  // Over the others, for it is shown even where there is no room.
  if (labels[index]) boxes.append(labels[index]);
}

/** @param {Drawn} mark */
function drawBox({ box: [x, y, width, height], doubtful }) {
  const rectangle = (name) => svg('rect', { class: name, x, y, width, height, rx: 1 });
  return svg('g', { class: doubtful ? 'box doubtful' : 'box' }, rectangle('halo'), rectangle('line'));
}

/** @param {Drawn} mark */
function drawLabel({ name, share, doubtful }) {
  const words = svg('text', {}, name, svg('tspan', { class: 'share' }, ` ${share}`));
  return svg('g', { class: doubtful ? 'label doubtful' : 'label' }, svg('rect', { rx: 4 }), words);
}

/** Labels are as large on any picture: they are measured and placed in the screen's pixels. */
function placeLabels() {
  // Asking where things are has the browser lay out the whole page.
  const matrix = labels.length && !boxes.hasAttribute('hidden') ? boxes.getScreenCTM() : null;
  if (!matrix) return;
  const onScreen = drawn.map((box) => box.map((length) => length * matrix.a));
  const { left, top, width, height } = part('stage').getBoundingClientRect();
  const bounds = [left - matrix.e + 1, top - matrix.f + 1, width - 2, height - 2];
  const sizes = labels.map((label) => measured(label, 1 / matrix.a));
  const arranged = (size) => arrange(onScreen, sizes.map((lengths) => lengths.map((length) => length * size)), bounds);
  const large = arranged(1);
  const isEnough = large.every(({ isFree }) => isFree);
  const places = isEnough ? large : arranged(SMALLER);
  const isCrowd = places.filter(({ isFree }) => !isFree).length > CROWDED * places.length;
  places.forEach(({ place: [x, y], isFree }, i) => {
    const [across, down, size] = [x, y, isEnough ? 1 : SMALLER].map((length) => length / matrix.a);
    labels[i].setAttribute('transform', `translate(${across} ${down}) scale(${size})`);
    labels[i].classList.toggle('crowded', isCrowd || !isFree);
  });
}

/**
 * Draws a label's frame around its words, from (0, 0).
 * @param {SVGElement} label
 * @param {number} scale at which its units are the screen's pixels: words are measured best as large as they are drawn
 * @returns {[number, number]} its size
 */
function measured(label, scale) {
  label.setAttribute('transform', `scale(${scale})`);
  label.classList.remove('crowded');
  const [rectangle, words] = label.children;
  const { x, y, width, height } = words.getBBox();
  const size = [width + 2 * PADDING, height + 2];
  words.setAttribute('transform', `translate(${PADDING - x} ${1 - y})`);
  rectangle.setAttribute('width', String(size[0]));
  rectangle.setAttribute('height', String(size[1]));
  return size;
}

/**
 * A place for each label: over its box, or under it where there is no room. It is free if it covers no box and no label.
 * @param {Box[]} list
 * @param {[number, number][]} sizes of the labels
 * @param {Box} bounds
 * @returns {{place: Box, isFree: boolean}[]}
 */
export function arrange(list, sizes, bounds) {
  // Each box with its line.
  const taken = list.map(([x, y, width, height]) => [x - 2, y - 2, width + 4, height + 4]);
  return list.map(([x, y, width, height], i) => {
    const [w, h] = sizes[i];
    const left = Math.max(bounds[0], Math.min(x + (width - w) / 2, bounds[0] + bounds[2] - w));
    const places = [y - GAP - h, y + height + GAP].map((top) => /** @type {Box} */ ([left, top, w, h]));
    const within = places.filter((place) => place[1] >= bounds[1] && place[1] + h <= bounds[1] + bounds[3]);
    const free = within.find((place) => !taken.some((other) => doOverlap(place, other)));
    if (free) taken.push(free);
    return { place: free ?? within[0] ?? places[0], isFree: Boolean(free) };
  });
}

/** @param {Box} one @param {Box} other */
const doOverlap = (one, other) =>
  one[0] < other[0] + other[2] && other[0] < one[0] + one[2] && one[1] < other[1] + other[3] && other[1] < one[1] + one[3];

/** @param {MouseEvent} event @returns {number} the mark of several that was clicked, by its label or near its box, or -1 */
function markAt({ target, clientX, clientY }) {
  const matrix = boxes.getScreenCTM();
  if (isDrawing || drawn.length < 2 || !matrix) return -1;
  const labelled = labels.indexOf(target.closest('.label'));
  if (labelled >= 0) return labelled;
  const distances = drawn.map(([x, y, width, height]) => Math.hypot(
    beyond(clientX - matrix.e, x * matrix.a, width * matrix.a),
    beyond(clientY - matrix.f, y * matrix.a, height * matrix.a),
  ));
  const nearest = distances.indexOf(Math.min(...distances));
  return distances[nearest] <= REACH ? nearest : -1;
}

/** How far a point lies outside of a stretch. @param {number} at @param {number} start @param {number} length */
const beyond = (at, start, length) => Math.max(0, start - at, at - start - length);
