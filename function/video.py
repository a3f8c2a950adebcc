"""The program that `apart.py` runs: an AVIF or HEIC on standard input → its pixels, reduced, on standard output.

Before them is a line: their mode, width and height, the full picture's width and height, and its orientation as EXIF
has it. Of a picture with too many pixels there is only that line.
"""

from __future__ import annotations

import io
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image

SECONDS = 4  # of the processor's time, of all threads together: 12 megapixels take one, 64 four
MEMORY = 3 * 2**29  # bytes
THREADS = 4

Opened = tuple[tuple[int, int], Callable[[], Image.Image]]  # the size, and what decodes it


def open_avif(data: bytes) -> Opened:
    from PIL.AvifImagePlugin import AvifImageFile

    image = AvifImageFile(io.BytesIO(data), "")

    def load() -> Image.Image:
        image.load()
        return image

    return image.size, load


def open_heif(data: bytes) -> Opened:
    """libheif turns the picture upright itself."""
    import _pillow_heif  # type: ignore[import-not-found]  # pillow-heif's own module copies what is said of each picture

    # … as 8 bits a colour, red first, rows as long as they come, and within the limits of libheif.
    images, _ = _pillow_heif.load_file(data, THREADS, True, False, False, True, "", False)
    coded: Any = next(image for image in images if image is not None and image.primary)

    def load() -> Image.Image:
        pixels = coded.data
        size, mode = coded.size_mode
        return Image.frombytes(mode, size, pixels, "raw", mode, coded.stride)

    return coded.size_mode[0], load


OPEN = {"AVIF": open_avif, "HEIF": open_heif}


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    with suppress(ValueError):  # macOS knows no limit of memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main(kind: str, side: int, max_pixels: int) -> None:
    limit()
    (width, height), load = OPEN[kind](sys.stdin.buffer.read())
    if width * height > max_pixels:
        print("RGB", 0, 0, width, height, 1)
        return
    image = load()
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((side, side), Image.Resampling.BOX)
    print(image.mode, *image.size, width, height, orientation, flush=True)
    sys.stdout.buffer.write(image.tobytes())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
