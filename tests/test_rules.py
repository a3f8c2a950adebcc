"""Ruled and squared paper, as ink: lines go, strokes stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from function.rules import LEVEL, MOST, erase_boxes, erase_rules, may_be_boxes
from tests.helpers import draw_digit

Ink = npt.NDArray[np.uint8]

SIDE = 480


def strokes(digit: int, *, nib: int = 22) -> Ink:
    return np.array(draw_digit(digit, side=SIDE, nib=nib, ink="white", paper="black").convert("L"))


@dataclass(frozen=True)
class Paper:
    """Lines every `level` pixels down and every `upright` pixels across (0: none)."""

    level: int = 0
    upright: int = 0
    width: int = 3
    ink: int = 150


def lines(paper: Paper, degrees: float = 0) -> Ink:
    """The paper's lines, turned by `degrees`."""
    large = np.zeros((2 * SIDE, 2 * SIDE), np.uint8)
    places = np.arange(2 * SIDE)
    if paper.level:
        large[places % paper.level < paper.width] = paper.ink
    if paper.upright:
        large[:, places % paper.upright < paper.width] = paper.ink
    turned = Image.fromarray(large).rotate(degrees, Image.Resampling.BICUBIC)
    return np.array(turned.crop((SIDE // 2, SIDE // 2, SIDE // 2 + SIDE, SIDE // 2 + SIDE)))


PAPERS = {
    "ruled": Paper(level=60),
    "narrow ruled": Paper(level=36, width=2),
    "columns": Paper(level=0, upright=60),
    "squared": Paper(level=60, upright=60),
    "narrow squared": Paper(level=36, upright=36, width=2),
    "faint squared": Paper(level=48, upright=48, ink=90),
    "broad ruled": Paper(level=60, width=7),
}


# Lines that slant leave the picture through a corner; only those that cross all of it are known for what they are.
CROSSED = np.s_[50:-50, 50:-50]


@pytest.mark.parametrize("degrees", [0, 1, -2, 3.5, -5, 5])
@pytest.mark.parametrize("paper", PAPERS)
def test_lines_vanish(paper: str, degrees: float) -> None:
    ruled = lines(PAPERS[paper], degrees)

    left = erase_rules(ruled)

    assert (ruled[CROSSED] > LEVEL).mean() > 0.02
    assert (left[CROSSED] > LEVEL).sum() <= 0.01 * (ruled[CROSSED] > LEVEL).sum()


@pytest.mark.parametrize("degrees", [0, 2, -5])
@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("digit", [1, 2, 4, 5, 7, 8])
def test_strokes_that_cross_lines_stay_whole(digit: int, paper: str, degrees: float) -> None:
    drawn = strokes(digit)
    ruled = lines(PAPERS[paper], degrees)

    left = erase_rules(np.maximum(drawn, ruled))

    off = (drawn == 0)[CROSSED]
    assert (left[drawn == 255] == 255).mean() >= 0.95
    assert (left[CROSSED][off] > LEVEL).sum() <= 0.1 * (ruled[CROSSED][off] > LEVEL).sum()


@pytest.mark.parametrize("nib", [14, 24, 60])
@pytest.mark.parametrize("share", [0.8, 0.95])
@pytest.mark.parametrize("slant", [0, 10, -30])
def test_a_one_as_tall_as_the_picture_is_no_line(nib: int, share: float, slant: int) -> None:
    image = Image.new("L", (SIDE, SIDE))
    top, bottom = SIDE * (1 - share) / 2, SIDE * (1 + share) / 2
    ImageDraw.Draw(image).line((SIDE / 2 + slant, top, SIDE / 2 - slant, bottom), fill=255, width=nib)

    assert np.array_equal(erase_rules(np.array(image)), np.array(image))


@pytest.mark.parametrize("nib", [14, 24, 60])
@pytest.mark.parametrize("share", [0.8, 0.9])
def test_a_seven_as_wide_as_the_picture_has_no_line_for_a_bar(nib: int, share: float) -> None:
    image = Image.new("L", (SIDE, SIDE))
    left, right = SIDE * (1 - share) / 2, SIDE * (1 + share) / 2
    corner = [(left, 70), (right, 60), (SIDE * 0.4, SIDE * 0.9)]
    ImageDraw.Draw(image).line(corner, fill=255, width=nib, joint="curve")

    assert np.array_equal(erase_rules(np.array(image)), np.array(image))


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("nib", [3, 10, 50])
def test_a_picture_without_lines_is_left_as_it_is(digit: int, nib: int) -> None:
    drawn = strokes(digit, nib=nib)

    assert np.array_equal(erase_rules(drawn), drawn)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (7, 500)])
@pytest.mark.parametrize("level", [0, 255])
def test_pictures_of_few_pixels_keep_their_shape(shape: tuple[int, int], level: int) -> None:
    ink = np.full(shape, level, np.uint8)

    assert erase_rules(ink).shape == shape


def test_a_turned_picture_loses_the_same_lines() -> None:
    ink = np.maximum(strokes(4), lines(Paper(level=60, upright=48)))

    upright, lying = erase_rules(ink), erase_rules(np.ascontiguousarray(ink.T)).T

    assert (upright != lying).mean() < 0.01


# ── Boxes and underlines ──────────────────────────────────────────────────────────────────────────────────────
CELL = 120
NUMBER = (4, 8, 7)


def number(side: int = CELL) -> Ink:
    """Three digits beside each other, each in the middle of its square, with as much room around them."""
    digits = [draw_digit(digit, side=side, nib=10, ink="white", paper="black").convert("L") for digit in NUMBER]
    return np.pad(np.hstack([np.array(digit) for digit in digits]), side)


def drawn(lines: list[tuple[int, int, int, int]], nib: int = 4, ink: int = 160) -> Ink:
    """As large as `number`: lines from (x, y) to (x, y)."""
    image = Image.new("L", (5 * CELL, 3 * CELL))
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=ink, width=nib)
    return np.array(image)


def boxed(*, apart: int = 0) -> list[tuple[int, int, int, int]]:
    """The sides of a square around each digit, which meet, or are `apart`."""
    low, high = CELL + apart, 2 * CELL - apart
    sides = []
    for left, right in [(CELL * place + apart, CELL * (place + 1) - apart) for place in (1, 2, 3)]:
        sides += [
            (left, low, right, low),
            (left, high, right, high),
            (left, low, left, high),
            (right, low, right, high),
        ]
    return sides


def askew(ink: Ink, degrees: float) -> Ink:
    return np.array(Image.fromarray(ink).rotate(degrees, Image.Resampling.BICUBIC))


UNDER = int(1.9 * CELL)
PRINTED = {
    "a row of boxes": boxed(),
    "boxes apart": boxed(apart=8),
    "a comb": [(CELL, 2 * CELL, 4 * CELL, 2 * CELL)] + [(x * CELL, UNDER, x * CELL, 2 * CELL) for x in (1, 2, 3, 4)],
    "a line": [(CELL, UNDER, 4 * CELL, UNDER)],
    "two lines": [(CELL, y, 4 * CELL, y) for y in (UNDER, UNDER + 14)],
    "a line that climbs": [(CELL, UNDER + 20, 4 * CELL, UNDER)],
    "a frame": [(60, 60, 540, 60), (60, 300, 540, 300), (60, 60, 60, 300), (540, 60, 540, 300)],
}


@pytest.mark.parametrize("degrees", [0, 2, -5])
@pytest.mark.parametrize("printed", PRINTED)
def test_what_is_printed_around_digits_vanishes_and_they_stay_whole(printed: str, degrees: float) -> None:
    digits, around = askew(number(), degrees), askew(drawn(PRINTED[printed]), degrees)

    left = erase_boxes(np.maximum(digits, around))

    assert (left[digits > 128] > 128).all()
    assert (left[digits == 0] > LEVEL).sum() <= 0.05 * (around > LEVEL).sum()


@pytest.mark.parametrize("degrees", [0, 3])
def test_digits_that_stand_on_a_line_stay_nearly_whole(degrees: float) -> None:
    foot = int(1.8 * CELL)
    digits, line = askew(number(), degrees), askew(drawn([(CELL, foot, 4 * CELL, foot)]), degrees)

    left = erase_boxes(np.maximum(digits, line))

    assert (left[digits > 128] > 128).mean() > 0.9
    assert (left[digits == 0] > LEVEL).sum() <= 0.2 * (line > LEVEL).sum()


def test_a_digit_that_touches_its_box_is_taken_out_of_it() -> None:
    sides = [(CELL, 134, 4 * CELL, 134), (CELL, 226, 4 * CELL, 226), *boxed()]
    digits, around = number(), drawn(sides)

    left = erase_boxes(np.maximum(digits, around))

    assert (left[digits > 128] > 128).mean() > 0.9
    assert (left[digits == 0] > LEVEL).sum() <= 0.1 * (around > LEVEL).sum()


def test_a_digit_that_touches_its_box_of_several_is_taken_out_of_it() -> None:
    digits, around = number(), drawn(boxed(apart=8))
    touching = drawn([(300, 120, 300, 150)], nib=8, ink=255)

    left = erase_boxes(np.maximum(np.maximum(digits, touching), around))

    assert (left[digits > 128] > 128).all()
    assert (left[digits == 0] > LEVEL).sum() <= 0.1 * (around > LEVEL).sum()


@pytest.mark.parametrize("degrees", [0, 3])
@pytest.mark.parametrize("printed", ["a line", "a comb"])
def test_a_single_digit_that_touches_what_is_under_it_is_taken_off_that(printed: str, degrees: float) -> None:
    digits, under = askew(number(), degrees), askew(drawn(PRINTED[printed]), degrees)
    touching = askew(drawn([(280, 200, 260, 240)], nib=12, ink=255), degrees)

    left = erase_boxes(np.maximum(np.maximum(digits, touching), under))

    assert (left[digits > 128] > 128).mean() > 0.98
    assert (left[(digits == 0) & (touching == 0)] > LEVEL).sum() <= 0.05 * (under > LEVEL).sum()


def test_a_tall_stroke_that_touches_a_box_is_none_of_its_sides() -> None:
    digits, stroke, around = number(), drawn([(305, 122, 300, 215)], nib=8, ink=255), drawn(boxed(apart=8))
    digits[:, 2 * CELL : 3 * CELL] = 0

    left = erase_boxes(np.maximum(np.maximum(digits, stroke), around))

    assert (left[stroke > 128] > 128).mean() > 0.9
    assert (left[(digits == 0) & (stroke == 0)] > LEVEL).sum() <= 0.1 * (around > LEVEL).sum()


def test_the_bar_of_a_five_is_no_line() -> None:
    five = drawn([(200, 80, 340, 74), (200, 90, 196, 180), (196, 180, 330, 230), (330, 230, 200, 290)], nib=8, ink=255)

    assert np.array_equal(erase_boxes(five), five)


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("nib", [3, 10, 50])
def test_digits_are_no_boxes(digit: int, nib: int) -> None:
    one, several = strokes(digit, nib=nib), np.hstack([strokes(digit, nib=nib)] * 3)

    assert np.array_equal(erase_boxes(one), one)
    assert np.array_equal(erase_boxes(several), several)


def test_a_rectangle_with_nothing_in_it_may_be_a_zero() -> None:
    zero = drawn([(250, 80, 350, 80), (250, 280, 350, 280), (250, 80, 250, 280), (350, 80, 350, 280)])

    assert np.array_equal(erase_boxes(zero), zero)


def test_what_leaves_the_picture_is_left_to_others() -> None:
    ink = np.maximum(number(), drawn([(0, UNDER, 5 * CELL, UNDER)]))

    assert np.array_equal(erase_boxes(ink), ink)


def test_boxes_in_boxes_without_end_take_no_longer() -> None:
    edges = np.arange(4, 316, 4)
    rings = np.stack([edges, edges, 640 - edges, 640 - edges], axis=1)

    chosen = rings[may_be_boxes(rings, (640, 640))]

    assert 0 < len(chosen) < len(rings)
    assert np.prod(chosen[:, 2:] - chosen[:, :2], axis=1).sum() <= MOST * 640**2


def test_of_a_picture_of_dashes_the_largest_pieces_alone_are_compared() -> None:
    dashes = np.array([(x, y, x + 26, y + 1) for y in range(4, 636, 2) for x in range(4, 600, 28)])
    box = np.array([(100, 100, 400, 200)])

    assert may_be_boxes(np.concatenate([dashes, box, dashes]), (640, 640)).tolist() == [len(dashes)]


@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (1, 300), (48, 48), (60, 500)])
@pytest.mark.parametrize("level", [0, 255])
def test_pictures_full_of_ink_or_without_any_have_no_boxes(shape: tuple[int, int], level: int) -> None:
    ink = np.full(shape, level, np.uint8)

    assert np.array_equal(erase_boxes(ink), ink)
