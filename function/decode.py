"""Bytes → an upright picture of bounded size. The only parser of untrusted bytes, with `bombs.py` and `apart.py`."""

from __future__ import annotations

import importlib
import io
import re
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile

from .bombs import TOO_LONG, check_size, refuse_bomb
from .errors import NotAPicture, Unreadable

Pixels = npt.NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked, before decoding, and is what the answer names
# Pixels lie in blocks of 16 MiB by default, which glibc keeps for each thread once free. It gives larger ones back.
Image.core.set_block_size(512 * 1024 * 1024)  # type: ignore[attr-defined]
# Of a PNM in text, Pillow reads so many bytes at once, and copies what is left of them after each comment.
ImageFile.SAFEBLOCK = 256 * 1024
warnings.filterwarnings("ignore", module=r"PIL\.")  # of damage, which may be new in each file; they would fill the log

WORKING_SIDE = 640  # pixels: finer detail says nothing about a digit …
CLOSE_SIDE = 1280  # … unless it is a small one on a large page
READING_SECONDS = 2.0  # of the processor's time: photographs take a tenth of that, the largest pictures half of it

# What a file of each kind begins with and which module reads it. A kind that is not here is never parsed, and its
# module never imported.
KINDS = {
    "PNG": (rb"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin"),
    "JPEG": (rb"\xff\xd8\xff", "PIL.JpegImagePlugin"),
    "GIF": (rb"GIF8[79]a", "PIL.GifImagePlugin"),
    "WEBP": (rb"RIFF.{4}WEBP", "PIL.WebPImagePlugin"),
    "AVIF": (rb".{4}ftyp(?:avi[fs]|mi[fa]1.{0,64}?avif)", "PIL.AvifImagePlugin"),
    "HEIF": (rb".{4}ftyp(?:he[iv][cmsx]|m[is]f1)", "_pillow_heif"),
    "TIFF": (rb"II[*+]\0|MM\0[*+]", "PIL.TiffImagePlugin"),
    "BMP": (rb"BM.{4}\0{4}", "PIL.BmpImagePlugin"),
    "PPM": (rb"P[1-6]\s", "PIL.PpmImagePlugin"),
}
# How a picture is turned upright, by its EXIF orientation; the second four also swap width and height.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LYING = (5, 6, 7, 8)
VIDEO = ("AVIF", "HEIF")  # pictures that are coded as video is
READABLE = "PNG, JPEG, GIF, WebP, AVIF, HEIC, TIFF, BMP and PNM"


class Budget:
    """What threads have of something together, such as memory."""

    def __init__(self) -> None:
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int, most: int) -> Iterator[None]:
        """Wait until no more than `most` is used with `amount`, and use it meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._used + amount <= most)
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()


class Timed(io.BytesIO):
    """The bytes of a file, for a while: one may be so made that its reader does not come to an end for minutes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._end = time.thread_time() + READING_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        if time.thread_time() > self._end:
            raise Unreadable(TOO_LONG)
        return super().read(size)


DECODING = Budget()  # pixels, of up to 16 bytes each: all threads together have as many as one picture may have


@dataclass(frozen=True)
class Picture:
    """What a camera or a hand made, upright: `pixels` (h, w, 3) uint8, reduced to at most so many a side as was asked;
    `width` and `height` are those of the full picture."""

    pixels: Pixels
    width: int
    height: int

    @property
    def reduction(self) -> float:
        """How many times larger the full picture is."""
        return self.width / int(self.pixels.shape[1])

    def place(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """A box (left, top, right, bottom) in `pixels`, in pixels of the full picture."""
        across, down = self.width / self.pixels.shape[1], self.height / self.pixels.shape[0]
        left, top, right, bottom = box
        return round(left * across), round(top * down), round(right * across), round(bottom * down)


def decode(data: bytes, *, max_pixels: int, side: int = WORKING_SIDE) -> Picture:
    """Decode, reduce to at most `side` pixels a side, turn upright as EXIF says, and lay what is transparent on paper.

    Raises `NotAPicture` for bytes of no kind that is read, `Unreadable` for a broken picture or one of more than
    `max_pixels` pixels (checked before any pixel is decoded).
    """
    kind = sniff(data)
    try:
        return (decode_video if kind in VIDEO else decode_still)(kind, data, side, max_pixels)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # the decoders of nine formats raise nearly everything on damaged bytes
        raise Unreadable(f"The {kind} file is damaged or incomplete. Save or send it anew.") from error


def sniff(data: bytes) -> str:
    """The kind of picture that the bytes themselves say they are: names and content types lie."""
    for kind, (magic, _) in KINDS.items():
        if re.match(magic, data[:128], re.DOTALL):
            return kind
    raise NotAPicture(f"The bytes are of no kind that can be read: send {READABLE}.")


def decode_video(kind: str, data: bytes, side: int, max_pixels: int) -> Picture:
    """One at a time: how much memory it takes cannot be told from its size."""
    from .apart import decode_apart

    with DECODING.taken(max_pixels, max_pixels):
        return upright(*decode_apart(kind, data, side=side, max_pixels=max_pixels))


def decode_still(kind: str, data: bytes, side: int, max_pixels: int) -> Picture:
    refuse_bomb(kind, data, max_pixels)
    image = open_as(kind, data)
    width, height = image.size
    check_size(width * height, max_pixels)
    image.draft("RGB", (side, side))
    # A JPEG is reduced while it is decoded, but not if it comes in passes: those are held in full.
    held = width * height if "progressive" in image.info else image.width * image.height
    with DECODING.taken(held, max_pixels):
        picture = to_picture(image, side, width, height)
        image.close()
        del image  # a decoder holds as much memory as the pixels do
    return picture


def open_as(kind: str, data: bytes) -> Image.Image:
    importlib.import_module(KINDS[kind][1])
    factory, _ = Image.OPEN[kind]  # Image.open would import the modules of five kinds at its first use
    return factory(Timed(data), "")


def to_picture(image: Image.Image, side: int, width: int, height: int) -> Picture:
    """Reduce first: all later copies are small then. `width` and `height` are those of the file."""
    image.load()
    if image.format == "TIFF":  # the only one that Pillow turns upright as it loads
        width, height = image.size
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    small = resizable(image)
    if max(small.size) > side:
        small.thumbnail((side, side), Image.Resampling.BOX)
    return upright(small, width, height, orientation)


def upright(image: Image.Image, width: int, height: int, orientation: int) -> Picture:
    """`width` and `height` are those of the full picture, as it lies."""
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
    return Picture(to_rgb(image), *((height, width) if orientation in LYING else (width, height)))


def resizable(image: Image.Image) -> Image.Image:
    """In a mode whose pixels can be averaged."""
    transparent = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    mode = "F" if image.mode.startswith(("I", "F")) else "RGBA" if transparent else "RGB"
    return image if image.mode == mode and "transparency" not in image.info else image.convert(mode)


def to_rgb(image: Image.Image) -> Pixels:
    """(h, w, 3) uint8 of an RGB, RGBA or F image."""
    if image.mode == "F":
        image = stretch(image)
    if image.mode == "RGBA":
        image = lay_on_paper(image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def stretch(image: Image.Image) -> Image.Image:
    """16- and 32-bit grey, whatever its range, as 8-bit grey."""
    values = np.nan_to_num(np.asarray(image, np.float32))
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1))).astype(np.uint8))


def lay_on_paper(image: Image.Image) -> Image.Image:
    """Put what is drawn on a transparent ground on paper against which it shows: white, or black under light ink."""
    rgba = np.asarray(image)
    alpha = rgba[..., 3].astype(np.float32)
    light = (rgba[..., :3].mean(axis=2) * alpha).sum() > 160 * alpha.sum()
    paper = Image.new("RGBA", image.size, "black" if light and alpha.mean() < 250 else "white")
    return Image.alpha_composite(paper, image)
