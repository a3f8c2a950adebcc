"""Words before, between and after numbers are left out, with the letters in them that look like digits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

from bench.pages import enlarge, lay, photograph, write_number
from function.locate import Mark
from function.main import read_digits
from function.prepare import NOT_A_DIGIT
from function.seen import Seen, without_words
from function.timing import Timing
from training.mnist import Split, read_idx
from training.shapes import letter

RecordProperty = Callable[[str, object], None]

HEIGHT = 40
COUNT = 40


def mark(character: str, left: int) -> Seen:
    """A digit as the model sees it for sure, or one that it takes for none: `?`, or `W`, which is wide."""
    surely = int(character) if character.isdigit() else NOT_A_DIGIT
    probabilities = np.where(np.arange(NOT_A_DIGIT + 1) == surely, 0.99, 0.001)
    width = 55 if character == "W" else 20
    ink, box = np.full((HEIGHT, width), 255, np.uint8), (left, 0, left + width, HEIGHT)
    return Seen(Mark(ink, box), np.zeros((28, 28), np.uint8), probabilities)


def uncut(seen: Seen) -> list[Seen]:
    return [seen]


def line(text: str) -> list[Seen]:
    """Its characters five pixels apart, and a space 30 more."""
    steps = (60 if character == "W" else 30 if character == " " else 25 for character in text)
    places = accumulate(steps, initial=0)
    return [mark(character, left) for character, left in zip(text, places, strict=False) if character != " "]


def said(marks: list[Seen]) -> str:
    return "".join("?" if seen.is_none else str(seen.probabilities.argmax()) for seen in marks)


@pytest.mark.parametrize(
    ("text", "numbers"),
    {
        "4071": "4071",
        "?? 47": "47",
        "47 ???": "47",
        "47 ??? 29": "4729",
        "?0? 47 ?5??": "47",
        "47 6????": "47",
        "????4711": "4711",
        "1984 ?1?? 2 5": "198425",
    }.items(),
)
def test_words_are_left_out(text: str, numbers: str) -> None:
    assert said(without_words(line(text), uncut)) == numbers


@pytest.mark.parametrize(
    ("parts", "numbers"), {"65": "????4986", "11": "4986", "6?": "4986", "71": "4986", "77": "????4986"}.items()
)
def test_what_is_cut_into_two_sure_digits_and_no_1s_is_no_letter(parts: str, numbers: str) -> None:
    assert said(without_words(line("W W W W 4986"), lambda _: [mark(part, 0) for part in parts])) == numbers


@pytest.mark.parametrize("text", ["47?", "?47", "4?7", "47 ?", "4?71?2", "? 471", "4 7 1", "5"])
def test_a_single_mark_may_be_two_digits_that_touch_and_stays(text: str) -> None:
    assert said(without_words(line(text), uncut)) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["???", "?", "?1? ?1", "1 ???", "??? 11"])
def test_a_line_without_a_sure_digit_is_left_as_it_is_for_a_1_is_any_stroke(text: str) -> None:
    assert said(without_words(line(text), uncut)) == text.replace(" ", "")


@pytest.mark.parametrize("side", ["left", "right"])
def test_numbers_beside_words_are_read(side: str, mnist_dir: Path, record_property: RecordProperty) -> None:
    assert mnist_dir.exists()
    digits = read_idx("t10k-images-idx3-ubyte"), read_idx("t10k-labels-idx1-ubyte")
    random = np.random.default_rng(6)
    pages = [beside_a_word(digits, random, is_left=side == "left") for _ in range(COUNT)]

    readings = [(read_digits(jpeg, "auto", Timing()).result, label) for jpeg, label in pages]

    right = np.array([result == label for result, label in readings])
    record_property(side, float(right.mean()))
    print(f"{right.mean():.1%} of {COUNT}: {[pair for pair, good in zip(readings, right, strict=True) if not good]}")
    assert right.mean() >= 0.75


def beside_a_word(digits: Split, random: np.random.Generator, *, is_left: bool) -> tuple[bytes, str]:
    """A JPEG of a number and a word of two to five letters on one side of it, and the number."""
    height = random.uniform(34, 80)
    number = write_number(digits, random, height, int(random.integers(2, 7)))
    letters = [enlarge(letter(digits, random), height, 0, 0) for _ in range(random.integers(2, 6))]
    lefts = list(accumulate((glyph.shape[1] + round(0.2 * height) for glyph in letters), initial=0))
    gap, margin = round(height * random.uniform(0.5, 1.2)), round(height)
    ink = np.zeros((3 * margin, number.width + lefts[-1] + gap + 2 * margin))
    of_word, of_number = (0, lefts[-1] + gap) if is_left else (number.width + gap, 0)
    for left, glyph in zip(lefts, letters, strict=False):
        lay(ink, glyph, margin + of_word + left, margin)
    number.lay(ink, margin + of_number, margin)
    return photograph(ink, np.ones(ink.shape, bool), random), number.text
