"""Picture → ink: how much of the pen is on each pixel, whatever the paper, the light and the colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .decode import Pixels
from .rules import erase_rules

Ink = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

FLAT_SHARE = 0.62  # of all pixels: photographs of paper, even well lit, have less of one grey; drawings have more
TWO_SHARE = 0.9  # of all pixels: drawings have so much of their two commonest greys …
LESSER_SHARE = 0.2  # … and so much of each, where a broad pen leaves little of the ground …
SOLID = 0.7  # … unless one of them fills so much of its box: that is a sheet on a table
ICON, ICON_SHARE = 64, 0.3  # pixels a side: in so small a drawing, the edges of strokes leave less of one grey
GROUND_SIDE = 48  # pixels: the size at which paper is told from what is on it
GROUND_WINDOW = 0.33  # of the picture's longer side, likewise SHADE_WINDOW: wider than most strokes
SHADE_WINDOW = 0.2
LEAST_CONTRAST = 5.0  # grey levels; what differs less from its paper is no ink …
LEAST_DRAWN = 10.0  # … nor what differs less from a ground of one colour: nobody draws so faintly
NOISE_SIGMAS = 4.0


def find_ink(pixels: Pixels) -> Ink:
    """(h, w, 3) → (h, w) uint8: 0 for paper, 255 for the pen's full darkness (or brightness, or colour).

    The pen's direction in colour space is that of what differs most from the paper, so neither polarity nor colour
    is assumed. All zeros if nothing stands out.
    """
    ground = flat_ground(pixels)
    return photographed_ink(pixels) if ground is None else drawn_ink(pixels, ground)


def drawn_ink(pixels: Pixels, ground: Floats) -> Ink:
    """Ink on a ground of one colour, (3,)."""
    difference = pixels - ground
    ink = along(difference, find_pen(difference))
    full = float(ink.max())
    return scale(ink, full) if full >= LEAST_DRAWN else np.zeros(ink.shape, np.uint8)


def photographed_ink(pixels: Pixels) -> Ink:
    """Ink on paper under uneven light, perhaps ruled or squared."""
    difference = pixels - shaded_ground(pixels)
    pen = find_pen(difference)
    noise = 1.48 * float(np.median(np.abs(difference @ pen)))  # most pixels are paper: their median absolute deviation
    ink = erase_shading(along(difference, pen))
    stands_out = inner(average(ink)) > max(LEAST_CONTRAST, NOISE_SIGMAS * noise)  # grain does not, averaged
    if not stands_out.any():
        return np.zeros(ink.shape, np.uint8)
    return erase_rules(scale(ink, float(np.quantile(inner(ink)[stands_out], 0.9))))


def flat_ground(pixels: Pixels) -> Floats | None:
    """(3,): the ground's colour, if the picture is drawn on one; None for a photograph."""
    grey = pixels[..., 1]
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    near = np.convolve(share, np.ones(3), "same")
    common = int(near.argmax())
    flat = near[common] >= (ICON_SHARE if max(grey.shape) <= ICON else FLAT_SHARE)
    if not (flat or has_two_colours(grey, near, common)):
        return None
    return np.asarray(np.median(pixels[np.abs(grey.astype(np.int16) - common) <= 1], axis=0), np.float32)


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
    height, width, _ = pixels.shape
    small = resize(pixels, GROUND_SIDE)
    reach = int(max(small.shape) * GROUND_WINDOW) // 2
    padded = Image.fromarray(np.pad(small, ((reach, reach), (reach, reach), (0, 0)), mode="edge"))
    smooth = padded.filter(ImageFilter.MedianFilter(2 * reach + 1)).filter(ImageFilter.GaussianBlur(1))
    paper = smooth.crop((reach, reach, reach + small.shape[1], reach + small.shape[0]))
    return np.asarray(paper.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def find_pen(difference: Floats) -> Floats:
    """(3,): the unit vector in colour space along which what stands out most differs from the paper."""
    strength = np.abs(difference).max(axis=2)
    seen = np.sort(inner(strength), axis=None)
    strong = strength >= max(1.0, seen[int(0.985 * len(seen))], seen[-min(20, len(seen))] / 2)
    pen = difference[strong].mean(axis=0) if strong.any() else np.ones(3)
    return np.asarray(pen / max(1e-6, float(np.linalg.norm(pen))), np.float32)


def along(difference: Floats, pen: Floats) -> Floats:
    """(h, w): how far each pixel lies from the paper in the pen's direction."""
    return np.maximum(difference @ pen, 0)


def scale(ink: Floats, full: float) -> Ink:
    """Full ink is 255."""
    return np.rint(np.clip(ink * (255 / full), 0, 255)).astype(np.uint8)


def erase_shading(ink: Floats) -> Floats:
    """Take off what is wider than any stroke, such as a shadow: a white top-hat (Serra, 1982)."""
    height, width = ink.shape
    small = resize(np.minimum(ink, 255).astype(np.uint8), 2 * GROUND_SIDE)
    reach = int(max(small.shape) * SHADE_WINDOW) // 2
    wide = Image.fromarray(np.pad(small, 2 * reach, mode="edge"))
    wide = wide.filter(ImageFilter.MinFilter(2 * reach + 1)).filter(ImageFilter.MaxFilter(2 * reach + 1))
    wide = wide.filter(ImageFilter.GaussianBlur(reach / 4))
    wide = wide.crop((2 * reach, 2 * reach, 2 * reach + small.shape[1], 2 * reach + small.shape[0]))
    shade = np.asarray(wide.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return np.maximum(ink - shade, 0)


def resize(values: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Reduce to at most `side` pixels a side, averaging."""
    image = Image.fromarray(values)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)


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
