"""What is kept of a request for the log, the metrics and the traces."""

from __future__ import annotations

import time

import pytest

from function.exchange import Exchange
from function.timing import Timing
from function.trace import take_up


@pytest.fixture
def exchange() -> Exchange:
    return Exchange("POST", "/", take_up({}))


@pytest.mark.parametrize(
    ("result", "confidence", "expected"),
    [("7", 0.75, 0.75), ("40 71\n?3", 0.5, 0.5), ("", 0.0, None), ("?", 0.9, None), ("? ?\n?", 0.9, None)],
)
def test_of_a_result_its_length_is_kept_and_its_confidence_where_there_is_a_digit(
    exchange: Exchange, result: str, confidence: float, expected: float | None
) -> None:
    exchange.read(result, confidence)
    assert (exchange.result_length, exchange.confidence) == (len(result), expected)
    assert result == "" or result not in vars(exchange).values()


def test_it_lasts_from_when_it_is_made_until_it_ends(exchange: Exchange) -> None:
    time.sleep(0.02)
    exchange.end(422)
    assert exchange.status == 422
    assert 0.02 <= exchange.seconds < 5
    assert abs(exchange.began - time.time_ns()) < 10e9


def test_what_is_no_picture_has_no_steps_and_starts_nothing(exchange: Exchange) -> None:
    assert (exchange.steps, exchange.is_cold) == ([], False)
    exchange.timing = Timing()
    exchange.timing.is_cold = True
    exchange.timing.done("decode")
    assert exchange.is_cold
    assert [step for step, _ in exchange.steps] == ["decode"]
