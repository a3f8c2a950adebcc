"""What is counted is right across processes, whatever becomes of them, and any of them tells all of it."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from timeit import repeat
from typing import Any

import httpx
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from function import metrics as counting
from function.exchange import Exchange
from function.metrics import BANDS, BUCKETS, STAGES, Metrics, slugs
from function.records import State
from function.timing import Timing
from function.trace import take_up
from tests.helpers import Service, digit_png, draw_digit, encode, running_function

MODEL = "digits_int8@0123456789ab"
UP = State(up=True)
Totals = dict[tuple[str, ...], float]


def parsed(text: str) -> Totals:
    """By the series' name and the values of its labels, in their order."""
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def told(metrics: Metrics, state: State | None = UP) -> Totals:
    return parsed(metrics.text(state, MODEL))


def requests(totals: Totals, *labels: str) -> float:
    return totals.get(("digit_reader_requests_total", *labels), 0)


def exchange(route: str = "picture", outcome: str = "stored", **more: Any) -> Exchange:
    return replace(Exchange("POST", "/", take_up({}), route=route, outcome=outcome, status=200), **more)


def timing(steps: dict[str, float], *, cold: bool = False) -> Timing:
    made = Timing()
    made.is_cold, made.steps = cold, list(steps.items())
    return made


# ── One process ───────────────────────────────────────────────────────────────────────────────────────────────
def test_requests_are_counted_by_route_and_outcome() -> None:
    metrics = Metrics()
    for outcome in ("stored", "stored", "too-large"):
        metrics.record(exchange(outcome=outcome))
    metrics.record(exchange("records", "ok"))
    totals = told(metrics)
    assert requests(totals, "picture", "stored") == 2
    assert requests(totals, "picture", "too-large") == 1
    assert requests(totals, "records", "ok") == 1
    assert sum(value for (name, *_), value in totals.items() if name == "digit_reader_requests_total") == 4


def test_routes_and_outcomes_that_nobody_knows_are_counted_as_others() -> None:
    metrics = Metrics()
    metrics.record(exchange("/etc/passwd", 'of\n"nowhere"'))
    assert requests(told(metrics), "other", "other") == 1


def test_all_that_can_be_expected_of_a_picture_is_there_from_the_start() -> None:
    """So that the rate of the first is not lost."""
    totals = told(Metrics())
    outcomes = {
        labels[1] for name, *labels in totals if name == "digit_reader_requests_total" if labels[0] == "picture"
    }
    assert outcomes == {"stored", "queued", "preview", "repeated", *slugs()}
    assert {"fault", "unavailable", "too-large", "not-a-picture", "unreadable", "busy"} <= outcomes
    assert not any(requests(totals, "picture", outcome) for outcome in outcomes)


@pytest.mark.parametrize(
    ("confidence", "band"),
    [
        (None, "none"), (0.0, "0-0.5"), (0.4999, "0-0.5"), (0.5, "0.5-0.8"), (0.8, "0.8-0.95"), (0.95, "0.95-1"),
        (1.0, "0.95-1"),
    ],
)  # fmt: skip
def test_results_are_counted_by_their_confidence(confidence: float | None, band: str) -> None:
    metrics = Metrics()
    metrics.record(exchange(confidence=confidence))
    totals = told(metrics)
    assert {name: totals["digit_reader_results_total", name] for name in BANDS} == {
        name: float(name == band) for name in BANDS
    }


@pytest.mark.parametrize("outcome", ["preview", "repeated", "unreadable"])
def test_what_is_not_recorded_is_no_result(outcome: str) -> None:
    metrics = Metrics()
    metrics.record(exchange(outcome=outcome, confidence=0.3))
    assert sum(value for (name, *_), value in told(metrics).items() if name == "digit_reader_results_total") == 0


def test_durations_are_in_the_buckets_that_they_belong_to() -> None:
    metrics = Metrics()
    durations = (0.0005, 0.001, 0.0011, 0.3, 99.0)
    for seconds in durations:
        metrics.record(exchange(seconds=seconds, timing=timing({"decode": seconds})))
    totals = told(metrics)
    for limit in BUCKETS:
        expected = sum(seconds <= limit for seconds in durations)
        assert totals["digit_reader_request_seconds_bucket", str(limit)] == expected
        assert totals["digit_reader_stage_seconds_bucket", "decode", str(limit)] == expected
    assert totals["digit_reader_request_seconds_bucket", "+Inf"] == len(durations)
    assert totals["digit_reader_request_seconds_count",] == len(durations)
    assert totals["digit_reader_request_seconds_sum",] == pytest.approx(sum(durations))
    assert totals["digit_reader_stage_seconds_count", "decode"] == len(durations)
    assert totals["digit_reader_stage_seconds_count", "locate"] == 0


def test_a_picture_that_is_refused_makes_answers_no_faster() -> None:
    metrics = Metrics()
    metrics.record(exchange(outcome="busy", seconds=0.5))
    metrics.record(exchange("records", "ok", seconds=0.5))
    assert told(metrics)["digit_reader_request_seconds_count",] == 0


def test_cold_starts_are_the_first_answers_of_processes() -> None:
    metrics = Metrics()
    for cold in (True, False, False):
        metrics.record(exchange(timing=timing({}, cold=cold)))
    assert told(metrics)["digit_reader_cold_starts_total",] == 1


@pytest.mark.parametrize(
    ("state", "ready", "up"), [(State(up=True), 1, 1), (State(up=False, reason="gone"), 1, 0), (None, 0, 0)]
)
def test_the_stores_state_is_told_even_when_nothing_can_be_recorded(state: State | None, ready: int, up: int) -> None:
    totals = told(Metrics(), state)
    assert (totals["digit_reader_ready",], totals["digit_reader_store_up",]) == (ready, up)
    assert (("digit_reader_journal_entries",) in totals) == bool(ready)


def test_what_waits_in_the_journal_is_told() -> None:
    totals = told(Metrics(), State(up=False, reason="gone", queued=7, oldest=12.3456789))
    assert totals["digit_reader_journal_entries",] == 7
    assert totals["digit_reader_journal_oldest_seconds",] == pytest.approx(12.345679)


def test_the_model_is_named_whatever_its_file_is_called() -> None:
    odd = 'a "model"\\n of\n two lines'
    assert parsed(Metrics().text(UP, odd))["digit_reader_info", odd] == 1


def test_prometheus_has_nothing_to_find_fault_with() -> None:
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not here (Debian's package prometheus)")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=Metrics().text(UP, MODEL), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_request_is_counted_in_less_than_30_microseconds() -> None:
    metrics = Metrics()
    whole = exchange(seconds=0.01, confidence=0.9, timing=timing(dict.fromkeys(STAGES, 0.001)))
    assert min(repeat(lambda: metrics.record(whole), number=100, repeat=50)) / 100 < 30e-6


# ── Several ───────────────────────────────────────────────────────────────────────────────────────────────────
def forked(work: Callable[..., None], *arguments: object) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    return process


def count(metrics: Metrics, route: str, times: int) -> None:
    for _ in range(times):
        metrics.record(exchange(route, "ok", timing=timing({"decode": 0.25})))


def count_for_ever(metrics: Metrics, counted: mmap.mmap) -> None:
    """Tells in `counted` how many are."""
    for number in range(1, 2**62):
        metrics.record(exchange("page", "ok"))
        counted[:8] = number.to_bytes(8, "big")


def kill(process: BaseProcess) -> None:
    process.kill()
    process.join(10)
    assert process.exitcode == -signal.SIGKILL


def test_nothing_is_lost_that_processes_and_threads_count_at_once() -> None:
    metrics, each = Metrics(), 3000
    processes = [forked(count, metrics, route, each) for route in ("records", "records", "record", "health")]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: count(metrics, "records", 500), range(4)))
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    totals = told(metrics)
    assert requests(totals, "records", "ok") == 2 * each + 4 * 500
    assert requests(totals, "record", "ok") == requests(totals, "health", "ok") == each
    assert totals["digit_reader_stage_seconds_count", "decode"] == 4 * each + 4 * 500
    assert totals["digit_reader_stage_seconds_sum", "decode"] == (4 * each + 4 * 500) * 0.25


@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.1])
def test_what_a_killed_process_has_counted_stays_and_stops_nobody(seconds: float) -> None:
    """Wherever it is killed, be it in the middle of a request or with its locks in hand."""
    metrics, counted, each = Metrics(), mmap.mmap(-1, 8), 2000
    others = [forked(count, metrics, "records", each) for _ in range(2)]
    victim = forked(count_for_ever, metrics, counted)
    while not any(counted[:8]):
        time.sleep(0.001)
    time.sleep(seconds)
    kill(victim)
    for process in others:
        process.join(60)
        assert process.exitcode == 0
    certain = int.from_bytes(counted[:8], "big")
    first = told(metrics)
    assert certain <= requests(first, "page", "ok") <= certain + 1
    assert requests(first, "records", "ok") == 2 * each

    heir = forked(count, metrics, "page", 10)
    heir.join(60)
    assert requests(told(metrics), "page", "ok") == requests(first, "page", "ok") + 10


def test_a_process_that_is_stopped_holds_up_nobody() -> None:
    metrics, counted = Metrics(), mmap.mmap(-1, 8)
    victim = forked(count_for_ever, metrics, counted)
    try:
        for _ in range(20):
            assert victim.pid
            time.sleep(0.005)
            os.kill(victim.pid, signal.SIGSTOP)
            other = forked(count, metrics, "records", 10)
            other.join(10)
            assert other.exitcode == 0
            os.kill(victim.pid, signal.SIGCONT)
    finally:
        kill(victim)
    assert requests(told(metrics), "records", "ok") == 200


def test_those_who_come_after_dead_ones_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PROCESSES", 3)
    metrics = Metrics()
    for _ in range(12):
        process = forked(count, metrics, "records", 5)
        process.join(30)
        assert process.exitcode == 0
    assert requests(told(metrics), "records", "ok") == 60
    assert list(metrics._used) == [1, 0, 0]


def test_more_processes_than_there_are_rows_for_are_served_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PROCESSES", 1)
    metrics = Metrics()
    metrics.record(exchange("records", "ok"))
    process = forked(count, metrics, "records", 5)
    process.join(30)
    assert process.exitcode == 0
    assert requests(told(metrics), "records", "ok") == 6


# ── The function ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_function(tmp_path_factory.mktemp("several"), {"WORKERS": "3"}) as running:
        yield running


def scraped(service: Service) -> Totals:
    answer = httpx.get(f"{service.url}/metrics", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(answer.text)


def workers(service: Service) -> list[int]:
    main = service.process.pid
    return [int(child) for child in Path(f"/proc/{main}/task/{main}/children").read_text().split()]


def post_each_over_its_own_connection(service: Service, pictures: list[bytes], query: str = "") -> list[httpx.Response]:
    """So that each worker gets some."""
    with ThreadPoolExecutor(4) as clients:
        return list(clients.map(lambda data: httpx.post(f"{service.url}/{query}", content=data, timeout=60), pictures))


def test_whichever_worker_is_asked_tells_what_all_have_done(several: Service) -> None:
    before, number = scraped(several), 60
    answers = post_each_over_its_own_connection(several, [digit_png(digit % 10) for digit in range(number)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == number
    scrapes = [scraped(several) for _ in range(20)]
    for totals in scrapes:
        assert requests(totals, "picture", "stored") - requests(before, "picture", "stored") == number
        results = sum(totals["digit_reader_results_total", band] for band in BANDS)
        assert results == totals["digit_reader_request_seconds_count",]
    scrape_counts = [requests(totals, "metrics", "ok") for totals in scrapes]
    assert scrape_counts == sorted(set(scrape_counts))


def test_counters_never_go_back_when_workers_are_killed(several: Service) -> None:
    post_each_over_its_own_connection(several, [digit_png(1)] * 12)
    before, dead = scraped(several), workers(several)
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while set(dead) & set(workers(several)) or len(workers(several)) < len(dead):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    after = scraped(several)
    counters = {series for series in before if series[0].endswith(("_total", "_bucket", "_count", "_sum"))}
    assert {series for series in counters if after[series] < before[series]} == set()
    post_each_over_its_own_connection(several, [digit_png(1)] * 12)
    later = scraped(several)
    assert requests(later, "picture", "stored") == requests(after, "picture", "stored") + 12
    cold = ("digit_reader_cold_starts_total",)
    assert before[cold] < later[cold] <= before[cold] + len(dead)


def test_each_way_that_a_request_can_end_has_its_outcome(tmp_path: Path) -> None:
    with running_function(tmp_path, {"MAX_UPLOAD_BYTES": "100000", "FRONTEND_DIR": str(tmp_path)}) as service:
        url, seven, key = service.url, digit_png(7), {"Idempotency-Key": "once"}
        record = httpx.post(url, content=seven, headers=key).json()["id"]
        httpx.post(url, content=seven, headers=key)
        httpx.post(f"{url}/?record=false", content=seven)
        httpx.post(url, content=encode(Image.new("RGB", (200, 200), "white")))
        httpx.post(url, content=b"no picture")
        httpx.post(url, content=encode(draw_digit(7), "JPEG")[:400])
        httpx.post(url, content=bytes(200_000))
        httpx.post(f"{url}/?expect=everything", content=seven)
        httpx.get(f"{url}/records")
        httpx.get(f"{url}/records/{record}")
        httpx.get(f"{url}/records/00000000-0000-1000-8000-000000000000")
        httpx.put(f"{url}/records/{record}/correction", json={"result": "1"})
        httpx.delete(f"{url}/records/{record}/correction")
        httpx.get(f"{url}/openapi.json")
        httpx.get(f"{url}/nothing/here")
        httpx.get(f"{url}/favicon.ico")
        httpx.request("DELETE", f"{url}/records")
        totals = scraped(service)
    counted = {
        name[1:]: number for name, number in totals.items() if name[0] == "digit_reader_requests_total" and number
    }
    assert counted.pop(("health", "ok")) >= 1
    assert counted == {
        ("picture", "stored"): 2, ("picture", "repeated"): 1, ("picture", "preview"): 1,
        ("picture", "not-a-picture"): 1, ("picture", "unreadable"): 1, ("picture", "too-large"): 1,
        ("picture", "bad-request"): 1, ("records", "ok"): 1, ("record", "ok"): 1, ("record", "not-found"): 1,
        ("correction", "ok"): 2, ("openapi", "ok"): 1, ("other", "not-found"): 2, ("other", "method-not-allowed"): 1,
    }  # fmt: skip
    assert totals["digit_reader_results_total", "none"] == 1
    assert sum(totals["digit_reader_results_total", band] for band in BANDS) == 2


def test_metrics_are_told_when_nothing_can_be_recorded(tmp_path: Path) -> None:
    nowhere = {"RECORDS_URL": f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'records.db'}"}
    with running_function(tmp_path, nowhere) as service:
        assert httpx.post(service.url, content=digit_png(5), timeout=30).status_code == 503
        totals = scraped(service)
    assert requests(totals, "picture", "unavailable") == 1
    assert (totals["digit_reader_ready",], totals["digit_reader_store_up",]) == (0, 0)
