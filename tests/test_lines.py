"""Which marks stand in a line, and the order in which they are read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from function.lines import in_lines
from function.locate import Mark


def mark(left: float, top: float, width: int = 20, height: int = 40) -> Mark:
    x, y = round(left), round(top)
    return Mark(np.full((height, width), 255, np.uint8), (x, y, x + width, y + height))


def stroke(*points: tuple[int, int], pen: int = 5) -> Mark:
    (left, top), (right, bottom) = np.min(points, axis=0) - pen // 2, np.max(points, axis=0) + pen // 2 + 1
    page = Image.new("L", (400, 400))
    ImageDraw.Draw(page).line(points, fill=255, width=pen)
    box = (int(left), int(top), int(right), int(bottom))
    return Mark(np.asarray(page.crop(box)), box)


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


@pytest.mark.parametrize(
    ("lean", "top", "bottom", "times_read"),
    [(18, 40, 100, 0), (2, 40, 100, 1), (-18, 40, 100, 1), (18, 52, 88, 1), (18, 58, 118, 1)],
    ids=["a slash", "upright", "leaning back", "no higher", "only lower"],
)
def test_a_slash_between_digits_is_left_out(lean: int, top: int, bottom: int, times_read: int) -> None:
    before, after = row(2, 50), row(4, 50, left=110)
    line = stroke((74 + lean, top), (74, bottom))

    assert in_lines([*before, line, *after]) == [[*before, *[line] * times_read, *after]]


def test_a_slash_at_the_end_of_a_line_is_none() -> None:
    line = [*row(3, 50), stroke((128, 40), (110, 100))]

    assert in_lines(line) == [line]


def test_a_high_digit_that_is_no_straight_stroke_is_read() -> None:
    bent = stroke((92, 40), (76, 70), (76, 100))

    assert in_lines([*row(2, 50), bent, *row(2, 50, left=110)])[0][2] == bent


def test_of_nothing_there_are_no_lines() -> None:
    assert in_lines([]) == []
