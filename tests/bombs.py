"""Pictures of a 4 in every kind of file, and files that are made to be too much for whoever reads them."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache

from PIL import Image

from tests.heic import LYING_4
from tests.helpers import draw_digit, encode
from tests.test_decode import chunk, interlaced_png, lying, plain_pnm, png

MEBIBYTE = 2**20
FLOOD = 20 * MEBIBYTE - 100_000  # bytes: about as many as may be sent

Body = bytes | Callable[[], bytes]  # a function makes what is large

FOUR = draw_digit(4, side=96, nib=8).crop((8, 0, 88, 96))
GREY = FOUR.convert("L")

Entries = dict[int, tuple[int, int, int | bytes]]  # of a TIFF
LONG, SHORT = 4, 3
References = list[tuple[bytes, int, list[int]]]  # of a HEIC


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


PICTURES: dict[str, bytes] = {
    "png": encode(GREY),
    "png-colour": encode(FOUR),
    "png-palette": encode(FOUR.quantize(4)),
    "png-interlaced": interlaced_png(GREY),
    "png-animated": encode(FOUR, save_all=True, append_images=[FOUR.rotate(5), FOUR.rotate(9)], default_image=True),
    "jpeg": encode(FOUR, "JPEG"),
    "jpeg-progressive": encode(FOUR, "JPEG", progressive=True),
    "jpeg-cmyk": encode(FOUR.convert("CMYK"), "JPEG"),
    "gif": encode(FOUR, "GIF"),
    "gif-animated": encode(FOUR, "GIF", save_all=True, append_images=[FOUR.rotate(5), FOUR.rotate(9)]),
    "bmp": encode(FOUR, "BMP"),
    "bmp-palette": encode(FOUR.convert("P"), "BMP"),
    "webp": encode(FOUR, "WEBP"),
    "webp-lossless": encode(FOUR, "WEBP", lossless=True),
    "webp-animated": encode(FOUR, "WEBP", save_all=True, append_images=[FOUR.rotate(5)]),
    "avif": encode(FOUR, "AVIF"),
    "heic": LYING_4,
    "tiff": encode(GREY, "TIFF"),
    "tiff-lzw": encode(FOUR, "TIFF", compression="tiff_lzw"),
    "tiff-deflate": encode(GREY, "TIFF", compression="tiff_adobe_deflate"),
    "tiff-group4": encode(FOUR.convert("1"), "TIFF", compression="group4"),
    "tiff-jpeg": encode(FOUR, "TIFF", compression="jpeg"),
    "tiff-big": encode(GREY, "TIFF", big_tiff=True),
    "pbm-plain": plain_pnm(FOUR.convert("1"), "P1"),
    "pgm-plain": plain_pnm(GREY, "P2"),
    "pbm": encode(FOUR.convert("1"), "PPM"),
    "pgm": encode(GREY, "PPM"),
    "ppm": encode(FOUR, "PPM"),
}
# White pictures of 8000×8000 and 16384×16384, by pillow-heif and Pillow.
WHITE_HEIC = unpacked(
    """
    eNrt1s9rE0EUB/A3u6mu0sRAFYu0qBXBgm0pglTBsNaIevMkeut2m5CBbLJs1pgihejFghepoAcPVk+e/HGqFArRg4inXkQED3oQRBA89BCktc4k
    0UP/gDeVfl82OzNvZ/fDPMJkiagvH0+HhZz0SUUg86O6H0gvTySuBLnYo3YcLEwVo06fQunHtCEGZLHcekjWJaE+KsRMuyUa+6pOh6Qs5VtDnd2j
    BjmrMypU/VHdTYUyDv5N+SjDKFTtogz9smqvq2lnhK1Td1qTln7S6lqzSbTLnlB39LqiW6yv6wm2nmHrY2nRcj11cXhciA1X5umXQzNd975fGHxa
    svZ1Ozr7Vp8cd1Ldsj0rXkXPJ10l9fjlYlTyizWVTtK2ukrtlpUw117efrf9pXQoa1JnbMdRT6O9Mgz+VlAVJXHDshOqGj+CKU8VcOzLEfEskc7M
    3py+Vq1ejVtRqVQizqiv9n/IPHh/f8F592Jubvl2aiXdqQ/XYZ18MjiUfPTmIbNLtFC/m1ppsrO2GLnFjxI5L02otvXYBHvJNaBawwbQHd8MoH3L
    BtDjBwygNRM/pN91A7uStzX2Bvs1u9n1iX+zv8xO7pxlJ5Pn2cn0RXayh3+z7Q3ZyX7+wg7w/6Ec/sxOHuVf5Qj/Ko/xr9LA+8iJeXbyFP8qMxPs
    5Gn+17zxxlYgs/yFPdsACRLkZiPPuSBBggQJEiRIkCBBggQJEiRIkCBBggQJEiRIkCBBggQJEiRIkCBBgvxvyMYfkKQQeA==
    """
)
WHITE_AVIF = unpacked(
    """
    eNpjYGBQSCupLEgsy0xjAAIQnZuZZpibmZjm62joBBR6nZtaksgAAYoZKTlFUDZDQWZyCQMa4CvILMkFsxiBWC4zJz8ZxHEB8RkhoozCQGWeQLZG
    ZmZeGlytFJCTygTlJZYZGDrn5+SD7crKLCgqANLemQXJ+UBaJLO4IBVinQMUMwgUZFZkghjMHBwcQIonsczQuVGeByQknJyfU5SXnFMBNJmXga0B
    KCSeWZAL8xPQYSyMTM0sQFcF5qYklggxcHHLf6/////vIiYpXg6j7TISgoYPH850aOJQnwC0LOr8ucA1j74uZX329Iv13wmb1tfWWMdvm/Bw5VlV
    JcWWRdbMa5d8erD80Ix7l74KT1V6ferbDNsP2g5GZvPeXi6ew+NfZLHmzsM6w+mHUl5PSeILWq3+MfZDi5n4Oba18eIKBefPRVqJbTNjqw8rn+gy
    Z5qPbGxGJWPxjx+xn1YznPm9qfvaYYf8FyYrH/K6/PnG65wqZ37eQEe3xT3eM23B7CXHq1sDDJMOfsusZKsN35H2h7Uw4FnTF33d/lV77Utmvz+2
    fDan8IZr6oVnXhbuiNCO7PzmcbJ+1MZRG0dtHLVx1MZRG0dtHLVx1MZRG0dtHLVx+NlIdwsBAfI5nw==
    """
)


@cache
def deflated(mebibytes: int) -> bytes:
    """So many of zeros."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(MEBIBYTE)) for _ in range(mebibytes)), packer.flush()])


def before_pixels(*chunks: bytes) -> bytes:
    """A PNG with these chunks after its header."""
    data = PICTURES["png"]
    return data[:33] + b"".join(chunks) + data[33:]


def bmp(width: int, height: int, body: bytes, *, bits: int = 8, compression: int = 0, header: int = 40) -> bytes:
    palette = b"".join(bytes((level, level, 255 - level, 0)) for level in range(256)) if bits == 8 else b""
    offset = 14 + 40 + len(palette)
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + palette + body


def gif_with(extensions: bytes) -> bytes:
    data = PICTURES["gif"]
    start = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    return data[:start] + extensions + data[start:]


def jpeg_with(segments: bytes) -> bytes:
    data = PICTURES["jpeg"]
    return data[:2] + segments + data[2:]


@cache
def white_in_scans(side: int) -> bytes:
    return encode(Image.new("L", (side, side), "white"), "JPEG", progressive=True, quality=50)


def jpeg_scanned_again(times: int, side: int) -> bytes:
    """White; the last scan, which refines what is there, comes so many times more."""
    data = white_in_scans(side)
    last = data[data.rindex(b"\xff\xc4") : -2]
    return data[:-2] + last * times + data[-2:]


def png_that_goes_on(mebibytes: int) -> bytes:
    header = struct.pack(">IIBBBBB", 80, 96, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", deflated(mebibytes))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def tiff(entries: Entries, tail: bytes = b"") -> bytes:
    """Little-endian: {tag: (type, count, value, or what the value's place holds)}, and then the pixels."""
    place = 8 + 2 + 12 * len(entries) + 4
    rows, values = b"", b""
    for tag, (kind, count, value) in sorted(entries.items()):
        number = value if isinstance(value, int) else place + len(values)
        rows += struct.pack("<HHII", tag, kind, count, number)
        values += value if isinstance(value, bytes) else b""
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4) + values + tail


def described_grey(width: int, height: int, compression: int) -> Entries:
    return {
        256: (LONG, 1, width),
        257: (LONG, 1, height),
        258: (SHORT, 1, 8),
        259: (SHORT, 1, compression),
        262: (SHORT, 1, 1),
        277: (SHORT, 1, 1),
    }


def grey_tiff(width: int, height: int, *, compression: int = 1, more: Entries | None = None) -> bytes:
    """In one strip, unless `more` says otherwise."""
    one_strip: Entries = {273: (LONG, 1, 8), 278: (LONG, 1, height), 279: (LONG, 1, width * height % 2**32)}
    return tiff({**described_grey(width, height, compression), **one_strip, **(more or {})}, bytes(50_000))


def tiff_of_jpegs(scans: int, side: int, strips: int) -> bytes:
    """White; each strip is the same JPEG, of so many scans."""
    data = encode(Image.new("L", (side, side // strips), "white"), "JPEG", progressive=True, quality=50)
    last = data[data.rindex(b"\xff\xc4") : -2]
    data = data[:-2] + last * (scans - data.count(b"\xff\xda")) + data[-2:]
    described = described_grey(side, side, 7)
    place = 8 + 2 + 12 * (len(described) + 3) + 4 + 8 * strips
    described[273] = (LONG, strips, struct.pack("<I", place) * strips)
    described[278] = (LONG, 1, side // strips)
    described[279] = (LONG, strips, struct.pack("<I", len(data)) * strips)
    return tiff(described, data)


def tiled_tiff(width: int, height: int, across: int, down: int, tiles: int) -> bytes:
    """Deflated; each tile is the same 64 MiB of zeros."""
    pixels = deflated(64)
    described: Entries = {**described_grey(width, height, 8), 322: (LONG, 1, across), 323: (LONG, 1, down)}
    place = 8 + 2 + 12 * (len(described) + 2) + 4 + 8 * tiles
    described[324] = (LONG, tiles, struct.pack("<I", place) * tiles)
    described[325] = (LONG, tiles, struct.pack("<I", len(pixels)) * tiles)
    return tiff(described, pixels)


def chained_tiff(times: int) -> bytes:
    """With so many more directories after the first, or none but itself."""
    data = grey_tiff(200, 200)
    following = 8 + 2 + 12 * 9
    if not times:
        return patched(data, following, "<I", 8)
    rows = (struct.pack("<HHHIII", 1, 254, LONG, 1, 0, len(data) + 18 * (index + 1)) for index in range(times))
    return patched(data, following, "<I", len(data)) + b"".join(rows)


# What HEIF's boxes hold: ISO/IEC 14496-12 and 23008-12.
def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full_box(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *content)


def size_box(width: int, height: int) -> bytes:
    return full_box(b"ispe", struct.pack(">II", width, height))


def heif(
    items: Mapping[int, tuple[bytes, bytes]],
    properties: list[bytes],
    has: Mapping[int, list[int]],
    references: References,
    *,
    brand: bytes = b"heic",
) -> bytes:
    """Of `items` {number: (type, content)}, which `has` {number: which of the properties, from 1}."""
    start = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    handler = full_box(b"hdlr", bytes(4), b"pict", bytes(13))
    entries = b"".join(
        full_box(b"infe", struct.pack(">HH", item, 0), kind, b"\0", version=2) for item, (kind, _) in items.items()
    )
    listed = full_box(b"iinf", struct.pack(">H", len(items)), entries)
    refers = full_box(
        b"iref", *(box(kind, struct.pack(f">HH{len(to)}H", item, len(to), *to)) for kind, item, to in references)
    )
    rows = b"".join(
        struct.pack(">HB", item, len(which)) + bytes(0x80 | index for index in which) for item, which in has.items()
    )
    described = box(b"iprp", box(b"ipco", *properties), full_box(b"ipma", struct.pack(">I", len(has)), rows))

    def meta(place: int) -> bytes:
        extents = b""
        for item, (_, content) in items.items():
            extents += struct.pack(">HHHII", item, 0, 1, place, len(content))
            place += len(content)
        located = full_box(b"iloc", b"\x44\0", struct.pack(">H", len(items)), extents)
        return full_box(b"meta", handler, full_box(b"pitm", struct.pack(">H", 1)), located, listed, refers, described)

    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", *(content for _, content in items.values()))


def coded(data: bytes) -> tuple[bytes, bytes]:
    """The box that describes the coding, and what is coded, of a file that holds but one picture."""
    start, pixels = (data.index(b"hvcC") if b"hvcC" in data else data.index(b"av1C")) - 4, data.index(b"mdat") - 4
    end, past = (place + struct.unpack_from(">I", data, place)[0] for place in (start, pixels))
    return data[start:end], data[pixels + 8 : past]


def grid(rows: int, columns: int, width: int, height: int) -> bytes:
    return struct.pack(">4B2I", 0, 1, rows - 1, columns - 1, width, height)


THREE_COLOURS = full_box(b"pixi", bytes((3, 8, 8, 8)))


def large_many_times(kind: bytes, large: bytes, side: int) -> bytes:
    """A grid of so many rows and columns of 64×64 pixels, as it says; but each is decoded as the large picture."""
    coding, pixels = coded(large)
    pieces = range(2, 2 + side * side)
    items = {1: (b"grid", grid(side, side, 64 * side, 64 * side)), **dict.fromkeys(pieces, (kind, pixels))}
    said = size_box(8000, 8000) if kind == b"hvc1" else size_box(64, 64)  # libheif would not decode more than that
    properties = [size_box(64 * side, 64 * side), coding, said, THREE_COLOURS]
    has = {1: [1, 4], **{piece: [2, 3, 4] for piece in pieces}}
    return heif(items, properties, has, [(b"dimg", 1, list(pieces))], brand=large[8:12])


def avif_of_many(pictures: int) -> bytes:
    """Only one of them would be shown."""
    coding, pixels = coded(WHITE_AVIF)
    properties = [coding, size_box(64, 64), THREE_COLOURS]
    return heif({1: (b"av01", pixels * pictures)}, properties, {1: [1, 2, 3]}, [], brand=b"avif")


def tiled_heic(rows: int, columns: int) -> bytes:
    """The 4, as it lies in `LYING_4`, in rows and columns."""
    coding, pixels = coded(LYING_4[:-36])  # without its EXIF
    width, height = 96 * columns, 80 * rows
    items = {1: (b"grid", grid(rows, columns, width, height)), 2: (b"hvc1", pixels)}
    properties = [size_box(width, height), coding, size_box(96, 80), THREE_COLOURS]
    return heif(items, properties, {1: [1, 4], 2: [2, 3, 4]}, [(b"dimg", 1, [2] * (rows * columns))])


def said_of_many(pictures: int, length: int) -> bytes:
    """A HEIC of so many pictures, and something of this length that is said of all of them."""
    coding, pixels = coded(LYING_4[:-36])  # without its own EXIF
    items = dict.fromkeys(range(1, pictures + 1), (b"hvc1", pixels))
    items[pictures + 1] = (b"Exif", b"\0\0\0\0Exif" + bytes(length))
    has = {item: [1, 2, 3] for item in range(1, pictures + 1)}
    said: References = [(b"cdsc", pictures + 1, list(range(1, pictures + 1)))]
    return heif(items, [size_box(96, 80), coding, THREE_COLOURS], has, said)


def patched(data: bytes, place: int, form: str, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, place, *values)
    return bytes(changed)


def sized(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC that says it is of this size."""
    return patched(data, data.index(b"ispe") + 8, ">II", width, height)


def webp_sized(width: int, height: int) -> bytes:
    """Lossless, and of some other size than its pixels fill."""
    data = PICTURES["webp-lossless"]
    start = data.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", data, start)
    return patched(data, start, "<I", bits & 0xF0000000 | (height - 1) << 14 | (width - 1))


ABSURD: dict[str, Body] = {
    # Sizes that there are not.
    "png of 0 by 0": png(0, 0, b""),
    "png of 1 by 0": png(1, 0, b"\0"),
    "png of 2³¹ by 2³¹": png(2**31 - 1, 2**31 - 1, b"\0"),
    "png of 2³² - 1 by 1": png(2**32 - 1, 1, b"\0"),
    "gif of 0 by 0": patched(patched(PICTURES["gif"], 6, "<HH", 0, 0), PICTURES["gif"].index(b",") + 5, "<HH", 0, 0),
    "gif whose frame lies far outside": patched(
        PICTURES["gif"], PICTURES["gif"].index(b",\0\0\0\0") + 1, "<HH", 65_000, 65_000
    ),
    "gif whose frame is far larger": patched(
        PICTURES["gif"], PICTURES["gif"].index(b",\0\0\0\0") + 5, "<HH", 65_000, 65_000
    ),
    "bmp of a width below zero": bmp(-80, 96, bytes(80 * 96)),
    "bmp of the lowest height": bmp(80, -(2**31), bytes(80 * 96)),
    "bmp of 2³¹ - 1 by 2³¹ - 1": bmp(2**31 - 1, 2**31 - 1, b""),
    "bmp of 0 by 0": bmp(0, 0, b""),
    "bmp of 5 bits": bmp(80, 96, bytes(80 * 96), bits=5),
    "bmp with a header of 4 GB": bmp(80, 96, bytes(80 * 96), header=2**32 - 1),
    "bmp with a header of 0 bytes": bmp(80, 96, bytes(80 * 96), header=0),
    "bmp that holds a JPEG": bmp(80, 96, PICTURES["jpeg"], compression=4),
    "bmp that holds a PNG": bmp(80, 96, PICTURES["png"], compression=5),
    "webp of 16383 by 16383": webp_sized(16_383, 16_383),
    "webp larger than its pixels": webp_sized(5_000, 5_000),
    "webp whose chunk is of 4 GB": patched(PICTURES["webp"], 16, "<I", 2**32 - 1),
    "webp whose chunk is of 0 bytes": patched(PICTURES["webp"], 16, "<I", 0),
    "webp of nothing": b"RIFF\4\0\0\0WEBP" + bytes(40),
    "avif of 2³² - 1 by 2³² - 1": sized(PICTURES["avif"], 2**32 - 1, 2**32 - 1),
    "avif of 0 by 0": sized(PICTURES["avif"], 0, 0),
    "avif of 16384 by 16384": sized(PICTURES["avif"], 16_384, 16_384),
    "heic of 2³² - 1 by 2³² - 1": sized(LYING_4, 2**32 - 1, 2**32 - 1),
    "heic of 0 by 0": sized(LYING_4, 0, 0),
    "heic of 1 by 1": sized(LYING_4, 1, 1),
    "tiff of 2³² - 1 by 2³² - 1": grey_tiff(2**32 - 1, 2**32 - 1),
    "tiff of 0 by 0": grey_tiff(0, 0),
    "tiff without pixels": tiff(described_grey(200, 200, 1)),
    "tiff whose strip lies outside": grey_tiff(200, 200, more={273: (LONG, 1, 2**32 - 1)}),
    "tiff whose directory lies outside": b"II*\0" + struct.pack("<I", 2**32 - 1) + bytes(200),
    "tiff whose directory is the header": b"II*\0" + bytes(4) + bytes(200),
    "tiff of 65,535 entries": b"II*\0" + struct.pack("<IH", 8, 65_535) + bytes(200),
    "tiff of 2³² samples": grey_tiff(200, 200, more={277: (LONG, 1, 2**32 - 1)}),
    "tiff of a compression that is none": grey_tiff(200, 200, compression=9_999),
    "bigtiff of 2⁶³ entries": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63) + bytes(200),
    "ppm of a width of 4,000 digits": b"P6 " + b"9" * 4_000 + b" 96 255\n",
    "ppm of a width below zero": b"P6 -80 96 255\n" + bytes(80 * 96 * 3),
    "ppm of 0 by 0": b"P6 0 0 255\n",
    "ppm of no size": b"P6\n" + bytes(100),
    "ppm of 70,000 levels": b"P6 80 96 70000\n" + bytes(80 * 96 * 6),
    "ppm of 0 levels": b"P6 80 96 0\n" + bytes(80 * 96 * 3),
    "pgm in words": b"P2 80 96 255\nblack white black\n",
    "pgm in numbers of 100,000 digits": b"P2 80 96 255\n" + b"9" * 100_000,
    "pbm in twos": b"P1 80 96\n" + b"2" * (80 * 96),
    "jpeg without a frame": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(9) + b"\xff\xd9" + bytes(20),
    "jpeg whose segment is longer than the file": b"\xff\xd8\xff\xe0\xff\xffJFIF\0" + bytes(100),
    "jpeg of 0 by 0": lying("JPEG", 0, 0),
    "jpeg of 12 bits": patched(PICTURES["jpeg"], PICTURES["jpeg"].index(b"\xff\xc0") + 4, ">B", 12),
    "jpeg of 255 colours": patched(PICTURES["jpeg"], PICTURES["jpeg"].index(b"\xff\xc0") + 9, ">B", 255),
    # What is inflated beside the pixels.
    "png whose profile inflates to 256 MiB": lambda: before_pixels(chunk(b"iCCP", b"x\0\0" + deflated(256))),
    "png whose text inflates to 256 MiB": lambda: before_pixels(chunk(b"zTXt", b"x\0\0" + deflated(256))),
    "png with 100 texts of 1 MiB": lambda: before_pixels(*[chunk(b"zTXt", b"x\0\0" + deflated(1))] * 100),
    "png whose other text inflates to 256 MiB": lambda: before_pixels(chunk(b"iTXt", b"x\0\1\0\0\0" + deflated(256))),
    "png with a chunk of 2³¹ bytes": before_pixels(struct.pack(">I4s", 2**31 - 1, b"tEXt") + bytes(1_000)),
    "png with a chunk of no name": before_pixels(chunk(b"\0\0\0\0", b"")),
    "png whose checksum is wrong": patched(PICTURES["png"], 29, ">I", 0),
    "png without pixels": png(200, 200, b""),
    # Much to do for few pixels.
    "jpeg of 64 megapixels with 500 scans": lambda: jpeg_scanned_again(500, 8_000),
    "jpeg with 100,000 scans": lambda: jpeg_scanned_again(100_000, 80),
    "tiff of a million strips": lambda: grey_tiff(
        1, 200, more={273: (LONG, 10**6, bytes(4 * 10**6)), 278: (LONG, 1, 1), 279: (LONG, 1, 200)}
    ),
    "tiff of 64 megapixels of JPEG with 90 scans": lambda: tiff_of_jpegs(90, 8_000, 16),
    "tiff with a tile of 32768 by 16384": lambda: tiled_tiff(200, 200, 32_768, 16_384, 2),
    "tiff with 50 tiles of 16 by 2²⁵": lambda: tiled_tiff(800, 1, 16, 2**25, 50),
    "tiff with a tile of 0 by 0": lambda: tiled_tiff(200, 200, 0, 0, 2),
    "bmp in runs, 63 million pixels wide": bmp(63_000_000, 1, b"\1\1\0\0\0\1", compression=1),
    "bmp in runs, of 64 million pixels": bmp(8_000, 8_000, b"\xff\1" * 1_000, compression=1),
    "heic of 65,025 tiles": lambda: tiled_heic(255, 255),
    "heic made of itself": heif({1: (b"iden", b"")}, [size_box(64, 64)], {1: [1]}, [(b"dimg", 1, [1])]),
    "heic of no size": heif({1: (b"hvc1", coded(LYING_4)[1])}, [coded(LYING_4)[0]], {1: [1]}, []),
    "heic of no items": heif({}, [], {}, []),
}
# What is read until the time for it is over.
SLOW: dict[str, Body] = {
    "png of 1.6 million chunks": lambda: before_pixels(chunk(b"prVa", b"") * (FLOOD // 12)),
    "gif of 4 million comments": lambda: gif_with(b"!\xfe\1c\0" * (FLOOD // 5)),
    "jpeg of 180,000 times EXIF": lambda: jpeg_with((b"\xff\xe1\0\x6cExif\0\0" + bytes(100)) * (FLOOD // 110)),
    "pgm of a million comments": lambda: b"P2 200 200 255\n" + b"#\n" * (FLOOD // 2),
    "heic made of a large picture 900 times": lambda: large_many_times(b"hvc1", WHITE_HEIC, 30),
    "avif made of a larger picture 25 times": lambda: large_many_times(b"av01", WHITE_AVIF, 5),
    "avif of 5,000 pictures one after the other": lambda: avif_of_many(5_000),
}
# Much of something that need not be read, or that costs little.
HARMLESS: dict[str, Body] = {
    "jpeg without the tables that all use": PICTURES["jpeg"].replace(b"\xff\xc4", b"\xff\xfe"),
    "gif of 20,000 frames": lambda: PICTURES["gif"][:-1] + PICTURES["gif"][13:-1] * 20_000 + b";",
    "gif with a comment of 10 MB": lambda: gif_with(b"!\xfe" + (b"\xff" + b"c" * 255) * 40_000 + b"\0"),
    "tiff of a million directories": lambda: chained_tiff(10**6),
    "tiff whose directory follows itself": lambda: chained_tiff(0),
    "heic of 900 pictures with 15 MB that is said of all": lambda: said_of_many(900, 15_000_000),
    "png whose pixels go on for 256 MiB": lambda: png_that_goes_on(256),
    "jpeg of 32 scans": lambda: jpeg_scanned_again(32 - 6, 800),
    "jpeg followed by 10 MB of noise": lambda: PICTURES["jpeg"] + b"\xff\xda\0\x08" * 2_500_000,
}
# The most that is allowed, in few bytes.
LARGEST: dict[str, Body] = {
    "png of 64 megapixels": lambda: encode(Image.new("RGBA", (8_000, 8_000), "white")),
    "webp of 64 megapixels": lambda: encode(Image.new("RGB", (8_000, 8_000), "white"), "WEBP", lossless=True, method=0),
    "heic of 64 megapixels": WHITE_HEIC,
    "avif of 268 megapixels that says 200 by 200": sized(WHITE_AVIF, 200, 200),
    "jpeg of 64 megapixels in 32 scans": lambda: jpeg_scanned_again(32 - 6, 8_000),
}
