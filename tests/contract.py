"""What Schemathesis loads to ask the function as openapi.json says: pictures, glyphs, and what no schema can say.

A schema cannot say that bytes are a picture, that there are as many pixels as the shape says, or that a header is the
length of the JSON in the body. Where all of a request is meant to be right, this makes it so; what is meant to be wrong
stays as it is.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from tests.helpers import digit_png, draw_digit, encode

LENGTH = "Inference-Header-Content-Length"
PIXELS = 28 * 28


@schemathesis.hook
def map_case(_: HookContext, case: Case[Any]) -> Case[Any]:
    if case.operation.path == "/":
        make_recorded(case)
        make_new(case)
    if case.operation.path.endswith("/infer"):
        make_consistent(case)
    return case


def is_right(case: Case[Any], location: ParameterLocation) -> bool:
    return not (case.meta and case.meta.is_negative_at(location))


# ── Pictures ──────────────────────────────────────────────────────────────────────────────────────────────────
pictures = st.sampled_from([digit_png(digit) for digit in range(10)] + [encode(draw_digit(7), "JPEG")])
schemathesis.openapi.media_type("image/png", pictures, aliases=["image/gif", "image/jpeg", "image/webp"])
schemathesis.openapi.format("picture", pictures.map(lambda picture: base64.b64encode(picture).decode()))


def make_recorded(case: Case[Any]) -> None:
    """Where links are followed: of a preview, the link to its record leads nowhere."""
    if case.meta and case.meta.phase.name == TestPhase.STATEFUL and case.query.get("record") == "false":
        del case.query["record"]


def make_new(case: Case[Any]) -> None:
    """What is wrong: under a key that was answered, the answer would come again, whatever the body is."""
    if not is_right(case, ParameterLocation.BODY) and is_right(case, ParameterLocation.HEADER):
        case.headers.pop("Idempotency-Key", None)


# ── Glyphs ────────────────────────────────────────────────────────────────────────────────────────────────────
def binary_request(count: int, **members: Any) -> bytes:
    size = {"binary_data_size": count * PIXELS}
    glyphs = {"name": "glyphs", "datatype": "UINT8", "shape": [count, 28, 28], "parameters": size}
    return json.dumps({"inputs": [glyphs], **members}).encode() + bytes(count * PIXELS)


schemathesis.openapi.media_type(
    "application/octet-stream",
    st.sampled_from(
        [
            binary_request(1),
            binary_request(3, id="three", parameters={"binary_data_output": True}),
            binary_request(2, outputs=[{"name": "digit"}, {"name": "confidence", "parameters": {"binary_data": True}}]),
        ]
    ),
)


def make_consistent(case: Case[Any]) -> None:
    """As many pixels as the shape says; the header for what is binary, and for nothing else."""
    body: Any = case.body
    if is_right(case, ParameterLocation.HEADER):
        case.headers.pop(LENGTH, None)
        if isinstance(body, bytes) and is_right(case, ParameterLocation.BODY):
            case.headers[LENGTH] = str(body.rindex(b"}") + 1)
    if isinstance(body, dict) and is_right(case, ParameterLocation.BODY):
        [glyphs] = body["inputs"]
        glyphs["data"] = [pixel % 256 for pixel in range(int(glyphs["shape"][0]) * PIXELS)]


@schemathesis.deserializer("application/octet-stream")
def as_json(_: Any, response: Response) -> Any:
    return json.loads(response.content[: int(response.headers[LENGTH.lower()][0])])


@schemathesis.deserializer("text/csv", "application/x-ndjson")
def as_text(_: Any, response: Response) -> str:
    return response.text


# ── Keys ──────────────────────────────────────────────────────────────────────────────────────────────────────
@schemathesis.hook
def before_load_schema(_: HookContext, schema: dict[str, Any]) -> None:
    """openapi.json says that a key may be needed; where one has been set, it is."""
    for path in schema["paths"].values() if "KEYS_ARE_NEEDED" in os.environ else ():
        for operation in path.values():
            if "security" in operation:
                operation["security"].remove({})
