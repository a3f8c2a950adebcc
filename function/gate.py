"""How many pictures are worked on at once, and who is told to come back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Busy

SOON = 0.8  # seconds from a request's arrival in which its picture should have been read …
LEAST = 0.2  # … and that it may wait for its turn, however long reading usually takes
WEIGHT = 0.1  # of the last picture in what is usual


class Gate:
    """Lets in `places` at once, in the order in which they come. Of more than can be read in time some are told so at
    once, rather than all answered late: those who wait would be answered when nobody waits any more."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[threading.Lock] = deque()  # each is released when its turn has come
        self._lock = threading.Lock()
        self._usual = 0.0  # seconds that one stays

    @contextmanager
    def passed(self, waited: float) -> Iterator[None]:
        """For one that has waited for so many seconds already. Raises `Busy`."""
        if not self._enter(max(LEAST, SOON - self._usual) - waited):
            raise Busy
        entered = time.perf_counter()
        try:
            yield
        finally:
            self._leave()
            self._usual += WEIGHT * (time.perf_counter() - entered - self._usual)

    def _enter(self, patience: float) -> bool:
        with self._lock:
            if patience <= 0:
                return False
            if self._free:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=patience):
            return True
        with self._lock:
            if turn not in self._waiting:  # it came at the last moment
                return True
            self._waiting.remove(turn)
            return False

    def _leave(self) -> None:
        """The place goes to whoever has waited longest. Were it free for a moment, a thread that has just answered
        could take it for its next request, before those who wait have woken up."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
