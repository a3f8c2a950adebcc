"""The HTTP function `recognise`: where requests go, and the way of a picture. The only wiring.

upload → decode → ink → locate → lines → prepare → classify → segment → turn → record → answer
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from types import ModuleType
from typing import cast

# OpenBLAS, which NumPy brings, starts a thread for each core as it is imported: they take time and memory, and the
# pictures here are too small to share. In place of PEP 8's order, before NumPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Likewise its docstrings, which it sets one by one: a sixth of its import, and nobody reads them here.
if "numpy" not in sys.modules:
    sys.modules["numpy._core._add_newdocs"] = sys.modules["numpy._core._add_newdocs_scalars"] = ModuleType("unread")

import functions_framework
import numpy as np
from flask import Request, Response, g
from flask import request as current_request

from .access import check_key, check_site, cors_headers
from .answer import (
    Reading,
    answer_json,
    as_reading,
    health_json,
    problem_json,
    record_json,
    records_csv,
    records_json,
    records_ndjson,
    with_recorded,
)
from .classify import Classifier
from .decode import CLOSE_SIDE, Picture, Pixels, decode
from .errors import BadRequest, Busy, MethodNotAllowed, NotFound, Problem, TooLarge, Unavailable, Unreadable
from .exchange import Exchange
from .gate import Gate
from .ink import Ink, find_ink, find_sheet, ink_on_sheet
from .lines import in_lines
from .locate import EXPECTATIONS, Mark, holds_one, locate
from .log import configure, request_line
from .metrics import CONTENT_TYPE, Metrics
from .prepare import prepare
from .records import Kept, Record, as_result, from_cursor, new_id, open_records, pack, to_cursor
from .seen import (
    Lines,
    Seen,
    are_small,
    is_nothing,
    is_one_digit,
    is_texture,
    is_trusted,
    only_strokes,
    standing,
    total_ink,
    without_edges,
    without_words,
)
from .segment import cut_alone, segment
from .settings import PACKAGE, read_settings
from .timing import Timing
from .trace import exporter, take_up
from .turn import turned_back, upright
from .upload import Upload, drop_rest, read_body, read_upload
from .worker import install, waited

KEY = re.compile(r"[!-~]{0,128}")
LONGEST_CORRECTION = 2**20  # bytes: far more than 200 characters take
LONGEST_PAGE = 1000
DOWNLOADS = 2  # of all records, that a process sends at once
WORTHWHILE = 1.25  # times as large as it was read a picture has to be, to be read closer
NOWHERE = "POST a picture to /, or see /openapi.json for all that can be asked."

log = logging.getLogger(__name__)
try:
    settings = read_settings()
    classifier = Classifier(settings.model_path)  # before the fork: every worker has it, and none waits for it
    records = open_records(settings)  # opens nothing yet: no connection survives a fork …
except (ValueError, OSError) as error:
    sys.exit(f"The function cannot start: {error}. python -m function.doctor says more.")
configure(settings.google_cloud_project)
metrics = Metrics()  # of all workers, which share it
traces = exporter(settings.exports_traces)
gate = Gate(settings.max_in_flight)
downloads = threading.BoundedSemaphore(DOWNLOADS)
one_reads = threading.Lock()  # threads that all want the interpreter's lock spend half their time on giving it away
os.register_at_fork(after_in_child=records.start)  # … after which each worker forwards what an earlier one left


def warn(addresses: list[str]) -> None:
    public = [address for address in addresses if not address.startswith("127.") and address != "::1"]
    if public and not settings.records_key:
        log.warning("Whoever reaches %s can read and correct all records: set RECORDS_KEY.", ", ".join(public))


install(listens=warn)


@functions_framework.http
def recognise(request: Request) -> Response:
    """Answer any request, with or without the prefix /api, and tell what became of it."""
    exchange = exchanged(request)
    try:
        response = respond(request, exchange)
    except Problem as problem:
        response = problem_response(problem, exchange)
    return told(exchange, response)


def exchanged(request: Request) -> Exchange:
    """All that there is to know of this request so far."""
    exchange: Exchange | None = g.get("exchange")
    if exchange is None:
        trace = take_up(request.headers, samples=traces is not None)
        exchange = Exchange(request.method, request.path, trace, waited(), bytes_in=request.content_length or 0)
        g.exchange = exchange
    return exchange


def told(exchange: Exchange, response: Response) -> Response:
    """To the client, the log, the metrics and the traces."""
    drop_rest(current_request.stream)
    response.headers.update(exchange.trace.headers())
    if settings.allowed_origins:
        response.headers.update(cors_headers(current_request.headers.get("Origin", ""), settings.allowed_origins))
        response.vary.add("Origin")
    exchange.end(response.status_code)
    request_line(exchange)
    metrics.record(exchange)
    if traces:
        traces.export(exchange)
    return response


def respond(request: Request, exchange: Exchange) -> Response:
    handlers, arguments = find_route(re.sub(r"^/api(?=/|$)", "", request.path) or "/")
    method = "GET" if request.method == "HEAD" else request.method
    if method == "OPTIONS":
        return Response(status=204, headers={"Allow": allowed(handlers)})
    if method not in handlers:
        raise MethodNotAllowed(f"Use {allowed(handlers)}.", headers={"Allow": allowed(handlers)})
    if method != "GET":
        check_site(cast("Mapping[str, str]", request.headers), settings.allowed_origins)
    exchange.route = NAMES[handlers[method]]
    return handlers[method](request, *arguments)


# ── The way of a picture ──────────────────────────────────────────────────────────────────────────────────────
def answer_picture(request: Request) -> Response:
    """POST /: read the digits in the posted picture, record the answer, and give it."""
    exchange, timing = exchanged(request), Timing()
    exchange.timing = timing
    gate.turn_away_the_late(exchange.waited)
    needs_key(request, settings.upload_key, "upload")
    key, expect, is_preview = idempotency_key(request), expectation(request), asks_for_preview(request)
    if key and (kept := records.answered(key)):
        return repeated(request, kept)
    timing.done("lookup")
    upload = receive(request)
    timing.done("upload")
    with gate.passed(exchange.waited):
        timing.done("wait")
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
    exchange.read(record.result, record.confidence)
    if is_preview:
        return picture_response(request, Kept(answer, "no"), "preview")
    kept = records.add(record, key=key, answer=answer)
    timing.done("record")
    return picture_response(request, kept, kept.recorded)


def repeated(request: Request, kept: Kept) -> Response:
    """The answer that was given before."""
    before = json.loads(kept.answer)
    exchanged(request).read(before["result"], before["confidence"])
    return picture_response(request, kept, "repeated")


def needs_key(request: Request, key: str, realm: str) -> None:
    check_key(request.headers.get("Authorization", ""), key, realm)


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
        ink = find_ink(picture.pixels)
        timing.done("locate")
        first = glance(ink, expect)
        is_small = are_small(first) and picture.reduction > WORTHWHILE
        lines, quarters = (first, 0) if is_small else read_lines(picture.pixels, ink, first, expect)
        timing.done("classify")
    if is_small:
        picture, lines, quarters = read_closer(data, picture, ink, first, expect)
        timing.done("closer")
    shape = picture.pixels.shape
    return as_reading(lines, lambda box: picture.place(turned_back(box, quarters, shape)), expect, quarters)


def read_closer(data: bytes, picture: Picture, ink: Ink, first: Lines, expect: str) -> tuple[Picture, Lines, int]:
    """What is read from near by, or from afar if nearness fails, or shows less than the `first` glance from afar."""
    with suppress(Unreadable, MemoryError):
        closer = decode(data, max_pixels=settings.max_pixels, side=CLOSE_SIDE)
        with one_reads:
            fine = find_ink(closer.pixels)
            lines, quarters = read_lines(closer.pixels, fine, glance(fine, expect), expect)
        if standing(lines) >= standing(first):
            return closer, lines, quarters
    with one_reads:
        return picture, *read_lines(picture.pixels, ink, first, expect)


def read_lines(pixels: Pixels, ink: Ink, first: Lines, expect: str) -> tuple[Lines, int]:
    """What a `first` glance at the ink becomes, with the quarters counter-clockwise by which the picture was turned."""
    if expect == "digit":  # one digit does not tell which way is up
        return refined(ink, first, expect), 0
    lines, quarters = read_upright(ink, first, expect)
    return (lines, quarters) if holds_one(ink, expect) else read_sheet(pixels, lines, quarters, expect)


def read_sheet(pixels: Pixels, lines: Lines, quarters: int, expect: str) -> tuple[Lines, int]:
    """What was read in all of a picture, without the edges of a sheet in it; or what is read on that alone, if it is
    more."""
    found = find_sheet(pixels)
    if found is None:
        return lines, quarters
    sheet, ends = found
    on_it = without_edges(lines, np.rot90(sheet, quarters)) if ends else lines
    if on_it == lines and is_trusted(lines):
        return lines, quarters
    ink = ink_on_sheet(pixels, sheet)
    alone, turned = read_upright(ink, glance(ink, expect), expect)
    alone = without_edges(alone, np.rot90(sheet, turned))
    if alone and not ends:  # there may be more of it in the shadow
        return lines, quarters
    return (alone, turned) if standing(alone) > standing(lines) else (on_it or lines, quarters)


def read_upright(ink: Ink, first: Lines, expect: str) -> tuple[Lines, int]:
    return upright(ink, first, partial(glance, expect=expect), partial(refined, expect=expect))


def read_ink(ink: Ink, expect: str) -> Lines:
    return refined(ink, glance(ink, expect), expect)


def refined(ink: Ink, lines: Lines, expect: str) -> Lines:
    """Lines of marks as the model saw them at first, cut and joined so that they are digits."""
    if holds_one(ink, expect):
        if is_nothing(lines) and not holds_one(ink, "auto"):
            others = read_ink(ink, "auto")  # what stood out may have been a shadow, or the edge of the paper
            return others if is_one_digit(others) else lines
        return lines
    lines = segment([without_words(line, partial(cut_alone, look=look)) for line in lines], look)
    return [] if only_strokes(lines) else lines


def glance(ink: Ink, expect: str) -> Lines:
    """Lines of marks as the model sees them at first."""
    marks = locate(ink, expect)
    if holds_one(ink, expect):
        return [look(marks)] if marks else []
    lines = [look(line) for line in in_lines(marks)]
    if is_texture(lines):
        return []
    return [max(lines, key=total_ink)] if expect == "number" and lines else lines


def look(marks: Sequence[Mark]) -> list[Seen]:
    glyphs = [prepare(mark.whole) for mark in marks]
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


def asks_for_preview(request: Request) -> bool:
    return not is_true(request, "record", "true")


def is_true(request: Request, name: str, default: str) -> bool:
    """What the query says of `name`."""
    told = request.args.get(name, default)
    if told not in ("true", "false"):
        raise BadRequest(f"{name} is true or false.")
    return told == "true"


def picture_response(request: Request, kept: Kept, outcome: str) -> Response:
    exchange = exchanged(request)
    exchange.outcome, exchange.recorded = outcome, kept.recorded
    timing = {"Server-Timing": exchange.timing.header()} if exchange.timing and exchange.steps else {}
    headers = {**timing, "Vary": "Accept"}
    if request.accept_mimetypes.best_match(("application/json", "text/plain")) == "text/plain":
        return Response(json.loads(kept.answer)["result"] + "\n", mimetype="text/plain", headers=headers)
    return json_response(with_recorded(kept.answer, kept.recorded), headers)


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────
def list_records(request: Request) -> Response:
    """GET /records: a page of those that are asked for as JSON, or all of them as CSV or NDJSON."""
    needs_key(request, settings.records_key, "records")
    from .records.listing import find, find_all, read_wanted  # a cold start does without it

    kind, limit, cursor = asked_format(request), page_size(request), request.args.get("cursor")
    wanted, shows_seen = read_wanted(request.args), is_true(request, "seen", "false")
    after = from_cursor(cursor) if cursor else None
    if kind == "text/csv":
        return streamed(records_csv(find_all(records, wanted)), kind)
    if kind == "application/x-ndjson":
        return streamed(records_ndjson(find_all(records, wanted)), kind)
    page, last = find(records, wanted, limit, after)
    return json_response(records_json(page, to_cursor(last) if last else None, shows_seen=shows_seen))


def asked_format(request: Request) -> str | None:
    formats = {"json": "application/json", "csv": "text/csv", "ndjson": "application/x-ndjson"}
    asked = request.args.get("format")
    if asked is not None and asked not in formats:
        raise BadRequest(f"format is one of {', '.join(formats)}.")
    return formats[asked] if asked else request.accept_mimetypes.best_match(tuple(formats.values()))


def page_size(request: Request) -> int:
    limit = request.args.get("limit", "50")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= LONGEST_PAGE:
        raise BadRequest(f"limit is a number from 1 to {LONGEST_PAGE}.")
    return int(limit)


def streamed(lines: Iterator[str], kind: str) -> Response:
    """The first line is made before the answer begins, so that a store that is down is a 503 and no broken file.

    Whoever reads slowly holds a thread: only so many may, or nobody else would be answered.
    """
    if not downloads.acquire(blocking=False):
        raise Busy
    try:
        first = next(lines, "")
    except BaseException:
        downloads.release()
        raise
    response = Response(chain([first], lines), mimetype=kind)
    response.call_on_close(downloads.release)
    return response


def get_record(request: Request, record_id: str) -> Response:
    needs_key(request, settings.records_key, "records")
    return record_response(records.get(uuid.UUID(record_id)), record_id)


def correct_record(request: Request, record_id: str) -> Response:
    """PUT /records/<id>/correction: keep what the picture really said beside what was answered."""
    needs_key(request, settings.records_key, "records")
    try:
        body = read_body(request.stream, declared=request.content_length, limit=LONGEST_CORRECTION)
        correction = json.loads(body)["result"]
    except TooLarge as error:
        raise TooLarge('A correction is {"result": "7"}, of at most 200 characters.') from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequest('Send {"result": "7"}: what the picture really says.') from error
    return record_response(records.correct(uuid.UUID(record_id), as_result(correction)), record_id)


def take_back_correction(request: Request, record_id: str) -> Response:
    """DELETE /records/<id>/correction: nobody says any more that the answer was wrong, or right."""
    needs_key(request, settings.records_key, "records")
    return record_response(records.correct(uuid.UUID(record_id), None), record_id)


def record_response(record: Record | None, record_id: str) -> Response:
    if record is None:
        raise NotFound(f"There is no record {record_id}. GET /records lists what there is.")
    return json_response(record_json(record))


# ── The Open Inference Protocol ───────────────────────────────────────────────────────────────────────────────
def protocol() -> ModuleType:
    from . import inference  # a cold start does without it

    return inference


def get_server(_: Request) -> Response:
    return json_response(protocol().server_json(json.loads((PACKAGE / "openapi.json").read_text())["info"]["version"]))


def get_server_live(_: Request) -> Response:
    return json_response('{"live": true}')


def get_server_ready(_: Request) -> Response:
    """That glyphs can be read: nothing else is needed for it, and without a model there is no process."""
    return json_response('{"ready": true}')


def get_model(_: Request, name: str, version: str | None) -> Response:
    return json_response(protocol().model_json(protocol().find_model(name, version, classifier.name)))


def get_model_ready(_: Request, name: str, version: str | None) -> Response:
    protocol().find_model(name, version, classifier.name)
    return json_response(protocol().model_ready_json())


def infer(request: Request, name: str, version: str | None) -> Response:
    """POST /v2/models/digits/infer: what the model makes of glyphs. Nothing is recorded."""
    inference = protocol()
    needs_key(request, settings.upload_key, "upload")
    version = inference.find_model(name, version, classifier.name)
    packed = inference.read_packed(request.stream, declared=request.content_length, limit=settings.max_upload_bytes)
    with gate.passed(exchanged(request).waited):
        asked = inference.read_request(
            packed,
            length=request.headers.get(inference.LENGTH),
            encoding=request.headers.get("Content-Encoding", ""),
        )
        with one_reads:
            probabilities = classifier.classify(asked.glyphs)
    body, length = inference.response_body(asked, probabilities, version)
    if length is None:
        return Response(body, mimetype="application/json")
    return Response(body, mimetype="application/octet-stream", headers={inference.LENGTH: str(length)})


# ── All the rest ──────────────────────────────────────────────────────────────────────────────────────────────
def get_live(_: Request) -> Response:
    return json_response('{"status": "live"}')


def get_ready(_: Request) -> Response:
    """200 when a picture could be read and recorded now, be it in the journal; else 503 with what is missing."""
    return json_response(health_json(classifier.name, records.check()))


def get_metrics(_: Request) -> Response:
    state = None
    with suppress(Unavailable):
        state = records.check()
    return Response(metrics.text(state, classifier.name), content_type=CONTENT_TYPE)


def get_openapi(_: Request) -> Response:
    return json_response((PACKAGE / "openapi.json").read_text())


def get_page(_: Request, name: str = "") -> Response:
    """The page's files, where nothing else serves them."""
    if settings.frontend_dir is None:
        raise NotFound(NOWHERE)
    from .page import page_file  # a cold start does without it

    return page_file(settings.frontend_dir, name or "index.html")


Handler = Callable[..., Response]
NAMES: dict[Handler, str] = {
    answer_picture: "picture",
    list_records: "records",
    get_record: "record",
    **dict.fromkeys((correct_record, take_back_correction), "correction"),
    **dict.fromkeys((get_live, get_ready, get_server_live, get_server_ready, get_model_ready), "health"),
    get_metrics: "metrics",
    get_openapi: "openapi",
    get_page: "page",
    **dict.fromkeys((get_server, get_model, infer), "inference"),
}  # in the log and the metrics
MODEL = r"([^/]+)(?:/versions/([^/]+))?"
UUID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
ROUTES: tuple[tuple[str, dict[str, Handler]], ...] = (
    (r"/", {"GET": get_page, "POST": answer_picture}),
    (r"/records", {"GET": list_records}),
    (rf"/records/{UUID}", {"GET": get_record}),
    (rf"/records/{UUID}/correction", {"PUT": correct_record, "DELETE": take_back_correction}),
    (r"/v2/?", {"GET": get_server}),
    (r"/v2/health/live", {"GET": get_server_live}),
    (r"/v2/health/ready", {"GET": get_server_ready}),
    (rf"/v2/models/{MODEL}", {"GET": get_model}),
    (rf"/v2/models/{MODEL}/ready", {"GET": get_model_ready}),
    (rf"/v2/models/{MODEL}/infer", {"POST": infer}),
    (r"/health/live", {"GET": get_live}),
    (r"/health/ready", {"GET": get_ready}),
    (r"/metrics", {"GET": get_metrics}),
    (r"/openapi\.json", {"GET": get_openapi}),
    (r"/([a-z0-9-]+\.[a-z]+)", {"GET": get_page}),
)


def find_route(path: str) -> tuple[dict[str, Handler], tuple[str | None, ...]]:
    for pattern, handlers in ROUTES:
        if match := re.fullmatch(pattern, path):
            return handlers, match.groups()
    raise NotFound(NOWHERE)


def allowed(handlers: dict[str, Handler]) -> str:
    return ", ".join(sorted({*handlers, "OPTIONS", *(("HEAD",) if "GET" in handlers else ())}))


def json_response(text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text + "\n", mimetype="application/json", headers=headers)


def problem_response(problem: Problem, exchange: Exchange) -> Response:
    exchange.outcome = problem.slug
    text = problem_json(problem)
    if re.match(r"(/api)?/v2(/|$)", current_request.path):
        text = protocol().with_error(text)
    return Response(text, problem.status, problem.headers, mimetype="application/problem+json")


@functions_framework.errorhandler(Exception)  # type: ignore[untyped-decorator]
def unforeseen(error: Exception) -> Response:
    """What nobody thought of: the log has it, the client only that it is not their fault."""
    exchange = exchanged(current_request)
    if getattr(error, "code", None) == 404:  # the framework keeps /favicon.ico and /robots.txt to itself
        return told(exchange, problem_response(NotFound("See /openapi.json for all that can be asked."), exchange))
    log.error("unforeseen", exc_info=error)
    fault = Problem("This is a fault of the reader, not of the request. Try again later.")
    return told(exchange, problem_response(fault, exchange))
