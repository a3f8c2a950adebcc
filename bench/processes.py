"""Environments and processes of what is compared: install, start, ask, weigh, end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.helpers import ROOT, free_port

ENVIRONMENTS = ROOT / ".bench"
CONSTRAINTS = ROOT / "function" / "requirements.in"
POLL = 0.001  # seconds between two attempts to connect
PATIENCE = 120.0  # seconds for a first answer
GRACE = 3.0  # seconds to end in
# What would change how a server starts: byte code is read and written, and each has its own settings.
UNSET = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "HOST", "PORT", "WORKERS", "THREADS", "FRONTEND_DIR")
MEGABYTE = 1e6


@dataclass(frozen=True)
class Arm:
    """One of what is compared. `command` is run in the folder `code`; in it and in `settings`, {port} and {folder} are
    filled in at each start. The picture is posted to `path`; `key` is where the answer names the digit, or empty where
    there is none."""

    name: str
    environment: str
    requirements: Path
    command: Sequence[str]
    code: Path
    model: Path | None = None
    key: str = "digit"
    settings: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"


# ── Environments ──────────────────────────────────────────────────────────────────────────────────────────────
def install(name: str, requirements: Path) -> Path:
    """The environment's folder, made where it is missing or something else is required now."""
    folder = ENVIRONMENTS / name
    wanted, stamp = requirements.read_text() + CONSTRAINTS.read_text(), folder / "installed.txt"
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"installing {name} …", file=sys.stderr)
        uv = Path(sys.executable).parent / "uv"
        run(f"making an environment for {name}", uv, "venv", "--clear", "--python", sys.executable, folder)
        # Copies: files that environments share would share their memory too.
        options = ("--link-mode", "copy", "--compile-bytecode", "--python", folder, "--requirement", requirements)
        run(f"installing {name}", uv, "pip", "install", *options)
        stamp.write_text(wanted)
    return folder


def compile_code(arm: Arm) -> None:
    run(f"compiling {arm.name}", ENVIRONMENTS / arm.environment / "bin" / "python", "-m", "compileall", "-q", arm.code)


def run(what: str, *command: str | Path) -> None:
    """Raises `RuntimeError`, which says what it was, if the command fails."""
    told = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if told.returncode:
        raise RuntimeError(f"{what} failed\n{told.stdout[-3000:]}")


def size(*places: Path) -> float:
    """MB of all files there, without byte code."""
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    sizes = [file.stat().st_size for file in files if file.is_file() and "__pycache__" not in file.parts]
    return sum(sizes) / MEGABYTE


def packages(environment: str) -> Path:
    return next((ENVIRONMENTS / environment / "lib").glob("python*")) / "site-packages"


# ── Processes ─────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Server:
    """A started server, which may not listen yet."""

    arm: Arm
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    began: float  # by time.perf_counter

    def first_answer(self, picture: bytes, digit: int) -> float:
        """Seconds from the start to the right answer; raises `RuntimeError` if there is none."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError, HTTPException), closing(self.connect()) as connection:
                status, answer = self.ask(connection, picture)
                if status == 200:
                    self.check(answer, digit)
                    return time.perf_counter() - self.began
            time.sleep(POLL)
        raise RuntimeError(f"{self.arm.name} gave no answer:\n{self.log.read_text(errors='replace')[-2000:]}")

    def check(self, answer: bytes, digit: int) -> None:
        if self.arm.key and str(json.loads(answer)[self.arm.key]) != str(digit):
            raise RuntimeError(f"{self.arm.name} did not read {digit}: {answer.decode()[:300]}")

    def ask(self, connection: HTTPConnection, picture: bytes) -> tuple[int, bytes]:
        connection.request("POST", self.arm.path, picture, {"Content-Type": "image/png"})
        response = connection.getresponse()
        return response.status, response.read()

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def memory(self) -> float:
        """MB of all its processes: proportional set size, which counts a shared page once."""
        return sum(map(proportional_set_size, family(self.process.pid))) / MEGABYTE


@contextmanager
def started(arm: Arm, folder: Path) -> Iterator[Server]:
    """A server that is just being started, in `folder`; at the end it and all its children are gone."""
    port, log = free_port(), folder / "log"
    known = {"port": str(port), "folder": str(folder)}
    bin_folder = ENVIRONMENTS / arm.environment / "bin"
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment = {
        **inherited,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        **{name: value.format(**known) for name, value in arm.settings.items()},
    }
    command = [part.format(**known) for part in arm.command]
    with log.open("ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [bin_folder / command[0], *command[1:]], env=environment, cwd=arm.code, stdout=output, stderr=output
        )
    try:
        yield Server(arm, port, process, log, began)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """As a supervisor does: asks, waits, and then kills whichever of its processes is left."""
    members = family(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: list[str] = []
    with suppress(OSError):  # it ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def proportional_set_size(pid: int) -> int:
    """Bytes; 0 of a process that ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


# ── The machine ───────────────────────────────────────────────────────────────────────────────────────────────
def machine() -> dict[str, str | int]:
    processor = first_after("/proc/cpuinfo", "model name")
    memory = int(first_after("/proc/meminfo", "MemTotal").split()[0]) // 1024
    system = first_after("/etc/os-release", "PRETTY_NAME", "=").strip('"')
    return {
        "cores": os.cpu_count() or 1,
        "processor": processor,
        "memory_mib": memory,
        "system": f"{system}, Linux {os.uname().release}",
        "python": sys.version.split()[0],
    }


def first_after(file: str, name: str, between: str = ":") -> str:
    lines = (line.partition(between) for line in Path(file).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "unknown")
