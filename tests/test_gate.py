"""At most so many at once, in the order in which they come, and nobody waits in vain."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from function.errors import Busy
from function.gate import CROWD, LEAST, SOON, WAITING, Gate


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


def refused_after(gate: Gate, waited: float = 0.0) -> float:
    """Seconds until one more is told to come back."""
    began = time.monotonic()
    with pytest.raises(Busy) as told:
        stay(gate, 0, waited)
    assert told.value.headers in [{"Retry-After": str(seconds)} for seconds in (1, 2, 3)]
    return time.monotonic() - began


def crowd(gate: Gate) -> None:
    """Somebody waited for a thread."""
    with pytest.raises(Busy):
        stay(gate, 0, waited=SOON + 0.1)


def test_a_few_who_come_together_all_enter_however_long_that_takes() -> None:
    gate = Gate(2)
    with ThreadPoolExecutor(8) as pool:
        stays = list(pool.map(lambda _: stay(gate, 0.5), range(8)))
    assert len(stays) == 8


def test_in_a_crowd_whoever_would_be_answered_late_is_told_so() -> None:
    gate = Gate(1)
    crowd(gate)
    with gate.passed(0):
        assert SOON - 0.1 < refused_after(gate) < SOON + 0.3
    stay(gate, 0)  # its place is not lost


def test_those_who_wait_already_are_told_so_too_once_there_is_a_crowd() -> None:
    gate = Gate(1)
    with gate.passed(0), ThreadPoolExecutor(1) as pool:
        patient = pool.submit(refused_after, gate)
        time.sleep(1.2)
        assert not patient.done()
        crowd(gate)
        assert 1 < patient.result(timeout=1) < 1.7


def test_many_who_wait_are_a_crowd() -> None:
    gate = Gate(1)
    with gate.passed(0), ThreadPoolExecutor(WAITING + 1) as pool:
        waits = [pool.submit(refused_after, gate) for _ in range(WAITING + 1)]
        assert all(SOON - 0.1 < wait.result() < SOON + 0.5 for wait in waits)


def test_whoever_has_waited_elsewhere_is_told_at_once_even_if_there_is_a_place() -> None:
    assert refused_after(Gate(1), waited=SOON + 0.1) < 0.1


def test_the_longer_a_stay_usually_takes_the_shorter_is_the_wait() -> None:
    gate = Gate(1)
    stay(gate, 0.5)
    crowd(gate)
    with gate.passed(0):
        assert LEAST < refused_after(gate) < SOON - 0.2


def test_what_always_takes_too_long_is_let_in_all_the_same() -> None:
    gate = Gate(1)
    stay(gate, SOON + 0.2)
    crowd(gate)
    stay(gate, 0, waited=LEAST / 2)


def test_a_crowd_is_forgotten_after_a_while() -> None:
    gate = Gate(1)
    crowd(gate)
    time.sleep(CROWD + 0.1)
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(lambda _: stay(gate, 1.2), range(2)))) == 2


def test_a_place_is_free_again_after_a_failure() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.passed(0):
            raise ZeroDivisionError
    stay(gate, 0)
