"""What is measured of a deployed function from without, and what is told where it fails."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from bench import remote
from bench.remote import Answer, Client, ask_patiently, ask_warm, percentile, read_timing, read_url, report
from tests.helpers import ROOT, Service, free_port, running_function

Reply = tuple[int, dict[str, str]] | None  # status and headers; None ends the connection without an answer
Headers = list[dict[str, str]]


def measure(*arguments: object, script: Path = ROOT / "bench" / "remote.py") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def cells(table: str, name: str) -> list[str]:
    """Of the table's row with this name."""
    [line] = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


@contextmanager
def replying(*replies: Reply) -> Iterator[tuple[str, Headers]]:
    """The URL of a server that gives these replies, the last one again and again, and the headers that it was sent."""
    left, seen = list(replies), list[dict[str, str]]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            seen.append({**self.headers, "path": self.path})
            self.rfile.read(int(self.headers["Content-Length"]))
            reply = left.pop(0) if len(left) > 1 else left[0]
            if reply is None:
                self.close_connection = True
                return
            self.send_response(reply[0])
            for name, value in {"Content-Length": "0", **reply[1]}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept, without sleeping it."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def asked(url: str, ask: Callable[[Client], object]) -> None:
    client = Client(read_url(url), b"picture")
    ask(client)
    client.connection.close()


class TestARealFunction:
    def test_the_first_answer_of_a_process_is_told_apart_from_the_warm_ones(self, tmp_path: Path) -> None:
        with running_function(tmp_path) as fresh:
            done = measure(fresh.url, "--requests", 9, "--cold", 1, "--wait", 1)
        assert done.returncode == 0, done.stderr
        assert cells(done.stdout, "cold: whole request")[0] == cells(done.stdout, "cold: on the server")[0] == "1"
        assert cells(done.stdout, "warm: whole request")[0] == cells(done.stdout, "warm: on the server")[0] == "9"
        assert "1 of 1: asks in 1 s" in done.stderr
        assert "1 of 1: cold, " in done.stderr
        assert all(float(time) > 0 for time in cells(done.stdout, "classify"))

    def test_one_connection_is_kept_for_all_requests(self, service: Service) -> None:
        done = measure(service.url, "--requests", 5)
        assert cells(done.stdout, "connection set-up")[0] == "1"
        assert cells(done.stdout, "cold: whole request")[0] in ("0", "1")

    def test_several_connections_share_the_requests_out(self, service: Service) -> None:
        done = measure(service.url, "--requests", 7, "--concurrency", 3)
        assert cells(done.stdout, "connection set-up")[0] == "3"
        assert sum(int(cells(done.stdout, f"{kind}: whole request")[0]) for kind in ("cold", "warm")) == 7

    @pytest.mark.parametrize(("options", "recorded"), [([], 0), (["--preview"], 0), (["--record"], 2)])
    def test_answers_are_recorded_only_where_that_is_asked_for(
        self, tmp_path: Path, options: list[str], recorded: int
    ) -> None:
        with running_function(tmp_path) as fresh:
            assert measure(fresh.url, "--requests", 2, *options).returncode == 0
            assert len(httpx.get(f"{fresh.url}/records").json()["records"]) == recorded

    def test_the_csv_has_a_line_for_each_request_and_a_column_for_each_stage(
        self, service: Service, tmp_path: Path
    ) -> None:
        measure(service.url, "--requests", 3, "--csv", tmp_path / "answers.csv")
        with (tmp_path / "answers.csv").open(newline="") as file:
            first, *others = csv.DictReader(file)
        stages = ["lookup", "upload", "wait", "decode", "locate", "classify"]
        assert list(first) == ["time", "cold", "status", "error", "whole", "connect", "server", *stages]
        assert len(others) == 2
        assert float(first["server"]) == pytest.approx(sum(float(first[stage]) for stage in stages), abs=0.1)
        assert float(first["whole"]) > float(first["server"])
        assert first["connect"]
        assert [(one["status"], one["cold"], one["error"], one["connect"]) for one in others] == [
            ("200", "false", "", "")
        ] * 2

    def test_the_file_alone_measures_too(self, service: Service, tmp_path: Path) -> None:
        alone = Path(shutil.copy(ROOT / "bench" / "remote.py", tmp_path))
        done = measure(service.url, "--requests", 1, "--picture", ROOT / "docs" / "9.png", script=alone)
        assert done.returncode == 0, done.stderr


class TestFaults:
    @pytest.mark.parametrize("url", ["example.org", "ftp://example.org", "http://", "http://x:port/", "http://[::1/"])
    def test_a_bad_url_gets_one_clear_line(self, url: str) -> None:
        done = measure(url)
        assert done.returncode == 1
        assert done.stderr == f"{url!r} cannot be asked: give a URL such as https://reader.example.org/\n"

    def test_a_picture_that_is_not_there_gets_one_clear_line(self) -> None:
        done = measure("http://127.0.0.1/", "--picture", "none.png")
        assert (done.returncode, done.stderr.count("\n"), "none.png" in done.stderr) == (1, 1, True)

    def test_where_nobody_listens_it_gives_up_and_says_why(self) -> None:
        done = measure(f"http://127.0.0.1:{free_port()}", "--requests", 1000)
        assert done.returncode == 1
        assert f"{remote.GIVE_UP} failed: [Errno" in done.stdout
        assert done.stderr == "Nothing was answered.\n"

    def test_a_broken_connection_is_counted_and_the_next_request_makes_a_new_one(self) -> None:
        with replying((200, {}), None, (200, {})) as (url, _):
            done = measure(url, "--requests", 3)
        assert done.returncode == 0
        assert cells(done.stdout, "warm: whole request")[0] == "2"
        assert cells(done.stdout, "connection set-up")[0] == "2"
        assert "1 failed: Remote end closed connection without response" in done.stdout

    def test_what_is_no_200_is_counted_and_not_among_the_times(self) -> None:
        with replying((200, {}), (415, {}), (200, {})) as (url, _):
            done = measure(url, "--requests", 3)
        assert cells(done.stdout, "warm: whole request")[0] == "2"
        assert "1 failed: 415 Unsupported Media Type" in done.stdout

    def test_it_comes_again_when_the_server_says(self, pauses: list[float]) -> None:
        answers: list[Answer] = []
        with replying((503, {"Retry-After": "7"}), (429, {"Retry-After": "86400"}), (200, {})) as (url, _):
            asked(url, lambda client: ask_warm(client, 1, answers))
        assert [answer.status for answer in answers] == [503, 429, 200]
        assert pauses == [7, remote.LONGEST_PAUSE]

    def test_it_comes_again_only_so_often(self, pauses: list[float]) -> None:
        answers: list[Answer] = []
        with replying((503, {"Retry-After": "1"})) as (url, _):
            asked(url, lambda client: answers.extend(ask_patiently(client)))
        assert [answer.status for answer in answers] == [503] * (1 + remote.RETRIES)
        assert len(pauses) == remote.RETRIES

    @pytest.mark.parametrize("reply", [(503, {}), (503, {"Retry-After": "soon"}), (500, {"Retry-After": "1"})])
    def test_it_does_not_come_again_where_nothing_says_so(self, reply: Reply, pauses: list[float]) -> None:
        answers: list[Answer] = []
        with replying(reply) as (url, _):
            asked(url, lambda client: answers.extend(ask_patiently(client)))
        assert (len(answers), pauses) == (1, [])


def test_the_key_is_sent_as_a_bearer_token_and_the_query_is_kept() -> None:
    with replying((200, {})) as (url, seen):
        measure(f"{url}/api?expect=digit", "--requests", 1, "--key", "secret")
    assert [(one["Authorization"], one["path"]) for one in seen] == [
        ("Bearer secret", "/api?expect=digit&record=false")
    ]


def test_percentiles_are_by_nearest_rank() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert [percentile([3.0, 1.0, 2.0], share) for share in (50, 95)] == [2, 3]
    assert percentile([4.0], 50) == 4


def test_the_report_has_the_figures_of_each_kind() -> None:
    cold = Answer("", 200, cold=True, whole=900, connect=30, stages={"decode": 8, "classify": 2})
    warm = [Answer("", 200, whole=float(whole), stages={"decode": 1, "classify": 2}) for whole in range(1, 101)]
    table = "\n".join(report([cold, *warm, Answer("", 500, error="500 Oh")]))
    assert cells(table, "cold: whole request") == ["1", "900.0", "900.0", "900.0", "900.0"]
    assert cells(table, "cold: on the server") == ["1", "10.0", "10.0", "10.0", "10.0"]
    assert cells(table, "warm: whole request") == ["100", "50.0", "95.0", "99.0", "100.0"]
    assert cells(table, "connection set-up") == ["1", "30.0", "30.0", "30.0", "30.0"]
    assert cells(table, "decode") == ["8.00", "1.00"]
    assert table.endswith("\n1 failed: 500 Oh")


def test_what_was_never_answered_has_no_times() -> None:
    assert cells("\n".join(report([])), "cold: whole request") == ["0", "–", "–", "–", "–"]


def test_server_timing_is_read_whoever_wrote_it() -> None:
    assert read_timing('cold, decode;dur=1.50, cdn;desc="HIT";dur=2,edge; dur=3,bad;dur=x') == {
        "cold": None, "decode": 1.5, "cdn": 2, "edge": 3, "bad": None,
    }  # fmt: skip
    assert read_timing("") == {}
