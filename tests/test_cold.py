"""The cold start stays fast: what is not imported before the first answer, and how long that takes."""

from __future__ import annotations

import compileall
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import pytest

from tests.helpers import ROOT, digit_png, free_port, running_function

# Modules that no first answer to a PNG, recorded in SQLite, needs.
NEEDLESS = (
    r"cassandra",  # 40 ms: imported half a second later, by the thread that connects
    r"ai_edge_litert",  # 60 ms: function/litert.py loads its library without it
    r"numpy\.(ma|random|fft|polynomial|testing|f2py)",  # up to 12 ms each
    r"numpy\._core\._add_newdocs\w*",  # 8 ms: docstrings
    r"pillow_heif|PIL\.(Bmp|Gif|Jpeg|Mpo|Ppm|Tiff|WebP|Avif)ImagePlugin",  # 10 ms; only the picture's own kind
    r"(\w+\.)?records\.(cassandra|cluster|export|forward\w*|journal|listing)",
    r"opentelemetry|google\.protobuf|prometheus_client|(\w+\.)?(spans|inference|doctor)",
    r"tensorflow|keras|matplotlib|statistics|subprocess|asyncio",
)
MOST = 138  # modules beyond those of the bare framework
PRODUCT, BARE = ROOT / "function" / "main.py", ROOT / "bench" / "baselines" / "framework" / "main.py"
ANSWERS = {"recognise": "7", "hello": "Hello world!"}
ROUNDS = 9
SLOWEST = 2.0  # times the bare framework's cold start; `make bench` finds about 1.4


@pytest.fixture(scope="module", autouse=True)
def _byte_code_is_there() -> None:
    compileall.compile_dir(PRODUCT.parent, quiet=1)
    compileall.compile_file(BARE, quiet=1)


@contextmanager
def starting(folder: Path, source: Path, target: str, **environment: str) -> Iterator[tuple[int, Path]]:
    """A function that is just being started: the port that it will have, and its log."""
    port, log = free_port(), folder / f"{target}.log"
    command = [str(Path(sys.executable).parent / "functions-framework"), "--host", "127.0.0.1", "--port", str(port)]
    settings = {**os.environ, "RECORDS_URL": f"sqlite:///{folder / 'records.db'}", "THREADS": "2", **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--source", source, "--target", target], env=settings, stdout=output, stderr=output
        )
    try:
        yield port, log
    finally:
        process.terminate()
        process.wait(timeout=20)


def first_answer(port: int, picture: bytes, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with (
            closing(HTTPConnection("127.0.0.1", port, timeout=seconds)) as connection,
            suppress(ConnectionRefusedError),
        ):
            connection.request("POST", "/", picture, {"Accept": "text/plain"})
            return connection.getresponse().read().decode().strip()
        time.sleep(0.001)
    raise TimeoutError(f"nothing listens after {seconds} s")


def imported(folder: Path, source: Path, target: str) -> set[str]:
    """The modules that a process has imported by its first answer."""
    with starting(folder, source, target, PYTHONPROFILEIMPORTTIME="1", PYTHONUNBUFFERED="1") as (port, log):
        assert first_answer(port, digit_png(7)) == ANSWERS[target]
        return set(re.findall(r"^import time:.*\| +(\S+)$", log.read_text(), re.MULTILINE))


def test_nothing_is_imported_that_the_first_answer_does_not_need(tmp_path: Path) -> None:
    ours = imported(tmp_path, PRODUCT, "recognise") - imported(tmp_path, BARE, "hello")
    assert "numpy" in ours
    needless = {name for name in ours for pattern in NEEDLESS if re.fullmatch(rf"({pattern})(\..*)?", name)}
    assert not needless
    assert len(ours) <= MOST, sorted(ours)


def test_the_cassandra_driver_is_not_waited_for(tmp_path: Path) -> None:
    environment = {"RECORDS_URL": f"cassandra://127.0.0.1:{free_port()}/mnistkeyspace"}
    environment |= {"JOURNAL_PATH": str(tmp_path / "journal.db"), "PYTHONPROFILEIMPORTTIME": "1"}
    with starting(tmp_path, PRODUCT, "recognise", **environment) as (port, log):
        assert first_answer(port, digit_png(7)) == "7"
        assert not re.search(r"\| +cassandra$", log.read_text(), re.MULTILINE)


def test_a_cold_start_takes_little_longer_than_that_of_the_bare_framework(tmp_path: Path) -> None:
    """In turns, since machines are noisy; of each the faster half counts."""
    starts = {"hello": BARE, "recognise": PRODUCT}
    seconds: dict[str, list[float]] = {target: [] for target in starts}
    for _ in range(ROUNDS):
        for target, source in starts.items():
            began = time.perf_counter()
            with starting(tmp_path, source, target) as (port, _log):
                assert first_answer(port, digit_png(7)) == ANSWERS[target]
                seconds[target].append(time.perf_counter() - began)
    bare, ours = (median(sorted(seconds[target])[: ROUNDS // 2 + 1]) for target in starts)
    assert ours <= SLOWEST * bare, seconds


def test_only_the_first_answer_of_a_process_says_that_it_is_cold(tmp_path: Path) -> None:
    with running_function(tmp_path, {"WORKERS": "1"}) as service:
        for expected in (True, False, False):
            with urlopen(f"{service.url}/?record=false", digit_png(3)) as answer:
                steps = answer.headers["Server-Timing"].split(", ")
            assert ("cold" in steps) == expected
            assert [step.partition(";")[0] for step in steps if step != "cold"][:3] == ["lookup", "upload", "wait"]
