"""The running function, MNIST and the real pictures, for the tests that need them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT, Service, running_function

SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def _environment_is_restored() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The function as it is deployed behind nginx."""
    with running_function(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="session")
def service_with_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The function as `make run` starts it: it serves the page too."""
    with running_function(tmp_path_factory.mktemp("page"), {"FRONTEND_DIR": str(ROOT / "frontend")}) as running:
        yield running


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """MNIST from `MNIST_DIR` or from beside the project; else it is downloaded, where that can be."""
    beside = SHARED / "mnist"
    folder = Path(os.environ.get("MNIST_DIR") or (beside if beside.exists() else ROOT / "data"))
    os.environ["MNIST_DIR"] = str(folder)
    if not (folder / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip("MNIST is not here: set MNIST_DIR, or run `make train` once to download it")
    return folder


@pytest.fixture(scope="session")
def pictures_dir() -> Path:
    """Real photographs and drawings with labels; they have no licence and are no part of the project."""
    folder = Path(os.environ.get("PICTURES_DIR") or SHARED / "pictures")
    if not (folder / "labels.csv").exists():
        pytest.skip("there are no real pictures here: set PICTURES_DIR to a folder with labels.csv (file,label,…)")
    return folder
