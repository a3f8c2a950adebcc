// What a list of records is made of. No DOM.

/**
 * What the API is asked for, from what a person has filled in. Days are the viewer's own, and `to` is meant with all of
 * its day: the API wants the moment at which the next one begins.
 * @param {{result: string, from: string, to: string}} filters days as a date input has them, or ''
 * @returns {{result?: string, from?: string, to?: string}} nothing where nothing is filled in
 */
export function toQuery({ result, from, to }) {
  return {
    ...(result.trim() && { result: result.trim() }),
    ...(from && { from: beginningOf(from) }),
    ...(to && { to: beginningOf(to, 1) }),
  };
}

/** @param {string} day @param {number} later how many days later @returns {string} the moment, in RFC 3339's terms */
function beginningOf(day, later = 0) {
  const [year, month, date] = day.split('-').map(Number);
  // Not 24 hours later, for which days are too long or too short where clocks are put on or back.
  return new Date(year, month - 1, date + later).toISOString();
}

/**
 * @template {{time: string}} T
 * @param {T[]} known newest first
 * @param {T[]} fresh all of those that there are now `since` a time, newest first
 * @param {string} since
 * @returns {T[]}
 */
export const renewed = (known, fresh, since) => [...fresh, ...known.filter(({ time }) => time < since)];
