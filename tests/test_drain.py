"""A function that is told to end: whoever it let in is answered and recorded first."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.helpers import Service, digit_png, free_port, running_function
from tests.nginx import running_nginx

PICTURE = digit_png(7)
BUSY = "503 urn:digit-reader:busy"


@dataclass
class Clients:
    """What became of the requests of many clients, that go on asking until they are told to stop."""

    url: str
    keep: bool  # one connection for all of a client's requests
    pause: float = 0.0  # seconds between two of them
    refused_is_the_end: bool = True
    answered: list[str] = field(default_factory=list)  # the records' ids
    failed: list[str] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self, count: int) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        while not self._stopped.is_set():
            try:
                connection.request("POST", f"{urlsplit(self.url).path}/", PICTURE)
                answer = connection.getresponse()
                body = answer.read()
            except ConnectionRefusedError:  # nobody let it in
                if self.refused_is_the_end:
                    return
                self.failed.append("refused")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            else:
                if answer.status == 200:
                    self.answered.append(json.loads(body)["id"])
                else:
                    self.failed.append(f"{answer.status} {json.loads(body)['type']}")
            if not self.keep:
                connection.close()
            time.sleep(self.pause)
        connection.close()


def recorded(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "records.db") as db:
        return {row[0] for row in db.execute("select id from predictrecord")}


def ends(service: Service) -> float:
    """Tell it to end; the seconds until it has."""
    told = time.monotonic()
    service.process.terminate()
    service.process.wait(timeout=30)
    return time.monotonic() - told


@pytest.mark.parametrize("connections", ["kept", "one for each request"])
@pytest.mark.parametrize(("workers", "threads"), [("1", "4"), ("2", "4"), ("1", "1")])
def test_at_its_end_whoever_is_let_in_is_answered_and_recorded(
    tmp_path: Path, workers: str, threads: str, connections: str
) -> None:
    with running_function(tmp_path, {"WORKERS": workers, "THREADS": threads}) as service:
        clients = Clients(service.url, keep=connections == "kept")
        with clients.asking(24):
            time.sleep(2)
            assert ends(service) < 10
    assert [failure for failure in clients.failed if BUSY not in failure] == []  # on a machine that others use, too
    assert len(clients.answered) > 24
    assert recorded(tmp_path) == set(clients.answered)


def test_an_idle_connection_does_not_hold_it_up(tmp_path: Path) -> None:
    with running_function(tmp_path) as service:
        silent = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
        silent.connect()
        time.sleep(0.2)
        assert ends(service) < 6
        silent.close()


def test_a_picture_that_is_still_being_sent_is_answered(tmp_path: Path) -> None:
    with running_function(tmp_path) as service:
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(len(PICTURE)))
        connection.endheaders(PICTURE[:100])
        time.sleep(0.5)
        service.process.terminate()
        time.sleep(3)
        connection.send(PICTURE[100:])
        answer = connection.getresponse()
        assert answer.status == 200
        assert recorded(tmp_path) == {json.loads(answer.read())["id"]}
        connection.close()


def test_three_functions_behind_nginx_are_restarted_one_by_one_and_no_request_fails(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    environment = {"WORKERS": "1", "THREADS": "8"}
    with ExitStack() as stack:
        running = {port: stack.enter_context(running_function(tmp_path, environment, port=port)) for port in ports}
        url = stack.enter_context(running_nginx(tmp_path, *(f"127.0.0.1:{port}" for port in ports)))
        clients = Clients(f"{url}/api", keep=True, pause=0.1, refused_is_the_end=False)
        with clients.asking(4):
            for port in ports * 2:
                time.sleep(1)
                assert ends(running[port]) < 10
                running[port] = stack.enter_context(running_function(tmp_path, environment, port=port))
            time.sleep(1)
    assert clients.failed == []
    assert recorded(tmp_path) == set(clients.answered)
