"""The running function, MNIST and the real pictures, for the tests that need them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.helpers import ROOT, Service, free_port, knowing, running_function
from tests.nginx import running_nginx
from tests.nodes import Nodes, connected, running_nodes

if TYPE_CHECKING:
    from cassandra.cluster import Session
    from playwright.sync_api import Browser, Page

SHARED = ROOT.parent / "shared"


@dataclass
class Table:
    """What was measured, to be printed at the end of the run."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, *row: object) -> None:
        self.rows.append(row)

    def __str__(self) -> str:
        lines = [self.columns, ("---", *("---:" for _ in self.columns[1:])), *self.rows]
        return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


TABLES = pytest.StashKey[list[Table]]()


@pytest.fixture(scope="session")
def tables(pytestconfig: pytest.Config) -> list[Table]:
    return pytestconfig.stash.setdefault(TABLES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table in config.stash.get(TABLES, []):
        terminalreporter.section(table.title)
        terminalreporter.write_line(str(table))


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
def site(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's URL, through nginx, with the function behind it."""
    with running_nginx(tmp_path_factory.mktemp("nginx"), urlsplit(service.url).netloc) as url:
        yield url


@pytest.fixture(scope="session")
def site_without_function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's URL, through nginx, with nothing listening where the function should be."""
    with running_nginx(tmp_path_factory.mktemp("nginx-alone"), f"127.0.0.1:{free_port()}") as url:
        yield url


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """One node that nothing befalls; each test has a keyspace of its own."""
    with running_nodes(tmp_path_factory.mktemp("cassandra")) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def administrator(cassandra: Nodes) -> Iterator[Session]:
    with connected(cassandra) as session:
        yield session


@pytest.fixture
def keyspace(administrator: Session) -> Iterator[str]:
    """The name of one that is yet to be made. In the end it goes, for a node's memory has no room for hundreds."""
    name = f"k{uuid.uuid4().hex}"
    yield name
    administrator.execute(f"drop keyspace if exists {name}")


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A file like /etc/hosts, for a function whose environment is `knowing(names)`."""
    path = tmp_path / "hosts"
    path.write_text("")
    tried = subprocess.run(["true"], env={**os.environ, **knowing(path)}, check=False, capture_output=True)
    if sys.platform != "linux" or tried.stderr:
        pytest.skip("nss_wrapper is not here (Debian's package libnss-wrapper)")
    return path


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.page import running_browser  # which not all tests need

    with running_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()
