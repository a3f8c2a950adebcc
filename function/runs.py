"""Runs of set pixels along rows, and what can be told from them without visiting pixels one by one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

# Rows are laid end to end with a clear pixel on each side, so that no run and no neighbourhood crosses a row's end:
# a run is then [start, end) in one flat index, and the pixel below is `width + 2` further on.


def find_runs(mask: Mask) -> tuple[Ints, Ints]:
    """Where each run of (h, w) `mask` starts and ends, in reading order."""
    height, width = mask.shape
    wide = np.zeros((height, width + 2), bool)
    wide[:, 1:-1] = mask
    row = wide.ravel()
    changes = np.flatnonzero(row[1:] != row[:-1]) + 1
    return changes[::2], changes[1::2]


def paint(shape: tuple[int, int], starts: Ints, ends: Ints, values: Ints) -> Ints:
    """(h, w) with `values` on the runs and 0 elsewhere."""
    height, width = shape
    steps = np.zeros(height * (width + 2) + 1, np.intp)
    np.add.at(steps, starts, values)
    np.add.at(steps, ends, -values)
    return np.cumsum(steps)[:-1].reshape(height, width + 2)[:, 1:-1]


def run_lengths(mask: Mask) -> Ints:
    """(h, w): how long the run is that each set pixel lies in; 0 elsewhere."""
    starts, ends = find_runs(mask)
    return paint((mask.shape[0], mask.shape[1]), starts, ends, ends - starts)


def label(mask: Mask) -> tuple[Ints, Ints]:
    """8-connected components: (h, w) labels from 1 (0 is clear), and (n, 4) boxes as left, top, right, bottom.

    Runs that touch from one row to the next are united (Shiloach and Vishkin, 1982).
    """
    wide = mask.shape[1] + 2
    starts, ends = find_runs(mask)
    root = unite(len(starts), *touching(starts + wide, ends + wide, starts, ends))
    _, component = np.unique(root, return_inverse=True)
    boxes = np.zeros((component.max(initial=-1) + 1, 4), np.intp)
    boxes[:, :2] = mask.size + wide
    np.minimum.at(boxes[:, 0], component, starts % wide - 1)
    np.minimum.at(boxes[:, 1], component, starts // wide)
    np.maximum.at(boxes[:, 2], component, ends % wide - 1)
    np.maximum.at(boxes[:, 3], component, starts // wide + 1)
    return paint((mask.shape[0], mask.shape[1]), starts, ends, component + 1), boxes


def touching(starts: Ints, ends: Ints, other_starts: Ints, other_ends: Ints) -> tuple[Ints, Ints]:
    """All pairs (i, j) in which run i overlaps other run j or meets it at a corner."""
    first = np.searchsorted(other_ends, starts, side="left")
    count = np.maximum(np.searchsorted(other_starts, ends, side="right") - first, 0)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(np.arange(len(starts)), count), np.repeat(first, count) + within


def unite(count: int, one: Ints, other: Ints) -> Ints:
    """(count,): for each of `count` things the lowest that it is connected with through pairs (one, other)."""
    root = np.arange(count)
    while True:
        lowest = np.minimum(root[one], root[other])
        lower = root.copy()
        np.minimum.at(lower, root[one], lowest)
        np.minimum.at(lower, root[other], lowest)
        lower = lower[lower]
        if np.array_equal(lower, root):
            return root
        root = lower
