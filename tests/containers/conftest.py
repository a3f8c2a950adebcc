"""The image, and the whole system on a container engine, for `make test-containers`; `make test` leaves them out."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.containers.engine import CLUSTER, SECURE, Compose, docker, running_system
from tests.helpers import ROOT

IMAGE = "digit-reader"


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            reason = done.stderr
        except FileNotFoundError as error:
            reason = str(error)
        else:
            if done.returncode == 0:
                continue
        pytest.skip(f"there is no container engine: {' '.join(command)} says: {reason.strip()}")


@pytest.fixture(scope="session")
def image(engine: None) -> str:  # noqa: ARG001
    """Built as the README has it; what was built before is not built again."""
    docker("build", "--tag", IMAGE, str(ROOT), timeout=1800)
    return IMAGE


@pytest.fixture
def system(image: str) -> Iterator[Compose]:  # noqa: ARG001
    """docker-compose.yml as it is, not started yet."""
    with running_system() as compose:
        yield compose


@pytest.fixture
def cluster(image: str) -> Iterator[Compose]:  # noqa: ARG001
    # What a node waits for by default does not happen on one machine.
    hurry = "-Dcassandra.ring_delay_ms=1000 -Dcassandra.skip_wait_for_gossip_to_settle=0"
    with running_system(CLUSTER, CASSANDRA_OPTS=hurry) as compose:
        yield compose


@pytest.fixture
def secure(image: str) -> Iterator[Compose]:  # noqa: ARG001
    passwords = {"CASSANDRA_PASSWORD": 'of "the" func$ion', "CASSANDRA_ADMIN_PASSWORD": "of people"}
    with running_system(SECURE, **passwords) as compose:
        yield compose
