// The numbers behind the chart: how sure the answers were, and how many of them nobody corrected. No DOM.

/** Lines have at most so many points, each of at least so many records: of fewer a share says nothing. */
const MOST = 20;
const LEAST = 5;
/** Fewer records make no line. */
export const ENOUGH = 2 * LEAST;

/** Where the axis may begin: as near below all values as it can, so that two lines near 100 % can be told apart. */
const FLOORS = [0.9, 0.8, 0.5];

/**
 * What is to know of some records. `confidence` is the mean over those in which a digit was found, if there are any; of
 * `right` it is known only that it is no more: a record without a correction counts as right.
 * @typedef {Pick<import('./api.js').Entry, 'time' | 'result' | 'confidence' | 'correction'>} Entry
 * @typedef {{count: number, from: string, to: string, confidence: number | null, right: number, corrected: number,
 *            confirmed: number}} Summary
 */

/** @param {Entry[]} records at least one, the oldest first @returns {Summary} */
export function summary(records) {
  const count = records.length;
  const sure = records.filter(({ result }) => result).map(({ confidence }) => confidence);
  const corrected = records.filter(({ result, correction }) => (correction ?? result) !== result).length;
  const confirmed = records.filter(({ result, correction }) => correction === result).length;
  const span = { from: records[0].time, to: records[count - 1].time };
  return { count, ...span, confidence: mean(sure), right: (count - corrected) / count, corrected, confirmed };
}

/**
 * Summaries of stretches that are as long as each other, to one record. With more records there are both more of them
 * and longer ones, by the square root, as is the custom for histograms.
 * @param {Entry[]} records the oldest first
 * @returns {Summary[]} at least two, or none where there are too few records
 */
export function stretches(records) {
  if (records.length < ENOUGH) return [];
  const count = Math.min(MOST, Math.floor(records.length / LEAST), Math.floor(Math.sqrt(records.length)));
  const start = (index) => Math.floor((index * records.length) / count);
  return Array.from({ length: count }, (_, index) => summary(records.slice(start(index), start(index + 1))));
}

/** @param {Summary[]} points @returns {number} where the axis begins */
export function floorOf(points) {
  const values = points.flatMap(({ confidence, right }) => [confidence ?? 1, right]);
  return FLOORS.find((floor) => values.every((value) => value >= floor)) ?? 0;
}

/** @param {number[]} values */
const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
