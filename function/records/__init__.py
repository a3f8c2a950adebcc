"""The durable log of every answer: what a record is and what any store of them can do."""

from __future__ import annotations

import base64
import os
import re
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from ..errors import BadRequest
from ..prepare import SIDE, Glyph
from ..settings import Settings

GREGORIAN = datetime(1582, 10, 15, tzinfo=UTC)  # where the clock of time UUIDs begins (RFC 9562)
TIME_BASED = 1  # the version of such UUIDs
RESULT = re.compile(r"[0-9? \n]{0,200}")
NO_CURSOR = "A cursor is the `next` of the page before; begin without one."


@dataclass(frozen=True)
class Record:
    """One answer. `id` is a time UUID and tells the time; `result` never changes, a `correction` is kept beside it;
    `glyphs` is what the model saw, as `pack` makes it, or empty."""

    id: uuid.UUID
    filename: str
    result: str
    confidence: float
    model: str
    image_sha256: str
    correction: str | None = None
    glyphs: bytes = b""

    @cached_property
    def time(self) -> str:
        """ISO 8601 in UTC, to the millisecond."""
        return moment(self.id).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Kept:
    """What became of an `answer`: it is `stored` where it belongs, or `queued` on its way there, durable either way; or
    nobody asked for it to be kept."""

    answer: str
    recorded: Literal["stored", "queued", "no"]


@dataclass(frozen=True)
class State:
    """How a store is: whether it takes records itself (else `reason` says why not), and how many wait for it in the
    journal, the oldest for how many seconds."""

    up: bool
    reason: str = ""
    queued: int = 0
    oldest: float = 0.0


class Records(Protocol):
    """A store of records. Everything but `start` raises `Unavailable` when it cannot be done."""

    def start(self) -> None:
        """Begin what goes on beside requests; once in every process, after the fork."""

    def add(self, record: Record, *, key: str, answer: str) -> Kept:
        """Keep `record` durably, and the answer that was given with it.

        If `key` is not empty and came with another record within a day, that record's answer is given again, and
        `record` is not kept.
        """

    def answered(self, key: str) -> Kept | None:
        """The answer that was given with this key within a day."""

    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:
        """At most `limit` records, newest first, from the newest older than `before`; fewer only where there are no
        more."""

    def get(self, record_id: uuid.UUID) -> Record | None: ...

    def correct(self, record_id: uuid.UUID, correction: str | None) -> Record | None:
        """The record with its correction, or without one if it is None, which takes back what there is; or None if
        there is no such record."""

    def check(self) -> State:
        """Return if a record could be kept now."""


def new_id() -> uuid.UUID:
    """A time UUID (version 1) that no other process makes: its node is random, as RFC 9562 (6.10) has it in place of a
    network address."""
    return uuid.uuid1(node=int.from_bytes(os.urandom(6)) | 1 << 40)


def moment(record_id: uuid.UUID) -> datetime:
    """When it was made, in UTC."""
    return GREGORIAN + timedelta(microseconds=record_id.time // 10)


def order(record_id: uuid.UUID) -> tuple[int, bytes]:
    """By time; of one time as Cassandra's TimeUUIDType has it, by the other bytes as signed ones."""
    return record_id.time, bytes(byte ^ 0x80 for byte in record_id.bytes[8:])


def to_cursor(record_id: uuid.UUID) -> str:
    """Where the next page of records begins, as an opaque word."""
    return base64.urlsafe_b64encode(record_id.bytes).decode().rstrip("=")


def from_cursor(cursor: str) -> uuid.UUID:
    """Raises `BadRequest` for what `to_cursor` never gave."""
    try:
        record_id = uuid.UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except ValueError as error:
        raise BadRequest(NO_CURSOR) from error
    if record_id.version != TIME_BASED:
        raise BadRequest(NO_CURSOR)
    return record_id


def as_result(text: Any) -> str:
    """`text`, which somebody asks for or says to be right. Raises `BadRequest` for what no picture could say."""
    if not isinstance(text, str) or not RESULT.fullmatch(text):
        raise BadRequest("A result is made of digits, spaces, line breaks and ?, at most 200 of them.")
    return text


def pack(glyphs: Sequence[Glyph]) -> bytes:
    """Glyphs, each (28, 28) uint8, in few bytes."""
    return zlib.compress(b"".join(glyph.tobytes() for glyph in glyphs))


def unpack(packed: bytes) -> Glyph:
    """(n, 28, 28) uint8."""
    data = zlib.decompress(packed) if packed else b""
    return np.frombuffer(data, np.uint8).reshape(len(data) // SIDE**2, SIDE, SIDE)


def every(
    records: Records, page_size: int = 500, *, before: uuid.UUID | None = None, since: int = 0
) -> Iterator[Record]:
    """All records that are older than `before` and were made at the tick `since` or later, newest first, a page in
    memory at a time."""
    page_is_full = True
    while page_is_full:
        page = records.page(page_size, before)
        for record in page:
            if record.id.time < since:
                return
            yield record
            before = record.id
        page_is_full = len(page) == page_size


def open_records(settings: Settings) -> Records:
    """The store that `RECORDS_URL` names; nothing is opened before its first use. Raises `ValueError`."""
    scheme, separator, rest = settings.records_url.partition("://")
    if scheme == "sqlite" and separator and rest.strip("/"):
        from .sqlite import SqliteRecords

        return SqliteRecords(rest.removeprefix("/"), settings.record_ttl_seconds)
    if scheme == "cassandra" and separator:
        from .address import read_address
        from .forwarded import ForwardedRecords
        from .forwarder import Forwarder
        from .journal import Journal, NoJournal

        journal = Journal(settings.journal_path) if settings.journal_path else NoJournal()
        secret = settings.cassandra_password or settings.cassandra_password_file
        forwarder = Forwarder(journal, read_address(rest), secret, settings.record_ttl_seconds)
        return ForwardedRecords(journal, forwarder)
    kind = scheme.partition(":")[0]  # after which there may be a password
    raise ValueError(f"RECORDS_URL must be like sqlite:///records.db or cassandra://host/mnistkeyspace, not {kind}:…")
