"""What recording costs: its share of an answer over each kind of store, and a page of records as the table grows.

    make bench-records                     # all of it: some minutes, most of them to write a million records
    make bench-records RECORDS=50000       # a quicker look

All that is compared runs in one go and takes turns, since machines are noisy: mind the ratios.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from function.records import moment, new_id, to_cursor
from function.records.cassandra import partition
from function.records.sqlite import TICKS
from tests.helpers import Service, digit_png, free_port, running_function, wait_until_nothing_waits
from tests.nodes import Nodes, connected, running_nodes, why_none

ROUNDS = 400
PAGE = 50
FAR = 1000  # the page that is compared with the first
BATCH = 100  # rows of one partition that are written at once
STEP = 20_000  # rows between two lines of progress
APART = TICKS // 20  # of time, between two records: a million of them are fourteen hours
INSERT = """insert into predictrecord (day, shard, time, id, filename, result, confidence, model, image_sha256)
            values (?, ?, ?, ?, '9.png', '9', 0.9987, 'digits_int8@0123456789ab', ?)"""


@dataclass
class Timed:
    """Milliseconds of each request: as the client saw it, and what recording was of it."""

    connection: HTTPConnection
    path: str = "/"
    whole: list[float] = field(default_factory=list)
    record: list[float] = field(default_factory=list)

    def ask(self, method: str = "POST", body: bytes | None = None) -> bytes:
        began = time.perf_counter()
        self.connection.request(method, self.path, body)
        response = self.connection.getresponse()
        answer = response.read()
        self.whole.append(1000 * (time.perf_counter() - began))
        if response.status != 200:
            raise RuntimeError(answer.decode())
        found = re.search(r"record;dur=([0-9.]+)", response.getheader("Server-Timing") or "")
        self.record.append(float(found[1]) if found else 0.0)
        return answer


def connect(service: Service) -> HTTPConnection:
    return HTTPConnection(urlsplit(service.url).netloc, timeout=60)


# ── An answer ─────────────────────────────────────────────────────────────────────────────────────────────────
def bench_answers(stack: ExitStack, folder: Path, nodes: Nodes | None) -> None:
    stores = {"SQLite": {}, "Cassandra, down": {"RECORDS_URL": f"cassandra://127.0.0.1:{free_port()}/mnistkeyspace"}}
    if nodes:
        stores["Cassandra, up"] = {"RECORDS_URL": nodes.url.replace("mnistkeyspace", "bench_answers")}
    services = {}
    for name, environment in stores.items():
        (folder / name).mkdir()
        services[name] = stack.enter_context(running_function(folder / name, environment))
    if nodes:
        wait_until_nothing_waits(services["Cassandra, up"])
    timed = {name: Timed(connect(service)) for name, service in services.items()}
    timed = {"none (a preview)": Timed(connect(services["SQLite"]), "/?record=false"), **timed}
    turns = deque(timed.values())
    for number in range(ROUNDS):
        picture = digit_png(number % 10)
        for one in turns:
            one.ask(body=picture)
        turns.rotate()
    baseline = median(timed["SQLite"].whole)
    print(f"\nOne answer to a drawn digit, {ROUNDS} of each, in turns:\n")
    print("| store | answer, ms (median) | 95th percentile | recording, ms | share of the answer | against SQLite |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, one in timed.items():
        whole, record = median(one.whole), median(one.record)
        late = sorted(one.whole)[int(0.95 * len(one.whole))]
        print(f"| {name} | {whole:.2f} | {late:.2f} | {record:.2f} | {record / whole:.0%} | {whole / baseline:.2f} |")


# ── A page ────────────────────────────────────────────────────────────────────────────────────────────────────
def bench_pages(stack: ExitStack, folder: Path, nodes: Nodes, most: int) -> None:
    folder.mkdir()
    environment = {"RECORDS_URL": nodes.url.replace("mnistkeyspace", "bench_pages")}
    service = stack.enter_context(running_function(folder, environment))
    wait_until_nothing_waits(service)
    session = stack.enter_context(connected(nodes))
    session.set_keyspace("bench_pages")
    sizes = [size for size in (10_000, 100_000, most) if size <= most]
    ids: list[uuid.UUID] = []
    rows = []
    for size in dict.fromkeys(sizes):
        ids += write(session, count=size - len(ids), first=len(ids))
        rows.append(time_pages(connect(service), ids))
    print(f"\nOne page of {PAGE} records over HTTP, median of 40, in turns:\n")
    print(f"| records | first page, ms | page {FAR:,}, ms | last page, ms | last against first |")
    print("|---:|---:|---:|---:|---:|")
    for ids_count, (first, far, last) in zip(dict.fromkeys(sizes), rows, strict=True):
        shown = f"{far:.1f}" if far else "–"
        print(f"| {ids_count:,} | {first:.1f} | {shown} | {last:.1f} | {last / first:.2f} |")


def earlier(record_id: uuid.UUID, number: int) -> uuid.UUID:
    """The time UUID of `number` records before."""
    ticks, fields = record_id.time - number * APART, record_id.fields
    return uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, *fields[3:]))


def write(session: Session, *, count: int, first: int) -> list[uuid.UUID]:
    """So many more records, each older than the one before; returns their ids, newest first."""
    insert, now = session.prepare(INSERT), new_id()
    ids = [earlier(now, first + number) for number in range(count)]
    for start in range(0, count, STEP):
        print(f"\r{first + start:,} records are written …", end="", file=sys.stderr, flush=True)
        execute_concurrent(session, [(rows, ()) for rows in batches(insert, ids[start : start + STEP])], concurrency=8)
    for place in {partition(record_id) for record_id in ids}:
        session.execute("insert into recordpartition (log, day, shard) values (0, %s, %s)", place)
    print(file=sys.stderr)
    return ids


def batches(insert: PreparedStatement, ids: list[uuid.UUID]) -> Iterator[BatchStatement]:
    """Rows of one partition each."""
    partitions = defaultdict(list)
    for record_id in ids:
        partitions[partition(record_id)].append(record_id)
    for place, some in partitions.items():
        for start in range(0, len(some), BATCH):
            rows = BatchStatement(BatchType.UNLOGGED)
            for record_id in some[start : start + BATCH]:
                rows.add(insert, (*place, moment(record_id), record_id, "5f" * 32))
            yield rows


def time_pages(connection: HTTPConnection, ids: list[uuid.UUID]) -> tuple[float, float | None, float]:
    """Median milliseconds of the first page, of page FAR if there is one, and of the last."""
    begins = {"first": 0, "far": PAGE * (FAR - 1), "last": len(ids) - PAGE}
    pages = {}
    for name, begin in begins.items():
        if begin < len(ids):
            cursor = f"&cursor={to_cursor(ids[begin - 1])}" if begin else ""
            pages[name] = Timed(connection, f"/records?limit={PAGE}{cursor}")
    for _ in range(40):
        for name, one in pages.items():
            answer = one.ask("GET").decode()
            if str(ids[begins[name]]) not in answer:
                raise RuntimeError(f"this is not the {name} page: {answer[:300]}")
    far = median(pages["far"].whole) if "far" in pages else None
    return median(pages["first"].whole), far, median(pages["last"].whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="how many are paged through at last")
    most = parser.parse_args().records
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {sys.version.split()[0]}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        reason = why_none()
        nodes = None if reason else stack.enter_context(running_nodes(folder / "nodes"))
        bench_answers(stack, folder, nodes)
        if nodes:
            bench_pages(stack, folder / "pages", nodes, most)
        else:
            print(f"\nNothing over Cassandra: {reason}")


if __name__ == "__main__":
    main()
