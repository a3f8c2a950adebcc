"""How many numbers, and pages of numbers, are read rightly throughout."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bench.pages import Floats, Page, draw_page, photograph, write_number
from function import main
from function.decode import WORKING_SIDE, Picture, decode
from function.locate import Box
from function.main import read_digits
from function.timing import Timing
from tests.helpers import draw_digit, encode
from training.measure import calibration_error, edits
from training.mnist import Split, read_idx

RecordProperty = Callable[[str, object], None]

COUNT = 200
NUMBERS = 0.9  # right throughout …
DIGITS = 0.975  # … and of all their digits
CALIBRATION = 0.08  # of 200 answers; chance alone makes half of it


@pytest.fixture(scope="module")
def digits(mnist_dir: Path) -> Split:
    assert mnist_dir.exists()
    return read_idx("t10k-images-idx3-ubyte"), read_idx("t10k-labels-idx1-ubyte")


def turned(page: Page, quarters: int) -> bytes:
    with Image.open(io.BytesIO(page.jpeg)) as image:
        return encode(image.rotate(90 * quarters, expand=True), "JPEG", quality=90)


def test_numbers_are_read_throughout(digits: Split, record_property: RecordProperty) -> None:
    random = np.random.default_rng(2)
    pages = [draw_page(digits, random) for _ in range(COUNT)]

    readings = [read_digits(page.jpeg, "auto", Timing()) for page in pages]

    right = np.array([reading.result == page.label for reading, page in zip(readings, pages, strict=True)])
    wrong = sum(edits(reading.result, page.label) for reading, page in zip(readings, pages, strict=True))
    correct = 1 - wrong / sum(len(page.label) for page in pages)
    error = calibration_error(np.array([reading.confidence for reading in readings]), right)
    record_property("numbers", float(right.mean()))
    print(f"{right.mean():.1%} of {COUNT} numbers, {correct:.2%} of their digits; calibration error {error:.1%}")
    for reading, page in zip(readings, pages, strict=True):
        if reading.result != page.label:
            print(f"  {page.label} read as {reading.result!r} ({reading.confidence:.2f})")
    assert right.mean() >= NUMBERS
    assert correct >= DIGITS
    assert error <= CALIBRATION


def test_boxes_lie_on_the_digits(digits: Split) -> None:
    random = np.random.default_rng(3)
    overlaps = []
    for _ in range(30):
        page = draw_page(digits, random)
        reading = read_digits(page.jpeg, "number", Timing())
        if reading.result == page.label:
            boxes = [(x, y, x + width, y + height) for x, y, width, height in (d.box for d in reading.digits)]
            overlaps += [overlap(*pair) for pair in zip(boxes, page.boxes, strict=True)]
    assert len(overlaps) > 60
    assert float(np.median(overlaps)) > 0.75
    assert min(overlaps) > 0.2


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    (left, top), (right, bottom) = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = max(0, right - left) * max(0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(shared / (sum(areas) - shared))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_page_that_was_photographed_the_wrong_way_up_is_turned_or_doubted(quarters: int, digits: Split) -> None:
    random = np.random.default_rng(4)
    pages = [draw_page(digits, random, lines=3, length=6) for _ in range(20)]

    readings = [read_digits(turned(page, quarters), "auto", Timing()) for page in pages]

    right = [reading.result == page.label for reading, page in zip(readings, pages, strict=True)]
    doubted = [bool(reading.notice) for reading in readings]
    alike = [edits(reading.result, page.label) <= 3 for reading, page in zip(readings, pages, strict=True)]
    print(f"{sum(right)} right, {sum(alike)} nearly, {sum(doubted)} with a notice, of {len(pages)}")
    assert sum(alike) >= 0.8 * len(pages)
    assert all(doubted)
    assert any((reading.notice or {})["code"] == "turned" for reading in readings)


def test_real_pages_are_read(pictures_dir: Path, record_property: RecordProperty) -> None:
    with (pictures_dir / "labels.csv").open(newline="", encoding="utf-8") as labels:
        rows = [row for row in csv.DictReader(labels) if row["file"].startswith("pages/")]
    pages = {row["file"]: row["label"].replace("\\n", "\n") for row in rows if row["label"][0].isdigit()}

    results = {name: read_digits((pictures_dir / name).read_bytes(), "auto", Timing()).result for name in pages}

    wrong = {name: result for name, result in results.items() if result != pages[name]}
    record_property("pages", 1 - len(wrong) / len(pages))
    print(f"{len(pages) - len(wrong)} of {len(pages)} pages right; {wrong}")
    assert len(pages) >= 6
    assert len(wrong) <= len(pages) / 6


def small_number(digits: Split, random: np.random.Generator) -> tuple[bytes, str]:
    """A JPEG of 1280×960 pixels with digits 24 pixels high, and what they are."""
    number = write_number(digits, random, 24, int(random.integers(2, 9)))
    ink = np.zeros((960, 1280))
    x, y = int(random.integers(60, 1200 - number.width)), int(random.integers(100, 800))
    number.lay(ink, x, y)
    return photograph(ink, np.ones(ink.shape, bool), random), number.text


def test_small_digits_on_a_large_page_are_looked_at_closely(digits: Split) -> None:
    random = np.random.default_rng(7)
    pages = [small_number(digits, random) for _ in range(40)]
    timings = [Timing() for _ in pages]

    readings = [read_digits(jpeg, "auto", timing) for (jpeg, _), timing in zip(pages, timings, strict=True)]

    right = [reading for reading, (_, text) in zip(readings, pages, strict=True) if reading.result == text]
    print(f"{len(right)} of {len(pages)}")
    assert len(right) >= 0.75 * len(pages)
    assert sum("closer" in dict(timing.steps) for timing in timings) >= 0.9 * len(pages)
    assert all(16 <= digit.box[3] <= 48 for reading in right for digit in reading.digits)


def test_large_digits_and_pictures_without_more_detail_are_looked_at_once(digits: Split) -> None:
    large, timing = draw_page(digits, np.random.default_rng(3), length=2), Timing()
    small, other = encode(Image.open(io.BytesIO(large.jpeg)).resize((60, 60)), "PNG"), Timing()

    read_digits(large.jpeg, "auto", timing)
    read_digits(small, "auto", other)

    assert [step for step, _ in timing.steps] == [step for step, _ in other.steps] == ["decode", "locate", "classify"]


def test_where_a_closer_look_fails_the_first_one_counts(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_once(data: bytes, *, max_pixels: int, side: int = WORKING_SIDE) -> Picture:
        if side > WORKING_SIDE:
            raise MemoryError
        return decode(data, max_pixels=max_pixels)

    monkeypatch.setattr(main, "decode", decode_once)
    jpeg, text = small_number(digits, np.random.default_rng(7))

    assert len(read_digits(jpeg, "auto", Timing()).digits) > len(text) / 2


def test_a_line_of_small_digits_below_a_line_of_large_ones_is_read_whole() -> None:
    page = Image.new("RGB", (640, 360), "white")
    for place, digit in enumerate((7, 2, 0)):
        page.paste(draw_digit(digit, side=160, nib=16), (30 + 130 * place, 10))
    for place, digit in enumerate((1, 4, 5, 1, 9)):
        page.paste(draw_digit(digit, side=48, nib=3), (40 + 34 * place, 240))
    assert read_digits(encode(page), "auto", Timing()).result == "720\n14519"


def date(digits: Split, random: np.random.Generator) -> tuple[bytes, str]:
    """A JPEG of a day, a month and a year with slashes between, and their digits."""
    height = random.uniform(36, 60)
    parts = [write_number(digits, random, height, length) for length in (2, 2, 4)]
    ink, x = np.zeros((round(3 * height), sum(part.width for part in parts) + round(4 * height))), round(height)
    for place, part in enumerate(parts):
        if place:
            x += slash(ink, x, height, random)
        part.lay(ink, x, round(height))
        x += part.width
    return photograph(ink, np.ones(ink.shape, bool), random), "".join(part.text for part in parts)


def slash(ink: Floats, x: int, height: float, random: np.random.Generator) -> int:
    """Write one that is higher than digits of this `height`, whose top is one height down; gives how wide it is."""
    beyond, lean = random.uniform(0.15, 0.4) * height, random.uniform(0.3, 0.5) * height
    page = Image.new("L", ink.shape[::-1])
    ends = (x + 0.2 * height, 2 * height + beyond, x + 0.2 * height + lean, height - beyond)
    ImageDraw.Draw(page).line(ends, fill=255, width=round(height / 10))
    np.maximum(ink, np.asarray(page) / 255, out=ink)
    return round(lean + 0.4 * height)


def test_the_slashes_of_a_date_are_left_out(digits: Split) -> None:
    random = np.random.default_rng(8)
    dates = [date(digits, random) for _ in range(30)]

    right = [read_digits(jpeg, "auto", Timing()).result.replace(" ", "") == text for jpeg, text in dates]

    print(f"{sum(right)} of {len(right)}")
    assert sum(right) >= 0.7 * len(right)
