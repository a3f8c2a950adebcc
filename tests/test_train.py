"""Training and conversion as a person runs them, on a small slice of the real MNIST."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from function.litert import Model
from function.records import Record, new_id, pack
from function.records.export import export
from tests.helpers import ROOT

LIMIT = "6000"
EPOCHS = "3"


# Which layers of two models have other weights; apart, for TensorFlow and the function cannot be imported together.
CHANGED = """
import sys, keras
models = [keras.models.load_model(path, compile=False) for path in sys.argv[1:]]
for before, after in zip(*(model.layers for model in models)):
    assert after.trainable
    if any((one != other).any() for one, other in zip(before.get_weights(), after.get_weights())):
        print(after.name)
"""


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script of the project, as `make` runs it."""
    command = [sys.executable, str(ROOT / script), *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False
    )


@dataclass(frozen=True)
class Trained:
    """What `train.py` left in `folder`, what it left to resume in `progress`, and what it printed."""

    folder: Path
    progress: Path
    printed: str


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, mnist_dir: Path) -> Trained:
    folder, progress = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("progress")
    done = run(
        "train.py", "--limit", LIMIT, "--epochs", EPOCHS, "--min-accuracy", "0.5", "--out", str(folder),
        "--progress", str(progress), MNIST_DIR=str(mnist_dir),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return Trained(folder, progress, done.stdout)


@pytest.fixture(scope="module")
def converted(trained: Trained, mnist_dir: Path) -> Path:
    done = run(
        "convert_tflite.py", "--limit", "2000", "--max-drop", "0.05", "--out", str(trained.folder),
        MNIST_DIR=str(mnist_dir),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return trained.folder


class TestTraining:
    def test_every_epoch_is_reported(self, trained: Trained) -> None:
        assert f"Epoch 1/{EPOCHS}" in trained.printed
        assert f"Epoch {EPOCHS}/{EPOCHS}" in trained.printed
        assert "val_accuracy" in trained.printed

    def test_it_validates_on_writers_that_it_did_not_train_on(self, trained: Trained) -> None:
        assert "by other writers to validate on" in trained.printed

    def test_curves_and_confusion_are_left_as_pictures(self, trained: Trained) -> None:
        for name in ("curves.png", "confusion.png", "shapes.png"):
            with Image.open(trained.folder / name) as picture:
                assert min(picture.size) > 300

    def test_a_stopped_run_goes_on_where_it_was(self, mnist_dir: Path, tmp_path: Path) -> None:
        """One epoch of two, stopped by force after its backup, then the same command again."""
        arguments = ["--limit", "1000", "--epochs", "2", "--min-accuracy", "0", "--out", str(tmp_path)]
        arguments += ["--progress", str(tmp_path / "progress")]
        environment = {**os.environ, "MNIST_DIR": str(mnist_dir), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, str(ROOT / "train.py"), *arguments]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout is not None
            assert any("Epoch 2/2" in line for line in first.stdout)
            first.kill()

        second = run("train.py", *arguments, MNIST_DIR=str(mnist_dir))

        assert second.returncode == 0, second.stdout + second.stderr
        assert "Epoch 1/2" not in second.stdout
        assert "Epoch 2/2" in second.stdout
        assert len((tmp_path / "progress" / "history.csv").read_text().splitlines()) == 1 + 2  # a header, two epochs

    def test_after_a_finished_run_the_next_begins_anew(self, trained: Trained, mnist_dir: Path) -> None:
        again = run(
            "train.py", "--limit", "500", "--epochs", "1", "--min-accuracy", "0", "--out", str(trained.progress),
            "--progress", str(trained.progress), MNIST_DIR=str(mnist_dir),
        )  # fmt: skip
        assert again.returncode == 0, again.stdout + again.stderr
        assert len((trained.progress / "history.csv").read_text().splitlines()) == 1 + 1

    def test_a_model_is_trained_on_with_corrected_records(
        self, trained: Trained, mnist_dir: Path, tmp_path: Path
    ) -> None:
        glyphs = [np.full((28, 28), value, np.uint8) for value in (1, 2)]
        record = Record(new_id(), "4.png", "90", 0.5, "digits_int8@0123456789ab", "5f" * 32, "4?", pack(glyphs))
        assert export([record], tmp_path / "set") == 2
        done = run(
            "train.py", "--start", str(trained.folder / "digits.keras"), "--extra", str(tmp_path / "set"),
            "--limit", "500", "--epochs", "1", "--min-accuracy", "0", "--out", str(tmp_path),
            "--progress", str(tmp_path / "progress"), MNIST_DIR=str(mnist_dir),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 extra glyphs, each 20 times" in done.stdout
        assert (tmp_path / "digits.keras").exists()

    def test_only_whether_it_is_a_digit_may_be_learnt_anew(
        self, trained: Trained, mnist_dir: Path, tmp_path: Path
    ) -> None:
        start = trained.folder / "digits.keras"
        done = run(
            "train.py", "--start", str(start), "--judge", "--limit", "500", "--epochs", "1", "--min-accuracy", "0",
            "--out", str(tmp_path), "--progress", str(tmp_path / "progress"), MNIST_DIR=str(mnist_dir),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        command = [sys.executable, "-c", CHANGED, str(start), str(tmp_path / "digits.keras")]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert told.stdout.split() == ["judges", "none"]

    def test_a_larger_model_teaches(self, trained: Trained, mnist_dir: Path, tmp_path: Path) -> None:
        start, teacher = trained.folder / "digits.keras", tmp_path / "teacher"
        common = ("--limit", "500", "--epochs", "1", "--min-accuracy", "0", "--progress", str(tmp_path / "progress"))
        large = run("train.py", "--large", *common, "--out", str(teacher), MNIST_DIR=str(mnist_dir))
        assert large.returncode == 0, large.stdout + large.stderr
        assert (teacher / "digits.keras").stat().st_size > 5 * start.stat().st_size

        by_it = ("--start", str(start), "--teacher", str(teacher / "digits.keras"))
        taught = run("train.py", *by_it, *common, "--out", str(tmp_path), MNIST_DIR=str(mnist_dir))
        assert taught.returncode == 0, taught.stdout + taught.stderr
        command = [sys.executable, "-c", CHANGED, str(start), str(tmp_path / "digits.keras")]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert {"which", "judges", "none"} <= set(told.stdout.split())

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("--teacher", "digits.keras"), "name it with --start"),
            (("--judge",), "name it with --start"),
            (("--large",), "name another folder with --out"),
        ],
    )
    def test_what_makes_no_model_to_serve_is_refused_at_once(self, arguments: tuple[str, ...], told: str) -> None:
        done = run("train.py", *arguments)
        assert done.returncode != 0
        assert told in done.stderr

    def test_too_low_an_accuracy_fails_the_run(self, mnist_dir: Path, tmp_path: Path) -> None:
        done = run(
            "train.py", "--limit", "500", "--epochs", "1", "--min-accuracy", "0.999", "--out", str(tmp_path),
            "--progress", str(tmp_path), MNIST_DIR=str(mnist_dir),
        )  # fmt: skip
        assert done.returncode != 0
        assert "below --min-accuracy" in done.stderr

    def test_data_that_are_not_mnist_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03 not MNIST"))
        done = run("train.py", "--limit", "500", MNIST_DIR=str(tmp_path))
        assert done.returncode != 0
        assert "SHA-256 differs" in done.stderr

    def test_what_is_not_here_is_downloaded_and_checked(self, mnist_dir: Path, tmp_path: Path) -> None:
        program = (
            "import sys; from training.mnist import read_idx\n"
            "for _ in range(2): print(read_idx('t10k-labels-idx1-ubyte', sys.argv[1]).shape)"
        )
        handler = functools.partial(SimpleHTTPRequestHandler, directory=mnist_dir)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as mirror:
            threading.Thread(target=mirror.serve_forever, daemon=True).start()
            command = [sys.executable, "-c", program, f"http://127.0.0.1:{mirror.server_port}/"]
            environment = {**os.environ, "MNIST_DIR": str(tmp_path / "data")}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            mirror.shutdown()
        assert done.stdout.count("downloading") == 1, done.stderr
        assert done.stdout.count("(10000,)") == 2


class TestConversion:
    def test_the_model_runs_in_what_serves_it(self, converted: Path) -> None:
        metrics = json.loads((converted / "metrics.json").read_text())
        assert metrics["bytes"] == (converted / "digits_int8.tflite").stat().st_size
        assert metrics["held_out_writers"]["digits"] > 100
        assert metrics["held_out_writers"]["int8_accuracy"] > 0.5

    def test_int8_is_about_as_right_as_float(self, converted: Path) -> None:
        measured = json.loads((converted / "metrics.json").read_text())["held_out_writers"]
        assert abs(measured["int8_accuracy"] - measured["float_accuracy"]) < 0.05

    def test_bytes_go_in_and_come_out(self, converted: Path) -> None:
        model = Model((converted / "digits_int8.tflite").read_bytes())
        assert (model.input.dtype.name, model.input.shape) == ("uint8", (1, 28, 28, 1))
        assert (model.output.dtype.name, model.output.shape) == ("int8", (1, 11))

    def test_losing_accuracy_fails_the_run(self, converted: Path, mnist_dir: Path) -> None:
        done = run(
            "convert_tflite.py", "--limit", "500", "--max-drop", "-1", "--out", str(converted), MNIST_DIR=str(mnist_dir)
        )
        assert done.returncode != 0
        assert "less accurate than float" in done.stderr


class TestCommittedModel:
    def test_metrics_describe_the_model_that_is_served(self) -> None:
        metrics = json.loads((ROOT / "model" / "metrics.json").read_text())
        content = (ROOT / "model" / metrics["model"]).read_bytes()
        assert metrics["sha256"] == hashlib.sha256(content).hexdigest()
        assert metrics["bytes"] == len(content)
