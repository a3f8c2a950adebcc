"""frontend/nginx.conf under the real nginx: what it serves, passes on, repeats, limits and refuses."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from function.records import Record, new_id
from function.records.sqlite import INSERT, values
from function.settings import ENVELOPE, read_settings
from tests.helpers import Service, digit_png, free_port, running_function
from tests.nginx import (
    FRONTEND,
    POLICY,
    nginx_command,
    policy_of_nginx,
    problem,
    rendered,
    request,
    running_nginx,
)


@pytest.mark.parametrize("user", [None, 65534], ids=["as started", "as an ordinary user"])
def test_the_configuration_has_no_faults_and_no_warnings(user: int | None) -> None:
    if user is not None and os.geteuid() != 0:
        pytest.skip("already an ordinary user, and only root can become another")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        config = rendered(directory, free_port(), "127.0.0.1:8080")
        directory.chmod(0o777)
        # A checkout may lie where only its owner can look; the prefix is not looked at by -t.
        command = nginx_command(config, "-t")
        # nginx opens /dev/stdout anew, which another user may not do with a pipe of ours.
        out, err = subprocess.DEVNULL, subprocess.PIPE
        done = subprocess.run(command, check=False, user=user, cwd="/", text=True, stdout=out, stderr=err)
        assert done.returncode == 0, done.stderr
        assert not re.search(r"\[(warn|error|alert|emerg)\]", done.stderr), done.stderr


def test_the_configuration_has_no_known_weakness() -> None:
    gixy = Path(sys.executable).parent / "gixy"
    done = subprocess.run([gixy, FRONTEND / "nginx.conf"], check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
    assert "No issues found" in done.stdout


def test_the_pages_files_are_served_with_their_kinds(site: str) -> None:
    kinds = {
        ".html": "text/html",
        ".css": "text/css",
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".webmanifest": "application/manifest+json",
    }
    served = [file for file in FRONTEND.iterdir() if file.suffix in kinds]
    assert len(served) > 5
    for file in served:
        reply = request(f"{site}/{file.name}")
        assert reply.status == 200
        assert reply.body == file.read_bytes()
        assert reply.headers.get_content_type() == kinds[file.suffix]
    assert request(f"{site}/").body == (FRONTEND / "index.html").read_bytes()


@pytest.mark.parametrize(
    "path",
    ["/nginx.conf", "/.git/config", "/.env", "/no-such-page", "/../train.py", "/%2e%2e/train.py", "/favicon.ico"],
)
def test_nothing_else_is_served(site: str, path: str) -> None:
    assert request(site + path).status in {400, 404}


@pytest.mark.parametrize("path", ["/", "/sw.js", "/favicon.svg", "/no-such-page", "/api/no-such-thing", "/api/records"])
def test_every_answer_carries_each_security_header_once(site: str, path: str) -> None:
    headers = request(site + path).headers
    assert headers.get_all(POLICY) == [policy_of_nginx()]
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_all("Referrer-Policy") == ["no-referrer"]
    assert headers.get_all("Cross-Origin-Opener-Policy") == ["same-origin"]
    assert len(headers.get_all("Permissions-Policy") or []) == 1
    assert headers.get_all("Server") == ["nginx"]


@pytest.mark.parametrize("path", ["/main.js", "/style.css"])
def test_the_pages_parts_carry_what_means_something_to_them(site: str, path: str) -> None:
    """A policy is that of the document or the worker that they are part of."""
    headers = request(site + path).headers
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert POLICY not in headers


@pytest.mark.parametrize("path", ["/", "/sw.js", "/main.js", "/style.css", "/favicon.svg", "/manifest.webmanifest"])
def test_the_function_sends_the_same_headers_with_the_page(site: str, service_with_page: Service, path: str) -> None:
    ours = (POLICY, "X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy")
    names = (*ours, "Cache-Control")
    of_nginx, of_function = (request(url + path).headers for url in (site, service_with_page.url))
    assert [of_function.get_all(name) for name in names] == [of_nginx.get_all(name) for name in names]
    assert (POLICY in of_nginx) == (path not in {"/main.js", "/style.css"})


def test_files_are_revalidated_and_not_sent_again(site: str) -> None:
    first = request(f"{site}/main.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = request(f"{site}/main.js", if_none_match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")


def test_text_is_compressed(site: str) -> None:
    reply = request(f"{site}/style.css", accept_encoding="gzip")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(reply.body) < len((FRONTEND / "style.css").read_bytes()) / 2


def test_a_body_over_the_limit_is_refused_in_the_apis_words(site: str) -> None:
    # nginx goes by the announced length, so nothing needs to be sent.
    reply = request(f"{site}/api/", "POST", content_length=str(22 * 1024 * 1024))
    assert reply.status == 413
    assert problem(reply) == {
        "type": "urn:digit-reader:too-large",
        "title": "The picture is too large",
        "status": 413,
        "detail": "The limit is 20 MiB. Send a smaller picture.",
    }


def test_page_nginx_and_function_have_one_limit(site: str) -> None:
    limit = read_settings({}).max_upload_bytes
    assert f"client_max_body_size {(limit + ENVELOPE) // 1024}k;" in (FRONTEND / "nginx.conf").read_text()
    (page,) = re.findall(r"const LIMIT = ([\d *]+);", (FRONTEND / "api.js").read_text())
    assert limit == math.prod(map(int, page.split("*")))
    for size, status in ((limit, 415), (limit + 1, 413), (limit + ENVELOPE, 413), (limit + ENVELOPE + 1, 413)):
        assert request(f"{site}/api/", "POST", bytes(size)).status == status


def test_what_one_function_broke_off_is_asked_of_another_only_if_that_is_safe(service: Service, tmp_path: Path) -> None:
    picture, asked = digit_png(3), []

    def break_off(server: socket.socket) -> None:
        while True:
            with contextlib.suppress(OSError), server.accept()[0] as connection:
                asked.append(connection.recv(1 << 16))
            if server.fileno() == -1:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=break_off, args=(server,), daemon=True).start()
        broken = f"127.0.0.1:{server.getsockname()[1]}"
        with running_nginx(tmp_path, broken, urlsplit(service.url).netloc) as url:
            for expected, headers in (({200, 502}, {}), ({200}, {"idempotency_key": uuid.uuid4().hex})):
                asked.clear()
                statuses = set()
                for _ in range(4):
                    statuses.add(request(f"{url}/api/", "POST", picture, **headers).status)
                    time.sleep(1.1)  # until nginx asks the broken one again
                assert statuses == expected
                assert asked
        server.shutdown(socket.SHUT_RDWR)


def test_the_last_of_eight_functions_answers_where_seven_are_gone(service: Service, tmp_path: Path) -> None:
    gone = [f"127.0.0.1:{free_port()}" for _ in range(7)]
    with running_nginx(tmp_path, *gone, urlsplit(service.url).netloc) as url:
        assert request(f"{url}/api/", "POST", digit_png(3)).status == 200


def test_who_asks_too_often_is_told_to_come_back(site: str) -> None:
    with ThreadPoolExecutor(80) as pool:
        replies = list(pool.map(lambda _: request(f"{site}/api/health/live"), range(300)))
    assert {reply.status for reply in replies} == {200, 429}
    refused = next(reply for reply in replies if reply.status == 429)
    assert problem(refused)["title"] == "Too many requests"
    assert int(refused.headers["Retry-After"]) > 0
    with ThreadPoolExecutor(10) as pool:  # who waits for an answer before asking again is never refused
        replies = list(pool.map(lambda _: request(f"{site}/api/health/live"), range(150)))
    assert {reply.status for reply in replies} == {200}


@pytest.mark.parametrize("path", ["/api/", "/api/records?limit=10", "/api/some.html"])
def test_without_the_function_the_api_answers_with_a_problem(site_without_function: str, path: str) -> None:
    reply = request(site_without_function + path)
    assert reply.status == problem(reply)["status"] == 502
    assert problem(reply)["title"] == "The reader is not available"
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.headers.get_all(POLICY) == [policy_of_nginx()]


def test_the_functions_own_errors_pass_through(site: str, service: Service) -> None:
    there, here = request(f"{service.url}/records/nothing"), request(f"{site}/api/records/nothing")
    assert (here.status, problem(here)) == (there.status, problem(there))


def test_a_request_id_is_kept_when_it_is_well_formed(site: str) -> None:
    assert request(f"{site}/api/records", x_request_id="abc-123").headers.get_all("X-Request-Id") == ["abc-123"]
    assert re.fullmatch("[0-9a-f]{32}", request(f"{site}/", x_request_id="<script>").headers["X-Request-Id"])


def test_a_trace_is_passed_on_and_taken_up(site: str) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert request(f"{site}/api/records", traceparent=parent).headers["Traceparent"].startswith(parent[:35])


def test_200_who_do_everything_slowly_stop_nobody(tmp_path: Path) -> None:
    """Some send headers byte by byte, some a picture, some say nothing, some read nothing of what they ask."""
    picture = digit_png(7)
    head = b"POST /api/ HTTP/1.1\r\nHost: localhost\r\n"
    begun = [head, head + b"Content-Length: %d\r\n\r\n" % len(picture), b""]
    reading = b"GET /api/records?format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running_function(tmp_path, {"THREADS": "8"}) as service, contextlib.ExitStack() as stack:
        (tmp_path / "nginx").mkdir()
        request(f"{service.url}/", "POST", picture)  # makes the table
        with sqlite3.connect(tmp_path / "records.db") as db:
            db.executemany(INSERT, (values(Record(new_id(), "9.png", "9", 1, "m@1", 64 * "0")) for _ in range(50_000)))
        db.close()
        url = stack.enter_context(running_nginx(tmp_path / "nginx", urlsplit(service.url).netloc))
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        slow = [stack.enter_context(socket.create_connection(address)) for _ in range(200)]
        for connection in slow[180:]:
            connection.sendall(reading)
        time.sleep(1)
        for number, connection in enumerate(slow[:180]):
            connection.sendall(begun[number % 3])
        time.sleep(1.5)  # so many pictures at once are more than one address may begin with
        for step in range(8):
            for connection in slow[:180:3]:
                connection.sendall(b"X" if step else b"X-Slow: ")
            for connection in slow[1:180:3]:
                connection.sendall(picture[step : step + 1])
            for _ in range(5):
                began = time.monotonic()
                reply = request(f"{url}/api/", "POST", picture)
                assert (reply.status, json.loads(reply.body).get("result")) == (200, "7"), reply.body
                assert time.monotonic() - began < 2
            assert request(f"{url}/api/health/live").status == 200
            time.sleep(0.5)
