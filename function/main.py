"""The HTTP function `recognise`: where requests go, and the way of a picture. The only wiring.

upload → decode → ink → locate → lines → prepare → classify → segment → turn → record → answer
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain

# OpenBLAS, which NumPy brings, starts a thread for each core as it is imported: they take time and memory, and the
# pictures here are too small to share. In place of PEP 8's order, before NumPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import functions_framework
import numpy as np
from flask import Request, Response
from flask import request as current_request

from .answer import (
    Reading,
    answer_json,
    as_reading,
    health_json,
    metrics_text,
    problem_json,
    record_json,
    records_csv,
    records_json,
    records_ndjson,
    with_recorded,
)
from .classify import Classifier
from .decode import decode
from .errors import BadRequest, MethodNotAllowed, NotFound, Problem
from .ink import Ink, find_ink, find_ink_on_sheet
from .lines import in_lines
from .locate import EXPECTATIONS, Mark, holds_one, locate
from .page import page_file
from .prepare import prepare
from .records import Kept, Record, every, from_cursor, new_id, open_records, pack, to_cursor
from .seen import Lines, Seen, is_texture, is_trusted, only_strokes, standing, total_ink
from .segment import segment
from .settings import PACKAGE, read_settings
from .timing import Timing
from .turn import turned_back, upright
from .upload import Upload, drop_rest, read_body, read_upload

CORRECTION = re.compile(r"[0-9? \n]{0,200}")
KEY = re.compile(r"[!-~]{0,128}")
LONGEST_PAGE = 1000
NOWHERE = "POST a picture to /, or see /openapi.json for all that can be asked."

settings = read_settings()
classifier = Classifier(settings.model_path)  # before the fork: every worker has it, and none waits for it
one_reads = threading.Lock()  # threads that all want the interpreter's lock spend half their time on giving it away
records = open_records(settings)  # opens nothing yet: no connection survives a fork …
os.register_at_fork(after_in_child=records.start)  # … after which each worker forwards what an earlier one left


@functions_framework.http
def recognise(request: Request) -> Response:
    """Answer any request, with or without the prefix /api."""
    try:
        handlers, arguments = find_route(re.sub(r"^/api(?=/|$)", "", request.path) or "/")
        method = "GET" if request.method == "HEAD" else request.method
        if method == "OPTIONS":
            return Response(status=204, headers={"Allow": allowed(handlers)})
        if method not in handlers:
            raise MethodNotAllowed(f"Use {allowed(handlers)}.", headers={"Allow": allowed(handlers)})
        return handlers[method](request, *arguments)
    except Problem as problem:
        return problem_response(problem)
    finally:
        drop_rest(request.stream)


# ── The way of a picture ──────────────────────────────────────────────────────────────────────────────────────
def answer_picture(request: Request) -> Response:
    """POST /: read the digits in the posted picture, record the answer, and give it."""
    timing = Timing()
    key, expect = idempotency_key(request), expectation(request)
    if key and (kept := records.answered(key)):
        return picture_response(request, kept)
    timing.done("lookup")
    upload = receive(request)
    timing.done("upload")
    reading = read_digits(upload.data, expect, timing)
    record = Record(
        id=new_id(),
        filename=upload.filename,
        result=reading.result,
        confidence=round(reading.confidence, 6),
        model=classifier.name,
        image_sha256=hashlib.sha256(upload.data).hexdigest(),
        glyphs=pack([digit.glyph for digit in reading.digits]) if settings.keep_glyphs else b"",
    )
    answer = answer_json(record, reading)
    if request.args.get("record") == "false":
        return picture_response(request, Kept(answer, "no"), timing)
    kept = records.add(record, key=key, answer=answer)
    timing.done("record")
    return picture_response(request, kept, timing)


def receive(request: Request) -> Upload:
    return read_upload(
        read_body(request.stream, declared=request.content_length, limit=settings.max_upload_bytes),
        content_type=request.headers.get("Content-Type", ""),
        disposition=request.headers.get("Content-Disposition", ""),
        filename=request.args.get("filename", ""),
        limit=settings.max_upload_bytes,
    )


def read_digits(data: bytes, expect: str, timing: Timing) -> Reading:
    picture = decode(data, max_pixels=settings.max_pixels)
    timing.done("decode")
    with one_reads:
        timing.done("wait")
        ink = find_ink(picture.pixels)
        timing.done("locate")
        read = partial(read_ink, expect=expect)
        lines, quarters = upright(ink, read)
        if expect != "digit" and not is_trusted(lines) and (on_sheet := find_ink_on_sheet(picture.pixels)) is not None:
            lines, quarters = max((lines, quarters), upright(on_sheet, read), key=lambda found: standing(found[0]))
        timing.done("classify")
    return as_reading(lines, lambda box: picture.place(turned_back(box, quarters, ink.shape)), expect, quarters)


def read_ink(ink: Ink, expect: str) -> Lines:
    """Lines of marks as the model sees them, cut and joined so that they are digits."""
    marks = locate(ink, expect)
    if holds_one(ink, expect):
        return [look(marks)] if marks else []
    lines = [look(line) for line in in_lines(marks)]
    if is_texture(lines):
        return []
    if expect == "number" and lines:
        lines = [max(lines, key=total_ink)]
    lines = segment(lines, look)
    return [] if only_strokes(lines) else lines


def look(marks: Sequence[Mark]) -> list[Seen]:
    glyphs = [prepare(mark.ink) for mark in marks]
    return list(map(Seen, marks, glyphs, classifier.classify(np.array(glyphs, np.uint8))))


def idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key):
        raise BadRequest("An Idempotency-Key has at most 128 visible ASCII characters.")
    return key


def expectation(request: Request) -> str:
    expect = request.args.get("expect", "auto")
    if expect not in EXPECTATIONS:
        raise BadRequest(f"expect is one of {', '.join(EXPECTATIONS)}.")
    return expect


def picture_response(request: Request, kept: Kept, timing: Timing | None = None) -> Response:
    headers = {"Server-Timing": timing.header(), "Vary": "Accept"} if timing else {"Vary": "Accept"}
    if request.accept_mimetypes.best_match(("application/json", "text/plain")) == "text/plain":
        return Response(json.loads(kept.answer)["result"] + "\n", mimetype="text/plain", headers=headers)
    return json_response(with_recorded(kept.answer, kept.recorded), headers)


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────
def list_records(request: Request) -> Response:
    """GET /records: a page of them as JSON, or all of them as CSV or NDJSON."""
    formats = {"json": "application/json", "csv": "text/csv", "ndjson": "application/x-ndjson"}
    asked = request.args.get("format")
    if asked is not None and asked not in formats:
        raise BadRequest(f"format is one of {', '.join(formats)}.")
    kind = formats[asked] if asked else request.accept_mimetypes.best_match(tuple(formats.values()))
    if kind == "text/csv":
        return streamed(records_csv(every(records)), "text/csv")
    if kind == "application/x-ndjson":
        return streamed(records_ndjson(every(records)), "application/x-ndjson")
    limit = page_size(request)
    cursor = request.args.get("cursor")
    page = records.page(limit + 1, before=from_cursor(cursor) if cursor else None)
    following = to_cursor(page[limit - 1].id) if len(page) > limit else None
    return json_response(records_json(page[:limit], following))


def page_size(request: Request) -> int:
    limit = request.args.get("limit", "50")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= LONGEST_PAGE:
        raise BadRequest(f"limit is a number from 1 to {LONGEST_PAGE}.")
    return int(limit)


def streamed(lines: Iterator[str], kind: str) -> Response:
    """The first line is made before the answer begins, so that a store that is down is a 503 and no broken file."""
    first = next(lines, "")
    return Response(chain([first], lines), mimetype=kind)


def get_record(_: Request, record_id: str) -> Response:
    return record_response(records.get(uuid.UUID(record_id)), record_id)


def correct_record(request: Request, record_id: str) -> Response:
    """PUT /records/<id>/correction: keep what the picture really said beside what was answered."""
    body = read_body(request.stream, declared=request.content_length, limit=settings.max_upload_bytes)
    try:
        correction = json.loads(body)["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequest('Send {"result": "7"}: what the picture really says.') from error
    if not isinstance(correction, str) or not CORRECTION.fullmatch(correction):
        raise BadRequest("A result is made of digits, spaces, line breaks and ?, at most 200 of them.")
    return record_response(records.correct(uuid.UUID(record_id), correction), record_id)


def record_response(record: Record | None, record_id: str) -> Response:
    if record is None:
        raise NotFound(f"There is no record {record_id}. GET /records lists what there is.")
    return json_response(record_json(record))


# ── All the rest ──────────────────────────────────────────────────────────────────────────────────────────────
def get_live(_: Request) -> Response:
    return json_response('{"status": "live"}')


def get_ready(_: Request) -> Response:
    """200 when a picture could be read and recorded now, be it in the journal; else 503 with what is missing."""
    return json_response(health_json(classifier.name, records.check()))


def get_metrics(_: Request) -> Response:
    return Response(metrics_text(records.check()), content_type="text/plain; version=0.0.4; charset=utf-8")


def get_openapi(_: Request) -> Response:
    return json_response((PACKAGE / "openapi.json").read_text())


def get_page(_: Request, name: str = "") -> Response:
    """The page's files, where nothing else serves them."""
    if settings.frontend_dir is None:
        raise NotFound(NOWHERE)
    return page_file(settings.frontend_dir, name or "index.html")


Handler = Callable[..., Response]
UUID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
ROUTES: tuple[tuple[str, dict[str, Handler]], ...] = (
    (r"/", {"GET": get_page, "POST": answer_picture}),
    (r"/records", {"GET": list_records}),
    (rf"/records/{UUID}", {"GET": get_record}),
    (rf"/records/{UUID}/correction", {"PUT": correct_record}),
    (r"/health/live", {"GET": get_live}),
    (r"/health/ready", {"GET": get_ready}),
    (r"/metrics", {"GET": get_metrics}),
    (r"/openapi\.json", {"GET": get_openapi}),
    (r"/([a-z0-9-]+\.[a-z]+)", {"GET": get_page}),
)


def find_route(path: str) -> tuple[dict[str, Handler], tuple[str, ...]]:
    for pattern, handlers in ROUTES:
        if match := re.fullmatch(pattern, path):
            return handlers, match.groups()
    raise NotFound(NOWHERE)


def allowed(handlers: dict[str, Handler]) -> str:
    return ", ".join(sorted({*handlers, "OPTIONS", *(("HEAD",) if "GET" in handlers else ())}))


def json_response(text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text + "\n", mimetype="application/json", headers=headers)


def problem_response(problem: Problem) -> Response:
    return Response(problem_json(problem), problem.status, problem.headers, mimetype="application/problem+json")


@functions_framework.errorhandler(Exception)  # type: ignore[untyped-decorator]
def unforeseen(error: Exception) -> Response:
    """What nobody thought of: the log has it all, the client only that it is not their fault."""
    drop_rest(current_request.stream)
    if getattr(error, "code", None) == 404:  # the framework keeps /favicon.ico and /robots.txt to itself
        return problem_response(NotFound("See /openapi.json for all that can be asked."))
    logging.getLogger(__name__).error("unforeseen", exc_info=error)
    return problem_response(Problem("This is a fault of the reader, not of the request. Try again later."))
