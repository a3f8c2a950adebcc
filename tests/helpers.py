"""What several tests need: digits drawn by our own code, a free port, and the function as a running process."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent

# One or two strokes a digit, in a box 10 wide and 16 high.
STROKES: dict[int, list[list[tuple[float, float]]]] = {
    0: [[(5, 0), (1.5, 3), (0, 8), (1.5, 13), (5, 16), (8.5, 13), (10, 8), (8.5, 3), (5, 0)]],
    1: [[(5.5, 0), (4.5, 16)]],
    2: [[(0.5, 3.5), (2, 0.8), (5, 0), (8, 1), (9, 4), (7, 8.5), (0, 16), (10, 15.5)]],
    3: [[(0.5, 1.5), (4.5, 0), (8.5, 2), (8, 5.5), (4, 7.5), (8.5, 9), (9.5, 12.5), (6, 16), (0, 14.5)]],
    4: [[(3, 0), (0, 9.5), (10, 9)], [(7.5, 4), (7, 16)]],
    5: [[(9, 0), (2, 0.3), (1, 7), (5.5, 6.2), (9.2, 9), (9, 13), (5, 16), (0, 14.5)]],
    6: [[(7, 0), (2.5, 5), (0.5, 11), (2.5, 15.5), (6.5, 16), (9.2, 12.5), (7, 9), (3, 9.5), (0.8, 12)]],
    7: [[(0, 0.5), (9.5, 0), (6.5, 7), (4, 16)]],
    8: [[(8.5, 2), (4.5, 0), (1, 2.5), (3, 6.5), (8, 10), (8.5, 14), (4.5, 16), (1, 13.5), (2.5, 9.5), (8.5, 2)]],
    9: [[(9, 3.5), (6, 0), (1.5, 1.5), (0.8, 5.5), (4, 8), (8.5, 5.5), (9, 3.5), (8.5, 9), (6.5, 16)]],
}  # fmt: skip


Colour = str | tuple[int, int, int]


def draw_digit(
    digit: int, *, side: int = 200, nib: int = 12, ink: Colour = "black", paper: Colour = "white"
) -> Image.Image:
    """`digit` in the middle of a square RGB picture, three fifths of it high."""
    image = Image.new("RGB", (side, side), paper)
    pen = ImageDraw.Draw(image)
    unit = 0.6 * side / 16
    for stroke in STROKES[digit]:
        points = [((x - 5) * unit + side / 2, (y - 8) * unit + side / 2) for x, y in stroke]
        pen.line(points, fill=ink, width=nib, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - nib / 2, y - nib / 2, x + nib / 2, y + nib / 2), fill=ink)
    return image


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def digit_png(digit: int) -> bytes:
    return encode(draw_digit(digit))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass(frozen=True)
class Service:
    """The function, running under functions-framework: `url` has no slash at its end, `folder` holds its records."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running_function(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    prefix: Sequence[str] = (),
) -> Iterator[Service]:
    """The real function under the real framework, on a free port if none is given, with SQLite records in `folder`;
    `prefix` is a command that runs it."""
    port = port or free_port()
    command = [*prefix, str(Path(sys.executable).parent / "functions-framework"), "--host", host]
    command += ["--port", str(port), "--source", str(ROOT / "function" / "main.py"), "--target", "recognise"]
    settings = {"RECORDS_URL": f"sqlite:///{folder / 'records.db'}", "JOURNAL_PATH": str(folder / "journal.db")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **settings, **(environment or {})}, stdout=log, stderr=log
        )
    try:
        wait_until_live(f"http://127.0.0.1:{port}", process, folder / "log")
        yield Service(f"http://127.0.0.1:{port}", folder, process)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Tell it to, and kill it if it has not done so in time, which is an error."""
    process.terminate()
    try:
        process.wait(timeout=20)
    finally:
        process.kill()


def knowing(names: Path) -> dict[str, str]:
    """The environment of a process to which this file is /etc/hosts."""
    return {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(names)}


def wait_until_live(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{url}/health/live", timeout=5):
                return
        except HTTPError:
            raise
        except (URLError, ConnectionError):
            time.sleep(0.05)
    raise RuntimeError(f"the function did not come up:\n{log.read_text()}")


def wait_until_nothing_waits(service: Service, seconds: float = 90) -> None:
    """Returns once the function's store takes records itself and has all that were queued."""
    deadline = time.monotonic() + seconds
    while True:
        with urlopen(f"{service.url}/health/ready", timeout=30) as answer:
            state = json.load(answer)
        if state["records"] == "up" and state["queued"] == 0:
            return
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
