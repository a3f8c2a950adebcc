"""What MNIST lacks, drawn by our own code: digits of other hands, and what is no digit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from function.prepare import NOT_A_DIGIT, SIDE, prepare

from .mnist import Bytes, Split
from .pieces import enlarged, side_by_side

Random = np.random.Generator
Points = npt.NDArray[np.float64]  # (n, 2): x to the right and y down, in a unit square

TOUCHING = 0.6  # of the pairs in one box

# ── Shapes as they are taught ─────────────────────────────────────────────────────────────────────────────────
# Strokes are divided by "|"; a stroke is points on a grid of 10×10; "~" before it makes it a curve through them.
DIGITS = {
    0: (
        "~ 5,0 1,2 0,6 2,10 6,10 8,6 7,1 5,0",
        "~ 4,0 0,3 1,9 5,10 8,7 7,1 3,0",
        "~ 5,0 0,3 1,9 5,10 8,6 7,1 4,0 | 8,1 1,9",
    ),
    2: (
        "~ 1,2 4,0 7,1 7,4 1,10 | 1,10 8,10",
        "~ 1,2 3,0 7,1 6,5 2,9 0,9 2,8 5,10 9,9",
        "~ 0,3 2,0 6,1 6,4 0,10 4,9 8,10",
    ),
    3: (
        "0,0 7,0 3,4 | ~ 3,4 7,5 7,9 3,10 0,8",
        "~ 0,1 4,0 7,2 3,4 7,6 7,9 3,10 0,9",
        "~ 0,1 5,0 6,3 2,5 6,5 7,9 3,10 0,9",
        "~ 1,1 5,0 6,2 3,4 | ~ 3,4 6,5 6,7 0,10",
        "~ 0,2 4,0 7,1 3,4 6,5 5,8 0,10",
    ),
    4: (
        "2,0 0,6 8,6 | 6,2 6,10",
        "1,0 1,5 7,5 | 7,0 7,10",
        "~ 1,0 0,4 3,6 7,4 | 7,0 7,5 6,10",
        "6,0 0,6 8,6 | 6,0 6,10",
    ),
    5: (
        "7,0 1,0 1,4 | ~ 1,4 5,3 8,6 6,10 0,9",
        "~ 1,0 1,4 5,4 7,7 4,10 0,9 | 1,0 8,0",
        "8,0 1,0 0,5 | ~ 0,5 4,4 7,6 6,9 0,10",
    ),
    6: ("~ 6,0 2,3 0,7 3,10 7,9 7,6 4,5 1,7", "~ 7,0 3,1 1,5 1,9 5,10 7,7 4,5 1,8", "~ 2,0 1,4 0,8 3,10 7,8 5,6 1,8"),
    8: (
        "~ 7,1 3,0 1,3 6,6 7,9 3,10 1,8 6,4 7,1",
        "~ 4,0 1,2 4,5 7,2 4,0 | ~ 4,5 0,8 4,10 8,8 4,5",
        "~ 8,0 3,0 1,3 6,6 6,9 2,10 1,7 8,0",
    ),
    9: (
        "~ 7,2 4,0 0,2 2,5 6,4 7,1 7,7 4,10 1,9",
        "~ 6,1 2,0 0,3 3,5 6,3 6,0 7,6 6,10",
        "~ 7,1 3,0 1,3 4,5 7,2 | ~ 7,1 6,5 3,10",
    ),
}
OTHERS = (
    # Letters; those that are written as a digit is, such as o, l, z, s, b, g and q, are left out.
    "0,10 4,0 8,10 | 2,6 6,6",
    "~ 1,10 3,1 5,0 7,10 | 2,6 7,6",
    "~ 7,1 3,0 0,4 1,9 5,10 8,8",
    "~ 7,2 2,1 0,6 3,10 7,8",
    "7,0 0,0 0,10 7,10 | 0,5 6,5",
    "~ 6,1 2,0 1,4 5,5 0,7 2,10 7,9",
    "7,0 0,0 0,10 | 0,5 5,5",
    "0,0 0,10 | 7,0 7,10 | 0,5 7,5",
    "~ 0,2 2,0 1,10 | ~ 8,0 6,10 8,9 | 0,5 8,4",
    "0,0 0,10 | 7,0 0,6 7,10",
    "~ 1,0 0,10 | ~ 7,0 1,6 4,6 8,10",
    "0,0 0,10 7,10",
    "0,10 0,0 4,6 8,0 8,10",
    "~ 0,10 1,1 4,8 7,1 9,10",
    "0,10 2,0 5,9 8,0 10,10",
    "0,10 0,0 7,10 7,0",
    "~ 0,10 1,1 6,9 7,0",
    "0,10 0,0 | ~ 0,0 6,0 7,3 5,5 0,5",
    "0,10 0,0 | ~ 0,0 6,0 7,3 0,5 | 2,5 8,10",
    "~ 1,10 2,0 7,1 6,4 1,5 8,10",
    "0,0 9,0 | 5,0 5,10",
    "~ 0,1 4,0 9,0 | ~ 5,0 4,10",
    "0,4 8,3 | ~ 5,0 4,8 7,10",
    "~ 0,0 1,8 4,10 7,8 7,0",
    "0,0 0,7 3,10 7,7 7,0",
    "0,0 4,10 8,0",
    "0,0 2,10 5,2 8,10 10,0",
    "~ 0,0 1,9 4,9 5,3 6,9 9,9 10,0",
    "~ 0,0 2,10 5,3 8,10 10,0 9,0",
    "0,0 8,10 | 8,0 0,10",
    "~ 0,1 3,3 5,8 8,9 | 8,0 0,10",
    "~ 7,0 6,10 8,9 | ~ 6,5 2,4 0,8 3,10 6,7",
    "~ 0,5 7,5 6,1 1,1 0,7 4,10 8,8",
    "~ 7,0 4,0 3,10 | 0,5 7,5",
    "0,0 0,10 | ~ 0,6 3,4 6,6 6,10",
    "~ 0,4 1,10 1,5 5,4 5,10 6,5 9,4 10,10",
    "0,4 0,10 | ~ 0,5 2,4 4,5 4,10 | ~ 4,5 7,4 8,6 8,10",
    "~ 0,3 1,10 1,5 5,3 7,5 7,10",
    "~ 0,3 1,10 2,4 7,4",
    "~ 0,2 1,9 5,9 7,2 8,10",
    "0,0 7,0 | 3,0 3,10 | 0,10 7,10",
    "7,0 0,0 0,10",
    "~ 6,0 5,4 0,8 7,9 5,0 5,10 8,9",
    # The same letters, as other people write them
    "~ 0,10 2,4 5,0 6,4 7,10 | 1,6 7,5",
    "0,10 5,0 6,10 | 1,7 8,6",
    "~ 0,10 0,3 4,0 8,3 8,10 | 0,5 8,5",
    "0,10 4,0 7,10 | 0,7 9,5",
    "~ 6,0 2,2 0,7 2,10 6,9",
    "~ 8,2 6,0 2,1 0,6 3,10 8,10",
    "~ 9,1 5,0 1,3 0,7 3,10 7,9",
    "~ 7,0 1,1 0,5 1,9 7,10 | 0,5 6,4",
    "7,1 1,0 0,5 1,10 8,9 | 0,5 6,5",
    "~ 6,1 3,0 1,2 3,4 6,4 | ~ 3,4 0,7 3,10 8,9",
    "~ 7,0 1,0 | 2,0 1,10 | 1,5 6,4",
    "1,0 0,10 | 8,0 7,10 | 0,6 7,4",
    "2,0 0,10 | 8,0 5,10 | 1,5 7,5",
    "0,1 1,10 | 6,0 7,9 | 0,5 7,6",
    "1,2 0,10 | 7,0 8,10 | 0,6 8,6",
    "~ 7,0 7,7 4,10 0,8",
    "2,0 9,0 | ~ 6,0 6,8 3,10 0,8",
    "1,0 0,10 | 8,0 1,6 8,10",
    "0,10 0,1 4,5 7,0 8,10",
    "~ 0,10 0,1 2,0 4,2 4,9 | ~ 4,2 6,0 8,2 8,10",
    "~ 0,10 2,0 4,7 | ~ 4,7 7,0 9,10",
    "1,10 0,0 6,9 8,0",
    "0,10 2,0 6,10 8,0",
    "1,0 1,10 | ~ 0,1 4,0 8,2 5,5 1,5 | ~ 3,5 6,8 9,10",
    "~ 0,1 4,0 8,2 5,5 2,5 5,8 9,10 | 2,0 1,10",
    "3,1 2,10 | ~ 0,3 4,0 7,2 5,5 3,5 | 3,5 8,10",
    "1,0 0,10 | ~ 1,0 6,0 7,3 1,5 | ~ 1,5 4,6 5,10 8,9",
    "~ 1,10 1,1 5,0 7,2 5,4 1,5 | ~ 3,5 7,8 8,10",
    # Greek
    "~ 9,2 5,9 1,9 0,4 3,2 6,5 9,10",
    "0,0 8,10 | 4,5 0,10",
    "~ 0,10 1,2 | ~ 1,2 2,8 6,8 7,2 8,9",
    "0,2 9,1 | 3,2 2,10 | 7,2 7,10",
    "5,0 5,10 | ~ 5,2 0,4 1,8 5,8 9,7 8,3 5,2",
    "~ 0,2 1,7 5,8 9,7 10,2 | 5,0 5,10",
    "~ 1,3 0,8 4,9 5,5 6,9 9,8 9,3",
    "8,1 0,0 4,5 0,10 8,9",
    "0,10 2,10 | ~ 2,10 0,4 4,0 9,4 7,10 | 7,10 9,10",
    "5,0 0,10 10,10 5,0",
    "0,0 8,0 | 2,5 6,5 | 0,10 8,10",
    "0,10 0,0 8,0 8,10",
    # Signs and drawings
    "5,0 5,10 | 0,5 10,5",
    "0,3 10,3 | 0,7 10,7",
    "0,3 10,3 | 0,7 10,7 | 8,0 2,10",
    "0,5 10,5 | 5,1 5,2 | 5,8 5,9",
    "5,0 5,8 | 0,4 10,4 | 0,10 10,10",
    "9,0 0,5 9,10",
    "0,0 9,5 0,10",
    "~ 0,2 3,0 7,2 4,5 4,7 | 4,9 4,10",
    "8,0 1,10 | ~ 1,0 0,2 2,2 1,0 | ~ 7,8 6,10 8,10 7,8",
    "~ 9,10 2,3 3,0 6,2 1,7 2,10 6,10 9,6",
    "3,0 2,10 | 7,0 6,10 | 0,3 10,3 | 0,7 10,7",
    "5,0 5,10 | 0,2 10,8 | 10,2 0,8",
    "4,0 0,0 0,10 4,10",
    "0,0 4,0 4,10 0,10",
    "~ 4,0 2,1 2,4 0,5 2,6 2,9 4,10",
    "0,5 4,0 8,5",
    "~ 0,5 2,2 5,5 8,7 10,4",
    "0,6 2,6 4,10 7,0 10,0",
    "~ 5,5 1,2 0,6 5,5 9,2 10,7 5,5",
    "0,6 3,10 10,0",
    "5,0 2,10 10,3 0,3 8,10 5,0",
    "~ 5,3 2,0 0,3 5,10 10,3 8,0 5,3",
    "0,5 10,5 | 6,1 10,5 6,9",
    "5,10 5,0 | 1,4 5,0 9,4",
    "0,0 10,0 10,10 0,10 0,0 | 0,0 10,10",
    "~ 5,0 0,4 2,10 8,10 10,4 5,0 | 3,4 3,5 | 7,4 7,5 | ~ 3,7 5,8 7,7",
    "~ 5,0 1,2 1,8 5,10 9,8 9,2 5,0 | ~ 5,4 4,5 5,6 6,5 5,4",
    "0,5 10,5",
    "2,0 2,10 | 5,0 5,10 | 8,0 8,10",
    "3,0 2,10 | 7,0 6,10",
    "0,0 5,5 0,10 | 5,0 10,5 5,10",
    "~ 5,5 6,4 4,3 3,6 7,8 9,3 4,0 0,5 3,10 9,9",
)


def strokes_of(shape: str, random: Random) -> list[Points]:
    """The strokes of a shape, no two alike: each point is a little off, and corners are rounded more or less."""
    unsteady = random.uniform(0.02, 0.06)
    rounding = int(random.random() < 0.4)
    strokes = []
    for stroke in shape.split("|"):
        is_curve, places = "~" in stroke, stroke.replace("~", "").split()
        points = np.array([place.split(",") for place in places], float) / 10
        points += random.normal(0, unsteady, points.shape)
        strokes.append(rounded(points, 3 if is_curve else rounding))
    return strokes


def rounded(points: Points, times: int) -> Points:
    """Cut the corners of a line (Chaikin, 1974); its ends stay."""
    for _ in range(times):
        cut = np.stack([0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]], 1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
    return points


def flagged_one(random: Random) -> list[Points]:
    """A 1 with a flag that is steeper than the top of a 7, often with a foot."""
    reach = random.uniform(0.12, 0.5)
    drop = reach * random.uniform(0.6, 1.6)
    foot = 0.5 + random.normal(0, 0.06)
    flag = [
        (0.5 - reach, min(drop, 0.55)),
        (0.5 - reach * random.uniform(0.2, 0.6), drop * random.uniform(0.3, 0.6)),
        (0.5, 0),
    ]
    strokes = [
        rounded(np.array(flag), 2),
        rounded(np.array([(0.5, 0), (0.5 + random.normal(0, 0.04), 0.5), (foot, 1)]), 2),
    ]
    if random.random() < 0.4:
        half, tilt = random.uniform(0.12, 0.4), random.normal(0, 0.03)
        strokes.append(np.array([(foot - half, 1 - tilt), (foot + half, 1 + tilt)]))
    return strokes


def crossed_seven(random: Random) -> list[Points]:
    """A 7 with a bar through its stem, sometimes with a hook at the left."""
    left, right, foot = random.uniform(0.0, 0.2), random.uniform(0.65, 0.9), random.uniform(0.2, 0.6)
    top = np.array([(left, random.normal(0.03, 0.04)), (right, random.normal(0.0, 0.04))])
    stem = rounded(np.array([top[1], (random.uniform(0.45, right), random.uniform(0.3, 0.6)), (foot, 1.0)]), 3)
    x, y = stem[int(len(stem) * random.uniform(0.4, 0.6))]
    half, tilt = random.uniform(0.12, 0.35), random.normal(0, 0.05)
    strokes = [top, stem, np.array([(x - half, y + tilt), (x + half, y - tilt)])]
    if random.random() < 0.3:
        strokes.append(np.array([(left - random.uniform(-0.04, 0.06), random.uniform(0.1, 0.25)), top[0]]))
    return strokes


def unknown_letter(random: Random) -> list[Points]:
    """A few strokes that mean nothing: each sets out in some direction and turns at its own rate."""
    strokes = []
    for _ in range(random.integers(2, 5)):
        steps, turn = int(random.integers(3, 9)), random.normal(0, 0.45)
        headings = random.uniform(0, 2 * np.pi) + np.cumsum(turn + random.normal(0, 0.3, steps))
        path = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1) * random.uniform(0.08, 0.2), axis=0)
        strokes.append(rounded(random.uniform(0.15, 0.85, 2) + path - path.mean(axis=0), 2))
    return strokes


def scribble(random: Random) -> list[Points]:
    """Back and forth, or all over."""
    count = int(random.integers(8, 40))
    points = random.uniform(0, 1, (count, 2))
    if random.random() < 0.5:
        along = np.linspace(0, 1, count)
        points[:, 0] = along
        points[:, 1] = 0.5 + (np.arange(count) % 2 - 0.5) * random.uniform(0.3, 1, count)
    return [rounded(points, int(random.integers(0, 3)))]


def write(strokes: list[Points], random: Random) -> Bytes:
    """Strokes → a (28, 28) glyph, by a slanted hand and a pen of some width."""
    width, nib, slant = random.uniform(80, 160), int(random.integers(6, 24)), random.normal(0, 0.12)
    page = Image.new("L", (400, 320))
    pen = ImageDraw.Draw(page)
    for stroke in strokes:
        points = [(120 + width * x + 140 * slant * (0.5 - y), 90 + 140 * y) for x, y in stroke]
        pen.line(points, fill=255, width=nib, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - nib / 2, y - nib / 2, x + nib / 2, y + nib / 2), fill=255)
    return prepare(np.asarray(page))


# ── Digits ────────────────────────────────────────────────────────────────────────────────────────────────────
def drawn_digits(count: int, seed: int) -> Split:
    """About `count` glyphs: a quarter of 1s with a flag, a quarter of 7s with a bar, the rest of all digits alike."""
    random = np.random.default_rng(seed)
    taught = [(digit, shape) for digit, shapes in DIGITS.items() for shape in shapes]
    glyphs, labels = [], []
    for index in range(count):
        if index % 4 == 0:
            label, strokes = 1, flagged_one(random)
        elif index % 4 == 1:
            label, strokes = 7, crossed_seven(random)
        else:
            label, shape = taught[random.integers(len(taught))]
            strokes = strokes_of(shape, random)
        glyphs.append(write(strokes, random))
        labels.append(label)
    return np.stack(glyphs), np.array(labels, np.uint8)


# ── What is no digit ──────────────────────────────────────────────────────────────────────────────────────────
def letter(_: Split, random: Random) -> Bytes:
    return write(strokes_of(OTHERS[random.integers(len(OTHERS))], random), random)


def strange(_: Split, random: Random) -> Bytes:
    return write(unknown_letter(random), random)


def scribbled(_: Split, random: Random) -> Bytes:
    return write(scribble(random), random)


def blot(_: Split, random: Random) -> Bytes:
    """What is left of a photograph of things: patches of some size and roughness."""
    grain = Image.fromarray(random.integers(0, 256, (80, 80), np.uint8)).filter(
        ImageFilter.GaussianBlur(random.uniform(1, 9))
    )
    values = np.asarray(grain, float)
    over = values - np.quantile(values, random.uniform(0.4, 0.95))
    height, width = random.integers(20, 80, 2)
    return prepare(np.clip(over * random.uniform(5, 60), 0, 255).astype(np.uint8)[:height, :width])


def two_digits(digits: Split, random: Random) -> Bytes:
    """Two digits in one box: side by side, for the most part so that they touch, or one above the other."""
    one, other = digits[0][random.integers(len(digits[0]), size=2)]
    if random.random() < TOUCHING:
        return prepare(side_by_side([enlarged(one, random), enlarged(other, random)], random).max(axis=0))
    apart, level = int(random.integers(13, 22)), int(random.integers(-4, 5))
    page = np.zeros((70, 70), np.uint8)
    page[20:48, 5:33] = one
    left, top = (5 + apart, 20 + level) if random.random() < 0.6 else (5 + level, 20 + apart)
    page[top : top + SIDE, left : left + SIDE] = np.maximum(page[top : top + SIDE, left : left + SIDE], other)
    return prepare(page)


def turned(digits: Split, random: Random) -> Bytes:
    """A digit that lies on its side, or is mirrored, where that makes it no other digit."""
    lying, mirrored = np.isin(digits[1], (2, 3, 4, 5, 7)), np.isin(digits[1], (3, 4, 6, 7, 9))
    if random.random() < 0.5:
        return np.rot90(digits[0][random.choice(np.flatnonzero(lying))], int(random.choice((1, 3))))
    return np.fliplr(digits[0][random.choice(np.flatnonzero(mirrored))])


KINDS: dict[Callable[[Split, Random], Bytes], float] = {  # and their shares
    letter: 0.45,
    strange: 0.15,
    scribbled: 0.05,
    blot: 0.1,
    two_digits: 0.15,
    turned: 0.1,
}


def no_digits(count: int, digits: Split, seed: int) -> Split:
    """`count` glyphs of what is no digit, some made from `digits`, labelled `NOT_A_DIGIT`."""
    random = np.random.default_rng(seed)
    kinds = random.choice(np.array(list(KINDS), object), size=count, p=list(KINDS.values()))
    return np.stack([kind(digits, random) for kind in kinds]), np.full(count, NOT_A_DIGIT, np.uint8)
