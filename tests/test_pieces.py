"""What training shows the model of digits that were cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from function.locate import Mark
from function.prepare import NOT_A_DIGIT
from tests.test_cut import ONE, SEVEN, ZERO, strokes
from training.mnist import Split, load_mnist
from training.pieces import cut_pieces, meeting, slimness, what_it_is


@pytest.fixture(scope="module")
def digits(mnist_dir: Path) -> Split:
    assert mnist_dir.exists()
    return load_mnist("train", 300)


def test_pieces_are_digits_and_others(digits: Split) -> None:
    glyphs, labels = cut_pieces(120, digits, seed=1)

    assert glyphs.shape == (120, 28, 28)
    assert labels.shape == (120,)
    assert 30 <= np.count_nonzero(labels == NOT_A_DIGIT) <= 90
    assert len(np.unique(labels)) > 5
    assert all(glyph.any() for glyph in glyphs)


def test_the_same_seed_cuts_the_same_pieces(digits: Split) -> None:
    first, again = cut_pieces(20, digits, seed=3), cut_pieces(20, digits, seed=3)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def piece(ink: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], first: int, past: int) -> Mark:
    return Mark(ink[:, first:past], (first, 0, past, len(ink)))


def test_a_piece_is_what_most_of_it_is() -> None:
    layers = np.stack([strokes(ZERO), strokes(SEVEN)])
    page, labels = layers.max(axis=0), np.array([0, 7], np.uint8)

    assert what_it_is(piece(page, 0, 55), layers, labels) == 0
    assert what_it_is(piece(page, 54, 120), layers, labels) == 7
    assert what_it_is(piece(page, 0, 120), layers, labels) == NOT_A_DIGIT  # both
    assert what_it_is(Mark(page[:50, :55], (0, 0, 55, 50)), layers, labels) == NOT_A_DIGIT  # half a 0
    assert what_it_is(piece(page, 0, 46), layers, labels) is None  # nearly all of it


def test_a_digit_with_a_one_that_touches_it_is_none_however_little_ink_the_one_has() -> None:
    layers = np.stack([strokes(ZERO), np.roll(strokes(ONE), 10, axis=1)])
    page, labels = layers.max(axis=0), np.array([0, 1], np.uint8)

    assert layers[1].sum() < 0.35 * page.sum()
    assert what_it_is(piece(page, 0, 120), layers, labels) == NOT_A_DIGIT


def test_a_piece_that_might_as_well_be_a_one_is_not_shown() -> None:
    layers = np.stack([strokes(SEVEN), strokes(ZERO)])
    layers[0, :, 60:70] = 255
    assert what_it_is(piece(layers.max(axis=0), 60, 70), layers, np.array([7, 0], np.uint8)) is None


def test_slimness_does_not_depend_on_the_way_a_stroke_lies() -> None:
    upright, slanted = strokes(ONE), strokes(((90, 5), (30, 95)))
    assert slimness(upright) < 0.2
    assert slimness(slanted) < 0.2
    assert slimness(strokes(ZERO)) > 0.4


def test_digits_that_are_to_touch_meet() -> None:
    one, other = strokes(ONE)[:, 50:63], strokes(ZERO)[:, 5:55]
    apart = meeting(one > 128, 0, other > 128, 0)
    page = np.zeros((100, 200), np.uint8)
    page[:, :13] = one
    window = page[:, apart : apart + 50]

    assert not ((window > 128) & (other > 128)).any()
    assert ((page[:, apart - 1 : apart + 49] > 128) & (other > 128)).any()
