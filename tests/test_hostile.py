"""Whatever is asked, the function answers soon, says what is wrong with it, and goes on as before."""

from __future__ import annotations

import csv
import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPResponse, RemoteDisconnected
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.conftest import Table
from tests.helpers import Service, digit_png, running_function
from tests.hostile import BEFORE_IT, CASES, Case

SOON = 5.0  # seconds of the processor's time, which are seconds of any where nothing else runs
PATIENCE = 40.0  # seconds of any: what takes longer hangs
MOST_MEMORY = 1.25 * 2**30  # bytes more than before: a WebP of 64 megapixels takes 16 for each
INVISIBLE = re.compile("[\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff/\\\\]")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


# ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(service: Service, request: bytes) -> Answer:
    """Send these bytes, and none after them, whatever they say."""
    address = urlsplit(service.url)
    with (
        socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as line,
        closing(HTTPResponse(line)) as response,
    ):
        with suppress(ConnectionError):  # it may have answered already
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
        response.begin()
        return Answer(response.status, dict(response.getheaders()), response.read())


def read(service: Service, digit: int) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(service, Case("good", (200,), digit_png(digit)).request()).body)
    return answer


def assert_problem(answer: Answer) -> None:
    """RFC 9457."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = json.loads(answer.body)
    assert told.keys() == {"type", "title", "status", "detail"}
    assert told["type"].startswith("urn:digit-reader:")
    assert told["status"] == answer.status
    assert told["title"]
    assert told["detail"]


def assert_clean(filename: str) -> None:
    assert filename.isprintable()
    assert not INVISIBLE.search(filename)
    assert 0 < len(filename) <= 255


def downloaded(service: Service, kind: str) -> str:
    with urlopen(f"{service.url}/records?format={kind}", timeout=60) as lines:
        return str(lines.read().decode())


# ── Watching ──────────────────────────────────────────────────────────────────────────────────────────────────
def family(service: Service) -> list[int]:
    """The process that was started, and its workers."""
    main = service.process.pid
    return [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]


def processor_time(pids: list[int]) -> float:
    """Seconds, with those of their children that have ended: proc(5)."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(sum(map(int, each[11:15])) for each in fields) / 100


def peak(pids: list[int]) -> int:
    """Bytes, of the one that took most."""
    return max(1024 * int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) for pid in pids)


@dataclass
class Watched:
    """The running function, what it was like before all of this, and what it has answered since."""

    service: Service
    pids: list[int]
    memory: int
    asked: int = 0
    read: list[str] = field(default_factory=list)  # ids
    longest: float = 0.0


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, tables: list[Table]) -> Iterator[Watched]:
    with running_function(tmp_path_factory.mktemp("hostile")) as service:
        first = read(service, 4)
        pids = family(service)
        state = Watched(service, pids, peak(pids), read=[first["id"]])
        yield state
        table = Table("Bad requests", ("asked", "the longest took", "at most took"))
        table.add(state.asked, f"{state.longest:.1f} s", f"{(peak(pids) - state.memory) / 2**20:.0f} MiB")
        tables.append(table)


# ── Each ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_a_bad_request_is_answered_soon_and_says_why(watched: Watched, case: Case) -> None:
    request = case.request()
    began, used = time.perf_counter(), processor_time(watched.pids)

    answer = ask(watched.service, request)

    used = processor_time(watched.pids) - used
    watched.asked += 1
    watched.longest = max(watched.longest, min(used, time.perf_counter() - began))
    assert used < SOON
    assert answer.status in case.statuses, answer.body
    if answer.status != 200:
        assert_problem(answer)
        return
    given = json.loads(answer.body)
    watched.read.append(given["id"])
    assert given["result"] in ("4", "") or given["notice"]
    assert_clean(given["filename"])


@pytest.mark.parametrize("bad", [pytest.param(request, id=name) for name, request in BEFORE_IT.items()])
def test_what_is_not_even_http_is_refused(watched: Watched, bad: bytes) -> None:
    with suppress(RemoteDisconnected):  # nothing is said to what is no line
        assert ask(watched.service, bad).status in {*range(400, 500), 501, 505}


# ── After all of them ─────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_processes_go_on_and_read_as_before(watched: Watched) -> None:
    for digit in range(10):
        given = read(watched.service, digit)
        watched.read.append(given["id"])
        assert given["result"] == str(digit)
    assert family(watched.service) == watched.pids


def test_what_was_read_is_recorded_under_a_clean_name_and_nothing_else_is(watched: Watched) -> None:
    records = [json.loads(line) for line in downloaded(watched.service, "ndjson").splitlines()]
    rows = list(csv.DictReader(StringIO(downloaded(watched.service, "csv"), newline="")))

    assert [record["id"] for record in reversed(records)] == watched.read
    assert [row["id"] for row in rows] == [record["id"] for record in records]
    for record in records:
        assert_clean(record["filename"])


def test_memory_was_bounded(watched: Watched) -> None:
    assert peak(watched.pids) - watched.memory < MOST_MEMORY
