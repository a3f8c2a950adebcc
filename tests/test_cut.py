"""Where touching digits are cut, and what lies between two cuts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from function.cut import between, join, seams
from function.ink import Ink
from function.locate import Mark

Point = tuple[float, float]


def strokes(*lines: tuple[Point, ...], width: int = 120, height: int = 100, nib: int = 9) -> Ink:
    image = Image.new("L", (width, height))
    for points in lines:
        ImageDraw.Draw(image).line(points, fill=255, width=nib, joint="curve")
    return np.asarray(image)


def as_mark(ink: Ink, left: int = 0, top: int = 0) -> Mark:
    return Mark(ink, (left, top, left + ink.shape[1], top + ink.shape[0]))


ZERO = ((30, 10), (10, 50), (30, 90), (50, 50), (30, 10))
ONE = ((58, 10), (54, 90))
SLANTED = ((90, 5), (52, 95))
SEVEN = ((56, 46), (100, 12), (80, 90))


@pytest.mark.parametrize("other", [ONE, SLANTED, SEVEN])
def test_one_of_the_cuts_parts_touching_strokes(other: tuple[Point, ...]) -> None:
    one, two = strokes(ZERO), strokes(other)
    ink = np.maximum(one, two)
    columns = np.arange(ink.shape[1])

    def mixed(way: np.ndarray[tuple[int], np.dtype[np.intp]]) -> float:
        """The larger share of a stroke that comes to lie on the wrong side."""
        left = columns < way[:, np.newaxis]
        return max(float((one * ~left).sum() / one.sum()), float((two * left).sum() / two.sum()))

    assert min(map(mixed, seams(ink))) < 0.12


def test_cuts_go_from_left_to_right_and_have_ink_between_them() -> None:
    ink = strokes(ZERO, SEVEN)
    ways = [np.zeros(len(ink), np.intp), *seams(ink), np.full(len(ink), ink.shape[1])]

    assert len(ways) > 4
    for left, right in pairwise(ways):
        assert left.mean() < right.mean()
        piece = between([as_mark(ink)], left, right)
        assert piece
        assert piece.ink.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_the_smallest_marks_are_looked_at_too(shape: tuple[int, int]) -> None:
    ink = np.full(shape, 255, np.uint8)
    assert all(way.shape == (shape[0],) and 0 <= way.min() <= way.max() <= shape[1] for way in seams(ink))


def test_between_is_where_its_ink_is_and_no_larger() -> None:
    ink = strokes(ZERO, SEVEN)
    way = np.full(len(ink), 60)

    left, right = between([as_mark(ink, 7, 9)], None, way), between([as_mark(ink, 7, 9)], way, None)

    assert left
    assert right
    assert int(left.ink.sum()) + int(right.ink.sum()) == int(ink.sum())
    for piece in (left, right):
        assert piece.ink.shape == (piece.height, piece.width)
        assert piece.ink[[0, -1]].any(axis=1).all()
        assert piece.ink[:, [0, -1]].any(axis=0).all()
        x, y = piece.box[0] - 7, piece.box[1] - 9
        assert np.array_equal(np.where(piece.ink > 0, ink[y : y + piece.height, x : x + piece.width], 0), piece.ink)


def test_between_spans_marks_that_lie_apart() -> None:
    one, two = as_mark(strokes(ZERO, width=60)), as_mark(strokes(ONE, width=60), 50)
    way = np.full(100, 30)

    piece = between([one, two], way, None)

    assert piece
    assert int(piece.ink.sum()) == int(one.ink[:, 30:].sum()) + int(two.ink.sum())


def test_where_there_is_no_ink_there_is_no_piece() -> None:
    way = np.zeros(100, np.intp)
    assert between([as_mark(strokes(ZERO))], None, way) is None


def test_joined_marks_keep_their_ink_where_they_overlap() -> None:
    one, two = as_mark(strokes(ZERO), 3, 4), as_mark(strokes(SEVEN), 13, 0)

    whole = join([one, two])

    assert whole.box == (3, 0, 133, 104)
    assert np.array_equal(np.maximum(whole.ink[4:104, :120], one.ink), whole.ink[4:104, :120])
    assert np.array_equal(np.maximum(whole.ink[:100, 10:], two.ink), whole.ink[:100, 10:])
