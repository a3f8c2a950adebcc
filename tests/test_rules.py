"""Ruled and squared paper, as ink: lines go, strokes stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from function.rules import LEVEL, erase_rules
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
