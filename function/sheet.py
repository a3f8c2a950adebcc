"""A sheet of paper on something darker: where it lies, the ink on it, and which marks are but its edges."""

from __future__ import annotations

from operator import itemgetter

import numpy as np
import numpy.typing as npt
from PIL import Image

from .decode import Pixels
from .ink import GROUND_SIDE, Ink, photographed_ink, resize
from .ranks import lowest
from .runs import Mask, label
from .seen import Lines, Seen

SHEET = (0.15, 0.95)  # of the picture: a sheet on a table takes up so much …
FULL = 0.9  # … and is so full …
SHEET_CONTRAST = 20  # … and so many grey levels lighter than what is around it
SHEET_EDGE = 2  # pixels of 96: what a sheet loses of its edges
TALLEST = 1.4  # times as tall as the marks on the sheet: what is off it, and taller, is its edge, or …
ALONE = 0.35  # … in heights of the sheet, where there are no marks on it

Floats = npt.NDArray[np.float64]


def find_sheet(pixels: Pixels) -> Mask | None:
    """(h, w): where a sheet lies, without its edges: the largest light piece, if it is a good part of the picture, has
    hardly a hole or notch, and is clearly lighter than what is around it (Otsu, 1979). In light that falls off the far
    side of a table may be as light as the near one of a sheet: so it is looked for in even light, too."""
    grey = resize(pixels, 2 * GROUND_SIDE).mean(axis=2)
    _, level, small = max(((*otsu(each), each) for each in (grey, evened(grey))), key=itemgetter(0))
    light = small > level
    labels, boxes = label(light)
    if not len(boxes):
        return None
    piece = labels == 1 + int(np.bincount(labels[labels > 0])[1:].argmax())
    whole = between_ends(piece) & between_ends(piece.T).T
    if not SHEET[0] <= whole.mean() <= SHEET[1] or piece.sum() < FULL * whole.sum():
        return None
    if small[whole].mean() - small[~whole].mean() < SHEET_CONTRAST:
        return None
    inside = Image.fromarray(lowest(whole.astype(np.uint8), SHEET_EDGE))
    sheet = np.asarray(inside.resize((pixels.shape[1], pixels.shape[0])), bool)
    return sheet if sheet.any() else None


def ink_on_sheet(pixels: Pixels, sheet: Mask) -> Ink:
    """The ink on a sheet alone, as `find_ink` gives it."""
    return np.where(sheet, photographed_ink(extended(pixels, sheet)), 0).astype(np.uint8)


def without_edges(lines: Lines, sheet: Mask) -> Lines:
    """The marks that are on the sheet; or all, if others are surely digits, and no edges: then it is no sheet, but the
    light part of one."""
    on_it = [[seen for seen in line if is_on(seen, sheet)] for line in lines]
    heights = [seen.mark.height for line in on_it for seen in line]
    tallest = TALLEST * float(np.median(heights)) if heights else ALONE * np.count_nonzero(sheet.any(axis=1))
    others = [seen for line in lines for seen in line if not is_on(seen, sheet)]
    if any(seen.is_sure and seen.mark.height <= tallest and not is_edge(seen, sheet) for seen in others):
        return lines
    return [line for line in on_it if line]


def is_on(seen: Seen, sheet: Mask) -> bool:
    left, top, right, bottom = seen.mark.box
    return bool(sheet[top:bottom, left:right].all())


def is_edge(seen: Seen, sheet: Mask) -> bool:
    """Whether it looks like a 1 and is where the sheet ends."""
    room = 2 * SHEET_EDGE * max(sheet.shape) // (2 * GROUND_SIDE)
    left, top, right, bottom = seen.mark.box
    return seen.is_one and bool(sheet[max(0, top - room) : bottom + room, max(0, left - room) : right + room].any())


def extended(pixels: Pixels, sheet: Mask) -> Pixels:
    """As if the sheet went on beyond its edges as it is there."""
    height, width = sheet.shape
    covered = np.flatnonzero(sheet.any(axis=1))
    rows = np.clip(np.arange(height), covered[0], covered[-1])
    first, last = sheet.argmax(axis=1)[rows], width - 1 - sheet[:, ::-1].argmax(axis=1)[rows]
    columns = np.clip(np.arange(width), first[:, np.newaxis], last[:, np.newaxis])
    return np.asarray(pixels[rows[:, np.newaxis], columns])


def evened(grey: Floats) -> Floats:
    """(h, w) as if the light did not fall off: by the plane that fits it best, and of its own mean."""
    height, width = grey.shape
    y, x = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    mean = grey.mean()
    down, across = (y @ grey).sum() / (width * (y @ y)), (grey @ x).sum() / (height * (x @ x))
    plane = mean + down * y[:, np.newaxis] + across * x
    return np.asarray(np.clip(grey * mean / np.maximum(plane, 1), 0, 255))


def otsu(grey: Floats) -> tuple[float, float]:
    """How much of all variance is between light and dark, parted so that both vary least, and the level that does."""
    share, levels = np.bincount(grey.astype(np.uint8).ravel(), minlength=256) / grey.size, np.arange(256)
    below, mean_below, mean = np.cumsum(share), np.cumsum(share * levels), float(share @ levels)
    between = (mean * below - mean_below) ** 2 / np.maximum(below * (1 - below), 1e-9)
    variance = float(share @ (levels - mean) ** 2)
    return float(between.max()) / max(variance, 1e-9), float(between.argmax())


def between_ends(mask: Mask) -> Mask:
    """Each row filled from its first set pixel to its last."""
    return np.asarray(np.logical_or.accumulate(mask, axis=1) & np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1])
