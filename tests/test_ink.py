"""Ink on paper of every kind that our own code can make."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from function.decode import Pixels
from function.ink import Ink, find_ink
from function.locate import LEVEL
from tests.helpers import draw_digit

Floats = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

GREYS: list[Colour] = [(255, 255, 255), (128, 128, 128), (0, 0, 0)]
TINTS: list[Colour] = [(250, 235, 140), (190, 215, 250), (240, 190, 200), (40, 70, 55), (90, 140, 90), (200, 40, 40)]


def coverage(digit: int = 5, *, side: int = 320, nib: int = 14) -> Floats:
    """(side, side): how much of each pixel the pen covers, 0 to 1."""
    drawn = draw_digit(digit, side=side * 4, nib=nib * 4, ink="white", paper="black").convert("L")
    return np.asarray(drawn.resize((side, side), Image.Resampling.BOX), np.float64) / 255


def pen_on(paper: Floats | Colour, ink: Colour, covered: Floats) -> Floats:
    """(h, w, 3)."""
    share = covered[..., np.newaxis]
    return np.asarray(np.asarray(paper) * (1 - share) + np.asarray(ink) * share, np.float64)


def photograph(scene: Floats, *, noise: float = 4, seed: int = 0) -> Pixels:
    grain = np.random.default_rng(seed).normal(0, noise, scene.shape)
    return np.clip(np.rint(scene + grain), 0, 255).astype(np.uint8)


def sheet(grey: float = 205, *, light: float = 1, dark: float = 0.6, side: int = 320) -> Floats:
    """(side, side, 3): paper that the light leaves towards one corner."""
    fall = np.linspace(light, dark, side)
    return np.asarray(grey * np.sqrt(np.outer(fall, fall))[..., np.newaxis] * np.array([1, 0.98, 0.94]))


def shadowed(scene: Floats, *, blur: float = 12) -> Floats:
    """A hand's shadow over the lower right."""
    height, width, _ = scene.shape
    below = np.add.outer(np.arange(height) / height, np.arange(width) / width) > 1.1
    edge = Image.fromarray(below.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(scene * (1 - 0.45 * np.asarray(edge, np.float64)[..., np.newaxis] / 255))


def assert_found(ink: Ink, covered: Floats) -> None:
    """Surely ink where the pen went, surely none a few pixels off; the pen's blurred edge may be either."""
    touched = Image.fromarray(covered > 0).convert("L").filter(ImageFilter.MaxFilter(9))
    paper = np.asarray(touched) == 0
    assert (ink[covered == 1] > LEVEL).mean() >= 0.98
    assert (ink[paper] > LEVEL).mean() <= 0.001


@pytest.mark.parametrize(("paper", "ink"), list(permutations([*GREYS, *TINTS], 2)))
def test_a_drawing_of_two_colours_is_full_ink_on_no_ink(paper: Colour, ink: Colour) -> None:
    covered = coverage(side=160, nib=8)

    found = find_ink(np.rint(pen_on(paper, ink, covered)).astype(np.uint8))

    assert (found[covered == 1] == 255).all()
    assert (found[covered == 0] == 0).all()


def test_half_a_pixel_s_ink_is_half_ink() -> None:
    covered = coverage()

    found = find_ink(np.rint(pen_on((255, 255, 255), (0, 0, 0), covered)).astype(np.uint8))

    assert np.abs(found - 255 * covered).max() <= 2


@pytest.mark.parametrize("nib", [20, 40, 60])
@pytest.mark.parametrize(("paper", "ink"), [((255, 255, 255), (0, 0, 0)), ((0, 0, 0), (255, 255, 255))])
@pytest.mark.parametrize("digit", [0, 2, 5, 8])
def test_a_thick_brush_leaves_the_paper_between_its_strokes(digit: int, paper: Colour, ink: Colour, nib: int) -> None:
    covered = coverage(digit, nib=nib)

    found = find_ink(np.rint(pen_on(paper, ink, covered)).astype(np.uint8))

    assert (found[covered == 1] == 255).all()
    assert (found[covered == 0] == 0).all()


@pytest.mark.parametrize("margin", [0, 12])
@pytest.mark.parametrize("digit", [0, 2, 3, 5, 7])
def test_a_brush_digit_that_fills_its_picture_is_found(digit: int, margin: int) -> None:
    covered = coverage(digit, nib=26)
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    covered = np.pad(covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], margin)

    found = find_ink(np.rint(pen_on((255, 255, 255), (0, 0, 0), covered)).astype(np.uint8))

    assert (found[covered == 1] == 255).all()
    assert (found[covered == 0] == 0).all()


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, 0.93, 0.6), (0.75, 0.85, 1), (0.95, 0.75, 0.8), (0.6, 0.75, 0.6)])
@pytest.mark.parametrize("ink", [(35, 35, 45), (30, 50, 150), (150, 30, 40)])
def test_ink_is_found_on_tinted_paper(tint: tuple[float, float, float], ink: Colour) -> None:
    covered = coverage()

    found = find_ink(photograph(pen_on(sheet(220) * np.array(tint), ink, covered)))

    assert_found(found, covered)


@pytest.mark.parametrize("blur", [5, 15, 30])
@pytest.mark.parametrize("digit", [1, 5, 8])
def test_a_hand_s_shadow_is_no_ink(digit: int, blur: float) -> None:
    covered = coverage(digit)

    found = find_ink(photograph(shadowed(pen_on(sheet(dark=0.9), (40, 40, 50), covered), blur=blur)))

    assert_found(found, covered)


@pytest.mark.parametrize("dark", [1, 0.7, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_paper_that_fades_into_the_dark_is_no_ink(dark: float, seed: int) -> None:
    covered = coverage(seed)

    found = find_ink(photograph(sheet(dark=dark) * (1 - 0.8 * covered[..., np.newaxis]), seed=seed))

    assert_found(found, covered)


@pytest.mark.parametrize("noise", [0, 3, 8, 15])
def test_grain_is_no_ink(noise: float) -> None:
    covered = coverage()

    found = find_ink(photograph(pen_on(sheet(), (40, 40, 50), covered), noise=noise))

    assert_found(found, covered)


@pytest.mark.parametrize("digit", [2, 4, 7])
def test_chalk_on_a_blackboard_is_ink(digit: int) -> None:
    covered = coverage(digit)
    board = sheet(70, dark=0.5) * np.array([0.8, 1, 0.9])

    found = find_ink(photograph(pen_on(board, (220, 220, 210), covered)))

    assert_found(found, covered)


def test_a_negative_has_the_same_ink_as_its_photograph() -> None:
    picture = photograph(shadowed(pen_on(sheet(), (40, 40, 50), coverage(3))))

    difference = find_ink(picture).astype(int) - find_ink(np.invert(picture))

    assert np.abs(difference).max() <= 40
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize("noise", [0, 4])
def test_ink_as_bright_as_its_paper_is_found_by_its_colour(noise: float) -> None:
    paper, ink = (90, 140, 90), (205, 90, 70)  # the same luma (ITU-R BT.601)
    covered = coverage()

    found = find_ink(photograph(pen_on(paper, ink, covered), noise=noise))

    assert abs(np.dot(np.subtract(paper, ink), (0.299, 0.587, 0.114))) < 3
    assert_found(found, covered)


@pytest.mark.parametrize("seed", range(3))
def test_pencil_ten_grey_levels_darker_than_grainy_paper_is_found(seed: int) -> None:
    covered = coverage(seed)

    found = find_ink(photograph(sheet(dark=0.9) - 10 * covered[..., np.newaxis], noise=1.5, seed=seed))

    assert (found[covered == 1] > LEVEL).mean() >= 0.9
    assert (found[covered == 0] > LEVEL).mean() <= 0.01


@pytest.mark.parametrize("grey", [0, 1, 90, 200, 255])
@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (65, 40), (300, 400)])
def test_a_picture_of_one_colour_has_no_ink(grey: int, shape: tuple[int, int]) -> None:
    assert not find_ink(np.full((*shape, 3), grey, np.uint8)).any()


@pytest.mark.parametrize("dark", [1, 0.8, 0.6])
def test_blank_paper_in_uneven_light_has_no_ink(dark: float) -> None:
    assert not find_ink(photograph(sheet(dark=dark), noise=0)).any()


@pytest.mark.parametrize("noise", [1, 2, 4, 8])
@pytest.mark.parametrize("dark", [1, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_blank_grainy_paper_has_no_ink(dark: float, noise: float, seed: int) -> None:
    assert not find_ink(photograph(sheet(dark=dark), noise=noise, seed=seed)).any()


@pytest.mark.parametrize("digit", range(10))
def test_the_ink_of_a_small_picture_white_on_black_is_the_picture_itself(digit: int) -> None:
    picture = np.rint(coverage(digit, side=28, nib=2) * 255).astype(np.uint8)
    picture[14, 14] = 255

    assert np.array_equal(find_ink(np.repeat(picture[..., np.newaxis], 3, axis=2)), picture)


@pytest.mark.parametrize("side", [28, 48, 64])
@pytest.mark.parametrize("digit", [0, 1, 5, 6, 7, 9])
def test_a_photograph_the_size_of_an_icon_has_ink(digit: int, side: int) -> None:
    covered = coverage(digit, side=side, nib=side // 12)

    found = find_ink(photograph(sheet(dark=0.6, side=side) * (1 - 0.75 * covered[..., np.newaxis])))

    assert (found[covered == 1] > LEVEL).mean() >= 0.9
    assert (found[covered == 0] > LEVEL).mean() <= 0.05


@pytest.mark.parametrize("corners", [1, 2, 4])
@pytest.mark.parametrize(("paper", "ink"), [((255, 255, 255), (0, 0, 0)), ((0, 0, 0), (255, 255, 255))])
def test_corners_do_not_say_what_is_paper(paper: Colour, ink: Colour, corners: int) -> None:
    covered = coverage()
    picture = np.rint(pen_on(paper, ink, covered)).astype(np.uint8)
    for patch in (np.s_[:40, :40], np.s_[:40, -40:], np.s_[-40:, :40], np.s_[-40:, -40:])[:corners]:
        picture[patch] = ink

    found = find_ink(picture)

    assert (found[covered == 1] == 255).all()
    assert not found[60:-60, 60:-60][covered[60:-60, 60:-60] == 0].any()


def test_a_frame_around_the_picture_does_not_say_what_is_paper() -> None:
    covered = coverage()
    picture = np.rint(pen_on((255, 255, 255), (0, 0, 0), covered)).astype(np.uint8)
    picture[:16], picture[-16:], picture[:, :16], picture[:, -16:] = 0, 0, 0, 0

    found = find_ink(picture)

    assert (found[covered == 1] == 255).all()
    assert not found[16:-16, 16:-16][covered[16:-16, 16:-16] == 0].any()


@pytest.mark.parametrize("left", [0, 40, 1160])
def test_a_drawing_at_the_end_of_a_long_strip_is_found(left: int) -> None:
    covered = np.zeros((120, 1280))
    covered[:, left : left + 120] = coverage(4, side=120, nib=8)

    found = find_ink(np.rint(pen_on((255, 255, 255), (0, 0, 0), covered)).astype(np.uint8))

    assert (found[covered == 1] == 255).all()
    assert (found[covered == 0] == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 65), (65, 1), (1, 640), (640, 1), (2, 640), (7, 7)])
@pytest.mark.parametrize("seed", range(3))
def test_pictures_of_few_pixels_have_ink_of_their_own_shape(shape: tuple[int, int], seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)

    found = find_ink(picture)

    assert found.shape == shape
    assert found.dtype == np.uint8
