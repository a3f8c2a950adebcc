"""A picture that was taken sideways or upside down: what its digits say of which way is up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .ink import Ink
from .locate import Box
from .prepare import NOT_A_DIGIT
from .seen import Lines, is_trusted, standing, sure_share

GOOD = 0.7  # no other way up is taken where fewer of the marks are surely digits …
CLEAR = 3  # … or not by so many marks more than the other way


def upright(
    ink: Ink, first: Lines, glance: Callable[[Ink], Lines], refine: Callable[[Ink, Lines], Lines]
) -> tuple[Lines, int]:
    """What is read in `ink` the right way up, and by how many quarters counter-clockwise it was turned for that, where
    a `first` glance at it was taken.

    Of the other ways up at most one is read: to `glance` at them, which cuts nothing, takes far less.
    """
    lines = refine(ink, first)
    if is_trusted(lines):
        return lines, 0
    ways = {quarters: np.ascontiguousarray(np.rot90(ink, quarters)) for quarters in (1, 2, 3)}
    seen = {quarters: glance(way) for quarters, way in ways.items()}
    best = max(seen, key=lambda quarters: standing(seen[quarters]))
    if standing(seen[best]) <= standing(lines):
        return lines, 0
    turned = refine(ways[best], seen[best])
    is_clear = standing(turned) >= max(0, standing(lines)) + CLEAR
    if is_clear and sure_share(turned) >= GOOD and says_which_way(turned):
        return turned, best
    return lines, 0


def says_which_way(lines: Lines) -> bool:
    """Whether there is more than strokes and rings: those are everywhere, and the same from all sides."""
    return any(int(seen.probabilities.argmax()) not in (0, 1, NOT_A_DIGIT) for line in lines for seen in line)


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
