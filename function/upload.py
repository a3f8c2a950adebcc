"""Request → (filename, bytes of the picture), never more than the limit."""

from __future__ import annotations

import base64
import binascii
import io
import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from string import whitespace
from typing import IO, cast

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from .errors import BadRequest, TooLarge
from .settings import ENVELOPE

BLOCK = 64 * 1024
LONGEST_FIELD = 128 * 1024  # bytes, and likewise what is said about a part: more takes long to parse
MOST_PARTS = 32
MOST_VALUES = 1000  # commas in JSON: more values take thirty times the memory of their text
LONGEST_NAME = 255
UNNAMED = "unnamed"
NOT_WHOLE = "The body did not arrive whole. Send it again."
HOW_TO_SEND = "Send one, for example: curl -F image=@9.png"
HOW_TO_SEND_JSON = 'Send {"image": "<the picture in base64, or a data URL>", "filename": "9.png"}.'


@dataclass(frozen=True)
class Upload:
    filename: str
    data: bytes


def read_body(stream: IO[bytes], *, declared: int | None, limit: int) -> bytes:
    """The whole body, declared or chunked. Raises `TooLarge` before more than `limit` and an envelope is held, and
    `BadRequest` if it does not arrive whole."""
    most = limit + ENVELOPE
    body = io.BytesIO()
    if declared is None or declared <= most:
        while body.tell() <= most and (block := read_block(stream)):
            body.write(block)
    if body.tell() > most or (declared or 0) > most:
        raise too_large(limit)
    if body.tell() < (declared or 0):
        raise BadRequest(NOT_WHOLE)
    return body.getvalue()  # which, unlike that of a bytearray, is no copy


def read_block(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(BLOCK)
    except Exception as error:  # each server has its own for a broken body
        raise BadRequest(NOT_WHOLE) from error


def drop_rest(stream: IO[bytes]) -> None:
    """Read what nobody asked for, holding none of it: the server would wait for it after the answer, holding a thread,
    and the framework would keep all of it in memory."""
    with suppress(BadRequest):
        while read_block(stream):
            pass


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The limit is {limit / 2**20:g} MiB. Send a smaller picture.")


def read_upload(body: bytes, *, content_type: str, disposition: str, filename: str, limit: int) -> Upload:
    """The picture in a body that is multipart, JSON or the picture itself, and what it is called.

    `disposition` is the header Content-Disposition, `filename` the query's; either may be empty. Raises `BadRequest`
    for a body without a picture, `TooLarge` for a picture above `limit`.
    """
    if not body:
        raise BadRequest(f"The body is empty: there is no picture in it. {HOW_TO_SEND}")
    kind, options = parse_options_header(content_type)
    if kind == "multipart/form-data":
        upload = from_multipart(body, options.get("boundary", ""))
    elif kind == "application/json":
        upload = from_json(body)
    else:
        name = parse_options_header(disposition)[1].get("filename", "")
        upload = Upload(name, body)
    if not upload.data:
        raise BadRequest(f"The picture is empty. {HOW_TO_SEND}")
    if len(upload.data) > limit:
        raise too_large(limit)
    return Upload(clean(filename or upload.filename), upload.data)


def from_multipart(body: bytes, boundary: str) -> Upload:
    """The first file part, whatever its name."""
    parser = FormDataParser(
        stream_factory=lambda *_, **__: io.BytesIO(),
        silent=False,
        max_form_parts=MOST_PARTS,
        max_form_memory_size=LONGEST_FIELD,
    )
    try:
        _, _, files = parser.parse(io.BytesIO(body), "multipart/form-data", len(body), {"boundary": boundary})
    except ValueError as error:
        raise BadRequest(f"The multipart body is broken: {error}. {HOW_TO_SEND}") from error
    except RequestEntityTooLarge as error:
        raise BadRequest(f"There is too much in the form beside a file. {HOW_TO_SEND}") from error
    for file in files.values():
        return Upload(file.filename or "", cast(io.BytesIO, file.stream).getvalue())
    raise BadRequest(f"There is no file among the parts of the form. {HOW_TO_SEND}")


def from_json(body: bytes) -> Upload:
    """`{"image": "<base64 or data URL>", "filename": "…"}`."""
    if body.count(b",") > MOST_VALUES:
        raise BadRequest(HOW_TO_SEND_JSON)
    try:
        fields = json.loads(body)
        image, filename = fields["image"].encode("ascii"), fields.get("filename")
        coded = image.partition(b",")[2] if image.startswith(b"data:") else image
        data = base64.b64decode(coded.translate(None, whitespace.encode()), validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise BadRequest(HOW_TO_SEND_JSON) from error
    if not isinstance(filename, str | None):
        raise BadRequest(HOW_TO_SEND_JSON)
    return Upload(filename or "", data)


def clean(filename: str) -> str:
    """The bare name, without folders and control characters, of at most 255 characters."""
    bare = filename[filename.rfind("/") + 1 :]
    bare = bare[bare.rfind("\\") + 1 :]
    printable = "".join(islice(filter(str.isprintable, bare.lstrip()), LONGEST_NAME))
    return printable.strip() or UNNAMED
