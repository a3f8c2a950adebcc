"""The durable log of every answer: what a record is and what any store of them can do."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ..errors import BadRequest

GREGORIAN = datetime(1582, 10, 15, tzinfo=UTC)  # where the clock of time UUIDs begins (RFC 9562)
TIME_BASED = 1  # the version of such UUIDs
NO_CURSOR = "A cursor is the `next` of the page before; begin without one."
NODE = uuid.uuid4().int >> 80 | 1 << 40  # random, as RFC 9562 has it in place of a network address


@dataclass(frozen=True)
class Record:
    """One answer. `id` is a time UUID and tells the time; `result` never changes, a `correction` is kept beside it."""

    id: uuid.UUID
    filename: str
    result: str
    confidence: float
    model: str
    image_sha256: str
    correction: str | None = None

    @property
    def time(self) -> str:
        """ISO 8601 in UTC, to the millisecond."""
        moment = GREGORIAN + timedelta(microseconds=self.id.time // 10)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Records(Protocol):
    """A store of records. Everything raises `Unavailable` when the store cannot be reached."""

    def add(self, record: Record, *, key: str, answer: str) -> str:
        """Keep `record` durably, and the answer that was given with it.

        Returns that answer; or, if `key` is not empty and came with another record within a day, that record's answer,
        and keeps nothing.
        """

    def answered(self, key: str) -> str | None:
        """The answer that was given with this key within a day."""

    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:
        """At most `limit` records, newest first, from the newest older than `before`."""

    def get(self, record_id: uuid.UUID) -> Record | None: ...

    def correct(self, record_id: uuid.UUID, correction: str) -> Record | None:
        """The record with its correction, or None if there is no such record."""

    def check(self) -> None:
        """Return if a record could be added now."""


def new_id() -> uuid.UUID:
    """A time UUID (version 1) that tells nothing of this machine."""
    return uuid.uuid1(node=NODE)


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


def every(records: Records, page_size: int = 500) -> Iterator[Record]:
    """All records, newest first, a page in memory at a time."""
    page = records.page(page_size)
    while page:
        yield from page
        page = records.page(page_size, before=page[-1].id)


def open_records(url: str) -> Records:
    """The store that `RECORDS_URL` names; nothing is opened before its first use. Raises `ValueError`."""
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator and rest.strip("/"):
        from .sqlite import SqliteRecords

        return SqliteRecords(rest.removeprefix("/"))
    raise ValueError(f"RECORDS_URL must be like sqlite:///records.db, not {scheme}:…")
