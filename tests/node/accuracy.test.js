// The numbers of the chart, and what a list of records is asked for: run by `node --test tests/node`.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { floorOf, stretches, summary } from '../../frontend/accuracy.js';
import { renewed, toQuery } from '../../frontend/listing.js';

const MINUTE = 60_000;
const START = Date.parse('2026-11-25T09:00:00Z');

/** One a minute, each with what `alter` says of it. */
const records = (count, alter = () => ({})) => Array.from({ length: count }, (_, index) => ({
  time: new Date(START + index * MINUTE).toISOString(), result: '7', confidence: 0.9, correction: null, ...alter(index),
}));

/** What the clock is elsewhere. */
function inZone(zone, act) {
  const before = process.env.TZ;
  process.env.TZ = zone;
  try {
    return act();
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
}

describe('accuracy', () => {
  test('what nobody has corrected counts as right', () => {
    const { right, corrected, confirmed } = summary(records(4));
    assert.deepEqual([right, corrected, confirmed], [1, 0, 0]);
  });

  test('what was corrected to something else is wrong', () => {
    const { right, corrected, confirmed } = summary(records(4, (index) => (index ? {} : { correction: '1' })));
    assert.deepEqual([right, corrected, confirmed], [0.75, 1, 0]);
  });

  test('what was corrected to what it was is confirmed', () => {
    const { right, corrected, confirmed } = summary(records(4, (index) => (index ? {} : { correction: '7' })));
    assert.deepEqual([right, corrected, confirmed], [1, 0, 1]);
  });

  test('where no digit was found, and there was one, it is wrong', () => {
    assert.equal(summary(records(2, () => ({ result: '', correction: '4' }))).right, 0);
  });

  test('where a digit was found, and there was none, it is wrong', () => {
    assert.equal(summary(records(2, () => ({ correction: '' }))).right, 0);
  });
});

describe('confidence', () => {
  test('it is the mean', () => {
    assert.equal(summary(records(2, (index) => ({ confidence: [0.5, 1][index] }))).confidence, 0.75);
  });

  test('records without a digit have none', () => {
    assert.equal(summary(records(3, (index) => (index ? {} : { result: '', confidence: 0 }))).confidence, 0.9);
    assert.equal(summary(records(3, () => ({ result: '', confidence: 0 }))).confidence, null);
  });
});

describe('stretches', () => {
  for (const count of [0, 1, 2, 3, 9]) {
    test(`${count} records make no line`, () => assert.deepEqual(stretches(records(count)), []));
  }

  for (const count of [10, 11, 24, 25, 99, 100, 101, 399, 400, 499, 500, 1000]) {
    test(`${count} records are in one point each, of 5 at least, in the order of time`, () => {
      const points = stretches(records(count));
      const counts = points.map((point) => point.count);
      assert.ok(points.length >= 2 && points.length <= 20, `${points.length} points`);
      assert.equal(counts.reduce((sum, one) => sum + one), count);
      assert.ok(Math.min(...counts) >= 5);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
      const times = points.flatMap(({ from, to }) => [from, to]);
      assert.deepEqual(times, [...times].sort());
      assert.equal(new Set(times).size, times.length);
    });
  }

  test('each tells of its own records alone', () => {
    const points = stretches(records(100, (index) => (index < 10 ? { correction: '1', confidence: 0.2 } : {})));
    assert.deepEqual(points.map(({ right }) => right), [0, ...Array(9).fill(1)]);
    assert.ok(Math.abs(points[0].confidence - 0.2) < 1e-9 && Math.abs(points[1].confidence - 0.9) < 1e-9);
  });
});

describe('the axis', () => {
  for (const [confidence, right, floor] of [
    [0.99, 1, 0.9], [0.9, 1, 0.9], [0.89, 1, 0.8], [0.95, 0.8, 0.8], [0.95, 0.79, 0.5], [0.49, 1, 0], [0, 0, 0], [null, 1, 0.9],
  ]) {
    test(`begins at ${floor} where the lowest values are ${confidence} and ${right}`, () => {
      assert.equal(floorOf([{ confidence: 0.97, right: 1 }, { confidence, right }]), floor);
    });
  }
});

describe('what is asked for', () => {
  test('nothing where nothing is filled in', () => {
    assert.deepEqual(toQuery({ result: '', from: '', to: '' }), {});
    assert.deepEqual(toQuery({ result: ' ', from: '', to: '' }), {});
  });

  test('a result without the spaces around it', () => {
    assert.deepEqual(toQuery({ result: ' 4 2 ', from: '', to: '' }), { result: '4 2' });
  });

  for (const [zone, day, from, to] of [
    ['UTC', '2026-11-25', '2026-11-25T00:00:00.000Z', '2026-11-26T00:00:00.000Z'],
    ['Asia/Kathmandu', '2026-11-25', '2026-11-24T18:15:00.000Z', '2026-11-25T18:15:00.000Z'],
    ['Pacific/Kiritimati', '2026-12-31', '2026-12-30T10:00:00.000Z', '2026-12-31T10:00:00.000Z'],
    // Clocks are put on, and back: these days have 23 hours and 25.
    ['Europe/Berlin', '2026-03-29', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
    // Clocks are put on at midnight, of which there is none.
    ['Africa/Cairo', '2026-04-24', '2026-04-23T22:00:00.000Z', '2026-04-24T21:00:00.000Z'],
  ]) {
    test(`${day} in ${zone} from its first moment to the next day's`, () => {
      const query = inZone(zone, () => toQuery({ result: '', from: day, to: day }));
      assert.deepEqual(query, { from, to });
    });
  }
});

describe('renewed', () => {
  const known = records(6).reverse();
  const since = known[2].time;

  test('what has come since stands before what was known', () => {
    const [newest] = records(7).reverse();
    assert.deepEqual(renewed(known, [newest, ...known.slice(0, 3)], since), [newest, ...known]);
  });

  test('what is another now is as it is now', () => {
    const corrected = { ...known[1], correction: '1' };
    const fresh = [known[0], corrected, known[2]];
    assert.deepEqual(renewed(known, fresh, since), [known[0], corrected, ...known.slice(2)]);
  });

  test('what is not among them any more is gone', () => {
    assert.deepEqual(renewed(known, [known[0], known[2]], since), [known[0], ...known.slice(2)]);
  });
});
