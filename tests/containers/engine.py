"""The container engine: one image's container, and the whole system under docker compose. Ports are on the loopback."""

from __future__ import annotations

import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.helpers import ROOT, digit_png, free_port

CLUSTER = ROOT / "deploy" / "compose.cluster.yml"
SECURE = ROOT / "deploy" / "compose.secure.yml"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def docker(*arguments: str, timeout: float = 120, environment: Mapping[str, str] | None = None) -> str:
    """What the command prints, errors included; fails with it, if it fails."""
    done = subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        check=False, env={**os.environ, **(environment or {})}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-5000:]}"
    return done.stdout.strip()


# ── One container ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Container:
    name: str
    url: str

    @property
    def log(self) -> str:
        return docker("logs", self.name)

    def wait_until_live(self) -> None:
        until(lambda: httpx.get(f"{self.url}/health/live").status_code == 200, lambda: self.log)

    def stop(self, seconds: int = 30) -> int:
        """Its exit status."""
        docker("stop", "--time", str(seconds), self.name)
        return int(docker("inspect", "--format", "{{.State.ExitCode}}", self.name))


@contextmanager
def running_container(image: str, *options: str, port: int = 8080) -> Iterator[Container]:
    name, outside = f"digit-reader-{uuid.uuid4().hex[:8]}", free_port()
    docker("run", "--detach", "--name", name, "--publish", f"127.0.0.1:{outside}:{port}", *options, image)
    container = Container(name, f"http://127.0.0.1:{outside}")
    try:
        container.wait_until_live()
        yield container
    finally:
        docker("rm", "--force", "--volumes", name)


# ── The whole system ──────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Compose:
    """A project of its own: containers, network, volumes; the page is on `url`."""

    files: tuple[Path, ...]
    project: str
    port: int
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, *arguments: str, timeout: float = 240) -> str:
        files = [word for file in self.files for word in ("--file", str(file))]
        environment = {**self.environment, "PAGE_PORT": str(self.port)}
        command = ("compose", "--project-name", self.project, *files, "--progress", "quiet", *arguments)
        return docker(*command, timeout=timeout, environment=environment)

    def up(self, *arguments: str) -> None:
        """As a person does, but for what was built already."""
        self("up", "--detach", "--no-build", *arguments)

    def cql(self, statement: str, *, options: tuple[str, ...] = (), user: tuple[str, ...] = ()) -> str:
        """What cqlsh says inside the node's container, started with `options`, as `user`."""
        return self("exec", "-T", *options, "cassandra", "cqlsh", *user, "-e", statement)

    def recorded(self, **how: tuple[str, ...]) -> list[str]:
        """The ids of all records in Cassandra's table."""
        return UUID.findall(self.cql("select id from mnistkeyspace.predictrecord", **how))

    def read(self, digit: int = 7, *, key: str = "") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return httpx.post(f"{self.url}/api/", files={"image": ("9.png", digit_png(digit))}, headers=headers, timeout=60)

    def wait_for_answer(self, seconds: float = 60) -> httpx.Response:
        """The first that a client gets who asks again and again."""
        answers: list[httpx.Response] = []

        def answered() -> bool:
            answers.append(self.read())
            return answers[-1].status_code == 200

        until(answered, lambda: self("logs", "--tail", "30"), seconds)
        return answers[-1]

    def wait_until_nothing_waits(self, seconds: float = 180) -> None:
        """Until Cassandra takes records and has all that were queued."""

        def stored() -> bool:
            state = httpx.get(f"{self.url}/api/health/ready").json()
            return bool(state["records"] == "up" and state["queued"] == 0)

        until(stored, lambda: self("logs", "--tail", "30", "function", "nginx"), seconds)


@contextmanager
def running_system(*overrides: Path, **environment: str) -> Iterator[Compose]:
    files = (ROOT / "docker-compose.yml", *overrides)
    compose = Compose(files, f"digit-reader-{uuid.uuid4().hex[:8]}", free_port(), environment)
    try:
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "5")


def until(true: Callable[[], bool], explain: Callable[[], str], seconds: float = 60) -> None:
    """Ask again and again, whatever cannot be reached or is no answer yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError, ValueError, KeyError):
            if true():
                return
        time.sleep(0.1)
    raise AssertionError(explain())
