"""Which trace a request belongs to (W3C Trace Context), and traces for OpenTelemetry where they are asked for."""

from __future__ import annotations

import atexit
import logging
import os
import re
import threading
from collections import deque
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .exchange import Exchange
    from .spans import Spans

# Compiled when the first of them comes: a cold start does without. https://www.w3.org/TR/trace-context/#traceparent-header
# has it that a later version may have more after a dash.
TRACEPARENT = r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
TRACESTATE = r"[ -~\t]{1,512}"  # what it says is for those who put it there
REQUEST_ID = r"[A-Za-z0-9._-]{1,64}"  # as frontend/nginx.conf has it
SAMPLED = 1

# What spans.py imports, by what it is installed as.
PACKAGES = {
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
}
START = 0.5  # seconds until they are imported: the first answer has the processor to itself
TICK = 0.5  # seconds between two looks at what waits
WAITING = 2048  # requests at most; the oldest are let go
LAST = 3.0  # seconds for what is left when a process ends, after as many for packages that are being imported

log = logging.getLogger(__name__)


class Headers(Protocol):
    """Werkzeug's, or a dictionary."""

    def get(self, name: str, default: str, /) -> str: ...


class Trace(NamedTuple):
    """Ids in hexadecimal digits: `trace_id` of 32, `span_id` (this request's) and `parent_id` (the caller's, or empty)
    of 16."""

    trace_id: str
    span_id: str
    parent_id: str
    is_sampled: bool
    state: str
    request_id: str

    def headers(self) -> dict[str, str]:
        """For the answer."""
        parent = f"00-{self.trace_id}-{self.span_id}-{self.is_sampled:02x}"
        state = {"tracestate": self.state} if self.state else {}
        return {"traceparent": parent, **state, "X-Request-ID": self.request_id}


def take_up(headers: Headers, *, samples: bool = False) -> Trace:
    """The caller's trace, or a new one, which is sampled if `samples`."""
    request_id = headers.get("X-Request-ID", "")
    if not request_id or not re.fullmatch(REQUEST_ID, request_id):
        request_id = os.urandom(16).hex()
    span_id = os.urandom(8).hex()
    given = headers.get("traceparent", "").strip(" \t")
    match = re.fullmatch(TRACEPARENT, given) if given else None
    if not match or (match[1] == "00" and match[5]):
        return Trace(os.urandom(16).hex(), span_id, "", samples, "", request_id)
    state = headers.get("tracestate", "").strip(" \t")
    is_sampled = bool(int(match[4], 16) & SAMPLED)
    return Trace(match[2], span_id, match[3], is_sampled, state if re.fullmatch(TRACESTATE, state) else "", request_id)


class Exporter:
    """Hands over traces in a thread of each process that has any: no answer waits for it, whatever becomes of them."""

    def __init__(self) -> None:
        self._waiting: deque[Exchange] = deque(maxlen=WAITING)
        self._ending = threading.Event()
        self._imported = threading.Event()
        self._starting = threading.Lock()
        self._process = 0

    def export(self, exchange: Exchange) -> None:
        """Takes a request that has been answered, and returns at once."""
        self._waiting.append(exchange)
        if self._process != os.getpid():
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            thread = threading.Thread(target=self._run, name="traces", daemon=True)
            thread.start()
            atexit.register(self._close, thread)

    def _close(self, thread: threading.Thread) -> None:
        self._ending.set()
        self._imported.wait(LAST)
        thread.join(LAST)

    def _run(self) -> None:
        self._ending.wait(START)
        try:
            from .spans import Spans

            self._imported.set()
            spans = Spans()
            while not self._ending.wait(TICK):
                self._send(spans)
            self._send(spans)
            spans.close()
        except Exception:  # of packages that are of another version than these
            log.exception("There are no traces from this process")
            self._imported.set()

    def _send(self, spans: Spans) -> None:
        while self._waiting:
            spans.add(self._waiting.popleft())


def exporter(enabled: bool) -> Exporter | None:  # noqa: FBT001
    """None where no traces are asked for, or what makes them is not installed."""
    if not enabled:
        return None
    if missing := [package for module, package in PACKAGES.items() if not is_installed(module)]:
        log.warning("Traces are asked for, but cannot be made: pip install %s", " ".join(missing))
        return None
    return Exporter()


def is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False
