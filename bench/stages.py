"""How one picture is prepared, step by step, as a picture of its own.

python -m bench.stages docs/9.png stages.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from function.decode import decode
from function.ink import find_ink, flat_ground, shaded_ground
from function.locate import Mark, locate
from function.main import classifier, settings
from function.prepare import FINE, crop, fit, prepare, thicken
from training.plots import NAMES

mpl.use("Agg")
import matplotlib.pyplot as plt

MOST = 8  # marks that are shown


def main(source: Path, target: Path) -> None:
    pixels = decode(source.read_bytes(), max_pixels=settings.max_pixels).pixels
    flat = flat_ground(pixels)
    ground = shaded_ground(pixels) if flat is None else np.broadcast_to(flat, pixels.shape)
    ink = find_ink(pixels)
    marks = locate(ink)[:MOST]
    figure, axes = plt.subplots(1 + len(marks), 4, figsize=(11, 3 * (1 + len(marks))), constrained_layout=True)
    rows = np.atleast_2d(axes)
    for axis in rows.flat:
        axis.axis("off")
    show(rows[0, 0], pixels, "decode: upright, reduced")
    show(rows[0, 1], ground.astype(np.uint8), f"ink: the paper, {'shaded' if flat is None else 'of one colour'}")
    show(rows[0, 2], 255 - ink, "ink: what differs, without rules")
    show(rows[0, 3], pixels, f"locate: {len(marks)} marks")
    for mark, row in zip(marks, rows[1:], strict=True):
        left, top, right, bottom = mark.box
        rows[0, 3].add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, color="red"))
        show_mark(row, mark)
    figure.savefig(target, dpi=100)


def show_mark(row: npt.NDArray[np.object_], mark: Mark) -> None:
    """One mark on its way through prepare and classify."""
    ink = crop(mark.whole)
    fine = fit(ink, FINE) if max(ink.shape) > FINE else ink
    glyph = prepare(mark.whole)
    probabilities = classifier.classify(glyph[np.newaxis])[0]
    ranked = np.argsort(probabilities)[::-1][:3]
    show(row[0], 255 - mark.ink, "locate: a mark")
    show(row[1], 255 - thicken(fine), "prepare: strokes as thick as MNIST's")
    show(row[2], 255 - glyph, "prepare: 20×20 in 28×28")
    text = "\n".join(f"{NAMES[index]}: {probabilities[index]:.1%}" for index in ranked)
    row[3].text(0.1, 0.5, "classify:\n" + text, fontsize=14, va="center")


def show(axis: Axes, picture: npt.NDArray[Any], title: str) -> None:
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axis.set_title(title, fontsize=9)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
