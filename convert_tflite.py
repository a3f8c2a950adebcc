"""Convert the trained Keras CNN to the int8 TFLite model that is served, and check it: calibrate → quantise → compare.

    MNIST_DIR=… python convert_tflite.py

All of it on held-out writers' digits and on shapes drawn anew. The comparison with the float model runs the int8 model
as the function does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

import train
from function.classify import Classifier
from function.prepare import NOT_A_DIGIT
from training import augment
from training.augment import scale
from training.measure import calibration_error
from training.mnist import Bytes, hold_out, load_mnist
from training.shapes import drawn_digits, no_digits

# ── Settings ──────────────────────────────────────────────────────────────────────────────────────────────────
CALIBRATION = 500  # training digits, and what is drawn beside them, show the quantiser the range of every layer
TEMPERATURES = np.geomspace(0.25, 4, 161)
DRAWN = 2000  # digits, and as many glyphs that are none, to look at

Floats = npt.NDArray[np.float64]


# ── Calibrate ─────────────────────────────────────────────────────────────────────────────────────────────────
def find_temperature(logits: Floats, labels: Bytes) -> float:
    """What the logits are divided by to be calibrated (Guo et al., 2017): that with the least cross-entropy."""

    def cross_entropy(temperature: float) -> float:
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits / temperature, from_logits=True)
        return float(keras.ops.mean(losses))

    return float(min(TEMPERATURES, key=cross_entropy))


def calibrated(model: keras.Model, temperature: float) -> keras.Model:
    """The model for one glyph, with the temperature in its last layer: what is served needs no other file.

    A fixed batch of one drops the operators that would only work out its size.
    """
    which = model.get_layer("which")
    which.set_weights([weights / temperature for weights in which.get_weights()])
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
def share(flags: npt.NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), 5)


def describe(model_file: Path, **measured: object) -> str:
    content = model_file.read_bytes()
    settings = {name: value for module in (train, augment) for name, value in vars(module).items() if name.isupper()}
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
    parser.add_argument("--limit", type=int, help="use only the first LIMIT training digits")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model", help="where digits.keras is too")
    arguments = parser.parse_args(argv)

    model = keras.models.load_model(arguments.out / "digits.keras", compile=False)
    training, held_out = hold_out(*load_mnist("train", arguments.limit))
    logits = model.predict(scale(held_out[0]), batch_size=500, verbose=0)
    which = logits[:, :NOT_A_DIGIT]
    temperature = find_temperature(which, held_out[1])
    float_right = share(which.argmax(axis=1) == held_out[1])

    step = max(1, len(training[1]) // CALIBRATION)
    some, _ = train.with_drawn((training[0][::step], training[1][::step]), train.SEED)
    target = arguments.out / "digits_int8.tflite"
    target.write_bytes(quantise(calibrated(model, temperature), some))

    classify = Classifier(target).classify
    digits = classify(held_out[0])
    said, int8_right = digits.argmax(axis=1), digits[:, :NOT_A_DIGIT].argmax(axis=1) == held_out[1]
    hands, labels = drawn_digits(DRAWN, train.SEED + 1)
    others, _ = no_digits(DRAWN, held_out, train.SEED + 1)
    metrics = describe(
        target,
        parameters=model.count_params(),
        temperature=round(temperature, 4),
        held_out_writers={
            "digits": len(int8_right),
            "float_accuracy": float_right,
            "int8_accuracy": share(int8_right),
            "taken_for_none": share(said == NOT_A_DIGIT),
            "calibration_error": round(calibration_error(digits.max(axis=1), said == held_out[1]), 5),
        },
        drawn_anew={
            "digits": DRAWN,
            "int8_accuracy": share(classify(hands).argmax(axis=1) == labels),
            "others": DRAWN,
            "others_taken_for_digits": share(classify(others).argmax(axis=1) != NOT_A_DIGIT),
        },
    )
    (arguments.out / "metrics.json").write_text(metrics)
    print(metrics)
    drop = float_right - share(int8_right)
    if drop > arguments.max_drop:
        raise SystemExit(f"int8 is {drop:.4f} less accurate than float: more than --max-drop {arguments.max_drop}")


if __name__ == "__main__":
    main()
