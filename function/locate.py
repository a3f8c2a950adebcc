"""Ink → marks: what belongs together, and which of it was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .ink import Ink
from .ranks import grown
from .runs import Ints, Mask, label, unite

EXPECTATIONS = ("auto", "digit", "number")
Floats = npt.NDArray[np.float64]
Box = tuple[int, int, int, int]

LEVEL = 77  # of 255: ink that is surely ink; what is fainter belongs to a mark only beside it
EDGE = 2  # pixels beside sure ink
GLYPH_SIZED = 32  # pixels a side: so small a picture is one digit, as MNIST's are, however broken its strokes
OFF_CENTRE = 0.5  # of the picture: so far from its centre, what is there was meant e² times less likely
AT_BORDER = 0.3  # times for each side of the picture that is touched: fingers, bindings and tables reach in there
CORNER = 2  # sides of the picture: what touches more is a frame
NEAR = 0.3  # of a digit's longer side: pieces so near may belong to it
SPECK = 0.01  # of the main piece: less is dirt
TALL = 0.25  # of the main piece's height: what is as tall as that is a digit of its own …
HEAVY = 0.02  # … if it has so much of the main piece's ink …
STACKED = 0.3  # … and overlaps no other by so much of the narrower one's width …
LEVEL_WITH = 0.5  # … except on a level, overlapping by so much of the shorter's height …
LANKY = 2.4  # times as high as wide: no digit of two tall pieces is, one above the other …
SLIM = 0.35  # … if both are wider than so much of their height, or one of several: else they are a broken 1
AS_HIGH = 0.7  # likewise: if they have so much of their height in common with that of a digit beside them
WITHIN = 0.95  # … unless one lies within the other by so much of its width
ALIKE, MOST = 1.4, 0.8  # times: if the heights of most tall pieces differ by less from their median, and …
A_PAGE = 6  # … there are so many, they are digits of lines: one above another are two, whatever their shape
BROKEN = 0.15  # of the main piece's height: low pieces so near each other, and tall together, are a faint digit
FRAMED = 0.25  # of its ink: what has so much within its box is a frame
MOST_PIECES = 400  # the heaviest; a picture with more is no page of digits, and all pairs of pieces are looked at


@dataclass(frozen=True)
class Mark:
    """What may be one digit: its `ink`, (h, w) uint8, and where that lies: (left, top, right, bottom) in pixels; a 1 in
    two pieces `is_torn`."""

    ink: Ink
    box: Box
    is_torn: bool = False

    @property
    def whole(self) -> Ink:
        """Its ink in one piece, as the model is to see it."""
        return mended(self.ink) if self.is_torn else self.ink

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def middle(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Pieces:
    """Connected pieces of ink: `labels` (h, w) from 1; `boxes` (n, 4) as left, top, right, bottom; `weights` (n,) total
    ink; `borders` (n,) how many sides of the picture each touches; `main` the one that was meant most likely."""

    labels: Ints
    boxes: Ints
    weights: Floats
    borders: Ints
    main: int

    @property
    def sizes(self) -> Ints:
        """(n, 2): widths and heights."""
        return self.boxes[:, 2:] - self.boxes[:, :2]


def locate(ink: Ink, expect: str = "auto") -> list[Mark]:
    """Marks in any order, from (h, w) `ink`: a single one for `digit`."""
    is_glyph = max(ink.shape) <= GLYPH_SIZED
    if is_glyph and expect != "number" and (mark := lone_mark(ink)):
        return [mark]
    pieces = find_pieces(ink)
    if pieces is None:
        return []
    if not holds_one(ink, expect):
        return [cut(ink, pieces, group, is_torn=is_torn) for group, is_torn in digit_groups(pieces)]
    return [cut(ink, pieces, with_main(pieces, pieces.borders <= CORNER) if is_glyph else with_companions(pieces))]


def holds_one(ink: Ink, expect: str) -> bool:
    """Whether the picture is of one digit, because that is said, or because it is so small."""
    return expect == "digit" or (expect == "auto" and max(ink.shape) <= GLYPH_SIZED)


def lone_mark(ink: Ink) -> Mark | None:
    """All ink of a picture, if it plainly lies in one place, as in most that are so small: to look for its pieces would
    take longer than all the rest."""
    sure = ink > LEVEL
    rows, columns = np.flatnonzero(sure.any(axis=1)), np.flatnonzero(sure.any(axis=0))
    if not len(rows) or rows[-1] - rows[0] >= len(rows) or columns[-1] - columns[0] >= len(columns):
        return None
    box, window = with_edge((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), ink.shape)
    if (box[0] == 0) + (box[1] == 0) + (box[2] == ink.shape[1]) + (box[3] == ink.shape[0]) > CORNER:
        return None
    return Mark(grown(sure[window], EDGE) * ink[window], box)


def find_pieces(ink: Ink) -> Pieces | None:
    labels, boxes = label(ink > LEVEL)
    if not len(boxes):
        return None
    inked = np.flatnonzero(labels)
    weights = np.bincount(labels.ravel()[inked] - 1, ink.ravel()[inked], len(boxes)).astype(np.float64)
    if len(boxes) > MOST_PIECES:
        labels, boxes, weights = heaviest(labels, boxes, weights)
    size = np.array(ink.shape[::-1])
    left_top, right_bottom = boxes[:, :2], boxes[:, 2:]
    off_centre = (((left_top + right_bottom) / 2 / size - 0.5) ** 2).sum(axis=1)
    borders = np.concatenate([left_top == 0, right_bottom == size], axis=1).sum(axis=1)
    standing = weights * np.exp(-2 * off_centre / OFF_CENTRE**2) * AT_BORDER**borders
    return Pieces(labels, boxes, weights, borders, int(standing.argmax()))


def heaviest(labels: Ints, boxes: Ints, weights: Floats) -> tuple[Ints, Ints, Floats]:
    """The same with at most `MOST_PIECES` pieces, labelled anew."""
    kept = np.sort(np.argsort(weights)[-MOST_PIECES:])
    new_label = np.zeros(len(weights) + 1, np.intp)
    new_label[kept + 1] = np.arange(1, len(kept) + 1)
    return new_label[labels], boxes[kept], weights[kept]


def with_main(pieces: Pieces, others: Mask) -> Mask:
    """(n,): the main piece, and those of the others that are no dirt."""
    chosen = others & (pieces.weights >= SPECK * pieces.weights[pieces.main])
    chosen[pieces.main] = True
    return np.asarray(chosen)


def with_companions(pieces: Pieces) -> Mask:
    """(n,): the main piece and what lies near it, such as the bar of a 5."""
    main = pieces.boxes[pieces.main]
    near = gaps(pieces.boxes, main).max(axis=1) <= NEAR * pieces.sizes[pieces.main].max()
    return with_main(pieces, near & (pieces.borders <= 1))


def gaps(boxes: Ints, other: Ints) -> Ints:
    """(…, 2): how far `boxes` (…, 4) and `other` lie apart, across and down; negative where they overlap."""
    return np.asarray(np.maximum(boxes[..., :2] - other[..., 2:], other[..., :2] - boxes[..., 2:]))


def digit_groups(pieces: Pieces) -> list[tuple[Mask, bool]]:
    """(n,) masks, one a digit: each tall piece with what is stacked on it, and what is tall only together. With each,
    whether it is a 1 in two pieces."""
    framing = frames(pieces)
    inside = (pieces.borders == 0) & ~framing
    if framing[pieces.main] and inside.any():
        pieces = replace(pieces, main=int(np.where(inside, pieces.weights, 0).argmax()))
    main, weights, heights = pieces.main, pieces.weights, pieces.sizes[:, 1]
    tall = inside & is_tall(pieces, heights, weights)
    tall[main] = True
    real = with_main(pieces, inside)
    across, down = np.moveaxis(gaps(pieces.boxes[:, np.newaxis], pieces.boxes), -1, 0)
    narrower = np.minimum.outer(pieces.sizes[:, 0], pieces.sizes[:, 0])
    shorter = np.minimum.outer(heights, heights)
    # Slanted digits overlap as well: two tall ones on a level are two, unless one lies in the other.
    beside = np.logical_and.outer(tall, tall) & (-down > LEVEL_WITH * shorter) & (-across < WITHIN * narrower)
    stacked = (-across >= STACKED * narrower) & (down <= NEAR * heights[main]) & ~beside
    stacked &= np.logical_and.outer(real, real)
    of_two = of_two_lines(pieces, tall)
    torn = within_line(pieces, tall, stacked & of_two)
    stacked &= ~of_two | torn
    root = unite(len(weights), *np.nonzero(stacked))
    tall_ones = np.bincount(root[tall], minlength=len(root))  # of each stack, by its root
    stacks = [(stack := real & (root == first), bool(torn[stack].any())) for first in np.flatnonzero(tall_ones)]
    left_over = real & (tall_ones[root] == 0)
    near = np.maximum(across, down) <= BROKEN * heights[main]
    return stacks + broken_digits(pieces, near & np.logical_and.outer(left_over, left_over))


def broken_digits(pieces: Pieces, near: Mask) -> list[tuple[Mask, bool]]:
    """(n,) masks, one a digit: low pieces `near` (n, n) each other that are as tall together, as a faint pen leaves."""
    root = unite(len(pieces.weights), *np.nonzero(near))
    groups = [root == first for first in np.flatnonzero(np.bincount(root) > 1)]
    return [
        (group, False)
        for group in groups
        if is_tall(pieces, np.ptp(pieces.boxes[group, 1::2]), pieces.weights[group].sum())
    ]


def is_tall(pieces: Pieces, heights: Ints | np.intp, weights: Floats | np.float64) -> Mask:
    """Whether what has this height and weight, or each of such, may be a digit of its own beside the main piece."""
    main = pieces.main
    return np.asarray((heights >= TALL * pieces.sizes[main, 1]) & (weights >= HEAVY * pieces.weights[main]))


def of_two_lines(pieces: Pieces, tall: Mask) -> Mask:
    """(n, n): which of the tall pieces stand one above the other as digits of two lines do."""
    left_top, right_bottom = pieces.boxes[:, np.newaxis, :2], pieces.boxes[:, np.newaxis, 2:]
    both = np.maximum(right_bottom, pieces.boxes[:, 2:]) - np.minimum(left_top, pieces.boxes[:, :2])
    widths, heights = pieces.sizes.T
    is_wide = widths > SLIM * heights
    wide = np.logical_or if tall.sum() > 2 else np.logical_and
    lanky = (both[..., 1] > LANKY * both[..., 0]) & wide.outer(is_wide, is_wide)
    usual = np.median(heights[tall])
    alike = tall & (heights > usual / ALIKE) & (heights < usual * ALIKE)
    of_lines = np.logical_and.outer(alike, alike) & (alike.sum() >= max(A_PAGE, MOST * tall.sum()))
    return np.asarray(np.logical_and.outer(tall, tall) & (lanky | of_lines))


def within_line(pieces: Pieces, tall: Mask, pairs: Mask) -> Mask:
    """(n, n): those of the `pairs`, one above the other, that are as high together as a digit beside them, and level
    with it."""
    one, other = np.nonzero(pairs)
    tops, bottoms = pieces.boxes[tall, 1], pieces.boxes[tall, 3]
    top = np.minimum(pieces.boxes[one, 1], pieces.boxes[other, 1])[:, np.newaxis]
    bottom = np.maximum(pieces.boxes[one, 3], pieces.boxes[other, 3])[:, np.newaxis]
    shared = np.minimum(bottoms, bottom) - np.maximum(tops, top)
    within = np.zeros_like(pairs)
    within[one, other] = (shared >= AS_HIGH * (np.maximum(bottoms, bottom) - np.minimum(tops, top))).any(axis=1)
    return within


def frames(pieces: Pieces) -> Mask:
    """(n,): what runs around other pieces and has not much more ink than they, such as the edges of a sheet."""
    left_top, right_bottom = pieces.boxes[:, np.newaxis, :2], pieces.boxes[:, np.newaxis, 2:]
    within = ((pieces.boxes[:, :2] > left_top) & (pieces.boxes[:, 2:] < right_bottom)).all(axis=2)
    return np.asarray(within @ pieces.weights >= FRAMED * pieces.weights)


def cut(ink: Ink, pieces: Pieces, chosen: Mask, *, is_torn: bool = False) -> Mark:
    """The chosen pieces' ink, with its faint edges, and nothing else."""
    boxes = pieces.boxes[chosen]
    box, window = with_edge((*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)), ink.shape)
    return Mark(grown(np.append(False, chosen)[pieces.labels[window]], EDGE) * ink[window], box, is_torn)


def mended(ink: Ink) -> Ink:
    """Rows between sure ink that have none go over from the last that has some to the next."""
    inked = np.flatnonzero((ink > LEVEL).any(axis=1))
    gaps = np.setdiff1d(np.arange(inked[0], inked[-1]), inked)
    after = np.searchsorted(inked, gaps)
    above, below = inked[after - 1], inked[after]
    share = ((gaps - above) / (below - above))[:, np.newaxis]
    whole = ink.copy()
    whole[gaps] = (1 - share) * ink[above] + share * ink[below]
    return whole


def with_edge(box: Sequence[np.intp], shape: tuple[int, ...]) -> tuple[Box, tuple[slice, slice]]:
    """A box with `EDGE` on all sides of it, where the picture has that much, and the rows and columns within."""
    left, top = max(int(box[0]) - EDGE, 0), max(int(box[1]) - EDGE, 0)
    right, bottom = min(int(box[2]) + EDGE, shape[1]), min(int(box[3]) + EDGE, shape[0])
    return (left, top, right, bottom), (slice(top, bottom), slice(left, right))
