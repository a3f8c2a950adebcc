"""Marks as the model sees them, and what whole lines of them are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from .classify import Probabilities
from .locate import Mark
from .prepare import NOT_A_DIGIT, Glyph
from .ranks import median
from .runs import Mask

SURE = 0.95  # of a mark: it is surely a digit
TRUSTED = 0.8  # of all marks: if so many are surely digits, nothing else is tried
MANY = 30  # marks: among more than these …
STRANGE = 1 / 3  # … at most so many may be no digits
SMALL = 24  # pixels, with the edges of a mark: of digits that are higher, the model sees no more from near by
UNREAD = 0.03  # of the marks of numbers are taken for none …
TOUCHING = 0.1  # … more of those that are so wide that they may be two digits, in heights of the line …
PAIR, MORE = 1.1, 2.0  # … but not more than two …
ALIKE = 0.06  # … and of letters for digits
GAP = 0.4  # of a line's height: so far from a number a word begins so often, and nearer so seldom …
APART, NEXT_TO = 0.1, 0.001  # … beforehand
EDGES = (0, 1, 7)  # what the edges of a sheet may be taken for …
TALLEST = 1.4  # … if they are so many times as tall as the marks on it …
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
    def is_like_edge(self) -> bool:
        """Whether it is what the edges of a sheet of paper may be taken for."""
        return int(self.probabilities.argmax()) in EDGES

    @property
    def is_none(self) -> bool:
        return bool(self.probabilities.argmax() == NOT_A_DIGIT)


Lines = list[list[Seen]]
Part = tuple[float, list[Seen]]  # the logarithm of a likelihood, and the marks of numbers
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


def are_small(lines: Lines) -> bool:
    """Whether most of the digits are so low that more is to be seen of them from near by."""
    heights = [seen.mark.height for line in lines for seen in line if not seen.is_none]
    return bool(heights) and median(heights) < SMALL


def standing(lines: Lines) -> int:
    """How much of it is surely digits, and how much is none; nothing is as little as one mark that is none. 1s do not
    count: any stroke is one, and any edge."""
    return sum((seen.is_sure and not seen.is_one) - seen.is_none for line in lines for seen in line) if lines else -1


def is_texture(lines: Lines) -> bool:
    """Whether so many marks are no digits that the rest is chance: the grain of a paper, or its lines, has many a 1."""
    others = [seen.is_none for line in lines for seen in line]
    return len(others) > MANY and sum(others) > STRANGE * len(others)


def without_words(line: list[Seen], cut: Callable[[Seen], list[Seen]]) -> list[Seen]:
    """The numbers of a line that may have words before, between and after them. What is so wide that it may be two
    digits is no letter if `cut` makes sure digits of it: letters become 1s, for the most part."""
    height = median([seen.mark.height for seen in line])
    kept = numbers_of(line, height, set())
    wide = (seen for seen in line if seen not in kept and PAIR * height < seen.mark.width < MORE * height)
    pairs = {seen for seen in wide if all(part.is_sure and not part.is_one for part in cut(seen))}
    return numbers_of(line, height, pairs) if pairs else kept


def numbers_of(line: list[Seen], height: float, pairs: set[Seen]) -> list[Seen]:
    """What is likeliest, by dynamic programming, as letters look like digits, and digits that touch like none, but
    neither often, and `pairs` are digits. A single mark is no word: it may be two digits that touch."""
    number: Part = (0.0, [])  # the best way to here that ends in a number …
    letter: Part = (-np.inf, [])  # … in the first letter of a word …
    word = letter  # … in another
    for place, seen in enumerate(line):
        gap = seen.mark.box[0] - line[place - 1].mark.box[2]
        turn = 0.0 if place == 0 else np.log(NEXT_TO if gap < GAP * height else APART)
        none = 0.0 if seen in pairs else float(seen.probabilities[NOT_A_DIGIT])
        unread = TOUCHING if seen.mark.width > PAIR * height else UNREAD
        digit, other = np.log(1 - none + unread * none), np.log(none + ALIKE * (1 - none))
        again = max(number, (word[0] + turn, word[1]), key=itemgetter(0))
        longer = max(letter, word, key=itemgetter(0))
        letter = (number[0] + turn + other, number[1])
        number, word = (again[0] + digit, [*again[1], seen]), (longer[0] + other, longer[1])
    _, kept = max(number, word, key=itemgetter(0))
    return kept if any(seen.is_sure and not seen.is_one for seen in kept) else line


def without_edges(lines: Lines, sheet: Mask) -> Lines:
    """The marks that are on the sheet; or all, if others are surely digits, and no edges: then it is no sheet, but the
    light part of one."""
    marks = [seen for line in lines for seen in line]
    on_it = {seen for seen in marks if is_on(seen, sheet)}
    heights = [seen.mark.height for seen in on_it]
    tallest = TALLEST * median(heights) if heights else ALONE * np.count_nonzero(sheet.any(axis=1))
    others = [seen for seen in marks if seen not in on_it and seen.is_sure]
    if any(not seen.is_like_edge or (seen.mark.height <= tallest and not is_edge(seen, sheet)) for seen in others):
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
