"""Corrected records become a training set in MNIST's format."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from function.prepare import NOT_A_DIGIT, Glyph
from function.records import Record, new_id, pack, unpack
from function.records.export import IMAGES, LABELS, export, labelled
from tests.helpers import ROOT, digit_png, running_function
from tests.nodes import Nodes


def read_idx(path: Path) -> Glyph:
    """As the format's description has it, which is at the end of LeCun's page of MNIST."""
    data = gzip.decompress(path.read_bytes())
    zeros, kind, rank = struct.unpack(">HBB", data[:4])
    assert (zeros, kind) == (0, 8)
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return np.frombuffer(data[4 + 4 * rank :], np.uint8).reshape(shape)


def glyph(value: int) -> Glyph:
    return np.full((28, 28), value, np.uint8)


def corrected(correction: str | None, *glyphs: Glyph) -> Record:
    return Record(new_id(), "9.png", "9", 0.5, "digits_int8@0123456789ab", "5f" * 32, correction, pack(glyphs))


class TestPacking:
    @pytest.mark.parametrize("count", [1, 2, 50])
    def test_glyphs_come_back_as_they_were(self, count: int) -> None:
        glyphs = np.random.default_rng(1).integers(0, 256, (count, 28, 28), np.uint8)
        assert np.array_equal(unpack(pack(list(glyphs))), glyphs)

    @pytest.mark.parametrize("packed", [b"", pack([])])
    def test_none_are_none(self, packed: bytes) -> None:
        assert unpack(packed).shape == (0, 28, 28)


class TestLabelled:
    def test_each_glyph_has_the_digit_that_it_really_is(self) -> None:
        record = corrected("40 7\n1", glyph(1), glyph(2), glyph(3), glyph(4))
        assert [(image[0, 0], label) for image, label in labelled([record])] == [(1, 4), (2, 0), (3, 7), (4, 1)]

    def test_what_is_no_digit_is_labelled_so(self) -> None:
        pairs = labelled([corrected("?7", glyph(1), glyph(2))])
        assert [(image[0, 0], label) for image, label in pairs] == [(1, NOT_A_DIGIT), (2, 7)]

    @pytest.mark.parametrize(
        "record",
        [
            corrected(None, glyph(1)),
            corrected("", glyph(1)),
            corrected("12", glyph(1)),
            corrected("1", glyph(1), glyph(2)),
            corrected("1"),
        ],
        ids=["no correction", "an empty one", "a longer one", "a shorter one", "no glyphs"],
    )
    def test_where_nobody_can_tell_which_is_which_it_is_left_out(self, record: Record) -> None:
        assert list(labelled([record])) == []


class TestExport:
    def test_the_files_are_read_as_mnists_are(self, tmp_path: Path) -> None:
        count = export([corrected("47", glyph(1), glyph(2)), corrected("0", glyph(3))], tmp_path / "new" / "set")
        images, labels = (read_idx(tmp_path / "new" / "set" / name) for name in (IMAGES, LABELS))
        assert count == 3
        assert np.array_equal(images, [glyph(1), glyph(2), glyph(3)])
        assert np.array_equal(labels, [4, 7, 0])

    def test_their_heads_are_mnists(self, mnist_dir: Path, tmp_path: Path) -> None:
        export([corrected("4", glyph(1))], tmp_path)
        for name, fields in ((IMAGES, 4), (LABELS, 2)):
            mine, theirs = (gzip.decompress((folder / name).read_bytes()) for folder in (tmp_path, mnist_dir))
            assert mine[:4] == theirs[:4]
            assert mine[8 : 4 * fields] == theirs[8 : 4 * fields]

    def test_nothing_corrected_is_an_empty_set(self, tmp_path: Path) -> None:
        assert export([], tmp_path) == 0
        assert read_idx(tmp_path / IMAGES).shape == (0, 28, 28)


@pytest.mark.parametrize("store", ["sqlite", "cassandra"])
def test_what_was_corrected_over_http_is_exported_by_one_command(
    request: pytest.FixtureRequest, tmp_path: Path, store: str
) -> None:
    environment = {"KEEP_GLYPHS": "true", "RECORDS_URL": f"sqlite:///{tmp_path / 'records.db'}"}
    if store == "cassandra":
        nodes: Nodes = request.getfixturevalue("cassandra")
        environment["RECORDS_URL"] = nodes.url.replace("mnistkeyspace", "exported")
        environment["JOURNAL_PATH"] = str(tmp_path / "journal.db")
    with running_function(tmp_path, environment) as service:
        for digit in (4, 7, 1):
            given = httpx.post(service.url, content=digit_png(digit)).json()
            if digit != 1:
                url = f"{service.url}/records/{given['id']}/correction"
                assert httpx.put(url, json={"result": str(digit)}).status_code == 200
    command = [sys.executable, "-m", "function.records", "export", str(tmp_path / "set")]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == f"2 glyphs in {tmp_path / 'set'}", done.stderr
    assert sorted(read_idx(tmp_path / "set" / LABELS)) == [4, 7]
    assert read_idx(tmp_path / "set" / IMAGES).any(axis=(1, 2)).all()
