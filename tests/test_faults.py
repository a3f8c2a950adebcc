"""No answered record is lost or doubled, and none is late, whatever befalls Cassandra or the function.

The real function answers pictures all the while, over real nodes. Afterwards every id that was answered with 200 must
be in the table exactly once. The counts are printed at the end of the run.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx
import pytest

from tests.conftest import Table
from tests.helpers import Service, draw_digit, encode, free_port, knowing, running_function, wait_until_nothing_waits
from tests.nodes import Nodes, connected, running_nodes, wait_until_they_agree

PICTURE = encode(draw_digit(4, side=28, nib=2))
CLIENTS = 4
PAUSE = 0.01  # seconds between two requests of one: the nodes run on the same machine
PATIENCE = 2.0  # seconds that the database may cost an answer
STEPS = ("lookup", "record")  # what Server-Timing calls the steps that ask it
KEYED = 3  # one request in three has an Idempotency-Key


# ── Load ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Answer:
    """`database` is how many seconds of it the records took."""

    status: int
    id: str
    filename: str
    recorded: str
    seconds: float
    database: float
    detail: str


@dataclass
class Load:
    """Clients that post pictures one after the other; who had a key asks again with it where no answer came."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self, _: int) -> None:
        number = 0
        with httpx.Client(timeout=30) as client:
            while not self.ended.is_set():
                number += 1
                key = {"Idempotency-Key": str(uuid.uuid4())} if number % KEYED == 0 else {}
                filename, answer = f"{uuid.uuid4()}.png", None
                while answer is None and not (answer := self.ask(client, filename, key)) and key:
                    time.sleep(0.05)
                time.sleep(PAUSE)

    def ask(self, client: httpx.Client, filename: str, headers: Mapping[str, str]) -> Answer | None:
        began = time.monotonic()
        try:
            response = client.post(self.url, content=PICTURE, params={"filename": filename}, headers=headers)
        except httpx.TransportError:  # the function was killed over it
            time.sleep(0.05)
            return None
        seconds = time.monotonic() - began
        told = response.json()
        timing = dict(re.findall(r"(\w+);dur=([0-9.]+)", response.headers.get("Server-Timing", "")))
        database = sum(float(timing.get(step, 0)) for step in STEPS) / 1000
        self.answers.append(
            Answer(
                response.status_code, told.get("id", ""), filename, told.get("recorded", ""), seconds, database,
                told.get("detail", ""),
            )
        )  # fmt: skip
        return self.answers[-1]

    def wait_for(self, is_it: Callable[[Answer], bool], *, count: int = 20, seconds: float = 90) -> None:
        """Returns once so many more such answers came."""
        seen, deadline = len(self.answers), time.monotonic() + seconds
        while sum(map(is_it, self.answers[seen:])) < count:
            assert time.monotonic() < deadline, Counter(answer.recorded for answer in self.answers[seen:])
            time.sleep(0.05)


def is_stored(answer: Answer) -> bool:
    return answer.recorded == "stored"


def is_queued(answer: Answer) -> bool:
    return answer.recorded == "queued"


@contextmanager
def under_load(service: Service) -> Iterator[Load]:
    load = Load(service.url)
    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(load.run, number) for number in range(CLIENTS)]
        try:
            yield load
        finally:
            load.ended.set()
        for one in running:
            one.result()


# ── The count ─────────────────────────────────────────────────────────────────────────────────────────────────
def in_the_table(nodes: Nodes, keyspace: str) -> list[tuple[str, str]]:
    """(id, filename) of every row."""
    with connected(nodes) as session:
        rows = session.execute(f"select id, filename from {keyspace}.predictrecord")
        return [(str(row.id), row.filename) for row in rows]


def listed(service: Service) -> list[str]:
    """The ids of all records as the function lists them, once none waits."""
    wait_until_nothing_waits(service)
    lines = httpx.get(f"{service.url}/records?format=ndjson", timeout=60).text.splitlines()
    return [json.loads(line)["id"] for line in lines]


def count(fault: str, load: Load, rows: list[tuple[str, str]], listing: list[str], faults: Table) -> None:
    """Every id that was answered is in the table once, no picture is in it twice, and all that is in it is listed."""
    answered = {answer.id: answer for answer in load.answers if answer.status == 200}
    ids, filenames = Counter(id_ for id_, _ in rows), Counter(filename for _, filename in rows)
    lost = [answer for answer in answered.values() if ids[answer.id] == 0]
    doubled = [name for name, times in (*ids.items(), *filenames.items()) if times > 1]
    queued = sum(map(is_queued, answered.values()))
    slowest = max(answer.database for answer in load.answers)
    refused = len(load.answers) - len(answered)
    faults.add(fault, len(answered), queued, refused, len(lost), len(doubled), f"{slowest:.2f}")
    assert len(answered) > 100
    assert lost == []
    assert doubled == []
    assert sorted(listing) == sorted(ids)
    assert slowest < PATIENCE
    assert max(answer.seconds - answer.database for answer in load.answers) < 2 * PATIENCE  # nor is it late elsewhere


def troubles(folder: Path) -> str:
    """What the function said of Cassandra."""
    return "\n".join(line for line in (folder / "log").read_text().splitlines() if "forwarder" in line)


@pytest.fixture(scope="session")
def faults(tables: list[Table]) -> Table:
    tables.append(Table("Faults", ("fault", "answered", "queued", "503", "lost", "doubled", "slowest record, s")))
    return tables[-1]


# ── Nodes ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with running_nodes(tmp_path_factory.mktemp("node")) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with running_nodes(tmp_path_factory.mktemp("cluster"), 3) as nodes:
        yield nodes


def over(nodes: Nodes, keyspace: str, **more: str) -> dict[str, str]:
    """The environment of a function that records there."""
    return {"RECORDS_URL": nodes.url.replace("mnistkeyspace", keyspace), **more}


@dataclass(frozen=True)
class Fault:
    """What befalls nodes, how they are mended, and which answers there are in between."""

    name: str
    befall: Callable[[Nodes], None]
    mend: Callable[[Nodes], None]
    between: Callable[[Answer], bool] = is_queued
    nodes: Literal["node", "cluster"] = "node"
    workers: int = 1


def hang_now_and_then(nodes: Nodes) -> None:
    for _ in range(20):
        nodes.pause()
        time.sleep(0.35)
        nodes.resume()
        time.sleep(0.05)


def kill_and_start(nodes: Nodes) -> None:
    nodes.kill()
    nodes.start()


FAULTS = [
    Fault("killed -9", Nodes.kill, Nodes.start),
    Fault("killed -9, three workers", Nodes.kill, Nodes.start, workers=3),
    Fault("paused (SIGSTOP)", Nodes.pause, Nodes.resume),
    Fault("paused, then killed -9", Nodes.pause, kill_and_start),
    Fault("slow: 350 of 400 ms paused", hang_now_and_then, Nodes.resume, lambda _: True),
    Fault("one of three killed -9", lambda n: n.kill(1), lambda n: n.start(1), is_stored, "cluster"),
    Fault("one of three paused (SIGSTOP)", lambda n: n.pause(2), lambda n: n.resume(2), is_stored, "cluster"),
    Fault("two of three killed -9 (no quorum)", lambda n: n.kill(1, 2), lambda n: n.start(1, 2), nodes="cluster"),
    Fault("all three killed -9", Nodes.kill, Nodes.start, nodes="cluster"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_befalls_nodes_under_load_costs_no_answer(
    fault: Fault, keyspace: str, tmp_path: Path, faults: Table, request: pytest.FixtureRequest
) -> None:
    nodes: Nodes = request.getfixturevalue(fault.nodes)
    with running_function(tmp_path, over(nodes, keyspace, WORKERS=str(fault.workers))) as service:
        with under_load(service) as load:
            load.wait_for(is_stored, count=150)
            wait_until_they_agree(nodes)
            seen = len(load.answers)
            fault.befall(nodes)
            load.wait_for(fault.between, count=200)
            between = load.answers[seen:]
            fault.mend(nodes)
            load.wait_for(is_stored, count=150)
        listing = listed(service)
    count(fault.name, load, in_the_table(nodes, keyspace), listing, faults)
    if fault.between is is_stored:  # a quorum is there all the while
        assert sum(map(is_queued, between)) < 0.1 * len(between), troubles(tmp_path)


class TestNodesThatMove:
    def test_absent_at_start(self, node: Nodes, keyspace: str, tmp_path: Path, faults: Table) -> None:
        node.kill()
        with running_function(tmp_path, over(node, keyspace)) as service:
            with under_load(service) as load:
                load.wait_for(is_queued, count=200)
                ready = httpx.get(f"{service.url}/health/ready", timeout=30)
                node.start()
                load.wait_for(is_stored, count=200)
            listing = listed(service)
        assert ready.status_code == 200
        assert (ready.json()["records"], ready.json()["reason"]) == ("down", "no node listens there")
        assert "Cassandra takes no records: no node listens there." in (tmp_path / "log").read_text()
        count("absent at start", load, in_the_table(node, keyspace), listing, faults)

    def test_another_address_behind_the_same_name(
        self, node: Nodes, keyspace: str, tmp_path: Path, faults: Table, names: Path
    ) -> None:
        names.write_text(f"{node.addresses[0]} the-database\n")
        environment = {"RECORDS_URL": f"cassandra://the-database/{keyspace}", **knowing(names)}
        with running_function(tmp_path, environment) as service:
            with under_load(service) as load:
                load.wait_for(is_stored, count=100)
                node.kill()
                load.wait_for(is_queued, count=50)
                moved = node.addresses[0][:-1] + "9"
                names.write_text(f"{moved} the-database\n")
                node.launch(0, moved)
                node.wait(0)
                load.wait_for(is_stored, count=100)
            listing = listed(service)
        count("another address, same name", load, in_the_table(node, keyspace), listing, faults)

    def test_two_of_three_start_late_and_each_record_is_kept_three_times_all_the_same(
        self, tmp_path_factory: pytest.TempPathFactory, keyspace: str, tmp_path: Path, faults: Table
    ) -> None:
        with running_nodes(tmp_path_factory.mktemp("late"), 3, start=False) as nodes:
            nodes.start(0)
            with running_function(tmp_path, over(nodes, keyspace)) as service:
                with under_load(service) as load:
                    load.wait_for(is_queued, count=100)
                    nodes.start(1, 2)
                    load.wait_for(is_stored, count=200)
                listing = listed(service)
            with connected(nodes) as session:
                made = session.cluster.metadata.keyspaces[keyspace].replication_strategy
            assert "'datacenter1': '3'" in made.export_for_schema()
            count("two of three start late", load, in_the_table(nodes, keyspace), listing, faults)


# ── The function ──────────────────────────────────────────────────────────────────────────────────────────────
def kill_with_workers(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of all of the function at once."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    process.wait()


class TestFunction:
    def test_killed_before_it_forwards(self, node: Nodes, keyspace: str, tmp_path: Path, faults: Table) -> None:
        node.kill()
        port = free_port()
        with ExitStack() as stack:
            first = stack.enter_context(running_function(tmp_path, over(node, keyspace), port=port))
            load = stack.enter_context(under_load(first))
            load.wait_for(is_queued, count=100)
            kill_with_workers(first.process)
            second = stack.enter_context(running_function(tmp_path, over(node, keyspace), port=port))
            load.wait_for(is_queued, count=20)
            kill_with_workers(second.process)
            node.start()
            third = stack.enter_context(running_function(tmp_path, over(node, keyspace), port=port))
            load.wait_for(is_stored, count=100)
            kill_with_workers(third.process)
            last = stack.enter_context(running_function(tmp_path, over(node, keyspace), port=port))
            load.wait_for(is_stored, count=100)
            load.ended.set()
            listing = listed(last)
        count("function killed -9, three times", load, in_the_table(node, keyspace), listing, faults)

    def test_killed_at_once_with_the_node(self, node: Nodes, keyspace: str, tmp_path: Path, faults: Table) -> None:
        port = free_port()
        with ExitStack() as stack:
            first = stack.enter_context(running_function(tmp_path, over(node, keyspace), port=port))
            load = stack.enter_context(under_load(first))
            load.wait_for(is_stored, count=200)
            node.kill()
            kill_with_workers(first.process)
            node.start()
            last = stack.enter_context(running_function(tmp_path, over(node, keyspace), port=port))
            load.wait_for(is_stored, count=50)
            load.ended.set()
            listing = listed(last)
        count("function and node killed -9", load, in_the_table(node, keyspace), listing, faults)

    def test_the_disk_of_the_journal_is_full(
        self, node: Nodes, keyspace: str, tmp_path: Path, faults: Table, small_disk: list[str]
    ) -> None:
        node.kill()
        disk = tmp_path / "disk"
        environment = over(node, keyspace, JOURNAL_PATH=str(disk / "journal.db"))
        with running_function(tmp_path, environment, prefix=[*small_disk, str(disk)]) as service:
            with under_load(service) as load:
                load.wait_for(is_queued, count=100)
                load.wait_for(lambda answer: answer.status == 503, count=50)
                ready = httpx.get(f"{service.url}/health/ready", timeout=30)
                node.start()
                load.wait_for(is_stored, count=100)
            listing = listed(service)
        refused = {answer.detail for answer in load.answers if answer.status == 503}
        assert all("The journal cannot be used (its disk is full)" in detail for detail in refused)
        assert ready.status_code == 503
        assert "disk is full" in ready.json()["detail"]
        count("disk of the journal full", load, in_the_table(node, keyspace), listing, faults)


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """A command that runs another one with a disk of 3 MiB at the folder that follows."""
    mount = 'mkdir "$0" && mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    if subprocess.run([*command, str(tmp_path / "tried"), "true"], check=False, capture_output=True).returncode:
        pytest.skip("no disk can be made here: unshare --user is not allowed")
    return command
