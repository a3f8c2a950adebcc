"""Train the digit CNN on MNIST: data → augment → train → evaluate → pictures.

    MNIST_DIR=… python train.py            # or without it: MNIST is downloaded once, to data/
    python train.py --epochs 1 --limit 2000 --out /tmp/model       # a quick look

A run that was stopped goes on where it was when it is started again. The model is chosen and reported on
held-out writers; the MNIST test set is left to convert_tflite.py, which looks at it once.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers
from PIL import Image, ImageDraw

from function.prepare import prepare

mpl.use("Agg")
import matplotlib.pyplot as plt

# ── Settings ──────────────────────────────────────────────────────────────────────────────────────────────────
CHANNELS = (16, 40, 80)  # at 28×28, 14×14 and 7×7: the cheap, small maps get the weights
DROPOUT = 0.25
EPOCHS = 40
BATCH = 128
LEARNING_RATE = 3e-3  # at its peak; warmed up over one epoch, then a cosine down to zero
WEIGHT_DECAY = 5e-2
LABEL_SMOOTHING = 0.05  # (Szegedy et al., 2016); the temperature that calibrates takes it back
EMA_STEPS = 1000  # the weights that are kept are an exponential moving average over about so many steps
SEED = 7
HELD_OUT = 10  # every tenth writer is held out
DRAWN = 3000  # of each shape that MNIST lacks, drawn by our own code

# The most that a digit is changed in training; each is changed by a random share of all of these.
ROTATION = 0.26  # radians (15°), uniform, each way; as are all that follow
SHEAR = 0.25
STRETCH = 0.15  # of width and height, independently
SHIFT = 1.5  # pixels
PERSPECTIVE = 0.006  # per pixel from the centre
WOBBLE = 0.9  # pixels, standard deviation of a 4×4 lattice of displacements (Simard et al., 2003)
THICKER, THINNER = 0.9, 0.5  # share of a 3×3 dilation or erosion mixed in
GAMMA = 0.4  # of the ink's darkness, as a power of e
NOISE = 0.04

SOURCE = "https://storage.googleapis.com/cvdf-datasets/mnist/"
SHA256 = {  # of the decompressed files: compressed ones differ from mirror to mirror
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

Bytes = npt.NDArray[np.uint8]
Split = tuple[Bytes, Bytes]


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────
def mnist_dir() -> Path:
    """Where MNIST lies or is to be downloaded to: `MNIST_DIR`, else data/ beside this file."""
    return Path(os.environ.get("MNIST_DIR") or Path(__file__).parent / "data")


def read_idx(name: str, source: str = SOURCE) -> Bytes:
    """One of MNIST's four files as an array, downloaded if it is missing.

    Raises `ValueError` if its SHA-256 is not the published one. Format: http://yann.lecun.com/exdb/mnist/.
    """
    path = mnist_dir() / f"{name}.gz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"downloading {source}{path.name}")
        with urllib.request.urlopen(source + path.name, timeout=60) as answer:  # noqa: S310  (the source is ours)
            path.write_bytes(answer.read())
    data = gzip.decompress(path.read_bytes())
    if hashlib.sha256(data).hexdigest() != SHA256[name]:
        raise ValueError(f"{path} is not MNIST's {name} (its SHA-256 differs): delete it and start again")
    rank = data[3]
    shape = np.frombuffer(data, ">i4", count=rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_mnist(part: str, limit: int | None = None) -> Split:
    """The `train` or `t10k` part as (n, 28, 28) uint8 glyphs, prepared as the function does, and (n,) labels."""
    images = read_idx(f"{part}-images-idx3-ubyte")[:limit]
    return np.stack([prepare(image) for image in images]), read_idx(f"{part}-labels-idx1-ubyte")[:limit]


def hold_out(images: Bytes, labels: Bytes) -> tuple[Split, Split]:
    """Split the training part into (training, validation): every tenth writer, or every tenth digit if
    `writers.npz` (train_writer: (60000,), from QMNIST) is not beside MNIST."""
    writers_file = mnist_dir() / "writers.npz"
    if writers_file.exists():
        writers = np.load(writers_file)["train_writer"][: len(labels)]
        held = np.isin(writers, np.unique(writers)[::HELD_OUT])
    else:
        held = np.arange(len(labels)) % HELD_OUT == 0
    return (images[~held], labels[~held]), (images[held], labels[held])


# ── Shapes that MNIST lacks ───────────────────────────────────────────────────────────────────────────────────
Point = tuple[float, float]


def curve(start: Point, bend: Point, end: Point) -> list[Point]:
    """A quadratic Bézier curve as 13 points."""
    t = np.linspace(0, 1, 13)[:, np.newaxis]
    points = (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(bend) + t**2 * np.array(end)
    return [(float(x), float(y)) for x, y in points]


def flagged_one(random: np.random.Generator) -> list[list[Point]]:
    """A 1 with a flag that is steeper than the top of a 7, often with a foot."""
    reach = random.uniform(0.12, 0.5)
    drop = reach * random.uniform(0.6, 1.6)
    top, foot = (0.5, 0.0), (0.5 + random.normal(0, 0.06), 1.0)
    tip = (0.5 - reach, min(drop, 0.55))
    bend = (0.5 - reach * random.uniform(0.2, 0.6), drop * random.uniform(0.5, 0.95))
    strokes = [curve(tip, bend, top), curve(top, (0.5 + random.normal(0, 0.04), 0.5), foot)]
    if random.random() < 0.4:
        half, tilt = random.uniform(0.12, 0.4), random.normal(0, 0.03)
        strokes.append([(foot[0] - half, 1 - tilt), (foot[0] + half, 1 + tilt)])
    return strokes


def crossed_seven(random: np.random.Generator) -> list[list[Point]]:
    """A 7 with a bar through its stem, sometimes with a hook at the left."""
    left, right, foot = random.uniform(0.0, 0.2), random.uniform(0.65, 0.9), random.uniform(0.2, 0.6)
    top = [(left, random.normal(0.03, 0.04)), (right, random.normal(0.0, 0.04))]
    stem = curve(top[1], (random.uniform(0.35, right), random.uniform(0.3, 0.6)), (foot, 1.0))
    x, y = stem[random.integers(5, 8)]
    half, tilt = random.uniform(0.12, 0.35), random.normal(0, 0.05)
    strokes = [top, stem, [(x - half, y + tilt), (x + half, y - tilt)]]
    if random.random() < 0.3:
        strokes.append([(left - random.uniform(-0.04, 0.06), random.uniform(0.1, 0.25)), top[0]])
    return strokes


def write(strokes: list[list[Point]], random: np.random.Generator) -> Bytes:
    """Strokes in a unit square → a (28, 28) glyph, by a pen of some width."""
    width, nib = random.uniform(80, 180), random.integers(8, 22)
    page = Image.new("L", (320, 260))
    pen = ImageDraw.Draw(page)
    for stroke in strokes:
        points = [(65 + width * x, 60 + 140 * y) for x, y in stroke]
        pen.line(points, fill=255, width=int(nib), joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - nib / 2, y - nib / 2, x + nib / 2, y + nib / 2), fill=255)
    return prepare(np.asarray(page))


def drawn(count: int) -> Split:
    """`count` glyphs of each shape, and their labels."""
    random = np.random.default_rng(SEED)
    shapes = ((1, flagged_one), (7, crossed_seven))
    glyphs = [write(shape(random), random) for _, shape in shapes for _ in range(count)]
    return np.stack(glyphs), np.repeat(np.array([digit for digit, _ in shapes], np.uint8), count)


# ── Augmentation ──────────────────────────────────────────────────────────────────────────────────────────────
def warp(images: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """(n, 28, 28, 1) seen on paper that is turned, sheared, stretched, shifted, tilted and not quite flat; each by its
    (n,) `share` of the most."""
    n = tf.shape(images)[0]

    def spread(limit: float, *shape: int) -> tf.Tensor:
        return tf.random.uniform((n, *shape), -limit, limit) * tf.reshape(share, (n, *(1 for _ in shape)))

    axis = tf.range(28.0) - 13.5
    grid = tf.reshape(tf.stack(tf.meshgrid(axis, axis), -1), (1, 784, 2))
    angle = spread(ROTATION)
    turn = tf.stack([tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle)], -1)
    width, height = tf.unstack(1 + spread(STRETCH, 2), axis=-1)
    stretch = tf.stack([width, spread(SHEAR), tf.zeros(n), height], -1)
    matrix = tf.reshape(turn, (n, 2, 2)) @ tf.reshape(stretch, (n, 2, 2))
    tilt = 1 + tf.reduce_sum(grid * spread(PERSPECTIVE, 1, 2), -1, keepdims=True)
    lattice = tf.random.normal((n, 4, 4, 2), stddev=WOBBLE) * tf.reshape(share, (n, 1, 1, 1))
    wobble = tf.image.resize(lattice, (28, 28), "bicubic")
    where = tf.matmul(grid / tilt, matrix, transpose_b=True) + spread(SHIFT, 1, 2) + tf.reshape(wobble, (n, 784, 2))
    return sample(images, where + 14.5)  # 13.5 to the centre and 1 for the border that sample adds


def sample(images: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Bilinear values of (n, 28, 28, 1) with a border of one pixel of paper, at (n, 784, 2) places (x, y)."""
    flat = tf.reshape(tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), (-1, 900))
    where = tf.clip_by_value(where, 0.0, 28.999)
    corner = tf.floor(where)
    (fx, fy), (x, y) = tf.unstack(where - corner, axis=-1), tf.unstack(tf.cast(corner, tf.int32), axis=-1)

    def at(dx: int, dy: int) -> tf.Tensor:
        return tf.gather(flat, (y + dy) * 30 + x + dx, batch_dims=1)

    top, bottom = at(0, 0) * (1 - fx) + at(1, 0) * fx, at(0, 1) * (1 - fx) + at(1, 1) * fx
    return tf.reshape(top * (1 - fy) + bottom * fy, (-1, 28, 28, 1))


def rewrite(images: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """(n, 28, 28, 1) written with a thicker, thinner, darker or fainter pen, on paper with some grain; each by its
    (n,) `share` of the most."""
    each = (tf.shape(images)[0], 1, 1, 1)
    share = tf.reshape(share, each)
    thick = tf.nn.max_pool2d(images, 3, 1, "SAME")
    thin = -tf.nn.max_pool2d(-images, 3, 1, "SAME")
    pen = tf.random.uniform(each, -THINNER, THICKER) * share
    images = images + tf.nn.relu(pen) * (thick - images) + tf.nn.relu(-pen) * (thin - images)
    images = images ** tf.exp(tf.random.uniform(each, -GAMMA, GAMMA) * share)
    grain = tf.random.normal(tf.shape(images)) * tf.random.uniform(each, 0, NOISE) * share
    return tf.clip_by_value(images + grain, 0.0, 1.0)


def augment(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """uint8 glyphs → float ones in [0, 1], each as another hand, pen and paper might have made it; labels one-hot."""
    share = tf.random.uniform((tf.shape(images)[0],))
    return rewrite(warp(scale(images), share), share), tf.one_hot(labels, 10)


def join(one: Split, other: Split) -> Split:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def scale(images: Any) -> tf.Tensor:
    """uint8 (n, 28, 28) → float32 (n, 28, 28, 1) in [0, 1]."""
    return tf.cast(images, tf.float32)[..., tf.newaxis] / 255.0


# ── Model ─────────────────────────────────────────────────────────────────────────────────────────────────────
def build(channels: Sequence[int] = CHANNELS) -> keras.Model:
    """(n, 28, 28, 1) in [0, 1] → (n, 10) logits: five convolutions, two of them residual (He et al., 2016), then a
    depthwise 7×7 one in place of average pooling (as in MobileFaceNets, Chen et al., 2018)."""

    def normalised(x: Any, filters: int, size: int = 3) -> Any:
        return layers.BatchNormalization()(layers.Conv2D(filters, size, padding="same", use_bias=False)(x))

    def stage(x: Any, filters: int) -> Any:
        x = layers.ReLU()(normalised(x, filters))
        return layers.ReLU()(layers.Add()([x, normalised(x, filters)]))

    first, second, third = channels
    glyph = keras.Input((28, 28, 1))
    x = layers.MaxPooling2D()(layers.ReLU()(normalised(glyph, first, size=5)))
    x = layers.MaxPooling2D()(stage(x, second))
    x = layers.DepthwiseConv2D(7)(stage(x, third))
    x = layers.Dropout(DROPOUT)(layers.Flatten()(x))
    return keras.Model(glyph, layers.Dense(10)(x), name="digits")


def compile_for(model: keras.Model, *, steps: int, warm_up: int) -> None:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=LEARNING_RATE, warmup_steps=warm_up
    )
    momentum = 1 - 1 / min(EMA_STEPS, max(2, steps // 10))  # a short run must not average in where it began
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, use_ema=True, ema_momentum=momentum),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
        metrics=["accuracy"],
    )


# ── Train ─────────────────────────────────────────────────────────────────────────────────────────────────────
def fit(model: keras.Model, training: Split, validation: Split, *, epochs: int, progress: Path) -> None:
    """Train, or go on training what `progress` holds of a run that was stopped."""
    steps = -(-len(training[1]) // BATCH)
    compile_for(model, steps=steps * epochs, warm_up=steps)
    data = tf.data.Dataset.from_tensor_slices(training).cache().shuffle(len(training[1]), seed=SEED)
    if not any((progress / "backup").glob("*")):  # nothing to resume: this run's history begins here
        (progress / "history.csv").unlink(missing_ok=True)
    progress.mkdir(parents=True, exist_ok=True)
    model.fit(
        data.batch(BATCH).map(augment, num_parallel_calls=2).prefetch(4),
        validation_data=(scale(validation[0]), tf.one_hot(validation[1], 10)),
        epochs=epochs,
        verbose=2,
        callbacks=[
            keras.callbacks.BackupAndRestore(progress / "backup"),
            keras.callbacks.CSVLogger(str(progress / "history.csv"), append=True),
            keras.callbacks.SwapEMAWeights(),  # validates what will be kept
        ],
    )


# ── Evaluate ──────────────────────────────────────────────────────────────────────────────────────────────────
def draw_curves(history_file: Path, target: Path) -> None:
    history = np.atleast_1d(np.genfromtxt(history_file, delimiter=",", names=True))
    figure, (loss, error) = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for name, label in (("", "training (augmented)"), ("val_", "held-out writers")):
        loss.semilogy(history["epoch"] + 1, history[f"{name}loss"], label=label)
        error.semilogy(history["epoch"] + 1, 100 * (1 - history[f"{name}accuracy"]), label=label)
    loss.set(xlabel="epoch", ylabel="cross-entropy")
    error.set(xlabel="epoch", ylabel="error, %")
    error.legend()
    figure.savefig(target, dpi=100)
    plt.close(figure)


def draw_confusion(truth: Bytes, answers: npt.NDArray[np.int64], target: Path) -> None:
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (truth, answers), 1)
    wrong = np.where(np.eye(10, dtype=bool), 0, counts)
    figure, axes = plt.subplots(figsize=(6, 6), constrained_layout=True)
    axes.imshow(wrong, cmap="Oranges")
    for row, column in np.ndindex(10, 10):
        if counts[row, column]:
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8)
    axes.set(xlabel="answered", ylabel="written", xticks=range(10), yticks=range(10))
    axes.set_title(f"held-out writers: {wrong.sum()} of {counts.sum()} wrong")
    figure.savefig(target, dpi=100)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--limit", type=int, help="use only the first LIMIT training digits")
    parser.add_argument("--min-accuracy", type=float, default=0.99, help="fail below this, on held-out writers")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--progress", type=Path, default=Path(__file__).parent / ".train", help="kept to resume")
    arguments = parser.parse_args(argv)

    keras.utils.set_random_seed(SEED)
    training, validation = hold_out(*load_mnist("train", arguments.limit))
    training = join(training, drawn(min(DRAWN, len(training[1]) // 18)))
    print(f"{len(training[1])} digits to train on, {len(validation[1])} by other writers to validate on")
    model = build()
    model.summary()
    fit(model, training, validation, epochs=arguments.epochs, progress=arguments.progress)

    answers = model.predict(scale(validation[0]), batch_size=500, verbose=0).argmax(axis=1)
    accuracy = float((answers == validation[1]).mean())
    arguments.out.mkdir(parents=True, exist_ok=True)
    model.save(arguments.out / "digits.keras")
    draw_curves(arguments.progress / "history.csv", arguments.out / "curves.png")
    draw_confusion(validation[1], answers, arguments.out / "confusion.png")
    print(f"held-out writers: {accuracy:.4%} right; wrote {arguments.out / 'digits.keras'}")
    if accuracy < arguments.min_accuracy:
        raise SystemExit(f"accuracy {accuracy:.4f} is below --min-accuracy {arguments.min_accuracy}")


if __name__ == "__main__":
    main()
