"""How many numbers in boxes and on lines are read rightly throughout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.forms import draw_form
from function.main import read_digits
from function.timing import Timing
from training.mnist import read_idx

RecordProperty = Callable[[str, object], None]

COUNT = 60
LEAST = {"boxes": 0.75, "comb": 0.8, "grid": 0.55, "underline": 0.75}  # of those drawn; a grid has up to 54 digits


@pytest.mark.parametrize("kind", LEAST)
def test_numbers_on_forms_are_read_throughout(kind: str, mnist_dir: Path, record_property: RecordProperty) -> None:
    assert mnist_dir.exists()
    digits = read_idx("t10k-images-idx3-ubyte"), read_idx("t10k-labels-idx1-ubyte")
    random = np.random.default_rng(5)
    forms = [draw_form(digits, random, kind) for _ in range(COUNT)]

    results = [(read_digits(jpeg, "auto", Timing()).result, label) for jpeg, label in forms]

    right = np.array(["".join(result.split()) == "".join(label.split()) for result, label in results])
    record_property(kind, float(right.mean()))
    print(f"{right.mean():.1%} of {COUNT}: {[pair for pair, good in zip(results, right, strict=True) if not good]}")
    assert right.mean() >= LEAST[kind]
