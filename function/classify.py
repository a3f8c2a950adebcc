"""Glyphs → calibrated probabilities. The only import of TFLite."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .prepare import NOT_A_DIGIT

try:
    from tflite_runtime.interpreter import Interpreter
except ImportError:  # its successor, where there is no wheel of it: Python 3.12 and later, macOS
    from ai_edge_litert.interpreter import Interpreter

Glyphs = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.int8]
Probabilities = npt.NDArray[np.float64]


class Classifier:
    """An int8 TFLite model, (1, 28, 28, 1) uint8 → (1, 11) int8 logits. May be made before a fork and be shared by
    threads."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self.name = f"{path.stem}@{hashlib.sha256(content).hexdigest()[:12]}"
        # More threads than one hang after a fork, and one digit is too little to share.
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        output = self._interpreter.get_output_details()[0]
        self._output = output["index"]
        self._scale, self._zero_point = output["quantization"]
        self._lock = threading.Lock()  # an interpreter that runs in two threads answers wrongly

    def classify(self, glyphs: Glyphs) -> Probabilities:
        """(n, 28, 28) uint8 → (n, 11) probabilities of the ten digits and of `NOT_A_DIGIT`; each row sums to 1."""
        logits = np.empty((len(glyphs), NOT_A_DIGIT + 1))
        for row, glyph in zip(logits, glyphs, strict=True):
            row[:] = self._run(glyph)
        return probabilities(self._scale * (logits - self._zero_point))

    def _run(self, glyph: Glyphs) -> Logits:
        with self._lock:
            self._interpreter.set_tensor(self._input, glyph.reshape(1, 28, 28, 1))
            self._interpreter.invoke()
            return np.asarray(self._interpreter.get_tensor(self._output)[0])


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
