"""The whole function over HTTP, under the real framework: what the contract promises to those who call it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import signal
import socket
import sqlite3
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image, ImageChops, ImageDraw

from tests.helpers import Service, digit_png, draw_digit, encode, running_function, wait_until_nothing_waits
from tests.nodes import Nodes

BLANK = encode(Image.new("RGB", (200, 200), "white"))
MEBIBYTE = 1024 * 1024


# ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────
def post(service: Service, content: bytes, query: str = "", **headers: str) -> httpx.Response:
    """The bytes of a picture as they are; keyword `content_type` becomes the header Content-Type."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{service.url}/{query}", content=content, headers=named, timeout=60)


def post_until_read(service: Service, content: bytes) -> httpx.Response:
    """As a client does that is told to come back, where a machine is too slow for so many at once."""
    response = post(service, content)
    while response.status_code == 503:
        time.sleep(int(response.headers["Retry-After"]))
        response = post(service, content)
    return response


def answer(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    parsed: dict[str, Any] = response.json()
    return parsed


def get(service: Service, path: str, **headers: str) -> httpx.Response:
    return httpx.get(service.url + path, headers=headers, timeout=60)


def kept(service: Service) -> list[dict[str, Any]]:
    """All records, newest first."""
    return [json.loads(line) for line in get(service, "/records?format=ndjson").text.splitlines()]


def of_eight_clients_the_fewer(service: Service) -> int:
    """How many that connect at once go to the one of two workers that gets fewer of them."""
    log, address = service.folder / "log", urlsplit(service.url)
    length = log.stat().st_size
    with ExitStack() as connections:
        clients = [
            connections.enter_context(socket.create_connection((address.hostname, address.port))) for _ in range(8)
        ]
        for client in clients:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for client in clients:
            assert client.recv(15) == b"HTTP/1.1 200 OK"
    answers = Counter(json.loads(line)["process"] for line in log.read_bytes()[length:].splitlines())
    assert answers.total() == 8
    return 8 - max(answers.values())


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """RFC 9457."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    parsed: dict[str, Any] = response.json()
    assert parsed.keys() == {"type", "title", "status", "detail"}
    assert parsed["status"] == status
    assert parsed["type"].startswith("urn:digit-reader:")
    assert parsed["title"]
    assert parsed["detail"]
    return parsed


def in_blocks(content: bytes) -> Iterator[bytes]:
    """Sent in chunks: no length is declared."""
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


def written(text: str, side: int = 120) -> Image.Image:
    """Lines of drawn digits; a space is as wide as a digit."""
    lines = text.split("\n")
    image = Image.new("RGB", (side * max(map(len, lines)), side * len(lines)), "white")
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            if character != " ":
                image.paste(draw_digit(int(character), side=side, nib=8), (column * side, row * side))
    return image


# ── Ways to send a picture ────────────────────────────────────────────────────────────────────────────────────
def as_multipart(url: str, data: bytes, name: str) -> httpx.Response:
    return httpx.post(url, files={"image": (name, data)})


def as_raw(url: str, data: bytes, name: str) -> httpx.Response:
    return httpx.post(url, content=data, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def as_raw_with_query(url: str, data: bytes, name: str) -> httpx.Response:
    return httpx.post(url, content=data, params={"filename": name})


def as_chunks(url: str, data: bytes, name: str) -> httpx.Response:
    return httpx.post(url, content=in_blocks(data), params={"filename": name})


def as_json(url: str, data: bytes, name: str) -> httpx.Response:
    return httpx.post(url, json={"image": base64.b64encode(data).decode(), "filename": name})


def as_data_url(url: str, data: bytes, name: str) -> httpx.Response:
    image = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return httpx.post(url, json={"image": image, "filename": name})


def as_curl_does(url: str, data: bytes, name: str) -> httpx.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # of --data-binary
    return httpx.post(url, content=data, params={"filename": name}, headers=headers)


class TestSending:
    @pytest.mark.parametrize("prefix", ["/", "/api/", "/api", ""])
    @pytest.mark.parametrize(
        "send", [as_multipart, as_raw, as_raw_with_query, as_chunks, as_json, as_data_url, as_curl_does]
    )
    def test_every_way_of_sending_is_read_and_recorded_with_its_name(
        self, service: Service, send: Callable[[str, bytes, str], httpx.Response], prefix: str
    ) -> None:
        name = f"{send.__name__} {uuid.uuid4()}.png"
        given = answer(send(service.url + prefix, digit_png(4), name))
        assert (given["result"], given["filename"], given["recorded"]) == ("4", name, "stored")
        assert [record["id"] for record in kept(service) if record["filename"] == name] == [given["id"]]

    @pytest.mark.parametrize("digit", range(10))
    def test_each_digit_is_read(self, service: Service, digit: int) -> None:
        assert answer(post(service, digit_png(digit)))["result"] == str(digit)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "PPM"])
    def test_the_kind_is_told_from_the_bytes_whatever_name_and_type_say(self, service: Service, kind: str) -> None:
        data = encode(draw_digit(7), kind)
        given = answer(post(service, data, "?filename=letter.txt", content_type="text/html"))
        assert (given["result"], given["filename"]) == ("7", "letter.txt")


# ── The answer ────────────────────────────────────────────────────────────────────────────────────────────────
class TestAnswer:
    def test_it_has_the_contracts_fields(self, service: Service) -> None:
        data, before = digit_png(9), datetime.now(UTC)
        given = answer(post(service, data, "?filename=9.png"))
        assert list(given) == [
            "id",
            "time",
            "filename",
            "result",
            "confidence",
            "digits",
            "notice",
            "recorded",
            "model",
        ]
        assert uuid.UUID(given["id"]).version == 1
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", given["time"])
        assert abs(datetime.fromisoformat(given["time"]) - before) < timedelta(seconds=30)
        assert (given["filename"], given["result"], given["notice"]) == ("9.png", "9", None)
        assert 0.5 < given["confidence"] <= 1
        assert re.fullmatch(r"[\w-]+@[0-9a-f]{12}", given["model"])

    def test_each_digit_has_the_contracts_fields(self, service: Service) -> None:
        (digit,) = answer(post(service, digit_png(9)))["digits"]
        assert list(digit) == ["digit", "confidence", "probabilities", "box", "seen"]
        assert digit["digit"] == 9
        assert len(digit["probabilities"]) == 10
        assert sum(digit["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert max(digit["probabilities"]) == digit["probabilities"][9] == pytest.approx(digit["confidence"], abs=1e-4)
        png = base64.b64decode(digit["seen"].removeprefix("data:image/png;base64,"), validate=True)
        seen = Image.open(io.BytesIO(png), formats=["PNG"])
        assert (seen.size, seen.mode) == ((28, 28), "L")

    @pytest.mark.parametrize("scale", [0.5, 1, 4])
    @pytest.mark.parametrize("orientation", [1, 6, 3])
    def test_the_box_is_around_the_ink_in_the_upright_picture(
        self, service: Service, scale: float, orientation: int
    ) -> None:
        upright = Image.new("RGB", (400, 300), "white")
        upright.paste(draw_digit(5), (180, 40))
        upright = upright.resize((round(400 * scale), round(300 * scale)))
        turns = {1: 0, 6: 90, 3: 180}
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encode(upright.rotate(turns[orientation], expand=True), "JPEG", exif=exif.tobytes())

        (digit,) = answer(post(service, data))["digits"]

        left, top, right, bottom = ImageChops.invert(upright).getbbox() or (0, 0, 0, 0)
        assert all(isinstance(number, int) for number in digit["box"])
        assert digit["box"] == pytest.approx([left, top, right - left, bottom - top], abs=8 * max(1, scale))

    @pytest.mark.parametrize("text", ["4071", "407 1\n29", "0123456789", "1 23", "12\n34\n56"])
    def test_several_digits_are_read_in_lines_with_spaces(self, service: Service, text: str) -> None:
        given = answer(post(service, encode(written(text))))
        assert given["result"] == text
        assert "".join(str(digit["digit"]) for digit in given["digits"]) == re.sub(r"\s", "", text)
        product = 1.0
        for digit in given["digits"]:
            product *= digit["confidence"]
        assert given["confidence"] == pytest.approx(product, abs=1e-4)

    @pytest.mark.parametrize(("expect", "pattern"), [("auto", r"47\n29"), ("number", r"47|29"), ("digit", r"[4729]")])
    def test_what_is_expected_is_found(self, service: Service, expect: str, pattern: str) -> None:
        given = answer(post(service, encode(written("47\n29")), f"?expect={expect}"))
        assert re.fullmatch(pattern, given["result"])

    @pytest.mark.parametrize("digit", range(10))
    def test_the_edge_of_the_paper_beside_a_digit_is_left_out(self, service: Service, digit: int) -> None:
        picture = written(str(digit), side=300)
        _, _, right, _ = ImageChops.invert(picture.convert("L")).getbbox() or (0, 0, 0, 0)
        ImageDraw.Draw(picture).line((right + 40, 90, right + 40, 300), "black", 8)
        (found,) = answer(post(service, encode(picture), "?expect=digit"))["digits"]
        assert found["digit"] == digit
        assert found["box"][0] + found["box"][2] < right + 10

    def test_a_blank_picture_is_an_answer_that_is_recorded(self, service: Service) -> None:
        given = answer(post(service, BLANK, "?filename=blank.png"))
        assert (given["result"], given["digits"], given["notice"]["code"]) == ("", [], "no-digit")
        assert given["recorded"] == "stored"
        assert (kept(service)[0]["id"], kept(service)[0]["result"]) == (given["id"], "")

    @pytest.mark.parametrize(("data", "text"), [(digit_png(4), "4\n"), (BLANK, "\n")], ids=["a digit", "blank"])
    def test_as_text_it_is_the_result_and_a_line_break(self, service: Service, data: bytes, text: str) -> None:
        response = post(service, data, accept="text/plain")
        assert (response.status_code, response.text) == (200, text)
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"

    @pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", "application/json, text/plain;q=0.5"])
    def test_it_is_json_for_those_who_do_not_prefer_text(self, service: Service, accept: str) -> None:
        response = post(service, digit_png(4), accept=accept)
        assert answer(response)["result"] == "4"
        assert "Accept" in response.headers["Vary"]

    def test_it_comes_in_one_piece(self, service: Service) -> None:
        """When it has begun, whoever passes it on can ask no other function any more, should this one be killed."""
        parts, data = urlsplit(service.url), digit_png(9)
        asked = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)
        with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20) as connection:
            for _ in range(20):
                connection.sendall(asked)
                head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
                assert b"HTTP/1.1 200 " in head
                assert json.loads(body)["result"] == "9"

    def test_it_tells_how_long_each_step_took_and_which_answer_was_cold(self, tmp_path: Path) -> None:
        with running_function(tmp_path) as service:
            headers = [post(service, digit_png(4)).headers["Server-Timing"] for _ in range(3)]
        for header in headers:
            steps = dict(re.findall(r"([a-z]+);dur=([0-9.]+)", header))
            assert steps.keys() >= {"decode", "locate", "classify", "record"}
            assert all(0 <= float(duration) < 20_000 for duration in steps.values())
        assert ["cold" in header.split(", ") for header in headers] == [True, False, False]


# ── Recording or not ──────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module", params=["sqlite", "cassandra"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A function of its own over each kind of store, with ten records, of the digits 0 to 9, and what the model saw."""
    folder, environment = tmp_path_factory.mktemp("library"), {"KEEP_GLYPHS": "true"}
    if request.param == "cassandra":
        nodes: Nodes = request.getfixturevalue("cassandra")
        environment["RECORDS_URL"] = nodes.url.replace("mnistkeyspace", f"k{uuid.uuid4().hex}")
    with running_function(folder, environment) as service:
        wait_until_nothing_waits(service)
        for digit in range(10):
            answer(post(service, digit_png(digit), f'?filename=zw%C3%B6lf, "{digit}".png'))
        yield service


class TestRecording:
    def test_a_preview_leaves_no_record(self, library: Service) -> None:
        before = kept(library)
        given = answer(post(library, digit_png(4), "?record=false"))
        assert (given["result"], given["recorded"]) == ("4", "no")
        assert kept(library) == before
        problem(get(library, f"/records/{given['id']}"), 404)

    def test_a_key_that_comes_again_answers_the_same_and_makes_one_record(self, library: Service) -> None:
        key, before = "!" + uuid.uuid4().hex + "~" * 95, kept(library)
        first = answer(post(library, digit_png(4), idempotency_key=key))
        again = answer(post(library, digit_png(4), idempotency_key=key))
        assert len(key) == 128
        assert again == first
        assert kept(library)[1:] == before

    def test_a_key_that_comes_many_times_at_once_makes_one_record(self, library: Service) -> None:
        key, before = uuid.uuid4().hex, kept(library)
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: answer(post(library, digit_png(4), idempotency_key=key))["id"], range(8))
        assert set(answers) == {kept(library)[0]["id"]}
        assert kept(library)[1:] == before

    @pytest.mark.parametrize("key", ["x" * 129, "two words", "t\tb", "sch\xf6n"])
    def test_a_key_that_is_none_is_a_broken_request(self, service: Service, key: str) -> None:
        response = httpx.post(service.url, content=digit_png(4), headers=[(b"Idempotency-Key", key.encode("latin-1"))])
        assert "Idempotency-Key" in problem(response, 400)["detail"]

    @pytest.mark.parametrize("expect", ["", "two", "DIGIT"])
    def test_another_expectation_is_a_broken_request(self, service: Service, expect: str) -> None:
        response = post(service, digit_png(4), f"?expect={expect}")
        assert problem(response, 400)["detail"] == "expect is one of auto, digit, number."


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────
class TestRecords:
    def test_one_record_tells_what_was_answered(self, library: Service) -> None:
        given = answer(post(library, digit_png(9), "?record=true"))
        record = answer(get(library, f"/records/{given['id']}"))
        for name in ("id", "time", "filename", "result", "confidence", "model"):
            assert record[name] == given[name]
        assert record["correction"] is None
        assert record["image_sha256"] == hashlib.sha256(digit_png(9)).hexdigest()
        assert answer(get(library, "/records?limit=1"))["records"] == [record]

    @pytest.mark.parametrize("limit", [1, 3, 4, 1000])
    def test_pages_cover_all_records_once_newest_first(self, library: Service, limit: int) -> None:
        everything = kept(library)
        seen, cursor = [], ""
        while cursor is not None:
            page = answer(get(library, f"/api/records?limit={limit}&cursor={cursor}"))
            assert len(page["records"]) <= limit
            seen += page["records"]
            cursor = page["next"]
        assert seen == everything
        assert [record["time"] for record in seen] == sorted((record["time"] for record in seen), reverse=True)

    def test_a_page_that_ends_with_the_last_record_has_no_next(self, library: Service) -> None:
        page = answer(get(library, f"/records?limit={len(kept(library))}"))
        assert page["next"] is None
        assert page["records"] == kept(library)

    @pytest.mark.parametrize(
        ("query", "accept"),
        [("?format=csv", "*/*"), ("", "text/csv"), ("?format=csv&limit=1", "application/json")],
    )
    def test_all_of_them_are_csv_when_asked_for(self, library: Service, query: str, accept: str) -> None:
        response = get(library, f"/records{query}", Accept=accept)
        assert response.headers["Content-Type"].partition(";")[0] == "text/csv"
        rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
        assert [(row["id"], row["filename"], row["result"]) for row in rows] == [
            (record["id"], record["filename"], record["result"]) for record in kept(library)
        ]

    @pytest.mark.parametrize(("query", "accept"), [("?format=ndjson", "*/*"), ("", "application/x-ndjson")])
    def test_all_of_them_are_ndjson_when_asked_for(self, library: Service, query: str, accept: str) -> None:
        response = get(library, f"/records{query}", Accept=accept)
        assert response.headers["Content-Type"].partition(";")[0] == "application/x-ndjson"
        assert [json.loads(line) for line in response.text.splitlines()] == answer(
            get(library, "/records?limit=1000", Accept="application/json")
        )["records"]

    @pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json;q=0.9, text/csv;q=0.8"])
    def test_they_are_a_page_of_json_otherwise(self, library: Service, accept: str) -> None:
        assert answer(get(library, "/records", Accept=accept)).keys() == {"records", "next"}

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=-1", "limit=1001", "limit=ten", "limit=", "limit=1.5", "cursor=x", "format=xml", "format="],
    )
    def test_a_query_that_makes_no_sense_is_a_broken_request(self, library: Service, query: str) -> None:
        problem(get(library, f"/records?{query}"), 400)

    @pytest.mark.parametrize("correction", ["7", "", "407 1\n2?", "1" * 200])
    def test_a_correction_is_kept_beside_the_result(self, library: Service, correction: str) -> None:
        before = kept(library)[0]
        path = f"/records/{before['id']}"
        response = httpx.put(f"{library.url}{path}/correction", json={"result": correction})
        assert answer(response) == {**before, "correction": correction}
        assert answer(get(library, path)) == {**before, "correction": correction}
        assert kept(library)[0] == {**before, "correction": correction}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"7",
            b'"7"',
            b"[]",
            b"{}",
            b"{",
            b'{"result": null}',
            b'{"result": 7}',
            b'{"result": "seven"}',
            b'{"result": "\\u0667"}',
            b'{"result": "7\\n\\u0000"}',
            b'{"result": "' + b"1" * 201 + b'"}',
            b"[" * 100_000,
        ],
    )
    def test_a_correction_that_is_none_changes_nothing(self, library: Service, body: bytes) -> None:
        before = kept(library)
        problem(httpx.put(f"{library.url}/records/{before[0]['id']}/correction", content=body), 400)
        assert kept(library) == before

    def test_a_correction_is_taken_back_however_often_it_is_asked(self, library: Service) -> None:
        given = answer(post(library, digit_png(4)))
        path = f"/records/{given['id']}"
        before = answer(get(library, path))
        httpx.put(f"{library.url}{path}/correction", json={"result": "7"})
        for _ in range(2):
            assert answer(httpx.delete(f"{library.url}/api{path}/correction")) == before
            assert answer(get(library, path)) == kept(library)[0] == before
        assert before["correction"] is None

    def test_what_is_sent_along_when_one_is_taken_back_does_not_matter(self, library: Service) -> None:
        record = kept(library)[0]
        url = f"{library.url}/records/{record['id']}/correction"
        httpx.put(url, json={"result": "7"})
        for content in (b'{"result": "1"}', b"\xff" * MEBIBYTE):
            assert answer(httpx.request("DELETE", url, content=content))["correction"] is None

    @pytest.mark.parametrize("name", [str(uuid.uuid1()), str(uuid.uuid4()), "nothing", "%00", "1", "x" * 4000])
    def test_a_record_that_there_is_not_is_not_found(self, library: Service, name: str) -> None:
        problem(get(library, f"/records/{name}"), 404)
        problem(httpx.put(f"{library.url}/records/{name}/correction", json={"result": "7"}), 404)
        problem(httpx.delete(f"{library.url}/records/{name}/correction"), 404)


# ── Which records ─────────────────────────────────────────────────────────────────────────────────────────────
def asked(library: Service, **query: str) -> list[dict[str, Any]]:
    """What a query gives, which is the same in each format, in pages of any size."""
    csv_text, ndjson = (
        httpx.get(f"{library.url}/records", params={**query, "format": name}).text for name in ("csv", "ndjson")
    )
    records = [json.loads(line) for line in ndjson.splitlines()]
    rows = list(csv.DictReader(io.StringIO(csv_text, newline="")))
    assert [row["id"] for row in rows] == [record["id"] for record in records]
    for limit in (3, 1000):
        paged, cursor = [], ""
        while cursor is not None:
            page = httpx.get(f"{library.url}/records", params={**query, "limit": limit, "cursor": cursor}).json()
            paged += page["records"]
            cursor = page["next"]
        assert paged == records
    return records


def with_text(records: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    return [record for record in records if text in record["result"] or text in (record["correction"] or "")]


class TestWhichRecords:
    @pytest.mark.parametrize("text", ["7", "", "1\n2", " ", "?", "123456"])
    def test_those_with_a_text_in_result_or_correction(self, library: Service, text: str) -> None:
        corrected = kept(library)[5]
        httpx.put(f"{library.url}/records/{corrected['id']}/correction", json={"result": "31\n2 ?"})
        assert asked(library, result=text) == with_text(kept(library), text)
        assert bool(asked(library, result=text)) == (text != "123456")

    def test_those_from_one_time_on_and_before_another(self, library: Service) -> None:
        records = kept(library)
        first, last = records[7]["time"], records[2]["time"]
        assert asked(library, **{"from": first}) == records[:8]
        assert asked(library, to=last) == records[3:]
        assert asked(library, **{"from": first, "to": last}) == records[3:8]
        assert asked(library, **{"from": last, "to": first}) == []

    @pytest.mark.parametrize("offset", [timedelta(hours=5, minutes=30), timedelta(hours=-11), timedelta()])
    def test_times_with_any_offset_are_the_same_moments(self, library: Service, offset: timedelta) -> None:
        records = kept(library)
        local = datetime.fromisoformat(records[4]["time"]).astimezone(timezone(offset)).isoformat()
        assert asked(library, **{"from": local}) == records[:5]
        assert asked(library, to=local) == records[5:]

    def test_a_date_is_its_midnight_in_utc(self, library: Service) -> None:
        records = kept(library)
        day = datetime.fromisoformat(records[-1]["time"]).date()
        before, after = (str(day + timedelta(days=days)) for days in (-1, 2))
        assert asked(library, **{"from": str(day), "to": after}) == asked(library, **{"from": before}) == records
        assert asked(library, to=str(day)) == asked(library, **{"from": after}) == []

    def test_all_of_that_at_once(self, library: Service) -> None:
        records = kept(library)
        bounds = {"from": records[8]["time"], "to": records[0]["time"]}
        text = records[4]["result"]
        assert asked(library, result=text, **bounds) == with_text(records[1:9], text) != []

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ("result=seven", "made of digits, spaces, line breaks and ?"),
            (f"result={'1' * 201}", "at most 200"),
            ("from=", "from is a date like 2026-11-25"),
            ("from=yesterday", "from is a date like 2026-11-25"),
            ("to=2026-11-25T10:00:00", "to is a date like 2026-11-25, which begins at midnight in UTC, or a time with"),
            ("to=2026-11-25T10:00:00+01:00", "+ is written as %2B"),
            ("seen=", "seen is true or false"),
            ("seen=yes", "seen is true or false"),
            ("seen=True", "seen is true or false"),
        ],
    )
    @pytest.mark.parametrize("format_", ["json", "csv", "ndjson"])
    def test_what_makes_no_sense_is_a_broken_request_that_says_what_does(
        self, library: Service, query: str, says: str, format_: str
    ) -> None:
        assert says in problem(get(library, f"/records?{query}&format={format_}"), 400)["detail"]


class TestSeen:
    def test_a_page_shows_what_the_model_saw_of_each_digit(self, library: Service) -> None:
        two = answer(post(library, encode(written("47"))))
        none = answer(post(library, BLANK))
        page = answer(get(library, "/records?seen=true&limit=2"))
        assert [(record["id"], record["seen"]) for record in page["records"]] == [
            (none["id"], []),
            (two["id"], [digit["seen"] for digit in two["digits"]]),
        ]
        assert len(two["digits"]) == 2

    @pytest.mark.parametrize("query", ["", "&seen=false", "&seen=true&format=ndjson"])
    def test_nothing_else_does(self, library: Service, query: str) -> None:
        text = get(library, f"/records?limit=1000{query}").text
        assert '"result"' in text
        assert "seen" not in text

    def test_where_it_was_not_kept_there_is_none(self, service: Service) -> None:
        given = answer(post(service, digit_png(4)))
        (record,) = answer(get(service, "/records?seen=true&limit=1"))["records"]
        assert (record["id"], record["seen"]) == (given["id"], [])


# ── Paths and methods ─────────────────────────────────────────────────────────────────────────────────────────
PATHS = {
    "/": "GET, HEAD, OPTIONS, POST",
    "/records": "GET, HEAD, OPTIONS",
    "/records/8de543bd-e742-11f1-af9f-d93bd6bbb36d": "GET, HEAD, OPTIONS",
    "/records/8de543bd-e742-11f1-af9f-d93bd6bbb36d/correction": "DELETE, OPTIONS, PUT",
    "/health/live": "GET, HEAD, OPTIONS",
    "/health/ready": "GET, HEAD, OPTIONS",
}


class TestRoutes:
    @pytest.mark.parametrize("prefix", ["", "/api"])
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            (method, path)
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "NONSENSE")
            for path, allowed in PATHS.items()
            if method not in allowed.split(", ")
        ],
    )
    def test_a_method_that_is_not_for_this_path_is_told_which_are(
        self, service: Service, prefix: str, method: str, path: str
    ) -> None:
        response = httpx.request(method, service.url + prefix + path)
        assert response.headers["Allow"] == PATHS[path]
        assert PATHS[path] in problem(response, 405)["detail"]

    @pytest.mark.parametrize("path", PATHS)
    def test_options_tells_the_methods(self, service: Service, path: str) -> None:
        response = httpx.options(service.url + path)
        assert (response.status_code, response.headers["Allow"], response.content) == (204, PATHS[path], b"")

    @pytest.mark.parametrize("path", ["/records", "/health/live", "/health/ready", "/nowhere"])
    def test_head_is_get_without_the_body(self, service: Service, path: str) -> None:
        there, here = get(service, path), httpx.head(service.url + path)
        assert here.content == b""
        assert here.status_code == there.status_code
        for name in ("Content-Type", "Content-Length"):
            assert here.headers.get(name) == there.headers.get(name)

    @pytest.mark.parametrize(
        "path",
        [
            "/nowhere",
            "/api/nowhere",
            "/apiary",
            "/api/api/records",
            "/records/",
            "/health",
            "/%00",
            "/%ff",
            "/../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/favicon.ico",
            "/robots.txt",
            "/" + "x" * 4000,
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_there_is_nothing_anywhere_else(self, service: Service, method: str, path: str) -> None:
        problem(httpx.request(method, service.url + path, content=b"x" if method == "POST" else None), 404)

    @pytest.mark.parametrize("path", ["/", "/index.html", "/main.js", "/main.py"])
    def test_there_is_no_page_where_something_else_serves_it(self, service: Service, path: str) -> None:
        problem(get(service, path), 404)

    @pytest.mark.parametrize("prefix", ["", "/api"])
    def test_it_is_live_and_ready(self, service: Service, prefix: str) -> None:
        answer(get(service, f"{prefix}/health/live"))
        ready = answer(get(service, f"{prefix}/health/ready"))
        assert ready["records"] == "up"


# ── Errors ────────────────────────────────────────────────────────────────────────────────────────────────────
LIMIT, MOST_PIXELS = 100_000, 40_000


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A function with low limits: pictures of 200×200 are the largest."""
    limits = {"MAX_UPLOAD_BYTES": str(LIMIT), "MAX_PIXELS": str(MOST_PIXELS)}
    with running_function(tmp_path_factory.mktemp("strict"), limits) as service:
        yield service


def exchange(service: Service, sent: Iterable[bytes]) -> httpx.Response:
    """What comes back for these very bytes, after which the client is silent."""
    parts = urlsplit(service.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20) as connection:
        for piece in sent:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "headers", "status", "word"),
        [
            (b"", {}, 400, "empty"),
            (b"", {"content_type": "image/png"}, 400, "empty"),
            (b"{}", {"content_type": "application/json"}, 400, "base64"),
            (b"no form", {"content_type": "multipart/form-data; boundary=x"}, 400, "multipart"),
            (b"Dear reader,", {}, 415, "PNG, JPEG"),
            (b"%PDF-1.7\n", {"content_type": "image/png"}, 415, "PNG, JPEG"),
            (digit_png(9)[:-200], {}, 422, "damaged"),
            (encode(draw_digit(9), "JPEG")[:800], {}, 422, "damaged"),
            (encode(draw_digit(9, side=201)), {}, 422, "40,000 pixels"),
            (bytes(LIMIT + 1), {}, 413, "limit"),
            (bytes(10 * LIMIT), {}, 413, "limit"),
        ],
        ids=[
            "empty",
            "empty PNG",
            "no picture in JSON",
            "no form",
            "text",
            "PDF",
            "cut PNG",
            "cut JPEG",
            "too many pixels",
            "a byte too many",
            "far too many bytes",
        ],
    )
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_what_cannot_be_read_is_a_problem_and_no_record(
        self, strict: Service, body: bytes, headers: dict[str, str], status: int, word: str, *, chunked: bool
    ) -> None:
        before = kept(strict)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = httpx.post(strict.url, content=in_blocks(body) if chunked else body, headers=named)
        assert word in problem(response, status)["detail"]
        assert kept(strict) == before

    def test_what_is_within_the_limits_is_read(self, strict: Service) -> None:
        assert answer(post(strict, digit_png(9)))["result"] == "9"

    @pytest.mark.parametrize(
        "body",
        [
            b"Content-Length: 100000\r\n\r\n" + digit_png(9),
            b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n" + digit_png(9),
            b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + digit_png(9),
        ],
        ids=["shorter than declared", "broken chunks", "chunks that end early"],
    )
    def test_a_body_that_does_not_arrive_whole_is_a_broken_request_and_no_record(
        self, strict: Service, body: bytes
    ) -> None:
        before = kept(strict)
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        response = exchange(strict, [head + body])
        problem(response, 400)
        assert kept(strict) == before

    def test_an_error_does_not_disturb_the_next_request_of_the_connection(self, strict: Service) -> None:
        with httpx.Client(base_url=strict.url) as client:
            for _ in range(3):
                problem(client.post("/", content=in_blocks(bytes(10 * LIMIT))), 413)
                problem(client.post("/nowhere", content=digit_png(9)), 404)
                assert answer(client.post("/", content=digit_png(9)))["result"] == "9"


@pytest.fixture(scope="module")
def homeless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A function whose records file cannot be made."""
    folder = tmp_path_factory.mktemp("homeless")
    with running_function(folder, {"RECORDS_URL": f"sqlite:///{folder}/missing/records.db"}) as service:
        yield service


class TestWithoutRecords:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/"),
            ("GET", "/records"),
            ("GET", "/records?format=csv"),
            ("GET", "/records?format=ndjson"),
            ("GET", f"/records/{uuid.uuid1()}"),
            ("GET", "/health/ready"),
        ],
        ids=["a picture", "records", "CSV", "NDJSON", "a record", "readiness"],
    )
    @pytest.mark.parametrize("accept", ["application/json", "text/plain"])
    def test_what_needs_records_is_unavailable_for_now(
        self, homeless: Service, method: str, path: str, accept: str
    ) -> None:
        content = digit_png(9) if method == "POST" else None
        response = httpx.request(method, homeless.url + path, content=content, headers={"Accept": accept})
        problem(response, 503)
        assert int(response.headers["Retry-After"]) > 0

    def test_with_an_idempotency_key_it_is_unavailable_too(self, homeless: Service) -> None:
        problem(post(homeless, digit_png(9), idempotency_key="a-key"), 503)

    def test_what_needs_none_goes_on(self, homeless: Service) -> None:
        answer(get(homeless, "/health/live"))
        assert answer(post(homeless, digit_png(9), "?record=false"))["result"] == "9"

    def test_once_the_records_can_be_used_it_goes_on_by_itself(self, tmp_path: Path) -> None:
        with running_function(tmp_path, {"RECORDS_URL": f"sqlite:///{tmp_path}/later/records.db"}) as service:
            problem(post(service, digit_png(9)), 503)
            (tmp_path / "later").mkdir()
            answer(get(service, "/health/ready"))
            given = answer(post(service, digit_png(9)))
            assert [record["id"] for record in kept(service)] == [given["id"]]


# ── Under load ────────────────────────────────────────────────────────────────────────────────────────────────
def workers(service: Service) -> list[int]:
    """Process ids of gunicorn's workers."""
    main = service.process.pid
    return [int(child) for child in Path(f"/proc/{main}/task/{main}/children").read_text().split()]


def peak_memory(service: Service) -> int:
    """Bytes, of the largest worker so far."""
    statuses = [Path(f"/proc/{worker}/status").read_text() for worker in workers(service)]
    return max(1024 * int(found[1]) for found in (re.search(r"VmHWM:\s+(\d+) kB", text) for text in statuses) if found)


class TestUnderLoad:
    @pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [
            ("POST", "/", {}),
            ("POST", "/", {"Idempotency-Key": "known"}),
            ("POST", "/", {"Idempotency-Key": "not a key"}),
            ("POST", "/nowhere", {}),
            ("POST", "/favicon.ico", {}),
            ("PUT", "/", {}),
            ("PUT", f"/records/{uuid.UUID(int=0)}/correction", {}),
            ("GET", "/records", {}),
            ("GET", "/health/live", {}),
            ("OPTIONS", "/", {}),
        ],
    )
    def test_100_megabytes_never_lie_in_memory(
        self, tmp_path: Path, method: str, path: str, headers: dict[str, str]
    ) -> None:
        with running_function(tmp_path) as service:
            answer(post(service, digit_png(4), idempotency_key="known"))
            before = peak_memory(service)
            blocks = (bytes(MEBIBYTE) for _ in range(100))
            httpx.request(method, service.url + path, content=blocks, headers=headers, timeout=60)
            assert peak_memory(service) - before < 45 * MEBIBYTE

    def test_clients_that_keep_their_connection_after_an_error_hold_up_nobody(self, tmp_path: Path) -> None:
        with running_function(tmp_path, {"THREADS": "2"}) as service, ExitStack() as connections:
            for _ in range(3):
                client = connections.enter_context(httpx.Client(base_url=service.url))
                problem(client.post("/nowhere", content=bytes(MEBIBYTE)), 404)
            answer(get(service, "/health/live"))

    def test_many_clients_at_once_get_their_own_answers_and_each_is_recorded_once(self, service: Service) -> None:
        digits = [index % 10 for index in range(60)]
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda digit: answer(post_until_read(service, digit_png(digit))), digits))
        assert [given["result"] for given in answers] == [str(digit) for digit in digits]
        ids = [record["id"] for record in kept(service)]
        assert [ids.count(given["id"]) for given in answers] == [1] * 60

    def test_several_workers_share_their_records(self, tmp_path: Path) -> None:
        with running_function(tmp_path, {"WORKERS": "2"}) as service:
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda index: answer(post(service, digit_png(index % 10))), range(40)))
                again = set(
                    pool.map(lambda _: answer(post(service, digit_png(4), idempotency_key="one"))["id"], range(16))
                )
            assert [given["result"] for given in answers] == [str(index % 10) for index in range(40)]
            assert len(again) == 1
            assert sorted(record["id"] for record in kept(service)) == sorted(
                {given["id"] for given in answers} | again
            )

    def test_clients_that_come_together_are_shared_by_the_workers(self, tmp_path: Path) -> None:
        with running_function(tmp_path, {"WORKERS": "2"}) as service:
            until = time.monotonic() + 30
            while not of_eight_clients_the_fewer(service):  # the second worker does not listen yet
                assert time.monotonic() < until
            assert mean(of_eight_clients_the_fewer(service) for _ in range(20)) > 2.5

    def test_a_client_that_goes_on_asking_leaves_the_thread_to_another(self, tmp_path: Path) -> None:
        with running_function(tmp_path, {"WORKERS": "1", "THREADS": "1"}) as service, httpx.Client() as busy:
            asked = threading.Event()

            def ask() -> None:
                while not asked.is_set():
                    answer(busy.get(f"{service.url}/health/live"))

            with ThreadPoolExecutor(1) as pool:
                going_on = pool.submit(ask)
                try:
                    for _ in range(10):
                        answer(httpx.get(f"{service.url}/health/live", timeout=2))
                finally:
                    asked.set()
                going_on.result()

    def test_a_request_under_way_is_answered_and_recorded_before_the_function_ends(self, tmp_path: Path) -> None:
        data = digit_png(9)
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
        with running_function(tmp_path) as service:

            def slowly() -> Iterator[bytes]:
                yield head.encode() + data[:100]
                time.sleep(0.5)
                service.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
                yield data[100:]

            given = answer(exchange(service, slowly()))
            assert service.process.wait(timeout=10) == 0
        with closing(sqlite3.connect(tmp_path / "records.db")) as db:
            assert db.execute("select id, result from predictrecord").fetchall() == [(given["id"], "9")]
