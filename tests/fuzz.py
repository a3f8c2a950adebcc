"""Coverage-guided fuzzing, by atheris (libFuzzer), of what reads untrusted bytes.

    python -m tests.fuzz upload --seconds 600     headers and a body → a picture's bytes and its name
    python -m tests.fuzz decode --seconds 600     bytes → picture → ink → marks → glyphs

Anything raised but a `Problem` is a finding, and so is what takes 5 s of the processor's time or 256 MiB of memory, or
ends the process. The input is then left in `.fuzz/`, beside the corpus, which grows from run to run. To try it again:

    python -m tests.fuzz decode .fuzz/decode-crash-…
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import struct
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

FOLDER = Path(__file__).resolve().parent.parent / ".fuzz"
MAX_PIXELS = 20_000  # few, so that what decodes is tried often, and not NumPy
LIMIT = 20_000  # bytes of a picture
LONGEST = 8_192  # bytes of an input
SLOW, HANGING = 5, 60  # seconds: of the processor's time, and of any
LARGE = 256 * 1024  # KiB, for one input …
ENDLESS = 4096  # … and MiB for all: what traces them keeps some 15 kB of each

Target = Callable[[bytes], None]

# What is fuzzed is imported where it is instrumented, and nothing that imports it before: not the tests' own modules
# either.


# ── Targets ───────────────────────────────────────────────────────────────────────────────────────────────────
def upload() -> Target:
    with atheris.instrument_imports(include=["function", "werkzeug"]):
        from function.upload import read_upload

    def once(data: bytes) -> None:
        """The input's first lines are the headers and the query's name, and the rest is the body."""
        content_type, disposition, filename, body = (*data.split(b"\n", 3), b"", b"", b"")[:4]
        given = read_upload(
            body,
            content_type=content_type.decode("latin-1"),
            disposition=disposition.decode("latin-1"),
            filename=filename.decode(errors="replace"),
            limit=LIMIT,
        )
        assert 0 < len(given.data) <= LIMIT
        assert 0 < len(given.filename) <= 255
        assert given.filename.isprintable()

    return once


def picture() -> Target:
    with atheris.instrument_imports(include=["function", "PIL"]):
        import PIL.BmpImagePlugin
        import PIL.GifImagePlugin
        import PIL.JpegImagePlugin
        import PIL.PngImagePlugin
        import PIL.PpmImagePlugin
        import PIL.TiffImagePlugin
        import PIL.WebPImagePlugin  # noqa: F401  # decode would import each at its first use

        from function.decode import VIDEO, decode, sniff
        from function.ink import find_ink, find_sheet, ink_on_sheet
        from function.lines import in_lines
        from function.locate import locate
        from function.prepare import SIDE, prepare

    def once(data: bytes) -> None:
        if sniff(data) in VIDEO:
            return  # another process decodes that, which may end as it likes
        seen = decode(with_checksums(data) if data.startswith(b"\x89PNG") else data, max_pixels=MAX_PIXELS)
        assert 0 < seen.width * seen.height <= MAX_PIXELS
        found = find_sheet(seen.pixels)
        for ink in (find_ink(seen.pixels), *([ink_on_sheet(seen.pixels, found[0])] if found else [])):
            assert ink.shape == seen.pixels.shape[:2]
            assert all(prepare(mark.ink).shape == (SIDE, SIDE) for line in in_lines(locate(ink)) for mark in line)

    return once


def with_checksums(png: bytes) -> bytes:
    """With those that its chunks should have: nothing is read beyond a wrong one."""
    fixed, place = bytearray(png), 8
    while place + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, place)
        end = place + 8 + length
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(png[place + 4 : end]))[: max(0, len(png) - end)]
        place = end + 4
    return bytes(fixed)


# ── Seeds ─────────────────────────────────────────────────────────────────────────────────────────────────────
def requests() -> list[bytes]:
    from tests.hostile import END, FORMS, MULTIPART, PNG, TEXTS, part

    form, text = MULTIPART[1].encode() + b"\n\n\n", b"application/json\n\n\n"
    named = json.dumps({"image": base64.b64encode(PNG).decode(), "filename": "4.png"}).encode()
    made = [
        b"image/png\nattachment; filename=4.png\n\n" + PNG,
        b"\nattachment; filename*=UTF-8''%34.png\n../4.png\n" + PNG,
        form + part(PNG) + END,
        form + part(b"mine", 'name="comment"') + part(PNG, "name=image; filename*=UTF-8''4.png") + END,
        text + named,
    ]
    made += [form + body for body in FORMS.values() if isinstance(body, bytes)]
    made += [text + body for body in TEXTS.values() if isinstance(body, bytes)]
    return made


def files() -> list[bytes]:
    from tests.bombs import ABSURD, PICTURES

    return [*PICTURES.values(), *(body for body in ABSURD.values() if isinstance(body, bytes))]


# ── Running ───────────────────────────────────────────────────────────────────────────────────────────────────
TARGETS = {"upload": (upload, requests), "decode": (picture, files)}


def most_memory() -> int:
    """KiB, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def watched(target: Target) -> Target:
    from function.errors import Problem

    def once(data: bytes) -> None:
        began, held = time.thread_time(), most_memory()
        with suppress(Problem):
            target(data)
        assert time.thread_time() - began < SLOW, "that took too long"
        assert most_memory() - held < LARGE, "that took too much memory"

    return once


def fuzz(target: Target, seeds: list[bytes], name: str, seconds: int, folder: Path) -> None:
    """Does not come back: libFuzzer ends the process, with 0 if nothing was found."""
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for index, data in enumerate(seeds):
        if len(data) <= LONGEST:
            (corpus / f"seed-{index}").write_bytes(data)
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST,
        "timeout": HANGING,
        "rss_limit_mb": ENDLESS,
        "artifact_prefix": f"{folder}/{name}-",
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{option}={value}" for option, value in options.items()), str(corpus)], target)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz what reads untrusted bytes.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("found", type=Path, nargs="*", help="inputs to try again")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the corpus is, and what is found")
    arguments = parser.parse_args()
    make, seeds = TARGETS[arguments.target]
    target = watched(make())
    warnings.simplefilter("ignore")
    for path in arguments.found:
        target(path.read_bytes())
    if not arguments.found:
        fuzz(target, seeds(), arguments.target, arguments.seconds, arguments.folder)


if __name__ == "__main__":
    main()
