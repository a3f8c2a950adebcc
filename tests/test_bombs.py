"""Small files that would take long, or much memory, are refused for what they are; what only looks so is read."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
from PIL import Image

from function.bombs import MOST_PIECES, MOST_SCANS
from function.decode import Picture, decode
from function.errors import Unreadable
from tests.bombs import (
    FOUR,
    GREY,
    LONG,
    PICTURES,
    Entries,
    bmp,
    grey_tiff,
    jpeg_scanned_again,
    tiff_of_jpegs,
    tiled_tiff,
)
from tests.helpers import encode
from tests.test_decode import difference, peak_of_decoding

LARGE = 8000 * 8000


def decoded(data: bytes, max_pixels: int = LARGE) -> Picture:
    return decode(data, max_pixels=max_pixels)


# ── JPEG ──────────────────────────────────────────────────────────────────────────────────────────────────────
def in_scans_of_a_colour(times: int) -> bytes:
    """A grey picture, as luminance and as both of the colours, each in scans of its own, so many times."""
    data = encode(GREY, "JPEG")
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    tables = data[frame + 2 + struct.unpack_from(">H", data, frame + 2)[0] : scan]
    colours = b"".join(bytes((colour, 0x11, 0)) for colour in (1, 2, 3))
    frame_of_three = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, *GREY.size[::-1], 3) + colours
    start = scan + 2 + struct.unpack_from(">H", data, scan + 2)[0]
    scans = [b"\xff\xda\0\x08\1" + bytes((colour, 0, 0, 63, 0)) + data[start:-2] for colour in (1, 2, 3)]
    return data[:frame] + frame_of_three + tables + b"".join(scans) * times + b"\xff\xd9"


class TestScans:
    OF_ITS_OWN = 6  # a grey picture's, before one of them is repeated

    def test_as_many_as_encoders_make_are_read_and_more_are_not(self) -> None:
        assert decoded(jpeg_scanned_again(MOST_SCANS - self.OF_ITS_OWN, 80)).pixels.min() == 255
        with pytest.raises(Unreadable, match="more than 32 passes"):
            decoded(jpeg_scanned_again(MOST_SCANS - self.OF_ITS_OWN + 1, 80))

    def test_scans_of_single_colours_count_too(self) -> None:
        grey = decoded(in_scans_of_a_colour(1)).pixels
        assert difference(grey, Image.merge("YCbCr", [GREY] * 3)) < 6
        with pytest.raises(Unreadable, match="more than 32 passes"):
            decoded(in_scans_of_a_colour(11))

    @pytest.mark.parametrize("kind", ["jpeg", "jpeg-progressive"])
    def test_what_is_no_scan_of_the_picture_is_not_counted(self, kind: str) -> None:
        data, scan = PICTURES[kind], b"\xff\xda\0\x08" * 100
        thumbnail = b"\xff\xe1" + struct.pack(">H", 2 + len(scan)) + scan
        assert difference(decoded(data[:2] + thumbnail + data[2:] + scan).pixels, FOUR) < 4

    def test_in_a_tiff_they_count_too(self) -> None:
        assert decoded(tiff_of_jpegs(MOST_SCANS, 80, 2)).pixels.min() == 255
        with pytest.raises(Unreadable, match="damaged"):
            decoded(tiff_of_jpegs(MOST_SCANS + 1, 80, 2))

    @pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
    def test_threads_take_turns_with_passes_which_are_held_in_full(self) -> None:
        picture = encode(Image.new("RGB", (5600, 5600), "white"), "JPEG", progressive=True)
        assert peak_of_decoding(picture, threads=4) < 2.5 * peak_of_decoding(picture, threads=1)


# ── TIFF ──────────────────────────────────────────────────────────────────────────────────────────────────────
def striped(strips: int) -> bytes:
    """Each strip is the same row of a pixel."""
    rows: Entries = {273: (LONG, strips, struct.pack("<I", 8) * strips), 278: (LONG, 1, 1), 279: (LONG, 1, 1)}
    return grey_tiff(1, strips, more=rows)


class TestPieces:
    def test_so_many_strips_are_read_and_more_are_not(self) -> None:
        assert decoded(striped(MOST_PIECES)).height == MOST_PIECES
        with pytest.raises(Unreadable, match="more than 65,536 strips or tiles"):
            decoded(striped(MOST_PIECES + 1))

    @pytest.mark.parametrize(("across", "down"), [(16, 16), (64, 32), (256, 256)])
    def test_tiles_that_go_beyond_the_picture_are_read(self, across: int, down: int) -> None:
        tiles = -(-200 // across) * -(-200 // down)
        assert decoded(tiled_tiff(200, 200, across, down, max(2, tiles)), 100_000).pixels.shape == (200, 200, 3)

    @pytest.mark.parametrize(
        ("across", "down", "tiles"), [(1_024, 1_024, 2), (2**16, 16, 2), (16, 2**31, 2), (256, 256, 9)]
    )
    def test_tiles_much_larger_than_a_picture_may_be_are_not(self, across: int, down: int, tiles: int) -> None:
        with pytest.raises(Unreadable, match="more than 100,000 pixels"):
            decoded(tiled_tiff(200, 200, across, down, tiles), 100_000)

    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
    @pytest.mark.parametrize("big_tiff", [False, True])
    def test_tiffs_as_pillow_writes_them_are_read(self, compression: str | None, *, big_tiff: bool) -> None:
        data = encode(FOUR, "TIFF", compression=compression, big_tiff=big_tiff, strip_size=1024)
        assert difference(decoded(data).pixels, FOUR) < 4

    def test_a_big_endian_tiff_is_read(self) -> None:
        grey = Image.fromarray(np.asarray(GREY).astype(">u2") * 257)
        assert difference(decoded(encode(grey, "TIFF")).pixels, FOUR) < 4


# ── BMP ───────────────────────────────────────────────────────────────────────────────────────────────────────
class TestRuns:
    def test_a_bmp_in_runs_is_read(self) -> None:
        rows = b"".join(b"".join(bytes((1, level)) for level in row) + b"\0\0" for row in np.asarray(GREY)[::-1])
        pixels = decoded(bmp(*GREY.size, rows + b"\0\1", compression=1)).pixels
        assert np.array_equal(pixels[..., 1], np.asarray(GREY))

    @pytest.mark.parametrize(("width", "height"), [(4_000_001, 1), (1, 4_000_001), (2_001, 2_000), (2_001, -2_000)])
    @pytest.mark.parametrize("compression", [1, 2])
    def test_a_large_one_is_not(self, width: int, height: int, compression: int) -> None:
        with pytest.raises(Unreadable, match="more than 4,000,000 pixels"):
            decoded(bmp(width, height, b"\0\1", bits=8 // compression, compression=compression))
