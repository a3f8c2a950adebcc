"""What becomes of the function under eight times the load that it can serve, and of its memory in ten minutes of that.

    make soak                             # a quarter of an hour
    python -m bench.soak --seconds 60     # a quick look

Clients ask again as soon as they are answered; whoever is told to come back waits as long as Retry-After says, or not
at all (--rude). First it is found out how many of them the function serves best, then eight times as many come, with a
digit of 200 × 200 pixels, and then with a photograph of 12 megapixels. Prints a table; writes docs/soak.png.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import quantiles

import matplotlib as mpl

from bench.processes import family, machine, proportional_set_size
from tests.helpers import ROOT, Service, digit_png, draw_digit, encode, running_function

mpl.use("Agg")
import matplotlib.pyplot as plt

FEW = (2, 4, 8, 16)  # clients among which the best number is looked for …
LOOK = 10.0  # … seconds each
TIMES = 8
EACH = 10.0  # seconds that are looked at together
MEGABYTE = 1e6


@dataclass(frozen=True)
class Answer:
    at: float  # seconds since the load began, at its end
    took: float  # seconds
    status: int


# ── Load ──────────────────────────────────────────────────────────────────────────────────────────────────────
def load(url: str, picture: bytes, clients: int, seconds: float, *, rude: bool) -> list[Answer]:
    """What `clients` are answered, each over a connection of its own, in `seconds`."""
    return asyncio.run(all_asking(url, picture, clients, seconds, rude=rude))


async def all_asking(url: str, picture: bytes, clients: int, seconds: float, *, rude: bool) -> list[Answer]:
    began = time.perf_counter()
    answers: list[Answer] = []
    await asyncio.gather(*(ask(url, picture, began, seconds, answers, rude=rude) for _ in range(clients)))
    return answers


async def ask(url: str, picture: bytes, began: float, seconds: float, answers: list[Answer], *, rude: bool) -> None:
    host, port = url.removeprefix("http://").split(":")
    request = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(picture)}\r\n\r\n".encode() + picture
    reader, writer = await asyncio.open_connection(host, int(port))
    while (asked := time.perf_counter()) < began + seconds:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        await reader.readexactly(int(fields["content-length"]))
        now = time.perf_counter()
        answers.append(Answer(now - began, now - asked, int(head.split()[1])))
        waits = not rude and "retry-after" in fields
        if waits:
            await asyncio.sleep(min(float(fields["retry-after"]), max(0.0, began + seconds - now)))
        if waits or fields["connection"] == "close":  # the function closes what is idle
            writer.close()
            reader, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


# ── Measure ───────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Result:
    """Of one picture: the best that a few clients were served, and what many were."""

    name: str
    best: float  # answers in a second
    many: int
    answers: list[Answer]
    memory: list[tuple[float, float]]  # seconds, MB
    seconds: float

    @property
    def served(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == 200]

    @property
    def refused(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status in (429, 503)]

    @property
    def rate(self) -> float:
        return len(self.served) / self.seconds


def measure(service: Service, name: str, picture: bytes, seconds: float, *, rude: bool) -> Result:
    load(service.url, picture, FEW[0], 3, rude=rude)  # warms up
    rates = {}
    for clients in FEW:
        answers = load(service.url, picture, clients, LOOK, rude=rude)
        rates[clients] = sum(answer.status == 200 for answer in answers) / LOOK
        print(f"{name}: {clients} clients, {rates[clients]:.1f} answers/s", file=sys.stderr)
    fewest = min(clients for clients, rate in rates.items() if rate >= 0.95 * max(rates.values()))
    many = TIMES * fewest
    print(f"{name}: {many} clients for {seconds:.0f} s …", file=sys.stderr)
    with watched(service) as memory:
        answers = load(service.url, picture, many, seconds, rude=rude)
    return Result(name, max(rates.values()), many, answers, memory, seconds)


@contextmanager
def watched(service: Service) -> Iterator[list[tuple[float, float]]]:
    """The memory of all its processes (proportional set size), looked at by a process of its own: this one is busy."""
    samples: list[tuple[float, float]] = []
    reader, writer = os.pipe()
    began = time.monotonic()
    if (pid := os.fork()) == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as told, suppress(BrokenPipeError):
            while os.getppid() != 1:
                held = sum(map(proportional_set_size, family(service.process.pid))) / MEGABYTE
                print(time.monotonic() - began, held, file=told, flush=True)
                time.sleep(2)
        os._exit(0)
    os.close(writer)
    try:
        yield samples
    finally:
        os.kill(pid, 15)
        os.waitpid(pid, 0)
        with os.fdopen(reader) as told:
            samples += [(float(at), float(held)) for at, held in map(str.split, told)]


# ── Tables and a picture ──────────────────────────────────────────────────────────────────────────────────────
def percentile(answers: Sequence[Answer], share: int) -> float:
    """Milliseconds."""
    times = [1000 * answer.took for answer in answers]
    return quantiles(times, n=100, method="inclusive")[share - 1] if len(times) > 1 else 0.0


def row(result: Result) -> tuple[str, ...]:
    others = len(result.answers) - len(result.served) - len(result.refused)
    held = [held for _, held in result.memory]
    third = max(1, len(held) // 3)
    return (
        result.name,
        f"{result.best:.1f}",
        f"{result.many}",
        f"{result.rate:.1f}",
        f"{result.rate / result.best:.0%}",
        f"{percentile(result.served, 50):.0f} / {percentile(result.served, 99):.0f}",
        f"{len(result.refused):,}",
        f"{percentile(result.refused, 99):.0f}" if result.refused else "–",
        f"{others}",
        f"{sum(held[:third]) / third:.0f} / {sum(held[-third:]) / third:.0f}",
    )


COLUMNS = (
    "picture", "answers/s at best", "clients", "answers/s", "of the best", "p50 / p99, ms", "told to come back",
    "p99 of that, ms", "other answers", "memory, first / last third, MB",
)  # fmt: skip


def draw(result: Result, target: Path) -> None:
    """Answers a second, their latency, and memory, over the time."""
    figure, (rates, latency, memory) = plt.subplots(3, 1, figsize=(9, 7), sharex=True, constrained_layout=True)
    groups = [(at * EACH, list(group)) for at, group in groupby(result.answers, lambda answer: int(answer.at // EACH))]
    groups = [(at, group) for at, group in groups if at + EACH <= result.seconds]
    times = [at + EACH / 2 for at, _ in groups]
    rates.plot(times, [sum(a.status == 200 for a in group) / EACH for _, group in groups], label="answers")
    rates.plot(times, [sum(a.status == 503 for a in group) / EACH for _, group in groups], label="told to come back")
    rates.axhline(result.best, linestyle=":", color="#7f7f7f", label="the best that a few clients were served")
    rates.set(ylabel="a second", ylim=(0, None), title=f"{result.many} clients at once: {result.name}")
    rates.legend()
    for share in (50, 99):
        served = [[a for a in group if a.status == 200] for _, group in groups]
        latency.plot(times, [percentile(group, share) for group in served], label=f"p{share}")
    latency.set(ylabel="ms", ylim=(0, None))
    latency.legend()
    memory.plot(*zip(*result.memory, strict=True))
    memory.set(ylabel="memory, MB", ylim=(0, None), xlabel="seconds")
    figure.savefig(target, dpi=100)
    plt.close(figure)


def photograph() -> bytes:
    """12 megapixels."""
    return encode(draw_digit(7, side=3464, nib=150, ink="#223", paper="#ddd"), "JPEG", quality=92)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="that the load of small pictures lasts")
    parser.add_argument("--rude", action="store_true", help="clients do not heed Retry-After")
    options = parser.parse_args()
    settings = {"WORKERS": os.environ.get("WORKERS", str(os.cpu_count())), "THREADS": os.environ.get("THREADS", "8")}
    print(json.dumps({**machine(), **settings}))
    with tempfile.TemporaryDirectory() as folder, running_function(Path(folder), settings) as service:
        drawing = measure(service, "a drawn digit", digit_png(7), options.seconds, rude=options.rude)
        photo = measure(service, "12 megapixels", photograph(), min(60, options.seconds), rude=options.rude)
    print(f"\n| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 1)}")
    for result in (drawing, photo):
        print(f"| {' | '.join(row(result))} |")
    draw(drawing, ROOT / "docs" / "soak.png")


if __name__ == "__main__":
    main()
