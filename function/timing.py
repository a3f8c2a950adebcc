"""How long each step of an answer took, as the header Server-Timing (W3C Server Timing)."""

from __future__ import annotations

import itertools
import time

_answers = itertools.count()  # of this process; next() on it is atomic


class Timing:
    """Starts when made; `done` ends a step and begins the next."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._steps: list[str] = ["cold"] if next(_answers) == 0 else []

    def done(self, step: str) -> None:
        now = time.perf_counter()
        self._steps.append(f"{step};dur={(now - self._last) * 1000:.2f}")
        self._last = now

    def header(self) -> str:
        return ", ".join(self._steps)
