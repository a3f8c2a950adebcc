"""Runs and components, against slow and plain ones."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from function.runs import Ints, Mask, label, run_lengths, unite

BOUNDED = settings(max_examples=200, deadline=None, derandomize=True)
Place = tuple[int, int]

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))


def read_mask(*rows: str) -> Mask:
    """`#` is set."""
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def slow_run_lengths(mask: Mask) -> list[list[int]]:
    return [
        [length for is_set, run in groupby(row) for length in [len(list(run))] for length in [length * is_set] * length]
        for row in mask.tolist()
    ]


def flood_fill(mask: Mask) -> set[frozenset[Place]]:
    """The 8-connected components as sets of (row, column)."""
    left = set(zip(*map(list, np.nonzero(mask)), strict=True))
    components = set()
    while left:
        component, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            component.add((int(y), int(x)))
            around = {(y + down, x + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & left
            left -= around
            edge += around
        components.add(frozenset(component))
    return components


def places(labels: Ints, value: int) -> frozenset[Place]:
    return frozenset((int(y), int(x)) for y, x in np.argwhere(labels == value))


def bounds(component: Iterable[Place]) -> list[int]:
    rows, columns = zip(*component, strict=True)
    return [min(columns), min(rows), max(columns) + 1, max(rows) + 1]


def spiral(side: int) -> Mask:
    """One line, a pixel wide with a pixel between its turns, from a corner to the middle."""
    mask = np.zeros((side, side), np.bool_)
    y, x, down, across = 0, 0, 0, 1
    mask[0, 0] = True
    for length in [side - 1, *(length for length in range(side - 1, 1, -2) for _ in range(2))]:
        for _ in range(length):
            y, x = y + down, x + across
            mask[y, x] = True
        down, across = across, -down
    return mask


@BOUNDED
@given(masks)
def test_every_pixel_knows_the_length_of_its_run(mask: Mask) -> None:
    assert run_lengths(mask).tolist() == slow_run_lengths(mask)


@BOUNDED
@given(masks)
def test_components_are_those_of_a_flood_fill_and_their_boxes_are_exact(mask: Mask) -> None:
    labels, boxes = label(mask)

    found = [places(labels, value) for value in range(1, len(boxes) + 1)]

    assert set(found) == flood_fill(mask)
    assert len(found) == len(set(found))
    assert boxes.tolist() == [bounds(component) for component in found]
    assert np.array_equal(labels == 0, ~mask)


def test_a_large_random_mask_is_labelled_as_a_flood_fill_would() -> None:
    mask = np.random.default_rng(1).random((120, 90)) < 0.4  # near the threshold at which components grow without end

    labels, boxes = label(mask)

    assert {places(labels, value) for value in range(1, len(boxes) + 1)} == flood_fill(mask)


def test_pixels_that_meet_at_a_corner_are_one_component() -> None:
    labels, boxes = label(read_mask("#..", ".#.", "#.#"))

    assert labels.max() == 1
    assert boxes.tolist() == [[0, 0, 3, 3]]


def test_pixels_with_one_clear_pixel_between_them_are_two_components() -> None:
    assert len(label(read_mask("#.#"))[1]) == 2
    assert len(label(read_mask("#", ".", "#"))[1]) == 2


def test_a_row_s_end_does_not_touch_the_next_row_s_beginning() -> None:
    mask = read_mask("..#", "...", "#..")
    longer = read_mask(".##", "...", "##.")

    assert len(label(mask)[1]) == 2
    assert len(label(read_mask("...#", "#..."))[1]) == 2
    assert run_lengths(longer).tolist() == [[0, 2, 2], [0, 0, 0], [2, 2, 0]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 5)])
def test_an_empty_mask_has_no_component_and_a_full_one_has_one(shape: tuple[int, int]) -> None:
    labels, boxes = label(np.zeros(shape, np.bool_))
    full_labels, full_boxes = label(np.ones(shape, np.bool_))

    assert labels.tolist() == np.zeros(shape).tolist()
    assert boxes.shape == (0, 4)
    assert full_labels.tolist() == np.ones(shape).tolist()
    assert full_boxes.tolist() == [[0, 0, shape[1], shape[0]]]
    assert run_lengths(np.ones(shape, np.bool_)).tolist() == np.full(shape, shape[1]).tolist()


@pytest.mark.parametrize("turned", range(4))
def test_a_long_spiral_is_one_component(turned: int) -> None:
    mask = np.rot90(spiral(401), turned)

    labels, boxes = label(mask)

    assert mask.mean() < 0.55  # it is a line, not a blot
    assert boxes.tolist() == [[0, 0, 401, 401]]
    assert np.array_equal(labels, mask.astype(np.intp))


@BOUNDED
@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(
            st.just(count), st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=15)
        )
    )
)
def test_united_things_share_the_lowest_that_they_are_connected_with(case: tuple[int, list[Place]]) -> None:
    count, pairs = case
    groups = [{thing} for thing in range(count)]
    for one, other in pairs:
        both = groups[one] | groups[other]
        for thing in both:
            groups[thing] = both

    root = unite(count, *np.array(pairs, np.intp).reshape(-1, 2).T)

    assert root.tolist() == [min(groups[thing]) for thing in range(count)]


def test_a_chain_of_thousands_in_a_random_order_is_united() -> None:
    order = np.random.default_rng(2).permutation(5000)

    root = unite(5000, order[:-1], order[1:])

    assert not root.any()
