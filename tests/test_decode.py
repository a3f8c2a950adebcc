"""Bytes of every kind → the picture that was drawn, upright; everything else → a problem, soon."""

from __future__ import annotations

import contextlib
import random
import struct
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from function import decode as decoding
from function.decode import CLOSE_SIDE, WORKING_SIDE, Budget, Picture, Pixels, decode
from function.errors import NotAPicture, Unreadable
from tests.heic import LYING_4
from tests.helpers import ROOT, draw_digit, encode

MAX_PIXELS = 64_000_000
ORIENTATION = 0x0112  # EXIF
WIDTH, HEIGHT = 80, 96  # no square, so that no turn goes unseen


def draw(ink: str = "black", paper: str = "white") -> Image.Image:
    return draw_digit(4, side=96, nib=8, ink=ink, paper=paper).crop((8, 0, 88, 96))


DRAWN = draw()
GREY = DRAWN.convert("L")
MAROON = draw("maroon", "wheat")


def transparent(ink: str) -> Image.Image:
    """A 4 in `ink` where there is any, and nothing elsewhere."""
    image = Image.new("RGBA", GREY.size, ink)
    image.putalpha(Image.eval(GREY, lambda level: 255 - level))
    return image


def sixteen_bit(image: Image.Image = GREY) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes, *, interlaced: bool = False) -> bytes:
    """8-bit grey, of filtered rows; Pillow cannot write interlaced ones, nor ones that lie about their size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def interlaced_png(image: Image.Image) -> bytes:
    """Adam7: seven reduced pictures, one after the other."""
    pixels = np.asarray(image)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = (row for left, top, across, down in passes for row in pixels[top::down, left::across])
    return png(*image.size, b"".join(b"\0" + row.tobytes() for row in rows), interlaced=True)


def plain_pnm(image: Image.Image, magic: str) -> bytes:
    """P1 to P3, as text; a bit of P1 is 1 for black."""
    values = np.asarray(image).astype(int).ravel()
    values = 1 - values if magic == "P1" else values
    size = f"{image.width} {image.height}" + ("" if magic == "P1" else " 255")
    return f"{magic}\n# drawn\n{size}\n{' '.join(map(str, values))}\n".encode()


# Where the kind loses nothing, black and white come out as they were; else 4 grey levels off in the mean are allowed.
LOSSLESS = {
    "PNG, 1 bit": encode(DRAWN.convert("1")),
    "PNG, 8 bits": encode(GREY),
    "PNG, 16 bits": encode(sixteen_bit()),
    "PNG, colour": encode(DRAWN),
    "PNG, palette": encode(DRAWN.convert("P")),
    "PNG, palette of 2": encode(DRAWN.quantize(2)),
    "PNG, alpha": encode(DRAWN.convert("RGBA")),
    "PNG, grey and alpha": encode(DRAWN.convert("LA")),
    "PNG, clear paper": encode(transparent("black")),
    "PNG, grey on clear paper": encode(transparent("black").convert("LA")),
    "PNG, palette with clear paper": encode(GREY.convert("P"), transparency=255),
    "PNG, grey with one clear level": encode(GREY, transparency=255),
    "PNG, colour with one clear colour": encode(DRAWN, transparency=(255, 255, 255)),
    "PNG, interlaced": interlaced_png(GREY),
    "GIF": encode(DRAWN, "GIF"),
    "GIF, interlaced": encode(DRAWN, "GIF", interlace=1),
    "GIF, clear paper": encode(transparent("black"), "GIF"),
    "GIF, animated": encode(DRAWN, "GIF", save_all=True, append_images=[draw("red")]),
    "BMP, 1 bit": encode(DRAWN.convert("1"), "BMP"),
    "BMP, grey": encode(GREY, "BMP"),
    "BMP, colour": encode(DRAWN, "BMP"),
    "BMP, palette": encode(DRAWN.convert("P"), "BMP"),
    "WebP, lossless": encode(DRAWN, "WEBP", lossless=True),
    "WebP, clear paper": encode(transparent("black"), "WEBP", lossless=True),
    "WebP, animated": encode(DRAWN, "WEBP", lossless=True, save_all=True, append_images=[draw("red")]),
    "TIFF, 1 bit": encode(DRAWN.convert("1"), "TIFF", compression="group4"),
    "TIFF, grey": encode(GREY, "TIFF"),
    "TIFF, 16 bits": encode(sixteen_bit(), "TIFF"),
    "TIFF, 16 bits, big-endian": encode(Image.fromarray(np.asarray(sixteen_bit()).astype(">u2")), "TIFF"),
    "TIFF, 32 bits": encode(GREY.convert("I"), "TIFF"),
    "TIFF, floats": encode(GREY.convert("F"), "TIFF"),
    "TIFF, colour": encode(DRAWN, "TIFF"),
    "TIFF, palette": encode(DRAWN.convert("P"), "TIFF"),
    "TIFF, LZW": encode(DRAWN, "TIFF", compression="tiff_lzw"),
    "TIFF, deflate": encode(DRAWN, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, CMYK": encode(DRAWN.convert("CMYK"), "TIFF"),
    "TIFF, clear paper": encode(transparent("black"), "TIFF"),
    "TIFF, two pages": encode(DRAWN, "TIFF", save_all=True, append_images=[draw("red")]),
    "BigTIFF": encode(DRAWN, "TIFF", big_tiff=True),
    "PNM, P1": plain_pnm(DRAWN.convert("1"), "P1"),
    "PNM, P2": plain_pnm(GREY, "P2"),
    "PNM, P3": plain_pnm(DRAWN, "P3"),
    "PNM, P4": encode(DRAWN.convert("1"), "PPM"),
    "PNM, P5": encode(GREY, "PPM"),
    "PNM, P5, 16 bits": encode(sixteen_bit(), "PPM"),
    "PNM, P6": encode(DRAWN, "PPM"),
}
LOSSY = {
    "JPEG": encode(DRAWN, "JPEG"),
    "JPEG, grey": encode(GREY, "JPEG"),
    "JPEG, CMYK": encode(DRAWN.convert("CMYK"), "JPEG"),
    "JPEG, progressive": encode(DRAWN, "JPEG", progressive=True),
    "JPEG, two pictures": encode(DRAWN, "MPO", save_all=True, append_images=[draw("red")]),
    "WebP": encode(DRAWN, "WEBP"),
    "AVIF": encode(DRAWN, "AVIF"),
    "AVIF, grey": encode(GREY, "AVIF"),
    "AVIF, clear paper": encode(transparent("black"), "AVIF"),
    "HEIC": LYING_4,
}
COLOURED = {
    "PNG": encode(MAROON),
    "PNG, palette": encode(MAROON.convert("P", palette=Image.Palette.ADAPTIVE)),
    "JPEG": encode(MAROON, "JPEG"),
    "JPEG, CMYK": encode(MAROON.convert("CMYK"), "JPEG"),
    "GIF": encode(MAROON, "GIF"),
    "BMP": encode(MAROON, "BMP"),
    "WebP": encode(MAROON, "WEBP"),
    "AVIF": encode(MAROON, "AVIF"),
    "TIFF": encode(MAROON, "TIFF"),
    "TIFF, CMYK": encode(MAROON.convert("CMYK"), "TIFF"),
    "PNM": encode(MAROON, "PPM"),
}


def decoded(data: bytes) -> Picture:
    return decode(data, max_pixels=MAX_PIXELS)


def difference(pixels: Pixels, image: Image.Image) -> float:
    """Grey levels, in the mean."""
    return float(np.abs(pixels.astype(float) - np.asarray(image.convert("RGB"))).mean())


def named(files: dict[str, bytes]) -> list[Any]:
    return [pytest.param(data, id=name) for name, data in files.items()]


# ── Every kind ────────────────────────────────────────────────────────────────────────────────────────────────
class TestEveryKind:
    @pytest.mark.parametrize("data", named(LOSSLESS))
    def test_what_loses_nothing_comes_as_it_was_drawn(self, data: bytes) -> None:
        picture = decoded(data)
        assert (picture.width, picture.height) == (WIDTH, HEIGHT)
        assert picture.pixels.dtype == np.uint8
        assert np.array_equal(picture.pixels, np.asarray(DRAWN))

    @pytest.mark.parametrize("data", named(LOSSY))
    def test_what_loses_a_little_comes_nearly_as_it_was_drawn(self, data: bytes) -> None:
        picture = decoded(data)
        assert (picture.width, picture.height) == (WIDTH, HEIGHT)
        assert difference(picture.pixels, DRAWN) < 4

    @pytest.mark.parametrize("data", named(COLOURED))
    def test_colours_come_through(self, data: bytes) -> None:
        assert difference(decoded(data).pixels, MAROON) < 4

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "GIF"])
    @pytest.mark.parametrize("ink", ["white", "yellow", "black", "navy"])
    def test_ink_on_a_transparent_ground_is_seen(self, kind: str, ink: str) -> None:
        pixels = decoded(encode(transparent(ink), kind)).pixels.astype(int)
        strokes = np.asarray(GREY) == 0
        apart = np.abs(pixels[strokes].mean(axis=0) - pixels[~strokes].mean(axis=0))
        assert apart.max() > 200

    def test_16_bits_of_which_few_are_used_are_stretched(self) -> None:
        faint = Image.fromarray((30_000 + np.asarray(GREY).astype(np.uint16)).astype(np.uint16))
        assert np.array_equal(decoded(encode(faint)).pixels, np.asarray(DRAWN))

    def test_16_bits_of_one_level_are_a_blank_picture(self) -> None:
        blank = Image.fromarray(np.full((20, 30), 40_000, np.uint16))
        assert np.ptp(decoded(encode(blank)).pixels) == 0

    @pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
    def test_tiny_and_narrow_pictures_are_pictures(self, size: tuple[int, int]) -> None:
        picture = decoded(encode(Image.new("L", size)))
        assert (picture.width, picture.height) == size
        assert min(picture.pixels.shape[:2]) >= 1


# ── Upright ───────────────────────────────────────────────────────────────────────────────────────────────────
# What turns an upright picture into the one that is stored with each orientation of EXIF 2.32, 4.6.5.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored(image: Image.Image, kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(image.transpose(STORED[orientation]) if orientation > 1 else image, kind, exif=exif.tobytes())


class TestUpright:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_a_picture_is_turned_as_its_exif_says(self, kind: str, orientation: int) -> None:
        picture = decoded(stored(DRAWN, kind, orientation))
        assert (picture.width, picture.height) == (WIDTH, HEIGHT)
        assert difference(picture.pixels, DRAWN) < 4

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_a_large_picture_tells_its_size_when_upright(self, kind: str, orientation: int) -> None:
        picture = decoded(stored(DRAWN.resize((1600, 1920)), kind, orientation))
        assert (picture.width, picture.height) == (1600, 1920)
        assert picture.pixels.shape == (640, 533, 3)

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_an_orientation_that_is_none_changes_nothing(self, orientation: int) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        assert difference(decoded(encode(DRAWN, "JPEG", exif=exif.tobytes())).pixels, DRAWN) < 4

    def test_exif_that_is_damaged_changes_nothing(self) -> None:
        assert difference(decoded(encode(DRAWN, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff")).pixels, DRAWN) < 4


# ── Size ──────────────────────────────────────────────────────────────────────────────────────────────────────
def lying(kind: str, width: int, height: int) -> bytes:
    """A small file that says it holds a picture of this size."""
    if kind == "PNG":
        return png(width, height, b"\0\0")
    if kind == "PPM":
        return f"P6 {width} {height} 255\n".encode()
    file = bytearray(encode(DRAWN, kind))
    if kind == "GIF":
        file[6:10] = struct.pack("<HH", width, height)
    elif kind == "BMP":
        file[18:26] = struct.pack("<ii", width, height)
    elif kind == "JPEG":
        frame = file.index(b"\xff\xc0")
        file[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    elif kind == "TIFF":
        for tag, value in ((256, width), (257, height)):
            entry = file.index(struct.pack("<H", tag), 8)
            file[entry : entry + 12] = struct.pack("<HHII", tag, 4, 1, value)
    return bytes(file)


PEAK = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
import PIL.PngImagePlugin
from function.decode import decode
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())[1])
data, threads = sys.stdin.buffer.read(), int(sys.argv[1])
before = peak()
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(lambda _: decode(data, max_pixels=36_000_000), range(threads)))
print(peak() - before)
"""


def peak_of_decoding(data: bytes, *, threads: int = 1) -> int:
    """Bytes that a process of its own needs for it, in each of some threads at once."""
    command = [sys.executable, "-c", PEAK, str(threads)]
    return int(subprocess.run(command, input=data, capture_output=True, check=True, cwd=ROOT).stdout)


class TestSize:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
    @pytest.mark.parametrize("size", [(641, 640), (1282, 1281), (1281, 1282), (1500, 2000), (2000, 1500), (4000, 50)])
    def test_large_pictures_are_reduced_and_tell_their_true_size(self, kind: str, size: tuple[int, int]) -> None:
        picture = decoded(encode(DRAWN.resize(size), kind))
        rows, columns, _ = picture.pixels.shape
        assert (picture.width, picture.height) == size
        assert max(rows, columns) == WORKING_SIDE
        assert columns / rows == pytest.approx(size[0] / size[1], rel=0.02)
        assert picture.place((0, 0, columns, rows)) == (0, 0, *size)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "AVIF"])
    def test_a_picture_is_reduced_less_from_near_by(self, kind: str) -> None:
        data = encode(DRAWN.resize((2560, 1920)), kind)
        far, near = (decode(data, max_pixels=5_000_000, side=side) for side in (WORKING_SIDE, CLOSE_SIDE))
        assert (far.reduction, near.reduction) == (4, 2)
        assert near.pixels.shape == (960, 1280, 3)
        assert (near.width, near.height) == (2560, 1920)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_a_reduced_picture_still_shows_what_was_drawn(self, kind: str) -> None:
        large = draw_digit(4, side=2000, nib=120)
        assert difference(decoded(encode(large, kind)).pixels, large.resize((WORKING_SIDE, WORKING_SIDE))) < 4

    def test_the_most_pixels_are_allowed_and_one_more_is_not(self) -> None:
        data = encode(DRAWN)
        assert decode(data, max_pixels=WIDTH * HEIGHT).width == WIDTH
        with pytest.raises(Unreadable, match="more than 7,679 pixels"):
            decode(data, max_pixels=WIDTH * HEIGHT - 1)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM"])
    @pytest.mark.parametrize(
        "size", [(8001, 8000), (12_000, 10_000), (65_000, 65_000)], ids=["just too large", "larger", "a bomb"]
    )
    def test_too_many_pixels_are_refused_before_any_is_decoded(self, kind: str, size: tuple[int, int]) -> None:
        began = time.perf_counter()
        # None of these files holds a picture of that size, so decoding one would say that it is damaged.
        with pytest.raises(Unreadable, match="more than 64,000,000 pixels"):
            decoded(lying(kind, *size))
        assert time.perf_counter() - began < 0.5

    @pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
    @pytest.mark.parametrize(
        ("mode", "options"),
        [("L", {}), ("RGB", {}), ("P", {"transparency": 0}), ("LA", {}), ("RGBA", {}), ("I;16", {})],
        ids=["grey", "colour", "palette with clear paper", "grey and alpha", "alpha", "16 bits"],
    )
    def test_a_large_picture_in_a_small_file_takes_little_memory(self, mode: str, options: dict[str, Any]) -> None:
        side = 4000
        data = encode(Image.new(mode, (side, side)), **options)
        assert len(data) < 100_000
        # Pillow itself holds colours in 4 bytes a pixel: three such pictures, and room.
        assert peak_of_decoding(data) < 14 * side * side


# ── What is no picture, or a broken one ───────────────────────────────────────────────────────────────────────
ONE_OF_EACH = {
    "PNG": encode(DRAWN),
    "PNG, interlaced": interlaced_png(GREY),
    "JPEG": encode(DRAWN, "JPEG"),
    "JPEG, progressive": encode(DRAWN, "JPEG", progressive=True),
    "GIF": encode(DRAWN, "GIF"),
    "BMP": encode(DRAWN, "BMP"),
    "WebP": encode(DRAWN, "WEBP"),
    "AVIF": encode(DRAWN, "AVIF"),
    "HEIC": LYING_4,
    "TIFF": encode(DRAWN, "TIFF"),
    "TIFF, LZW": encode(DRAWN, "TIFF", compression="tiff_lzw"),
    "PNM, P3": plain_pnm(DRAWN, "P3"),
    "PNM, P6": encode(DRAWN, "PPM"),
}


class TestBudget:
    def test_threads_take_turns_when_there_is_not_enough_for_all(self) -> None:
        budget, used, most_used = Budget(), [0], [0]
        lock = threading.Lock()

        def work(amount: int) -> None:
            with budget.taken(amount, 10):
                with lock:
                    used[0] += amount
                    most_used[0] = max(most_used[0], used[0])
                time.sleep(0.002)
                with lock:
                    used[0] -= amount

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, [1, 10, 4, 6, 9, 2, 3, 7] * 10))
        assert 6 < most_used[0] <= 10

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak in /proc")
    def test_eight_threads_need_little_more_memory_than_one(self) -> None:
        picture = encode(draw_digit(1, side=6000, nib=300).convert("RGBA"))
        assert peak_of_decoding(picture, threads=8) < 1.5 * peak_of_decoding(picture, threads=1)

    def test_what_fails_gives_back_what_it_took(self) -> None:
        budget = Budget()
        for _ in range(3):
            with pytest.raises(OSError, match="damaged"), budget.taken(10, 10):
                raise OSError("damaged")


class TestBroken:
    @pytest.mark.parametrize("data", named(ONE_OF_EACH))
    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.8])
    def test_a_file_that_was_cut_off_cannot_be_read(self, data: bytes, kept: float) -> None:
        with pytest.raises(Unreadable, match="damaged or incomplete"):
            decoded(data[: max(32, int(kept * len(data)))])

    @pytest.mark.parametrize("data", named(ONE_OF_EACH))
    def test_a_file_of_which_only_the_beginning_is_right_cannot_be_read(self, data: bytes) -> None:
        with pytest.raises(Unreadable, match="damaged or incomplete"):
            decoded(data[:32] + b"\xa5" * 400)

    @pytest.mark.parametrize("data", named({name: ONE_OF_EACH[name] for name in ONE_OF_EACH if name != "HEIC"}))
    def test_damage_anywhere_is_a_picture_or_a_problem(self, data: bytes) -> None:
        dice = random.Random(4)  # noqa: S311  # no secret
        for _ in range(40):
            damaged = bytearray(data)
            for _ in range(3):
                damaged[dice.randrange(12, len(data))] = dice.randrange(256)
            with contextlib.suppress(Unreadable):
                assert decode(bytes(damaged), max_pixels=1_000_000).pixels.shape[2] == 3

    @pytest.mark.parametrize(
        "data",
        named(
            {
                "nothing": b"",
                "one byte": b"\x89",
                "text": b"Dear reader,\n" * 100,
                "HTML": b"<!doctype html><title>9</title>",
                "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
                "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
                "EPS": encode(DRAWN, "EPS"),
                "ICO": encode(DRAWN, "ICO"),
                "TGA": encode(DRAWN, "TGA"),
                "JPEG 2000": encode(DRAWN, "JPEG2000"),
                "ZIP": b"PK\x03\x04" + bytes(100),
                "MP4": b"\0\0\0\x20ftypisom" + bytes(100),
                "WAVE": b"RIFF\x24\0\0\0WAVEfmt " + bytes(100),
                "a PNG after a line": b"\n" + encode(DRAWN),
                "a letter about P1": b"P1: see below",
                "BM in a sentence": b"BMW is a maker of cars",
                "zeros": bytes(1000),
            }
        ),
    )
    def test_what_is_no_picture_is_told_what_would_be_one(self, data: bytes) -> None:
        with pytest.raises(NotAPicture, match="send PNG, JPEG, GIF, WebP, AVIF, HEIC, TIFF, BMP and PNM"):
            decoded(data)


def text_of_comments(length: int) -> bytes:
    """A PNM that is nothing else."""
    return b"P2 80 96 255\n" + b"#\n" * (length // 2)


class TestTime:
    @pytest.mark.parametrize(
        "data",
        [
            b"P5\n#" + bytes(3_000_000),
            text_of_comments(3_000_000),
            b"\x89PNG\r\n\x1a\n" + ONE_OF_EACH["PNG"][8:33] + chunk(b"prVa", b"") * 100_000 + ONE_OF_EACH["PNG"][33:],
            b"\xff\xd8" + (b"\xff\xe1\0\x6cExif\0\0" + bytes(100)) * 20_000 + ONE_OF_EACH["JPEG"][2:],
            b"P6 800 800 254\n" + bytes(3 * 800 * 800),
        ],
        ids=["a long comment", "comments", "chunks", "EXIF again and again", "levels that are scaled one by one"],
    )
    def test_what_is_read_for_long_is_given_up(self, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decoding, "READING_SECONDS", 0.05)
        began = time.thread_time()
        with pytest.raises(Unreadable, match="takes too long"):
            decoded(data)
        assert time.thread_time() - began < 3  # a second of it is for the step in which the time runs out

    def test_others_have_their_own_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is the processor's, and the thread's: what waits, as all do where much is asked, loses none of it."""
        monkeypatch.setattr(decoding, "READING_SECONDS", 0.5)
        with ThreadPoolExecutor(20) as pool:
            pictures = list(pool.map(decoded, [encode(draw_digit(4, side=1500, nib=90))] * 40))
        assert len(pictures) == 40


def test_damage_is_not_told_to_the_log() -> None:
    """Pillow warns of each tag that it leaves out, which may be new ones in each file."""
    entries = b"".join(struct.pack(">HHII", tag, 4, 1000, tag) for tag in range(300, 340))
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 40) + entries + bytes(4)
    program = "import sys; from function.decode import decode; decode(sys.stdin.buffer.read(), max_pixels=10**6)"
    data = encode(DRAWN, "JPEG", exif=exif)
    done = subprocess.run([sys.executable, "-c", program], input=data, cwd=ROOT, capture_output=True, check=True)
    assert done.stderr == b""


def test_a_damaged_heic_does_not_end_the_process() -> None:
    """These four bytes ended it with a segmentation fault in pi-heif 1.4.0, hence a process of its own."""
    damaged = bytearray(LYING_4)
    for place, byte in ((37, 9), (149, 145), (176, 240), (1013, 242)):
        damaged[place] = byte
    program = "import sys; from function.decode import decode; decode(sys.stdin.buffer.read(), max_pixels=10**6)"
    done = subprocess.run(
        [sys.executable, "-c", program], input=bytes(damaged), cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr  # read after all, or refused by an exception
