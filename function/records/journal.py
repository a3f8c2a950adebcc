"""The journal: an SQLite file where answers wait until the database has them."""

from __future__ import annotations

import fcntl
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

from ..errors import Unavailable
from . import Kept, Record, State, order
from .sqlite import ANSWERS, COLUMNS, LATEST, RECORD, SqliteFile, claim, to_record, values, yesterday

# An entry waits while `stored` is null, and may be forwarded from `due` on; once stored it is kept for a while yet. A
# correction, or that it is taken back, makes a new entry of its record. Times are seconds since 1970, but `corrected`
# is microseconds.
SCHEMA = f"""
create table if not exists entry (
    sequence integer primary key autoincrement, due real not null, stored real, corrected integer not null, key text,
    {RECORD}
);
create index if not exists waiting on entry (sequence) where stored is null;
create index if not exists settled on entry (stored) where stored is not null;
create index if not exists keyed on entry (key) where key is not null;
create table if not exists host (id text not null, started integer not null, seen real not null);
{ANSWERS}
"""
ENTER = "insert or replace into entry values (null, ?, null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Seconds that an entry outlives its being stored. A node that is killed can lose what it wrote last, though it had said
# that it was written: up to 10 seconds of it with Cassandra's own commitlog_sync. One that hangs is noticed in 10 more.
MEMORY = 60.0
NONE = "There is no journal."


@dataclass(frozen=True)
class Entry:
    """A record on its way: `corrected` is when, in microseconds since 1970; `key` and `answer` are None if it had no
    key."""

    sequence: int
    corrected: int
    key: str | None
    answer: str | None
    record: Record


class Journal(SqliteFile):
    """Shared by all workers of a machine."""

    what = "The journal"
    schema = SCHEMA

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
        self.fate = f"They are kept in {path}"  # of answers, while the database is down

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        connection.create_collation("timeuuid", compare)
        return connection

    def put(self, record: Record, *, lease: float, key: str = "", answer: str = "", corrected: int = 0) -> int | None:
        """Keep `record` in place of any entry that it has, to be forwarded after `lease` seconds unless it is stored by
        then. `corrected` is when its correction was made or taken back, if either was.

        Returns the entry's sequence number; or None if nothing was kept, since `key` is another answer's, or since the
        record's entry has a later correction.
        """
        due = time.time() + lease
        if not (key or corrected):
            self._make_sure_of_room()
            return self._write(ENTER, (due, 0, None, *values(record)))
        with self._writing() as db:
            self._make_sure_of_room()
            if key and claim(db, key, answer) != answer:
                return None
            entry = db.execute("select key, corrected from entry where id = ?", (str(record.id),)).fetchone()
            known, latest = entry or (None, 0)
            if latest > corrected:
                return None
            return db.execute(ENTER, (due, corrected, key or known, *values(record))).lastrowid

    def answered(self, key: str) -> Kept | None:
        query = """select answer, exists (select 1 from entry where entry.key = answers.key and stored is null)
                   from answers where key = ? and given >= ?"""
        with self._reading() as db:
            row = db.execute(query, (key, yesterday())).fetchone()
        return Kept(row[0], "queued" if row[1] else "stored") if row else None

    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:
        """At most `limit` records that wait, newest first in Cassandra's order, from the newest older than `before`."""
        query = f"""select {COLUMNS} from entry where stored is null and (ticks, id collate timeuuid) < (?, ?)
                    order by ticks desc, id collate timeuuid desc limit ?"""
        bound = (before.time, str(before)) if before else (LATEST, "")
        with self._reading() as db:
            return [to_record(row) for row in db.execute(query, (*bound, limit))]

    def get(self, record_id: uuid.UUID) -> Record | None:
        """The record, if it waits."""
        query = f"select {COLUMNS} from entry where id = ? and stored is null"
        with self._reading() as db:
            row = db.execute(query, (str(record_id),)).fetchone()
        return to_record(row) if row else None

    def due(self, limit: int, by: float) -> list[Entry]:
        """The first entries that may be forwarded at the time `by`, in the order in which they came."""
        query = f"""select sequence, corrected, key, answer, {COLUMNS}
                    from entry left join answers using (key)
                    where stored is null and due <= ? order by sequence limit ?"""
        with self._reading() as db:
            rows = db.execute(query, (by, limit)).fetchall()
        return [
            Entry(sequence, corrected, key, answer, to_record(row)) for sequence, corrected, key, answer, *row in rows
        ]

    def mark(self, written: Sequence[tuple[int, float]]) -> None:
        """These entries are stored. Each is told with when its writing began: if another process has recalled what was
        stored since, it would have recalled this too, so it still waits."""
        query = """update entry set stored = ? where sequence = ?
                   and not exists (select 1 from host where seen between ? and ?)"""
        with self._writing() as db:
            now = time.time()
            db.executemany(query, [(began, sequence, began, now) for sequence, began in written])

    def recall(self, nodes: set[tuple[str, int]]) -> None:
        """All that was stored of late waits again if one of the nodes began anew or fell silent: it may have lost what
        it had said to have written. Each is told as (id, start), a silent one as (id, 0)."""
        with self._writing() as db:
            known = set(db.execute("select id, started from host"))
            if known - nodes:
                db.execute("update entry set due = stored, stored = null where stored is not null")
            if known != nodes:
                now = time.time()
                db.execute("delete from host")
                db.executemany("insert into host values (?, ?, ?)", [(*node, now) for node in nodes])

    def forget(self) -> None:
        """Drop what was stored long enough ago."""
        with self._writing() as db:
            db.execute("delete from entry where stored < ?", (time.time() - MEMORY,))

    def waiting(self, by: float = inf) -> tuple[int, float]:
        """How many entries may be forwarded at the time `by`, and since when the first of them could be."""
        query = "select count(*), coalesce(min(due), ?) from entry where stored is null and due <= ?"
        with self._reading() as db:
            count, since = db.execute(query, (by, by)).fetchone()
        return count, since

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process is in here meanwhile; the lock ends with the process, however it ends."""
        try:
            file = self.path.with_name(self.path.name + ".lock").open("w")
        except OSError as error:
            raise Unavailable(f"The journal cannot be used ({error.strerror}).") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def compare(one: str, other: str) -> int:
    """Ids as `order` has them: negative, 0 or positive."""
    first, second = order(uuid.UUID(one)), order(uuid.UUID(other))
    return (first > second) - (first < second)


class NoJournal(Journal):
    """Where no disk outlives the process: takes nothing, so that an answer is given only once the database has it."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.fate = "No picture is read until it does: there is no journal"

    def check(self) -> State:
        raise Unavailable(NONE)

    def put(self, *_: object, **__: object) -> int | None:
        raise Unavailable(NONE)

    def answered(self, key: str) -> Kept | None:  # noqa: ARG002
        return None

    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:  # noqa: ARG002
        return []

    def get(self, record_id: uuid.UUID) -> Record | None:  # noqa: ARG002
        return None

    def mark(self, written: Sequence[tuple[int, float]]) -> None:
        pass

    def recall(self, nodes: set[tuple[str, int]]) -> None:
        pass

    def forget(self) -> None:
        pass

    def waiting(self, by: float = inf) -> tuple[int, float]:
        return 0, by

    @contextmanager
    def alone(self) -> Iterator[bool]:
        yield False
