"""Where two digits that touch may be cut, and the ink between two cuts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from .ink import Ink
from .locate import Mark
from .ranks import bounds

Floats = npt.NDArray[np.float64]
Way = npt.NDArray[np.intp]  # (h,): before which column to cut in each row of a mark

SEAM_ROWS = 32  # a mark is reduced to so many rows for finding where to cut it
ENTER, ALONG, ASIDE = 1.0, 0.07, 0.08  # what it costs a way to enter full ink, each row in it, and each step aside
LEAN = 1.0  # of the mark's height: no way ends farther aside from where it began
INK_BETWEEN = 0.1  # of the ink in as much of the mark as it is high: two seams have so much between them
SEAMS = 6  # for each height of the mark's width


def seams(ink: Ink) -> list[Way]:
    """(h,) each, from left to right: the column before which to cut in each row, along ways from top to bottom that
    cross little ink, and with some ink between any two of them."""
    height, width = ink.shape
    scale = max(1.0, height / SEAM_ROWS)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX), np.float64) / 255
    ways, costs = cheapest_ways(small)
    rows = np.arange(len(small))
    before = np.cumsum(np.column_stack([np.zeros(len(small)), small]), axis=1)  # ink to the left of each column
    left = before[rows, ways]
    apart = INK_BETWEEN * float(small.sum()) * min(1, height / width)
    free = (left.sum(axis=1) >= apart) & (left.sum(axis=1) <= small.sum() - apart)
    chosen: list[int] = []
    while free.any() and len(chosen) < SEAMS * width / height:
        chosen.append(int(np.where(free, costs, np.inf).argmin()))
        free &= np.abs(left - left[chosen[-1]]).sum(axis=1) >= apart
    ordered = ways[sorted(chosen, key=lambda index: float(left[index].sum()))]
    fine = (np.arange(height) + 0.5) * len(small) / height - 0.5
    return [np.rint(np.interp(fine, rows, way * scale)).astype(np.intp) for way in ordered]


def cheapest_ways(ink: Floats) -> tuple[Way, Floats]:
    """(n, rows): before which column to cut (rows, columns) `ink` in each row, and (n,): what that costs.

    There is one way from each second column of the first row to each of the last: the cheapest that goes at most a
    column aside in each row. To enter ink costs more than to go on in it, so that digits which touch along their sides
    are cut there.
    """
    rows, columns = ink.shape
    starts, places = np.arange(0, columns + 1, 2), columns + 1
    wide = np.zeros((rows, places + 2))  # ink that is crossed at each place, and none beyond the edges
    wide[:, 2:-2] = (ink[:, 1:] + ink[:, :-1]) / 2
    crossed = wide[:, 1:-1]
    entered = [ENTER * np.maximum(crossed[1:] - wide[:-1, step : step + places], 0) for step in range(3)]
    beside = np.full((len(starts), places + 2), np.inf)  # no way comes from beyond the edges
    total = beside[:, 1:-1]
    total[np.arange(len(starts)), starts] = (ENTER + ALONG) * crossed[0, starts]
    came = np.zeros((rows, *total.shape), np.int8)
    for row in range(1, rows):
        left, down, right = (
            beside[:, step : step + places] + entered[step][row - 1] + ASIDE * (step != 1) for step in range(3)
        )
        least = np.minimum(left, down)
        came[row] = np.where(right < least, 1, np.where(down < left, 0, -1))
        total[:] = ALONG * crossed[row] + np.minimum(least, right)
    total[np.abs(np.arange(places) - starts[:, np.newaxis]) > LEAN * rows] = np.inf
    start, at = np.nonzero(np.isfinite(total))
    costs = total[start, at]
    ways = np.empty((len(at), rows), np.intp)
    for row in range(rows - 1, -1, -1):
        ways[:, row] = at
        at = at + came[row, start, at]
    return ways, costs


def between(marks: Sequence[Mark], left: Way | None, right: Way | None) -> Mark | None:
    """The ink of marks beside each other from the way `left`, through the first, to the way `right`, through the last;
    all of it, where there is no such way. None if there is no ink."""
    pieces = []
    for place, mark in enumerate(marks):
        columns, ink = np.arange(mark.width), mark.ink
        if place == len(marks) - 1 and right is not None:
            ink = np.where(columns < right[:, np.newaxis], ink, 0)
        if place == 0 and left is not None:
            ink = np.where(columns >= left[:, np.newaxis], ink, 0)
        if ink.any():
            pieces.append(trimmed(Mark(ink, mark.box)))
    return join(pieces) if len(pieces) > 1 else pieces[0] if pieces else None


def join(marks: Sequence[Mark]) -> Mark:
    """All their ink as one mark."""
    boxes = np.array([mark.box for mark in marks])
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    ink = np.zeros((bottom - top, right - left), np.uint8)
    for mark in marks:
        x, y = mark.box[0] - left, mark.box[1] - top
        window = ink[y : y + mark.height, x : x + mark.width]
        np.maximum(window, mark.ink, out=window)
    return Mark(ink, (int(left), int(top), int(right), int(bottom)))


def trimmed(mark: Mark) -> Mark:
    """Without empty rows and columns around the ink."""
    rows, columns = bounds(mark.ink)
    x, y = mark.box[:2]
    return Mark(mark.ink[rows, columns], (x + columns.start, y + rows.start, x + columns.stop, y + rows.stop))
