"""A request and what became of it: all that the log, the metrics and the traces tell."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from .timing import Timing
from .trace import Trace


@dataclass(eq=False)
class Exchange:
    """Made when a request comes, filled in while it is answered, told at its end.

    `route` and `outcome` are of metrics.py's; `path` is without the query, which may hold a file's name; `waited` are
    the seconds, which count, until there was a thread for it; `bytes_in` is the body's length; `timing` is of a
    picture's steps; `result_length` and `confidence` are of what was read, if anything was; `recorded` is what the
    answer says.
    """

    method: str
    path: str
    trace: Trace
    waited: float = 0.0
    route: str = "other"
    outcome: str = "ok"
    status: int = 0
    bytes_in: int = 0
    timing: Timing | None = None
    result_length: int | None = None
    confidence: float | None = None  # also None where there is no digit
    recorded: str | None = None
    seconds: float = 0.0
    began: int = field(default_factory=time.time_ns)  # by the clock …
    started: float = field(default_factory=time.perf_counter)  # … and by what never goes back

    def __post_init__(self) -> None:
        self.began -= round(self.waited * 1e9)
        self.started -= self.waited

    def read(self, result: str, confidence: float) -> None:
        """Keep the result's length, never itself."""
        self.result_length = len(result)
        self.confidence = confidence if re.search("[0-9]", result) else None

    def end(self, status: int) -> None:
        self.status = status
        self.seconds = time.perf_counter() - self.started

    @property
    def is_cold(self) -> bool:
        """Whether it is the process's first answer to a picture."""
        return self.timing is not None and self.timing.is_cold

    @property
    def steps(self) -> list[tuple[str, float]]:
        """A picture's, with their seconds."""
        return self.timing.steps if self.timing else []
