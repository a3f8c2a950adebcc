"""Where the time of a cold start goes, from the command to the first right answer: docs/importtime.png, docs/flame.png.

    make cold-start      # on Linux; a minute

Python says how long each import took of its own (-X importtime): the least of several starts is drawn, by package.
py-spy looks at the stacks many times a second: the quicker half of several starts is drawn as one flame graph.
"""

from __future__ import annotations

import compileall
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from urllib.request import Request, urlopen

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bench.processes import family
from tests.helpers import ROOT, running_function

mpl.use("Agg")
import matplotlib.pyplot as plt

STARTS = 20
RATE = 200  # looks a second; with more, the function waits for py-spy
OURS = ("function", "numpy", "PIL")  # every other package that is imported comes with the framework
COLOURS = {"the function": "#4c78a8", "the framework": "#f58518", "Python": "#b8b8b8"}
IMPORT = re.compile(r"^import time: +(\d+) \| +\d+ \| (.*)$", re.MULTILINE)
BARS = 24
NARROW = 0.004  # of the width: frames below it are left out
LETTERS = 230  # that fit side by side in the flame graph

Sums = Mapping[tuple[str, str], float]


def start(folder: Path, *prefix: str) -> str:
    """Start the function by this command, ask once, end it: what it said meanwhile."""
    folder.mkdir()
    with running_function(folder, prefix=prefix) as service:
        time.sleep(0.3)  # py-spy looks for new processes, such as the worker, ten times a second
        request = Request(service.url, (ROOT / "docs" / "9.png").read_bytes(), {"Accept": "text/plain"})  # noqa: S310
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            if answer.read() != b"9\n":
                raise RuntimeError("this is not the right answer")
        processes = family(service.process.pid)
        service.process.send_signal(signal.SIGINT)
        service.process.wait(timeout=30)
        for process in processes[1:]:  # how they end is no part of their start, and py-spy leaves the worker behind
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    return (folder / "log").read_text()


def owner(module: str) -> str:
    package = module.partition(".")[0]
    known = {"": "Python", "<string>": "Python", **dict.fromkeys(OURS, "the function")}
    return known.get(package, "Python" if package in sys.stdlib_module_names else "the framework")


# ── Imports ───────────────────────────────────────────────────────────────────────────────────────────────────
def read_imports(log: str) -> Iterator[tuple[str, str, int]]:
    """(owner, module, its own microseconds) of each import. A module of the standard library belongs to whose module
    imported it first; to Python where it was no module's own code that did."""
    above: list[str] = []
    for own, indented in reversed(IMPORT.findall(log)):  # each is told after those that it imported
        module = re.sub(r"^main\b", "function", indented.strip())
        del above[(len(indented) - len(indented.lstrip())) // 2 :]
        whose = owner(module)
        above.append(above[-1] if whose == "Python" and above else whose)
        yield above[-1], module, int(own)


def bar(whose: str, module: str) -> str:
    """What it is part of: one of the function's modules, a package, or the standard library."""
    package = module.partition(".")[0]
    return f"standard library, for {whose}" if owner(module) == "Python" else module if package == OURS[0] else package


def add_up(logs: Iterable[str]) -> Sums:
    """Milliseconds by (owner, bar), longest first, each module's being the least of all starts."""
    times = defaultdict(list)
    for log in logs:
        for whose, module, own in read_imports(log):
            times[whose, module].append(own / 1000)
    sums: Counter[tuple[str, str]] = Counter()
    for (whose, module), some in times.items():
        sums[whose, bar(whose, module)] += min(some)  # type: ignore[assignment]
    return dict(sums.most_common())


def draw_imports(sums: Sums, target: Path) -> None:
    drawn = list(sums.items())[:BARS]
    figure, axes = plt.subplots(figsize=(9, 7), constrained_layout=True)
    colours = [COLOURS[whose] for (whose, _), _ in drawn]
    bars = axes.barh([name for (_, name), _ in drawn], [ms for _, ms in drawn], color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"ms, the {len(drawn)} longest of {len(sums)}")
    of = {whose: sum(ms for (one, _), ms in sums.items() if one == whose) for whose in COLOURS}
    parts = ", ".join(f"{ms:.0f} for {whose}" for whose, ms in of.items())
    axes.set_title(f"Imports of a cold start, {sum(of.values()):.0f} ms: {parts}", loc="right", fontsize=11)
    axes.legend(handles=keys(), loc="lower right")
    figure.savefig(target, dpi=110)


def keys() -> list[Patch]:
    return [Patch(color=colour, label=whose) for whose, colour in COLOURS.items()]


# ── Stacks ────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Frame:
    """In how many samples it was in this place, and by (owner, label) what it called there."""

    samples: int = 0
    called: dict[tuple[str, str], Frame] = field(default_factory=lambda: defaultdict(Frame))


def read_frame(text: str) -> tuple[str, str]:
    """(owner, label) of py-spy's `name (/path/to/file.py:12)`."""
    name, _, place = text.rpartition(" (")
    path = place.rpartition(":")[0].removeprefix(f"{ROOT}/")
    module = re.sub(r"^.*/(?:site-packages|python3\.\d+|bin)/|(?:/__init__)?\.py$", "", path).replace("/", ".")
    return owner(module), module if name == "<module>" else f"{name}()"


def merge(lines: Iterable[str]) -> Frame:
    """py-spy's stacks, outermost frame first, without processes and the machinery of imports."""
    root = Frame()
    for line in lines:
        stack, _, samples = line.rpartition(" ")
        frames = [text for text in stack.split(";") if not text.startswith("process ") and "<frozen " not in text]
        place = root
        place.samples += int(samples)
        for text in frames:
            place = place.called[read_frame(text)]
            place.samples += int(samples)
    return root


def draw_called(axes: Axes, frame: Frame, whole: int, left: float = 0, depth: int = 0, caller: str = "Python") -> int:
    """Side by side, the widest first, each above what it called; Python's in their caller's colour: how deep."""
    deepest = depth
    for (whose, label), called in sorted(frame.called.items(), key=lambda item: -item[1].samples):
        width = called.samples / whole
        if width >= NARROW:
            belongs = caller if whose == "Python" else whose
            axes.barh(depth, width, 0.94, left, color=COLOURS[belongs], edgecolor="white", linewidth=0.5, alpha=0.75)
            axes.text(left + 0.001, depth, shortened(label, int(width * LETTERS)), va="center", fontsize=7)
            deepest = max(deepest, draw_called(axes, called, whole, left, depth + 1, belongs))
            left += width
    return deepest


def shortened(label: str, letters: int) -> str:
    """As it is, or its last part, or what that begins with; nothing where there is little room."""
    last = label.rpartition(".")[2]
    fitting = (text for text in (label, last, f"{last[: letters - 1]}…") if len(text) <= letters)
    return next(fitting) if letters > 4 else ""


def draw_flame(root: Frame, starts: int, target: Path) -> None:
    figure, axes = plt.subplots(figsize=(16, 1), constrained_layout=True)
    deepest = draw_called(axes, root, root.samples)
    figure.set_figheight(0.17 * deepest + 0.8)
    axes.set(xlim=(0, 1), ylim=(deepest, -0.5))
    axes.axis("off")
    axes.set_title(
        f"A cold start to its first answer, {1000 * root.samples / RATE / starts:.0f} ms under py-spy", loc="left"
    )
    axes.legend(handles=keys(), loc="lower right", bbox_to_anchor=(1, 1), ncols=len(COLOURS), frameon=False)
    figure.savefig(target, dpi=110)


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(ROOT / "function", quiet=1)
    spy = which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or "py-spy"
    options = f"--format raw --subprocesses --full-filenames --rate {RATE} --output".split()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sums = add_up(start(folder / f"i{turn}", sys.executable, "-X", "importtime") for turn in range(STARTS))
        for turn in range(STARTS):
            start(folder / f"s{turn}", spy, "record", *options, str(folder / f"{turn}.raw"), "--", sys.executable)
        stacks = [path.read_text().splitlines() for path in folder.glob("*.raw")]
    print("| imported | ms |\n|---|---:|")
    for (_, imported), ms in sums.items():
        print(f"| {imported} | {ms:.1f} |")
    quick = sorted(stacks, key=lambda lines: merge(lines).samples)[: STARTS // 2]
    draw_imports(sums, ROOT / "docs" / "importtime.png")
    draw_flame(merge(line for lines in quick for line in lines), len(quick), ROOT / "docs" / "flame.png")


if __name__ == "__main__":
    main()
