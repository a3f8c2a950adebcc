"""The Open Inference Protocol, version 2: a request's body → glyphs, their probabilities → a response's body.

https://github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md), with Triton's extension
for binary tensors (docs/protocol/extension_binary_data.md of its server): their bytes follow the JSON, whose length is
in the header Inference-Header-Content-Length.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .answer import NONE
from .classify import Glyphs, Probabilities
from .errors import BadRequest, NotFound, TooLarge
from .prepare import NOT_A_DIGIT, SIDE
from .upload import read_body

MODEL = "digits"
LENGTH = "Inference-Header-Content-Length"
MOST = 256  # glyphs in a request: reading them takes 25 ms, in which nothing else is read
MOST_BYTES = 2 * 1024 * 1024  # ten for each of their pixels; JSON can take 25 times as much memory as its text
INPUT = {"name": "glyphs", "datatype": "UINT8", "shape": [-1, SIDE, SIDE]}
OUTPUTS = {
    "digit": {"name": "digit", "datatype": "INT64", "shape": [-1]},  # -1 where it is none
    "confidence": {"name": "confidence", "datatype": "FP32", "shape": [-1]},
    "probabilities": {"name": "probabilities", "datatype": "FP32", "shape": [-1, NOT_A_DIGIT]},
}
TYPES = {"INT64": "<i8", "FP32": "<f4"}

Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Inference:
    """What is asked for: the `glyphs`, (n, 28, 28), to be read; the names of the `outputs`, each with whether it is to
    be binary; the `id` that the client has given the request, if any."""

    glyphs: Glyphs
    outputs: dict[str, bool]
    id: str | None


# ── What there is ─────────────────────────────────────────────────────────────────────────────────────────────
def server_json(version: str) -> str:
    return json.dumps({"name": "digit-reader", "version": version, "extensions": ["binary_tensor_data"]})


def model_json(version: str) -> str:
    described = {"inputs": [INPUT], "outputs": list(OUTPUTS.values())}
    return json.dumps({"name": MODEL, "versions": [version], "platform": "litert_tflite", **described})


def model_ready_json() -> str:
    return json.dumps({"name": MODEL, "ready": True})


def find_model(name: str, version: str | None, there: str) -> str:
    """The version of the model that is asked for: `there` is `<file>@<version>`. Raises `NotFound` for any other."""
    only = there.rpartition("@")[2]
    if name != MODEL or version not in (None, only):
        raise NotFound(f"The only model is {MODEL}, and its only version {only}.")
    return only


def with_error(problem: str) -> str:
    """The problem of RFC 9457 with the member that this protocol's clients read, and show."""
    members = json.loads(problem)
    return json.dumps({**members, "error": members["detail"]})


# ── Request → glyphs ──────────────────────────────────────────────────────────────────────────────────────────
def read_packed(stream: IO[bytes], *, declared: int | None, limit: int) -> bytes:
    """The request's body as it came. Raises as `read_body` does."""
    try:
        return read_body(stream, declared=declared, limit=min(limit, MOST_BYTES))
    except TooLarge as error:
        raise too_large() from error


def too_large() -> TooLarge:
    return TooLarge(f"A request has at most {MOST} glyphs, and {MOST_BYTES // 2**20} MiB. Send several.")


def read_request(packed: bytes, *, length: str | None, encoding: str) -> Inference:
    """`length` is the header Inference-Header-Content-Length, if there is one, `encoding` Content-Encoding, or empty.
    Raises `BadRequest` for what is not asked as the protocol has it, `TooLarge` for what is too large when unpacked."""
    text, binary = parted(unpacked(packed, encoding.strip().lower()), length)
    try:
        request = as_object(json.loads(text), "A request")
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"This is not JSON. Where bytes follow it, {LENGTH} is its length.") from error
    inputs, given = request.get("inputs"), request.get("id")
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise BadRequest(f"inputs is a list of one tensor: {json.dumps(INPUT)}.")
    if "id" in request and not isinstance(given, str):
        raise BadRequest("id is a string.")
    is_binary = as_flag(parameters_of(request), "binary_data_output", default=False)
    outputs = read_outputs(request.get("outputs", []), is_binary=is_binary)
    return Inference(read_glyphs(as_object(inputs[0], "An input"), binary), outputs, given)


def unpacked(packed: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return packed
    if encoding not in ("gzip", "deflate"):
        raise BadRequest("Content-Encoding is gzip or deflate, if there is one.")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either, told by its head
    try:
        whole = unpacker.decompress(packed, MOST_BYTES + 1)
    except zlib.error as error:
        raise BadRequest(f"The body is not {encoding}: {error}.") from error
    if len(whole) > MOST_BYTES:
        raise too_large()
    if not unpacker.eof or unpacker.unused_data:
        raise BadRequest(f"The body is not one whole {encoding}.")
    return whole


def parted(body: bytes, length: str | None) -> tuple[bytes, bytes]:
    """The JSON, and the bytes after it."""
    if length is None:
        return body, b""
    if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > len(body):
        raise BadRequest(
            f"{LENGTH} is the length of the JSON that the body begins with; the body has {len(body)} bytes."
        )
    return body[: int(length)], body[int(length) :]


def read_outputs(outputs: Any, *, is_binary: bool) -> dict[str, bool]:
    """All outputs if none is named."""
    if not isinstance(outputs, list):
        raise BadRequest("outputs is a list of tensors.")
    wanted = {}
    for output in (as_object(output, "An output") for output in outputs):
        name = output.get("name")
        if not isinstance(name, str) or name not in OUTPUTS:
            raise BadRequest(f"An output's name is one of {', '.join(OUTPUTS)}.")
        wanted[name] = as_flag(parameters_of(output), "binary_data", default=is_binary)
    return wanted or dict.fromkeys(OUTPUTS, is_binary)


def read_glyphs(tensor: dict[str, Any], binary: bytes) -> Glyphs:
    for key in ("name", "datatype"):
        if tensor.get(key) != INPUT[key]:
            raise BadRequest(f"The {key} of the input is {INPUT[key]}.")
    count = count_in(tensor.get("shape"))
    pixels, size = count * SIDE * SIDE, parameters_of(tensor).get("binary_data_size")
    if ("data" in tensor) == (size is not None):
        raise BadRequest("A tensor has either data or the parameter binary_data_size, with its bytes after the JSON.")
    if size is not None and (isinstance(size, bool) or size != len(binary)):
        raise BadRequest(f"binary_data_size is not {len(binary)}, but so many bytes follow the JSON.")
    data = binary if size is not None else as_bytes(tensor["data"])
    if len(data) != pixels or (binary and size is None):
        raise BadRequest(f"{count}×{SIDE}×{SIDE} are {pixels} pixels; here are {len(data)}, and {len(binary)} bytes.")
    return np.frombuffer(data, np.uint8).reshape(count, SIDE, SIDE)


def count_in(shape: Any) -> int:
    """How many glyphs there are in a tensor of this shape."""
    if not isinstance(shape, list) or shape[1:] != [SIDE, SIDE] or not are_numbers(shape) or shape[0] % 1:
        raise BadRequest(f"The shape of the input is [n, {SIDE}, {SIDE}].")
    if not 1 <= shape[0] <= MOST:
        raise BadRequest(f"A request has from 1 to {MOST} glyphs. Send several requests.")
    return int(shape[0])


def as_bytes(data: Any) -> bytes:
    """Numbers from 0 to 255 in a list, or in lists of lists, row by row."""
    try:
        while isinstance(data[0], list):
            data = list(chain.from_iterable(data))
        numbers = np.array(data if are_numbers(data) else [], np.float64)
    except (TypeError, LookupError, OverflowError):
        numbers = np.empty(0)
    if not len(numbers) or not np.all((numbers >= 0) & (numbers <= 255) & (numbers == np.floor(numbers))):
        raise BadRequest("data is a list of whole numbers from 0 to 255, flat or in lists of lists.")
    return numbers.astype(np.uint8).tobytes()


def are_numbers(values: Any) -> bool:
    return isinstance(values, list) and set(map(type, values)) <= {int, float}


def as_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRequest(f"{what} is a JSON object.")
    return value


def parameters_of(owner: dict[str, Any]) -> dict[str, Any]:
    """Those of extensions that are not spoken here are refused if what they ask for would be missed."""
    parameters = as_object(owner.get("parameters", {}), "parameters")
    if missed := [name for name in parameters if name.startswith("shared_memory") or name == "classification"]:
        raise BadRequest(f"There is no {missed[0]} here. GET /v2 lists the extensions that there are.")
    return parameters


def as_flag(parameters: dict[str, Any], name: str, *, default: bool) -> bool:
    flag = parameters.get(name, default)
    if not isinstance(flag, bool):
        raise BadRequest(f"{name} is true or false.")
    return flag


# ── Probabilities → response ──────────────────────────────────────────────────────────────────────────────────
def as_tensors(probabilities: Probabilities) -> Tensors:
    """(n, 11) → what `OUTPUTS` names, meaning what it does in the answer to POST /."""
    of_digits, none = probabilities[:, :NOT_A_DIGIT], probabilities[:, NOT_A_DIGIT]
    is_none = none >= NONE
    return {
        "digit": np.where(is_none, -1, of_digits.argmax(axis=1)),
        "confidence": np.where(is_none, none, of_digits.max(axis=1)),
        "probabilities": of_digits / of_digits.sum(axis=1, keepdims=True),
    }


def response_body(inference: Inference, probabilities: Probabilities, version: str) -> tuple[bytes, int | None]:
    """The body, and the length of the JSON in it where bytes follow."""
    tensors = as_tensors(probabilities)
    outputs, blocks = [], []
    for name, is_binary in inference.outputs.items():
        datatype = OUTPUTS[name]["datatype"]
        tensor = tensors[name].astype(TYPES[str(datatype)])
        output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": tensor.shape}
        if is_binary:
            blocks.append(tensor.tobytes())
            output["parameters"] = {"binary_data_size": tensor.nbytes}
        else:
            output["data"] = tensor.ravel().tolist()
        outputs.append(output)
    named = {} if inference.id is None else {"id": inference.id}
    head = json.dumps({"model_name": MODEL, "model_version": version, **named, "outputs": outputs}).encode()
    return head + b"".join(blocks), len(head) if blocks else None
