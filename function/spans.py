"""Answered requests as spans of OpenTelemetry, sent by OTLP over HTTP; the only use of its packages.

OpenTelemetry's own variables set it: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and so on.
"""

from __future__ import annotations

import secrets

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.version import __version__
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from .exchange import Exchange
from .trace import Trace

NAME = "digit-reader"  # unless OTEL_SERVICE_NAME has another
# What Resource.create would say, which cannot be asked once a process ends: its threads are refused then.
OF_US = {
    SERVICE_NAME: NAME,
    TELEMETRY_SDK_LANGUAGE: "python",
    TELEMETRY_SDK_NAME: "opentelemetry",
    TELEMETRY_SDK_VERSION: __version__,
}
LARGEST = 2**63 - 1  # of OTLP's numbers; a client may declare more
PATHS = {
    "picture": "/",
    "records": "/records",
    "record": "/records/{id}",
    "correction": "/records/{id}/correction",
    "inference": "/v2/{rest}",
    "health": "/health/{kind}",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
    "page": "/{file}",
}  # by route, as OpenAPI has them


class Ids(IdGenerator):
    """Those that the answer told already; for the steps within it, new ones."""

    def __init__(self) -> None:
        self.trace: Trace | None = None

    def generate_trace_id(self) -> int:
        assert self.trace
        return int(self.trace.trace_id, 16)

    def generate_span_id(self) -> int:
        trace, self.trace = self.trace, None
        return int(trace.span_id, 16) if trace else secrets.randbits(64)


class Spans:
    """Made after the fork, for it has a thread; used by one thread."""

    def __init__(self) -> None:
        self._ids = Ids()
        resource = Resource(OF_US).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("function")

    def add(self, exchange: Exchange) -> None:
        """A span for the request, and within it one for each step."""
        self._ids.trace = exchange.trace
        route = PATHS.get(exchange.route)
        span = self._tracer.start_span(
            f"{exchange.method} {route}" if route else exchange.method,
            context=set_span_in_context(NonRecordingSpan(parent(exchange.trace))),
            kind=SpanKind.SERVER,
            attributes=attributes(exchange, route),
            start_time=exchange.began,
        )
        if exchange.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        self._add_steps(span, exchange)
        span.end(exchange.began + nanoseconds(exchange.seconds))

    def _add_steps(self, span: Span, exchange: Exchange) -> None:
        context = set_span_in_context(span)
        begin = exchange.began + nanoseconds(exchange.timing.started - exchange.started if exchange.timing else 0)
        for step, seconds in exchange.steps:
            end = begin + nanoseconds(seconds)
            self._tracer.start_span(step, context=context, start_time=begin).end(end)
            begin = end

    def close(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()


def parent(trace: Trace) -> SpanContext:
    """The caller's span; where there is none, one that is not valid, so that a new trace begins."""
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.parent_id or "0", 16),
        is_remote=True,
        trace_flags=TraceFlags(trace.is_sampled),
        trace_state=TraceState.from_header([trace.state]),
    )


def attributes(exchange: Exchange, route: str | None) -> dict[str, str | int | float | bool]:
    """By OpenTelemetry's names for HTTP, and by our own; never a picture, a file's name or a result."""
    known: dict[str, str | int | float | bool | None] = {
        "http.request.method": exchange.method,
        "http.response.status_code": exchange.status,
        "http.request.body.size": min(exchange.bytes_in, LARGEST),
        "http.route": route,
        "url.path": exchange.path,
        "error.type": exchange.outcome if exchange.status >= 500 else None,
        "digit_reader.request_id": exchange.trace.request_id,
        "digit_reader.outcome": exchange.outcome,
        "digit_reader.result_length": exchange.result_length,
        "digit_reader.confidence": exchange.confidence,
        "digit_reader.recorded": exchange.recorded,
        "digit_reader.cold": exchange.is_cold,
    }
    return {name: value for name, value in known.items() if value is not None}


def nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
