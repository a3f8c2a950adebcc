"""Glyphs → calibrated probabilities. The only import of TFLite."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

try:
    from tflite_runtime.interpreter import Interpreter
except ImportError:  # its successor, where there is no wheel of it: Python 3.12 and later, macOS
    from ai_edge_litert.interpreter import Interpreter

Glyphs = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float64]


class Classifier:
    """An int8 TFLite model, (1, 28, 28, 1) uint8 → (1, 10) int8 logits. May be made before a fork and be shared by
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
        """(n, 28, 28) uint8 → (n, 10) probabilities of the digits; each row sums to 1."""
        return softmax(np.array([self._logits(glyph) for glyph in glyphs]).reshape(-1, 10))

    def _logits(self, glyph: Glyphs) -> Probabilities:
        with self._lock:
            self._interpreter.set_tensor(self._input, glyph.reshape(1, 28, 28, 1))
            self._interpreter.invoke()
            quantised = self._interpreter.get_tensor(self._output)[0]
        return np.asarray(self._scale * (quantised.astype(np.float64) - self._zero_point))


def softmax(logits: Probabilities) -> Probabilities:
    """Row-wise; the temperature that calibrates it is in the model's last layer already (convert_tflite.py)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
