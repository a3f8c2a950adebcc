"""LiteRT's C library: the same answers as TensorFlow's own interpreter, and none from what is no model of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from function.litert import ALIGNMENT, Model
from tests.helpers import ROOT

MODEL = ROOT / "model" / "digits_int8.tflite"
REFERENCE = """
import sys, numpy as np, tensorflow as tf
model = tf.lite.Interpreter(sys.argv[1])
model.allocate_tensors()
given, taken = model.get_output_details()[0], model.get_input_details()[0]["index"]
answers = []
for glyph in np.load(sys.argv[2]):
    model.set_tensor(taken, glyph[np.newaxis])
    model.invoke()
    answers.append(model.get_tensor(given["index"])[0])
np.savez(sys.argv[3], answers=answers, quantisation=given["quantization"])
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(MODEL.read_bytes())


def glyphs(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Blots of noise, of all sizes, as no two kernels would round alike if they rounded differently."""
    rng = np.random.default_rng(8)
    return (rng.integers(0, 256, (count, 28, 28, 1)) * (rng.random((count, 28, 28, 1)) < 0.3)).astype(np.uint8)


def test_it_answers_as_tensorflow_s_interpreter_does(model: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "glyphs.npy", glyphs(200))
    command = [sys.executable, "-c", REFERENCE, str(MODEL), f"{tmp_path}/glyphs.npy", f"{tmp_path}/answers.npz"]
    subprocess.run(command, check=True, capture_output=True)
    reference = np.load(tmp_path / "answers.npz")

    answers = []
    for glyph in glyphs(200):
        model.input[0] = glyph
        model.run()
        answers.append(model.output[0].copy())

    assert np.abs(np.array(answers, int) - reference["answers"]).max() <= 1
    assert (model.output_scale, model.output_zero_point) == pytest.approx(tuple(reference["quantisation"]))


def test_its_tensors_are_those_of_the_model(model: Model) -> None:
    assert (model.input.shape, model.input.dtype.name) == ((1, 28, 28, 1), "uint8")
    assert (model.output.shape, model.output.dtype.name) == ((1, 11), "int8")
    assert model.input.ctypes.data % ALIGNMENT == model.output.ctypes.data % ALIGNMENT == 0


def test_two_models_do_not_share_their_tensors(model: Model) -> None:
    other = Model(MODEL.read_bytes())
    model.input[:] = 255
    other.input[:] = 0
    assert model.input.min() == 255


@pytest.mark.parametrize("content", [b"", b"no model", MODEL.read_bytes()[:1000]], ids=["empty", "text", "cut short"])
def test_what_is_no_model_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(RuntimeError, match="LiteRT cannot run the model"):
        Model(content)
