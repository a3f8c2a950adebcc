"""Train the digit CNN: data → augment → train → evaluate → pictures.

    MNIST_DIR=… python train.py            # or without it: MNIST is downloaded once, to data/
    python train.py --epochs 1 --limit 2000 --out /tmp/model       # a quick look
    python train.py --start model/digits.keras --epochs 12 --extra set/     # on, with corrected records
    python train.py --start model/digits.keras --epochs 8 --judge           # on, but only whether it is a digit at all
    python train.py --large --epochs 7 --out teacher     # a larger model …
    python train.py --start model/digits.keras --epochs 10 --teacher teacher/digits.keras     # … and on, by its answers

A run that was stopped goes on where it was when it is started again. The model is chosen and reported on
held-out writers; the MNIST test set is left to `make figures`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from function.prepare import NOT_A_DIGIT
from training.augment import augment, scale
from training.mnist import Bytes, Split, hold_out, join, load_idx, load_mnist
from training.pieces import cut_pieces
from training.plots import NAMES, draw_confusion, draw_curves, draw_glyphs
from training.shapes import drawn_digits, no_digits

# ── Settings ──────────────────────────────────────────────────────────────────────────────────────────────────
CLASSES = NOT_A_DIGIT + 1
CHANNELS = (16, 24, 80)  # at 14×14, 7×7 and 4×4: the cheap, small maps get the weights
JUDGES, LARGE_JUDGES = 24, 64  # hidden units that decide whether it is a digit
DROPOUT = 0.25
EPOCHS = 170
BATCH = 128
LEARNING_RATE = 3e-3  # at its peak; warmed up over one epoch, then a cosine down to zero
GENTLE_RATE = 5e-4  # likewise, where a trained model is trained on …
KEPT = 0.4  # … and so much of its weights is kept, against forgetting
LARGE = (32, 64, 128)  # channels of the model that is to teach
LARGE_RATE = 2e-3  # likewise, for that …
TAUGHT_RATE = 1e-3  # … and where a trained model is taught by it …
TAUGHT_KEPT = 0.2  # … of whose own weights so much is kept
TAUGHT = 0.7  # so much of what is learnt of which digit it is is the teacher's answer, the rest the label …
TAUGHT_NONE = 0.5  # … and so much of whether it is one
JUDGE_RATE = 2e-3  # at its peak, where only whether it is a digit is learnt
WEIGHT_DECAY = 5e-2
LABEL_SMOOTHING = 0.05  # (Szegedy et al., 2016); the temperature that calibrates takes it back
EMA_STEPS = 1000  # the weights that are kept are an exponential moving average over about so many steps
SEED = 7
DRAWN_DIGITS = 0.15  # for each digit of MNIST's, so many of other hands, drawn by training/shapes.py …
DRAWN_OTHERS = 0.25  # … so many glyphs of what is no digit …
CUT_PIECES = 0.15  # … and so many pieces of digits that were side by side, cut as training/pieces.py does
JUDGED = 3  # times as much of all that is drawn, where only whether it is a digit is learnt
VARIED = 3  # times as much of all, MNIST's digits so many times, for a teacher and whom it teaches: no two drawn alike
EXPECTED = 0.04  # the odds of none against any digit that are expected of pictures
EXTRA = 0.1  # of what is trained on: what people's own glyphs are repeated to …
MOST_REPEATED = 20  # … but not more often than this
SAMPLES = 200  # of what is drawn, shown in the model card


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────
def with_drawn(digits: Split, seed: int, times: int = 1) -> Split:
    """MNIST's digits, and what our own code draws and cuts; so many times as much as is usual."""
    count = times * len(digits[1])
    return join(
        digits,
        drawn_digits(round(DRAWN_DIGITS * count), seed),
        no_digits(round(DRAWN_OTHERS * count), digits, seed),
        cut_pieces(round(CUT_PIECES * count), digits, seed),
    )


def with_extra(training: Split, extra: Split) -> Split:
    """A few glyphs among many are soon forgotten: they are repeated until they are a share of `EXTRA`."""
    times = max(1, min(MOST_REPEATED, round(EXTRA * len(training[1]) / max(1, len(extra[1])))))
    print(f"{len(extra[1])} extra glyphs, each {times} times")
    return join(training, *[extra] * times)


# ── Model ─────────────────────────────────────────────────────────────────────────────────────────────────────
def build() -> keras.Model:
    """(n, 28, 28, 1) in [0, 1] → (n, 11) logits: of the ten digits among themselves, and of none against any.

    Five convolutions, two of them residual (He et al., 2016). Strides, not pooling, make the maps small: most of the
    time would go into the first two otherwise.
    """

    def stage(x: Any, filters: int) -> Any:
        x = layers.ReLU()(normalised(x, filters, stride=2))
        return layers.ReLU()(layers.Add()([x, normalised(x, filters)]))

    first, second, third = CHANNELS
    glyph = keras.Input((28, 28, 1))
    x = layers.ReLU()(normalised(glyph, first, size=5, stride=2))
    return with_outputs(glyph, stage(stage(x, second), third), JUDGES)


def build_large() -> keras.Model:
    """The same with eight times the weights: two residual blocks of two convolutions a size. Too slow to serve."""

    def block(x: Any, filters: int) -> Any:
        inner = layers.ReLU()(normalised(x, filters))
        return layers.ReLU()(layers.Add()([x, normalised(inner, filters)]))

    glyph = x = keras.Input((28, 28, 1))
    for filters in LARGE:
        x = layers.ReLU()(normalised(x, filters, size=5 if x is glyph else 3, stride=2))
        x = block(block(x, filters), filters)
    return with_outputs(glyph, x, LARGE_JUDGES)


def normalised(x: Any, filters: int, size: int = 3, stride: int = 1) -> Any:
    x = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)
    return layers.BatchNormalization()(x)


def with_outputs(glyph: Any, maps: Any, judges: int) -> keras.Model:
    """What is decided from 4×4 maps: which digit it is, by a depthwise 4×4 convolution in place of average pooling (as
    in MobileFaceNets, Chen et al., 2018), and, beside and not among the digits, whether it is one at all."""
    pooled = layers.Dropout(DROPOUT)(layers.Flatten()(layers.DepthwiseConv2D(4)(maps)))
    which = layers.Dense(NOT_A_DIGIT, name="which")(pooled)
    whole = layers.Dropout(DROPOUT)(layers.Flatten()(maps))
    none = layers.Dense(1, name="none")(layers.Dense(judges, activation="relu", name="judges")(whole))
    return keras.Model(glyph, layers.Concatenate()([which, none]), name="digits")


def let_learn(model: keras.Model, *, only_judge: bool) -> None:
    """All of it, or only whether it is a digit: which one it is stays as it was then, to the bit."""
    for layer in model.layers:
        layer.trainable = not only_judge or (isinstance(layer, layers.Dense) and layer.name != "which")


def targets(labels: tf.Tensor) -> tf.Tensor:
    """(n,) labels → (n, 12): how likely each digit is to be, whether it is none, and whether it says which it is.

    What is no digit does not say which one it is unlike: a Y would teach that an open 4 is no 4.
    """
    is_none = tf.cast(labels == NOT_A_DIGIT, tf.float32)[:, tf.newaxis]
    which = (1 - LABEL_SMOOTHING) * tf.one_hot(labels, NOT_A_DIGIT) + LABEL_SMOOTHING / NOT_A_DIGIT
    return tf.concat([which, is_none, 1 - is_none], axis=1)


def loss(wanted: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """(n,) cross-entropy of whether it is a digit and, for those that are, of which."""
    none, is_digit = wanted[:, NOT_A_DIGIT], wanted[:, NOT_A_DIGIT + 1]
    of_none = tf.nn.sigmoid_cross_entropy_with_logits(none, logits[:, NOT_A_DIGIT])
    of_which = tf.nn.softmax_cross_entropy_with_logits(wanted[:, :NOT_A_DIGIT], logits[:, :NOT_A_DIGIT])
    return of_none + is_digit * of_which


def accuracy(wanted: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Which of the digits that are digits are right, of (n, 12) targets and (n, 11) logits."""
    which = tf.argmax(wanted[:, :NOT_A_DIGIT], axis=1)
    right = tf.cast(which == tf.argmax(logits[:, :NOT_A_DIGIT], axis=1), tf.float32)
    return tf.boolean_mask(right, wanted[:, NOT_A_DIGIT + 1] == 1)


def compile_for(model: keras.Model, *, peak: float, steps: int, warm_up: int) -> None:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )
    momentum = 1 - 1 / min(EMA_STEPS, max(2, steps // 10))  # a short run must not average in where it began
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, use_ema=True, ema_momentum=momentum),
        loss=loss,
        metrics=[accuracy],
    )


# Glyphs and labels → glyphs as they are shown, and targets.
Example = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def example(glyphs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return augment(glyphs), targets(labels)


def taught_by(teacher: keras.Model) -> Example:
    """Examples as `example` makes them, with what the teacher says of each as it looks then (Hinton et al., 2015; Beyer
    et al., 2022)."""

    def taught(glyphs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        glyphs, wanted = example(glyphs, labels)
        said = teacher(glyphs, training=False)
        which = TAUGHT * tf.nn.softmax(said[:, :NOT_A_DIGIT]) + (1 - TAUGHT) * wanted[:, :NOT_A_DIGIT]
        none = TAUGHT_NONE * tf.sigmoid(said[:, NOT_A_DIGIT:]) + (1 - TAUGHT_NONE) * wanted[:, NOT_A_DIGIT:CLASSES]
        return glyphs, tf.concat([which, none, wanted[:, CLASSES:]], axis=1)

    return taught


# ── Train ─────────────────────────────────────────────────────────────────────────────────────────────────────
def fit(
    model: keras.Model,
    training: Split,
    validation: Split,
    *,
    examples: Example,
    peak: float,
    epochs: int,
    progress: Path,
) -> None:
    """Train, or go on training what `progress` holds of a run that was stopped."""
    steps = -(-len(training[1]) // BATCH)
    compile_for(model, peak=peak, steps=steps * epochs, warm_up=steps)
    data = tf.data.Dataset.from_tensor_slices(training).cache().shuffle(len(training[1]), seed=SEED)
    if not any((progress / "backup").glob("*")):  # nothing to resume: this run's history begins here
        (progress / "history.csv").unlink(missing_ok=True)
    progress.mkdir(parents=True, exist_ok=True)
    model.fit(
        data.batch(BATCH).map(examples, num_parallel_calls=2).prefetch(4),
        validation_data=(scale(validation[0]), targets(validation[1])),
        epochs=epochs,
        verbose=2,
        callbacks=[
            keras.callbacks.BackupAndRestore(progress / "backup"),
            keras.callbacks.CSVLogger(str(progress / "history.csv"), append=True),
            keras.callbacks.SwapEMAWeights(),  # validates what will be kept
        ],
    )


def blend(model: keras.Model, start: list[Any], kept: float) -> None:
    """Let the weights be between those at the `start` and those of now: better on both than either is on the other
    (Wortsman et al., 2022)."""
    weights = zip(model.get_weights(), start, strict=True)
    model.set_weights([(1 - kept) * after + kept * before for after, before in weights])


def odds_of_none(labels: Bytes) -> float:
    none = np.count_nonzero(labels == NOT_A_DIGIT)
    return none / (len(labels) - none)


def expect(model: keras.Model, odds: float) -> None:
    """None is so many times as likely, against any digit, as in what was trained on (Saerens et al., 2002)."""
    none = model.get_layer("none")
    kernel, bias = none.get_weights()
    none.set_weights([kernel, bias + np.log(odds)])


# ── Evaluate ──────────────────────────────────────────────────────────────────────────────────────────────────
def evaluate(model: keras.Model, unseen: Split, digits: int, out: Path) -> float:
    """The share that is right of the first `digits` of `unseen`, which MNIST's writers wrote; the rest is drawn.

    Leaves pictures of all in `out`.
    """
    glyphs, labels = unseen
    logits = model.predict(scale(glyphs), batch_size=500, verbose=0)
    which = logits[:, :NOT_A_DIGIT].argmax(axis=1)
    answers = np.where(logits[:, NOT_A_DIGIT] > 0, NOT_A_DIGIT, which)
    draw_confusion(labels, answers, out / "confusion.png", of="held-out writers and shapes drawn anew")
    some = np.linspace(digits, len(labels) - 1, SAMPLES).astype(int)
    draw_glyphs(glyphs[some], [NAMES[label] for label in labels[some]], out / "shapes.png", columns=20)
    return float((which == labels)[:digits].mean())


# ── All of it ─────────────────────────────────────────────────────────────────────────────────────────────────
def learn(training: Split, validation: Split, how: argparse.Namespace) -> keras.Model:
    """A model from nothing, or what becomes of the one that it starts from."""
    new = build_large if how.large else build
    model = keras.models.load_model(how.start, compile=False) if how.start else new()
    let_learn(model, only_judge=how.judge)
    model.summary()
    before, odds = model.get_weights(), odds_of_none(training[1]) / EXPECTED
    if how.start:
        expect(model, odds)  # as in what it is to learn from
    examples = taught_by(keras.models.load_model(how.teacher, compile=False)) if how.teacher else example
    fit(model, training, validation, examples=examples, peak=peak_rate(how), epochs=how.epochs, progress=how.progress)
    let_learn(model, only_judge=False)  # for whoever trains it on
    if not how.large:  # a teacher speaks of what it learnt from
        expect(model, 1 / odds)
    if how.start and not how.judge:
        blend(model, before, TAUGHT_KEPT if how.teacher else KEPT)
    return model


def peak_rate(how: argparse.Namespace) -> float:
    """Of learning."""
    if how.judge:
        return JUDGE_RATE
    if how.teacher:
        return TAUGHT_RATE
    if how.start:
        return GENTLE_RATE
    return LARGE_RATE if how.large else LEARNING_RATE


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--start", type=Path, help="train on from this model, gently, instead of from nothing")
    parser.add_argument("--judge", action="store_true", help="learn only whether it is a digit; with --start")
    parser.add_argument("--large", action="store_true", help="train a larger model, which is to teach")
    parser.add_argument("--teacher", type=Path, help="learn the answers of this model, too; with --start")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT training digits")
    parser.add_argument(
        "--extra", type=Path, help="folder of glyphs to train on too: what `function.records export` wrote"
    )
    parser.add_argument("--min-accuracy", type=float, default=0.99, help="fail below this, on held-out writers")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--progress", type=Path, default=Path(__file__).parent / ".train", help="kept to resume")
    arguments = parser.parse_args(argv)
    if (arguments.judge or arguments.teacher) and not arguments.start:
        parser.error("--judge and --teacher train a model on: name it with --start")
    if arguments.large and arguments.out == parser.get_default("out"):
        parser.error("--large makes no model to serve: name another folder with --out")

    keras.utils.set_random_seed(SEED)
    training, validation = hold_out(*load_mnist("train", arguments.limit))
    if arguments.large or arguments.teacher:
        training = join(*[training] * VARIED)
    training, unseen = with_drawn(training, SEED, JUDGED if arguments.judge else 1), with_drawn(validation, SEED + 1)
    if arguments.extra:
        training = with_extra(training, load_idx(arguments.extra, "train"))
    print(f"{len(training[1])} glyphs to train on, {len(validation[1])} by other writers to validate on")
    model = learn(training, validation, arguments)

    arguments.out.mkdir(parents=True, exist_ok=True)
    model.save(arguments.out / "digits.keras")
    draw_curves(arguments.progress / "history.csv", arguments.out / "curves.png")
    right = evaluate(model, unseen, len(validation[1]), arguments.out)
    print(f"held-out writers: {right:.4%} right of the ten digits; wrote {arguments.out / 'digits.keras'}")
    if right < arguments.min_accuracy:
        raise SystemExit(f"accuracy {right:.4f} is below --min-accuracy {arguments.min_accuracy}")


if __name__ == "__main__":
    main()
