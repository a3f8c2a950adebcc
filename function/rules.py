"""Ruled and squared paper: take the lines off and leave the strokes that cross them whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .runs import Mask, run_lengths

Ink = npt.NDArray[np.uint8]

LEVEL = 30  # of 255
COARSE = 160  # pixels a side: lines are looked for at this size, so that a slightly bent one is still straight
SLOPE = 1 / 8
COVERAGE = 0.75  # a line is inked for so much of its length …
ENDS = 0.6  # … and so much of its first and last eighth: strokes seldom reach both edges of a picture
THICKEST = 1 / 60  # of the picture's longer side: thicker ones were drawn by hand


def erase_rules(ink: Ink) -> Ink:
    """(h, w) ink of a photograph without lines that cross the whole picture, nearly level or nearly upright."""
    return erase_level_rules(erase_level_rules(ink).T).T


def erase_level_rules(ink: Ink) -> Ink:
    mask = ink > LEVEL
    lines = find_lines(mask)
    thickness = run_lengths(mask.T).T
    on_lines = thickness[lines & mask]
    if not on_lines.size:
        return ink
    usual = float(np.median(on_lines))
    if usual > THICKEST * max(ink.shape):
        return ink
    thin = 1.6 * usual + 1  # a stroke that crosses a line makes it thicker there
    return np.where(lines & mask & (thickness <= thin), 0, ink).astype(np.uint8)


def find_lines(mask: Mask) -> Mask:
    """(h, w): where nearly level lines run, with a little room around them."""
    factor = -(-max(mask.shape) // COARSE)
    coarse = reduce_any(mask, factor)
    height, width = coarse.shape
    columns, rows = np.arange(width), np.arange(height)[:, np.newaxis]
    lines = np.zeros_like(coarse)
    inked = coarse.astype(np.float32)
    parts = parts_of_a_line(width)
    for rise in range(-round(SLOPE * width), round(SLOPE * width) + 1):
        shift = np.rint(rise * (columns / width - 0.5)).astype(np.intp)
        straight = inked[np.clip(rows + shift, 0, height - 1), columns]
        is_line = (straight @ parts > (COVERAGE, ENDS, ENDS)).all(axis=1)
        for row in np.flatnonzero(is_line):
            lines[np.clip(row + shift, 0, height - 1), columns] = True
    lines[1:] |= lines[:-1].copy()
    lines[:-1] |= lines[1:].copy()
    full = lines.repeat(factor, axis=0).repeat(factor, axis=1)
    return full[: mask.shape[0], : mask.shape[1]]


def parts_of_a_line(width: int) -> npt.NDArray[np.float32]:
    """(width, 3): weights with which a row gives the means of all of it, of its first eighth and of its last."""
    end = max(1, width // 8)
    parts = np.zeros((width, 3), np.float32)
    parts[:, 0], parts[:end, 1], parts[-end:, 2] = 1 / width, 1 / end, 1 / end
    return parts


def reduce_any(mask: Mask, factor: int) -> Mask:
    """Reduce both sides by `factor`: set where anything was."""
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % factor), (0, -width % factor)))
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return np.asarray(blocks.any(axis=(1, 3)))
