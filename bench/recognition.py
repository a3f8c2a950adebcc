"""How well the function reads, as figures and pictures for the model card.

    MNIST_DIR=… python -m bench.recognition                      # the MNIST test set: as it is, and distorted
    MNIST_DIR=… python -m bench.recognition --pictures FOLDER    # also real pictures, labelled in FOLDER/labels.csv

All goes the whole way of a picture that was posted, from the bytes of a file to the answer; pictures of one digit with
expect=digit, where no other is named. Writes model/figures.json and the pictures beside it.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from bench.forms import KINDS, draw_form
from bench.pages import draw_page
from function.answer import NONE, SURELY_NONE
from function.main import classifier, read_digits
from function.prepare import NOT_A_DIGIT
from function.timing import Timing
from training.measure import Flags, Floats, calibration_error, edits
from training.mnist import Bytes, Split, read_idx
from training.plots import draw_confusion, draw_glyphs, draw_pages, draw_rejection, draw_reliability, draw_robustness

# Test digits that are something else by human vote (Northcutt et al., 2021: https://labelerrors.com/).
MISLABELLED = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)

DISTORTED = 500  # of the test digits, at each strength of each distortion
NUMBERS = 500  # that our own code writes with test digits, and a fifth as many pages …
SHOWN = 24  # … of which so many are drawn
PAPER = 160  # pixels a side, white, on which a digit is laid in black …
LARGE = 112  # … enlarged to so many

Figures = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What was read in one picture: `result`, `confidence`, whether there is a `notice`, and the least probability of
    being none that any of its marks has (1 where there is no mark)."""

    result: str
    confidence: float
    notice: bool
    none: float

    @property
    def accepts(self) -> bool:
        """Whether anything is said to be a digit."""
        return any(map(str.isdigit, self.result))


@dataclass(frozen=True)
class Outcome:
    """The answers to pictures of a kind, and what is really written there."""

    answers: Sequence[Answer]
    labels: Sequence[str]

    @property
    def right(self) -> Flags:
        return np.array([answer.result == label for answer, label in zip(self.answers, self.labels, strict=True)])

    @property
    def confidence(self) -> Floats:
        return np.array([answer.confidence for answer in self.answers])

    @property
    def accepted(self) -> Flags:
        return np.array([answer.accepts for answer in self.answers])

    @property
    def none(self) -> Floats:
        return np.array([answer.none for answer in self.answers])

    def figures(self) -> Figures:
        return {
            "accuracy": share(self.right),
            "taken_for_none": share(~self.accepted),
            "calibration_error": round(calibration_error(self.confidence, self.right), 5),
        }


def ask(data: bytes, expect: str = "auto") -> Answer:
    reading = read_digits(data, expect, Timing())
    none = min((float(digit.probabilities[NOT_A_DIGIT]) for digit in reading.digits), default=1.0)
    return Answer(reading.result, reading.confidence, bool(reading.notice), none)


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def with_progress(what: str, items: Sequence[Any]) -> Iterator[Any]:
    for index, item in enumerate(items, start=1):
        if index % 100 == 0 or index == len(items):
            print(f"\r{what}: {index} of {len(items)}", end="\n" if index == len(items) else "", file=sys.stderr)
        yield item


def share(flags: Flags) -> float:
    return round(float(flags.mean()), 5)


# ── MNIST's test set ──────────────────────────────────────────────────────────────────────────────────────────
def mnist_test(images: Bytes, labels: Bytes, out: Path) -> tuple[Figures, Outcome]:
    """Draws the confusion matrix and all errors; an error's star marks a test digit that is labelled wrongly."""
    names = [f"digit {index}" for index in range(len(images))]
    figures, outcome = of_one_digit([png(Image.fromarray(image)) for image in images], list(map(str, labels)), names)
    results, right = [answer.result for answer in outcome.answers], outcome.right
    classes = np.array([int(result) if result.isdigit() and len(result) == 1 else NOT_A_DIGIT for result in results])
    draw_confusion(labels, classes, out / "test_confusion.png", of="MNIST test")
    wrong = np.flatnonzero(~right)
    titles = [
        f"{index}{'*' * (index in MISLABELLED)}: {labels[index]} as {results[index] or 'nothing'}" for index in wrong
    ]
    draw_glyphs(images[wrong], titles, out / "errors.png")
    agreed = np.delete(right, [index for index in MISLABELLED if index < len(right)])
    without = {"digits": len(agreed), "accuracy": share(agreed)}
    return {**figures, "without_mislabelled": without}, outcome


# ── MNIST's test set, distorted ───────────────────────────────────────────────────────────────────────────────
Distortion = Callable[[Image.Image, float], Image.Image]


def laid(digit: Image.Image, *, side: int = LARGE, at: tuple[float, float] = (0, 0), paper: int = PAPER) -> Image.Image:
    """White paper with the digit in black, `side` pixels large, `at` so many pixels from the middle."""
    page = Image.new("L", (paper, paper), 255)
    large = digit.resize((side, side), Image.Resampling.BICUBIC)
    left, top = (round((paper - side) / 2 + away) for away in at)
    page.paste(0, (left, top), large)
    return page


def with_noise(digit: Image.Image, deviation: float) -> Image.Image:
    page = np.asarray(laid(digit), np.float64)
    noise = np.random.default_rng(1).normal(0, deviation, page.shape)
    return Image.fromarray(np.clip(page + noise, 0, 255).astype(np.uint8))


def with_contrast(digit: Image.Image, contrast: float) -> Image.Image:
    """Around middle grey; negative contrast is light ink on dark paper."""
    return laid(digit).point(lambda grey: round(127.5 + (grey - 127.5) * contrast))


DISTORTIONS: dict[str, tuple[Distortion, Sequence[float]]] = {
    "rotation, degrees": (
        lambda digit, angle: laid(digit).rotate(angle, Image.Resampling.BICUBIC, fillcolor=255),
        (-45, -30, -20, -10, 0, 10, 20, 30, 45),
    ),
    "shift, pixels of 320": (
        lambda digit, away: laid(digit, at=(away, away), paper=2 * PAPER),
        (0, 20, 40, 60, 80, 100),
    ),
    "size, pixels of 320": (
        lambda digit, side: laid(digit, side=int(side), paper=2 * PAPER),
        (16, 24, 32, 64, 128, 256, 320),
    ),
    "blur, pixels of 112": (
        lambda digit, radius: laid(digit).filter(ImageFilter.GaussianBlur(radius)),
        (0, 1, 2, 4, 6, 8, 10),
    ),
    "noise, grey levels": (with_noise, (0, 10, 20, 40, 60, 80, 100)),
    "contrast": (with_contrast, (0.05, 0.1, 0.2, 0.4, 0.7, 1)),
    "contrast, inverted": (with_contrast, (-1, -0.7, -0.4, -0.2, -0.1, -0.05)),
    "JPEG, quality": (lambda digit, quality: jpeg(laid(digit), int(quality)), (1, 5, 10, 20, 40, 70, 95)),
}


def jpeg(page: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    page.save(file, "JPEG", quality=quality)
    return Image.open(file)


def robustness(images: Bytes, labels: Bytes, out: Path) -> dict[str, dict[str, float]]:
    """For each distortion, the share that is right by its strength; draws the curves."""
    curves: dict[str, dict[str, float]] = {}
    for name, (distort, strengths) in DISTORTIONS.items():
        curves[name] = {}
        for strength in strengths:
            pages = (png(distort(Image.fromarray(image), strength)) for image in images)
            outcome = Outcome([ask(page, "digit") for page in pages], list(map(str, labels)))
            curves[name][f"{strength:g}"] = share(outcome.right)
        print(f"{name}: {curves[name]}", file=sys.stderr)
    draw_robustness(curves, out / "robustness.png")
    return curves


# ── Real pictures ─────────────────────────────────────────────────────────────────────────────────────────────
def labelled(folder: Path) -> dict[str, list[tuple[Path, str]]]:
    """(file, label) of all pictures, by folder; no label is no digit, and pictures labelled in words are left out."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as table:
        labels = {row["file"]: row["label"] for row in csv.DictReader(table)}
    kinds: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted(folder.glob("*/*.*")):
        label = labels.get(f"{path.parent.name}/{path.name}", "").replace("\\n", "\n")
        if re.fullmatch(r"[0-9\s]*", label):
            kinds.setdefault(path.parent.name, []).append((path, label))
    return kinds


def of_one_digit(files: Sequence[bytes], labels: Sequence[str], names: Sequence[str]) -> tuple[Figures, Outcome]:
    """With expect=digit, where no other is named."""
    outcome = Outcome([ask(data, "digit") for data in with_progress("expect=digit", files)], labels)
    for name, label, answer, right in zip(names, labels, outcome.answers, outcome.right, strict=True):
        if not right:
            print(f"  {name} is {label}, read as {answer.result!r} ({answer.confidence:.2f})", file=sys.stderr)
    auto = Outcome([ask(data) for data in with_progress("expect=auto", files)], labels).figures()
    of_auto = {f"{name}_auto": auto[name] for name in ("accuracy", "taken_for_none")}
    return {"pictures": len(files), **outcome.figures(), **of_auto}, outcome


def of_none(files: Sequence[bytes], names: Sequence[str]) -> tuple[Figures, Outcome]:
    """Accepted is what is answered with any digit; likewise with expect=digit, and there without a notice of doubt."""
    outcome = Outcome([ask(data) for data in with_progress("no digits", files)], [""] * len(files))
    for name, answer in zip(names, outcome.answers, strict=True):
        if answer.accepts:
            print(f"  {name} has no digit, read as {answer.result!r} ({answer.confidence:.2f})", file=sys.stderr)
    alone = Outcome([ask(data, "digit") for data in files], outcome.labels)
    doubted = np.array([answer.notice for answer in alone.answers])
    return {
        "pictures": len(files),
        "accepted": share(outcome.accepted),
        "accepted_as_digit": share(alone.accepted),
        "accepted_as_digit_for_sure": share(alone.accepted & ~doubted),
    }, outcome


def of_many(files: Sequence[bytes], labels: Sequence[str], names: Sequence[str]) -> Figures:
    """Pages: right is what is right throughout, with its spaces and lines; and in its digits alone."""
    outcome = Outcome([ask(data) for data in with_progress("pages", files)], labels)
    bare, wrong = [], 0
    for name, label, answer, right in zip(names, labels, outcome.answers, outcome.right, strict=True):
        result, truth = "".join(answer.result.split()), "".join(label.split())
        bare.append((result, truth))
        wrong += edits(result, truth)
        if not right:
            print(f"  {name} is {label!r}, read as {answer.result!r} ({answer.confidence:.2f})", file=sys.stderr)
    return {
        "pictures": len(files),
        "right": share(outcome.right),
        "right_but_for_spaces": share(np.array([result == label for result, label in bare])),
        "digits_right": round(1 - wrong / sum(len(label) for _, label in bare), 5),
        "calibration_error": round(calibration_error(outcome.confidence, outcome.right), 5),
    }


# ── Numbers that our own code writes ──────────────────────────────────────────────────────────────────────────
def of_drawn_pages(digits: Split, count: int, out: Path) -> Figures:
    """Numbers, pages of them, numbers on sheets on tables, and on forms, written with `digits`; draws the first few."""
    random = np.random.default_rng(1)
    numbers = [draw_page(digits, random) for _ in range(count)]
    pages = [draw_page(digits, random, lines=int(random.integers(2, 6))) for _ in range(count // 5)]
    sheets = [draw_page(digits, random, table=1) for _ in range(2 * count // 5)]
    draw_pages([page.jpeg for page in numbers[:SHOWN]], [page.label for page in numbers[:SHOWN]], out / "numbers.png")
    figures = {}
    for kind, drawn in {"numbers": numbers, "pages": pages, "sheets": sheets}.items():
        names = [f"{kind} {index}" for index in range(len(drawn))]
        figures[kind] = of_many([page.jpeg for page in drawn], [page.label for page in drawn], names)
    for kind in KINDS:
        files, labels = zip(*(draw_form(digits, random, kind) for _ in range(count // 5)), strict=True)
        figures[kind] = of_many(files, labels, [f"{kind} {index}" for index in range(len(files))])
    return figures


# ── All of it ─────────────────────────────────────────────────────────────────────────────────────────────────
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="a folder of pictures in folders, with labels.csv: file, label")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT test digits")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "model")
    arguments = parser.parse_args(argv)

    target = arguments.out / "figures.json"
    images, labels = (read_idx(f"t10k-{kind}-ubyte")[: arguments.limit] for kind in ("images-idx3", "labels-idx1"))
    figures: Figures = {"model": classifier.name}
    figures["mnist_test"], test = mnist_test(images, labels, arguments.out)
    digits, others = {"MNIST test": test}, {}
    figures["drawn"] = of_drawn_pages((images, labels), min(NUMBERS, len(labels)), arguments.out)
    if arguments.pictures:
        figures["pictures"] = {}
        for kind, pictures in labelled(arguments.pictures).items():
            files, truth, names = zip(*((path.read_bytes(), label, path.name) for path, label in pictures), strict=True)
            print(f"{kind}: {len(files)} pictures", file=sys.stderr)
            if not any(truth):
                figures["pictures"][kind], others[kind] = of_none(files, names)
            elif all(len(label) == 1 for label in truth):
                figures["pictures"][kind], digits[kind] = of_one_digit(files, truth, names)
            else:
                figures["pictures"][kind] = of_many(files, truth, names)
    elif target.exists() and (before := json.loads(target.read_text()))["model"] == classifier.name:
        figures["pictures"] = before.get("pictures")
    draw_reliability(
        {kind: (one.confidence, one.right) for kind, one in digits.items()}, arguments.out / "reliability.png"
    )
    draw_rejection(
        {kind: one.none for kind, one in digits.items()},
        {kind: one.none for kind, one in others.items()},
        (NONE, SURELY_NONE),
        arguments.out / "rejection.png",
    )
    figures["distorted"] = robustness(images[:DISTORTED], labels[:DISTORTED], arguments.out)
    target.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
