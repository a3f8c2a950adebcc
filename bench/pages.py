"""Pages of numbers as a phone would photograph them, drawn by our own code with MNIST's digits."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from function.locate import Box
from training.mnist import Bytes, Split
from training.pieces import meeting

Random = np.random.Generator
Floats = npt.NDArray[np.float64]

TOUCHING = 0.15  # of the numbers have a pair that touches
RULED = 0.15  # of the pages have lines
TABLE = 0.03  # lie on a table that is seen
SKEW = 12  # degrees that the lines of a page climb or fall, at most …
UNEVEN = 2  # … give or take as many for each
PENS = ((20, 20, 25), (30, 40, 110), (20, 60, 160), (95, 95, 100), (150, 30, 35))  # felt, ink, ball, pencil, red


@dataclass(frozen=True)
class Page:
    """A JPEG of numbers, what they are, line by line, and where their digits lie in reading order: (left, top, right,
    bottom) in pixels."""

    jpeg: bytes
    lines: list[str]
    boxes: list[Box]

    @property
    def label(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Number:
    """Digits beside each other: `text`, and the left, top and ink, (h, w) in 0 to 1, of each."""

    text: str
    glyphs: list[tuple[int, int, Floats]]

    @property
    def width(self) -> int:
        return int(max(left + glyph.shape[1] for left, _, glyph in self.glyphs))

    def lay(self, ink: Floats, x: int, y: int) -> None:
        """Write it on the paper, level."""
        for left, top, glyph in self.glyphs:
            lay(ink, glyph, x + left, y + top)


def draw_page(
    digits: Split, random: Random, *, lines: int = 1, length: int | None = None, table: float = TABLE
) -> Page:
    """`lines` numbers of two to eight digits, or of `length`, written with one pen on one paper, which lies with the
    probability `table` on a table that is seen."""
    height = random.uniform(34, 90) / (1 if lines < 4 else 1.5)
    numbers = [write_number(digits, random, height, length or int(random.integers(2, 9))) for _ in range(lines)]
    margin, pitch = int(random.uniform(0.8, 2) * height), random.uniform(1.6, 2.6) * height
    width = max(number.width for number in numbers) + 2 * margin + int(random.uniform(0, 4) * height)
    skew = random.uniform(-SKEW, SKEW)
    room = int(np.tan(np.radians(SKEW + UNEVEN)) * width)
    ink = np.zeros((int(2 * margin + pitch * (lines - 1) + 1.4 * height) + 2 * room, width))
    boxes = []
    for index, number in enumerate(numbers):
        slope = np.tan(np.radians(skew + random.uniform(-UNEVEN, UNEVEN)))
        start = int(random.integers(margin, width - margin - number.width + 1))
        for left, top, glyph in number.glyphs:
            x = start + left
            boxes.append(lay(ink, glyph, x, round(room + margin + index * pitch + top + slope * (x - width / 2))))
    left, top, right, bottom = random.integers(0, int(3 * height), 4) if random.random() < table else (0, 0, 0, 0)
    edges = (int(top), int(bottom)), (int(left), int(right))
    sheet = np.pad(np.ones(ink.shape, bool), edges)
    boxes = [(box[0] + left, box[1] + top, box[2] + left, box[3] + top) for box in boxes]
    return Page(photograph(np.pad(ink, edges), sheet, random), [number.text for number in numbers], boxes)


def write_number(digits: Split, random: Random, height: float, length: int) -> Number:
    images, labels = digits
    chosen = random.integers(len(labels), size=length)
    touching = int(random.integers(1, length)) if random.random() < TOUCHING else -1
    slant, spacing, pen = random.uniform(-0.2, 0.3), random.uniform(0.12, 0.6), random.uniform(-0.6, 0.5)
    glyphs: list[tuple[int, int, Floats]] = []
    left = 0
    for place, index in enumerate(chosen):
        glyph = enlarge(images[index], height * random.uniform(0.88, 1.12), slant + random.uniform(-0.05, 0.05), pen)
        top = round(random.uniform(-0.08, 0.08) * height)
        if place == touching:
            left = beside(glyphs[-1], glyph, top) - max(1, round(random.uniform(0.01, 0.06) * height))
        elif place:
            before = glyphs[-1]
            apart = max(0.06, random.normal(spacing, 0.08)) * height
            left = max(beside(before, glyph, top), before[0] + before[2].shape[1] // 2) + round(apart)
        glyphs.append((left, top, glyph))
    first = min(left for left, _, _ in glyphs)
    return Number("".join(map(str, labels[chosen])), [(left - first, top, glyph) for left, top, glyph in glyphs])


def enlarge(image: Bytes, height: float, slant: float, pen: float) -> Floats:
    """One of MNIST's digits cut to its ink, as large as if 20 pixels there were `height`; `pen` is how much broader."""
    scale = height / 20
    side = round(scale * 28)
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    large = large.transform(
        (side, side), Image.Transform.AFFINE, (1, slant, -slant * side / 2, 0, 1, 0), Image.Resampling.BICUBIC
    )
    blurred = np.asarray(large.filter(ImageFilter.GaussianBlur(scale / 3)), np.float64) / 255
    ink = 1 / (1 + np.exp(-12 * (blurred - 0.45 + 0.25 * pen)))
    rows, columns = np.flatnonzero((ink > 0.3).any(axis=1)), np.flatnonzero((ink > 0.3).any(axis=0))
    return np.asarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def beside(before: tuple[int, int, Floats], glyph: Floats, top: int) -> int:
    """The left at which `glyph` just meets the ink of the one `before`."""
    left, its_top, its_glyph = before
    return left + meeting(its_glyph > 0.5, its_top, glyph > 0.5, top)


def lay(ink: Floats, glyph: Floats, left: int, top: int) -> Box:
    """Write on the paper; gives the box."""
    height, width = glyph.shape
    window = ink[top : top + height, left : left + width]
    np.maximum(window, glyph, out=window)
    return left, top, left + width, top + height


def photograph(ink: Floats, sheet: npt.NDArray[np.bool_], random: Random) -> bytes:
    """A `sheet` of paper on a table: some pen, light that falls off, a shadow, grain, blur, and a camera's JPEG."""
    height, width = ink.shape
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    paper = np.array([1, random.uniform(0.96, 1), random.uniform(0.86, 1)]) * random.uniform(165, 245)
    pen = np.array(PENS[random.integers(len(PENS))])
    if random.random() < RULED:
        every, at = random.uniform(0.06, 0.12), random.random()
        line = (np.abs((y / every + at) % 1 - 0.5) * every * max(height, width) < 0.8) * random.uniform(0.12, 0.3)
        paper = paper * (1 - line[..., np.newaxis])
    table = paper.mean() * random.uniform(0.3, 0.8) * random.uniform(0.7, 1, 3)
    paper = np.where(sheet[..., np.newaxis], paper, table)
    opacity = ink[..., np.newaxis] * random.uniform(0.75, 1)
    page = paper * (1 - opacity) + pen * opacity
    angle, fall = random.uniform(0, 2 * np.pi), random.uniform(0, 0.5)
    light = 1 - fall * (np.cos(angle) * x + np.sin(angle) * y + 0.3)
    if random.random() < 0.3:
        edge = np.cos(angle := random.uniform(0, 2 * np.pi)) * (x - 0.5) + np.sin(angle) * (y - 0.3)
        light *= 1 - random.uniform(0.1, 0.4) / (1 + np.exp(-edge * random.uniform(10, 60)))
    grain = random.normal(0, random.uniform(0.5, 6), (height, width, 1))
    image = Image.fromarray(np.clip(page * light[..., np.newaxis] + grain, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.2))).save(
        file, "JPEG", quality=int(random.integers(45, 96))
    )
    return file.getvalue()
