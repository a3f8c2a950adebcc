"""A real Cassandra of one or more nodes on the loopback, that can be killed, paused, moved and started again."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy

from function.errors import Unavailable
from function.records.forwarded import ForwardedRecords
from tests.helpers import ROOT

CONFIGURATION = ROOT / "tests" / "cassandra"
JARS = ROOT / ".venv" / "cassandra"  # `make test` puts them there
PORT = 9042
RING = 1 << 64
NETWORKS = itertools.count(os.getpid() % 150 + 50)  # so that runs at the same time keep out of each other's way


class Nodes:
    """Nodes of a loopback network of their own, port 9042; all that they keep lies in `folder`.

    With `tls`, a folder with node.pem (key and certificate) and ca.pem, they demand it, and with `client_certificates`
    one of the client's too. With `password` they demand one; at first it is cassandra's own: cassandra.
    """

    def __init__(
        self, folder: Path, count: int = 1, *, password: bool = False, tls: Path | None = None,
        client_certificates: bool = False,
    ) -> None:  # fmt: skip
        self.folder = folder
        network = next(NETWORKS)
        self.addresses = [f"127.0.{network}.{number}" for number in range(1, count + 1)]
        self._password = password
        self._tls = tls
        self._client_certificates = client_certificates
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"cassandra://{','.join(self.addresses)}/mnistkeyspace"

    def start(self, *numbers: int) -> None:
        """Starts the nodes of these numbers (all, if none is named), and returns once each answers."""
        chosen = numbers or tuple(range(len(self.addresses)))
        for number in chosen:
            self.launch(number)
        for number in chosen:
            self.wait(number)

    def launch(self, number: int, address: str | None = None) -> None:
        """Starts one node and does not wait for it; at another address, if one is given."""
        self.addresses[number] = address or self.addresses[number]
        folder = self.folder / f"node{number}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cassandra.yaml").write_text(self._configuration(number, folder))
        command = [java(), f"@{CONFIGURATION / 'jvm.options'}", f"-javaagent:{next(JARS.glob('jamm-*.jar'))}"]
        command += [f"-Djava.io.tmpdir={folder}", f"-Dcassandra.storagedir={folder}"]
        command += [f"-Dcassandra.jmx.local.port={jmx_port(self.addresses[number])}"]
        command += [f"-Dcassandra.config=file://{folder}/cassandra.yaml"]
        command += [f"-Dlogback.configurationFile={CONFIGURATION / 'logback.xml'}"]
        for keyspace in ("system_auth", "system_distributed"):
            command += [f"-Dcassandra.{keyspace}.default_rf={min(3, len(self.addresses))}"]
        command += ["-cp", f"{JARS}/*", "org.apache.cassandra.service.CassandraDaemon"]
        with (folder / "log").open("ab") as log:
            environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
            self._processes[number] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def wait(self, number: int, seconds: float = 180) -> None:
        """Returns once the node takes connections of clients."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._processes[number].poll() is None:
            try:
                socket.create_connection((self.addresses[number], PORT), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        log = (self.folder / f"node{number}" / "log").read_text()
        raise RuntimeError(f"Cassandra did not come up:\n{log[-3000:]}")

    def kill(self, *numbers: int) -> None:
        """kill -9 (all of them, if none is named): nothing is flushed."""
        for number in numbers or tuple(self._processes):
            process = self._processes.pop(number)
            process.kill()
            process.wait()

    def pause(self, number: int = 0) -> None:
        """The node hangs: its connections stay, and nothing answers."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int = 0) -> None:
        self._processes[number].send_signal(signal.SIGCONT)

    def _configuration(self, number: int, folder: Path) -> str:
        count, tokens = len(self.addresses), 4
        shares = [(turn * count + number) * (RING // (count * tokens)) - RING // 2 for turn in range(tokens)]
        values = {
            "tokens": ",".join(str(share) for share in shares),
            "seed": f"{self.addresses[0]}:7000",
            "address": self.addresses[number],
            "folder": str(folder),
            "authenticator": "PasswordAuthenticator" if self._password else "AllowAllAuthenticator",
            "authorizer": "CassandraAuthorizer" if self._password else "AllowAllAuthorizer",
            "tls": "true" if self._tls else "false",
            "tls_folder": str(self._tls or folder),
            "client_certificates": "true" if self._client_certificates else "false",
        }
        text = (CONFIGURATION / "cassandra.yaml").read_text()
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def java() -> str:
    return shutil.which("java", path=os.environ.get("JAVA_HOME", "") + "/bin") or shutil.which("java") or ""


def runs_cassandra() -> bool:
    if not java():
        return False
    told = subprocess.run([java(), "-version"], capture_output=True, text=True, check=False).stderr
    return re.search(r'version "(11|17)\b', told) is not None


def jmx_port(address: str) -> int:
    """Cassandra's management port is always on 127.0.0.1, so each node has its own."""
    _, _, network, number = (int(part) for part in address.split("."))
    return 10_000 + network * 100 + number


def why_none() -> str:
    """Why no node can run here; empty if one can."""
    if sys.platform != "linux":
        return "only Linux has all of 127.0.0.0/8 on its loopback"
    if not list(JARS.glob("cassandra-all-*.jar")):
        return "there is no Cassandra: `make test` fetches it with Maven"
    if not runs_cassandra():
        return "Cassandra needs Java 11 or 17: set JAVA_HOME"
    return ""


@contextmanager
def running_nodes(folder: Path, count: int = 1, *, start: bool = True, **options: Any) -> Iterator[Nodes]:
    """Nodes that answer, or with `start=False` are yet to start; skips the test where Cassandra cannot be had."""
    if reason := why_none():
        pytest.skip(reason)
    nodes = Nodes(folder, count, **options)
    try:
        if start:
            nodes.start()
        yield nodes
    finally:
        nodes.kill()


@contextmanager
def connected(nodes: Nodes) -> Iterator[Session]:
    """Beside the function. It asks a quorum: that many have what was answered, and a node that was away may not yet."""
    profile = ExecutionProfile(RoundRobinPolicy(), consistency_level=ConsistencyLevel.QUORUM, request_timeout=60)
    with Cluster(nodes.addresses, protocol_version=4, execution_profiles={EXEC_PROFILE_DEFAULT: profile}) as cluster:
        yield cluster.connect()


def wait_until_they_agree(nodes: Nodes, seconds: float = 60) -> None:
    """Returns once all of them have the same tables: until then some may write nothing."""
    with connected(nodes) as session:
        session.cluster.refresh_schema_metadata(max_schema_agreement_wait=seconds)  # raises, if they do not by then


def wait_until_up(store: ForwardedRecords, seconds: float = 60) -> None:
    """Returns once the store takes records itself and none waits."""
    deadline = time.monotonic() + seconds
    while not (state := store.check()).up or state.queued:
        assert time.monotonic() < deadline, state
        with suppress(Unavailable):
            store.page(1)  # the forwarder makes haste for a reader
