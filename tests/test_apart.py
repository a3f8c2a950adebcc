"""AVIF and HEIC are decoded by a program of its own, and nothing that it meets is more than a problem."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from function.apart import decode_apart
from function.decode import Picture, decode
from function.errors import Unreadable
from tests.bombs import FOUR, WHITE_HEIC, avif_of_many, large_many_times, said_of_many, tiled_heic
from tests.bombs import WHITE_AVIF as LARGER
from tests.heic import LYING_4
from tests.helpers import ROOT, encode
from tests.test_decode import difference

LARGE = 8000 * 8000


def decoded(data: bytes, max_pixels: int = LARGE) -> Picture:
    return decode(data, max_pixels=max_pixels)


def processor_time() -> float:
    """Seconds, of the programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    "make",
    [
        lambda: avif_of_many(5_000),
        lambda: large_many_times(b"av01", LARGER, 5),
        lambda: large_many_times(b"hvc1", WHITE_HEIC, 30),
    ],
    ids=["pictures one after the other", "pictures larger than they say", "a large picture in many places"],
)
def test_a_small_file_that_would_be_decoded_for_long_is_given_up(make: Callable[[], bytes]) -> None:
    data, before = make(), processor_time()
    with pytest.raises(Unreadable, match="takes too long"):
        decoded(data)
    assert len(data) < 20_000_000
    assert processor_time() - before < 5


def test_the_most_pixels_are_allowed_and_one_more_is_not() -> None:
    for data in (LYING_4, encode(FOUR, "AVIF")):
        assert decoded(data, 80 * 96).width == 80
        with pytest.raises(Unreadable, match="more than 7,679 pixels"):
            decoded(data, 80 * 96 - 1)


def test_too_many_pixels_are_refused_before_any_is_decoded() -> None:
    before = processor_time()
    with pytest.raises(Unreadable, match="more than 63,999,999 pixels"):
        decoded(WHITE_HEIC, LARGE - 1)
    assert processor_time() - before < 0.8


@pytest.mark.skipif(sys.platform != "linux", reason="there is no limit of memory")
def test_more_memory_than_it_may_have_is_not_had() -> None:
    program = f"from function import video; video.limit(); bytes({3 * 2**29})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr


def test_a_picture_made_of_others_is_read() -> None:
    tile, whole = FOUR.transpose(Image.Transpose.ROTATE_90), Image.new("RGB", (288, 160))
    for column, row in np.ndindex(3, 2):
        whole.paste(tile, (96 * column, 80 * row))

    assert difference(decoded(tiled_heic(2, 3)).pixels, whole) < 4


def test_what_is_said_of_many_pictures_is_not_read_for_each() -> None:
    before = processor_time()
    assert decoded(said_of_many(900, 15_000_000)).width == 96
    assert processor_time() - before < 2


def test_a_large_picture_comes_reduced_and_tells_its_size_and_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(FOUR.resize((1600, 1920)), "AVIF", exif=exif.tobytes())

    image, *numbers = decode_apart("AVIF", data, side=640, max_pixels=LARGE)

    assert (image.mode, image.size, numbers) == ("RGB", (533, 640), [1600, 1920, 6])


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
@pytest.mark.parametrize(
    "data", [b"", b"no picture", LYING_4[:400], encode(FOUR)], ids=["nothing", "text", "half", "PNG"]
)
def test_what_cannot_be_decoded_is_an_exception(kind: str, data: bytes) -> None:
    with pytest.raises(ValueError, match="unpack"):
        decode_apart(kind, data, side=640, max_pixels=LARGE)
