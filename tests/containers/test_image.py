"""The image: what is in it, how much it weighs, and that nothing that it does without is missed."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from deploy.image import Files, bill_of_materials, compressed, layers, read_files, uncompressed
from tests.conftest import Table
from tests.containers.engine import Container, docker, running_container
from tests.heic import LYING_4
from tests.helpers import ROOT, Service, digit_png, draw_digit, encode
from tests.test_decode import LOSSLESS, LOSSY

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
PYTHON = "/usr/bin/python3.11"


@pytest.fixture(scope="module")
def files(image: str) -> Files:
    return read_files(image)


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[Container]:
    """As strictly as a platform may run it."""
    with running_container(image, *HARDENED) as running:
        yield running


def inspect(image: str) -> dict[str, object]:
    config: dict[str, object] = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", image))
    return config


# ── What is in it ─────────────────────────────────────────────────────────────────────────────────────────────
def test_it_is_small(image: str, tables: list[Table]) -> None:
    sizes = {"uncompressed": uncompressed(image), "gzip": compressed(image)}
    table = Table("Image", ("", "MB"))
    for name, size in sizes.items():
        table.add(name, f"{size / 1e6:.1f}")
    tables.append(table)
    assert sizes["uncompressed"] <= 120e6
    assert sizes["gzip"] <= 45e6
    assert any("bytecode" in instruction for _, instruction in layers(image))


def test_only_what_serving_needs_is_in_it(files: Files) -> None:
    paths = "\n".join(files.sizes)
    for unwanted in (
        r"\bbin/(sh|bash|pip3?|gcc|apt)$",
        r"/pip/",
        "tensorflow/",
        "/tests?/test_",
        r"\.ipynb$",
        r"\.keras$",
        "nginx",
    ):
        assert not re.search(unwanted, paths.replace("usr/lib/python3.11/test/", ""), re.MULTILINE), unwanted
    ours = {path for path in files.sizes if path.startswith(("app/function/", "app/model/", "app/frontend/"))}
    known = set(subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split())
    assert {path.removeprefix("app/") for path in ours} <= known


def test_it_says_what_it_is_and_runs_as_nobody_in_particular(image: str) -> None:
    config = inspect(image)
    labels = config["Labels"]
    assert isinstance(labels, dict)
    for name in ("title", "description", "licenses", "version", "base.name"):
        assert labels[f"org.opencontainers.image.{name}"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert config["User"] not in ("", "0", "root")
    assert config["Healthcheck"]


def test_its_bill_of_materials_names_every_pinned_package(image: str) -> None:
    bill = json.loads(bill_of_materials(image))
    assert bill["bomFormat"] == "CycloneDX"
    found = {(part["name"].lower().replace("_", "-"), part.get("version")) for part in bill["components"]}
    installed = {
        "numpy",
        "pillow",
        "ai-edge-litert",
        "cassandra-driver",
        "functions-framework",
        "cloudevents",
        "deprecation",
    }
    pins = re.findall(r"^([a-z-]+)==(\S+)", (ROOT / "function" / "requirements.txt").read_text(), re.MULTILINE)
    assert {pin for pin in pins if pin[0] in installed} <= found
    assert installed <= {name for name, _ in found}


# ── What it does ──────────────────────────────────────────────────────────────────────────────────────────────
KINDS = {**LOSSLESS, **LOSSY}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_is_read_as_it_is_outside(kind: str, container: Container, service: Service) -> None:
    """NumPy without BLAS, libheif without x265, Pillow without fonts: same digits, same places, same confidence."""
    inside, outside = (
        httpx.post(f"{where.url}/?record=false", content=KINDS[kind], timeout=30).json()
        for where in (container, service)
    )
    assert inside["result"] == outside["result"] == "4"
    assert inside["confidence"] == pytest.approx(outside["confidence"], abs=0.01)
    assert [digit["box"] for digit in inside["digits"]] == [digit["box"] for digit in outside["digits"]]


def test_real_pictures_are_read_as_they_are_outside(container: Container, service: Service, pictures_dir: Path) -> None:
    pictures = sorted(path for path in pictures_dir.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})[
        ::20
    ]
    assert len(pictures) > 20
    differing = []
    for path in pictures:
        answers = [
            httpx.post(f"{where.url}/?record=false", content=path.read_bytes(), timeout=60).json()
            for where in (container, service)
        ]
        if answers[0].get("result") != answers[1].get("result"):
            differing.append(path.name)
    assert differing == []


def test_damaged_pictures_do_not_end_it(container: Container) -> None:
    for start in range(0, len(LYING_4), 40):
        damaged = LYING_4[:start] + b"\xff\x00\xff\x00" + LYING_4[start + 4 :]
        assert httpx.post(f"{container.url}/?record=false", content=damaged, timeout=30).status_code in (200, 415, 422)
    assert httpx.post(f"{container.url}/?record=false", content=LYING_4, timeout=30).json()["result"] == "4"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_eight_of_the_largest_pictures_at_once_fit_into_the_memory_that_compose_gives(kind: str, image: str) -> None:
    function = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["function"]
    memory, threads = function["mem_limit"], function["environment"]["THREADS"]
    picture = encode(draw_digit(1, side=8000, nib=400).convert("RGBA"), kind)
    options = (*HARDENED, "--memory", memory, "--memory-swap", memory, "--env", f"THREADS={threads}")
    with running_container(image, *options) as running, ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(httpx.post, running.url, content=picture, timeout=120) for _ in range(threads)]
        assert [each.result().json().get("result") for each in asked] == ["1"] * threads
        assert "SIGKILL" not in running.log


def test_it_serves_the_page_and_keeps_records_over_a_restart(image: str) -> None:
    with running_container(image, *HARDENED) as running:
        assert httpx.get(running.url).headers["Content-Type"].startswith("text/html")
        kept = httpx.post(running.url, content=digit_png(3)).json()
        docker("restart", running.name)
        running.wait_until_live()
        assert httpx.get(f"{running.url}/records/{kept['id']}").json()["result"] == "3"


def test_the_file_system_can_be_written_nowhere_but_in_data(container: Container) -> None:
    places = ["/", "/app", "/app/bytecode", "/home/nonroot", "/tmp", "/data", "/dev/shm"]  # noqa: S108
    script = f"import os; print([place for place in {places} if os.access(place, os.W_OK)])"
    assert docker("exec", container.name, PYTHON, "-c", script) == "['/data', '/dev/shm']"


def test_a_platform_may_choose_port_and_user(image: str) -> None:
    with running_container(image, *HARDENED, "--env", "PORT=9000", "--user", "123456:0", port=9000) as running:
        assert httpx.post(running.url, content=digit_png(5)).json()["recorded"] == "stored"
        wait_until_healthy(running)


def test_it_tells_its_health_without_another_program(container: Container) -> None:
    wait_until_healthy(container)


def wait_until_healthy(container: Container, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while (state := docker("inspect", "--format", "{{.State.Health.Status}}", container.name)) != "healthy":
        assert time.monotonic() < deadline, state
        time.sleep(0.2)


def test_what_is_in_hand_at_sigterm_is_answered(image: str) -> None:
    with running_container(image, *HARDENED) as running:
        place, picture = urlsplit(running.url), digit_png(8)
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=30) as connection:
            head = f"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: {len(picture)}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + picture[:100])
            time.sleep(0.5)
            statuses: list[int] = []
            stopping = threading.Thread(target=lambda: statuses.append(running.stop()))
            stopping.start()
            time.sleep(1)
            assert stopping.is_alive()
            connection.sendall(picture[100:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        stopping.join()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"result": "8"' in answer
    assert statuses == [0]


@pytest.mark.parametrize("records_url", ["sqlite:///records.db", "cassandra://127.0.0.1:1"])
def test_nothing_is_imported_without_byte_code(image: str, records_url: str) -> None:
    options = (*HARDENED, "--env", "PYTHONVERBOSE=1", "--env", f"RECORDS_URL={records_url}")
    with running_container(image, *options) as running:
        for picture in KINDS.values():
            httpx.post(running.url, content=picture, timeout=30)
        for path in (
            "/",
            "/health/ready",
            "/metrics",
            "/openapi.json",
            "/records?format=csv",
            "/records?format=ndjson",
        ):
            httpx.get(running.url + path)
        time.sleep(3)  # the forwarder imports the driver
        running.stop()
        log = running.log
    assert len(re.findall(r"code object from '?[^'\n]*\.pyc", log)) > 300
    assert re.findall(r"code object from '?([^'\n]*\.py)'?$", log, re.MULTILINE) == []


def test_an_operator_can_drain_the_journal_in_it(image: str) -> None:
    with running_container(image, *HARDENED, "--env", "RECORDS_URL=cassandra://127.0.0.1:1") as running:
        assert httpx.post(running.url, content=digit_png(2)).json()["recorded"] == "queued"
        done = subprocess.run(
            ["docker", "exec", running.name, PYTHON, "-m", "function.records", "drain"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "no node listens there" in done.stderr
