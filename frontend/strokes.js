// What is drawn, and what was before: pure, without a page.
//
// Places are measured from the middle of the paper, in pixels of the screen as they were when the drawing was begun. So
// it can be shown on paper of any size, and its middle stays in the middle.

/**
 * @typedef {[number, number]} Size width and height
 * @typedef {[number, number, number]} Point right of the middle, below the middle, and how wide the ink is there
 * @typedef {{paper: Size, points: Point[]}} Stroke with how much paper was to be seen while it was drawn
 * @typedef {{steps: (Stroke | null)[], done: number, current: Stroke | null}} History
 *   strokes, and null for each time that all was cleared; how many of these steps are done, for the others are undone;
 *   and the stroke that is still being drawn. Never changed: each function gives another one.
 * @typedef {{from: [number, number], control: [number, number], to: [number, number], width: number}} Curve quadratic
 */

/** Pens by how wide their ink is. Broad ink is for large digits: small ones run together, and are read badly. */
export const WIDTHS = { fine: 4, medium: 7, broad: 12 };

/** Points nearer to the one before say nothing new, and points are kept to a tenth of a pixel. */
const APART = 0.5;
const EXACT = 10;

/** @type {History} */
export const blank = { steps: [], done: 0, current: null };

/** @param {History} history @param {Point} point @param {Size} paper all that is to be seen @returns {History} */
export function begin(history, point, paper) {
  const stroke = lengthened({ paper, points: [] }, [point]);
  return { ...end(history), current: stroke.points.length ? stroke : null };
}

/** @param {History} history @param {Point[]} points @returns {History} */
export function extend(history, points) {
  return history.current ? { ...history, current: lengthened(history.current, points) } : history;
}

/** The stroke being drawn is done. @param {History} history @returns {History} */
export const end = (history) => (history.current ? did(drop(history), history.current) : history);

/** As if the stroke being drawn had never been begun. @param {History} history @returns {History} */
export const drop = (history) => ({ ...history, current: null });

/** @param {History} history @returns {History} */
export function clear(history) {
  const ended = end(history);
  return strokesOf(ended).length ? did(ended, null) : ended;
}

/** @param {History} history @returns {History} */
export const undo = (history) => (canUndo(history) ? moved(end(history), -1) : history);

/** @param {History} history @returns {History} */
export const redo = (history) => (canRedo(history) ? moved(history, 1) : history);

/** @param {History} history */
export const canUndo = ({ done, current }) => done > 0 || current !== null;

/** A stroke that is begun leaves nothing to redo. @param {History} history */
export const canRedo = ({ steps, done, current }) => done < steps.length && current === null;

/** What is to be seen. @param {History} history @returns {Stroke[]} */
export function strokesOf({ steps, done, current }) {
  const since = steps.slice(0, done);
  const strokes = since.slice(since.lastIndexOf(null) + 1);
  return current ? [...strokes, current] : strokes;
}

/** @param {History} history @param {Stroke | null} step @returns {History} */
function did(history, step) {
  const steps = [...history.steps.slice(0, history.done), step];
  return { ...history, steps, done: steps.length };
}

/** @param {History} history @param {number} by @returns {History} */
const moved = (history, by) => ({ ...history, done: history.done + by });

/** @param {Stroke} stroke @param {Point[]} more @returns {Stroke} */
function lengthened({ paper, points }, more) {
  const all = [...points];
  for (const given of more) {
    if (given.some(Number.isNaN)) continue;
    const point = within(given, paper);
    const last = all.at(-1);
    if (!last || Math.hypot(point[0] - last[0], point[1] - last[1]) >= APART) all.push(point);
  }
  return { paper, points: all };
}

/** The nearest place on the paper at which no ink lies beyond its edge. @param {Point} point @param {Size} paper */
function within([x, y, width], paper) {
  const ink = clamp(rounded(width), 1 / EXACT, Math.min(...paper));
  const [across, down] = paper.map((length) => (length - ink) / 2);
  return /** @type {Point} */ ([clamp(rounded(x), -across, across), clamp(rounded(y), -down, down), ink]);
}

/** @param {number} value @param {number} least @param {number} most */
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

/** @param {number} value */
const rounded = (value) => Math.round(value * EXACT) / EXACT;

/**
 * How wide a pen's ink is: a real pen's is wider where it is pressed, a mouse's and a finger's is not.
 * @param {keyof typeof WIDTHS} pen
 * @param {{pointerType: string, pressure: number}} pointer a pointer event
 */
export function widthOf(pen, { pointerType, pressure }) {
  const share = pointerType === 'pen' ? 0.7 + 0.6 * pressure : 1;
  // In few steps, for what is equally wide is painted in one go.
  return Math.round(2 * WIDTHS[pen] * share) / 2;
}

/**
 * A smooth line through the first point, the middles between the others, and the last point: each point between is the
 * control point of a quadratic Bézier curve. A single point gives a curve without a length.
 * @param {Point[]} points @returns {Curve[]}
 */
export function curves(points) {
  const places = points.map(([x, y]) => /** @type {[number, number]} */ ([x, y]));
  const last = places.length - 1;
  if (last < 2) return [{ from: places[0], control: places[0], to: places[last], width: points[last][2] }];
  return places.slice(1, last).map((control, i) => ({
    from: i === 0 ? places[0] : middle(places[i], control),
    control,
    to: i === last - 2 ? places[last] : middle(control, places[i + 2]),
    width: points[i + 1][2],
  }));
}

/** @param {[number, number]} one @param {[number, number]} other @returns {[number, number]} */
const middle = ([x, y], [u, v]) => [(x + u) / 2, (y + v) / 2];

/**
 * The least rectangle that holds all ink.
 * @param {Stroke[]} strokes
 * @returns {{left: number, top: number, right: number, bottom: number} | null} null where there is none
 */
export function bounds(strokes) {
  const points = strokes.flatMap((stroke) => stroke.points);
  if (!points.length) return null;
  return points.map(([x, y, width]) => ({
    left: x - width / 2, top: y - width / 2, right: x + width / 2, bottom: y + width / 2,
  })).reduce((one, other) => ({
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  }));
}

/**
 * How much paper has to be seen, around its middle: what was when the drawing was begun, and all ink.
 * @param {Stroke[]} strokes
 * @param {Size} paper what there is, for a drawing that is yet to be begun
 * @returns {Size}
 */
export function frame(strokes, paper) {
  const ink = bounds(strokes);
  if (!ink) return paper;
  const [width, height] = strokes[0].paper;
  return [
    Math.max(width, 2 * Math.max(-ink.left, ink.right)),
    Math.max(height, 2 * Math.max(-ink.top, ink.bottom)),
  ];
}

/** How many times larger `size` may be shown, to fit into `room`. @param {Size} size @param {Size} room */
export const fit = (size, room) => Math.min(room[0] / size[0], room[1] / size[1]);

/** @param {History} history @returns {string} all of it in JSON */
export function serialised(history) {
  const { steps, done } = end(history);
  return JSON.stringify({ steps, done });
}

/** @param {string | null} json @returns {History} a blank one if it is not what `serialised` gives */
export function parsed(json) {
  try {
    const { steps, done } = JSON.parse(json ?? '');
    return steps.every(isStep) && Number.isInteger(done) && done >= 0 && done <= steps.length
      ? { steps, done, current: null }
      : blank;
  } catch {
    return blank;
  }
}

/** @param {any} step */
function isStep(step) {
  return step === null
    || (areNumbers(step.paper, 2) && step.paper.every((length) => length > 0)
      && step.points.length > 0 && step.points.every((point) => areNumbers(point, 3) && point[2] > 0));
}

/** @param {any} list @param {number} count */
const areNumbers = (list, count) => Array.isArray(list) && list.length === count && list.every(Number.isFinite);
