"""Which marks stand in a line, and the order in which they are read."""

from __future__ import annotations

import numpy as np
import pytest

from function.lines import in_lines
from function.locate import Mark


def mark(left: float, top: float, width: int = 20, height: int = 40) -> Mark:
    x, y = round(left), round(top)
    return Mark(np.full((height, width), 255, np.uint8), (x, y, x + width, y + height))


def row(count: int, top: float, *, slope: float = 0, pitch: float = 34, left: float = 0) -> list[Mark]:
    return [mark(left + pitch * index, top + slope * (left + pitch * index)) for index in range(count)]


def shuffled(marks: list[Mark]) -> list[Mark]:
    order = np.random.default_rng(1).permutation(len(marks))
    return [marks[index] for index in order]


@pytest.mark.parametrize("degrees", [-15, -8, 0, 8, 15])
def test_lines_on_paper_that_lies_askew_are_told_apart(degrees: float) -> None:
    slope = float(np.tan(np.radians(degrees)))
    lines = [row(8, 200 + 75 * index, slope=slope) for index in range(3)]

    assert in_lines(shuffled([mark for line in lines for mark in line])) == lines


def test_a_line_with_an_uneven_foot_is_one() -> None:
    line = [mark(34 * index, 100 + step) for index, step in enumerate((0, 12, -9, 14, -3, 10))]

    assert in_lines(shuffled(line)) == [line]


def test_lines_of_different_sizes_are_read_each() -> None:
    large = [mark(80 * index, 20, 60, 100) for index in range(3)]
    small = row(5, 160)

    assert in_lines(shuffled(large + small)) == [large, small]


def test_numbers_beside_each_other_are_one_line() -> None:
    line = row(3, 50) + row(2, 54, left=300)

    assert in_lines(shuffled(line)) == [line]


def test_a_stop_and_a_dash_in_a_line_are_left_out() -> None:
    line = row(4, 50)

    assert in_lines([*line, mark(140, 84, 6, 6), mark(160, 68, 20, 8)]) == [line]


def test_of_nothing_there_are_no_lines() -> None:
    assert in_lines([]) == []
