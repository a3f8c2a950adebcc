"""Train the digit CNN: data → augment → train → evaluate → pictures.

    MNIST_DIR=… python train.py            # or without it: MNIST is downloaded once, to data/
    python train.py --epochs 1 --limit 2000 --out /tmp/model       # a quick look
    python train.py --start model/digits.keras --epochs 12 --extra set/     # on, with corrected records

A run that was stopped goes on where it was when it is started again. The model is chosen and reported on
held-out writers; the MNIST test set is left to convert_tflite.py, which looks at it once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from function.prepare import NOT_A_DIGIT
from training.augment import augment, scale
from training.mnist import Split, hold_out, join, load_idx, load_mnist
from training.plots import NAMES, draw_confusion, draw_curves, draw_glyphs
from training.shapes import drawn_digits, no_digits

# ── Settings ──────────────────────────────────────────────────────────────────────────────────────────────────
CLASSES = NOT_A_DIGIT + 1
CHANNELS = (16, 32, 96)  # at 14×14, 7×7 and 4×4: the cheap, small maps get the weights
DROPOUT = 0.25
EPOCHS = 105
BATCH = 128
LEARNING_RATE = 3e-3  # at its peak; warmed up over one epoch, then a cosine down to zero
GENTLE_RATE = 5e-4  # likewise, where a trained model is trained on
WEIGHT_DECAY = 5e-2
LABEL_SMOOTHING = 0.05  # (Szegedy et al., 2016); the temperature that calibrates takes it back
EMA_STEPS = 1000  # the weights that are kept are an exponential moving average over about so many steps
SEED = 7
DRAWN_DIGITS = 0.15  # for each digit of MNIST's, so many of other hands, drawn by training/shapes.py …
DRAWN_OTHERS = 0.25  # … and so many glyphs of what is no digit
EXTRA = 0.1  # of what is trained on: what people's own glyphs are repeated to …
MOST_REPEATED = 20  # … but not more often than this
SAMPLES = 200  # of what is drawn, shown in the model card


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────
def with_drawn(digits: Split, seed: int) -> Split:
    """MNIST's digits, and what our own code draws."""
    count = len(digits[1])
    return join(
        digits,
        drawn_digits(round(DRAWN_DIGITS * count), seed),
        no_digits(round(DRAWN_OTHERS * count), digits, seed),
    )


def with_extra(training: Split, extra: Split) -> Split:
    """A few glyphs among many are soon forgotten: they are repeated until they are a share of `EXTRA`."""
    times = max(1, min(MOST_REPEATED, round(EXTRA * len(training[1]) / max(1, len(extra[1])))))
    print(f"{len(extra[1])} extra glyphs, each {times} times")
    return join(training, *[extra] * times)


# ── Model ─────────────────────────────────────────────────────────────────────────────────────────────────────
def build(channels: Sequence[int] = CHANNELS) -> keras.Model:
    """(n, 28, 28, 1) in [0, 1] → (n, 11) logits of the ten digits and of what is none: five convolutions, two of them
    residual (He et al., 2016), then a depthwise 4×4 one in place of average pooling (as in MobileFaceNets, Chen et
    al., 2018). Strides, not pooling, make the maps small: most of the time would go into the first two otherwise."""

    def normalised(x: Any, filters: int, size: int = 3, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    def stage(x: Any, filters: int) -> Any:
        x = layers.ReLU()(normalised(x, filters, stride=2))
        return layers.ReLU()(layers.Add()([x, normalised(x, filters)]))

    first, second, third = channels
    glyph = keras.Input((28, 28, 1))
    x = layers.ReLU()(normalised(glyph, first, size=5, stride=2))
    x = stage(stage(x, second), third)
    x = layers.DepthwiseConv2D(4)(x)
    x = layers.Dropout(DROPOUT)(layers.Flatten()(x))
    return keras.Model(glyph, layers.Dense(CLASSES)(x), name="digits")


def compile_for(model: keras.Model, *, peak: float, steps: int, warm_up: int) -> None:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )
    momentum = 1 - 1 / min(EMA_STEPS, max(2, steps // 10))  # a short run must not average in where it began
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, use_ema=True, ema_momentum=momentum),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
        metrics=["accuracy"],
    )


def example(glyphs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return augment(glyphs), tf.one_hot(labels, CLASSES)


# ── Train ─────────────────────────────────────────────────────────────────────────────────────────────────────
def fit(model: keras.Model, training: Split, validation: Split, *, peak: float, epochs: int, progress: Path) -> None:
    """Train, or go on training what `progress` holds of a run that was stopped."""
    steps = -(-len(training[1]) // BATCH)
    compile_for(model, peak=peak, steps=steps * epochs, warm_up=steps)
    data = tf.data.Dataset.from_tensor_slices(training).cache().shuffle(len(training[1]), seed=SEED)
    if not any((progress / "backup").glob("*")):  # nothing to resume: this run's history begins here
        (progress / "history.csv").unlink(missing_ok=True)
    progress.mkdir(parents=True, exist_ok=True)
    model.fit(
        data.batch(BATCH).map(example, num_parallel_calls=2).prefetch(4),
        validation_data=(scale(validation[0]), tf.one_hot(validation[1], CLASSES)),
        epochs=epochs,
        verbose=2,
        callbacks=[
            keras.callbacks.BackupAndRestore(progress / "backup"),
            keras.callbacks.CSVLogger(str(progress / "history.csv"), append=True),
            keras.callbacks.SwapEMAWeights(),  # validates what will be kept
        ],
    )


# ── All of it ─────────────────────────────────────────────────────────────────────────────────────────────────
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--start", type=Path, help="train on from this model, gently, instead of from nothing")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT training digits")
    parser.add_argument(
        "--extra", type=Path, help="folder of glyphs to train on too: what `function.records export` wrote"
    )
    parser.add_argument("--min-accuracy", type=float, default=0.99, help="fail below this, on held-out writers")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--progress", type=Path, default=Path(__file__).parent / ".train", help="kept to resume")
    arguments = parser.parse_args(argv)

    keras.utils.set_random_seed(SEED)
    training, validation = hold_out(*load_mnist("train", arguments.limit))
    training, unseen = with_drawn(training, SEED), with_drawn(validation, SEED + 1)
    if arguments.extra:
        training = with_extra(training, load_idx(arguments.extra, "train"))
    print(f"{len(training[1])} glyphs to train on, {len(validation[1])} by other writers to validate on")
    model = keras.models.load_model(arguments.start) if arguments.start else build()
    model.summary()
    peak = GENTLE_RATE if arguments.start else LEARNING_RATE
    fit(model, training, validation, peak=peak, epochs=arguments.epochs, progress=arguments.progress)

    logits = model.predict(scale(unseen[0]), batch_size=500, verbose=0)
    answers = logits.argmax(axis=1)
    accuracy = float((logits[: len(validation[1]), :NOT_A_DIGIT].argmax(axis=1) == validation[1]).mean())
    arguments.out.mkdir(parents=True, exist_ok=True)
    model.save(arguments.out / "digits.keras")
    draw_curves(arguments.progress / "history.csv", arguments.out / "curves.png")
    draw_confusion(unseen[1], answers, arguments.out / "confusion.png", of="held-out writers and shapes drawn anew")
    some = np.linspace(len(validation[1]), len(unseen[1]) - 1, SAMPLES).astype(int)
    draw_glyphs(unseen[0][some], [NAMES[label] for label in unseen[1][some]], arguments.out / "shapes.png", columns=20)
    print(f"held-out writers: {accuracy:.4%} right of the ten digits; wrote {arguments.out / 'digits.keras'}")
    if accuracy < arguments.min_accuracy:
        raise SystemExit(f"accuracy {accuracy:.4f} is below --min-accuracy {arguments.min_accuracy}")


if __name__ == "__main__":
    main()
