// When a picture is sent again, and when it is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isPassing, pause } from '../../frontend/retries.js';

test('what passes by itself is sent again, and what a person must mend is not', () => {
  const passes = (status, wantsKey = false) => isPassing({ status, wantsKey });
  for (const status of [0, 429, 502, 503, 504]) assert.ok(passes(status), String(status));
  for (const status of [400, 401, 404, 411, 413, 415, 422, 500]) assert.ok(!passes(status), String(status));
  assert.ok(!passes(503, true));
});

test('each pause is twice as long as the one before, up to a minute', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 100].map((tries) => pause(tries, null, 0)), [2, 4, 8, 16, 32, 60, 60, 60]);
});

test('what the function asks for counts, within reason', () => {
  assert.equal(pause(1, 7, 0), 7);
  assert.equal(pause(5, 1, 0), 1);
  assert.equal(pause(1, 86_400, 0), 60);
});

test('nobody comes back too early, and not all at once', () => {
  const pauses = Array.from({ length: 100 }, (_, i) => pause(1, 4, i / 100));
  assert.ok(pauses.every((seconds) => seconds >= 4 && seconds <= 5));
  assert.equal(new Set(pauses).size, 100);
});
