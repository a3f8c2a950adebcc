"""The log: a line for each request that tells what became of it, and nothing that is nobody's business."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import pytest

from function import log
from function.decode import decode
from function.errors import Unreadable
from function.exchange import Exchange
from function.settings import read_settings
from function.timing import Timing
from function.trace import take_up
from tests.helpers import ROOT, Service, digit_png, free_port, running_function

OURS = logging.getLogger("function.anything")
OTHERS = logging.getLogger("some.library")
FORGED = 'x\n{"severity": "INFO", "message": "all is well"}\r\x1b[2J\u202e\u2028\x85'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_is_restored() -> Iterator[None]:
    root, gunicorn = logging.getLogger(), logging.getLogger("gunicorn.error")
    before, level, filters = root.handlers[:], root.level, gunicorn.filters[:]
    yield
    root.handlers[:], gunicorn.filters[:] = before, filters
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True


@contextmanager
def written_to(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, project: str = "") -> Iterator[io.StringIO]:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stream)
        log.configure(project)
    yield stream


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    with written_to(io.StringIO(), monkeypatch) as stream:
        yield stream


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    with written_to(Terminal(), monkeypatch) as stream:
        yield stream


def objects(text: str) -> list[dict[str, Any]]:
    """Each line is one, and there is nothing else."""
    return [json.loads(line) for line in text.splitlines()]


def only(stream: io.StringIO) -> dict[str, Any]:
    (line,) = objects(stream.getvalue())
    return line


def exchange(**more: Any) -> Exchange:
    made = Exchange("POST", "/", take_up({}), route="picture", outcome="stored", timing=Timing(), recorded="stored")
    return replace(made, status=200, seconds=0.0123456, **more)


# ── A line ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_line_is_json_with_the_names_that_cloud_logging_knows(lines: io.StringIO) -> None:
    OURS.warning("%d answers wait.", 3)
    line = only(lines)
    assert (line["severity"], line["message"], line["logger"]) == ("WARNING", "3 answers wait.", OURS.name)
    assert line["time"].endswith("Z")
    assert abs(datetime.fromisoformat(line["time"]) - datetime.now(UTC)) < timedelta(seconds=5)
    assert line["process"] == os.getpid()


def test_ours_is_told_from_the_least_on_and_of_others_what_matters(lines: io.StringIO) -> None:
    for logger in (OURS, OTHERS):
        logger.debug("a trifle of %s", logger.name)
        logger.info("information of %s", logger.name)
        logger.error("trouble of %s", logger.name)
    told = [(line["severity"], line["logger"]) for line in objects(lines.getvalue())]
    assert told == [("DEBUG", OURS.name), ("INFO", OURS.name), ("ERROR", OURS.name), ("ERROR", OTHERS.name)]


def test_the_frameworks_package_is_not_taken_for_ours(lines: io.StringIO) -> None:
    """Its name begins as ours does."""
    logging.getLogger("functions_framework.execution_id").info("nothing of interest")
    assert lines.getvalue() == ""


def test_a_request_tells_what_became_of_it(lines: io.StringIO) -> None:
    asked = exchange(bytes_in=1234)
    assert asked.timing
    asked.timing.is_cold, asked.timing.steps = True, [("decode", 0.0015), ("record", 0.00025)]
    asked.read("40 71", 0.98765)
    log.request_line(asked)
    line = only(lines)
    assert line["message"] == "POST / 200 stored"
    told = {name: line[name] for name in line if name not in ("time", "process", "logger", "message", "severity")}
    assert told == {
        "request_id": asked.trace.request_id, "trace_id": asked.trace.trace_id, "span_id": asked.trace.span_id,
        "sampled": False, "method": "POST", "path": "/", "route": "picture", "status": 200, "outcome": "stored",
        "bytes_in": 1234, "duration_ms": 12.35, "result_length": 5, "confidence": 0.9877, "recorded": "stored",
        "cold": True, "steps_ms": {"decode": 1.5, "record": 0.25},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "route", "severity"),
    [
        (200, "picture", "INFO"), (404, "other", "INFO"), (422, "picture", "INFO"), (503, "picture", "WARNING"),
        (500, "picture", "ERROR"), (200, "health", "DEBUG"), (200, "metrics", "DEBUG"), (503, "health", "WARNING"),
    ],
)  # fmt: skip
def test_a_requests_severity_says_whether_somebody_should_look(
    lines: io.StringIO, status: int, route: str, severity: str
) -> None:
    log.request_line(replace(exchange(), status=status, route=route))
    assert only(lines)["severity"] == severity


def test_cloud_logging_is_told_the_trace_where_its_project_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with written_to(io.StringIO(), monkeypatch, "my-project") as stream:
        asked = exchange()
        log.request_line(asked)
        OURS.error("something else")
    request, other = objects(stream.getvalue())
    google = "logging.googleapis.com/"
    assert request[f"{google}trace"] == f"projects/my-project/traces/{asked.trace.trace_id}"
    assert (request[f"{google}spanId"], request[f"{google}trace_sampled"]) == (asked.trace.span_id, False)
    assert not any(name.startswith(google) for name in other)


# ── What is nobody's business ─────────────────────────────────────────────────────────────────────────────────
def test_no_line_can_be_forged(lines: io.StringIO) -> None:
    log.request_line(exchange(path=f"/{FORGED}"))
    OTHERS.error("Error handling request %s", FORGED)
    assert all(character.isprintable() for line in lines.getvalue().split("\n") for character in line)
    request, other = objects(lines.getvalue())
    assert request["severity"] == "INFO"
    for text in (request["path"], request["message"], other["message"]):
        assert text.isprintable()  # also where a program shows it after it has been parsed


def test_no_line_can_be_forged_on_a_terminal(terminal: io.StringIO) -> None:
    log.request_line(exchange(path=f"/{FORGED}"))
    OTHERS.error("Error handling request %s", FORGED)
    text = terminal.getvalue()
    assert text.count("\n") == 2
    assert all(line.isprintable() for line in text.removesuffix("\n").split("\n"))


def test_a_long_path_makes_no_long_line(lines: io.StringIO) -> None:
    log.request_line(exchange(path="/" + "a" * 100_000))
    assert len(lines.getvalue()) < 2000


def test_others_lines_are_without_what_was_asked_for(lines: io.StringIO) -> None:
    """gunicorn names a request by all of its address."""
    OTHERS.error("Error handling request /api/?filename=my-cheque.png&expect=digit")
    OTHERS.error("Worker (pid:%d) was sent SIGKILL! Perhaps out of memory?", 12)
    first, second = objects(lines.getvalue())
    assert first["message"] == "Error handling request /api/"
    assert second["message"] == "Worker (pid:12) was sent SIGKILL! Perhaps out of memory?"


def test_an_error_is_told_by_its_kind_and_place_and_not_by_what_it_says(lines: io.StringIO) -> None:
    with pytest.raises(ValueError, match="the-secret") as raised:
        read_settings({"MAX_PIXELS": "the-secret"})
    OURS.error("unforeseen", exc_info=raised.value)
    message = only(lines)["message"]
    assert re.fullmatch(r"unforeseen: ValueError in function\.settings:\d+", message)


def test_where_a_library_fails_the_place_is_the_line_that_asked_it(lines: io.StringIO) -> None:
    with pytest.raises(TypeError) as raised:
        log.AsJson().format(logging.makeLogRecord({"name": "any", "fields": {"no JSON": {"the-secret"}}}))
    assert "/json/" in str(raised.traceback[-1].path)
    OURS.error("unforeseen", exc_info=raised.value)
    assert re.fullmatch(r"unforeseen: TypeError in function\.log:\d+", only(lines)["message"])


def test_our_own_problems_are_told_in_their_own_words(lines: io.StringIO) -> None:
    with pytest.raises(Unreadable) as raised:
        decode(b"\x89PNG\r\n\x1a\n", max_pixels=100)
    OURS.warning("refused", exc_info=raised.value)
    assert only(lines)["message"].endswith(f": {raised.value.detail}")


def test_there_is_never_a_stack_trace(lines: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        OTHERS.exception("failed", stack_info=True)
    OTHERS.error("%d and %d", "the-secret")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("two\nlines", UserWarning, stacklevel=1)
    assert [line["severity"] for line in objects(lines.getvalue())] == ["ERROR", "WARNING"]
    assert "Traceback" not in lines.getvalue()
    assert "the-secret" not in lines.getvalue() + capsys.readouterr().err


# ── The function ──────────────────────────────────────────────────────────────────────────────────────────────
def read_log(service: Service) -> list[dict[str, Any]]:
    return objects((service.folder / "log").read_text())


def test_each_request_has_one_line_that_its_answer_names(tmp_path: Path) -> None:
    with running_function(tmp_path, {"WORKERS": "2"}) as service:
        answers = [httpx.post(service.url, content=digit_png(digit), timeout=30) for digit in range(6)]
        answers += [httpx.post(service.url, content=b"no picture"), httpx.get(f"{service.url}/favicon.ico")]
        for answer in answers:
            (line,) = [line for line in read_log(service) if line.get("request_id") == answer.headers["X-Request-ID"]]
            assert answer.headers["traceparent"].split("-")[1:3] == [line["trace_id"], line["span_id"]]
            assert line["status"] == answer.status_code
            if answer.status_code == 200:
                assert line["recorded"] == line["outcome"] == answer.json()["recorded"]
                assert line["result_length"] == len(answer.json()["result"])
                steps = re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["Server-Timing"])
                assert line["steps_ms"] == {step: float(duration) for step, duration in steps}
                assert sum(line["steps_ms"].values()) <= line["duration_ms"] + 0.1


def test_nothing_private_is_in_the_log(tmp_path: Path) -> None:
    names = {"name": f"name-{uuid.uuid4()}.png", "key": f"key-{uuid.uuid4()}", "password": f"word-{uuid.uuid4()}"}
    environment = {"UPLOAD_KEY": names["key"], "RECORDS_KEY": names["key"], "CASSANDRA_PASSWORD": names["password"]}
    authorised = {"Authorization": f"Bearer {names['key']}", "Idempotency-Key": names["key"]}
    with running_function(tmp_path, environment) as service:
        for data in (digit_png(4), b"no picture", digit_png(4)[:300]):
            disposition = {"Content-Disposition": f'attachment; filename="{names["name"]}"'}
            httpx.post(service.url, content=data, headers=authorised | disposition)
            httpx.post(service.url, content=data, params={"filename": names["name"]}, headers=authorised)
            httpx.post(service.url, files={"image": (names["name"], data)}, headers=authorised)
            httpx.post(service.url, content=data, headers={"Authorization": f"Bearer wrong-{names['password']}"})
        httpx.get(f"{service.url}/records", params={"cursor": names["name"]}, headers=authorised)
        logged = (service.folder / "log").read_text()
    assert logged.count("POST / ") == 12
    assert not [private for private in names.values() if private in logged]


def test_lines_cannot_be_forged_from_outside(tmp_path: Path) -> None:
    with running_function(tmp_path) as service:
        answer = httpx.get(f"{service.url}/no%0A%7B%22severity%22:%20%22INFO%22%7D%E2%80%AE%1B%5B2J")
        bad_id = httpx.get(f"{service.url}/health/live", headers={"X-Request-ID": '"},{"severity": "INFO'})
        lines = [line for line in read_log(service) if "request_id" in line]
    assert [line["status"] for line in lines][-2:] == [404, 200]
    assert lines[-2]["request_id"] == answer.headers["X-Request-ID"]
    assert lines[-2]["path"] == r'/no\n{"severity": "INFO"}\u202e\x1b[2J'
    assert re.fullmatch(r"[0-9a-f]{32}", bad_id.headers["X-Request-ID"])


def test_what_gunicorn_says_is_json_too(tmp_path: Path) -> None:
    with running_function(tmp_path, {"WORKERS": "1"}) as service:
        main = service.process.pid
        (worker,) = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while not (told := [line for line in read_log(service) if line["logger"] == "gunicorn.error"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert told[0]["severity"] == "ERROR"
    assert worker in told[0]["message"]


def test_on_a_terminal_a_person_can_read_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    port, environment = free_port(), {**os.environ, "RECORDS_URL": f"sqlite:///{tmp_path / 'records.db'}"}
    command = [str(Path(sys.executable).parent / "functions-framework"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--source", str(ROOT / "function" / "main.py"), "--target", "recognise"]
    process = subprocess.Popen(command, env=environment, stderr=theirs)
    os.close(theirs)
    try:
        request_id = post_until_answered(f"http://127.0.0.1:{port}", process)
        shown = b""
        while select.select([ours], [], [], 5)[0]:  # until there is nothing new for 5 s
            shown += os.read(ours, 4096)
            if request_id.encode() in shown:
                break
    finally:
        process.terminate()
        process.wait(timeout=20)
        os.close(ours)
    (line,) = [line for line in shown.decode().splitlines() if request_id in line]
    steps = r"lookup [\d.]+, upload [\d.]+, .*record [\d.]+"
    said = rf"\d\d:\d\d:\d\d POST / 200 stored, length 1, [\d.]+ ms \({steps}\), cold \[{request_id}\]"
    assert re.fullmatch(said, line)


def post_until_answered(url: str, process: subprocess.Popen[bytes]) -> str:
    """The id of the request."""
    while process.poll() is None:
        with suppress(OSError), urlopen(url, digit_png(7), timeout=30) as answer:
            return str(answer.headers["X-Request-ID"])
        time.sleep(0.05)
    raise RuntimeError("the function has ended")
