"""Glyphs → calibrated probabilities."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .litert import Model
from .prepare import NOT_A_DIGIT

Glyphs = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float64]

DOUBTFUL = -2.0, 4.0  # logits of being none: between these it is asked again


class Classifier:
    """An int8 TFLite model, (1, 28, 28, 1) uint8 → (1, 11) int8 logits. May be made before a fork and be shared by
    threads."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self.name = f"{path.stem}@{hashlib.sha256(content).hexdigest()[:12]}"
        self._model = Model(content)
        self._lock = threading.Lock()  # a model that runs in two threads answers wrongly

    def classify(self, glyphs: Glyphs) -> Probabilities:
        """(n, 28, 28) uint8 → (n, 11) probabilities of the ten digits and of `NOT_A_DIGIT`; each row sums to 1.

        Whether a glyph is none is, where that is in doubt, the mean of what is said of it in five places: the model's
        strides see the same shape otherwise from each (Zhang, 2019: "Making Convolutional Networks Shift-Invariant
        Again").
        """
        logits = self._logits(glyphs)
        none, (least, most) = logits[:, NOT_A_DIGIT], DOUBTFUL
        for index, logit in enumerate(none):
            if least < logit < most:
                elsewhere = self._logits(moved(glyphs[index]))[:, NOT_A_DIGIT]
                none[index] = np.mean([logit, *elsewhere])
        return probabilities(logits)

    def _logits(self, glyphs: Glyphs) -> Probabilities:
        logits = np.empty((len(glyphs), NOT_A_DIGIT + 1))
        for row, glyph in zip(logits, glyphs, strict=True):
            with self._lock:
                self._model.input[0, ..., 0] = glyph
                self._model.run()
                row[:] = self._model.output[0]
        logits -= self._model.output_zero_point
        logits *= self._model.output_scale
        return logits


def moved(glyph: npt.NDArray[np.uint8]) -> Glyphs:
    """(28, 28) → (4, 28, 28), a pixel further in each direction. There is nothing at a glyph's edges."""
    return np.array([np.roll(glyph, step, axis) for axis in (0, 1) for step in (-1, 1)])


def probabilities(logits: Probabilities) -> Probabilities:
    """(n, 11) logits, of the ten digits among themselves and of none against any, → (n, 11) probabilities.

    The temperature that calibrates them is in the model already (convert_tflite.py).
    """
    none = 1 / (1 + np.exp(-logits[:, NOT_A_DIGIT:]))
    return np.concatenate([(1 - none) * softmax(logits[:, :NOT_A_DIGIT]), none], axis=1)


def softmax(logits: Probabilities) -> Probabilities:
    """Row-wise."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
