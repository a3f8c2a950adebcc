"""Picture → ink: how much of the pen is on each pixel, whatever the paper, the light and the colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .decode import Pixels
from .rules import erase_rules

Ink = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

FLAT_SHARE = 0.62  # of all pixels: photographs of paper, even well lit, have less of one grey; drawings have more
ICON = 64  # pixels: a picture as small as this has no shading to speak of
GROUND_SIDE = 48  # pixels: the size at which paper is told from what is on it
GROUND_WINDOW = 0.33  # of the picture's longer side, likewise SHADE_WINDOW: wider than any stroke
SHADE_WINDOW = 0.2
LEAST_CONTRAST = 5.0  # grey levels; what differs less from its paper is no ink
NOISE_SIGMAS = 4.0


def find_ink(pixels: Pixels) -> Ink:
    """(h, w, 3) → (h, w) uint8: 0 for paper, 255 for the pen's full darkness (or brightness, or colour).

    The pen's direction in colour space is that of what differs most from the paper, so neither polarity nor colour
    is assumed. All zeros if nothing stands out.
    """
    flat = flat_ground(pixels)
    ground = shaded_ground(pixels) if flat is None else flat
    ink = along_pen(pixels.astype(np.float32) - ground)
    noise = 1.48 * float(np.median(np.abs(ink)))  # most pixels are paper: their median absolute deviation
    ink = np.maximum(ink, 0)
    if flat is None:
        ink = erase_shading(ink)
    seen = inner(ink)
    marked = seen[seen > max(LEAST_CONTRAST, NOISE_SIGMAS * noise)]
    if not marked.size:
        return np.zeros(ink.shape, np.uint8)
    full = float(marked.max() if flat is not None else np.quantile(marked, 0.9))
    found: Ink = np.rint(np.clip(ink * (255 / full), 0, 255)).astype(np.uint8)
    return found if flat is not None else erase_rules(found)


def flat_ground(pixels: Pixels) -> Floats | None:
    """(3,): the ground's colour, if the picture is drawn on one; None for a photograph."""
    grey = pixels[..., 1]
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    near = np.convolve(share, np.ones(3), "same")
    common = int(near.argmax())
    if near[common] < FLAT_SHARE and max(grey.shape) > ICON:
        return None
    return np.asarray(np.median(pixels[np.abs(grey.astype(np.int16) - common) <= 1], axis=0), np.float32)


def shaded_ground(pixels: Pixels) -> Floats:
    """(h, w, 3): the paper under the ink, as the median of wide surroundings."""
    small = resize(pixels, GROUND_SIDE)
    pad = int(max(small.shape) * GROUND_WINDOW) // 2
    padded = Image.fromarray(np.pad(small, ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    smooth = padded.filter(ImageFilter.MedianFilter(2 * pad + 1)).filter(ImageFilter.GaussianBlur(1))
    paper = smooth.crop((pad, pad, pad + small.shape[1], pad + small.shape[0]))
    height, width, _ = pixels.shape
    return np.asarray(paper.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def along_pen(difference: Floats) -> Floats:
    """(h, w, 3) difference from the paper → (h, w): its length along the pen's direction in colour space."""
    strength = np.abs(difference).max(axis=2)
    strong = strength >= max(1.0, float(np.quantile(inner(strength), 0.985)))
    pen = difference[strong].mean(axis=0) if strong.any() else np.ones(3, np.float32)
    return difference @ (pen / max(1e-6, float(np.linalg.norm(pen))))


def erase_shading(ink: Floats) -> Floats:
    """Take off what is wider than any stroke, such as a shadow: a white top-hat (Serra, 1982)."""
    small = resize(np.minimum(ink, 255).astype(np.uint8), 2 * GROUND_SIDE)
    reach = int(max(small.shape) * SHADE_WINDOW) // 2
    wide = Image.fromarray(np.pad(small, 2 * reach, mode="edge"))
    wide = wide.filter(ImageFilter.MinFilter(2 * reach + 1)).filter(ImageFilter.MaxFilter(2 * reach + 1))
    wide = wide.filter(ImageFilter.GaussianBlur(reach / 4))
    wide = wide.crop((2 * reach, 2 * reach, 2 * reach + small.shape[1], 2 * reach + small.shape[0]))
    height, width = ink.shape
    shade = np.asarray(wide.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return np.maximum(ink - shade, 0)


def resize(values: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Reduce to at most `side` pixels a side, averaging."""
    image = Image.fromarray(values)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def inner(values: Floats) -> Floats:
    """Without the outer eighth on each side, where fingers, bindings and tables are."""
    height, width = values.shape
    return values[height // 8 : height - height // 8, width // 8 : width - width // 8]
