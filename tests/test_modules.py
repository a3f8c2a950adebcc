"""The page's modules by themselves, under Node: each file of tests/node/ is a program of node:test."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import ROOT

FILES = sorted((ROOT / "tests" / "node").glob("*.test.*js"))
NODE = shutil.which("node")


def test_there_are_some() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.split(".")[0])
def test_what_the_modules_do(file: Path) -> None:
    done = subprocess.run(node(file), cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    [passed] = re.findall(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert int(passed) > 0, done.stdout


def node(file: Path) -> list[str]:
    """The command that runs one file's tests. The page's modules end in .js, and lie in no package that says so."""
    if NODE is None:
        pytest.skip("node is not installed")
    version = subprocess.run([NODE, "--version"], check=True, capture_output=True, text=True).stdout
    [major] = re.findall(r"^v(\d+)", version)
    kind = ["--experimental-default-type=module", "--no-warnings"] if int(major) < 22 else []
    return [NODE, *kind, "--test", "--test-reporter=tap", str(file)]
