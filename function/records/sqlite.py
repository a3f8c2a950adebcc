"""Records in an SQLite file: the embedded default."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Unavailable
from . import Record

# The columns of Cassandra's table, so that the same queries read both. `ticks` is the id's own time, which orders.
SCHEMA = """
create table if not exists predictrecord (
    id text primary key, ticks integer not null, time text not null, filename text not null, result text not null,
    confidence real not null, model text not null, image_sha256 text not null, correction text
);
create index if not exists newest on predictrecord (ticks desc, id desc);
create table if not exists answers (key text primary key, answer text not null, given integer not null);
create index if not exists oldest on answers (given);
"""
COLUMNS = "id, filename, result, confidence, model, image_sha256, correction"
BUSY = 2.0  # seconds to wait for another process that writes
DAY = 24 * 60 * 60


class SqliteRecords:
    """One connection per process, shared by its threads; opened at first use, so after any fork."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def add(self, record: Record, *, key: str, answer: str) -> str:
        with self._transaction() as db:
            if key:
                given = int(time.time())
                db.execute("delete from answers where given < ?", (given - DAY,))
                db.execute("insert or ignore into answers values (?, ?, ?)", (key, answer, given))
                kept = str(db.execute("select answer from answers where key = ?", (key,)).fetchone()[0])
                if kept != answer:
                    return kept
            db.execute(
                "insert or ignore into predictrecord values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (str(record.id), record.id.time, record.time, record.filename, record.result, record.confidence,
                 record.model, record.image_sha256, record.correction),
            )  # fmt: skip
        return answer

    def answered(self, key: str) -> str | None:
        with self._transaction() as db:
            since = int(time.time()) - DAY
            row = db.execute("select answer from answers where key = ? and given >= ?", (key, since)).fetchone()
        return str(row[0]) if row else None

    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:
        query = f"select {COLUMNS} from predictrecord where (ticks, id) < (?, ?) order by ticks desc, id desc limit ?"
        bound = (before.time, str(before)) if before else (1 << 62, "")
        with self._transaction() as db:
            return [to_record(row) for row in db.execute(query, (*bound, limit))]

    def get(self, record_id: uuid.UUID) -> Record | None:
        with self._transaction() as db:
            row = db.execute(f"select {COLUMNS} from predictrecord where id = ?", (str(record_id),)).fetchone()
        return to_record(row) if row else None

    def correct(self, record_id: uuid.UUID, correction: str) -> Record | None:
        with self._transaction() as db:
            db.execute("update predictrecord set correction = ? where id = ?", (correction, str(record_id)))
        return self.get(record_id)

    def check(self) -> None:
        with self._transaction() as db:
            db.execute("begin immediate")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Committed at the end, rolled back on an error. Raises `Unavailable` with SQLite's own reason."""
        try:
            with self._lock:
                self._connection = self._connection or connect(self._path)
                with self._connection:
                    yield self._connection
        except sqlite3.Error as error:
            raise Unavailable(f"The records file cannot be used ({error}). Try again; nothing was recorded.") from error


def connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY, check_same_thread=False)
    connection.execute("pragma journal_mode = wal")  # readers do not wait for the writer
    connection.execute("pragma synchronous = full")  # an answered record survives a power cut
    connection.executescript(SCHEMA)
    return connection


def to_record(row: tuple[str, str, str, float, str, str, str | None]) -> Record:
    return Record(uuid.UUID(row[0]), *row[1:])
