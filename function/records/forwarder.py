"""One thread in each process that keeps up the session with Cassandra and forwards to it what waits in the journal."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  (before `_register_atexit`, which runs what came last first)
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import Down, Lost, Unavailable
from .address import Address
from .journal import Journal

if TYPE_CHECKING:
    from .cassandra import CassandraRecords

START = 0.5  # seconds until the driver is imported: the first answer has the processor to itself
TICK = 0.5  # seconds between two looks at the journal
SLOWEST = 2.0  # seconds between two tries to reach the database, after the first few
BATCH = 50  # entries that are on their way at once …
FORWARD = 2.0  # … and have so many seconds
FAILURES = 3  # so many questions without an answer, each asked after the last had failed: the database is down
FIRST = 1.0  # seconds that a reader waits for the very first try
LAST = 5.0  # seconds for what is left when a process ends

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


class Forwarder:
    """Whether Cassandra is `up`, else for what `reason` not; and the only way to ask it. `secret` is the password or
    its file."""

    def __init__(self, journal: Journal, address: Address, secret: str | Path | None, ttl: int | None) -> None:
        self.up = False
        self.reason = "there was no time yet to connect"
        self._journal = journal
        self._address = address
        self._secret = secret
        self._ttl = ttl
        self._store: CassandraRecords | None = None
        self.trouble = ""  # why what waits is not forwarded though Cassandra is up
        self._failures = 0  # since the last answer …
        self._failed = 0.0  # … and when the last of them was, by the monotonic clock
        self._stored: deque[tuple[int, float]] = deque()  # entries that requests have written, to be marked
        self._changed = threading.Event()  # a node may have gone or come back
        self._doubted = threading.Event()  # a question got no answer
        self._wake, self._tried, self._ending = threading.Event(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
                self._thread.start()
                # atexit is too late: the driver cannot connect any more by then, and what came first may be waiting.
                threading._register_atexit(self.close)  # type: ignore[attr-defined]  # noqa: SLF001

    def close(self) -> None:
        """End the thread, and forward what is left, for LAST seconds and not longer."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._wake.set()
        if self._thread:
            self._thread.join(LAST)
        with suppress(Unavailable):
            if left := self._journal.waiting()[0]:
                log.warning("%d answers wait in %s for the next start.", left, self._journal.path)

    # ── For requests ──────────────────────────────────────────────────────────────────────────────────────────
    def ask(self, question: Callable[[CassandraRecords], Answer]) -> Answer | None:
        """None if the store is down or gives no answer.

        Of several nodes one may have failed, so the first failure only raises a doubt, which the thread settles.
        """
        store = self._store
        if not store or not self.up:
            return None
        asked = time.monotonic()
        try:
            answer = question(store)
        except Down as error:
            self._doubt()
            if asked >= self._failed:  # what stalls for a moment fails all who ask in it
                self._failures += 1
                self._failed = time.monotonic()
            if self._failures >= FAILURES:
                self._fail(error)
            return None
        self._failures = 0
        return answer

    def wait(self, seconds: float) -> None:
        """For the very first try to reach the store, which is made at once."""
        if not self._tried.is_set():
            self._wake.set()
            self._tried.wait(seconds)

    def read(self, question: Callable[[CassandraRecords], Answer]) -> Answer:
        """Raises `Unavailable`. What is too much to read is no reason to write no more, however often."""
        self.wait(FIRST)
        store, reason = self._store, self.reason
        if store and self.up:
            try:
                return question(store)
            except Down as error:
                reason = error.detail
                self._doubt()
        raise Unavailable(f"Cassandra cannot be read: {reason}. Try again in a while.")

    def is_stored(self, sequence: int, began: float) -> None:
        """This entry of the journal is, by what began then; that is marked with others, later."""
        self._stored.append((sequence, began))

    def mark(self) -> None:
        written = [self._stored.popleft() for _ in range(len(self._stored))]
        if written:
            self._journal.mark(written)

    # ── The thread ────────────────────────────────────────────────────────────────────────────────────────────
    def _run(self) -> None:
        self._wake.wait(START)
        pause = TICK
        while not self._ending.is_set():
            try:
                self._look(by=time.time())
            except Exception:  # the thread must not end: all that is queued would wait for ever
                log.exception("unforeseen")
            pause = TICK if self.up else min(2 * pause, SLOWEST)
            self._wake.wait(pause)
            self._wake.clear()
        with suppress(Unavailable):
            self.mark()
            if self._journal.waiting()[0]:
                self._look(by=inf)
        self._close_store()

    def _look(self, by: float) -> None:
        """Forward what is due at the time `by`."""
        try:
            self.connect()
        except Down as error:
            self._fail(error)
        self._tried.set()
        try:
            self.mark()
            if self.up:
                self._recall()
                self._forward(by)
                self._journal.forget()
            self.trouble = ""
        except Unavailable as error:
            if isinstance(error, Down):
                self._doubted.set()
            if error.detail != self.trouble:
                log.warning("What waits is not forwarded: %s", error.detail)
            self.trouble = error.detail

    def connect(self) -> None:
        """Return if the store is up. A session that is of no use is closed, and the next try begins with the hosts'
        names: their addresses may be others by then."""
        if self._store is None:
            self._store = self._open()
            self._changed.set()
        if not self.up or self._doubted.is_set():
            self._doubted.clear()
            self._probe(self._store)
        if not self.up:
            with suppress(Unavailable):
                self._recall()
            log.warning("Cassandra takes records.")
            self._failures = 0
            self.up = True

    def _probe(self, store: CassandraRecords) -> None:
        """Raises `Down` if the store takes nothing, twice if it is thought to be up: a session is costly to renew."""
        if self.up:
            with suppress(Down):
                return store.probe()
        try:
            store.probe()
        except Lost:
            self._close_store()
            raise

    def _open(self) -> CassandraRecords:
        try:
            from .cassandra import CassandraRecords

            password = self._secret.read_text().strip() if isinstance(self._secret, Path) else self._secret or ""
        except OSError as error:
            raise Down(f"the file of the password cannot be read: {error.strerror}") from error
        except Exception as error:  # the driver's own, where it finds no event loop
            raise Down(f"the driver cannot be used here: {error}") from error
        return CassandraRecords(self._address, password=password, ttl=self._ttl, changed=self._changed.set)

    def _close_store(self) -> None:
        store, self._store = self._store, None
        if store:
            store.close()

    def _doubt(self) -> None:
        self._doubted.set()
        self._wake.set()

    def _fail(self, error: Down) -> None:
        was_up, self.up = self.up, False
        if was_up or error.detail != self.reason:
            log.warning("Cassandra takes no records: %s. %s.", error.detail, self._journal.fate)
        self.reason = error.detail
        if was_up:
            self._wake.set()

    def _recall(self) -> None:
        """Ask the nodes until all have answered, and again when one goes or comes back, and recall what they lost."""
        if self._store and self._changed.is_set():
            self._changed.clear()
            all_answered = False
            try:
                nodes = self._store.nodes()
                self._journal.recall(nodes)
                all_answered = all(start for _, start in nodes)
            finally:
                if not all_answered:
                    self._changed.set()

    # ── What waits ────────────────────────────────────────────────────────────────────────────────────────────
    def drain(self) -> Iterator[int]:
        """Forward all that waits, telling how many entries are left; for when `connect` has returned."""
        while left := self._journal.waiting()[0]:
            yield left
            if not self._forward(inf):
                time.sleep(TICK)
        yield 0

    def _forward(self, by: float) -> int:
        """Write what is due, in the order in which it came, unless another process is at it; returns how many."""
        assert self._store
        count = 0
        with self._journal.alone() as alone:
            while alone and (entries := self._journal.due(BATCH, by)):
                began = time.time()
                for entry in entries:
                    if entry.key and entry.answer:
                        self._store.claim(entry.key, entry.record, entry.answer)
                self._store.write([(entry.record, entry.corrected) for entry in entries], timeout=FORWARD)
                self._journal.mark([(entry.sequence, began) for entry in entries])
                count += len(entries)
                if self._doubted.is_set():  # it is settled before the rest: that may be minutes' work
                    break
        if count:
            log.warning("%d queued answers are stored.", count)
        return count
