"""The log, on stderr: a JSON object a line for what collects it, or lines for a person where that is a terminal.

Why stderr: gunicorn and the libraries beneath Python write there, so that all is in one order; Python keeps none of it
back for a killed process to lose; and what collects containers' logs, Cloud Logging too, reads it as it reads stdout.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from .errors import Problem
from .exchange import Exchange

PACKAGE = __name__.rpartition(".")[0]
ASKED_ALL_THE_TIME = ("health", "metrics")  # routes
LONGEST = 200  # characters of a path that are told
QUERY = r"(/\S*)\?\S*"  # after a path: names of files may be in it

requests = logging.getLogger(f"{PACKAGE}.requests")


# ── What is told ──────────────────────────────────────────────────────────────────────────────────────────────
def configure(project: str = "") -> None:
    """All that is logged takes this way: ours from the least on, of others what is a warning or worse.

    `project` is Google Cloud's, by whose name Cloud Logging shows a request's lines with its trace.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ForTerminal() if sys.stderr.isatty() else AsJson(project))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(PACKAGE).setLevel(logging.DEBUG)
    logging.getLogger("gunicorn.error").addFilter(to_root)  # which gives itself a handler later
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a line that cannot be written is lost; no stack trace takes its place


def to_root(record: logging.LogRecord) -> bool:
    """Has the root logger write it, and nobody else."""
    logging.getLogger().handle(record)
    return False


def request_line(exchange: Exchange) -> None:
    """One line for each request, when it has been answered."""
    message = f"{exchange.method} {printable(exchange.path[:LONGEST])} {exchange.status} {exchange.outcome}"
    requests.log(level(exchange), message, extra={"fields": fields(exchange)})


def level(exchange: Exchange) -> int:
    if exchange.status == 503:
        return logging.WARNING  # it will pass, and the client was told when to come back
    if exchange.status >= 500:
        return logging.ERROR
    return logging.DEBUG if exchange.route in ASKED_ALL_THE_TIME else logging.INFO


def fields(exchange: Exchange) -> dict[str, Any]:
    """With durations in milliseconds. Never a picture, a file's name, a result or a key."""
    told: dict[str, Any] = {
        "request_id": exchange.trace.request_id,
        "trace_id": exchange.trace.trace_id,
        "span_id": exchange.trace.span_id,
        "sampled": exchange.trace.is_sampled,
        "method": exchange.method,
        "path": printable(exchange.path[:LONGEST]),
        "route": exchange.route,
        "status": exchange.status,
        "outcome": exchange.outcome,
        "bytes_in": exchange.bytes_in,
        "duration_ms": milliseconds(exchange.seconds),
    }
    if exchange.result_length is not None:
        told["result_length"] = exchange.result_length
        told["confidence"] = None if exchange.confidence is None else round(exchange.confidence, 4)
    if exchange.recorded is not None:
        told["recorded"] = exchange.recorded
    if exchange.timing:
        told["cold"] = exchange.timing.is_cold
        told["steps_ms"] = {step: milliseconds(seconds) for step, seconds in exchange.timing.steps}
    return told


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


# ── How it is written ─────────────────────────────────────────────────────────────────────────────────────────
class AsJson(logging.Formatter):
    """With the names that Cloud Logging knows; others take any."""

    def __init__(self, project: str = "") -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        told = getattr(record, "fields", {})
        line = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "message": printable(text(record)),
            "logger": record.name,
            "process": record.process,
            **told,
        }
        if self._project and told:
            line["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{told['trace_id']}"
            line["logging.googleapis.com/spanId"] = told["span_id"]
            line["logging.googleapis.com/trace_sampled"] = told["sampled"]
        return json.dumps(line)


class ForTerminal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        severity = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return printable(f"{clock} {severity}{text(record)}{details(getattr(record, 'fields', {}))}")


def details(told: dict[str, Any]) -> str:
    """What a person wants to know of a request, in a few words."""
    if not told:
        return ""
    steps = ", ".join(f"{step} {duration}" for step, duration in told.get("steps_ms", {}).items())
    length = f", length {told['result_length']}" if "result_length" in told else ""
    cold = ", cold" if told.get("cold") else ""
    return f"{length}, {told['duration_ms']} ms{f' ({steps})' if steps else ''}{cold} [{told['request_id']}]"


def text(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if not is_ours(record.name):
        message = re.sub(QUERY, r"\1", message)
    error = record.exc_info[1] if record.exc_info else None
    return f"{message}: {failure(error)}" if error else message


def failure(error: BaseException) -> str:
    """What it is and where it arose. What it says is told only if it is ours: others' may hold what nobody may read."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    told = f"{kind} in {place(error.__traceback__)}"
    return f"{told}: {error}" if isinstance(error, Problem) else told


def place(traceback: TracebackType | None) -> str:
    """Module and line, the innermost of this package, or if there is none of all."""
    ours = innermost = ""
    while traceback:
        module = traceback.tb_frame.f_globals.get("__name__", "?")
        innermost = f"{module}:{traceback.tb_lineno}"
        if is_ours(module):
            ours = innermost
        traceback = traceback.tb_next
    return ours or innermost or "?"


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


def printable(line: str) -> str:
    """Without what could end it, move the cursor, or turn the direction of what is read, wherever it is shown."""
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in line)
