"""The Open Inference Protocol: Triton's own client on the running function, and bodies that no client would send."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from tritonclient.http import (  # type: ignore[import-untyped]
    InferenceServerClient,
    InferInput,
    InferRequestedOutput,
)
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]

from function.inference import LENGTH, MOST, MOST_BYTES
from tests.helpers import Service, digit_png, running_function

Glyphs = npt.NDArray[np.uint8]
PIXELS = 28 * 28
INFER = "/v2/models/digits/infer"
NAMES = ("digit", "confidence", "probabilities")
BLANK = np.zeros((1, 28, 28), np.uint8)


# ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module", params=["", "/api"], ids=["bare", "prefixed"])
def client(service: Service, request: pytest.FixtureRequest) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(urlsplit(service.url).netloc + request.param) as client:
        yield client


@pytest.fixture(scope="module")
def answered(service: Service) -> list[dict[str, Any]]:
    """What POST / says to each digit, of which it shows the glyph that the model saw."""
    urls = [f"{service.url}/?expect=digit&record=false"] * 10
    answers = [httpx.post(url, content=digit_png(digit)).json() for digit, url in enumerate(urls)]
    return [digit for answer in answers for digit in answer["digits"]]


@pytest.fixture(scope="module")
def glyphs(answered: list[dict[str, Any]]) -> Glyphs:
    seen = (base64.b64decode(digit["seen"].partition(",")[2]) for digit in answered)
    return np.array([Image.open(io.BytesIO(png)) for png in seen], np.uint8)


def tensor(glyphs: npt.NDArray[Any], *, name: str = "glyphs", binary: bool = True) -> InferInput:
    datatype = {"uint8": "UINT8", "float32": "FP32", "int64": "INT64"}[glyphs.dtype.name]
    return InferInput(name, list(glyphs.shape), datatype).set_data_from_numpy(glyphs, binary_data=binary)


def asked(**members: Any) -> dict[str, Any]:
    """A request in JSON for one blank glyph, with some `members` of its tensor other than they should be."""
    given = {"name": "glyphs", "datatype": "UINT8", "shape": [1, 28, 28], "data": [0] * PIXELS, **members}
    return {"inputs": [{name: value for name, value in given.items() if value is not ...}]}


def binary(data: bytes, size: Any = PIXELS, **members: Any) -> tuple[bytes, dict[str, str]]:
    """A request whose glyphs follow the JSON, and its headers."""
    head = json.dumps(asked(data=..., parameters={"binary_data_size": size}, **members)).encode()
    return head + data, {LENGTH: str(len(head))}


def post(service: Service, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(service.url + INFER, content=body, headers=headers)


def problem(response: httpx.Response, status: int) -> str:
    """Its detail: RFC 9457's, and once more as the protocol has it."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    members: dict[str, str] = response.json()
    assert members.keys() == {"type", "title", "status", "detail", "error"}
    assert members["error"] == members["detail"]
    return members["detail"]


# ── What Triton's client asks ─────────────────────────────────────────────────────────────────────────────────
class TestMetadata:
    def test_server_and_model_are_live_and_ready(self, client: InferenceServerClient) -> None:
        [version] = client.get_model_metadata("digits")["versions"]
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("digits")
        assert client.is_model_ready("digits", version)

    def test_another_model_or_version_is_not_ready(self, client: InferenceServerClient) -> None:
        assert not client.is_model_ready("cats")
        assert not client.is_model_ready("digits", "1")

    def test_the_server_says_which_extension_it_speaks(self, client: InferenceServerClient, service: Service) -> None:
        described = httpx.get(f"{service.url}/openapi.json").json()
        server = {"name": "digit-reader", "version": described["info"]["version"]}
        assert client.get_server_metadata() == {**server, "extensions": ["binary_tensor_data"]}
        assert httpx.get(f"{service.url}/v2/").json() == client.get_server_metadata()

    def test_the_models_version_is_the_one_of_every_answer(
        self, client: InferenceServerClient, service: Service
    ) -> None:
        answer = httpx.post(f"{service.url}/?record=false", content=digit_png(1)).json()
        model = client.get_model_metadata("digits")
        assert answer["model"].endswith(f"@{model['versions'][0]}")
        assert client.get_model_metadata("digits", model["versions"][0]) == model

    def test_what_the_metadata_names_can_be_asked_for(self, client: InferenceServerClient) -> None:
        """A client that knows nothing but the metadata."""
        model = client.get_model_metadata("digits")
        [wanted] = model["inputs"]
        shape = [3 if side == -1 else side for side in wanted["shape"]]
        given = InferInput(wanted["name"], shape, wanted["datatype"])
        given.set_data_from_numpy(np.zeros(shape, np.uint8))
        outputs = [InferRequestedOutput(output["name"]) for output in model["outputs"]]
        result = client.infer("digits", [given], outputs=outputs)
        for output in model["outputs"]:
            shape = [3 if side == -1 else side for side in output["shape"]]
            assert result.get_output(output["name"])["datatype"] == output["datatype"]
            assert list(result.as_numpy(output["name"]).shape) == shape


class TestInference:
    @pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
    @pytest.mark.parametrize("binary_out", [True, False], ids=["binary answer", "JSON answer"])
    @pytest.mark.parametrize("binary_in", [True, False], ids=["binary", "JSON"])
    def test_it_says_of_the_glyphs_what_was_said_of_the_pictures(
        self,
        client: InferenceServerClient,
        answered: list[dict[str, Any]],
        glyphs: Glyphs,
        compression: str | None,
        *,
        binary_in: bool,
        binary_out: bool,
    ) -> None:
        result = client.infer(
            "digits",
            [tensor(glyphs, binary=binary_in)],
            outputs=[InferRequestedOutput(name, binary_data=binary_out) for name in NAMES],
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        )
        assert result.as_numpy("digit").tolist() == list(range(10)) == [digit["digit"] for digit in answered]
        for name in ("confidence", "probabilities"):
            expected = np.array([digit[name] for digit in answered])
            np.testing.assert_allclose(result.as_numpy(name), expected, atol=1e-6)

    def test_each_glyph_is_read_for_itself(self, client: InferenceServerClient, glyphs: Glyphs) -> None:
        together = client.infer("digits", [tensor(glyphs)])
        for row, glyph in enumerate(glyphs):
            alone = client.infer("digits", [tensor(glyph[np.newaxis])])
            for name in NAMES:
                assert alone.as_numpy(name).tolist() == together.as_numpy(name)[row : row + 1].tolist()

    def test_what_is_no_digit_is_minus_one_and_has_that_confidence(self, client: InferenceServerClient) -> None:
        result = client.infer("digits", [tensor(BLANK)])
        assert result.as_numpy("digit").tolist() == [-1]
        assert 0.6 <= result.as_numpy("confidence")[0] <= 1
        assert result.as_numpy("probabilities").sum() == pytest.approx(1, abs=1e-6)

    def test_the_most_that_are_taken_at_once_are_read(self, client: InferenceServerClient, glyphs: Glyphs) -> None:
        many = np.resize(glyphs, (MOST, 28, 28))
        for is_binary in (True, False):
            result = client.infer("digits", [tensor(many, binary=is_binary)])
            assert result.as_numpy("digit").tolist() == [index % 10 for index in range(MOST)]

    def test_only_the_outputs_that_are_asked_for_come_in_their_order(self, client: InferenceServerClient) -> None:
        outputs = [InferRequestedOutput("confidence"), InferRequestedOutput("digit", binary_data=False)]
        response = client.infer("digits", [tensor(BLANK)], outputs=outputs).get_response()
        assert [output["name"] for output in response["outputs"]] == ["confidence", "digit"]
        assert [output.keys() & {"data", "parameters"} for output in response["outputs"]] == [{"parameters"}, {"data"}]

    def test_the_request_keeps_its_id_and_the_answer_names_the_model(self, client: InferenceServerClient) -> None:
        [version] = client.get_model_metadata("digits")["versions"]
        response = client.infer(
            "digits", [tensor(BLANK)], version, request_id="zwölf", parameters={"mine": 12}
        ).get_response()
        assert (response["id"], response["model_name"], response["model_version"]) == ("zwölf", "digits", version)
        assert "id" not in client.infer("digits", [tensor(BLANK)]).get_response()

    def test_several_at_once_get_their_own_answers(self, service: Service, glyphs: Glyphs) -> None:
        with InferenceServerClient(urlsplit(service.url).netloc, concurrency=4) as client:
            requests = [client.async_infer("digits", [tensor(glyph[np.newaxis])]) for glyph in glyphs]
            assert [request.get_result().as_numpy("digit").tolist() for request in requests] == [[i] for i in range(10)]

    @pytest.mark.parametrize("compression", [None, "gzip"])
    def test_it_works_through_nginx(self, site: str, glyphs: Glyphs, compression: str | None) -> None:
        with InferenceServerClient(f"{urlsplit(site).netloc}/api") as client:
            assert client.is_model_ready("digits")
            for is_binary in (True, False):
                result = client.infer(
                    "digits",
                    [tensor(glyphs, binary=is_binary)],
                    outputs=[InferRequestedOutput(name, binary_data=is_binary) for name in NAMES],
                    request_compression_algorithm=compression,
                    response_compression_algorithm=compression,
                )
                assert result.as_numpy("digit").tolist() == list(range(10))
                assert result.as_numpy("probabilities").shape == (10, 10)

    def test_nothing_is_recorded(self, client: InferenceServerClient, service: Service, glyphs: Glyphs) -> None:
        before = httpx.get(f"{service.url}/records").json()
        client.infer("digits", [tensor(glyphs)])
        assert httpx.get(f"{service.url}/records").json() == before


class TestRefusal:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (tensor(BLANK, name="input"), "The name of the input is glyphs"),
            (tensor(BLANK.astype(np.float32)), "The datatype of the input is UINT8"),
            (tensor(BLANK[0]), r"The shape of the input is \[n, 28, 28\]"),
            (tensor(BLANK.reshape(1, PIXELS)), r"The shape of the input is \[n, 28, 28\]"),
            (tensor(BLANK.reshape(1, 28, 28, 1)), r"The shape of the input is \[n, 28, 28\]"),
            (tensor(BLANK[:0]), f"from 1 to {MOST} glyphs"),
            (tensor(np.zeros((MOST + 1, 28, 28), np.uint8)), f"from 1 to {MOST} glyphs"),
            (tensor(np.zeros((MOST_BYTES // PIXELS, 28, 28), np.uint8), binary=False), f"at most {MOST} glyphs"),
        ],
        ids=["name", "datatype", "one glyph", "flat", "with a channel", "none", "one too many", "far too many"],
    )
    def test_another_tensor_is_told_what_it_should_be(
        self, client: InferenceServerClient, given: InferInput, words: str
    ) -> None:
        with pytest.raises(InferenceServerException, match=words) as raised:
            client.infer("digits", [given])
        assert raised.value.status() in ("400", "413")

    @pytest.mark.parametrize(("model", "version"), [("cats", ""), ("digits", "1"), ("Digits", "")])
    def test_another_model_is_told_which_there_is(
        self, client: InferenceServerClient, model: str, version: str
    ) -> None:
        with pytest.raises(
            InferenceServerException, match=r"only model is digits, and its only version [0-9a-f]{12}\."
        ):
            client.infer(model, [tensor(BLANK)], version)

    @pytest.mark.parametrize("inputs", [[], [tensor(BLANK), tensor(BLANK)]], ids=["none", "two"])
    def test_there_is_one_input(self, client: InferenceServerClient, inputs: list[InferInput]) -> None:
        with pytest.raises(InferenceServerException, match="inputs is a list of one tensor"):
            client.infer("digits", inputs)

    def test_another_output_is_told_which_there_are(self, client: InferenceServerClient) -> None:
        with pytest.raises(InferenceServerException, match="one of digit, confidence, probabilities"):
            client.infer("digits", [tensor(BLANK)], outputs=[InferRequestedOutput("logits")])

    def test_what_only_other_extensions_could_give_is_refused(self, client: InferenceServerClient) -> None:
        shared = tensor(BLANK)
        shared.set_shared_memory("region", PIXELS)
        with pytest.raises(InferenceServerException, match="no shared_memory"):
            client.infer("digits", [shared])
        with pytest.raises(InferenceServerException, match="no classification"):
            client.infer("digits", [tensor(BLANK)], outputs=[InferRequestedOutput("digit", class_count=3)])

    def test_what_is_not_spoken_is_not_found(self, client: InferenceServerClient) -> None:
        for ask in (client.get_model_repository_index, client.get_log_settings, client.get_system_shared_memory_status):
            with pytest.raises(InferenceServerException, match=r"openapi\.json") as raised:
                ask()
            assert raised.value.status() == "404"

    def test_a_key_is_asked_for_where_pictures_need_one(self, tmp_path: Path) -> None:
        with (
            running_function(tmp_path, {"UPLOAD_KEY": "open sesame"}) as service,
            InferenceServerClient(urlsplit(service.url).netloc) as client,
        ):
            with pytest.raises(InferenceServerException, match="A key is needed"):
                client.infer("digits", [tensor(BLANK)])
            result = client.infer("digits", [tensor(BLANK)], headers={"Authorization": "Bearer open sesame"})
            assert result.as_numpy("digit").tolist() == [-1]
            assert client.is_model_ready("digits")


# ── What no client would send ─────────────────────────────────────────────────────────────────────────────────
class TestBodies:
    @pytest.mark.parametrize(
        "data",
        [[0] * PIXELS, [[0] * 28] * 28, [[[0] * 28] * 28], [0.0] * PIXELS, [255.0] + [0] * (PIXELS - 1)],
        ids=["flat", "rows", "glyphs of rows", "whole numbers with a point", "one with a point"],
    )
    def test_pixels_are_flat_or_in_lists_of_lists(self, service: Service, data: Any) -> None:
        response = post(service, json.dumps(asked(data=data)).encode())
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "application/json"
        assert LENGTH not in response.headers
        assert response.json()["outputs"][0] == {"name": "digit", "datatype": "INT64", "shape": [1], "data": [-1]}

    def test_the_length_of_a_body_that_is_all_json_may_be_told(self, service: Service) -> None:
        body = json.dumps(asked()).encode()
        assert post(service, body, {LENGTH: str(len(body))}).status_code == 200

    def test_binary_outputs_follow_the_json_in_order_little_endian(self, service: Service) -> None:
        request = {**asked(), "parameters": {"binary_data_output": True}}
        response = post(service, json.dumps(request).encode())
        length = int(response.headers[LENGTH])
        head, data = json.loads(response.content[:length]), response.content[length:]
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert [output["parameters"]["binary_data_size"] for output in head["outputs"]] == [8, 4, 40]
        assert struct.unpack_from("<q", data) == (-1,)
        assert 0.6 <= struct.unpack_from("<f", data, 8)[0] <= 1
        assert sum(struct.unpack_from("<10f", data, 12)) == pytest.approx(1, abs=1e-6)
        assert len(data) == 52

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            (b"", "not JSON"),
            (b"{", "not JSON"),
            (b"\xff\xfe", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"[]", "A request is a JSON object"),
            (b"null", "A request is a JSON object"),
            (b"{}", "inputs is a list of one tensor"),
            (b'{"inputs": {}}', "inputs is a list of one tensor"),
            (b'{"inputs": ["glyphs"]}', "An input is a JSON object"),
            (b'{"inputs": [{}]}', "name of the input"),
        ],
    )
    def test_what_is_no_request_is_told_so(self, service: Service, body: bytes, word: str) -> None:
        assert word in problem(post(service, body), 400)

    @pytest.mark.parametrize(
        "data",
        [
            ...,
            None,
            0,
            "0" * PIXELS,
            {},
            {"0": 0},
            [],
            [[]],
            [[[]]],
            [0] * (PIXELS - 1),
            [0] * (PIXELS + 1),
            [0] * (PIXELS - 1) + [-1],
            [0] * (PIXELS - 1) + [256],
            [0] * (PIXELS - 1) + [10**400],
            [0] * (PIXELS - 1) + [0.5],
            [0] * (PIXELS - 1) + [float("nan")],
            [0] * (PIXELS - 1) + [float("inf")],
            [0] * (PIXELS - 1) + [True],
            [0] * (PIXELS - 1) + [None],
            [0] * (PIXELS - 1) + ["0"],
            [0] * (PIXELS - 1) + [[0]],
            [[0] * (PIXELS - 1), 0],
            [["0"] * PIXELS],
            [{"0": 0}] * PIXELS,
        ],
        ids=lambda data: str(data)[-12:],
    )
    def test_data_that_is_no_glyph_is_refused(self, service: Service, data: Any) -> None:
        problem(post(service, json.dumps(asked(data=data)).encode()), 400)

    @pytest.mark.parametrize(
        "shape",
        [
            ...,
            None,
            28,
            "1, 28, 28",
            [],
            [1, 28],
            [[1, 28, 28]],
            [-1, 28, 28],
            [1.5, 28, 28],
            [True, 28, 28],
            ["1", 28, 28],
            [None, 28, 28],
            [float("nan"), 28, 28],
            [float("inf"), 28, 28],
            [10**400, 28, 28],
            {"0": 1},
        ],
        ids=lambda shape: str(shape)[:20],
    )
    def test_a_shape_that_is_none_is_refused(self, service: Service, shape: Any) -> None:
        problem(post(service, json.dumps(asked(shape=shape)).encode()), 400)

    @pytest.mark.parametrize(
        "members",
        [
            {"id": 1},
            {"id": None},
            {"parameters": []},
            {"parameters": None},
            {"parameters": {"binary_data_output": "true"}},
            {"outputs": {}},
            {"outputs": None},
            {"outputs": ["digit"]},
            {"outputs": [{}]},
            {"outputs": [{"name": ["digit"]}]},
            {"outputs": [{"name": "digit", "parameters": 1}]},
            {"outputs": [{"name": "digit", "parameters": {"binary_data": 1}}]},
            {"outputs": [{"name": "digit"}, {"name": "logits"}]},
        ],
        ids=str,
    )
    def test_members_of_another_type_are_refused(self, service: Service, members: dict[str, Any]) -> None:
        problem(post(service, json.dumps({**asked(), **members}).encode()), 400)

    @pytest.mark.parametrize(
        ("data", "size"),
        [
            (bytes(PIXELS), PIXELS - 1),
            (bytes(PIXELS), PIXELS + 1),
            (bytes(PIXELS - 1), PIXELS - 1),
            (bytes(PIXELS + 1), PIXELS + 1),
            (bytes(PIXELS - 1), PIXELS),
            (b"", PIXELS),
            (b"", 0),
            (bytes(1), True),
            (bytes(PIXELS), str(PIXELS)),
            (bytes(PIXELS), -PIXELS),
            (bytes(PIXELS), 10**400),
        ],
        ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else str(value)[:10],
    )
    def test_bytes_of_another_number_than_is_said_are_refused(self, service: Service, data: bytes, size: Any) -> None:
        problem(post(service, *binary(data, size)), 400)

    @pytest.mark.parametrize(
        "length",
        ["", "0", "1", "-1", "1e2", "1.5", "0x10", "ten", "1 2", "99999", "9" * 5000, "\xb2"],
        ids=lambda length: str(length)[:5],
    )
    def test_a_length_of_the_json_that_is_none_is_refused(self, service: Service, length: str) -> None:
        body, _ = binary(bytes(PIXELS))
        headers = [(LENGTH.encode(), length.encode("latin-1"))]
        problem(httpx.post(service.url + INFER, content=body, headers=headers), 400)

    def test_bytes_that_nothing_asked_for_are_refused(self, service: Service) -> None:
        body = json.dumps(asked()).encode()
        assert "1 bytes" in problem(post(service, body + b"\0", {LENGTH: str(len(body))}), 400)

    def test_a_tensor_has_data_or_bytes_and_not_both(self, service: Service) -> None:
        head = json.dumps(asked(parameters={"binary_data_size": PIXELS})).encode()
        assert "either data" in problem(post(service, head + bytes(PIXELS), {LENGTH: str(len(head))}), 400)

    @pytest.mark.parametrize(
        ("body", "encoding"),
        [
            (b"{}", "gzip"),
            (b"", "deflate"),
            (gzip.compress(json.dumps(asked()).encode())[:-9], "gzip"),
            (gzip.compress(json.dumps(asked()).encode()) + b"more", "gzip"),
            (json.dumps(asked()).encode(), "br"),
            (gzip.compress(gzip.compress(json.dumps(asked()).encode())), "gzip, gzip"),
        ],
        ids=["not packed", "nothing", "cut off", "more than one", "packed otherwise", "packed twice"],
    )
    def test_what_cannot_be_unpacked_is_refused(self, service: Service, body: bytes, encoding: str) -> None:
        problem(post(service, body, {"Content-Encoding": encoding}), 400)

    @pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
    def test_a_body_that_is_small_only_when_packed_is_too_large(self, service: Service, pack: Any) -> None:
        body = pack(bytes(64 * MOST_BYTES))
        assert len(body) < MOST_BYTES
        assert f"at most {MOST} glyphs" in problem(post(service, body, {"Content-Encoding": "gzip"}), 413)

    def test_a_body_that_is_too_large_is_refused(self, service: Service) -> None:
        assert f"at most {MOST} glyphs" in problem(post(service, bytes(2 * MOST_BYTES)), 413)

    @pytest.mark.parametrize(
        "path", ["/v2/nowhere", "/api/v2/models", "/v2/models/digits/", "/v2/models/digits/infer/"]
    )
    def test_there_is_nothing_anywhere_else(self, service: Service, path: str) -> None:
        problem(httpx.get(service.url + path), 404)

    def test_another_method_is_told_which_there_are(self, service: Service) -> None:
        response = httpx.get(service.url + INFER)
        assert response.headers["Allow"] == "OPTIONS, POST"
        problem(response, 405)

    def test_the_page_of_another_site_may_not_ask(self, service: Service) -> None:
        problem(post(service, json.dumps(asked()).encode(), {"Sec-Fetch-Site": "cross-site"}), 403)
