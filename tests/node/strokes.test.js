// What is drawn, undone and kept: run by `node --test tests/node`.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import * as strokes from '../../frontend/strokes.js';

const PAPER = [300, 200];

const line = (history, first, ...others) => strokes.end(strokes.extend(strokes.begin(history, first, PAPER), others));
const seen = (history) => strokes.strokesOf(history);
const places = (history) => seen(history).map(({ points }) => points.map(([x, y]) => [x, y]));

/** The same numbers at each run. @param {number} seed @returns {() => number} from 0 to 1 */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const anywhere = (next) => [(next() - 0.5) * 400, (next() - 0.5) * 300, 1 + 20 * next()];

const changes = {
  begin: (history, next) => strokes.begin(history, anywhere(next), PAPER),
  extend: (history, next) => strokes.extend(history, [anywhere(next), anywhere(next)]),
  end: strokes.end,
  drop: strokes.drop,
  undo: strokes.undo,
  redo: strokes.redo,
  clear: strokes.clear,
};

/** Calls `check` with many histories, each of up to sixty changes of any kind. */
function always(check) {
  for (let seed = 1; seed <= 200; seed += 1) {
    const next = random(seed);
    let history = strokes.blank;
    for (let count = 0; count < 60; count += 1) {
      check(history, next, `seed ${seed}, after ${count} changes`);
      const names = Object.keys(changes);
      history = changes[names[Math.floor(next() * names.length)]](history, next);
    }
  }
}

/** No test may find that a history was changed in place. */
function frozen(value) {
  if (value && typeof value === 'object') Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

describe('history', () => {
  test('a stroke is made of the points that it went through', () => {
    const history = line(strokes.blank, [0, 0, 9], [10, 5, 9], [20, 10, 9]);
    assert.deepEqual(seen(history), [{ paper: PAPER, points: [[0, 0, 9], [10, 5, 9], [20, 10, 9]] }]);
  });

  test('a stroke is seen while it is being drawn', () => {
    const history = strokes.extend(strokes.begin(strokes.blank, [0, 0, 9], PAPER), [[10, 0, 9]]);
    assert.deepEqual(places(history), [[[0, 0], [10, 0]]]);
    assert.deepEqual(seen(strokes.end(history)), seen(history));
  });

  test('without a stroke there is nothing to extend or to end', () => {
    assert.equal(strokes.extend(strokes.blank, [[1, 1, 9]]), strokes.blank);
    assert.equal(strokes.end(strokes.blank), strokes.blank);
  });

  test('a stroke that is dropped has never been', () => {
    const before = line(strokes.blank, [0, 0, 9]);
    const dropped = strokes.drop(strokes.extend(strokes.begin(before, [5, 5, 9], PAPER), [[50, 50, 9]]));
    assert.deepEqual(dropped, before);
  });

  test('whoever begins another stroke has ended the one before', () => {
    const history = strokes.begin(strokes.begin(strokes.blank, [0, 0, 9], PAPER), [30, 0, 9], PAPER);
    assert.deepEqual(places(history), [[[0, 0]], [[30, 0]]]);
    assert.deepEqual(places(strokes.drop(history)), [[[0, 0]]]);
  });

  test('clearing leaves nothing, and can be undone', () => {
    const drawn = line(line(strokes.blank, [0, 0, 9]), [30, 0, 9]);
    const cleared = strokes.clear(drawn);
    assert.deepEqual(seen(cleared), []);
    assert.deepEqual(seen(strokes.undo(cleared)), seen(drawn));
    assert.deepEqual(places(line(cleared, [7, 7, 9])), [[[7, 7]]]);
  });

  test('clearing what is empty is no step', () => {
    assert.equal(strokes.clear(strokes.blank), strokes.blank);
    const cleared = strokes.clear(line(strokes.blank, [0, 0, 9]));
    assert.equal(strokes.clear(cleared), cleared);
  });

  test('a stroke being drawn is undone whole, and comes back whole', () => {
    const drawing = strokes.extend(strokes.begin(line(strokes.blank, [0, 0, 9]), [5, 5, 9], PAPER), [[50, 50, 9]]);
    const undone = strokes.undo(drawing);
    assert.deepEqual(places(undone), [[[0, 0]]]);
    assert.deepEqual(seen(strokes.redo(undone)), seen(drawing));
  });

  test('a new stroke leaves nothing to redo', () => {
    const history = line(strokes.undo(line(strokes.blank, [0, 0, 9])), [9, 9, 9]);
    assert.equal(strokes.canRedo(history), false);
    assert.equal(strokes.redo(history), history);
    assert.deepEqual(places(history), [[[9, 9]]]);
  });

  test('undoing after any change shows what was shown before it', () => {
    always((history, next, when) => {
      const settled = strokes.end(history);
      for (const change of [(one) => line(one, anywhere(next), anywhere(next)), strokes.clear, strokes.redo]) {
        const changed = change(settled);
        if (changed !== settled) assert.deepEqual(seen(strokes.undo(changed)), seen(settled), when);
      }
    });
  });

  test('redoing undoes undoing, any number of times', () => {
    always((history, next, when) => {
      const settled = strokes.end(history);
      const times = Math.floor(next() * 5);
      let other = settled;
      let undone = 0;
      for (; undone < times && strokes.canUndo(other); undone += 1) other = strokes.undo(other);
      for (; undone > 0; undone -= 1) {
        assert.equal(strokes.canRedo(other), true, when);
        other = strokes.redo(other);
      }
      assert.deepEqual(other, settled, when);
    });
  });

  test('everything can be undone, to nothing', () => {
    always((history, _, when) => {
      let left = history;
      while (strokes.canUndo(left)) left = strokes.undo(left);
      assert.deepEqual(seen(left), [], when);
      assert.equal(strokes.undo(left), left, when);
    });
  });

  test('nothing is ever changed in place', () => {
    always((history, next) => {
      frozen(history);
      for (const change of Object.values(changes)) change(history, next);
    });
  });
});

describe('points', () => {
  test('what lies outside is drawn at the edge, with all of its ink on the paper', () => {
    const points = [[-1e9, 0, 10], [1e9, -1e9, 10], [Infinity, Infinity, 10]];
    assert.deepEqual(places(line(strokes.blank, ...points)), [[[-145, 0], [145, -95], [145, 95]]]);
  });

  test('what is no place is left out', () => {
    const history = line(strokes.blank, [0, 0, 9], [NaN, 5, 9], [5, NaN, 9], [5, 5, NaN], [9, 9, 9]);
    assert.deepEqual(places(history), [[[0, 0], [9, 9]]]);
    assert.equal(strokes.begin(strokes.blank, [NaN, 0, 9], PAPER).current, null);
  });

  test('points that lie closer than half a pixel are one', () => {
    const crowd = Array.from({ length: 101 }, (_, i) => [i / 10, 0, 9]);
    const [{ points }] = seen(line(strokes.blank, ...crowd));
    assert.equal(points.length, 21);
    assert.deepEqual(points.at(-1), [10, 0, 9]);
  });

  test('no ink lies beyond the paper, whatever is drawn', () => {
    always((history, _, when) => {
      const ink = strokes.bounds(seen(history));
      if (!ink) return;
      assert.ok(ink.left >= -150 && ink.right <= 150 && ink.top >= -100 && ink.bottom <= 100, when);
    });
  });

  test('a pen that is wider than the paper fits on it', () => {
    const [{ points: [[x, y, width]] }] = seen(line(strokes.blank, [500, 500, 900]));
    assert.deepEqual([x, y, width], [50, 0, 200]);
  });
});

describe('widths', () => {
  test('a mouse and a finger draw as wide however they are pressed', () => {
    for (const pointerType of ['mouse', 'touch']) {
      const widths = [0, 0.5, 1].map((pressure) => strokes.widthOf('medium', { pointerType, pressure }));
      assert.deepEqual(widths, Array(3).fill(strokes.WIDTHS.medium));
    }
  });

  test('a pen draws a little wider where it is pressed, and as wide as others at half its pressure', () => {
    for (const [pen, width] of Object.entries(strokes.WIDTHS)) {
      const widthAt = (pressure) => strokes.widthOf(pen, { pointerType: 'pen', pressure });
      const [light, half, heavy] = [0, 0.5, 1].map(widthAt);
      assert.equal(half, width);
      assert.ok(light < half && half < heavy && heavy < 2 * light, `${pen}: ${light}, ${half}, ${heavy}`);
    }
  });
});

describe('curves', () => {
  const many = (count) => {
    const next = random(count);
    return Array.from({ length: count }, () => anywhere(next));
  };

  test('a line begins at its first point, ends at its last, and has no gap', () => {
    for (let count = 1; count < 50; count += 1) {
      const points = many(count);
      const drawn = strokes.curves(points);
      assert.deepEqual(drawn[0].from, points[0].slice(0, 2));
      assert.deepEqual(drawn.at(-1).to, points.at(-1).slice(0, 2));
      drawn.slice(1).forEach(({ from }, i) => assert.deepEqual(from, drawn[i].to));
    }
  });

  test('a line has no corner where two curves meet', () => {
    const drawn = strokes.curves(many(30));
    drawn.slice(1).forEach(({ from, control }, i) => {
      const before = drawn[i];
      const into = [from[0] - before.control[0], from[1] - before.control[1]];
      const out = [control[0] - from[0], control[1] - from[1]];
      const sine = (into[0] * out[1] - into[1] * out[0]) / (Math.hypot(...into) * Math.hypot(...out));
      assert.ok(Math.abs(sine) < 1e-9 && into[0] * out[0] + into[1] * out[1] > 0);
    });
  });

  test('points in a row make a straight line', () => {
    for (const { from, control, to } of strokes.curves([[0, 0, 9], [10, 20, 9], [15, 30, 9], [40, 80, 9]])) {
      for (const [x, y] of [from, control, to]) assert.equal(y, 2 * x);
    }
  });

  test('two points are a straight line, one is a dot', () => {
    const straight = { from: [0, 0], control: [0, 0], to: [10, 20], width: 9 };
    assert.deepEqual(strokes.curves([[0, 0, 9], [10, 20, 9]]), [straight]);
    assert.deepEqual(strokes.curves([[3, 4, 9]]), [{ from: [3, 4], control: [3, 4], to: [3, 4], width: 9 }]);
  });

  test('each curve is as wide as its point', () => {
    const drawn = strokes.curves([[0, 0, 5], [10, 0, 6], [20, 0, 7], [30, 0, 8]]);
    assert.deepEqual(drawn.map(({ width }) => width), [6, 7]);
  });
});

describe('frame', () => {
  test('the bounds hold all ink', () => {
    const history = line(line(strokes.blank, [0, 0, 10], [20, -30, 10]), [-40, 50, 4]);
    assert.deepEqual(strokes.bounds(seen(history)), { left: -42, top: -35, right: 25, bottom: 52 });
    assert.equal(strokes.bounds([]), null);
  });

  test('before anything is drawn, all paper is to be seen', () => {
    assert.deepEqual(strokes.frame([], [640, 480]), [640, 480]);
  });

  test('a drawing keeps the frame that it was begun in, on any paper', () => {
    const drawn = seen(line(strokes.blank, [0, 0, 9], [50, 50, 9]));
    for (const paper of [[300, 200], [1000, 100], [100, 1000], [10, 10]]) {
      assert.deepEqual(strokes.frame(drawn, paper), PAPER);
      const scale = strokes.fit(PAPER, paper);
      assert.ok(PAPER[0] * scale <= paper[0] + 1e-9 && PAPER[1] * scale <= paper[1] + 1e-9);
    }
  });

  test('drawing on wider paper never changes how large the drawing is shown', () => {
    // 300 × 200 on 900 × 200: a third of the paper shows what it was begun on.
    const wide = [900, 200];
    const first = line(strokes.blank, [0, 0, 9]);
    const before = strokes.fit(strokes.frame(seen(first), wide), wide);
    const next = random(7);
    let history = first;
    for (let count = 0; count < 100; count += 1) {
      history = strokes.begin(history, [(next() - 0.5) * 2000, (next() - 0.5) * 500, 9], wide);
      assert.ok(Math.abs(strokes.fit(strokes.frame(seen(history), wide), wide) - before) < 1e-9);
    }
    const [across, down] = strokes.frame(seen(history), wide);
    assert.ok(across > 300 && across <= 900 && down === 200);
  });

  test('all ink is within the frame, whatever is drawn', () => {
    always((history, _, when) => {
      const ink = strokes.bounds(seen(history));
      const [width, height] = strokes.frame(seen(history), PAPER);
      if (!ink) return;
      assert.ok(Math.max(-ink.left, ink.right) <= width / 2 && Math.max(-ink.top, ink.bottom) <= height / 2, when);
    });
  });
});

describe('keeping', () => {
  test('whatever was drawn and undone comes back as it was', () => {
    always((history, _, when) => {
      assert.deepEqual(strokes.parsed(strokes.serialised(history)), strokes.end(history), when);
    });
  });

  const stroke = { paper: [10, 10], points: [[0, 0, 9]] };
  const broken = [
    null, '', 'null', '7', '[]', '{}', '{', '{"steps": 3, "done": 0}',
    '{"steps": [], "done": 1}', '{"steps": [], "done": -1}',
    '{"steps": [], "done": 0.5}', '{"steps": [7], "done": 1}', '{"steps": [{}], "done": 1}',
    ...[
      { ...stroke, points: [] },
      { ...stroke, points: [[0, 0]] },
      { ...stroke, points: [[0, 'x', 9]] },
      { ...stroke, points: [[0, null, 9]] },
      { ...stroke, points: [[0, 0, 0]] },
      { ...stroke, points: 'all' },
      { ...stroke, paper: [0, 10] },
      { ...stroke, paper: [10] },
      { points: stroke.points },
    ].map((step) => JSON.stringify({ steps: [step], done: 1 })),
  ];

  for (const json of broken) {
    test(`what is no drawing is a blank one: ${json}`, () => assert.equal(strokes.parsed(json), strokes.blank));
  }

  test('a drawing that is whole is none of them', () => {
    assert.deepEqual(seen(strokes.parsed(JSON.stringify({ steps: [stroke], done: 1 }))), [stroke]);
  });
});
