"""Pictures for the model card."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from function.prepare import NOT_A_DIGIT

from .measure import Flags, Floats, calibration_error, reliability
from .mnist import Bytes

mpl.use("Agg")
import matplotlib.pyplot as plt

NAMES = [*map(str, range(NOT_A_DIGIT)), "none"]
Classes = npt.NDArray[np.intp]


def draw_curves(history_file: Path, target: Path) -> None:
    """Loss and error by epoch, from Keras's CSV log."""
    history = np.atleast_1d(np.genfromtxt(history_file, delimiter=",", names=True))
    figure, (loss, error) = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for name, label in (("", "training (augmented)"), ("val_", "held-out writers")):
        loss.semilogy(history["epoch"] + 1, history[f"{name}loss"], label=label)
        error.semilogy(history["epoch"] + 1, 100 * (1 - history[f"{name}accuracy"]), label=label)
    loss.set(xlabel="epoch", ylabel="cross-entropy")
    error.set(xlabel="epoch", ylabel="error, %")
    error.legend()
    save(figure, target)


def draw_confusion(truth: Bytes, answers: Classes, target: Path, *, of: str) -> None:
    counts = np.zeros((len(NAMES), len(NAMES)), int)
    np.add.at(counts, (truth, answers), 1)
    wrong = np.where(np.eye(len(NAMES), dtype=bool), 0, counts)
    figure, axes = plt.subplots(figsize=(6.5, 6.5), constrained_layout=True)
    axes.imshow(wrong, cmap="Oranges")
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(NAMES)), NAMES)
    axes.set_yticks(range(len(NAMES)), NAMES)
    axes.set(xlabel="answered", ylabel="written", title=f"{of}: {wrong.sum()} of {counts.sum()} wrong")
    save(figure, target)


def draw_glyphs(glyphs: Bytes, titles: Sequence[str], target: Path, *, columns: int = 10) -> None:
    rows = max(1, -(-len(glyphs) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.25 * rows), squeeze=False, constrained_layout=True)
    for axis in axes.flat:
        axis.axis("off")
    for axis, glyph, title in zip(axes.flat, glyphs, titles, strict=False):
        axis.imshow(glyph, cmap="gray_r", vmin=0, vmax=255)
        axis.set_title(title, fontsize=7)
    save(figure, target)


def draw_pages(files: Sequence[bytes], titles: Sequence[str], target: Path, *, columns: int = 6) -> None:
    figure, axes = plt.subplots(
        -(-len(files) // columns), columns, figsize=(2.4 * columns, 0.45 * len(files)), constrained_layout=True
    )
    for axis, file, title in zip(axes.flat, files, titles, strict=False):
        axis.axis("off")
        axis.imshow(Image.open(io.BytesIO(file)))
        axis.set_title(title, fontsize=8)
    save(figure, target)


def draw_reliability(answers: Mapping[str, tuple[Floats, Flags]], target: Path) -> None:
    """For each kind of picture its (confidence, whether it was right): what was said against what was true. The area of
    a dot grows with the number of answers."""
    figure, axes = plt.subplots(
        1, len(answers), figsize=(4.2 * len(answers), 4.2), squeeze=False, constrained_layout=True
    )
    for axis, (name, (confidence, right)) in zip(axes.flat, answers.items(), strict=True):
        said, true, count = reliability(confidence, right)
        axis.plot([0, 1], [0, 1], color="lightgrey")
        axis.scatter(said, true, s=10 + 30 * np.log10(1 + count))
        for x, y, n in zip(said, true, count, strict=True):
            if n:
                axis.annotate(str(n), (x, y), xytext=(4, -10), textcoords="offset points", fontsize=7)
        error = calibration_error(confidence, right)
        axis.set(xlabel="confidence", ylabel="share that is right", title=f"{name}: error {error:.2%} of {len(right)}")
    save(figure, target)


def draw_robustness(curves: Mapping[str, Mapping[str, float]], target: Path) -> None:
    """For each distortion, the share that is right by its strength."""
    figure, axes = plt.subplots(2, -(-len(curves) // 2), figsize=(14, 6), sharey=True, constrained_layout=True)
    for axis, (name, curve) in zip(axes.flat, curves.items(), strict=False):
        axis.plot(list(map(float, curve)), [100 * right for right in curve.values()], marker="o")
        axis.set(title=name, ylim=(0, 101))
        axis.grid(alpha=0.3)
    for axis in axes[:, 0]:
        axis.set(ylabel="right, %")
    save(figure, target)


def draw_rejection(
    digits: Mapping[str, Floats], others: Mapping[str, Floats], served: Sequence[float], target: Path
) -> None:
    """For each kind of picture, how many are taken for digits by how little they may look like none: (n,) probabilities
    of being none. Lines mark the limits that are `served`."""
    figure, axes = plt.subplots(figsize=(7, 4.5), constrained_layout=True)
    limits = np.linspace(0, 1, 201)
    for group, style in ((digits, "-"), (others, "--")):
        for name, none in group.items():
            axes.plot(limits, [100 * float((none <= limit).mean()) for limit in limits], style, label=name)
    for limit in served:
        axes.axvline(limit, color="lightgrey")
    axes.set(xlabel="a digit up to this probability of being none", ylabel="taken for a digit, %")
    axes.legend(fontsize=8)
    save(figure, target)


def save(figure: Figure, target: Path) -> None:
    figure.savefig(target, dpi=100)
    plt.close(figure)
