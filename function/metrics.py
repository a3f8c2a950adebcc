"""What the function does, counted right across its processes, in Prometheus's text format."""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

import numpy as np

from .errors import Problem
from .exchange import Exchange
from .records import State

PREFIX = "digit_reader_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PROCESSES = 256  # at once that count for themselves; more would share the last one's row, and could lose a count
ROUTES = ("picture", "records", "record", "correction", "health", "metrics", "openapi", "page", "inference", "other")
RECORDED = ("stored", "queued")
READ = (*RECORDED, "preview")  # outcomes of a picture that was read
STAGES = ("lookup", "upload", "decode", "wait", "locate", "classify", "closer", "record")
LIMITS = (0.5, 0.8, 0.95)  # of confidence; each begins a band
BANDS = ("none", "0-0.5", "0.5-0.8", "0.8-0.95", "0.95-1")
BUCKETS = (
    *(0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05),  # most answers take 5 to 20 ms
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)  # seconds; what takes just as long is in it

Name = tuple[str, ...]
Labels = dict[str, str]
Sample = tuple[str, Labels, float]  # what comes after the family's name, and the value


def slugs(problem: type[Problem] = Problem) -> set[str]:
    """Of all that can be wrong with a request."""
    return {problem.slug}.union(*map(slugs, problem.__subclasses__()))


class Metrics:
    """Made before the fork. Each process counts in a row of its own of memory that all share: none waits for another,
    and what a process counted stays when it dies. The sum of all rows is told.

    A process has a row by a lock on one byte of a file, which the kernel takes back when it ends, however it ends; the
    next process then goes on counting in that row.
    """

    def __init__(self) -> None:
        self._outcomes = ("ok", *READ, "repeated", *sorted(slugs()), "other")
        counters: list[Name] = [("requests", route, outcome) for route in ROUTES for outcome in self._outcomes]
        counters += [("results", band) for band in BANDS]
        counters += [("cold starts",)]
        self._counters = {name: place for place, name in enumerate(counters)}
        each = len(BUCKETS) + 2  # how many were slower still, and the sum
        self._histograms = {name: len(counters) + each * place for place, name in enumerate(("request", *STAGES))}
        self._size = len(counters) + each * len(self._histograms)
        self._shared = mmap.mmap(-1, 8 * PROCESSES * (1 + self._size))  # zeros, of which only what is used takes memory
        self._used = memoryview(self._shared).cast("d")[:PROCESSES]
        self._rows = memoryview(self._shared).cast("d")[PROCESSES:]
        with tempfile.TemporaryFile() as empty:
            self._locks = os.dup(empty.fileno())  # for as long as the process
        self._lock = threading.Lock()
        self._process = 0
        self._row = self._rows[:0]

    # ── Count ─────────────────────────────────────────────────────────────────────────────────────────────────
    def record(self, exchange: Exchange) -> None:
        """Count a request that has been answered."""
        route = exchange.route if exchange.route in ROUTES else "other"
        outcome = exchange.outcome if exchange.outcome in self._outcomes else "other"
        with self._lock:
            self._take_row()
            self._count("requests", route, outcome)
            if exchange.is_cold:
                self._count("cold starts")
            if route == "picture" and outcome in READ:
                self._observe("request", exchange.seconds)
                if outcome in RECORDED:  # a preview is of what is only half drawn
                    self._count("results", band(exchange.confidence))
            for stage, seconds in exchange.steps:
                if stage in STAGES:
                    self._observe(stage, seconds)

    def _count(self, *name: str) -> None:
        self._row[self._counters[name]] += 1

    def _observe(self, name: str, seconds: float) -> None:
        first = self._histograms[name]
        self._row[first + bisect_left(BUCKETS, seconds)] += 1
        self._row[first + len(BUCKETS) + 1] += seconds

    def _take_row(self) -> None:
        """Once in each process."""
        if self._process == os.getpid():
            return
        for row in range(PROCESSES):
            try:
                fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
                break
            except OSError:  # a living process has it
                continue
        self._used[row] = 1
        self._row = self._rows[row * self._size : (row + 1) * self._size]
        self._process = os.getpid()

    # ── Tell ──────────────────────────────────────────────────────────────────────────────────────────────────
    def text(self, state: State | None, model: str) -> str:
        """All of it, and how the records' store is; `state` is None where nothing can be recorded at all."""
        return "".join(line + "\n" for line in self._lines(state, model))

    def _lines(self, state: State | None, model: str) -> Iterator[str]:
        totals = self._totals()
        yield from family("info", "gauge", "The model that reads.", [("", {"model": model}, 1)])
        yield from family("requests_total", "counter", "Requests by what became of them.", self._requests(totals))
        yield from family(
            "request_seconds", "histogram", "How long the answers took to pictures that were read.",
            histogram(totals[self._histograms["request"] :], {}),
        )  # fmt: skip
        yield from family(
            "stage_seconds", "histogram", "How long each stage of them took.",
            (one for stage in STAGES for one in histogram(totals[self._histograms[stage] :], {"stage": stage})),
        )  # fmt: skip
        yield from family(
            "results_total", "counter", "Recorded answers by their confidence; none where there is no digit.",
            (("", {"confidence": name}, totals[self._counters["results", name]]) for name in BANDS),
        )  # fmt: skip
        yield from family(
            "cold_starts_total", "counter", "Processes that have answered their first picture.",
            [("", {}, totals[self._counters["cold starts",]])],
        )  # fmt: skip
        yield from store_lines(state)

    def _totals(self) -> list[float]:
        used, rows = np.split(np.frombuffer(self._shared), [PROCESSES])
        totals: list[float] = rows.reshape(PROCESSES, self._size)[used > 0].sum(axis=0).tolist()
        return totals

    def _requests(self, totals: list[float]) -> Iterator[Sample]:
        """Those that there have been, and those that can be expected: a rate needs a zero to begin with."""
        for route in ROUTES:
            expected = {"fault", *({*self._outcomes} - {"ok", "other"} if route == "picture" else ("ok",))}
            for outcome in self._outcomes:
                count = totals[self._counters["requests", route, outcome]]
                if count or outcome in expected:
                    yield "", {"route": route, "outcome": outcome}, count


def band(confidence: float | None) -> str:
    return BANDS[0 if confidence is None else 1 + bisect_right(LIMITS, confidence)]


def store_lines(state: State | None) -> Iterator[str]:
    yield from family("ready", "gauge", "Whether a picture could be recorded now.", [("", {}, state is not None)])
    up = state is not None and state.up
    yield from family("store_up", "gauge", "Whether the database takes records itself.", [("", {}, up)])
    if state is not None:
        yield from family(
            "journal_entries", "gauge", "Answers that wait in the journal for the database.", [("", {}, state.queued)]
        )
        yield from family(
            "journal_oldest_seconds", "gauge", "How long the oldest of them has waited.", [("", {}, state.oldest)]
        )


def histogram(numbers: list[float], labels: Labels) -> Iterator[Sample]:
    """Of numbers that begin with those of each bucket and of what is beyond them, and their sum."""
    cumulative = list(accumulate(numbers[: len(BUCKETS) + 1]))
    for limit, count in zip((*map(str, BUCKETS), "+Inf"), cumulative, strict=True):
        yield "_bucket", {**labels, "le": limit}, count
    yield "_sum", labels, numbers[len(BUCKETS) + 1]
    yield "_count", labels, cumulative[-1]


def family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """In Prometheus's text format, version 0.0.4."""
    yield f"# HELP {PREFIX}{name} {text}"
    yield f"# TYPE {PREFIX}{name} {kind}"
    for suffix, labels, value in samples:
        pairs = ",".join(f'{label}="{escaped(content)}"' for label, content in labels.items())
        yield (
            f"{PREFIX}{name}{suffix}{{{pairs}}} {number(value)}" if pairs else f"{PREFIX}{name}{suffix} {number(value)}"
        )


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
