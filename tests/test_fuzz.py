"""What `make fuzz` runs for long runs for some seconds."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

pytestmark = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not here")


def fuzz(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)


@pytest.mark.parametrize("target", ["upload", "decode"])
def test_some_seconds_of_it_find_nothing(target: str, tmp_path: Path) -> None:
    done = fuzz(target, "--seconds", 4, "--folder", tmp_path)

    assert done.returncode == 0, done.stderr[-3000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs
    assert int(runs[1]) > 50
    assert [path.name for path in tmp_path.iterdir()] == [target]  # the corpus, and nothing that was found
