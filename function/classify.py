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


class Classifier:
    """An int8 TFLite model, (1, 28, 28, 1) uint8 → (1, 11) int8 logits. May be made before a fork and be shared by
    threads."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self.name = f"{path.stem}@{hashlib.sha256(content).hexdigest()[:12]}"
        self._model = Model(content)
        self._lock = threading.Lock()  # a model that runs in two threads answers wrongly

    def classify(self, glyphs: Glyphs) -> Probabilities:
        """(n, 28, 28) uint8 → (n, 11) probabilities of the ten digits and of `NOT_A_DIGIT`; each row sums to 1."""
        logits = np.empty((len(glyphs), NOT_A_DIGIT + 1))
        for row, glyph in zip(logits, glyphs, strict=True):
            with self._lock:
                self._model.input[0, ..., 0] = glyph
                self._model.run()
                row[:] = self._model.output[0]
        return probabilities(self._model.output_scale * (logits - self._model.output_zero_point))


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
