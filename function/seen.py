"""Marks as the model sees them, and what whole lines of them are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .classify import Probabilities
from .locate import Mark
from .prepare import NOT_A_DIGIT, Glyph
from .runs import Mask

SURE = 0.95  # of a mark: it is surely a digit
TRUSTED = 0.8  # of all marks: if so many are surely digits, nothing else is tried
MANY = 30  # marks: among more than these …
STRANGE = 1 / 3  # … at most so many may be no digits
TALLEST = 1.4  # times as tall as the marks on a sheet: what is off it, and taller, is its edge …
ALONE = 0.35  # … or in heights of the sheet, where there are no marks on it …
BESIDE = 24  # … or what is a 1, and nearer to it than this part of the picture's longer side


@dataclass(frozen=True, eq=False)
class Seen:
    """A mark as the model sees it: its `glyph`, and the `probabilities` (11,) that it is each digit or none.

    Where marks were cut or joined, `certainty` is that of having done so rightly; what `is_cut` touched another.
    """

    mark: Mark
    glyph: Glyph
    probabilities: Probabilities
    certainty: float = 1.0
    is_cut: bool = False

    @property
    def likelihood(self) -> float:
        """Of the likeliest digit."""
        return float(self.probabilities[:NOT_A_DIGIT].max())

    @property
    def is_sure(self) -> bool:
        return self.likelihood >= SURE

    @property
    def is_one(self) -> bool:
        return bool(self.probabilities.argmax() == 1)

    @property
    def is_none(self) -> bool:
        return bool(self.probabilities.argmax() == NOT_A_DIGIT)


Lines = list[list[Seen]]
Look = Callable[[Sequence[Mark]], list[Seen]]


def is_nothing(lines: Lines) -> bool:
    """Whether all of it is likelier none than any digit."""
    return all(seen.is_none for line in lines for seen in line)


def is_one_digit(lines: Lines) -> bool:
    """Whether there is a single mark, and it is surely a digit."""
    marks = [seen for line in lines for seen in line]
    return len(marks) == 1 and marks[0].is_sure


def only_strokes(lines: Lines) -> bool:
    """Whether every digit is a 1, beside more that is none: strokes of a drawing, or of letters."""
    marks = [seen for line in lines for seen in line]
    others = [seen for seen in marks if seen.is_none]
    ones = [seen for seen in marks if seen.is_one]
    if not others or not ones or len(ones) + len(others) < len(marks):
        return False
    return len(marks) > 2 or total_ink(others) > total_ink(ones)


def total_ink(line: Sequence[Seen]) -> int:
    return sum(int(seen.mark.ink.sum()) for seen in line)


def sure_share(lines: Lines) -> float:
    sure = [seen.is_sure for line in lines for seen in line]
    return sum(sure) / len(sure) if sure else 0.0


def is_trusted(lines: Lines) -> bool:
    """Whether it is read well enough to look no further."""
    return sure_share(lines) >= TRUSTED


def standing(lines: Lines) -> int:
    """How much of it is surely digits, and how much is none; nothing is as little as one mark that is none. 1s do not
    count: any stroke is one, and any edge."""
    return sum((seen.is_sure and not seen.is_one) - seen.is_none for line in lines for seen in line) if lines else -1


def is_texture(lines: Lines) -> bool:
    """Whether so many marks are no digits that the rest is chance: the grain of a paper, or its lines, has many a 1."""
    others = [seen.is_none for line in lines for seen in line]
    return len(others) > MANY and sum(others) > STRANGE * len(others)


def without_edges(lines: Lines, sheet: Mask) -> Lines:
    """The marks that are on the sheet; or all, if others are surely digits, and no edges: then it is no sheet, but the
    light part of one."""
    marks = [seen for line in lines for seen in line]
    on_it = {seen for seen in marks if is_on(seen, sheet)}
    heights = [seen.mark.height for seen in on_it]
    tallest = TALLEST * float(np.median(heights)) if heights else ALONE * np.count_nonzero(sheet.any(axis=1))
    others = (seen for seen in marks if seen not in on_it)
    if any(seen.is_sure and seen.mark.height <= tallest and not is_edge(seen, sheet) for seen in others):
        return lines
    kept = ([seen for seen in line if seen in on_it] for line in lines)
    return [line for line in kept if line]


def is_on(seen: Seen, sheet: Mask) -> bool:
    left, top, right, bottom = seen.mark.box
    return bool(sheet[top:bottom, left:right].all())


def is_edge(seen: Seen, sheet: Mask) -> bool:
    """Whether it looks like a 1 and is where the sheet ends."""
    room = max(sheet.shape) // BESIDE
    left, top, right, bottom = seen.mark.box
    return seen.is_one and bool(sheet[max(0, top - room) : bottom + room, max(0, left - room) : right + room].any())
