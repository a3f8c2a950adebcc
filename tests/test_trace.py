"""The caller's trace is taken up and passed on; OpenTelemetry gets it where that is asked for, at no answer's cost."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from function.exchange import Exchange
from function.spans import attributes
from function.trace import Trace, exporter, take_up
from tests.helpers import Service, digit_png, free_port, running_function
from tests.test_cold import PRODUCT, first_answer, imported, starting

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FROM_CALLER = f"00-{TRACE}-{PARENT}-01"
STATE = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"


# ── W3C Trace Context ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (FROM_CALLER, True), (f"00-{TRACE}-{PARENT}-00", False), (f"00-{TRACE}-{PARENT}-ff", True),
        (f"00-{TRACE}-{PARENT}-02", False), (f" {FROM_CALLER} ", True),
        # Of a later version what is known counts, if it ends there or goes on after a dash.
        (f"01-{TRACE}-{PARENT}-01", True), (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", True),
    ],
)  # fmt: skip
def test_the_callers_trace_is_taken_up(header: str, sampled: bool) -> None:  # noqa: FBT001
    trace = take_up({"traceparent": header, "tracestate": STATE})
    assert (trace.trace_id, trace.parent_id, trace.is_sampled, trace.state) == (TRACE, PARENT, sampled, STATE)
    assert re.fullmatch("[0-9a-f]{16}", trace.span_id)
    assert trace.span_id != PARENT


@pytest.mark.parametrize(
    "header",
    [
        "", "nonsense", FROM_CALLER.upper(), FROM_CALLER[:-1], f"{FROM_CALLER}-more", f"{FROM_CALLER}0",
        f"ff-{TRACE}-{PARENT}-01", f"0-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{PARENT}-01", f"00-{TRACE}-{PARENT}-0x", f"00_{TRACE}_{PARENT}_01",
        f"01-{TRACE}-{PARENT}-01what", f"{FROM_CALLER},{FROM_CALLER}", f"00-{TRACE}-{PARENT}-01\n",
        f"٠٠-{TRACE}-{PARENT}-01",
    ],
)  # fmt: skip
def test_what_is_no_traceparent_begins_a_new_trace(header: str) -> None:
    made = [take_up({"traceparent": header.rstrip(" "), "tracestate": STATE}) for _ in range(2)]
    for trace in made:
        assert re.fullmatch("[0-9a-f]{32}", trace.trace_id)
        assert (trace.parent_id, trace.state) == ("", "")
    assert len({TRACE, *(trace.trace_id for trace in made)}) == 3


@pytest.mark.parametrize("samples", [True, False])
def test_a_new_trace_is_sampled_if_somebody_takes_it(samples: bool) -> None:  # noqa: FBT001
    assert take_up({}, samples=samples).is_sampled == samples
    assert not take_up({"traceparent": f"00-{TRACE}-{PARENT}-00"}, samples=samples).is_sampled


@pytest.mark.parametrize("state", ["a=1\r\nSet-Cookie: b", "a=é", "a=" + "1" * 511, ""])
def test_what_is_no_tracestate_is_not_passed_on(state: str) -> None:
    assert "tracestate" not in take_up({"traceparent": FROM_CALLER, "tracestate": state}).headers()


def test_the_answer_names_our_span_in_the_callers_trace() -> None:
    trace = take_up({"traceparent": FROM_CALLER, "tracestate": STATE, "X-Request-ID": "from-nginx_1.2"})
    assert trace.headers() == {
        "traceparent": f"00-{TRACE}-{trace.span_id}-01", "tracestate": STATE, "X-Request-ID": "from-nginx_1.2"
    }  # fmt: skip


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", 'a"b', "a\n", "é", "a/b"])
def test_an_odd_request_id_is_replaced(given: str) -> None:
    ids = {take_up({"X-Request-ID": given}).request_id for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


# ── The function ──────────────────────────────────────────────────────────────────────────────────────────────
def test_every_answer_tells_its_trace_and_its_id(service: Service) -> None:
    headers = {"traceparent": FROM_CALLER, "tracestate": STATE, "X-Request-ID": "mine"}
    asked = [("POST", "/", digit_png(3)), ("POST", "/", b"no picture"), ("GET", "/health/live", None)]
    asked += [("GET", "/nowhere", None), ("GET", "/favicon.ico", None), ("GET", "/records?format=csv", None)]
    spans = set()
    for method, path, content in asked:
        answer = httpx.request(method, service.url + path, content=content, headers=headers)
        version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
        assert (version, trace_id, flags, answer.headers["tracestate"]) == ("00", TRACE, "01", STATE)
        assert answer.headers["X-Request-ID"] == "mine"
        spans.add(span_id)
    assert len(spans) == len(asked)


def test_without_traces_nothing_of_opentelemetry_is_imported(tmp_path: Path) -> None:
    modules = imported(tmp_path, PRODUCT, "recognise")
    assert "numpy" in modules
    assert not [
        name for name in modules if re.match(r"opentelemetry|google\.protobuf|requests|urllib3|(\w+\.)?spans$", name)
    ]


def test_with_traces_nothing_of_it_is_imported_before_the_first_answer(tmp_path: Path) -> None:
    environment = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with starting(tmp_path, PRODUCT, "recognise", PYTHONPROFILEIMPORTTIME="1", **environment) as (port, log):
        assert first_answer(port, digit_png(7)) == "7"
        at_first = log.read_text()
        deadline = time.monotonic() + 60
        while "opentelemetry.sdk.trace.export\n" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert not re.search(r"\| +opentelemetry\.(sdk|trace)", at_first)


# ── OpenTelemetry ─────────────────────────────────────────────────────────────────────────────────────────────
Attributes = dict[str, Any]


@dataclass
class Collector:
    """An OTLP receiver; `spans` by their ids, each with its resource's attributes."""

    url: str
    spans: dict[str, tuple[Span, Attributes]] = field(default_factory=dict)

    def take(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = named(group.resource.attributes)
            self.spans |= {one.span_id.hex(): (one, resource) for scope in group.scope_spans for one in scope.spans}

    def wait_for(self, span_id: str, seconds: float = 20) -> tuple[Span, Attributes]:
        deadline = time.monotonic() + seconds
        while span_id not in self.spans:
            assert time.monotonic() < deadline, list(self.spans)
            time.sleep(0.05)
        return self.spans[span_id]

    def within(self, span_id: str) -> list[Span]:
        """In their order."""
        inner = [span for span, _ in self.spans.values() if span.parent_span_id.hex() == span_id]
        return sorted(inner, key=lambda span: span.start_time_unix_nano)


def named(pairs: Any) -> Attributes:
    def plain(value: AnyValue) -> Any:
        return getattr(value, value.WhichOneof("value") or "string_value")

    made: list[KeyValue] = list(pairs)
    return {pair.key: plain(pair.value) for pair in made}


@contextmanager
def collecting() -> Iterator[Collector]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            made.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        made = Collector(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield made
        finally:
            server.shutdown()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def sending_to(collector: Collector, **more: str) -> dict[str, str]:
    otlp = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    return {**otlp, "OTEL_BSP_SCHEDULE_DELAY": "100", "WORKERS": "1", **more}


def span_of(answer: httpx.Response) -> str:
    return answer.headers["traceparent"].split("-")[2]


def test_a_request_is_a_span_within_the_callers_and_its_steps_are_within_it(
    tmp_path: Path, collector: Collector
) -> None:
    with running_function(tmp_path, sending_to(collector, WORKERS="2")) as service:
        before = time.time_ns()
        answer = httpx.post(
            service.url, content=digit_png(8), headers={"traceparent": FROM_CALLER, "tracestate": STATE}
        )
        after = time.time_ns()
        span, resource = collector.wait_for(span_of(answer))
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (TRACE, PARENT, STATE)
    assert (span.name, span.kind, span.status.code) == ("POST /", Span.SPAN_KIND_SERVER, Status.STATUS_CODE_UNSET)
    assert before <= span.start_time_unix_nano < span.end_time_unix_nano <= after
    assert resource["service.name"] == "digit-reader"
    told = named(span.attributes)
    assert told["http.request.method"] == "POST"
    assert (told["http.route"], told["http.response.status_code"], told["url.path"]) == ("/", 200, "/")
    assert (told["digit_reader.outcome"], told["digit_reader.recorded"]) == ("stored", "stored")
    assert (told["digit_reader.result_length"], told["digit_reader.cold"]) == (1, True)
    assert told["digit_reader.request_id"] == answer.headers["X-Request-ID"]

    steps = collector.within(span_of(answer))
    durations = dict(re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["Server-Timing"]))
    assert [step.name for step in steps] == list(durations)
    for step in steps:
        assert (
            span.start_time_unix_nano <= step.start_time_unix_nano <= step.end_time_unix_nano <= span.end_time_unix_nano
        )
        seconds = (step.end_time_unix_nano - step.start_time_unix_nano) / 1e9
        assert seconds * 1000 == pytest.approx(float(durations[step.name]), abs=0.006)


def test_a_request_without_a_trace_begins_one(tmp_path: Path, collector: Collector) -> None:
    with running_function(tmp_path, sending_to(collector, OTEL_SERVICE_NAME="numbers")) as service:
        answer = httpx.get(f"{service.url}/records/00000000-0000-1000-8000-000000000000")
        span, resource = collector.wait_for(span_of(answer))
    assert [span.trace_id.hex(), span.span_id.hex(), "01"] == answer.headers["traceparent"].split("-")[1:]
    assert span.parent_span_id == b""
    assert (span.name, resource["service.name"]) == ("GET /records/{id}", "numbers")
    assert named(span.attributes)["http.response.status_code"] == 404


def test_what_the_caller_does_not_sample_is_not_sent(tmp_path: Path, collector: Collector) -> None:
    with running_function(tmp_path, sending_to(collector)) as service:
        unsampled = httpx.get(f"{service.url}/metrics", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
        sampled = httpx.get(f"{service.url}/metrics", headers={"traceparent": FROM_CALLER})
        collector.wait_for(span_of(sampled))
    assert span_of(unsampled) not in collector.spans


def test_a_refused_request_is_no_error_and_one_that_failed_is(tmp_path: Path, collector: Collector) -> None:
    nowhere = {"RECORDS_URL": f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'records.db'}"}
    with running_function(tmp_path, sending_to(collector, **nowhere)) as service:
        refused, failed = (httpx.post(service.url, content=data) for data in (b"no picture", digit_png(1)))
        for answer, code, error in (
            (refused, Status.STATUS_CODE_UNSET, None),
            (failed, Status.STATUS_CODE_ERROR, "unavailable"),
        ):
            span, _ = collector.wait_for(span_of(answer))
            assert (span.status.code, named(span.attributes).get("error.type")) == (code, error)


def test_what_is_left_at_the_end_is_sent(tmp_path: Path, collector: Collector) -> None:
    with running_function(tmp_path, sending_to(collector, OTEL_BSP_SCHEDULE_DELAY="600000")) as service:
        answers = [httpx.post(service.url, content=digit_png(digit)) for digit in range(5)]
        service.process.terminate()
        assert service.process.wait(timeout=20) == 0
    assert {span_of(answer) for answer in answers} <= collector.spans.keys()


def test_nothing_private_is_sent(tmp_path: Path, collector: Collector) -> None:
    with running_function(tmp_path, sending_to(collector, UPLOAD_KEY="the-key")) as service:
        headers = {"Authorization": "Bearer the-key"}
        answer = httpx.post(service.url, content=digit_png(4), params={"filename": "the-name.png"}, headers=headers)
        assert answer.status_code == 200
        collector.wait_for(span_of(answer))
    everything = "".join(f"{span}{resource}" for span, resource in collector.spans.values())
    assert not re.search("the-key|the-name", everything)


@pytest.mark.parametrize("listens", [True, False])
def test_a_collector_that_is_dead_holds_up_nobody(tmp_path: Path, listens: bool) -> None:  # noqa: FBT001
    """Whether it refuses, or takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        dead = Collector(f"http://127.0.0.1:{server.getsockname()[1]}")
        if not listens:
            server.close()
        with running_function(tmp_path, sending_to(dead)) as service:
            until = time.monotonic() + 3
            while time.monotonic() < until:
                began = time.monotonic()
                assert httpx.post(service.url, content=digit_png(2), timeout=30).status_code == 200
                assert time.monotonic() - began < 2
            began = time.monotonic()
            service.process.terminate()
            service.process.wait(timeout=20)
            assert time.monotonic() - began < 10


def test_where_its_packages_are_missing_one_warning_says_which(tmp_path: Path) -> None:
    """They are hidden from a real process, as though they were not installed."""
    hidden = "import sys; sys.modules['opentelemetry.exporter'] = None"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    environment = {"OTEL_TRACES_EXPORTER": "otlp", "PYTHONPATH": str(tmp_path), "WORKERS": "2"}
    with running_function(tmp_path, environment) as service:
        for _ in range(6):
            assert httpx.post(service.url, content=digit_png(2), timeout=30).json()["result"] == "2"
        warnings = [line for line in (tmp_path / "log").read_text().splitlines() if "pip install" in line]
    assert len(warnings) == 1
    assert "pip install opentelemetry-exporter-otlp-proto-http" in warnings[0]


def test_none_are_made_unless_they_are_asked_for() -> None:
    assert exporter(enabled=False) is None
    assert exporter(enabled=True) is not None


def test_a_number_that_a_span_cannot_hold_spoils_none() -> None:
    """A client may declare any length."""
    trace = Trace(TRACE, PARENT, "", is_sampled=True, state="", request_id="a")
    told = attributes(replace(Exchange("POST", "/", trace), bytes_in=10**30), "/")
    assert AnyValue(int_value=told["http.request.body.size"]).int_value == 2**63 - 1  # type: ignore[arg-type]
