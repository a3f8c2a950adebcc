"""Marks become glyphs as MNIST's pictures are."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageDraw

from function.prepare import BOX, SIDE, Glyph, Ink, darken, fit, place, prepare, stroke_width
from tests.helpers import draw_digit

BOUNDED = settings(max_examples=300, deadline=None, derandomize=True)


def drawn(digit: int, *, side: int = 200, nib: int = 12) -> Ink:
    """White on black, drawn finely and reduced."""
    image = draw_digit(digit, side=4 * side, nib=4 * nib, ink="white", paper="black").convert("L")
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def extent(glyph: Glyph) -> tuple[int, int]:
    """Height and width of the ink's box."""
    return int(np.ptp(np.flatnonzero(glyph.any(axis=1)))) + 1, int(np.ptp(np.flatnonzero(glyph.any(axis=0)))) + 1


def centre_of_mass(glyph: Glyph) -> tuple[float, float]:
    places = np.arange(SIDE)
    return float(glyph.sum(axis=1) @ places / glyph.sum()), float(glyph.sum(axis=0) @ places / glyph.sum())


def difference(one: Glyph, other: Glyph) -> float:
    """Share of the ink that differs, where they fit best: the centre of mass may be rounded to the next pixel."""
    shifts = [np.roll(one, (down, across), (0, 1)) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return min(float(np.abs(shifted.astype(int) - other).sum()) for shifted in shifts) / float(other.sum())


def assert_valid(glyph: Glyph) -> None:
    assert glyph.shape == (SIDE, SIDE)
    assert glyph.dtype == np.uint8


@pytest.mark.parametrize("nib", [2, 8, 20, 50])
@pytest.mark.parametrize("digit", range(10))
def test_a_digit_fills_twenty_pixels_and_is_balanced_on_the_middle(digit: int, nib: int) -> None:
    glyph = prepare(drawn(digit, nib=nib))

    assert_valid(glyph)
    assert max(extent(glyph)) == BOX
    assert np.abs(np.subtract(centre_of_mass(glyph), SIDE / 2)).max() <= 0.5
    assert glyph.max() == 255


@pytest.mark.parametrize(("side", "differs"), [(48, 0.4), (96, 0.3), (384, 0.1), (768, 0.1)])
@pytest.mark.parametrize("digit", range(10))
def test_the_same_drawing_at_any_size_is_nearly_the_same_glyph(digit: int, side: int, differs: float) -> None:
    glyph, other = (prepare(drawn(digit, side=side, nib=side // 12)) for side in (192, side))

    assert difference(other, glyph) <= differs


@pytest.mark.parametrize("digit", range(10))
def test_empty_paper_around_a_digit_changes_nothing(digit: int) -> None:
    ink = drawn(digit)

    assert np.array_equal(prepare(np.pad(ink, ((3, 200), (70, 0)))), prepare(ink))


@pytest.mark.parametrize("digit", range(10))
def test_thin_strokes_come_out_as_a_pen_would_have_drawn_them(digit: int) -> None:
    glyph = prepare(drawn(digit, side=400, nib=3))

    assert 1.8 <= stroke_width(glyph) <= 4
    assert glyph[glyph > 0].mean() > 100


@pytest.mark.parametrize("digit", [0, 3, 8])
def test_thick_strokes_stay_thicker_than_thin_ones(digit: int) -> None:
    thin, thick = (prepare(drawn(digit, side=200, nib=nib)) for nib in (8, 30))

    assert stroke_width(thick) > 1.3 * stroke_width(thin)


def test_grey_ink_becomes_as_dark_as_black_ink() -> None:
    ink = drawn(5)

    faint = prepare((ink * 0.4).astype(np.uint8))

    assert np.abs(faint.astype(int) - prepare(ink)).max() <= 12


def test_mnist_s_pictures_come_out_as_they_went_in(mnist_dir: Path) -> None:
    packed = gzip.decompress((mnist_dir / "t10k-images-idx3-ubyte.gz").read_bytes())
    pictures = np.frombuffer(packed, np.uint8, offset=16).reshape(-1, SIDE, SIDE)

    changed = [index for index, picture in enumerate(pictures) if not np.array_equal(prepare(picture), picture)]

    assert len(pictures) == 10_000
    assert changed == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (1, 1), (28, 28), (3, 700)])
def test_no_ink_is_an_empty_glyph(shape: tuple[int, int]) -> None:
    glyph = prepare(np.zeros(shape, np.uint8))

    assert_valid(glyph)
    assert not glyph.any()


@pytest.mark.parametrize("level", [1, 90, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 17), (640, 640)])
def test_a_dot_a_line_and_a_blot_are_glyphs(shape: tuple[int, int], level: int) -> None:
    glyph = prepare(np.full(shape, level, np.uint8))

    assert_valid(glyph)
    assert glyph.any()
    assert max(extent(glyph)) <= BOX


def test_a_hair_line_lies_level_and_a_slanted_one_slanted() -> None:
    image = Image.new("L", (500, 500))
    ImageDraw.Draw(image).line((0, 400, 499, 100), fill=255)

    level, slanted = prepare(np.full((1, 500), 255, np.uint8)), prepare(np.asarray(image))

    assert extent(level)[1] == BOX
    assert extent(level)[0] <= 4
    assert slanted[:, :14].argmax(axis=0)[4:].mean() > slanted[:, 14:].argmax(axis=0)[:-4].mean()


@pytest.mark.parametrize("side", [1, 5, 15, 21, 100])
def test_a_mark_of_another_size_is_scaled_to_twenty_pixels(side: int) -> None:
    assert extent(prepare(np.full((side, side), 255, np.uint8))) == (BOX, BOX)


@pytest.mark.parametrize("side", [16, 18, 20])
def test_a_mark_of_the_right_size_is_laid_in_as_it_is(side: int) -> None:
    mark = np.random.default_rng(1).integers(1, 256, (side, side), np.uint8)

    glyph = prepare(mark)

    assert np.array_equal(glyph[glyph > 0].reshape(side, side), mark)


def test_the_thinnest_line_stays_one_pixel_broad_where_it_need_not_be_thickened() -> None:
    line = np.full((1, 21), 255, np.uint8)

    assert extent(prepare(line)) == (1, BOX)
    assert extent(prepare(line.T)) == (BOX, 1)


def test_specks_that_are_lost_in_scaling_are_an_empty_glyph() -> None:
    ink = np.zeros((3000, 3000), np.uint8)
    ink[0, 0] = ink[-1, -1] = 255

    assert not prepare(ink).any()


def test_scaling_makes_nothing_darker_or_lighter_than_it_was() -> None:
    step = np.repeat(np.array([[100], [200]], np.uint8), 50, axis=0).repeat(100, axis=1)

    scaled = fit(step, BOX)

    assert (scaled.min(), scaled.max()) == (100, 200)


def test_a_stroke_is_as_broad_as_what_has_half_its_darkness_however_much_paper_is_around() -> None:
    bar = np.zeros((60, 60), np.uint8)
    bar[5:55, 28:31] = 255
    blurred = bar.copy()
    blurred[5:55, [27, 31]] = 100

    assert stroke_width(blurred) == stroke_width(bar)


def test_full_ink_is_255_and_half_of_it_half_however_much_paper_is_around() -> None:
    ink = np.pad(np.array([[64, 128, 128, 128, 128]], np.uint8), 5)

    darkened = darken(ink)

    assert darkened.dtype == np.uint8
    assert darkened[5, 5:10].tolist() == [127, 255, 255, 255, 255]


@pytest.mark.parametrize("turns", range(4))
def test_a_mark_with_all_its_weight_at_one_end_reaches_the_edge_and_no_further(turns: int) -> None:
    mark = np.rot90(np.array([[1]] * 19 + [[255]], np.uint8), turns)

    rows, columns = np.nonzero(place(mark))

    assert len(rows) == BOX
    assert {0, SIDE - 1} & {*rows, *columns}


@BOUNDED
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=130), elements=st.sampled_from((0, 1, 128, 255))))
def test_any_ink_gives_a_glyph_within_its_box(ink: Ink) -> None:
    glyph = prepare(ink)

    assert_valid(glyph)
    assert bool(glyph.any()) == bool(ink.any())
    assert not glyph.any() or max(extent(glyph)) <= BOX


@BOUNDED
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_any_bytes_give_a_glyph_that_stays_the_same_when_prepared_anew(ink: Ink) -> None:
    once = prepare(ink)

    assert_valid(once)
    assert np.array_equal(prepare(once), once)
