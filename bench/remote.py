"""How long a deployed function takes to answer, as one who asks it sees it: cold and warm answers apart.

    make bench-remote URL=https://…                                      # 100 previews over one connection
    make bench-remote URL=https://… COLD=5 WAIT=1200 CSV=answers.csv     # first five, each after a wait

It needs the standard library alone and no other file, so it can be copied to where one wants to measure from.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "9.png"
TIMEOUT = 120  # seconds; the platform may have to fetch the image first
RETRIES = 3  # of one request, where the server says when to come again …
LONGEST_PAUSE = 30  # … and at most so many seconds before each
GIVE_UP = 5  # failures in a row end what is asked over a connection
SHARES = (50, 95, 99)


@dataclass(frozen=True)
class Answer:
    """What became of a request. In milliseconds: `whole` from the first byte sent to the last one read, `connect` for
    name, TCP and TLS where this request made the connection, `stages` as the server told them. `status` is 0 where
    there was no answer at all; `error` says what is wrong with any but a 200."""

    time: str
    status: int = 0
    cold: bool = False
    whole: float = 0.0
    connect: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    error: str = ""
    retry_after: int | None = None

    @property
    def server(self) -> float | None:
        return sum(self.stages.values()) if self.stages else None


class Client:
    """Posts a picture over one connection, for as long as the server keeps it."""

    def __init__(self, url: SplitResult, picture: bytes, *, record: bool = False, key: str = "") -> None:
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        self.connection = kind(url.hostname or "", url.port, timeout=TIMEOUT)
        query = "&".join(filter(None, [url.query, "" if record else "record=false"]))
        self._path = quote(url.path or "/", safe="/%:@~") + (f"?{quote(query, safe='/%:@~=&+')}" if query else "")
        self._picture = picture
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(self) -> Answer:
        now, connect = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", None
        try:
            if self.connection.sock is None:
                began = time.perf_counter()
                self.connection.connect()
                connect = since(began)
            began = time.perf_counter()
            self.connection.request("POST", self._path, self._picture, self._headers)
            response = self.connection.getresponse()
            response.read()
            whole = since(began)
        except (OSError, HTTPException, ValueError) as fault:  # ValueError: the host's name is none
            self.connection.close()
            return Answer(now, connect=connect, error=str(fault) or type(fault).__name__)
        metrics = read_timing(", ".join(response.headers.get_all("Server-Timing", [])))
        stages = {name: duration for name, duration in metrics.items() if duration is not None}
        error = "" if response.status == 200 else f"{response.status} {response.reason}"
        pause = response.getheader("Retry-After", "") if response.status in (429, 503) else ""
        retry_after = int(pause) if re.fullmatch(r"[0-9]{1,9}", pause) else None
        return Answer(now, response.status, "cold" in metrics, whole, connect, stages, error, retry_after)


def since(began: float) -> float:
    return 1000 * (time.perf_counter() - began)


def read_timing(header: str) -> dict[str, float | None]:
    """The metrics of a Server-Timing header: milliseconds by name, None for one without a duration."""
    metrics = {}
    for metric in filter(None, header.split(",")):
        duration = re.search(r";\s*dur=([0-9]+(?:\.[0-9]+)?)", metric)
        metrics[metric.partition(";")[0].strip()] = float(duration[1]) if duration else None
    return metrics


# ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────
def ask_patiently(client: Client) -> Iterator[Answer]:
    """All answers to one request: more than one where the server says when to come again."""
    for left in range(RETRIES, -1, -1):
        answer = client.ask()
        yield answer
        if answer.retry_after is None or not left:
            return
        time.sleep(min(answer.retry_after, LONGEST_PAUSE))


def ask_warm(client: Client, number: int, answers: list[Answer]) -> None:
    """Add to `answers` those to so many requests, one after another."""
    failures = 0
    for _ in range(number):
        answers.extend(ask_patiently(client))
        failures = failures + 1 if answers[-1].error else 0
        if failures == GIVE_UP:
            break
    client.connection.close()


def ask_cold(client: Client, number: int, wait: int, answers: list[Answer]) -> None:
    """Add to `answers` those to so many requests, each after `wait` seconds and over a new connection."""
    for turn in range(1, number + 1):
        for left in range(wait, 0, -1):
            print(f"\r{turn} of {number}: asks in {left} s …    ", end="", file=sys.stderr, flush=True)
            time.sleep(1)
        ask_warm(client, 1, answers)
        told = answers[-1].error or f"{'cold' if answers[-1].cold else 'not cold'}, {answers[-1].whole:.0f} ms"
        print(f"\r{turn} of {number}: {told}              ", file=sys.stderr)


# ── What is told ──────────────────────────────────────────────────────────────────────────────────────────────
def percentile(values: Sequence[float], share: int) -> float:
    """By nearest rank: always one of the values."""
    return sorted(values)[max(0, -(-share * len(values) // 100) - 1)]


def report(answers: Sequence[Answer]) -> Iterator[str]:
    """Lines of Markdown: how many answers there were, and how long they took."""
    good = [one for one in answers if not one.error]
    kinds = {kind: [one for one in good if one.cold is cold] for kind, cold in (("cold", True), ("warm", False))}
    yield "| ms | count | p50 | p95 | p99 | max |\n|---|---:|---:|---:|---:|---:|"
    for kind, some in kinds.items():
        yield row(f"{kind}: whole request", [one.whole for one in some])
        yield row(f"{kind}: on the server", [one.server for one in some if one.server is not None])
    yield row("connection set-up", [one.connect for one in answers if one.connect is not None])
    stages = stages_of(good)
    if stages:
        yield "\n| stage, p50 in ms | cold | warm |\n|---|---:|---:|"
    for stage in stages:
        times = ([one.stages[stage] for one in some if stage in one.stages] for some in kinds.values())
        yield f"| {stage} | {' | '.join(f'{percentile(some, 50):.2f}' if some else '–' for some in times)} |"
    for error, count in Counter(one.error for one in answers if one.error).most_common():
        yield f"\n{count} failed: {error}"


def row(name: str, values: Sequence[float]) -> str:
    times = [*(percentile(values, share) for share in SHARES), max(values)] if values else []
    return f"| {name} | {len(values)} | {' | '.join([f'{time:.1f}' for time in times] or '––––')} |"


def stages_of(answers: Sequence[Answer]) -> list[str]:
    """In the order in which the server told them."""
    return list(dict.fromkeys(stage for answer in answers for stage in answer.stages))


def write_csv(path: Path, answers: Sequence[Answer]) -> None:
    """A line for each request, as they were answered, with a column for each stage."""
    stages = stages_of(answers)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "cold", "status", "error", "whole", "connect", "server", *stages])
        for one in answers:
            times = (one.whole, one.connect, one.server, *map(one.stages.get, stages))
            texts = ["" if time is None else f"{time:.2f}" for time in times]
            writer.writerow([one.time, str(one.cold).lower(), one.status, one.error, *texts])


# ── The command line ──────────────────────────────────────────────────────────────────────────────────────────
def read_url(text: str) -> SplitResult:
    """Raises `ValueError` with one line for a person."""
    with suppress(ValueError):  # of what is no port or no address
        url = urlsplit(text)
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return url
    raise ValueError(f"{text!r} cannot be asked: give a URL such as https://reader.example.org/")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="where a picture is posted")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="what is posted (docs/9.png)")
    parser.add_argument("--requests", type=int, default=100, help="how many over kept connections (100)")
    parser.add_argument("--concurrency", type=int, default=1, help="how many connections at once (1)")
    parser.add_argument("--cold", type=int, default=0, help="how many before them, each after a wait (0)")
    parser.add_argument("--wait", type=int, default=1200, help="how many seconds (1200)")
    parser.add_argument("--csv", type=Path, help="a file for a line about each request")
    parser.add_argument("--key", default=os.environ.get("UPLOAD_KEY", ""), help="bearer token (UPLOAD_KEY)")
    parser.add_argument("--preview", dest="record", action="store_false", help="nothing is recorded (default)")
    parser.add_argument("--record", action="store_true", help="each answer is recorded")
    parser.set_defaults(record=False)
    return parser.parse_args()


def main() -> None:
    options = read_arguments()
    answers: list[Answer] = []
    try:
        url, picture = read_url(options.url), options.picture.read_bytes()
        if options.csv:
            options.csv.touch()  # waits take hours: better to know now
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    count = max(1, options.concurrency)
    clients = [Client(url, picture, record=options.record, key=options.key.strip()) for _ in range(count)]
    parts = [(options.requests + index) // count for index in range(count)]
    with suppress(KeyboardInterrupt):  # what was answered until then is told
        ask_cold(clients[0], options.cold, options.wait, answers)
        with ThreadPoolExecutor(count) as threads:
            list(threads.map(ask_warm, clients, parts, [answers] * count))
    print("\n".join(report(answers)))
    if options.csv:
        write_csv(options.csv, answers)
    if all(answer.error for answer in answers):
        sys.exit("Nothing was answered.")


if __name__ == "__main__":
    main()
