"""A picture that was taken sideways or upside down: what its digits say of which way is up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .ink import Ink
from .locate import Box
from .prepare import NOT_A_DIGIT
from .segment import Lines

FEWEST = 3  # marks: fewer do not say
CLEAR = 5.0  # how much less doubt, as a difference of logarithms, there must be the other way up
TRUSTED = 0.9  # no other way is tried where a digit is, on average, so likely …
GOOD = 0.85  # … nor taken where one is less likely than this


def upright(ink: Ink, read: Callable[[Ink], Lines]) -> tuple[Lines, int]:
    """What is read in `ink` the right way up, and by how many quarters counter-clockwise it was turned for that."""
    lines = read(ink)
    if sum(map(len, lines)) < FEWEST or trust(lines) >= TRUSTED:
        return lines, 0
    turned = {quarters: read(np.ascontiguousarray(np.rot90(ink, quarters))) for quarters in (1, 2, 3)}
    best = min(turned, key=lambda quarters: doubt(turned[quarters]))
    if not says_which_way(turned[best]) or trust(turned[best]) < GOOD or doubt(lines) - doubt(turned[best]) < CLEAR:
        return lines, 0
    return turned[best], best


def doubt(lines: Lines) -> float:
    """How unlikely it is that all marks are digits, as a logarithm."""
    return -sum(float(np.log(max(0.01, likelihood))) for likelihood in likelihoods(lines))


def trust(lines: Lines) -> float:
    """How likely a mark is a digit, as the geometric mean."""
    count = sum(map(len, lines))
    return float(np.exp(-doubt(lines) / count)) if count >= FEWEST else 0.0


def says_which_way(lines: Lines) -> bool:
    """Whether there is more than strokes and rings: those are everywhere, and the same from all sides."""
    return any(int(seen.probabilities.argmax()) not in (0, 1, NOT_A_DIGIT) for line in lines for seen in line)


def likelihoods(lines: Lines) -> list[float]:
    return [float(seen.probabilities[:NOT_A_DIGIT].max()) * seen.certainty for line in lines for seen in line]


def turned_back(box: Box, quarters: int, shape: tuple[int, ...]) -> Box:
    """A box in `np.rot90(ink, quarters)`, in `ink` of that `shape` itself."""
    left, top, right, bottom = box
    height, width = shape[:2]
    if quarters == 0:
        return box
    if quarters == 1:
        return width - bottom, left, width - top, right
    if quarters == 2:
        return width - right, height - bottom, width - left, height - top
    return top, height - right, bottom, height - left
