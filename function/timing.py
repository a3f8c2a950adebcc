"""How long each step of an answer took, as the header Server-Timing (W3C Server Timing)."""

from __future__ import annotations

import itertools
import time

_answers = itertools.count()  # of this process; next() on it is atomic


class Timing:
    """Starts when made; `done` ends a step and begins the next. `is_cold`: it is for a process's first answer."""

    def __init__(self) -> None:
        self.started = self._last = time.perf_counter()
        self.is_cold = next(_answers) == 0
        self.steps: list[tuple[str, float]] = []  # in their order, with their seconds

    def done(self, step: str) -> None:
        now = time.perf_counter()
        self.steps.append((step, now - self._last))
        self._last = now

    def header(self) -> str:
        durations = (f"{step};dur={seconds * 1000:.2f}" for step, seconds in self.steps)
        return ", ".join(["cold", *durations] if self.is_cold else durations)
