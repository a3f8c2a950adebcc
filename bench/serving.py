"""What serving costs beside the bare framework, and beside other ways to serve such a model.

    make bench      # all of it: about ten minutes, after what it installs in .bench/
    python -m bench.serving --rounds 2 --seconds 1 --only function framework      # a quick look

All that is compared runs in one go and takes turns, since machines are noisy: mind the ratios. In each round each
server is started anew, alone, and asked for the digit in a PNG of 28 × 28 pixels. Prints tables; without --only, writes
bench/serving.json too, and pictures of it in docs/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from bench.processes import ENVIRONMENTS, Arm, Server, compile_code, install, machine, packages, run, size, started
from tests.helpers import ROOT, draw_digit, encode, free_port
from tests.nodes import Nodes, running_nodes, why_none

mpl.use("Agg")
import matplotlib.pyplot as plt

DIGIT = 7
WARM_UP, REQUESTS = 20, 100  # over one connection, in each round
EACH_LOAD = 3  # rounds: in each third there is load
SETTLE = 1.0  # seconds, before memory is measured
CONCURRENCIES = (1, 8, 64)

BASELINES = ROOT / "bench" / "baselines"
MODEL = ROOT / "model" / "digits_int8.tflite"
ONNX = ENVIRONMENTS / "digits_int8.onnx"
PRODUCT, BARE = "Digit Reader", "functions-framework"

# What is measured, by the name that tables and pictures give it.
COLD = "cold start, s"
LATENCIES = {"p50, ms": 0.50, "p95, ms": 0.95, "p99, ms": 0.99}
LOADS = {f"requests/s, {connections} at once": connections for connections in CONCURRENCIES}
ERRORS = "errors under load"
REST, LOADED = "memory at rest, MB", "memory after load, MB"
SIZES = ("packages, MB", "code, MB", "model, MB")
TABLES = {
    "Cold start": (COLD,),
    "Latency, one connection": tuple(LATENCIES),
    "Throughput": (*LOADS, ERRORS),
    "Memory and size": (REST, LOADED, *SIZES),
}
PICTURES = {"cold-start": (COLD,), "latency": tuple(LATENCIES), "throughput": tuple(LOADS)}

# Posts the picture, and tells in three numbers what came of it.
WRK = """
wrk.method, wrk.headers["Content-Type"] = "POST", "image/png"
wrk.body = io.open("{picture}", "rb"):read("*a")
function done(summary)
  local e = summary.errors
  print(summary.requests, summary.duration, e.connect + e.read + e.write + e.timeout + e.status)
end
"""

Samples = dict[str, list[float]]  # by what is measured: its value in each round
Results = dict[str, Samples]  # by the arm's name


# ── Arms ──────────────────────────────────────────────────────────────────────────────────────────────────────
def compared(nodes: Nodes | None) -> Iterator[Arm]:
    """WORKERS and THREADS of those that are tuned come from the environment."""
    tuned = {"WORKERS": os.environ.get("WORKERS", str(os.cpu_count())), "THREADS": os.environ.get("THREADS", "8")}
    told = " ".join(f"{name}={value}" for name, value in tuned.items())
    serve = ("functions-framework", "--host", "127.0.0.1", "--port", "{port}", "--source")

    kept = {"RECORDS_URL": "sqlite:///{folder}/records.db", "JOURNAL_PATH": "{folder}/journal.db"}
    function = Arm(
        PRODUCT, "function", ROOT / "function" / "requirements.txt", (*serve, "main.py", "--target", "recognise"),
        ROOT / "function", MODEL, key="result", settings=kept,
    )  # fmt: skip
    yield function
    yield replace(function, name=f"{PRODUCT}, {told}", settings={**kept, **tuned})
    yield replace(function, name=f"{PRODUCT}, {told}, preview", settings={**kept, **tuned}, path="/?record=false")
    down = f"cassandra://127.0.0.1:{free_port()}/mnistkeyspace"
    for state, url in {"down": down, **({"up": nodes.url} if nodes else {})}.items():
        settings = {**kept, **tuned, "RECORDS_URL": url}
        yield replace(function, name=f"{PRODUCT}, {told}, Cassandra {state}", settings=settings)

    framework = baseline("framework", BARE, (*serve, "main.py", "--target", "hello"), key="")
    yield framework
    yield replace(framework, name=f"{BARE}, {told}", settings=tuned)
    yield baseline("onnxruntime", "ONNX Runtime", (*serve, "main.py", "--target", "read"), ONNX)
    yield baseline("litserve", "LitServe", ("python", "server.py"), MODEL, settings={"PORT": "{port}"})
    bentoml = ("bentoml", "serve", "service:Reader", "--host", "127.0.0.1", "--port", "{port}")
    untracked = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": "{folder}"}
    yield baseline("bentoml", "BentoML", bentoml, MODEL, settings=untracked)
    # As Cloud Run's quickstart for Python starts it.
    threads = ("--workers", "1", "--threads", "8", "--timeout", "0")
    gunicorn = ("gunicorn", "--bind", "127.0.0.1:{port}", *threads, "app:app")
    yield baseline("keras", "Flask + Keras", gunicorn, ROOT / "model" / "digits.keras")


def baseline(folder: str, name: str, command: Sequence[str], model: Path | None = None, **more: Any) -> Arm:
    code = BASELINES / folder
    settings = {**more.pop("settings", {}), **({"MODEL": str(model)} if model else {})}
    return Arm(name, folder, code / "requirements.txt", command, code, model, settings=settings, **more)


def prepare(arm: Arm) -> None:
    """Installs and compiles what the arm needs."""
    install(arm.environment, arm.requirements)
    if arm.model == ONNX and not (ONNX.exists() and ONNX.stat().st_mtime > MODEL.stat().st_mtime):
        python = install("convert", BASELINES / "onnxruntime" / "convert.txt") / "bin" / "python"
        run("converting the model", python, "-m", "tf2onnx.convert", "--tflite", MODEL, "--output", ONNX)
    compile_code(arm)


# ── Measure ───────────────────────────────────────────────────────────────────────────────────────────────────
def measure(arms: Sequence[Arm], folder: Path, *, rounds: int, seconds: int) -> tuple[Results, dict[str, str]]:
    """What was measured, and why some could not be. The round before the first warms up, and does not count."""
    results: Results = {arm.name: defaultdict(list) for arm in arms}
    missing: dict[str, str] = {}
    turns, chance = list(arms), Random(0)  # noqa: S311 - an order, no secret
    for arm in turns:
        with noting(arm, missing):
            prepare(arm)
    (folder / "picture.png").write_bytes(picture())
    for number in range(rounds + 1):
        load = seconds if number % EACH_LOAD == 1 else 0
        for arm in [arm for arm in turns if arm.name not in missing]:
            print(f"round {number} of {rounds}: {arm.name} …", file=sys.stderr)
            with noting(arm, missing), tempfile.TemporaryDirectory(dir=folder) as own:
                for name, value in visit(arm, Path(own), folder / "picture.png", load).items():
                    results[arm.name][name] += [value] if number else []
        chance.shuffle(turns)  # so that none always comes after the same other
    for arm in turns:
        if arm.name not in missing:
            results[arm.name].update(sizes(arm))
    return results, missing


@contextmanager
def noting(arm: Arm, missing: dict[str, str]) -> Iterator[None]:
    """What cannot be installed or does not answer is left out, and the rest goes on."""
    try:
        yield
    except (OSError, HTTPException, RuntimeError, ValueError, KeyError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        missing[arm.name] = str(error).splitlines()[0].rstrip(":")


def picture() -> bytes:
    """A digit as MNIST has it: 28 × 28, white on black."""
    return encode(draw_digit(DIGIT, side=280, nib=26, ink="white", paper="black").convert("L").reduce(10))


def visit(arm: Arm, folder: Path, picture: Path, seconds: int) -> dict[str, float]:
    """All that is measured of a server from its start to its end; with load if it shall last any seconds."""
    with started(arm, folder) as server:
        measured = {COLD: server.first_answer(picture.read_bytes(), DIGIT)}
        time.sleep(SETTLE)
        measured[REST] = server.memory()
        measured |= latencies(server, picture.read_bytes())
        if seconds and shutil.which("wrk"):
            measured |= throughput(server, folder, picture, seconds)
            time.sleep(SETTLE)
            measured[LOADED] = server.memory()
        return measured


def latencies(server: Server, picture: bytes) -> dict[str, float]:
    times = []
    with closing(server.connect()) as connection:
        for _ in range(WARM_UP + REQUESTS):
            began = time.perf_counter()
            status, answer = server.ask(connection, picture)
            times.append(1000 * (time.perf_counter() - began))
            if status != 200:
                raise RuntimeError(f"{server.arm.name} answered {status}: {answer.decode()[:300]}")
            server.check(answer, DIGIT)
    cuts = quantiles(times[WARM_UP:], n=100, method="inclusive")
    return {name: cuts[round(100 * share) - 1] for name, share in LATENCIES.items()}


def throughput(server: Server, folder: Path, picture: Path, seconds: int) -> dict[str, float]:
    script = folder / "post.lua"
    script.write_text(WRK.replace("{picture}", str(picture)))
    measured = {ERRORS: 0.0}
    for name, connections in LOADS.items():
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
        command += ["--timeout", "30s", "--script", str(script), f"http://127.0.0.1:{server.port}{server.arm.path}"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        requests, microseconds, errors = map(float, told[-3:])
        measured[name] = 1e6 * requests / microseconds
        measured[ERRORS] += errors
    return measured


def sizes(arm: Arm) -> Samples:
    model = size(arm.model) if arm.model else 0.0
    return dict(zip(SIZES, ([size(packages(arm.environment))], [size(arm.code)], [model]), strict=True))


# ── Tables, JSON, pictures ────────────────────────────────────────────────────────────────────────────────────
def summary(samples: Samples) -> dict[str, Any]:
    """By what is measured: median and quartiles; of errors, how many there were in all."""
    summed: dict[str, Any] = {}
    for name, values in samples.items():
        low, middle, high = quantiles(values, method="inclusive") if len(values) > 1 else values * 3
        summed[name] = {"median": rounded(middle), "quartiles": [rounded(low), rounded(high)], "runs": len(values)}
    if ERRORS in samples:
        summed[ERRORS] = int(sum(samples[ERRORS]))
    return summed


def rounded(value: float) -> float:
    """To four significant digits."""
    return float(f"{value:.4g}")


def shown(value: float) -> str:
    """In three significant digits, or all before the point."""
    return f"{value:,.{max(0, 2 - len(str(int(value))) + 1)}f}" if value else "0"


def print_tables(results: Mapping[str, Any], missing: Mapping[str, str]) -> None:
    for title, names in TABLES.items():
        print(f"\n### {title}\n\n| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
        for arm, of_arm in results.items():
            if names[0] in of_arm:
                print(f"| {arm} | {' | '.join(cell(results, arm, name) for name in names)} |")
        for arm, why in missing.items() if names == (COLD,) else ():
            print(f"| {arm} | {why} |")


def cell(results: Mapping[str, Any], arm: str, name: str) -> str:
    """The median, its quartiles in brackets, and how many times that of the bare framework it is."""
    found = results[arm].get(name)
    if not isinstance(found, dict):
        return "–" if found is None else str(found)
    low, high = found["quartiles"]
    spread = f" ({shown(low)}–{shown(high)})" if found["runs"] > 1 else ""
    return shown(found["median"]) + spread + ratio(results, arm, name)


def ratio(results: Mapping[str, Any], arm: str, name: str) -> str:
    bare = results.get(BARE, {}).get(name)
    return f", × {shown(results[arm][name]['median'] / bare['median'])}" if bare and name not in SIZES else ""


def write(measured: Mapping[str, Any]) -> None:
    text = json.dumps(measured, indent=1, ensure_ascii=False)
    (ROOT / "bench" / "serving.json").write_text(text + "\n")
    for target, names in PICTURES.items():
        draw(measured["results"], names, ROOT / "docs" / f"{target}.png")


def draw(results: Mapping[str, Any], names: Sequence[str], target: Path) -> None:
    arms = [arm for arm, of_arm in results.items() if names[0] in of_arm]
    size = (4 + 4 * len(names), 0.8 + 0.4 * len(arms))
    figure, panels = plt.subplots(1, len(names), figsize=size, sharey=True, squeeze=False, constrained_layout=True)
    for axes, name in zip(panels[0], names, strict=True):
        draw_bars(axes, results, arms, name)
    figure.savefig(target, dpi=110)
    plt.close(figure)


def draw_bars(axes: Axes, results: Mapping[str, Any], arms: Sequence[str], name: str) -> None:
    """A bar to each median, a line from quartile to quartile, and beside it median and ratio."""
    medians = [results[arm][name]["median"] for arm in arms]
    spread = [
        [abs(results[arm][name]["quartiles"][end] - results[arm][name]["median"]) for arm in arms] for end in (0, 1)
    ]
    colours = [
        "#d9730d" if arm.startswith(PRODUCT) else "#7f7f7f" if arm.startswith(BARE) else "#4c78a8" for arm in arms
    ]
    bars = axes.barh(arms, medians, xerr=spread, color=colours, error_kw={"elinewidth": 1, "ecolor": "#222222"})
    axes.bar_label(
        bars, [f"{shown(results[arm][name]['median'])}{ratio(results, arm, name)}" for arm in arms], padding=4
    )
    axes.set(title=name, xlim=(0, 1.4 * max(results[arm][name]["quartiles"][1] for arm in arms)))
    axes.invert_yaxis() if not axes.yaxis_inverted() else None
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help=f"of starts and latency; load is in each {EACH_LOAD}rd")
    parser.add_argument("--seconds", type=int, default=3, help="that each load lasts")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="function, or folders of bench/baselines")
    options = parser.parse_args()
    described = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        **machine(),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    print("\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in described.items()))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nodes = None if (reason := why_none()) else stack.enter_context(running_nodes(folder / "nodes"))
        arms = [arm for arm in compared(nodes) if not options.only or arm.environment in options.only]
        measured, missing = measure(arms, folder, rounds=options.rounds, seconds=options.seconds)
    if reason:
        missing[f"{PRODUCT}, Cassandra up"] = reason
    if not shutil.which("wrk"):
        print("\nNo throughput: there is no wrk (Debian's package of that name)")
    results = {name: summary(samples) for name, samples in measured.items() if name not in missing}
    print_tables(results, missing)
    if not options.only:  # what is kept is of all that is compared
        write({**described, "results": results, "missing": missing})


if __name__ == "__main__":
    main()
