"""Page, function and Cassandra under docker compose: in any order, several functions, and what befalls them."""

from __future__ import annotations

import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import permutations

import httpx
import pytest

from tests.conftest import Table
from tests.containers.engine import Compose, docker, until
from tests.helpers import digit_png

SERVICES = ("cassandra", "function", "nginx")
TOTAL = 20 * 1024 * 1024


# ── Load ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Load:
    """What clients got who post pictures one after the other: ids of answers by their keys, and the rest by status."""

    ids: dict[str, str] = field(default_factory=dict)
    failures: Counter[object] = field(default_factory=Counter)
    unanswered: list[str] = field(default_factory=list)


@contextmanager
def under_load(system: Compose, *, tries: int, clients: int = 4) -> Iterator[Load]:
    """Each client asks again with the same key, at most `tries` times, after an error that says that this may help."""
    load, ending, picture = Load(), threading.Event(), {"image": ("7.png", digit_png(7))}

    def ask(http: httpx.Client, key: str) -> None:
        for _ in range(tries):
            try:
                answer = http.post(f"{system.url}/api/", files=picture, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                load.failures[type(error).__name__] += 1
                time.sleep(1)
                continue
            if answer.status_code == 200:
                load.ids[key] = answer.json()["id"]
                return
            load.failures[answer.status_code] += 1
            time.sleep(float(answer.headers["Retry-After"]))
        load.unanswered.append(key)

    def work() -> None:
        with httpx.Client(timeout=60) as http:
            while not ending.is_set():
                ask(http, uuid.uuid4().hex)

    with ThreadPoolExecutor(clients) as pool:
        working = [pool.submit(work) for _ in range(clients)]
        try:
            yield load
        finally:
            ending.set()
        for client in working:
            client.result()


def check_that_all_is_recorded_once(system: Compose, load: Load, tables: list[Table], what: str) -> None:
    system.wait_until_nothing_waits()
    recorded = Counter(system.recorded())
    missing = set(load.ids.values()) - set(recorded)
    # An answer that was broken off may have been recorded; then its key gives it, and it is one of those above.
    twice = [one for one, times in recorded.items() if times > 1]
    others = set(recorded) - set(load.ids.values())
    title = "Containers under load"
    table = next((table for table in tables if table.title == title), None)
    if table is None:
        columns = ("what happens", "answers", "errors before", "never answered", "missing", "twice", "of no answer")
        tables.append(table := Table(title, columns))
    errors = sum(load.failures.values())
    table.add(what, len(load.ids), errors, len(load.unanswered), len(missing), len(twice), len(others))
    assert (load.unanswered, missing, twice) == ([], set(), [])
    assert len(load.ids) > 50


# ── Starting ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_first_answer_is_there_within_ten_seconds(system: Compose, tables: list[Table]) -> None:
    began = time.monotonic()
    system.up()
    answer = system.wait_for_answer()
    answered = time.monotonic() - began
    page = httpx.get(system.url)
    assert "text/html" in page.headers["Content-Type"]
    assert answer.json()["result"] == "7"
    system.wait_until_nothing_waits()
    stored = time.monotonic() - began
    assert system.recorded() == [answer.json()["id"]]
    assert "9.png |      7" in system.cql("select time, filename, result from mnistkeyspace.predictrecord")
    table = Table("Containers: seconds after `up`", ("first answer", "it is in Cassandra's table"))
    table.add(f"{answered:.1f}", f"{stored:.1f}")
    tables.append(table)
    assert answered < 10


@pytest.mark.parametrize("order", list(permutations(SERVICES)), ids="-".join)
def test_services_start_in_any_order(order: tuple[str, ...], system: Compose) -> None:
    for service in order:
        system.up("--no-deps", service)
        time.sleep(2)
    answer = system.wait_for_answer()
    system.wait_until_nothing_waits()
    assert answer.json()["id"] in system.recorded()


def test_the_page_is_there_without_the_function_and_says_so(system: Compose) -> None:
    system.up("--no-deps", "nginx")
    until(lambda: httpx.get(system.url).status_code == 200, lambda: system("logs"))
    answer = system.read()
    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "application/problem+json"
    system.up("--no-deps", "function")
    began = time.monotonic()
    assert system.wait_for_answer().json()["recorded"] == "queued"
    assert time.monotonic() - began < 10


# ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────
def kill_one(system: Compose) -> None:
    docker("kill", system("ps", "--quiet", "function").split()[0])


def scale(system: Compose, count: int) -> None:
    system.up("--no-deps", "--no-recreate", "--scale", f"function={count}", "function")


def come_and_go(system: Compose) -> None:
    for count in (1, 3, 2, 3):
        scale(system, count)
        time.sleep(2)


FAULTS: dict[str, tuple[Callable[[Compose], object], int]] = {
    "one function of three is killed": (kill_one, 1),
    "two functions of three end": (lambda system: scale(system, 1), 1),
    "functions come and go": (come_and_go, 1),
    "all functions start anew": (lambda system: system("restart", "function"), 30),
    "Cassandra starts anew": (lambda system: system("restart", "cassandra"), 1),
    "nginx starts anew": (lambda system: system("restart", "nginx"), 30),
}


@pytest.mark.parametrize("what", FAULTS)
def test_no_answer_fails_and_no_record_is_lost(what: str, system: Compose, tables: list[Table]) -> None:
    """Where a function is left, nginx goes to it by itself, and no client has to ask twice."""
    happens, tries = FAULTS[what]
    system.up("--scale", "function=3")
    system.wait_until_nothing_waits()
    time.sleep(2)  # nginx knows all three
    with under_load(system, tries=tries) as load:
        time.sleep(3)
        happens(system)
        time.sleep(5)
    check_that_all_is_recorded_once(system, load, tables, what)


def test_several_functions_share_the_work(system: Compose) -> None:
    system.up("--scale", "function=3")
    system.wait_for_answer()
    time.sleep(2)
    for _ in range(60):
        assert system.read().status_code == 200
    functions = system("ps", "--quiet", "function").split()
    shares = [docker("logs", function).count("POST") for function in functions]
    assert len(shares) == 3
    assert min(shares) >= 5


# ── nginx ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_one_limit_holds_for_a_picture_all_the_way(system: Compose) -> None:
    system.up("--no-deps", "function", "nginx")
    system.wait_for_answer()
    for size, status in ((TOTAL, 415), (TOTAL + 1, 413), (TOTAL + 100_000, 413)):
        answer = httpx.post(f"{system.url}/api/", files={"image": ("big.bin", bytes(size))}, timeout=60)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_who_asks_too_often_is_told_so_and_others_who_wait_for_answers_are_not(system: Compose) -> None:
    system.up("--no-deps", "function", "nginx")
    system.wait_for_answer()

    # A client of its own for each: what many threads share may be closed under one of them. The certificates, which
    # nobody needs here, are read once: that takes so long that 400 would not be too often.
    certificates = ssl.create_default_context()

    def ask(_: int) -> httpx.Response:
        return httpx.get(f"{system.url}/api/health/live", verify=certificates, timeout=60)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(400)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert refused[0].headers["Content-Type"] == "application/problem+json"
    assert refused[0].json()["title"] == "Too many requests"
    assert int(refused[0].headers["Retry-After"]) >= 1
    time.sleep(2)
    with ThreadPoolExecutor(10) as pool:
        assert {answer.status_code for answer in pool.map(ask, range(150))} == {200}


# ── Variants ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_of_three_nodes_one_can_be_lost(cluster: Compose, tables: list[Table]) -> None:
    cluster.up()

    def all_three_are_up() -> bool:
        return cluster("exec", "-T", "cassandra", "nodetool", "status").count("UN ") == 3

    until(all_three_are_up, lambda: cluster("logs", "--tail", "30"), 240)
    cluster.wait_until_nothing_waits()
    with under_load(cluster, tries=1) as load:
        time.sleep(3)
        docker("kill", cluster("ps", "--quiet", "cassandra3"))
        time.sleep(15)
    check_that_all_is_recorded_once(cluster, load, tables, "one Cassandra node of three is killed")
    assert cluster.read().json()["recorded"] == "stored"


def test_with_a_password_and_tls(secure: Compose) -> None:
    secure.up()
    answer = secure.wait_for_answer()
    secure.wait_until_nothing_waits()
    people = ("--ssl", "-u", "cassandra", "-p", "of people", "cassandra")
    tls = ("-e", "SSL_CERTFILE=/certificate/ca.pem")
    assert secure.recorded(options=tls, user=people) == [answer.json()["id"]]
    for refused, how in (
        ((), "Connection error"),  # no TLS
        (("--ssl", "-u", "cassandra", "-p", "cassandra", "cassandra"), "Bad credentials"),
    ):
        with pytest.raises(AssertionError, match=how):
            secure.cql("describe cluster", options=tls, user=refused)
    function = ("--ssl", "-u", "reader", "-p", 'of "the" func$ion', "cassandra")
    with pytest.raises(AssertionError, match="Unauthorized"):
        secure.cql("drop table mnistkeyspace.predictrecord", options=tls, user=function)
