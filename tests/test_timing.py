"""Server-Timing: how long each step took, and whether this was a process's first answer."""

from __future__ import annotations

import itertools
import re
import time

import pytest

from function import timing
from function.timing import Timing

WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, 5.6.2
METRIC = rf"{WORD}(?:;{WORD}={WORD})*"


@pytest.fixture(autouse=True)
def _process_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_answers", itertools.count())


def durations(header: str) -> dict[str, float]:
    """By name, in milliseconds."""
    return {name: float(duration) for name, duration in re.findall(rf"({WORD});dur=([0-9.]+)", header)}


def test_each_step_is_told_in_its_order_as_the_specification_writes_it() -> None:
    answer = Timing()
    for step in ("decode", "locate", "record"):
        answer.done(step)
    header = answer.header()
    assert re.fullmatch(rf"{METRIC}(?:, {METRIC})*", header)
    assert [metric.partition(";")[0] for metric in header.split(", ")] == ["cold", "decode", "locate", "record"]


def test_a_step_lasts_in_milliseconds_from_the_end_of_the_one_before() -> None:
    answer = Timing()
    time.sleep(0.05)
    answer.done("slow")
    answer.done("quick")
    told = durations(answer.header())
    assert 50 <= told["slow"] < 5000
    assert told["quick"] < told["slow"]


def test_only_the_first_answer_of_a_process_is_cold() -> None:
    answers = [Timing() for _ in range(5)]
    assert [answer.header() for answer in answers] == ["cold", "", "", "", ""]


def test_steps_are_kept_with_their_seconds_for_those_who_count_them() -> None:
    first, second = Timing(), Timing()
    for step in ("decode", "record"):
        first.done(step)
    assert [step for step, _ in first.steps] == ["decode", "record"]
    header = durations(first.header())
    assert header == {step: pytest.approx(seconds * 1000, abs=0.005) for step, seconds in first.steps}
    assert (first.is_cold, second.is_cold, second.steps) == (True, False, [])
