"""Medians, quantiles and windows: the same as the slower ones of NumPy and Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageFilter

from function.ranks import grown, highest, lowest, median, medians, ordered, quantile

pixels = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=30))


@given(values=pixels, reach=st.integers(0, 12))
def test_windows_hold_what_pillow_s_filters_find(values: npt.NDArray[np.uint8], reach: int) -> None:
    image = Image.fromarray(values)
    assert np.array_equal(highest(values, reach), np.asarray(image.filter(ImageFilter.MaxFilter(2 * reach + 1))))
    assert np.array_equal(lowest(values, reach), np.asarray(image.filter(ImageFilter.MinFilter(2 * reach + 1))))


@given(values=pixels, reach=st.integers(1, 5))
def test_what_is_given_stays_as_it_was(values: npt.NDArray[np.uint8], reach: int) -> None:
    before = values.copy()
    highest(values, reach)
    lowest(values, reach)
    assert np.array_equal(values, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@given(data=st.data(), share=st.floats(0, 1))
def test_a_quantile_is_that_of_numpy(dtype: Any, data: st.DataObject, share: float) -> None:
    whole = data.draw(arrays(np.uint8, array_shapes(max_dims=2, max_side=40)))
    assert quantile(whole.astype(dtype), share) == pytest.approx(float(np.quantile(whole.astype(np.float64), share)))


@given(values=st.lists(st.integers(0, 1000) | st.floats(0, 1000), min_size=1, max_size=20))
def test_a_median_is_that_of_numpy(values: list[float]) -> None:
    assert median(values) == pytest.approx(float(np.median(values)))


@given(values=pixels)
def test_medians_are_those_of_numpy_in_each_row_and_column(values: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(medians(values), np.median(values, axis=1))
    assert np.array_equal(medians(values.T), np.median(values, axis=0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@given(values=pixels, data=st.data())
def test_what_is_ordered_has_those_ranks_in_its_rows(
    dtype: Any, values: npt.NDArray[np.uint8], data: st.DataObject
) -> None:
    given = values.astype(dtype)
    ranks = data.draw(st.lists(st.integers(0, values.shape[1] - 1), min_size=1, max_size=3))
    assert np.array_equal(ordered(given, *ranks)[:, ranks], np.sort(values, axis=1)[:, ranks])
    assert np.array_equal(given, values)


def test_what_is_grown_reaches_as_far_on_all_sides() -> None:
    mask = np.zeros((5, 6), bool)
    mask[2, 1] = True
    assert grown(mask, 1).tolist() == [[0] * 6, *[[1, 1, 1, 0, 0, 0]] * 3, [0] * 6]
