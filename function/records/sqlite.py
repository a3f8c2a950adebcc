"""Records in an SQLite file: the embedded default."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Unavailable
from . import Kept, Record, State

# The columns of Cassandra's table, so that the same queries read both. `ticks` is the id's own time, which orders.
RECORD = """
    id text unique not null, ticks integer not null, time text not null, filename text not null, result text not null,
    confidence real not null, model text not null, image_sha256 text not null, correction text,
    glyphs blob not null default x''
"""
COLUMNS = "id, filename, result, confidence, model, image_sha256, correction, glyphs"
INSERT = "insert or ignore into predictrecord values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ANSWERS = """
create table if not exists answers (key text primary key, answer text not null, given integer not null);
create index if not exists oldest on answers (given);
"""
SCHEMA = f"""
create table if not exists predictrecord ({RECORD});
create index if not exists newest on predictrecord (ticks desc, id desc);
{ANSWERS}
"""
BUSY = 1.0  # seconds to wait for another process that writes …
POLL = 0.0002  # … looking anew after so many: a record takes about as long
ROOM = 512 * 1024  # bytes that are left free on the disk: more than there are in …
WAL = 100  # … so many pages, after which SQLite moves them from its write-ahead log into the file
DAY = 24 * 60 * 60
TICKS = 10_000_000  # in a second
EPOCH = 0x01B21DD213814000  # 1970 in the ticks of time UUIDs (RFC 9562)
LATEST = 1 << 62


@dataclass(eq=False)
class Write:
    """A statement that waits to be executed, and what became of it: the `row` that it made, or an `error`."""

    statement: str
    parameters: Sequence[Any]
    row: int | None = None
    error: Exception | None = None
    is_done: bool = False


class SqliteFile:
    """One connection per process, shared by its threads; opened at first use, so after any fork."""

    what: str
    schema: str

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._writes: deque[Write] = deque()

    def check(self) -> State:
        """A small write, so that a broken disk is told from a good one."""
        with self._writing() as db:
            self._make_sure_of_room()
            db.execute("pragma user_version = 1")
        return State(up=True)

    def _make_sure_of_room(self) -> None:
        """SQLite needs some even to delete: a file that filled its disk to the last byte could not be emptied."""
        try:
            disk = os.statvfs(Path(self._path).parent)
        except OSError as error:
            raise Unavailable(f"{self.what} cannot be used ({error.strerror}). Nothing was recorded.") from error
        if disk.f_bavail * disk.f_frsize < ROOM:
            raise Unavailable(f"{self.what} cannot be used (its disk is full). Make room; nothing was recorded.")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Raises `Unavailable` with SQLite's own reason."""
        # Not for ever: while another process keeps the file locked, threads here would wait one after the other.
        if not self._lock.acquire(timeout=BUSY):
            raise Unavailable(f"{self.what} is busy. Try again; nothing was recorded.")
        try:
            self._connection = self._connection or self._connect()
            yield self._connection
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        finally:
            self._lock.release()

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self.what} cannot be used ({error}). Try again; nothing was recorded.")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back on an error. Raises as `_reading`, after BUSY seconds."""
        until = time.monotonic() + BUSY
        with self._reading() as db:
            when_free(db, "begin immediate", until)
            with db:
                yield db

    def _write(self, statement: str, parameters: Sequence[Any]) -> int | None:
        """Execute one statement, in a transaction with all those that other threads wait with: many are on the disk as
        soon as one. Returns the row that it made. Raises as `_writing`."""
        until, mine = time.monotonic() + BUSY, Write(statement, parameters)
        self._writes.append(mine)
        while not mine.is_done:
            try:
                with self._reading() as db:
                    if not mine.is_done:
                        self._write_all(db, until)
            except Unavailable:
                with suppress(ValueError):  # it was taken: what became of it is, or will be, known
                    self._writes.remove(mine)
                    raise
        if mine.error:
            raise self._unavailable(mine.error) from mine.error
        return mine.row

    def _write_all(self, db: sqlite3.Connection, until: float) -> None:
        writes = [self._writes.popleft() for _ in range(len(self._writes))]
        try:
            if len(writes) == 1:  # with two statements more, threads would wait for each other more than twice as often
                writes[0].row = when_free(db, writes[0].statement, until, writes[0].parameters).lastrowid
            else:
                when_free(db, "begin immediate", until)
                with db:
                    for write in writes:
                        write.row = db.execute(write.statement, write.parameters).lastrowid
        except Exception as error:
            for write in writes:
                write.error = error
            raise
        finally:
            for write in writes:
                write.is_done = True

    def _connect(self) -> sqlite3.Connection:
        until = time.monotonic() + BUSY
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        when_free(connection, "pragma journal_mode = wal", until)  # readers do not wait for the writer
        connection.execute(f"pragma wal_autocheckpoint = {WAL}")
        connection.execute("pragma synchronous = normal")  # empty tables may be lost in a power cut …
        for statement in self.schema.split(";"):
            when_free(connection, statement, until)
        connection.execute("pragma synchronous = full")  # … but no answered record
        return connection


def when_free(
    connection: sqlite3.Connection, statement: str, until: float, parameters: Sequence[Any] = ()
) -> sqlite3.Cursor:
    """Execute `statement`, which others' writing may prevent, by a time of `time.monotonic`. SQLite's own timeout
    waits for as long as four others write before it looks again, starves one of many that write much, since who has
    waited longest looks least often, and is none at all for `journal_mode`."""
    while True:
        try:
            return connection.execute(statement, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(POLL)


class SqliteRecords(SqliteFile):
    """Records live for `ttl` seconds, or for ever."""

    what = "The records file"
    schema = SCHEMA

    def __init__(self, path: str, ttl: int | None = None) -> None:
        super().__init__(path)
        self._ttl = ttl

    def start(self) -> None:
        """Nothing goes on beside requests."""

    def add(self, record: Record, *, key: str, answer: str) -> Kept:
        if not (key or self._ttl):
            self._write(INSERT, values(record))
            return Kept(answer, "stored")
        with self._writing() as db:
            kept = claim(db, key, answer) if key else answer
            if kept == answer:
                db.execute(INSERT, values(record))
                if self._ttl:
                    db.execute("delete from predictrecord where ticks < ?", (self._oldest(),))
        return Kept(kept, "stored")

    def answered(self, key: str) -> Kept | None:
        with self._reading() as db:
            row = db.execute("select answer from answers where key = ? and given >= ?", (key, yesterday())).fetchone()
        return Kept(row[0], "stored") if row else None

    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:
        query = f"""select {COLUMNS} from predictrecord where (ticks, id) < (?, ?) and ticks >= ?
                    order by ticks desc, id desc limit ?"""
        bound = (before.time, str(before)) if before else (LATEST, "")
        with self._reading() as db:
            return [to_record(row) for row in db.execute(query, (*bound, self._oldest(), limit))]

    def get(self, record_id: uuid.UUID) -> Record | None:
        query = f"select {COLUMNS} from predictrecord where id = ? and ticks >= ?"
        with self._reading() as db:
            row = db.execute(query, (str(record_id), self._oldest())).fetchone()
        return to_record(row) if row else None

    def correct(self, record_id: uuid.UUID, correction: str | None) -> Record | None:
        with self._writing() as db:
            db.execute("update predictrecord set correction = ? where id = ?", (correction, str(record_id)))
        return self.get(record_id)

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        if "glyphs" not in {row[1] for row in connection.execute("pragma table_info(predictrecord)")}:
            connection.execute(
                "alter table predictrecord add column glyphs blob not null default x''"
            )  # of an old file
        return connection

    def _oldest(self) -> int:
        """The ticks before which a record has lived long enough."""
        return EPOCH + int((time.time() - self._ttl) * TICKS) if self._ttl else 0


def claim(db: sqlite3.Connection, key: str, answer: str) -> str:
    """The answer that has this key: this one, or the first of the day."""
    db.execute("delete from answers where given < ?", (yesterday(),))
    db.execute("insert or ignore into answers values (?, ?, ?)", (key, answer, int(time.time())))
    return str(db.execute("select answer from answers where key = ?", (key,)).fetchone()[0])


def yesterday() -> int:
    return int(time.time()) - DAY


def values(record: Record) -> tuple[Any, ...]:
    """In the order of `RECORD`."""
    return (
        str(record.id), record.id.time, record.time, record.filename, record.result, record.confidence,
        record.model, record.image_sha256, record.correction, record.glyphs,
    )  # fmt: skip


def to_record(row: Sequence[Any]) -> Record:
    """From `COLUMNS`."""
    return Record(uuid.UUID(row[0]), *row[1:])
