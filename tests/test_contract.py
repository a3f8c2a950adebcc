"""openapi.json is true: Schemathesis asks what it describes, rightly and wrongly, and finds nothing to complain of."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.helpers import ROOT, Service, draw_digit, encode, running_function

KEY = "open-sesame"
METHODS = ("get", "put", "post", "delete", "patch")
# Seeded, so that two runs ask the same. Links are followed as openapi.json has them; those that Schemathesis would
# guess put the id of an answer where the next request has its glyphs.
CONFIGURATION = """
seed = 1
[generation]
database = "none"
[phases.stateful.generation]
max-examples = 20
[phases.stateful.inference]
algorithms = []
"""
PHASES = {False: "examples,coverage,fuzzing,stateful", True: "examples,coverage"}  # by whether keys are needed


@pytest.fixture(scope="module", params=["open", "locked"])
def contracted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The function as `make run` starts it, without keys and with both of them."""
    keys = {"UPLOAD_KEY": KEY, "RECORDS_KEY": KEY} if request.param == "locked" else {}
    environment = {"FRONTEND_DIR": str(ROOT / "frontend"), **keys}
    with running_function(tmp_path_factory.mktemp(request.param), environment) as service:
        yield service


@pytest.fixture(scope="module")
def client(contracted: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=contracted.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").json()
    return described


@pytest.fixture(scope="module")
def is_locked(client: httpx.Client) -> bool:
    return client.get("/records").status_code == 401


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation), with values in place of the path's parameters."""
    values = {"model": "digits", "version": "0" * 12, "id": "8de543bd-e742-11f1-af9f-d93bd6bbb36d"}
    for path, item in described["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path.format(**values), item[method]


def test_it_is_valid_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_each_path_has_the_methods_that_it_describes(client: httpx.Client, described: dict[str, Any]) -> None:
    there: dict[str, set[str]] = {}
    for method, path, _ in operations(described):
        there.setdefault(path, {"OPTIONS"}).update({"GET", "HEAD"} if method == "GET" else {method})
    for path, methods in there.items():
        options, refused = (client.request(method, path) for method in ("OPTIONS", "PATCH"))
        assert (options.status_code, refused.status_code) == (204, 405)
        assert options.headers["Allow"] == refused.headers["Allow"] == ", ".join(sorted(methods)), path


def test_the_page_of_another_site_is_refused_where_it_says_so(client: httpx.Client, described: dict[str, Any]) -> None:
    for method, path, operation in operations(described):
        response = client.request(method, path, headers={"Sec-Fetch-Site": "cross-site"})
        assert (response.status_code == 403) == ("403" in operation["responses"]), (method, path)


def test_a_key_is_asked_for_where_it_says_so(
    client: httpx.Client, described: dict[str, Any], *, is_locked: bool
) -> None:
    for method, path, operation in operations(described):
        response = client.request(method, path)
        assert ("401" in operation["responses"]) == ("security" in operation)
        assert (response.status_code == 401) == (is_locked and "security" in operation), (method, path)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/records?format=csv&limit=many", None),
        ("GET", "/records?format=ndjson&cursor=none", None),
        ("GET", "/records?format=csv&from=yesterday", None),
        ("GET", "/records?format=ndjson&result=seven", None),
        ("GET", "/records?format=csv&seen=maybe", None),
        ("POST", "/?record=maybe", encode(draw_digit(7))),
        ("POST", "/", {"image": base64.b64encode(encode(draw_digit(7))).decode(), "filename": {}}),
        ("POST", "/", {"image": base64.b64encode(encode(draw_digit(7))).decode(), "filename": 7}),
    ],
)
def test_what_schemathesis_found_once_is_refused(contracted: Service, method: str, path: str, body: Any) -> None:
    sent = {"content": body} if isinstance(body, bytes) else {"json": body} if body else {}
    response = httpx.request(method, contracted.url + path, headers={"Authorization": f"Bearer {KEY}"}, **sent)
    assert response.status_code == 400, response.text


def test_schemathesis_finds_nothing(
    contracted: Service, described: dict[str, Any], tmp_path: Path, *, is_locked: bool
) -> None:
    """With all of its checks; tests/contract.py gives it pictures and glyphs."""
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    command = [str(Path(sys.executable).parent / "schemathesis"), "--no-color", "run", f"{contracted.url}/openapi.json"]
    command += ["--checks", "all", "--phases", PHASES[is_locked], "--max-examples", "10", "--continue-on-failure"]
    command += ["--warnings", "off"]  # that few of the ids that it makes up are any record's
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.contract", "PYTHONPATH": str(ROOT)}
    if is_locked:
        command += ["--header", f"Authorization: Bearer {KEY}"]
        environment["KEYS_ARE_NEEDED"] = "yes"
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    of_itself = 1  # what serves the description
    assert f"Tested: {len(list(operations(described))) - of_itself}\n" in done.stdout
