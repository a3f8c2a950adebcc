"""Who may do what: keys, pages of other sites, and what is warned of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from function.access import check_key, check_site, cors_headers
from function.errors import Forbidden, Unauthorised
from tests.helpers import Service, digit_png, running_function
from tests.nginx import running_nginx

MINE, OTHERS = "https://mine.example", "https://others.example"
UPLOAD, RECORDS = "key of uploads", "ключ"
PICTURE = digit_png(7)
EVERYWHERE = "0.0.0.0"  # noqa: S104


def bearing(key: str) -> Any:  # bytes, as httpx takes them and does not say
    return {"Authorization": f"Bearer {key}".encode()}


# ── Keys ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    keys = {"UPLOAD_KEY": UPLOAD, "RECORDS_KEY": RECORDS, "ALLOWED_ORIGINS": MINE}
    with running_function(tmp_path_factory.mktemp("locked"), keys) as service:
        yield service


@pytest.fixture(scope="module")
def record(locked: Service) -> str:
    """The id of one that is there."""
    return str(httpx.post(locked.url, content=PICTURE, headers=bearing(UPLOAD)).raise_for_status().json()["id"])


GUARDED = [
    ("POST", "/", "upload"),
    ("POST", "/?record=false", "upload"),
    ("POST", "/api/", "upload"),
    ("POST", "/v2/models/digits/infer", "upload"),
    ("GET", "/records", "records"),
    ("HEAD", "/records", "records"),
    ("GET", "/records?format=csv", "records"),
    ("GET", "/api/records", "records"),
    ("GET", "/records/{id}", "records"),
    ("PUT", "/records/{id}/correction", "records"),
    ("DELETE", "/records/{id}/correction", "records"),
]


def ask(service: Service, method: str, path: str, record: str, headers: Any) -> httpx.Response:
    body = b'{"result": "7"}' if method == "PUT" else PICTURE if method == "POST" else None
    return httpx.request(method, service.url + path.format(id=record), content=body, headers=headers)


@pytest.mark.parametrize(("method", "path", "realm"), GUARDED)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        bearing("wrong"),
        {"Authorization": "Basic a2V5IG9mIHVwbG9hZHM="},
        {"Authorization": UPLOAD},
        bearing(UPLOAD[:-1]),
        bearing(UPLOAD + "s"),
    ],
)
def test_without_the_key_nothing_is_told(
    locked: Service, record: str, method: str, path: str, realm: str, headers: Any
) -> None:
    refused = ask(locked, method, path, record, headers)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith(f'Bearer realm="{realm}"')
    if method != "HEAD":
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "Authorization: Bearer" in refused.json()["detail"]
    assert UPLOAD not in refused.text
    assert RECORDS not in refused.text


@pytest.mark.parametrize(("method", "path", "realm"), GUARDED)
def test_with_the_key_all_is_as_it_is_without_one(
    locked: Service, record: str, method: str, path: str, realm: str
) -> None:
    key = UPLOAD if realm == "upload" else RECORDS
    for headers in (bearing(key), {"Authorization": f"bearer   {key}".encode()}):
        assert ask(locked, method, path, record, headers).status_code == (400 if "infer" in path else 200)


def test_one_key_does_not_open_what_the_other_guards(locked: Service) -> None:
    assert httpx.get(f"{locked.url}/records", headers=bearing(UPLOAD)).status_code == 401
    assert httpx.post(locked.url, content=PICTURE, headers=bearing(RECORDS)).status_code == 401


def test_an_answer_that_was_given_before_is_not_told_without_the_key(locked: Service) -> None:
    key = {"Idempotency-Key": "known"}
    given = httpx.post(locked.url, content=PICTURE, headers={**bearing(UPLOAD), **key})
    assert httpx.post(locked.url, content=PICTURE, headers={**bearing(UPLOAD), **key}).json() == given.json()
    assert httpx.post(locked.url, content=PICTURE, headers=key).status_code == 401


def test_a_refused_picture_is_not_recorded(locked: Service) -> None:
    def count() -> int:
        return len(httpx.get(f"{locked.url}/records", headers=bearing(RECORDS)).json()["records"])

    before = count()
    httpx.post(locked.url, content=PICTURE)
    assert count() == before


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/openapi.json", "/metrics", "/v2", "/v2/models/digits"]
)
def test_no_key_is_asked_for_what_tells_nothing_of_anybody(locked: Service, path: str) -> None:
    assert httpx.get(locked.url + path).status_code == 200


def test_no_key_is_in_the_log(locked: Service, record: str) -> None:
    ask(locked, "GET", "/records", record, bearing(RECORDS))
    ask(locked, "GET", "/records", record, bearing("wrong key"))
    log = (locked.folder / "log").read_text()
    assert "/records" in log
    for secret in (UPLOAD, RECORDS, json.dumps(RECORDS), "wrong key", "Bearer"):
        assert secret not in log


def test_where_there_is_no_key_any_will_do() -> None:
    check_key("", "", "upload")
    check_key("Bearer whatever", "", "upload")


@pytest.mark.parametrize("authorization", ["Bearer kéy", "Bearer k\udce9y", "Bearer \x00", "Bearer " + 100_000 * "k"])
def test_what_no_key_can_be_is_just_wrong(authorization: str) -> None:
    with pytest.raises(Unauthorised):
        check_key(authorization, "key", "upload")


# ── Pages of other sites ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "headers",
    [
        {},  # no browser
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8000", "Host": "function:8080"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost:8000", "Host": "localhost:8000"},
        {"Origin": "https://Digits.example", "Host": "function:8080", "X-Forwarded-Host": "digits.example"},
        {"Origin": MINE, "Host": "localhost:8000"},
        {"Origin": MINE, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_the_page_itself_allowed_pages_and_what_is_no_browser_may_write(headers: dict[str, str]) -> None:
    check_site(headers, {MINE})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHERS, "Host": "localhost:8000"},
        {"Origin": "http://localhost:3000", "Host": "localhost:8000"},
        {"Origin": "null", "Host": "localhost:8000"},
        {"Origin": f"{MINE}.others.example", "Host": "localhost:8000"},
        {"Origin": OTHERS, "Host": "localhost:8000", "Sec-Fetch-Site": "cross-site"},
        {"Host": "localhost:8000", "Sec-Fetch-Site": "cross-site"},
        {"Host": "a.example.org", "Origin": "https://b.example.org", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_the_page_of_another_site_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden, match="ALLOWED_ORIGINS"):
        check_site(headers, {MINE})


@pytest.mark.parametrize("site", [{"Origin": OTHERS}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_correction_that_another_site_sends_is_refused_and_changes_nothing(
    service: Service, site: dict[str, str]
) -> None:
    record = httpx.post(service.url, content=PICTURE).json()
    url = f"{service.url}/records/{record['id']}"
    refused = httpx.put(f"{url}/correction", json={"result": "1"}, headers=site)
    assert httpx.delete(f"{url}/correction", headers=site).status_code == 403
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
    assert httpx.get(url).json()["correction"] is None
    assert httpx.post(service.url, content=PICTURE, headers=site).status_code == 403
    assert httpx.get(f"{service.url}/records", headers=site).status_code == 200  # reading changes nothing


def test_the_page_behind_nginx_may_write_by_its_own_address(site: str) -> None:
    """Browsers send no Sec-Fetch-Site to plain http:// addresses other than the loopback."""
    record = httpx.post(f"{site}/api/", content=PICTURE, headers={"Origin": site}).raise_for_status().json()
    url = f"{site}/api/records/{record['id']}/correction"
    assert httpx.put(url, json={"result": "1"}, headers={"Origin": OTHERS}).status_code == 403
    assert httpx.put(url, json={"result": "1"}, headers={"Origin": site}).json()["correction"] == "1"


# ── CORS ──────────────────────────────────────────────────────────────────────────────────────────────────────
def cors(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


def preflight(service: Service, origin: str) -> httpx.Response:
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,content-type"}
    return httpx.options(f"{service.url}/records/x/correction", headers={"Origin": origin, **asks})


@pytest.mark.parametrize("path", ["/", "/records", "/records/x", "/nowhere", "/health/live"])
def test_no_other_origin_may_read_by_default(service: Service, path: str) -> None:
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        assert cors(httpx.request(method, service.url + path, headers={"Origin": OTHERS})) == {}


def test_an_allowed_origin_may_ask_and_read_what_it_is_told(locked: Service) -> None:
    asked = httpx.options(locked.url, headers={"Origin": MINE, "Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    allowed = cors(asked)
    assert allowed["access-control-allow-origin"] == MINE
    assert {"DELETE", "POST", "PUT"} <= set(allowed["access-control-allow-methods"].split(", "))
    assert {"Authorization", "Content-Type", "Idempotency-Key"} <= set(
        allowed["access-control-allow-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in allowed
    answer = httpx.post(locked.url, content=PICTURE, headers={"Origin": MINE, **bearing(UPLOAD)})
    assert answer.status_code == 200
    assert cors(answer)["access-control-allow-origin"] == MINE
    assert "Origin" in answer.headers["Vary"].split(", ")
    assert cors(httpx.post(locked.url, content=PICTURE, headers={"Origin": MINE}))  # the page is to show errors, too


def test_other_origins_may_not_even_where_one_is_allowed(locked: Service) -> None:
    for origin in (OTHERS, "null", f"{MINE}.others.example", MINE.replace("https", "http"), f"{MINE}:8443"):
        for response in (preflight(locked, origin), httpx.get(locked.url, headers={"Origin": origin})):
            assert cors(response) == {}
            assert "Origin" in response.headers["Vary"]  # what a cache keeps for one is not for others


def test_all_origins_may_where_that_is_said() -> None:
    assert cors_headers(OTHERS, {"*"})["Access-Control-Allow-Origin"] == OTHERS
    assert cors_headers("", {"*"}) == {}


# ── Warnings ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("host", "key", "warnings"), [(EVERYWHERE, "", 1), (EVERYWHERE, "secret", 0), ("127.0.0.1", "", 0)]
)
def test_records_that_everybody_can_read_are_warned_of_once(tmp_path: Path, host: str, key: str, warnings: int) -> None:
    settings = {"RECORDS_KEY": key, "WORKERS": "2"}
    with running_function(tmp_path, settings, host=host):
        log = (tmp_path / "log").read_text()
    assert log.count("set RECORDS_KEY") == warnings
    assert "secret" not in log


def test_the_same_behind_nginx(locked: Service, tmp_path: Path) -> None:
    with running_nginx(tmp_path, locked.url.removeprefix("http://")) as url:
        refused = httpx.get(f"{url}/api/records")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="records"')
        assert httpx.get(f"{url}/api/records", headers=bearing(RECORDS)).status_code == 200
