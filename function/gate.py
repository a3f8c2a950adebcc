"""How many pictures are worked on at once, and who is told to come back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Busy

SOON = 0.8  # seconds from a request's arrival in which, in a crowd, its picture should have been read …
LEAST = 0.2  # … and that it may wait at least, however long reading usually takes
PATIENCE = 60.0  # seconds that it may wait where there is no crowd
QUEUED = 0.1  # seconds: whoever waited so long for a thread tells of a crowd …
WAITING = 8  # … as do more than so many who wait here …
CROWD = 1.0  # … for so many seconds
LOOK = 0.05  # seconds after which those who wait look whether there is a crowd
WEIGHT = 0.1  # of the last picture in what is usual


class Gate:
    """Lets in `places` at once, in the order in which they come. A few who come together all wait for their turn. In a
    crowd, whoever could not be answered soon is told so: else all would be answered late, as many as they are."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[threading.Lock] = deque()  # each is released when its turn has come
        self._lock = threading.Lock()
        self._usual = 0.0  # seconds that one stays
        self._crowd = -CROWD  # when there last was one

    def turn_away_the_late(self, waited: float) -> None:
        """Raises `Busy` for one that has waited for a thread for too long already, before anything is done for it."""
        with self._lock:
            self._watch(waited)
            if waited > self._patience():
                raise Busy

    @contextmanager
    def passed(self, waited: float) -> Iterator[None]:
        """For one that has waited for so many seconds for a thread. Raises `Busy`."""
        if not self._enter(waited):
            raise Busy
        entered = time.monotonic()
        try:
            yield
        finally:
            self._leave()
            stayed = time.monotonic() - entered
            self._usual += (WEIGHT if self._usual else 1.0) * (stayed - self._usual)

    def _enter(self, waited: float) -> bool:
        came = time.monotonic() - waited
        with self._lock:
            self._watch(waited)
            if waited > self._patience():
                return False
            if self._free:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        while not turn.acquire(timeout=LOOK):
            if time.monotonic() - came > self._patience() and self._gives_up(turn):
                return False
        return True

    def _watch(self, waited: float) -> None:
        if waited > QUEUED or len(self._waiting) >= WAITING:
            self._crowd = time.monotonic()

    def _patience(self) -> float:
        is_crowded = time.monotonic() - self._crowd < CROWD
        return max(LEAST, SOON - self._usual) if is_crowded else PATIENCE

    def _gives_up(self, turn: threading.Lock) -> bool:
        with self._lock:
            if turn not in self._waiting:  # it has come at the last moment
                return False
            self._waiting.remove(turn)
            return True

    def _leave(self) -> None:
        """The place goes to whoever has waited longest. Were it free for a moment, a thread that has just answered
        could take it for its next request, before those who wait have woken up."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
