"""A real Cassandra that demands TLS, a certificate and a password, and what the function says when one is wrong."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy

from function.records.address import read_address
from function.records.cluster import tls_context
from tests.helpers import ROOT, Service, digit_png, knowing, running_function
from tests.nodes import Nodes, running_nodes

SECRET = "hunter2-%_'\"&:/@ü"  # noqa: S105  (whatever a password may hold)


# ── The node, and who may ask it ──────────────────────────────────────────────────────────────────────────────
def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_authority(folder: Path, name: str) -> None:
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
        "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem",
    )  # fmt: skip


def make_certificate(folder: Path, name: str, authority: str, *, names: str) -> None:
    """Key and certificate in one file, {name}.pem."""
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE",
        "-CA", f"{folder}/{authority}.pem", "-CAkey", f"{folder}/{authority}.key",
        "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt",
    )  # fmt: skip
    (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())


@dataclass(frozen=True)
class Secured:
    """A node, the folder of certificates, and the environment of a function that may use it."""

    nodes: Nodes
    pems: Path

    def url(self, host: str = "localhost", *, ca: str = "ca", client: str = "client") -> str:
        """The node's certificate is for localhost and its address, and for no other name."""
        certificate = f"&cert={self.pems}/{client}.pem&key={self.pems}/{client}.pem" if client else ""
        return f"cassandra://reader@{host}/mnistkeyspace?tls=true&ca={self.pems}/{ca}.pem{certificate}"

    @contextlib.contextmanager
    def connected(self) -> Iterator[Session]:
        """Beside the function, as cassandra's own first user."""
        address = read_address(self.url(self.nodes.addresses[0]).removeprefix("cassandra://"))
        with Cluster(
            self.nodes.addresses, protocol_version=4, auth_provider=PlainTextAuthProvider("cassandra", "cassandra"),
            ssl_context=tls_context(address),
            execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(RoundRobinPolicy(), request_timeout=60)},
        ) as cluster:  # fmt: skip
            yield cluster.connect()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """`reader` may do all in mnistkeyspace, which was made by schema.cql, and nothing else."""
    pems = tmp_path_factory.mktemp("pems")
    with running_nodes(
        tmp_path_factory.mktemp("secured"), start=False, password=True, tls=pems, client_certificates=True
    ) as nodes:
        make_authority(pems, "ca")
        make_authority(pems, "other_ca")
        make_certificate(pems, "node", "ca", names=f"DNS:localhost,IP:{nodes.addresses[0]}")
        make_certificate(pems, "client", "ca", names="DNS:reader")
        make_certificate(pems, "other_client", "other_ca", names="DNS:reader")
        nodes.start()
        found = Secured(nodes, pems)
        make_tables(found)
        yield found


def make_tables(secured: Secured, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with secured.connected() as session:  # whose user is made some seconds after the node's start
                text = re.sub("--.*", "", (ROOT / "function" / "schema.cql").read_text())
                for statement in filter(str.strip, text.split(";")):
                    session.execute(statement)
                session.execute("create role reader with login = true and password = %s", (SECRET,))
                session.execute("grant select on keyspace mnistkeyspace to reader")
                session.execute("grant modify on keyspace mnistkeyspace to reader")
                return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


Start = Callable[..., contextlib.AbstractContextManager[Service]]


@pytest.fixture
def start(secured: Secured, names: Path, tmp_path: Path) -> Start:
    """Starts a function on a machine that knows the node by more names than its certificate has."""
    address = secured.nodes.addresses[0]
    names.write_text(f"{address} localhost\n{address} impostor\n")
    return lambda url, **more: running_function(tmp_path, {"RECORDS_URL": url, **knowing(names), **more})


def ready(service: Service, seconds: float = 30) -> dict[str, object]:
    """Once it is known whether Cassandra takes records."""
    deadline = time.monotonic() + seconds
    while True:
        state: dict[str, object] = httpx.get(f"{service.url}/health/ready", timeout=30).json()
        if state["records"] == "up" or state["reason"] != "there was no time yet to connect":
            return state
        assert time.monotonic() < deadline, state
        time.sleep(0.1)


def everything_said(service: Service) -> str:
    """All that a stranger or an operator gets to read."""
    paths = ("/health/ready", "/health/live", "/metrics", "/records", f"/records/{uuid.uuid1()}", "/openapi.json")
    told = [httpx.get(service.url + path, timeout=30).text for path in paths]
    log = (service.folder / "log").read_text()
    messages = [json.loads(line)["message"] for line in log.splitlines() if line.startswith("{")]
    return "\n".join([*told, log, *messages])


# ── Who is let in ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("by", ["CASSANDRA_PASSWORD", "CASSANDRA_PASSWORD_FILE"])
def test_with_password_and_certificates_records_are_stored(
    secured: Secured, start: Start, tmp_path: Path, by: str
) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    value = SECRET if by == "CASSANDRA_PASSWORD" else str(tmp_path / "password")
    with start(secured.url(), **{by: value}) as service:
        assert ready(service)["records"] == "up"
        given = httpx.post(service.url, content=digit_png(4)).json()
        assert given["recorded"] == "stored"
        assert httpx.get(f"{service.url}/records/{given['id']}").json()["result"] == "4"
        assert SECRET not in everything_said(service)


def test_the_nodes_address_is_as_good_as_its_name(secured: Secured, start: Start) -> None:
    url = secured.url(secured.nodes.addresses[0])
    with start(url, CASSANDRA_PASSWORD=SECRET) as service:
        assert ready(service)["records"] == "up"


# ── Who is not ────────────────────────────────────────────────────────────────────────────────────────────────
WRONG: dict[str, tuple[dict[str, str], str, str]] = {
    "password": ({}, "hunter3", "the login fails"),
    "no password": ({}, "", "the login fails"),
    "authority": ({"ca": "other_ca"}, SECRET, "the connection fails: certificate verify failed: unable to get local"),
    "name": ({"host": "impostor"}, SECRET, "the connection fails: certificate verify failed: Hostname mismatch"),
    "client certificate": ({"client": "other_client"}, SECRET, "the connection fails: .* client certificate"),
    "no client certificate": ({"client": ""}, SECRET, "the connection fails: .* client certificate"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_and_records_are_queued(
    secured: Secured, start: Start, tmp_path: Path, wrong: str
) -> None:
    parts, password, reason = WRONG[wrong]
    with start(secured.url(**parts), CASSANDRA_PASSWORD=password) as service:
        state = ready(service)
        assert state["records"] == "down"
        assert re.match(reason, str(state["reason"])), state
        for _ in range(3):
            time.sleep(1)
            assert httpx.post(service.url, content=digit_png(4)).json()["recorded"] == "queued"
        assert service.process.poll() is None
        said = everything_said(service)
    assert f"Cassandra takes no records: {state['reason']}" in said
    assert "Traceback" not in said
    assert not password or password not in said
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if ".requests" not in line]
    assert len(lines) < 10


def test_once_the_password_is_right_all_is_forwarded(secured: Secured, start: Start, tmp_path: Path) -> None:
    """Secrets that are files are changed under the running function."""
    (tmp_path / "password").write_text("wrong")
    with start(secured.url(), CASSANDRA_PASSWORD_FILE=str(tmp_path / "password")) as service:
        ready(service)
        given = httpx.post(service.url, content=digit_png(4)).json()
        assert given["recorded"] == "queued"
        (tmp_path / "password").write_text(SECRET)
        deadline = time.monotonic() + 30
        while (state := ready(service)) and (state["records"], state["queued"]) != ("up", 0):
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
        assert httpx.get(f"{service.url}/records/{given['id']}").status_code == 200


def test_a_user_who_may_make_no_tables_is_told_so(secured: Secured, start: Start) -> None:
    url = secured.url().replace("mnistkeyspace", "another")
    with start(url, CASSANDRA_PASSWORD=SECRET) as service:
        state = ready(service)
        assert "the user is not allowed to" in str(state["reason"])
        assert httpx.post(service.url, content=digit_png(4)).json()["recorded"] == "queued"
