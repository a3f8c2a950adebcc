"""Mark → glyph: the one preparation that serves, trains and calibrates.

LeCun et al. (1998): the ink's box is scaled to fit 20×20, keeping its proportions, and laid into 28×28 with its centre
of mass in the middle. MNIST's own pictures come out as they went in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from .ranks import bounds, highest, padded, quantile

Ink = npt.NDArray[np.uint8]
Glyph = npt.NDArray[np.uint8]

NOT_A_DIGIT = 10  # a glyph shows a digit, 0 to 9, or this
SIDE = 28
BOX = 20
FINE = 5 * BOX  # strokes are measured and thickened at this size
NIB = 2.2  # pixels of the glyph: MNIST's strokes are seldom thinner


def prepare(ink: Ink) -> Glyph:
    """One mark's ink, (h, w) uint8 with 0 for paper, of any size → its (28, 28) uint8 glyph."""
    mark = crop(ink)
    if max(mark.shape) > FINE:
        mark = fit(mark, FINE)
    if not mark.any():  # nor is there any where a few faint specks on much paper are lost in scaling
        return np.zeros((SIDE, SIDE), np.uint8)
    if not 0.8 * BOX <= max(mark.shape) <= BOX:  # scaling only blurs what has the right size already
        mark = crop(darken(fit(thicken(mark), BOX)))
    return place(mark)


def crop(ink: Ink) -> Ink:
    """The ink's bounding box; empty if there is no ink."""
    return ink[bounds(ink)] if ink.any() else ink[:0, :0]


def fit(mark: Ink, side: int) -> Ink:
    """Scale so that the longer side is `side`."""
    height, width = mark.shape
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(mark).resize(size, Image.Resampling.HAMMING))


def stroke_width(mark: Ink) -> float:
    """Pixels: twice the area by the length of the outline."""
    core = mark > quantile(mark[mark > 0], 0.9) / 2
    inner = core[1:-1, 1:-1] & core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
    area = np.count_nonzero(core)
    return 2 * area / (area - np.count_nonzero(inner))


def thicken(mark: Ink) -> Ink:
    """Strokes that would be thinner than `NIB` in the glyph, as a `NIB` would have drawn them."""
    wanted = NIB * max(mark.shape) / BOX
    grow = round((wanted - stroke_width(mark)) / 2)
    if grow < 1:
        return mark
    return highest(padded(mark, grow), grow)


def darken(glyph: Ink) -> Glyph:
    """Full ink is 255."""
    full = quantile(glyph[glyph > 0], 0.8)
    return np.asarray(np.minimum(glyph * (255 / full), 255), np.uint8)


def place(mark: Ink) -> Glyph:
    """Lay a mark of at most 20×20 into 28×28, its centre of mass at the centre, wholly inside."""
    height, width = mark.shape
    total = mark.sum()
    y, x = mark.sum(axis=1) @ np.arange(height) / total, mark.sum(axis=0) @ np.arange(width) / total
    top = min(max(round(SIDE / 2 - y), 0), SIDE - height)
    left = min(max(round(SIDE / 2 - x), 0), SIDE - width)
    glyph = np.zeros((SIDE, SIDE), np.uint8)
    glyph[top : top + height, left : left + width] = mark
    return glyph
