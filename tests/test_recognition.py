"""How often the whole way, from a picture's bytes to a digit, ends at the right one."""

from __future__ import annotations

import csv
import gzip
import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from function.answer import Reading
from function.main import read_digits
from function.timing import Timing
from tests.helpers import ROOT, Service, encode

RecordProperty = Callable[[str, object], None]

EXPECTED = ("digit", "auto")
FLOORS = {"drawings": 0.97, "photos": 0.93}
MNIST_FLOOR = 0.995
AUTO_COSTS = 0.005
ACCEPTED = 0.05  # of pictures without a digit; where one is expected, with no notice of doubt


@dataclass(frozen=True)
class Read:
    """What was read in the `file` of one digit or none, by expectation."""

    file: str
    label: str
    answers: dict[str, Reading]

    def is_right(self, expect: str) -> bool:
        return self.answers[expect].result == self.label


@pytest.fixture(scope="module")
def readings(pictures_dir: Path) -> list[Read]:
    with (pictures_dir / "labels.csv").open(newline="", encoding="utf-8") as labels:
        rows = [row for row in csv.DictReader(labels) if re.fullmatch("[0-9]", row["label"])]
    answers = (read(pictures_dir / row["file"]) for row in rows)
    return [Read(row["file"], row["label"], answer) for row, answer in zip(rows, answers, strict=True)]


@pytest.fixture(scope="module")
def without_digit(pictures_dir: Path) -> list[Read]:
    return [Read(path.name, "", read(path)) for path in sorted((pictures_dir / "negatives").iterdir())]


def read(path: Path) -> dict[str, Reading]:
    """What is read under each expectation."""
    return {expect: read_digits(path.read_bytes(), expect, Timing()) for expect in EXPECTED}


def share_right(readings: Iterable[Read], expect: str) -> float:
    return float(np.mean([reading.is_right(expect) for reading in readings]))


@pytest.mark.parametrize("kind", FLOORS)
def test_pictures_people_made_of_one_digit_are_read(
    kind: str, readings: list[Read], record_property: RecordProperty
) -> None:
    chosen = [reading for reading in readings if reading.file.startswith(f"{kind}/")]

    right = share_right(chosen, "digit")

    record_property(kind, right)
    print(f"{kind}: {right:.2%} of {len(chosen)} right")
    for reading in chosen:
        if not reading.is_right("digit"):
            print(f"  {reading.file} is {reading.label}, read as {reading.answers['digit'].result!r}")
    assert len(chosen) >= 200
    assert right >= FLOORS[kind]


def test_not_knowing_that_there_is_one_digit_costs_little(
    readings: list[Read], record_property: RecordProperty
) -> None:
    digit, auto = share_right(readings, "digit"), share_right(readings, "auto")

    record_property("digit", digit)
    record_property("auto", auto)
    print(f"expect=digit: {digit:.2%}, expect=auto: {auto:.2%} of {len(readings)} right")
    for reading in readings:
        if reading.is_right("digit") and not reading.is_right("auto"):
            print(f"  {reading.file} is {reading.label}, read as {reading.answers['auto'].result!r}")
    assert auto >= digit - AUTO_COSTS


@pytest.mark.parametrize("expect", EXPECTED)
def test_pictures_without_a_digit_are_seldom_taken_for_one(
    expect: str, without_digit: list[Read], record_property: RecordProperty
) -> None:
    answers = {one.file: one.answers[expect] for one in without_digit}

    accepted = {
        name: answer.result
        for name, answer in answers.items()
        if any(map(str.isdigit, answer.result)) and not (expect == "digit" and answer.notice)
    }
    record_property("accepted", len(accepted) / len(answers))
    print(f"expect={expect}: {len(accepted)} of {len(answers)} without a digit read as one: {accepted}")
    assert len(answers) >= 300
    assert len(accepted) / len(answers) <= ACCEPTED


def unpack(path: Path, header: int) -> bytes:
    return gzip.decompress(path.read_bytes())[header:]


def post_all(url: str, pictures: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> list[str]:
    """Post each picture over one connection; give the results."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    results = []
    for picture in pictures:
        connection.request(
            "POST", "/?record=false&expect=digit", encode(Image.fromarray(picture)), {"Content-Type": "image/png"}
        )
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == http.client.OK, body
        results.append(str(json.loads(body)["result"]))
    connection.close()
    return results


def test_mnist_s_ten_thousand_test_digits_are_read_over_http(
    service: Service, mnist_dir: Path, record_property: RecordProperty
) -> None:
    pictures = np.frombuffer(unpack(mnist_dir / "t10k-images-idx3-ubyte.gz", 16), np.uint8).reshape(-1, 28, 28)
    labels = np.frombuffer(unpack(mnist_dir / "t10k-labels-idx1-ubyte.gz", 8), np.uint8)

    with ThreadPoolExecutor(2) as threads:
        halves = list(threads.map(lambda half: post_all(service.url, half), np.array_split(pictures, 2)))

    results = [result for half in halves for result in half]
    right = float(np.mean([result == str(label) for result, label in zip(results, labels, strict=True)]))
    record_property("mnist", right)
    print(f"MNIST over HTTP: {right:.2%} of {len(results)} right")
    print(f"  {sum(len(result) != 1 for result in results)} were not read as one digit")
    assert len(results) == 10_000
    assert right >= MNIST_FLOOR


def test_figures_are_measured_and_drawn(mnist_dir: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.recognition", "--limit", "40", "--out", str(tmp_path)]
    environment = {**os.environ, "MNIST_DIR": str(mnist_dir), "RECORDS_URL": f"sqlite:///{tmp_path}/records.db"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["mnist_test"]["pictures"] == 40
    assert figures["mnist_test"]["accuracy"] >= 0.9
    assert len(figures["distorted"]) == 8
    for name in ("test_confusion", "errors", "reliability", "rejection", "robustness"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert min(picture.size) >= 100


def test_the_stages_of_a_picture_are_drawn(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.stages", str(ROOT / "docs" / "9.png"), str(tmp_path / "stages.png")]
    subprocess.run(command, cwd=ROOT, check=True)
    with Image.open(tmp_path / "stages.png") as picture:
        assert min(picture.size) > 500
