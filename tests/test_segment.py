"""How a line of marks is cut and joined so that the model sees digits in it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from function.cut import seams
from function.ink import Ink
from function.locate import Mark
from function.main import glance, look, read_ink
from function.prepare import NOT_A_DIGIT
from function.seen import Lines, Seen, is_texture
from function.segment import segment
from tests.helpers import draw_digit

Point = tuple[float, float]


def drawn(digit: int) -> Ink:
    """The ink of a digit 90 pixels high, and no more."""
    ink = np.asarray(draw_digit(digit, side=150, nib=9, ink="white", paper="black").convert("L"))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def written(digits: str, gap: int) -> Ink:
    """Digits beside each other, with a gap or an overlap between their boxes."""
    page, left = np.zeros((200, 600), np.uint8), 40
    for digit in digits:
        ink = drawn(int(digit))
        window = page[50 : 50 + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(window, ink, out=window)
        left += ink.shape[1] + gap
    return page


def text(lines: Lines) -> str:
    return "\n".join("".join(str(int(seen.probabilities.argmax())) for seen in line) for line in lines)


def wave() -> Ink:
    """A long stroke that is no digit, such as an edge of a shadow."""
    page = Image.new("L", (600, 200))
    points = [(40 + step, 100 + 30 * math.sin(step / 35)) for step in range(250)]
    ImageDraw.Draw(page).line(points, fill=255, width=9, joint="curve")
    return np.asarray(page)


@pytest.mark.parametrize("digits", ["23", "35", "28", "00", "235", "808"])
def test_touching_digits_are_cut(digits: str) -> None:
    lines = read_ink(written(digits, -9), "auto")

    assert text(lines) == digits
    assert any(seen.is_cut for seen in lines[0])


def looked_at(ink: Ink) -> tuple[int, int]:
    """How many pieces of the one mark there is, and how many places to cut it."""
    ((mark,),) = found = glance(ink, "auto")
    pieces: list[Mark] = []

    def counted(marks: Sequence[Mark]) -> list[Seen]:
        pieces.extend(marks)
        return look(marks)

    segment(found, counted)
    return len(pieces), len(seams(mark.mark.ink))


@pytest.mark.parametrize("ink", [written("23", -9), wave()], ids=["two digits", "an edge"])
def test_of_what_is_no_row_of_three_only_the_halves_are_looked_at(ink: Ink) -> None:
    pieces, cuts = looked_at(ink)
    assert 0 < pieces <= 2 * cuts


def test_of_a_row_of_three_the_middle_is_looked_at_too() -> None:
    pieces, cuts = looked_at(written("235", -9))
    assert pieces > 2 * cuts


@pytest.mark.parametrize("digits", ["2", "0", "8", "23", "40719"])
def test_digits_that_stand_alone_are_left_whole_and_certain(digits: str) -> None:
    lines = read_ink(written(digits, 20), "auto")

    assert text(lines) == digits
    assert all(seen.certainty == 1 and not seen.is_cut for seen in lines[0])


def test_a_four_in_two_strokes_is_one_digit_beside_others() -> None:
    page = written("23", 20)
    pen = Image.fromarray(page)
    draw = ImageDraw.Draw(pen)
    draw.line([(300, 55), (275, 105), (318, 102)], fill=255, width=9, joint="curve")
    draw.line([(325, 60), (323, 138)], fill=255, width=9)

    lines = read_ink(np.asarray(pen), "auto")

    assert text(lines) == "234"


@pytest.mark.parametrize("gap", [4, 10])
@pytest.mark.parametrize("digits", ["613", "71", "1024"])
def test_a_one_in_two_pieces_is_one_digit_beside_others(digits: str, gap: int) -> None:
    page, left = np.zeros((200, 600), np.uint8), 40
    for digit in digits:
        ink = drawn(int(digit))
        if digit == "1":
            ink = np.full((90, 18), 255, np.uint8)
            ink[45 : 45 + gap] = 0
        page[50 : 50 + ink.shape[0], left : left + ink.shape[1]] = ink
        left += ink.shape[1] + 20
    assert text(read_ink(page, "auto")) == digits


def test_ones_of_two_lines_are_two() -> None:
    line = written("41", 12)[30:180]
    assert text(read_ink(np.concatenate([line, line]), "auto")) == "41\n41"


def test_what_was_cut_is_less_certain_than_what_was_not() -> None:
    (line,) = read_ink(written("23", -9), "auto")
    assert all(0 < seen.certainty <= 1 for seen in line)
    assert min(seen.certainty for seen in line) < 1


def test_a_number_is_the_line_with_the_most_ink() -> None:
    page = np.concatenate([written("6", 20), written("238", 20)])
    assert text(read_ink(page, "number")) == "238"


def test_with_expect_digit_nothing_is_cut() -> None:
    assert [len(line) for line in read_ink(written("23", -9), "digit")] == [1]


@pytest.mark.parametrize(("digits", "others", "textures"), [(25, 20, 1), (40, 15, 0), (20, 10, 0), (0, 1, 0)])
def test_a_texture_is_no_page_of_digits(digits: int, others: int, textures: int) -> None:
    one, none = (
        Seen(Mark(np.zeros((20, 10), np.uint8), (0, 0, 10, 20)), np.zeros((28, 28), np.uint8), row)
        for row in np.eye(NOT_A_DIGIT + 1)[[1, NOT_A_DIGIT]]
    )
    assert is_texture([[one] * digits + [none] * others]) == bool(textures)


@pytest.mark.parametrize("shape", [(60, 600), (300, 300), (20, 2000)])
def test_marks_all_over_end_in_an_answer_soon(shape: tuple[int, int]) -> None:
    ink = np.where(np.random.default_rng(5).random(shape) < 0.3, 255, 0).astype(np.uint8)
    started = time.monotonic()

    read_ink(ink, "auto")

    assert time.monotonic() - started < 5


def test_strokes_beside_each_other_without_end_are_read_too() -> None:
    page = np.zeros((60, 900), np.uint8)
    page[10:50, 5:895:12] = 255
    page[10:50, 6:895:12] = 255
    page[25, 5:895:24] = 255

    assert len(read_ink(page, "auto")) <= 1
