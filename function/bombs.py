"""Small files that would take long, or much memory, to decode: told by their structure, before they are decoded.

That a picture has too many pixels is told by its size. But a JPEG may go over its pixels a thousand times, and the
tiles of a TIFF may be larger than its picture. The decoders allow it.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator

from .errors import Unreadable

TOO_LONG = "It takes too long to decode. Send a smaller picture, or save it anew."

MOST_SCANS = 32  # of a JPEG, each over all of the picture: encoders make 10, or 18 of CMYK
os.environ.setdefault("LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER", str(MOST_SCANS + 1))  # and in a TIFF; else a hundred
MOST_PIECES = 65_536  # of a TIFF, strips or tiles: Pillow makes a list of them; tiles of 32×32 for the largest picture
LAYERS = 4  # times the most pixels may be in the tiles of a TIFF, whose colours may lie in tiles of their own
MOST_IN_RUNS = 4_000_000  # pixels of a BMP that is stored as runs of equal ones: Pillow reads those in Python

# ITU-T T.81, B.1: between the markers of a scan, 0xff is followed by 0, or by D0 to D7 where decoding may begin anew.
MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}

# TIFF 6.0, 2 and 15, and BigTIFF: where the directory is, how many entries it has, and what they are.
CLASSIC, BIG = ("4xI", "H", "HHI4s"), ("8xQ", "Q", "HHQ8s")
STRIP_OFFSETS, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS = 273, 322, 323, 324
BYTES_OF_TYPE = {1: 1, 3: 2, 6: 1, 8: 2, 4: 4, 9: 4}

OLD_HEADER = 12  # bytes: OS/2's of a BMP, which knows no compression
RUN_LENGTHS = (1, 2)


def refuse_bomb(kind: str, data: bytes, max_pixels: int) -> None:
    """Raises `Unreadable` for what would take much more than a picture of `max_pixels` pixels; and some other exception
    for what is damaged."""
    if kind == "JPEG":
        check_scans(data)
    elif kind == "TIFF":
        check_tiles(data, max_pixels)
    elif kind == "BMP":
        check_runs(data)


def check_size(pixels: int, max_pixels: int) -> None:
    if pixels > max_pixels:
        raise Unreadable(f"It has more than {max_pixels:,} pixels. Send a smaller picture.")


# ── JPEG ──────────────────────────────────────────────────────────────────────────────────────────────────────
def check_scans(data: bytes) -> None:
    scans, components, progressive = 0, 0, False
    for marker, content in segments(data):
        if marker in FRAMES:
            components, progressive = data[content + 5], marker in PROGRESSIVE
        if marker == START_OF_SCAN:
            scans += 1
            only_one = not progressive and data[content] == components
            if only_one or scans + data.count(b"\xff\xda", content) <= MOST_SCANS:  # sooner told than by segments
                return
            if scans > MOST_SCANS:
                raise Unreadable(f"It is stored in more than {MOST_SCANS} passes. Save it anew.")


def segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Of a JPEG's first picture: each marker, and where what follows it and its length begins."""
    place = 2
    while (found := MARKER.search(data, place)) and found[1][0] != END_OF_IMAGE:
        yield found[1][0], found.end() + 2
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")


# ── TIFF ──────────────────────────────────────────────────────────────────────────────────────────────────────
def check_tiles(data: bytes, max_pixels: int) -> None:
    entries = list(directory(data))
    pieces = max((count for tag, count, _ in entries if tag in (STRIP_OFFSETS, TILE_OFFSETS)), default=0)
    if pieces > MOST_PIECES:
        raise Unreadable(f"It is stored in more than {MOST_PIECES:,} strips or tiles. Save it anew.")
    width, length = (
        max((value for tag, _, value in entries if tag == side), default=0) for side in (TILE_WIDTH, TILE_LENGTH)
    )
    check_size(max(width * length, width * length * pieces // LAYERS), max_pixels)


def directory(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each entry of a TIFF's first directory: its tag, how many values it has, and the value, if that is one."""
    order = "<" if data[:1] == b"I" else ">"
    start, number, entry = BIG if data[2:3] == b"+" else CLASSIC
    (place,) = struct.unpack_from(order + start, data)
    (count,) = struct.unpack_from(order + number, data, place)
    first, size = place + struct.calcsize(order + number), struct.calcsize(order + entry)
    for tag, kind, values, value in struct.iter_unpack(order + entry, data[first : first + count * size]):
        yield tag, values, int.from_bytes(value[: BYTES_OF_TYPE.get(kind)], "little" if order == "<" else "big")


# ── BMP ───────────────────────────────────────────────────────────────────────────────────────────────────────
def check_runs(data: bytes) -> None:
    header, width, height, _, _, compression = struct.unpack_from("<IiiHHI", data, 14)
    if header > OLD_HEADER and compression in RUN_LENGTHS:
        check_size(abs(width * height), MOST_IN_RUNS)
