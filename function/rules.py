"""Ruled and squared paper, boxes and underlines: take the lines off and leave the strokes that cross them whole."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .ranks import bounds, grown
from .runs import Ints, Mask, label, run_lengths

Ink = npt.NDArray[np.uint8]

LEVEL = 30  # of 255
COARSE = 160  # pixels a side: lines are looked for at this size, so that a slightly bent one is still straight
SLOPE = 1 / 8
COVERAGE = 0.75  # a line is inked for so much of its length …
ENDS = 0.6  # … and so much of its first and last eighth: strokes seldom reach both edges of a picture
THICKEST = 1 / 60  # of the picture's longer side: thicker ones were drawn by hand
CROSSED = 1.6  # times as thick as it is elsewhere, a line is where a stroke crosses it

PIECE = 45  # of 255: lines that were printed are paler than strokes, and in pieces at the level of these
EDGE = 2  # pixels beside a piece: its faint edge
SMALLEST = 24  # pixels a side of what may be a box or a line …
ROOM = 48  # … and of a picture in which there is room for one
MOST_PIECES = 400  # the largest: each is compared with each
MOST = 4  # times the picture: what may be boxes covers no more together, for boxes in boxes are looked at one by one
ALIKE = 0.2  # of its width and height: so little larger or smaller is a box's neighbour, and a comb's tick
FLAT = 2.5  # times as wide as high: so flat a piece is a line, or a row of boxes, if there is a line in it
BARE = 1 / 20  # of its width: a piece that is no higher, on average, is a line with hardly anything on it
FINE = 48  # pixels a side: lines of a box are looked for at this size, for it is straightened first …
LEFT_OVER = 0.02  # … but for such a slope
CORNERS = 0.2  # of the first and last eighth of a box's line are inked, where the box is askew
BROADEST = 1 / 25  # of the picture's longer side: thicker lines of a box are edges of a sheet, or of its shadow
DOUBLE = 2.2  # times as thick as most lines of a grid some are, or where a stroke crosses them


def erase_rules(ink: Ink) -> Ink:
    """(h, w) ink of a photograph without lines that cross the whole picture, nearly level or nearly upright."""
    return erase_level_rules(erase_level_rules(ink).T).T


def erase_level_rules(ink: Ink) -> Ink:
    lines = find_lines(ink > LEVEL, factor=coarseness(ink.shape), slope=SLOPE, ends=ENDS)
    thin, usual = thin_lines(ink, lines, CROSSED)
    return np.where(thin, 0, ink).astype(np.uint8) if usual <= THICKEST * max(ink.shape) else ink


def erase_boxes(ink: Ink) -> Ink:
    """(h, w) ink without lines under digits, and without boxes, grids and combs around them."""
    if min(ink.shape) < ROOM:
        return ink
    labels, boxes = label(ink > PIECE)
    erased = ink.copy()
    for index in may_be_boxes(boxes, ink.shape):
        left, top, right, bottom = boxes[index]
        window = np.s_[top - EDGE : bottom + EDGE, left - EDGE : right + EDGE]
        piece = grown(labels[window] == index + 1, EDGE) * ink[window]
        erased[window][piece > without_box(piece, BROADEST * max(ink.shape))] = 0
    return erased


def may_be_boxes(boxes: Ints, shape: tuple[int, ...]) -> Ints:
    """Which pieces are flat and longer than any digit, or surround others, or are as large as one of these, whose digit
    may touch it; and lie within the picture of `shape`: what leaves it is its paper's."""
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    largest = np.argsort(sides)[-MOST_PIECES:]
    large = largest[sides[largest] >= SMALLEST]
    boxes = boxes[large]
    sizes = boxes[:, 2:] - boxes[:, :2]
    widths, heights = sizes.T
    left_top, right_bottom = boxes[:, np.newaxis, :2], boxes[:, np.newaxis, 2:]
    surrounds = np.any(((left_top < boxes[:, :2]) & (right_bottom > boxes[:, 2:])).all(axis=2), axis=1)
    inside = ((boxes[:, :2] >= EDGE) & (boxes[:, 2:] <= np.array(shape[::-1]) - EDGE)).all(axis=1)
    flat = (widths > FLAT * heights) & (widths > heights.max(initial=0))
    chosen = np.flatnonzero(inside & are_alike(sizes, sizes[inside & (flat | surrounds)]))
    areas = (widths * heights)[chosen]
    order = np.argsort(areas)
    return np.asarray(large[chosen[order][np.cumsum(areas[order]) <= MOST * shape[0] * shape[1]]])


def are_alike(sizes: Ints, others: Ints) -> Mask:
    """(n,) which of (n, 2) widths and heights are about those of one of the others, or are among them."""
    both_are = np.all(np.abs(sizes[:, np.newaxis] - others) <= ALIKE * others, axis=2)
    return np.asarray(np.any(both_are, axis=1))


def without_box(piece: Ink, thickest: float) -> Ink:
    """A piece of ink, (h, w), without the lines across it, if they are a box, a grid or a comb, or what it stands on,
    and if those of a box are not thicker than `thickest`, in pixels."""
    height, width = piece.shape
    below = rounded_slope(skew(piece > PIECE), width)
    straight = np.zeros((height + np.ptp(below), width), np.uint8)
    place = np.arange(height)[:, np.newaxis] + below.max() - below, np.arange(width)
    straight[place] = piece
    inked = bounds(np.where(straight > PIECE, straight, 0))
    straight[inked] = without_lines(straight[inked], thickest)
    return np.asarray(straight[place])


def without_lines(piece: Ink, thickest: float) -> Ink:
    """The same for a piece that is straight already, and cut to its ink."""
    height, width = piece.shape
    factor = max(2, min(height, width) // FINE)
    level = find_lines(piece > LEVEL, factor=factor, slope=LEFT_OVER, ends=CORNERS)
    inside = inner_rows(level)
    upright = find_lines(piece[inside].T > LEVEL, factor=factor, slope=SLOPE, ends=CORNERS)
    upright = np.pad(upright, ((0, 0), (inside.start, height - inside.stop)), mode="edge")
    if min(count(level), count(upright)) > 1:
        along, usual = thin_lines(piece, level, DOUBLE)
        across, _ = thin_lines(piece.T, upright, DOUBLE)
        return without_scraps(np.where(along | across.T, 0, piece), CROSSED * usual + 1) if usual <= thickest else piece
    return without_line(piece, level)


def without_line(piece: Ink, level: Mask) -> Ink:
    """A flat piece, (h, w), without the line in `level` and the ticks of a comb. Of a piece that is hardly more than a
    line, all that is as thin."""
    along, usual = thin_lines(piece, level, CROSSED)
    standing, thin = np.where(along, 0, piece), CROSSED * usual + 1
    if is_bare(piece > PIECE):
        return without_scraps(standing, thin) if along.any() else np.zeros_like(piece)
    return without_ticks(standing, thin) if piece.shape[1] > FLAT * piece.shape[0] else piece


def without_ticks(ink: Ink, thin: float) -> Ink:
    """What stands on a line, (h, w), without a comb's ticks: several that are no thicker than `thin`, and as tall as
    one at either end."""
    labels, boxes = label(ink > LEVEL)
    heights = boxes[:, 3] - boxes[:, 1]
    are_thin = areas(labels, boxes) <= thin * heights
    at_end = are_thin & ((boxes[:, 0] <= thin) | (boxes[:, 2] >= ink.shape[1] - thin))
    usual = heights[at_end].max(initial=0)
    ticks = are_thin & (np.abs(heights - usual) <= ALIKE * usual)
    return without_pieces(ink, labels, ticks) if ticks.sum() > 1 else ink


def is_bare(mask: Mask) -> bool:
    """Whether it is a line, straight or not, with hardly anything on it."""
    height, width = mask.shape
    inked = mask.any(axis=0)
    last, first = height - mask[::-1].argmax(axis=0), mask.argmax(axis=0)
    return bool((last - first)[inked].mean() <= BARE * width)


def inner_rows(lines: Mask) -> slice:
    """Those between the lines above and below a single row, if that is most of (h, w), or all: a tall digit and these
    lines together would be as long as the row's sides."""
    middle = lines[:, lines.shape[1] // 2]
    ends, begins = np.flatnonzero(middle[:-1] > middle[1:]) + 1, np.flatnonzero(middle[:-1] < middle[1:]) + 1
    is_row = count(lines) == 2 and begins[-1] - ends[0] > len(lines) / 2
    return slice(int(ends[0]), int(begins[-1])) if is_row else slice(0, len(lines))


def count(lines: Mask) -> int:
    """How many lines there are, from the left to the right of (h, w)."""
    middle = lines[:, lines.shape[1] // 2]
    return int(np.count_nonzero(middle[1:] > middle[:-1])) + int(middle[0])


def without_scraps(ink: Ink, thin: float) -> Ink:
    """Without what is no thicker than `thin`, on average along its longer side: a piece of a line that was left."""
    labels, boxes = label(ink > LEVEL)
    return without_pieces(ink, labels, areas(labels, boxes) <= thin * (boxes[:, 2:] - boxes[:, :2]).max(axis=1))


def areas(labels: Ints, boxes: Ints) -> Ints:
    """(n,): how many pixels each labelled piece has."""
    return np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]


def without_pieces(ink: Ink, labels: Ints, pieces: Mask) -> Ink:
    """(h, w) ink without these, (n,), of its labelled pieces."""
    return np.where(np.append(False, pieces)[labels], 0, ink).astype(np.uint8)


def skew(mask: Mask) -> int:
    """By how many pixels most of the lines across (h, w) fall from its left to its right."""
    factor = coarseness(mask.shape)
    coarse = reduce_any(mask, factor)
    most = round(SLOPE * coarse.shape[1])
    roughly = factor * straightest(coarse, range(-most, most + 1))
    return straightest(mask, range(roughly - factor, roughly + factor + 1))


def straightest(mask: Mask, falls: range) -> int:
    """With which of these the rows differ most."""
    return max(falls, key=lambda fall: float((sheared(mask, fall).mean(axis=1) ** 2).sum()))


def thin_lines(ink: Ink, lines: Mask, times: float) -> tuple[Mask, float]:
    """Where nearly level lines are hardly more than so many `times` as thick as they are usually, and how thick that
    is, in pixels."""
    mask = ink > LEVEL
    inked = lines & mask
    if not inked.any():
        return inked, 0.0
    thickness = run_lengths(mask.T).T
    usual = float(np.median(thickness[inked]))
    return inked & (thickness <= times * usual + 1), usual


def find_lines(mask: Mask, *, factor: int, slope: float, ends: float) -> Mask:
    """(h, w): where nearly level lines run, with a little room around them. They are looked for at a `factor`-th of the
    size, up to a `slope`, and are inked for the share `ends` of their first and last eighth."""
    coarse = reduce_any(mask, factor)
    height, width = coarse.shape
    parts, least = parts_of_a_line(width), (COVERAGE, ends, ends)
    if not (coarse.any(axis=0) @ parts > least).all():  # there is too little ink beside each other for any
        return np.zeros_like(mask)
    rows, columns = np.arange(height)[:, np.newaxis], np.arange(width)
    lines, inked = np.zeros_like(coarse), coarse.astype(np.float32)
    for fall in range(-round(slope * width), round(slope * width) + 1):
        is_line = (sheared(inked, fall) @ parts > least).all(axis=1)
        if is_line.any():
            lines[np.clip(rows[is_line] + rounded_slope(fall, width), 0, height - 1), columns] = True
    lines[1:] |= lines[:-1].copy()
    lines[:-1] |= lines[1:].copy()
    full = lines.repeat(factor, axis=0).repeat(factor, axis=1)
    return full[: mask.shape[0], : mask.shape[1]]


def sheared(values: npt.NDArray[Any], fall: int) -> npt.NDArray[Any]:
    """(h, w): level what falls by so many pixels from left to right. Columns that fall alike go together: to pick each
    pixel by itself takes NumPy four times as long."""
    height, width = values.shape
    rows, falls = np.arange(height), rounded_slope(fall, width)
    level = np.empty(values.shape, values.dtype)
    for first, end in pairwise((0, *np.flatnonzero(np.diff(falls)) + 1, width)):
        level[:, first:end] = values[:, first:end].take(rows + falls[first], axis=0, mode="clip")
    return level


def rounded_slope(fall: int, width: int) -> Ints:
    """(width,): how many pixels lower than in the middle each column of a line is."""
    return np.rint(fall * (np.arange(width) / width - 0.5)).astype(np.intp)


def coarseness(shape: tuple[int, ...]) -> int:
    return -(-max(shape) // COARSE)


def parts_of_a_line(width: int) -> npt.NDArray[np.float32]:
    """(width, 3): weights with which a row gives the means of all of it, of its first eighth and of its last."""
    end = max(1, width // 8)
    parts = np.zeros((width, 3), np.float32)
    parts[:, 0], parts[:end, 1], parts[-end:, 2] = 1 / width, 1 / end, 1 / end
    return parts


def reduce_any(mask: Mask, factor: int) -> Mask:
    """Reduce both sides by `factor`: set where anything was."""
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % factor), (0, -width % factor)))
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return np.asarray(blocks.any(axis=(1, 3)))
