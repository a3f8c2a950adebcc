"""MNIST: downloaded, checked, prepared as the function does, and split by writer."""

from __future__ import annotations

import gzip
import hashlib
import os
import urllib.request
from pathlib import Path

import numpy as np
import numpy.typing as npt

from function.prepare import prepare

HELD_OUT = 10  # every tenth writer is held out
SOURCE = "https://storage.googleapis.com/cvdf-datasets/mnist/"
SHA256 = {  # of the decompressed files: compressed ones differ from mirror to mirror
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

Bytes = npt.NDArray[np.uint8]
Split = tuple[Bytes, Bytes]  # (n, 28, 28) glyphs and (n,) labels


def mnist_dir() -> Path:
    """Where MNIST lies or is to be downloaded to: `MNIST_DIR`, else data/ at the top."""
    return Path(os.environ.get("MNIST_DIR") or Path(__file__).parent.parent / "data")


def parse_idx(data: bytes) -> Bytes:
    """The array in an idx file of bytes. Format: http://yann.lecun.com/exdb/mnist/."""
    shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def read_idx(name: str, source: str = SOURCE) -> Bytes:
    """One of MNIST's four files as an array, downloaded if it is missing.

    Raises `ValueError` if its SHA-256 is not the published one.
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
    return parse_idx(data)


def load_mnist(part: str, limit: int | None = None) -> Split:
    """The `train` or `t10k` part, prepared as the function does."""
    images = read_idx(f"{part}-images-idx3-ubyte")[:limit]
    return np.stack([prepare(image) for image in images]), read_idx(f"{part}-labels-idx1-ubyte")[:limit]


def load_idx(folder: Path, part: str) -> Split:
    """Glyphs and labels that somebody else wrote in MNIST's format."""
    images, labels = (folder / f"{part}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    return parse_idx(gzip.decompress(images.read_bytes())), parse_idx(gzip.decompress(labels.read_bytes()))


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


def join(*splits: Split) -> Split:
    images, labels = zip(*splits, strict=True)
    return np.concatenate(images), np.concatenate(labels)
