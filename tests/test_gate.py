"""At most so many at once, in the order in which they come, and nobody waits in vain."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from function.errors import Busy
from function.gate import LEAST, SOON, Gate


def stay(gate: Gate, seconds: float, waited: float = 0.0) -> tuple[float, float]:
    """When it entered, and when it left."""
    with gate.passed(waited):
        entered = time.monotonic()
        time.sleep(seconds)
        return entered, time.monotonic()


@pytest.mark.parametrize("places", [1, 2, 5])
def test_never_more_are_in_than_there_are_places(places: int) -> None:
    gate = Gate(places)
    with ThreadPoolExecutor(20) as pool:
        stays = list(pool.map(lambda _: stay(gate, 0.01), range(40)))
    inside = [sum(entered <= moment < left for entered, left in stays) for moment, _ in stays]
    assert max(inside) == places


def test_those_who_wait_enter_in_the_order_in_which_they_came() -> None:
    gate, order = Gate(1), []

    def enter(number: int) -> None:
        with gate.passed(0):
            order.append(number)

    with ExitStack() as inside:
        inside.enter_context(gate.passed(0))
        threads = [threading.Thread(target=enter, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert order == list(range(10))


def test_whoever_would_be_answered_late_is_told_so_in_time() -> None:
    gate = Gate(1)
    with gate.passed(0):
        began = time.monotonic()
        with pytest.raises(Busy) as told:
            stay(gate, 0)
        assert SOON - 0.1 < time.monotonic() - began < SOON + 0.2
    assert told.value.headers == {"Retry-After": "1"}
    stay(gate, 0)  # its place is not lost


def test_whoever_has_waited_elsewhere_is_told_at_once_even_if_there_is_a_place() -> None:
    with pytest.raises(Busy):
        stay(Gate(1), 0, waited=SOON)


def test_the_longer_a_stay_usually_takes_the_shorter_is_the_wait() -> None:
    gate = Gate(1)
    for _ in range(5):
        stay(gate, 0.5)
    with gate.passed(0):
        began = time.monotonic()
        with pytest.raises(Busy):
            stay(gate, 0)
        assert LEAST - 0.05 < time.monotonic() - began < SOON - 0.1


def test_what_always_takes_too_long_is_let_in_all_the_same_where_nobody_waits() -> None:
    gate = Gate(1)
    for _ in range(20):
        stay(gate, 0.06)
        gate._usual = 10.0
    stay(gate, 0)


def test_a_place_is_free_again_after_a_failure() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.passed(0):
            raise ZeroDivisionError
    stay(gate, 0)
