"""Which way up a picture is, and where its marks are when it was turned."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from function.locate import Mark
from function.prepare import NOT_A_DIGIT
from function.seen import Lines, Seen
from function.turn import turned_back, upright


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("box", [(0, 0, 5, 3), (10, 20, 30, 25), (39, 59, 40, 60)])
def test_a_box_is_turned_back_to_where_its_ink_is(quarters: int, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    ink = np.zeros((60, 40), np.uint8)
    ink[top:bottom, left:right] = 255
    rows, columns = np.nonzero(np.rot90(ink, quarters))
    turned = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)

    assert turned_back(turned, quarters, ink.shape) == box


def marks(digits: str) -> Lines:
    """A line of sure digits, and of `?` for what is surely none."""
    glyph = np.zeros((28, 28), np.uint8)
    labels = [NOT_A_DIGIT if digit == "?" else int(digit) for digit in digits]
    return [[Seen(Mark(glyph, (0, 0, 28, 28)), glyph, np.eye(NOT_A_DIGIT + 1)[label]) for label in labels]]


class Paper:
    """A picture whose first row tells which way up it is; what is seen and read in it each way, and which were read."""

    def __init__(self, *lines: str) -> None:
        self.ink = np.array([[0, 1], [3, 2]], np.uint8)
        self.lines = [marks(digits) for digits in lines]
        self.was_read: list[int] = []

    def glance(self, ink: npt.NDArray[np.uint8]) -> Lines:
        return self.lines[int(ink[0, 0])]

    def refine(self, ink: npt.NDArray[np.uint8], lines: Lines) -> Lines:
        self.was_read.append(int(ink[0, 0]))
        return lines


@pytest.mark.parametrize(
    ("lines", "quarters", "read"),
    [
        (("234", "2345", "????", "????"), 0, [0]),  # good enough as it is
        (("????", "2345", "?4??", "????"), 1, [0, 1]),
        (("??4?", "????", "????", "2345"), 3, [0, 3]),
        (("????", "????", "23??", "????"), 0, [0, 2]),  # better, but not clearly
        (("????", "????", "0101", "????"), 0, [0, 2]),  # the same from all sides
        (("2?34?", "????", "????", "????"), 0, [0]),
    ],
)
def test_at_most_one_other_way_up_is_read_and_only_the_clearly_better_one_taken(
    lines: tuple[str, ...], quarters: int, read: list[int]
) -> None:
    paper = Paper(*lines)

    found = upright(paper.ink, paper.glance(paper.ink), paper.glance, paper.refine)

    assert found == (paper.lines[quarters], quarters)
    assert paper.was_read == read
