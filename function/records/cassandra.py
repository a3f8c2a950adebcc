"""Records in Cassandra, over one session of the driver. This and cluster.py alone import the driver, which takes longer
than an answer: only the forwarder's thread imports them."""

from __future__ import annotations

import heapq
import re
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import groupby, islice
from typing import Any, Literal

from cassandra.query import UNSET_VALUE

from ..errors import Down
from ..settings import PACKAGE
from . import TIME_BASED, Record, moment, order
from .address import Address
from .cluster import Listener, open_cluster, reasons
from .sqlite import DAY, EPOCH

SHARDS = 16  # partitions of a day: at 100 answers a second, each has half a million rows
WRITE = 0.4  # seconds that an answer waits for the database, at each of at most four steps
READ = 1.0  # seconds that a listing waits for each of its queries
SCHEMA = 30.0  # seconds that it has to make a table

COLUMNS = "id, filename, result, confidence, model, image_sha256, glyphs"
STATEMENTS = {
    "insert": f"""insert into predictrecord (day, shard, time, {COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                  using timestamp ? and ttl ?""",
    "correct": """update predictrecord using timestamp ? and ttl ? set correction = ?
                  where day = ? and shard = ? and id = ?""",
    "get": f"select {COLUMNS}, correction from predictrecord where day = ? and shard = ? and id = ?",
    "page": f"select {COLUMNS}, correction from predictrecord where day = ? and shard = ? and id < ? limit ?",
    "announce": "insert into recordpartition (log, day, shard) values (0, ?, ?) using ttl ?",
    "partitions": "select day, shard from recordpartition where log = 0 and day <= ?",
    "claim": f"""insert into answer (key, answer, {COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
                 if not exists using ttl {DAY}""",
    "answered": f"select answer, {COLUMNS} from answer where key = ?",
}
TABLES = {"predictrecord", "recordpartition", "answer"}
Partition = tuple[date, int]  # day and shard
LAST_ID = uuid.UUID("ffffffff-ffff-1fff-bf7f-7f7f7f7f7f7f")


class CassandraRecords:
    """Everything raises `Down`, with the reason, when Cassandra does not do it; nothing waits for long.

    `changed` is called whenever a node goes or comes back.
    """

    def __init__(self, address: Address, *, password: str, ttl: int | None, changed: Callable[[], None]) -> None:
        self._address = address
        self._ttl = ttl
        self._changed = changed
        self._announced: set[Partition] = set()
        with reasons():
            self._cluster = open_cluster(address, password)
        try:
            with reasons():
                self._session = self._cluster.connect()
                self._make_tables()
                self._session.set_keyspace(address.keyspace)
                self._prepared = {name: self._session.prepare(text) for name, text in STATEMENTS.items()}
                for statement in self._prepared.values():
                    statement.is_idempotent = True  # ids, times and claims are ours: a second try changes nothing
                self._cluster.register_listener(Listener(self._note_change))
        except Down:
            self.close()
            raise

    def close(self) -> None:
        self._cluster.shutdown()

    def probe(self) -> None:
        """Return if a record could be written: that today may have some is, which is the smallest write there is."""
        with reasons():
            self._announce((datetime.now(UTC).date(), 0))

    def nodes(self) -> set[tuple[str, int]]:
        """(id, start in seconds since 1970) of each node, with a start of 0 if it does not answer."""
        query = "select gossip_generation from system.local"
        hosts = self._cluster.metadata.all_hosts()
        asked = [self._session.execute_async(query, timeout=WRITE, host=host) for host in hosts]
        starts = {str(host.host_id): 0 for host in hosts}
        for host, one in zip(hosts, asked, strict=True):
            with suppress(Down), reasons():
                starts[str(host.host_id)] = one.result().one()["gossip_generation"]
        return set(starts.items())

    def _make_tables(self) -> None:
        """Run schema.cql, unless all of it is there already: then the function need not be allowed to.

        All who begin at once ask the same node, since two nodes that make one table at once give it two ids, and the
        cluster does not recover from that by itself. Nodes that have just started do not see each other yet.
        """
        metadata = self._cluster.metadata
        keyspace = metadata.keyspaces.get(self._address.keyspace)
        if keyspace and keyspace.tables.keys() >= TABLES:
            return
        hosts, named = metadata.all_hosts(), len(self._address.hosts)
        if 2 * len(hosts) < named:
            raise Down(f"the tables can be made once half of the {named} nodes see each other, and {len(hosts)} does")
        first = min((host for host in hosts if host.is_up), key=lambda host: host.address)
        for statement in schema(self._address, len(hosts), self._ttl):
            if not (keyspace and statement.startswith("create keyspace")):
                self._session.execute(statement, timeout=SCHEMA, host=first)

    # ── Write ─────────────────────────────────────────────────────────────────────────────────────────────────
    def write(self, records: Sequence[tuple[Record, int]], *, timeout: float = WRITE) -> Literal[True]:
        """Write these records at once, each with its correction, if it was corrected at so many microseconds since
        1970, or with none, if that was taken back then. A record that is written again stays as it is, and of
        corrections the latest counts. Returns once all are written."""
        with reasons():
            for place in {partition(record.id) for record, _ in records} - self._announced:
                self._announce(place)
            writing = [one for record, corrected in records for one in self._begin(record, corrected, timeout)]
            for one in writing:
                one.result()
        return True

    def _begin(self, record: Record, corrected: int, timeout: float) -> Iterator[Any]:
        ttl = self._remaining(record.id)
        if ttl == 0:
            return
        place = partition(record.id)
        values = (*place, moment(record.id), *columns(record), microseconds(record.id), or_unset(ttl))
        yield self._execute("insert", values, timeout)
        if corrected:  # None deletes what is older, and nothing that is newer
            values = (corrected, or_unset(ttl), record.correction, *place, record.id)
            yield self._execute("correct", values, timeout)

    def claim(self, key: str, record: Record, answer: str) -> tuple[Record, str]:
        """The record and the answer that have this key: these, or the first of the day."""
        with reasons():
            row = self._execute("claim", (key, answer, *columns(record)), WRITE).result().one()
        return (record, answer) if row["[applied]"] else (to_record(row), row["answer"])

    def _announce(self, place: Partition) -> None:
        """Before a partition's first record, so that there is none that a listing does not find."""
        self._execute("announce", (*place, or_unset(self._ttl and self._ttl + 2 * DAY)), WRITE).result()
        self._announced.add(place)

    def _note_change(self) -> None:
        self._announced.clear()  # a node may have forgotten
        self._changed()

    def _remaining(self, record_id: uuid.UUID) -> int | None:
        """Seconds that a record has still to live; None for ever."""
        return max(0, self._ttl - int(time.time() - microseconds(record_id) / 1e6)) if self._ttl else None

    # ── Read ──────────────────────────────────────────────────────────────────────────────────────────────────
    def answered(self, key: str) -> tuple[Record, str] | None:
        with reasons():
            row = self._execute("answered", (key,), WRITE).result().one()
        return (to_record(row), row["answer"]) if row else None

    def get(self, record_id: uuid.UUID) -> Record | None:
        if record_id.version != TIME_BASED:  # Cassandra would refuse the question
            return None
        with reasons():
            row = self._execute("get", (*partition(record_id), record_id), READ).result().one()
        return to_record(row) if row and is_whole(row) else None

    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:
        """Day by day, a day's shards merged: what is read grows with `limit`, and not with the table."""
        before = before or LAST_ID
        found: list[Record] = []
        with reasons():
            for places in self._days(before):
                found += islice(self._records_of(places, before, limit), limit - len(found))
                if len(found) == limit:
                    break
        return found

    def _days(self, before: uuid.UUID) -> Iterator[list[Partition]]:
        """All partitions of a day, the newest day first; of several days, if those have few."""
        rows = self._execute("partitions", (partition(before)[0],), READ).result()
        places: list[Partition] = []
        for day, of_day in groupby(rows, key=lambda row: row["day"].date()):
            places += [(day, row["shard"]) for row in of_day]
            if len(places) >= SHARDS:
                yield places
                places = []
        if places:
            yield places

    def _records_of(self, places: list[Partition], before: uuid.UUID, limit: int) -> Iterator[Record]:
        some = 2 * limit // len(places) + 5  # of each at once; the driver fetches more where they are used up
        results = [self._execute("page", (*place, before, limit), READ, some) for place in places]
        each = [(row for row in one.result()) for one in results]  # a ResultSet begins anew when it is iterated again
        rows = heapq.merge(*each, key=lambda row: order(row["id"]), reverse=True)
        return (to_record(row) for row in rows if is_whole(row))

    def _execute(self, name: str, values: Sequence[Any], timeout: float, fetch_size: int = 1000) -> Any:
        statement = self._prepared[name].bind(values)
        statement.fetch_size = fetch_size
        return self._session.execute_async(statement, timeout=timeout)


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────────────────
def partition(record_id: uuid.UUID) -> Partition:
    return moment(record_id).date(), zlib.crc32(record_id.bytes) % SHARDS


def microseconds(record_id: uuid.UUID) -> int:
    """Since 1970."""
    return (record_id.time - EPOCH) // 10


def columns(record: Record) -> tuple[Any, ...]:
    return (
        record.id, record.filename, record.result, record.confidence, record.model, record.image_sha256,
        or_unset(record.glyphs),
    )  # fmt: skip


def or_unset(value: Any) -> Any:
    """What is not there is not written at all: a null would be a tombstone, and a TTL of 0 beat the table's own."""
    return value or UNSET_VALUE


def is_whole(row: dict[str, Any]) -> bool:
    """A correction can outlive its record by a second."""
    return row["filename"] is not None


def to_record(row: dict[str, Any]) -> Record:
    values = {name: row[name] for name in COLUMNS.split(", ")}
    return Record(**{**values, "glyphs": values["glyphs"] or b""}, correction=row.get("correction"))


def schema(address: Address, nodes: int, ttl: int | None) -> list[str]:
    """The statements of schema.cql, for this keyspace and so many nodes."""
    text = re.sub(r"--.*", "", (PACKAGE / "schema.cql").read_text()).replace("mnistkeyspace", address.keyspace)
    replication = address.replication or min(3, max(nodes, len(address.hosts)))  # some may be yet to start
    text = text.replace("'replication_factor': 1", f"'replication_factor': {replication}")
    if ttl:
        text = text.replace("'compaction_window_size': 30", f"'compaction_window_size': {max(1, ttl // DAY // 20)}")
    return [statement.strip() for statement in text.split(";") if statement.strip()]
