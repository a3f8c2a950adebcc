"""HEIC pictures for Pillow, by the C part of pillow-heif.

Its own plugin for Pillow copies what is said about every picture of a file: a file of 15 MB took 12 GB. None of that is
needed here, and no picture but the one that is meant.
"""

from __future__ import annotations

from typing import Any

import _pillow_heif  # type: ignore[import-not-found]
from PIL import Image, ImageFile

THREADS = 4


class HeifImage(ImageFile.ImageFile):
    """The primary picture, which libheif turns upright. Its size is known at once, its pixels once it is loaded."""

    format = "HEIF"
    format_description = "HEIF container"

    def _open(self) -> None:
        assert self.fp is not None
        # … as 8 bits a colour, red first, rows as long as they come, and within the limits of libheif.
        images, _ = _pillow_heif.load_file(self.fp.read(), THREADS, True, False, False, True, "", False)
        self._coded = next(image for image in images if image is not None and image.primary)
        self._size, self._mode = self._coded.size_mode

    def load(self) -> Any:
        if self._im is None:
            data, stride = self._coded.data, self._coded.stride
            self._size, self._mode = self._coded.size_mode
            self.im = Image.frombytes(self.mode, self.size, data, "raw", self.mode, stride).im
        return super().load()


Image.register_open(HeifImage.format, HeifImage)
