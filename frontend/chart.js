import { ENOUGH, floorOf, stretches, summary } from './accuracy.js';
import { element, part, svg } from './dom.js';
import { locale, percent } from './formats.js';
import { texts } from './texts.js';

/** @typedef {import('./accuracy.js').Summary} Summary */

/** The grid has lines at these, where the axis begins at the first of them. */
const GRIDS = [[0, 0.25, 0.5, 0.75, 1], [0.5, 0.75, 1], [0.8, 0.9, 1], [0.9, 0.95, 1]];

/** In the screen's pixels: half of a marker, and the room that it needs beside the grid. */
const MARKER = 3.5;
const MARGIN = 8;
/** Left of the grid, for its words, in their own size. As style.css has it. */
const GUTTER = 3.75;

const days = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' });
const minutes = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });

/** @type {Summary[]} */
let points = [];
/** What it shows, in a sentence. */
let sentence = '';

new ResizeObserver(drawPlot).observe(part('plot'));

/** @param {import('./accuracy.js').Entry[]} records at least one, newest first */
export function drawChart(records) {
  const ordered = [...records].reverse();
  const all = summary(ordered);
  points = stretches(ordered);
  sentence = texts.chartWords(spanOf(all), all, points);
  part('chart-confidence').textContent = percent(all.confidence);
  // Of a few, a share would say more than is known.
  const right = points.length ? percent(all.right) : texts.outOf(all.count - all.corrected, all.count);
  part('chart-right').textContent = right;
  part('chart-words').textContent = sentence;
  part('figures').replaceChildren(...points.map(figuresOf));
  part('figures-table').hidden = !points.length;
  drawEnds(all);
  drawPlot();
}

/** From when to when, as the viewer's locale and clock write it. @param {Summary} stretch */
function spanOf({ from, to }) {
  const [start, end] = [new Date(from), new Date(to)];
  return (isOneDay(start, end) ? minutes : days).formatRange(start, end);
}

/** @param {Date} one @param {Date} other */
const isOneDay = (one, other) => one.toDateString() === other.toDateString();

/** @param {Summary} stretch */
function figuresOf(stretch) {
  const cells = [String(stretch.count), percent(stretch.confidence), percent(stretch.right)];
  const head = element('th', { scope: 'row' }, spanOf(stretch));
  return element('tr', {}, head, ...cells.map((cell) => element('td', {}, cell)));
}

/** When the first and the last record were made, below where they are drawn. @param {Summary} all */
function drawEnds({ from, to }) {
  const formats = isOneDay(new Date(from), new Date(to)) ? [minutes, clock] : [days, days];
  const timeOf = (time, index) => element('time', { dateTime: time }, formats[index].format(new Date(time)));
  part('ends').replaceChildren(...(points.length ? [from, to] : []).map(timeOf));
  const counts = points.map(({ count }) => count);
  part('per-point').textContent = points.length
    ? texts.perPoint(Math.min(...counts), Math.max(...counts), floorOf(points)) : '';
}

/** As wide as there is room; its words are as large at any width. */
function drawPlot() {
  const plot = part('plot');
  if (!plot.clientWidth) return;
  if (points.length) plot.replaceChildren(drawn(plot.clientWidth, plot.clientHeight));
  else plot.replaceChildren(element('p', {}, texts.tooFew(ENOUGH)));
}

/** @param {number} width @param {number} height in the screen's pixels */
function drawn(width, height) {
  const floor = floorOf(points);
  const left = GUTTER * parseFloat(getComputedStyle(part('plot')).fontSize);
  const step = (width - left - MARGIN) / (points.length - 1);
  const x = (index) => left + index * step;
  const around = (index) => [Math.max(left, x(index - 0.5)), Math.min(width, x(index + 0.5))];
  const y = (value) => MARGIN + ((1 - value) / (1 - floor)) * (height - 2 * MARGIN);
  const places = (pick) => points.map((point, index) => (pick(point) === null ? null : [x(index), y(pick(point))]));
  const grid = GRIDS.find(([first]) => first === floor).map((value) => gridLine(value, y(value), left, width));
  return svg(
    'svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': sentence },
    ...grid,
    ...line('confidence', places(({ confidence }) => confidence), square),
    ...line('right', places(({ right }) => right), circle),
    ...points.map((point, index) => words(point, around(index), height)),
  );
}

/** @param {number} value @param {number} y @param {number} left @param {number} width */
function gridLine(value, y, left, width) {
  return svg(
    'g', { class: 'grid' },
    svg('line', { x1: left, x2: width, y1: y, y2: y }),
    svg('text', { x: left - MARGIN, y, dy: '0.35em', 'text-anchor': 'end' }, percent(value)),
  );
}

/**
 * A line from place to place, with a gap where there is none.
 * @param {string} name
 * @param {([number, number] | null)[]} places
 * @param {(x: number, y: number) => SVGElement} marker
 */
function line(name, places, marker) {
  const moves = places.map((place, index) => place && `${places[index - 1] ? 'L' : 'M'}${place.join(' ')}`);
  const markers = places.filter(Boolean).map(([x, y]) => marker(x, y));
  return [svg('g', { class: `line ${name}` }, svg('path', { d: moves.filter(Boolean).join('') }), ...markers)];
}

/** @param {number} cx @param {number} cy */
const circle = (cx, cy) => svg('circle', { cx, cy, r: MARKER });

/** @param {number} x @param {number} y */
const square = (x, y) => svg('rect', { x: x - MARKER, y: y - MARKER, width: 2 * MARKER, height: 2 * MARKER });

/** For a mouse: what is to know of a stretch of time. @param {Summary} point @param {[number, number]} sides */
function words(point, [left, right], height) {
  const title = svg('title', {}, texts.pointWords(spanOf(point), point));
  return svg('rect', { class: 'hover', x: left, y: 0, width: right - left, height }, title);
}
