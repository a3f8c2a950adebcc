"""The model that is served, on glyphs that went the whole way from a picture's bytes."""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from function.classify import DOUBTFUL, Classifier, Glyphs
from function.decode import decode
from function.ink import find_ink
from function.litert import Model
from function.locate import locate
from function.prepare import NOT_A_DIGIT, prepare
from tests.helpers import ROOT, draw_digit, encode

MODEL = ROOT / "model" / "digits_int8.tflite"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(MODEL)


def glyphs_of(pictures: list[bytes]) -> Glyphs:
    found = [locate(find_ink(decode(data, max_pixels=1_000_000).pixels), "digit") for data in pictures]
    return np.array([prepare(marks[0].ink) for marks in found])


def ten_digits(**look: object) -> Glyphs:
    return glyphs_of([encode(draw_digit(digit, **look)) for digit in range(10)])  # type: ignore[arg-type]


def noise(count: int) -> Glyphs:
    return np.random.default_rng(4).integers(0, 256, (count, 28, 28), np.uint8)


@pytest.mark.parametrize(("side", "nib"), [(48, 4), (100, 6), (200, 12), (280, 20), (400, 40), (640, 12)])
@pytest.mark.parametrize(("ink", "paper"), [("black", "white"), ("white", "black"), ("#1d3fb0", "#fbeea0")])
def test_drawn_digits_are_read(classifier: Classifier, side: int, nib: int, ink: str, paper: str) -> None:
    glyphs = ten_digits(side=side, nib=nib, ink=ink, paper=paper)

    probabilities = classifier.classify(glyphs)

    assert probabilities.argmax(axis=1).tolist() == list(range(10))


def test_each_row_is_a_distribution(classifier: Classifier) -> None:
    probabilities = classifier.classify(np.concatenate([ten_digits(), noise(20), np.zeros((1, 28, 28), np.uint8)]))

    assert probabilities.shape == (31, 11)
    assert (probabilities >= 0).all()
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_no_glyphs_have_no_probabilities(classifier: Classifier) -> None:
    assert classifier.classify(np.zeros((0, 28, 28), np.uint8)).shape == (0, 11)


def test_a_glyph_is_read_alike_alone_and_among_others(classifier: Classifier) -> None:
    glyphs = ten_digits()

    alone = np.concatenate([classifier.classify(glyphs[index : index + 1]) for index in range(10)])

    assert np.array_equal(classifier.classify(glyphs), alone)


def test_where_it_is_doubtful_whether_a_glyph_is_none_the_mean_of_five_places_counts(classifier: Classifier) -> None:
    two_in_one = np.array([np.maximum(*pair) for pair in combinations(ten_digits(), 2)])
    in_place = none_logits(two_in_one)
    moves = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
    mean = np.mean([none_logits(np.roll(two_in_one, move, (1, 2))) for move in moves], axis=0)

    none = classifier.classify(two_in_one)[:, NOT_A_DIGIT]

    least, most = DOUBTFUL
    is_doubtful = (in_place > least) & (in_place < most)
    assert 5 < is_doubtful.sum() < len(two_in_one) - 5
    assert np.allclose(none, 1 / (1 + np.exp(-np.where(is_doubtful, mean, in_place))))


def none_logits(glyphs: Glyphs) -> npt.NDArray[np.float64]:
    """(n, 28, 28) → (n,): what the model itself says."""
    model, said = Model(MODEL.read_bytes()), []
    for glyph in glyphs:
        model.input[0, ..., 0] = glyph
        model.run()
        said.append(int(model.output[0, NOT_A_DIGIT]))
    logits: npt.NDArray[np.float64] = model.output_scale * (np.array(said) - model.output_zero_point)
    return logits


def test_threads_that_share_a_classifier_answer_as_one_does(classifier: Classifier) -> None:
    batches = np.split(np.concatenate([ten_digits(), noise(390)]), 40)
    expected = [classifier.classify(batch) for batch in batches]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(classifier.classify, batches * 5))

    assert np.array_equal(np.array(answers), np.array(expected * 5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("warmed", [False, True])
def test_a_classifier_made_before_a_fork_answers_in_the_child(*, warmed: bool) -> None:
    made_before, glyphs = Classifier(MODEL), ten_digits()
    if warmed:
        made_before.classify(glyphs)

    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, made_before.classify(glyphs).tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)

    assert answer == made_before.classify(glyphs).tobytes()


def test_a_model_is_named_after_its_file_and_its_content(tmp_path: Path, classifier: Classifier) -> None:
    content = MODEL.read_bytes()
    (tmp_path / "other.tflite").write_bytes(content)

    assert classifier.name == f"digits_int8@{hashlib.sha256(content).hexdigest()[:12]}"
    assert re.fullmatch(r"other@[0-9a-f]{12}", Classifier(tmp_path / "other.tflite").name)


def test_a_model_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.tflite"):
        Classifier(tmp_path / "missing.tflite")
