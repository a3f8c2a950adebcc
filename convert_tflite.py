"""Convert the trained Keras CNN to the int8 TFLite model that is served, and check it: calibrate → quantise → compare.

    MNIST_DIR=… python convert_tflite.py

The comparison with the float model, on the whole MNIST test set, runs the int8 model as the function does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import tensorflow as tf

import train
from train import Bytes, hold_out, load_mnist, scale

# ── Settings ──────────────────────────────────────────────────────────────────────────────────────────────────
CALIBRATION = 500  # training digits that show the quantiser the range of every layer
TEMPERATURES = np.geomspace(0.25, 4, 161)

Floats = npt.NDArray[np.float64]

# TensorFlow and tflite-runtime cannot live in one process: their libraries clash.
CLASSIFY = """
import sys; from pathlib import Path; import numpy as np; from function.classify import Classifier
np.save(sys.argv[3], Classifier(Path(sys.argv[1])).classify(np.load(sys.argv[2])))
"""


# ── Calibrate ─────────────────────────────────────────────────────────────────────────────────────────────────
def log_loss(logits: Floats, labels: Bytes, temperature: float) -> float:
    return float(keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits / temperature, True)))


def find_temperature(model: keras.Model, glyphs: Bytes, labels: Bytes) -> float:
    """What the logits are divided by to be calibrated (Guo et al., 2017), from digits that were not trained on."""
    logits = model.predict(scale(glyphs), batch_size=500, verbose=0)
    return float(min(TEMPERATURES, key=lambda temperature: log_loss(logits, labels, temperature)))


def calibrated(model: keras.Model, temperature: float) -> keras.Model:
    """The model for one glyph, with its last layer divided by the temperature: what is served needs no other file.

    A fixed batch of one drops the operators that would only work out its size.
    """
    last = model.layers[-1]
    last.set_weights([weights / temperature for weights in last.get_weights()])
    glyph = keras.Input(batch_shape=(1, 28, 28, 1))
    return keras.Model(glyph, model(glyph, training=False))


# ── Quantise ──────────────────────────────────────────────────────────────────────────────────────────────────
def quantise(model: keras.Model, glyphs: Bytes) -> bytes:
    """Full int8, uint8 glyphs in and int8 logits out (Jacob et al., 2018). `glyphs` are of the kind to be served."""

    def representative() -> Iterator[list[tf.Tensor]]:
        for glyph in glyphs:
            yield [scale(glyph[np.newaxis])]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


# ── Compare ───────────────────────────────────────────────────────────────────────────────────────────────────
def classify_as_served(model_file: Path, glyphs: Bytes) -> Floats:
    """(n, 10) probabilities by function/classify.py."""
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "glyphs.npy"), Path(folder, "probabilities.npy")
        np.save(question, glyphs)
        command = [sys.executable, "-c", CLASSIFY, str(model_file.resolve()), str(question), str(answer)]
        subprocess.run(command, check=True, cwd=Path(__file__).parent)  # noqa: S603  (our own words)
        return np.asarray(np.load(answer))


def calibration_error(probabilities: Floats, labels: Bytes, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al., 2015)."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[which == b].sum() - right[which == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(labels))


def draw_errors(glyphs: Bytes, labels: Bytes, answers: npt.NDArray[np.intp], target: Path) -> None:
    wrong = np.flatnonzero(answers != labels)
    rows = max(1, -(-len(wrong) // 10))
    figure, axes = plt.subplots(rows, 10, figsize=(10, 1.3 * rows))
    for axis in axes.flat:
        axis.axis("off")
    for axis, index in zip(axes.flat, wrong, strict=False):
        axis.imshow(glyphs[index], cmap="gray_r")
        axis.set_title(f"#{index}: {labels[index]} as {answers[index]}", fontsize=7)
    figure.tight_layout()
    figure.savefig(target, dpi=100)
    plt.close(figure)


def describe(model_file: Path, **measured: object) -> str:
    content = model_file.read_bytes()
    settings = {
        name: value for name, value in vars(train).items() if name.isupper() and name not in ("SHA256", "SOURCE")
    }
    metrics = {
        "model": model_file.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **measured,
        "settings": settings,
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__},
    }
    return json.dumps(metrics, indent=2) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-drop", type=float, default=0.0005, help="fail if int8 loses more accuracy than this")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT digits of each part")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model", help="where digits.keras is too")
    arguments = parser.parse_args(argv)

    model = keras.models.load_model(arguments.out / "digits.keras")
    training, validation = hold_out(*load_mnist("train", arguments.limit))
    temperature = find_temperature(model, *validation)
    single = calibrated(model, temperature)
    target = arguments.out / "digits_int8.tflite"
    target.write_bytes(quantise(single, training[0][:: max(1, len(training[0]) // CALIBRATION)]))

    glyphs, labels = load_mnist("t10k", arguments.limit)
    float_right = model.predict(scale(glyphs), batch_size=500, verbose=0).argmax(axis=1) == labels
    probabilities = classify_as_served(target, glyphs)
    int8_right = probabilities.argmax(axis=1) == labels
    held_out = classify_as_served(target, validation[0])
    draw_errors(glyphs, labels, probabilities.argmax(axis=1), arguments.out / "errors.png")
    metrics = describe(
        target,
        parameters=model.count_params(),
        temperature=round(temperature, 4),
        held_out_writers={
            "digits": len(validation[1]),
            "int8_accuracy": round(float((held_out.argmax(axis=1) == validation[1]).mean()), 5),
        },
        mnist_test={
            "digits": len(labels),
            "float_accuracy": round(float(float_right.mean()), 5),
            "int8_accuracy": round(float(int8_right.mean()), 5),
            "int8_calibration_error": round(calibration_error(probabilities, labels), 5),
        },
    )
    (arguments.out / "metrics.json").write_text(metrics)
    print(metrics)
    drop = float(float_right.mean() - int8_right.mean())
    if drop > arguments.max_drop:
        raise SystemExit(f"int8 is {drop:.4f} less accurate than float: more than --max-drop {arguments.max_drop}")


if __name__ == "__main__":
    main()
