"""Where things are: what holds of boxes, turns, lines, cuts and glyphs, whatever the picture is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from function.cut import between, join, seams, trimmed
from function.decode import WORKING_SIDE, Picture, decode
from function.ink import Ink, find_ink
from function.lines import in_lines
from function.locate import EXPECTATIONS, Box, Mark, locate
from function.prepare import BOX, SIDE, Glyph, prepare
from function.turn import turned_back
from tests.helpers import draw_digit
from tests.test_decode import stored

MANY = settings(max_examples=200, deadline=None, derandomize=True)
SOME = settings(max_examples=60, deadline=None, derandomize=True)

DIGITS = st.integers(0, 9)
COLOURS = st.tuples(*[st.integers(0, 255)] * 3)
LEVELS = (0, 0, 0, 1, 76, 78, 128, 255)  # paper, what is surely no ink, and what surely is


@st.composite
def boxes(draw: st.DrawFn, width: int, height: int) -> Box:
    """With at least a pixel, within."""
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))


@st.composite
def boxes_in_pictures(draw: st.DrawFn, most: int) -> tuple[tuple[int, int], Box]:
    """(width, height), and a box in it."""
    size = draw(st.integers(1, most)), draw(st.integers(1, most))
    return size, draw(boxes(*size))


def inks(side: int, levels: Sequence[int] = LEVELS) -> st.SearchStrategy[Ink]:
    return arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=side), elements=st.sampled_from(levels))


@st.composite
def drawings(draw: st.DrawFn, most: int = 5) -> Ink:
    """Some digits on a page, as ink."""
    page = np.zeros((draw(st.integers(60, 200)), draw(st.integers(60, 300))), np.uint8)
    for _ in range(draw(st.integers(1, most))):
        side = draw(st.integers(30, 60))
        digit = np.asarray(draw_digit(draw(DIGITS), side=side, nib=3, ink="white", paper="black").convert("L"))
        left, top = draw(st.integers(0, page.shape[1] - side)), draw(st.integers(0, page.shape[0] - side))
        window = page[top : top + side, left : left + side]
        np.maximum(window, digit, out=window)
    return page


def extent(mask: Ink) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


# ── Pictures ──────────────────────────────────────────────────────────────────────────────────────────────────
def picture_with(size: tuple[int, int], box: Box, orientation: int) -> Picture:
    """White, and black in the box, as it is upright; stored in the orientation."""
    image = Image.new("L", size, 255)
    image.paste(0, box)
    return decode(stored(image, "PNG", orientation), max_pixels=10**7)


@SOME
@given(boxes_in_pictures(90), st.integers(1, 8))
def test_a_box_is_where_it_was_drawn_however_the_picture_is_stored(
    drawn: tuple[tuple[int, int], Box], orientation: int
) -> None:
    size, box = drawn
    picture = picture_with(size, box, orientation)

    assert (picture.width, picture.height) == size
    assert picture.place(extent(255 - picture.pixels[..., 0])) == box


@SOME
@given(st.tuples(st.integers(700, 2500), st.integers(100, 2500)), st.data(), st.integers(1, 8))
def test_in_a_reduced_picture_it_is_there_to_within_a_pixel_of_that(
    size: tuple[int, int], data: st.DataObject, orientation: int
) -> None:
    box = data.draw(boxes(*size))
    picture = picture_with(size, box, orientation)
    scale = max(size) / WORKING_SIDE
    ink = 255 - picture.pixels[..., 0]
    assume(ink.any())  # or it is thinner than what is left of it

    assert (picture.width, picture.height) == size
    assert np.abs(np.subtract(picture.place(extent(ink)), box)).max() <= scale + 1


@MANY
@given(boxes_in_pictures(WORKING_SIDE), st.floats(1, 50), st.floats(1, 50))
def test_a_box_in_a_reduced_picture_lies_in_the_full_one(
    drawn: tuple[tuple[int, int], Box], across: float, down: float
) -> None:
    (width, height), (left, top, right, bottom) = drawn
    picture = Picture(np.zeros((height, width, 3), np.uint8), round(width * across), round(height * down))
    x, y, past, below = picture.place((left, top, right, bottom))

    assert 0 <= x < past <= picture.width
    assert 0 <= y < below <= picture.height
    assert picture.place((0, 0, width, height)) == (0, 0, picture.width, picture.height)
    assert picture.place((left, top, width, height))[:2] == (x, y)  # each corner by itself


@MANY
@given(boxes_in_pictures(60), st.integers(0, 3))
def test_a_box_is_turned_back_to_where_it_was(drawn: tuple[tuple[int, int], Box], quarters: int) -> None:
    (width, height), box = drawn
    ink = np.zeros((height, width), np.uint8)
    ink[box[1] : box[3], box[0] : box[2]] = 255

    assert turned_back(extent(np.rot90(ink, quarters)), quarters, ink.shape) == box


@MANY
@given(boxes_in_pictures(60), st.integers(0, 3))
def test_turned_on_to_a_full_turn_it_is_where_it_began(drawn: tuple[tuple[int, int], Box], quarters: int) -> None:
    (width, height), box = drawn
    shapes = (height, width), (width, height)
    there = turned_back(box, quarters, shapes[quarters % 2])

    assert turned_back(there, (4 - quarters) % 4, shapes[0]) == box


# ── Marks ─────────────────────────────────────────────────────────────────────────────────────────────────────
@MANY
@given(inks(40) | drawings(), st.sampled_from(EXPECTATIONS))
def test_marks_are_ink_of_the_picture_within_their_boxes(ink: Ink, expect: str) -> None:
    marks = locate(ink, expect)

    assert bool(marks) == bool((ink > 77).any())
    assert expect != "digit" or len(marks) <= 1
    for mark in marks:
        left, top, right, bottom = mark.box
        assert 0 <= left < right <= ink.shape[1]
        assert 0 <= top < bottom <= ink.shape[0]
        assert mark.ink.shape == (mark.height, mark.width)
        window = ink[top:bottom, left:right]
        assert np.array_equal(mark.ink, np.where(mark.ink > 0, window, 0))
        assert (mark.ink > 77).any()


@SOME
@given(drawings(1), st.integers(0, 40), st.integers(0, 40))
def test_a_mark_moves_with_its_ink(ink: Ink, across: int, down: int) -> None:
    """Of several, which was meant depends on where they are in the picture."""
    page = np.pad(ink, 50)
    moved = np.pad(ink, ((50 + down, 50 - down), (50 + across, 50 - across)))
    there = {(left + across, top + down) for left, top, *_ in (mark.box for mark in locate(page, "number"))}

    assert {mark.box[:2] for mark in locate(moved, "number")} == there


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────────────────────
@st.composite
def marks_anywhere(draw: st.DrawFn, heights: st.SearchStrategy[int]) -> list[Mark]:
    def one() -> Mark:
        left, top, width, height = (draw(each) for each in (st.integers(0, 500), st.integers(0, 500), heights, heights))
        return Mark(np.full((height, width), 255, np.uint8), (left, top, left + width, top + height))

    return [one() for _ in range(draw(st.integers(0, 12)))]


@MANY
@given(marks_anywhere(st.integers(20, 39)))
def test_every_mark_stands_once_in_one_line(marks: list[Mark]) -> None:
    lines = in_lines(marks)

    assert sorted(id(mark) for line in lines for mark in line) == sorted(map(id, marks))


@MANY
@given(marks_anywhere(st.integers(1, 300)))
def test_lines_go_from_left_to_right_and_have_no_mark_twice(marks: list[Mark]) -> None:
    lines = in_lines(marks)
    placed = [id(mark) for line in lines for mark in line]

    assert len(placed) == len(set(placed))
    assert set(placed) <= set(map(id, marks))
    for line in lines:
        assert line
        assert all(before.box[0] <= after.box[0] for before, after in pairwise(line))


# ── Cuts ──────────────────────────────────────────────────────────────────────────────────────────────────────
@MANY
@given(inks(50).filter(np.any) | drawings(), st.integers(0, 30), st.integers(0, 30))
def test_the_pieces_of_a_mark_make_the_mark_again(ink: Ink, left: int, top: int) -> None:
    mark = trimmed(Mark(ink, (left, top, left + ink.shape[1], top + ink.shape[0])))
    ways = [None, *seams(mark.ink), None]
    pieces = [piece for way, other in pairwise(ways) if (piece := between([mark], way, other))]
    whole = join(pieces)

    assert whole.box == mark.box
    assert np.array_equal(whole.ink, mark.ink)
    for piece in pieces:
        assert piece.ink[[0, -1]].any(axis=1).all()
        assert piece.ink[:, [0, -1]].any(axis=0).all()


# ── Glyphs ────────────────────────────────────────────────────────────────────────────────────────────────────
def off_middle(glyph: Glyph) -> tuple[float, float]:
    """How far the centre of mass is from the middle, down and across."""
    places, total = np.arange(SIDE), glyph.sum()
    down, across = (abs(float(glyph.sum(axis=axis) @ places / total) - SIDE / 2) for axis in (1, 0))
    return down, across


@MANY
@given(inks(60) | drawings())
def test_a_glyph_is_balanced_on_its_middle_or_lies_at_its_border(ink: Ink) -> None:
    glyph = prepare(ink)

    assert glyph.shape == (SIDE, SIDE)
    assert glyph.any() == ink.any()
    if glyph.any():
        left, top, right, bottom = extent(glyph)
        down, across = off_middle(glyph)
        assert max(right - left, bottom - top) <= BOX
        assert down <= 0.5 or top == 0 or bottom == SIDE
        assert across <= 0.5 or left == 0 or right == SIDE


@MANY
@given(inks(60) | drawings(), st.tuples(*[st.integers(0, 30)] * 4))
def test_paper_around_the_ink_changes_nothing(ink: Ink, margins: tuple[int, int, int, int]) -> None:
    above, below, left, right = margins

    assert np.array_equal(prepare(np.pad(ink, ((above, below), (left, right)))), prepare(ink))


@MANY
@given(inks(60, (0, 0, 0, 128, 255)) | drawings())
def test_a_glyph_prepared_again_stays_as_it_is(ink: Ink) -> None:
    """Unless there is faint ink far from the rest, which is lost the first time."""
    glyph = prepare(ink)

    assert np.array_equal(prepare(glyph), glyph)


# ── All of the way ────────────────────────────────────────────────────────────────────────────────────────────
def glyph_of(image: Image.Image) -> Glyph:
    (mark,) = locate(find_ink(np.asarray(image)), "digit")
    return prepare(mark.ink)


@SOME
@given(DIGITS, st.integers(-60, 60), st.integers(-60, 60), st.integers(4, 16))
def test_a_digit_is_the_same_glyph_wherever_it_stands(digit: int, across: int, down: int, nib: int) -> None:
    drawn, page = draw_digit(digit, side=120, nib=nib), Image.new("RGB", (320, 320), "white")
    page.paste(drawn, (100 + across, 100 + down))
    middle = Image.new("RGB", (320, 320), "white")
    middle.paste(drawn, (100, 100))

    assert np.array_equal(glyph_of(page), glyph_of(middle))


@SOME
@given(DIGITS, COLOURS, COLOURS, st.integers(4, 16))
def test_a_digit_is_the_same_glyph_in_all_colours_on_all_grounds(
    digit: int, ink: tuple[int, int, int], paper: tuple[int, int, int], nib: int
) -> None:
    assume(max(abs(one - other) for one, other in zip(ink, paper, strict=True)) > 60)
    glyph = glyph_of(draw_digit(digit, nib=nib, ink=ink, paper=paper))

    assert np.abs(glyph.astype(int) - glyph_of(draw_digit(digit, nib=nib))).max() <= 8
