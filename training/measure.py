"""How good answers are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

BINS = 15


def reliability(confidence: Floats, right: Flags) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """(bins,) each: mean confidence, share that is right, and count, by equal widths of confidence (NaN where there is
    none); from (n,) answers."""
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(which, minlength=BINS)
    with np.errstate(invalid="ignore"):
        said = np.bincount(which, confidence, BINS) / count
        true = np.bincount(which, right, BINS) / count
    return said, true, count


def calibration_error(confidence: Floats, right: Flags) -> float:
    """Expected calibration error (Naeini et al., 2015)."""
    said, true, count = reliability(confidence, right)
    return float(np.nansum(np.abs(said - true) * count) / count.sum())


def edits(text: str, truth: str) -> int:
    """How many characters must be changed, added or taken out to correct `text` (Levenshtein, 1966)."""
    costs = list(range(len(truth) + 1))
    for row, character in enumerate(text, start=1):
        before, costs[0] = costs[0], row
        for column, right in enumerate(truth, start=1):
            swap = before + (character != right)
            before, costs[column] = costs[column], min(costs[column] + 1, costs[column - 1] + 1, swap)
    return costs[-1]
