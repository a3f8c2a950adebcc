"""Numbers as forms have them, in boxes and on lines, photographed like the pages of `pages.py`."""

from __future__ import annotations

import numpy as np
from PIL import Image

from training.mnist import Split

from .pages import Floats, Random, enlarge, lay, photograph, write_number

KINDS = ("boxes", "comb", "grid", "underline")
SKEW = 5  # degrees that a form is askew, at most
EMPTY = 0.4  # of a grid's cells


def draw_form(digits: Split, random: Random, kind: str) -> tuple[bytes, str]:
    """A JPEG, and the digits in it, line by line, with a space for empty cells between them."""
    ink, lines = underlined(digits, random) if kind == "underline" else in_cells(digits, random, kind)
    turned = Image.fromarray((ink * 255).astype(np.uint8)).rotate(random.uniform(-SKEW, SKEW), Image.Resampling.BICUBIC)
    sheet = np.ones(ink.shape, bool)
    return photograph(np.asarray(turned) / 255, sheet, random), "\n".join(line for line in lines if line)


def in_cells(digits: Split, random: Random, kind: str) -> tuple[Floats, list[str]]:
    """A row of boxes that meet or do not, a line with a tick between any two digits, or a grid with empty cells."""
    images, labels = digits
    side, printed = int(random.uniform(60, 120)), random.uniform(0.35, 1)
    nib, pen, margin = int(random.integers(1, 5)), random.uniform(-0.6, 0.5), side
    columns, rows = (9, int(random.integers(1, 7))) if kind == "grid" else (int(random.integers(2, 9)), 1)
    pitch = side + (int(random.uniform(0.1, 0.4) * side) if kind == "boxes" and random.random() < 0.5 else 0)
    ink = np.zeros((rows * side + 2 * margin, (columns - 1) * pitch + side + 2 * margin))
    lines = []
    for top in range(margin, margin + rows * side, side):
        line = ""
        for left in range(margin, margin + columns * pitch, pitch):
            cell = ink[top : top + side + nib, left : left + side + nib]
            upright = cell[-int(0.4 * side) :] if kind == "comb" else cell
            upright[:, :nib] = upright[:, -nib:] = cell[-nib:] = printed
            if kind != "comb":
                cell[:nib] = printed
            if kind == "grid" and random.random() < EMPTY:
                line += " "
                continue
            index = random.integers(len(labels))
            glyph = enlarge(images[index], side * random.uniform(0.5, 0.75), random.uniform(-0.1, 0.2), pen)
            down, right = ((side - length) // 2 + int(random.normal(0, 0.06 * side)) for length in glyph.shape)
            lay(ink, glyph, left + right, top + down)
            line += str(labels[index])
        lines.append(" ".join(line.split()))
    return ink, lines


def underlined(digits: Split, random: Random) -> tuple[Floats, list[str]]:
    """A number and a line or two under it, which may touch it."""
    height = random.uniform(40, 90)
    number = write_number(digits, random, height, int(random.integers(2, 9)))
    margin, nib = int(height), int(height * random.uniform(0.03, 0.14))
    ink = np.zeros((int(4 * height), number.width + 2 * margin))
    number.lay(ink, margin, margin)
    below = margin + int(height * random.uniform(1.1, 1.4))
    first, last = (
        margin - int(random.uniform(0, 0.4) * height),
        margin + number.width + int(random.uniform(0, 0.4) * height),
    )
    for level in (below, below + 3 * nib)[: random.integers(1, 3)]:
        ink[level : level + nib, first:last] = 1
    return ink, [number.text]
