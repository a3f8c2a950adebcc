"""Records that reach Cassandra for certain: in the journal at once, and there now or as soon as it takes them."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from dataclasses import replace

from ..errors import Unavailable
from . import Kept, Record, State, order
from .forwarder import Forwarder
from .journal import Journal, NoJournal

CONNECT = 5.0  # seconds that an answer waits for the very first connection, if there is no journal to take it
LEASE = 2.0  # seconds that a request has its entry for itself: longer than it waits for Cassandra


class ForwardedRecords:
    """Requests write to the journal and then, while it is up, to Cassandra; the rest is the forwarder's."""

    def __init__(self, journal: Journal, forwarder: Forwarder) -> None:
        self.forwarder = forwarder
        self._journal = journal

    def start(self) -> None:
        self.forwarder.start()

    # ── Write ─────────────────────────────────────────────────────────────────────────────────────────────────
    def add(self, record: Record, *, key: str, answer: str) -> Kept:
        self.start()
        if isinstance(self._journal, NoJournal):
            self.forwarder.wait(CONNECT)
        if not key:
            return self._keep(record, key, answer)
        claimed = self.forwarder.ask(lambda store: store.claim(key, record, answer))
        if not claimed:  # the forwarder claims the key before it writes
            return self._keep(record, key, answer, later=True)
        return self._keep(claimed[0], key, claimed[1])  # perhaps another's: whoever finds a claim records it

    def answered(self, key: str) -> Kept | None:
        self.start()
        with suppress(Unavailable):
            if kept := self._journal.answered(key):
                return kept
        claimed = self.forwarder.ask(lambda store: store.answered(key)) if key else None
        return self._keep(claimed[0], key, claimed[1]) if claimed else None

    def _keep(self, record: Record, key: str, answer: str, *, later: bool = False) -> Kept:
        """In the journal and, if not `later`, in Cassandra; either is enough."""
        try:
            sequence = self._journal.put(record, lease=0 if later else self._lease(), key=key, answer=answer)
        except Unavailable as error:
            if not later and self._write(record):
                return Kept(answer, "stored")
            raise self._neither(error) from error
        if sequence is None:  # another request with this key was faster
            kept = self._journal.answered(key)
            assert kept
            return kept
        if later or not self._write(record, sequence=sequence):
            return Kept(answer, "queued")
        if key:  # whoever comes next with it is told the same
            with suppress(Unavailable):
                self.forwarder.mark()
        return Kept(answer, "stored")

    def correct(self, record_id: uuid.UUID, correction: str | None) -> Record | None:
        record = self.get(record_id)
        if record is None:
            return None
        corrected, now = replace(record, correction=correction), time.time_ns() // 1000
        try:
            sequence = self._journal.put(corrected, lease=self._lease(), corrected=now)
        except Unavailable as error:
            if self._write(corrected, now):
                return corrected
            raise self._neither(error) from error
        if sequence:
            self._write(corrected, now, sequence=sequence)
        return corrected

    def _write(self, record: Record, corrected: int = 0, *, sequence: int | None = None) -> bool:
        """Into Cassandra, whereupon the journal's entry of this number waits no more."""
        began = time.time()
        written = self.forwarder.ask(lambda store: store.write([(record, corrected)])) or False
        if written and sequence:
            self.forwarder.is_stored(sequence, began)
        return written

    def _lease(self) -> float:
        return LEASE if self.forwarder.up else 0.0

    # ── Read ──────────────────────────────────────────────────────────────────────────────────────────────────
    def page(self, limit: int, before: uuid.UUID | None = None) -> list[Record]:
        """Those that wait are among them, so that who was answered finds the record at once."""
        self.start()
        records = self.forwarder.read(lambda store: store.page(limit, before))
        with suppress(Unavailable):
            records += self._journal.page(limit, before)
        once = {record.id: record for record in records}
        return sorted(once.values(), key=lambda record: order(record.id), reverse=True)[:limit]

    def get(self, record_id: uuid.UUID) -> Record | None:
        self.start()
        with suppress(Unavailable):
            if record := self._journal.get(record_id):
                return record
        return self.forwarder.read(lambda store: store.get(record_id))

    def check(self) -> State:
        self.start()
        up = self.forwarder.up
        reason = self.forwarder.trouble if up else self.forwarder.reason
        try:
            self._journal.check()
        except Unavailable as error:
            if not up:
                raise self._neither(error) from error
            if not isinstance(self._journal, NoJournal):
                reason = error.detail
        now = time.time()
        queued, since = 0, now
        with suppress(Unavailable):
            queued, since = self._journal.waiting(by=now)
        return State(up, reason, queued, max(0.0, now - since))

    def _neither(self, error: Unavailable) -> Unavailable:
        return Unavailable(f"{error.detail} Cassandra takes nothing either: {self.forwarder.reason}.")
