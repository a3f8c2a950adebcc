/** Seconds between two tries at most, and at least after the first that failed. */
const LONGEST = 60;
const SHORTEST = 2;

/** What passes by itself: nothing came back, too many at once, or somebody's restart. */
const PASSING = new Set([0, 429, 502, 503, 504]);

/** Whether a picture is worth sending again without a person's doing. @param {{status: number, wantsKey: boolean}} problem */
export const isPassing = ({ status, wantsKey }) => PASSING.has(status) && !wantsKey;

/**
 * Seconds until the next try: what the function asked for, or ever longer; a little more for some, so that not all who
 * were turned away come back at once.
 * @param {number} tries that failed so far
 * @param {number | null} asked in seconds
 * @param {number} random from 0 to 1
 */
export function pause(tries, asked, random) {
  const seconds = asked ?? SHORTEST * 2 ** (tries - 1);
  return Math.min(LONGEST, seconds) * (1 + random / 4);
}
