"""Which records a listing asks for → those, newest first. The first answer does without it."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import BadRequest
from . import GREGORIAN, Record, Records, as_result, every, order
from .sqlite import TICKS

LAST_TICK = (1 << 60) - 1
PAGE = 500  # records that are read at once where it takes more than one page to find what is asked for
MOST = 5000  # records that one request looks at …
LONGEST = 1.0  # … or as many as it has read after so many seconds
TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt]([0-9]{2}:[0-9]{2}):([0-5][0-9]|60)(?:\.([0-9]+))?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))?"
)


@dataclass(frozen=True)
class Wanted:
    """Records that were made at the tick `since` or later and are older than `before`, with `text` in their result or
    in their correction."""

    text: str = ""
    since: int = 0
    before: uuid.UUID | None = None

    def has(self, record: Record) -> bool:
        """Whether it has the text."""
        return self.text in record.result or self.text in (record.correction or "")


def read_wanted(query: Mapping[str, str]) -> Wanted:
    """From `result`, `from` (inclusive) and `to` (exclusive). Raises `BadRequest`."""
    since, until = read_time(query, "from"), read_time(query, "to")
    return Wanted(as_result(query.get("result", "")), since or 0, None if until is None else bound(until))


def read_time(query: Mapping[str, str], name: str) -> int | None:
    """In ticks; None if the query says nothing of it."""
    try:
        return to_ticks(query[name]) if name in query else None
    except ValueError as error:
        raise BadRequest(
            f"{name} is a date like 2026-11-25, which begins at midnight in UTC, or a time with its offset like "
            "2026-11-25T09:30:00Z or 2026-11-25T09:30:00+01:00 (RFC 3339; in a URL, + is written as %2B)."
        ) from error


def to_ticks(text: str) -> int:
    """A date's midnight in UTC, or a time of RFC 3339, in ticks of time UUIDs: tenths of a microsecond since 1582,
    and negative before. Raises `ValueError`."""
    match = TIME.fullmatch(text)
    if not match:
        raise ValueError(text)
    day, minute, second, fraction, offset = match.groups()
    whole = datetime.fromisoformat(f"{day}T{minute or '00:00'}{(offset or 'Z').upper()}") - GREGORIAN
    ticks = whole // timedelta(microseconds=1) * 10
    return ticks + int(second or 0) * TICKS + int(f"{fraction or ''}0000000"[:7])  # second 60 is the next minute's 0


def bound(ticks: int) -> uuid.UUID:
    """What comes after every id that was made before that tick, and before every other.

    It has the tick before, and ends in bits that come after any id's, whether bytes are compared as signed ones, as
    Cassandra does, or as unsigned ones, as SQLite does: ids begin their second half with the bits 10 (RFC 9562).
    """
    last = min(max(ticks - 1, 0), LAST_TICK)
    fields = (last & 0xFFFFFFFF, last >> 32 & 0xFFFF, last >> 48 | 0x1000, 0xFF, 0xFF, 0xFFFFFFFFFFFF)
    return uuid.UUID(fields=fields)


def find(
    records: Records, wanted: Wanted, limit: int, cursor: uuid.UUID | None
) -> tuple[list[Record], uuid.UUID | None]:
    """At most `limit` of those that are wanted, newest first from the newest older than `cursor`; and the last record
    that was looked at, from which to go on, or None if there are no more.

    They may be fewer though there are more: how many are looked at is bounded.
    """
    found: list[Record] = []
    before = min((one for one in (cursor, wanted.before) if one), key=order, default=None)
    size, looked_at, until = limit + 1, 0, time.monotonic() + LONGEST
    while True:
        page = records.page(size, before)
        for record in page:
            if record.id.time < wanted.since:
                return found, None
            if len(found) == limit:
                return found, before
            if wanted.has(record):
                found.append(record)
            before = record.id
        looked_at += len(page)
        if len(page) < size:
            return found, None
        if looked_at >= MOST or time.monotonic() > until:
            return found, before
        size = PAGE


def find_all(records: Records, wanted: Wanted) -> Iterator[Record]:
    """All that are wanted, newest first, a page in memory at a time."""
    return filter(wanted.has, every(records, before=wanted.before, since=wanted.since))
