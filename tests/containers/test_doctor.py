"""`python -m function.doctor` in the image: it finds what it needs there, and tells what the container gives it."""

from __future__ import annotations

import subprocess

import httpx

from tests.containers.engine import Compose, docker, running_container
from tests.containers.test_image import HARDENED, PYTHON
from tests.helpers import digit_png

DOCTOR = (PYTHON, "-m", "function.doctor")


def test_nothing_is_wrong_in_the_image(image: str) -> None:
    said = docker("run", "--rm", *HARDENED, "--entrypoint", PYTHON, image, *DOCTOR[1:])
    lines = said.splitlines()
    assert "Nothing is wrong; see the warnings." in lines
    assert any(line.startswith("ok") and "digits_int8.tflite reads what is drawn" in line for line in lines)
    assert any(line.startswith("ok") and "There is byte code" in line for line in lines)
    assert any(line.startswith("ok") and "Temporary files can be written in /dev/shm" in line for line in lines)
    assert any("/data/records.db can be written" in line for line in lines)
    assert any(line.startswith("warning") and "set RECORDS_KEY" in line for line in lines)


def test_beside_the_running_function_it_tells_what_waits_and_why(image: str) -> None:
    with running_container(image, *HARDENED, "--env", "RECORDS_URL=cassandra://127.0.0.1:1") as running:
        assert httpx.post(running.url, content=digit_png(2)).json()["recorded"] == "queued"
        done = subprocess.run(["docker", "exec", running.name, *DOCTOR], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "1 answers wait in the journal" in done.stdout
        assert "no node listens there" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr


def test_nothing_is_wrong_in_the_whole_system(system: Compose) -> None:
    system.up()
    system.wait_until_nothing_waits()
    said = system("exec", "-T", "function", *DOCTOR)
    assert "has all tables in mnistkeyspace, and this user may read and write them" in said
    assert "No answer waits in the journal" in said
