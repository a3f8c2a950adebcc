"""Marks → lines in reading order, on paper that may lie askew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .locate import LEVEL, Mark
from .ranks import median

Floats = npt.NDArray[np.float64]

LEVEL_WITH = 0.5  # of the taller one's height, or of the line's: a mark whose middle is so near the line's is in it
NEXT = (0.3, 6.0)  # of a mark's height: the next ones to its right lie so far away …
STEP = 0.2  # … and so much higher or lower, if the paper lay straight
STEEPEST = 0.3  # pixels down for each to the right: no line climbs or falls more
LOWEST, HIGHEST = 0.5, 2.2  # of its line's height: lower marks are stops, dashes or dirt, higher ones edges of things
SLASH = 1.2  # times as high as the marks beside it: so high is a slash, as in dates, while hardly any 1 is …
LEANING = 0.1  # … that leans so much, in pixels to the right for each up …
STRAIGHT = 0.15  # … and is so thin for its length, by their standard deviations


def in_lines(marks: Sequence[Mark]) -> list[list[Mark]]:
    """From top to bottom, and from left to right within a line."""
    middles = np.array([mark.middle for mark in marks]).reshape(-1, 2)
    heights = np.array([mark.height for mark in marks])
    levels = middles[:, 1] - slope(middles, heights) * middles[:, 0]
    lines: list[list[int]] = []
    for index in map(int, np.argsort(levels, kind="stable")):
        if lines:
            tallest = max(heights[index], float(np.mean(heights[lines[-1]])))
            if levels[index] - np.mean(levels[lines[-1]]) < LEVEL_WITH * tallest:
                lines[-1].append(index)
                continue
        lines.append([index])
    return [
        without_slashes(of_its_height([marks[index] for index in sorted(line, key=lambda index: marks[index].box[0])]))
        for line in lines
    ]


def of_its_height(line: list[Mark]) -> list[Mark]:
    height = median([mark.height for mark in line])
    return [mark for mark in line if LOWEST * height <= mark.height <= HIGHEST * height]


def without_slashes(line: list[Mark]) -> list[Mark]:
    threes = zip(line, line[1:], line[2:], strict=False)
    between = [mark for before, mark, after in threes if not is_slash(before, mark, after)]
    return [*line[:1], *between, *line[1:][-1:]]


def is_slash(before: Mark, mark: Mark, after: Mark) -> bool:
    """Whether it is straight, leans to the right, and is higher and lower than what is beside it."""
    _, top, _, bottom = mark.box
    is_higher = mark.height >= SLASH * max(before.height, after.height)
    if not is_higher or 2 * top > before.box[1] + after.box[1] or 2 * bottom < before.box[3] + after.box[3]:
        return False
    rows, columns = np.nonzero(mark.ink > LEVEL)
    (across, both), (_, down) = np.cov(columns, rows, ddof=0)
    return bool(-both >= LEANING * down and across - both**2 / down <= STRAIGHT**2 * down)


def slope(middles: Floats, heights: npt.NDArray[np.intp]) -> float:
    """How many pixels lines fall for each to the right: the median of the slopes from each mark to those next to it
    (O'Gorman, 1993), the farther the weightier; 0 for marks that stand alone."""
    across, down = np.moveaxis(middles[np.newaxis] - middles[:, np.newaxis], -1, 0)  # from each to each
    height = heights[:, np.newaxis]
    near = (across > NEXT[0] * height) & (across < NEXT[1] * height)
    near &= np.abs(down) < STEEPEST * across + STEP * height
    if not near.any():
        return 0.0
    slopes, weights = down[near] / across[near], across[near]
    order = np.argsort(slopes)
    total = np.cumsum(weights[order])
    return float(np.clip(slopes[order][np.searchsorted(total, total[-1] / 2)], -STEEPEST, STEEPEST))
