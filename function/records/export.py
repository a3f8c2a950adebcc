"""Corrected records → a training set in MNIST's format."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..prepare import NOT_A_DIGIT, Glyph
from . import Record, unpack

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"  # as MNIST's own are called


def labelled(records: Iterable[Record]) -> Iterator[tuple[Glyph, int]]:
    """Each glyph of a corrected record with the digit that it really is, or with `NOT_A_DIGIT` for a `?`.

    Of a record whose correction has more or fewer characters than there are glyphs nobody can tell which is which: it
    is left out, as is one that was kept without its glyphs.
    """
    for record in records:
        characters = "".join((record.correction or "").split())
        glyphs = unpack(record.glyphs)
        if len(characters) == len(glyphs):
            labels = (NOT_A_DIGIT if character == "?" else int(character) for character in characters)
            yield from zip(glyphs, labels, strict=True)


def export(records: Iterable[Record], folder: Path) -> int:
    """Write the two files into `folder`; returns how many glyphs they hold."""
    pairs = list(labelled(records))
    folder.mkdir(parents=True, exist_ok=True)
    glyphs = np.array([glyph for glyph, _ in pairs], np.uint8).reshape(-1, 28, 28) if pairs else unpack(b"")
    (folder / IMAGES).write_bytes(idx(glyphs))
    (folder / LABELS).write_bytes(idx(np.array([label for _, label in pairs], np.uint8)))
    return len(pairs)


def idx(values: Glyph) -> bytes:
    """`values` of uint8 as a gzipped idx file, described at the end of LeCun's page of MNIST: two zeros, 8 for unsigned
    bytes, the number of dimensions, each dimension's size, and the bytes."""
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return gzip.compress(head + values.tobytes(), mtime=0)
