"""Picture → ink: how much of the pen is on each pixel, whatever the paper, the light and the colours."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageFilter

from .decode import Pixels
from .ranks import grown, highest, lowest, medians, ordered, quantile
from .rules import erase_boxes, erase_rules
from .runs import Mask, label

Ink = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Light = npt.NDArray[np.float64]
Colour = TypeVar("Colour", np.uint8, np.float32)

FLAT_SHARE = 0.62  # of all pixels: photographs of paper, even well lit, have less of one grey; drawings have more
TWO_SHARE = 0.9  # of all pixels: drawings have so much of their two commonest greys …
LESSER_SHARE = 0.2  # … and so much of each, where a broad pen leaves little of the ground …
SOLID = 0.7  # … unless one of them fills so much of its box: that is a sheet on a table
ICON, ICON_SHARE = 64, 0.3  # pixels a side: in so small a drawing, the edges of strokes leave less of one grey
GROUND_SIDE = 48  # pixels: the size at which paper is told from what is on it
GROUND_WINDOW = 0.33  # of the picture's longer side, likewise SHADE_WINDOW: wider than most strokes
SHADE_WINDOW = 0.2
BLURRED = 3  # pixels, likewise: a blur of one takes in so much of what is beside it
LEAST_CONTRAST = 5.0  # grey levels; what differs less from its paper is no ink …
LEAST_DRAWN = 10.0  # … nor what differs less from a ground of one colour: nobody draws so faintly
NOISE_SIGMAS = 4.0
SHEET = (0.15, 0.95)  # of the picture: a sheet on a table takes up so much …
FULL = 0.9  # … and is so full …
SHEET_CONTRAST = 20  # … and so many grey levels lighter than what is around it
SHARP, EDGE_WIDTH = 0.6, 2  # … so much of it within two pixels of its edge on either side; a shadow's is soft
SPARSE = 61  # of so many pixels of a sheet, one tells the light on it
SHEET_EDGE = 2  # pixels of 96: what a sheet loses of its edges


def find_ink(pixels: Pixels) -> Ink:
    """(h, w, 3) → (h, w) uint8: 0 for paper, 255 for the pen's full darkness (or brightness, or colour).

    The pen's direction in colour space is that of what differs most from the paper, so neither polarity nor colour
    is assumed. All zeros if nothing stands out.
    """
    ground = flat_ground(pixels)
    return erase_boxes(photographed_ink(pixels) if ground is None else drawn_ink(pixels, ground))


def drawn_ink(pixels: Pixels, ground: Floats) -> Ink:
    """Ink on a ground of one colour, (3,)."""
    difference = pixels - ground
    ink = np.maximum(difference @ find_pen(difference), 0)
    full = float(ink.max())
    return scale(ink, full) if full >= LEAST_DRAWN else np.zeros(ink.shape, np.uint8)


def photographed_ink(pixels: Pixels) -> Ink:
    """Ink on paper under uneven light, perhaps ruled or squared."""
    difference = pixels - shaded_ground(pixels)
    along_pen = difference @ find_pen(difference)
    noise = 1.48 * quantile(np.abs(along_pen), 0.5)  # most pixels are paper: their median absolute deviation
    ink = erase_shading(np.maximum(along_pen, 0))
    stands_out = inner(average(ink)) > max(LEAST_CONTRAST, NOISE_SIGMAS * noise)  # grain does not, averaged
    full = quantile(inner(ink)[stands_out], 0.9) if stands_out.any() else 0.0
    return erase_rules(scale(ink, full)) if full > 0 else np.zeros(ink.shape, np.uint8)


def ink_on_sheet(pixels: Pixels, sheet: Mask) -> Ink:
    """The ink on a sheet alone, as `find_ink` gives it."""
    return np.where(sheet, photographed_ink(extended(pixels, sheet)), 0).astype(np.uint8)


def extended(pixels: Pixels, sheet: Mask) -> Pixels:
    """As if the sheet, and the lines on it, went on beyond its edges, in light that falls off as it does there."""
    height, width = sheet.shape
    light = fitted_light(pixels, sheet)
    covered = np.flatnonzero(sheet.any(axis=1))
    rows = np.clip(np.arange(height), covered[0], covered[-1])
    first, last = sheet.argmax(axis=1)[rows], width - 1 - sheet[:, ::-1].argmax(axis=1)[rows]
    columns = np.clip(np.arange(width), first[:, np.newaxis], last[:, np.newaxis])
    written = (pixels - light)[rows[:, np.newaxis], columns]
    return np.asarray(np.clip(light + written, 0, 255)).astype(np.uint8)


def fitted_light(pixels: Pixels, sheet: Mask) -> Floats:
    """(h, w, 3): the plane that fits each of a sheet's colours best."""
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in sheet.shape)
    rows, columns = (place[::SPARSE] for place in np.nonzero(sheet))
    places = np.stack([np.ones_like(rows), y[rows], x[columns]], axis=1)
    planes, *_ = np.linalg.lstsq(places, pixels[rows, columns], rcond=None)
    level, down, across = planes.astype(np.float32)
    return np.asarray(level + down * y[:, np.newaxis, np.newaxis] + across * x[:, np.newaxis])


def find_sheet(pixels: Pixels) -> tuple[Mask, bool] | None:
    """(h, w): where a sheet lies, without its edges, in grey or in the colour in which it stands out most; and whether
    it ends there: else it is what a shadow leaves light of a paper."""
    red, green, blue = resize(pixels, 2 * GROUND_SIDE).astype(np.float64).transpose(2, 0, 1)
    colours = () if np.array_equal(red, green) and np.array_equal(green, blue) else (red, green, blue)
    pieces = map(light_piece, ((red + green + blue) / 3, *colours))
    found = max((piece for piece in pieces if piece), key=itemgetter(0), default=None)
    if found is None:
        return None
    inside = Image.fromarray(lowest(found[1].astype(np.uint8), SHEET_EDGE))
    sheet = np.asarray(inside.resize((pixels.shape[1], pixels.shape[0])), bool)
    return (sheet, found[2]) if sheet.any() else None


def light_piece(grey: Light) -> tuple[float, Mask, bool] | None:
    """How much of all variance the largest light piece explains, where that is, and whether its edge is sharp; if it is
    a good part of the picture, has hardly a hole or notch, and is clearly lighter than what is around it (Otsu, 1979).
    In light that falls off the far side of a table may be as light as the near one of a sheet: so it is looked for in
    even light, too."""
    share, level, view = max(((*otsu(view), view) for view in (grey, evened(grey))), key=itemgetter(0))
    light = view > level
    labels, boxes = label(light)
    if not len(boxes):
        return None
    piece = labels == 1 + int(np.bincount(labels[labels > 0])[1:].argmax())
    whole = between_ends(piece) & between_ends(piece.T).T
    if not SHEET[0] <= whole.mean() <= SHEET[1] or piece.sum() < FULL * whole.sum():
        return None
    contrast = view[whole].mean() - view[~whole].mean()
    return (share, whole, contrast_at_edge(view, whole) >= SHARP * contrast) if contrast >= SHEET_CONTRAST else None


def contrast_at_edge(view: Light, piece: Mask) -> float:
    """How much lighter a piece is along its edge than what lies there beyond it."""
    inside, beyond = lowest(piece.astype(np.uint8), EDGE_WIDTH) == 0, grown(piece, EDGE_WIDTH) == 1
    return float(view[piece & inside].mean() - view[beyond & ~piece].mean())


def evened(grey: Light) -> Light:
    """(h, w) as if the light did not fall off: by the plane that fits it best, and of its own mean."""
    height, width = grey.shape
    y, x = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    mean = grey.mean()
    down, across = (y @ grey).sum() / (width * (y @ y)), (grey @ x).sum() / (height * (x @ x))
    plane = mean + down * y[:, np.newaxis] + across * x
    return np.asarray(np.clip(grey * mean / np.maximum(plane, 1), 0, 255))


def otsu(grey: Light) -> tuple[float, float]:
    """How much of all variance is between light and dark, parted so that both vary least, and the level that does."""
    share, levels = np.bincount(grey.astype(np.uint8).ravel(), minlength=256) / grey.size, np.arange(256)
    below, mean_below, mean = np.cumsum(share), np.cumsum(share * levels), float(share @ levels)
    between = (mean * below - mean_below) ** 2 / np.maximum(below * (1 - below), 1e-9)
    variance = float(share @ (levels - mean) ** 2)
    return float(between.max()) / max(variance, 1e-9), float(between.argmax())


def between_ends(mask: Mask) -> Mask:
    """Each row filled from its first set pixel to its last."""
    return np.asarray(np.logical_or.accumulate(mask, axis=1) & np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1])


def flat_ground(pixels: Pixels) -> Floats | None:
    """(3,): the ground's colour, if the picture is drawn on one; None for a photograph."""
    grey = pixels[..., 1]
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    near = np.convolve(share, np.ones(3), "same")
    common = int(near.argmax())
    flat = near[common] >= (ICON_SHARE if max(grey.shape) <= ICON else FLAT_SHARE)
    if not (flat or has_two_colours(grey, near, common)):
        return None
    return medians(picked(pixels, np.abs(grey.astype(np.int16) - common) <= 1).T)


def has_two_colours(grey: npt.NDArray[np.uint8], near: npt.NDArray[np.float64], common: int) -> bool:
    """Whether the commonest grey and another are nearly all there is, and the other is no sheet on a table."""
    other = int(np.where(np.abs(np.arange(256) - common) > 2, near, 0).argmax())
    if near[other] < LESSER_SHARE or near[common] + near[other] < TWO_SHARE:
        return False
    lesser = np.abs(grey.astype(np.int16) - other) <= 1
    box = int(lesser.any(axis=1).sum()) * int(lesser.any(axis=0).sum())
    return bool(lesser.sum() < SOLID * box)


def shaded_ground(pixels: Pixels) -> Floats:
    """(h, w, 3): the paper under the ink, as the median of wide surroundings."""
    small = resize(pixels, GROUND_SIDE)
    reach = int(max(small.shape) * GROUND_WINDOW) // 2
    windows = sliding_window_view(extend(small, reach + BLURRED), (2 * reach + 1, 2 * reach + 1), axis=(0, 1))
    around = windows.reshape(*windows.shape[:3], -1)
    ground = medians(around).astype(np.uint8)
    return enlarge(blur(ground, 1)[BLURRED:-BLURRED, BLURRED:-BLURRED], pixels)


def find_pen(difference: Floats) -> Floats:
    """(3,): the unit vector in colour space along which what stands out most differs from the paper."""
    red, green, blue = np.abs(difference).transpose(2, 0, 1)
    strength = np.maximum(np.maximum(red, green), blue)
    seen = inner(strength).ravel()
    most, top = int(0.985 * len(seen)), len(seen) - min(20, len(seen))
    ranked = ordered(seen, most, top)
    strong = strength >= max(1.0, ranked[most], ranked[top] / 2)
    pen = picked(difference, strong).mean(axis=0) if strong.any() else np.ones(3)
    return np.asarray(pen / max(1e-6, float(np.linalg.norm(pen))), np.float32)


def picked(pixels: npt.NDArray[Colour], mask: Mask) -> npt.NDArray[Colour]:
    """(n, 3): those of (h, w, 3) pixels where the mask is set. NumPy's indexing takes four times as long."""
    return np.compress(mask.ravel(), pixels.reshape(-1, 3), axis=0)


def scale(ink: Floats, full: float) -> Ink:
    """Full ink is 255; there is none below 0."""
    return np.asarray(np.rint(np.minimum(ink * (255 / full), 255)), np.uint8)


def erase_shading(ink: Floats) -> Floats:
    """Take off what is wider than any stroke, such as a shadow: a white top-hat (Serra, 1982)."""
    small = resize(np.minimum(ink, 255).astype(np.uint8), 2 * GROUND_SIDE)
    reach = int(max(small.shape) * SHADE_WINDOW) // 2
    opened = highest(lowest(extend(small, 2 * reach), reach), reach)
    shade = blur(opened, reach / 4)[2 * reach : -2 * reach or None, 2 * reach : -2 * reach or None]
    return np.asarray(np.maximum(ink - enlarge(shade, ink), 0))


def resize(values: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Reduce to at most `side` pixels a side, averaging."""
    image = Image.fromarray(values)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def extend(values: npt.NDArray[np.uint8], reach: int) -> npt.NDArray[np.uint8]:
    """As if the picture went on beyond its edges, for `reach` pixels, as it is there."""
    return np.pad(values, [(reach, reach), (reach, reach), (0, 0)][: values.ndim], mode="edge")


def blur(values: npt.NDArray[np.uint8], radius: float) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(values).filter(ImageFilter.GaussianBlur(radius)))


def enlarge(values: npt.NDArray[np.uint8], like: npt.NDArray[Any]) -> Floats:
    """To the height and width of `like`, smoothly."""
    height, width = like.shape[:2]
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC), np.float32)


def average(values: Floats) -> Floats:
    """Of each pixel's 3×3 surroundings."""
    height, width = values.shape
    padded = np.pad(values, 1, mode="edge")
    rows = padded[:height] + padded[1 : height + 1] + padded[2:]
    return np.asarray((rows[:, :width] + rows[:, 1 : width + 1] + rows[:, 2:]) / 9)


def inner(values: Floats) -> Floats:
    """Without the outer eighth on each side, where fingers, bindings and tables are."""
    height, width = values.shape
    return values[height // 8 : height - height // 8, width // 8 : width - width // 8]
