"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from tests.helpers import ROOT, Service

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
MAIN = (ROOT / "function" / "main.py").read_text()


def described() -> set[tuple[str, str]]:
    """(method, path) of all that openapi.json describes."""
    paths = json.loads((ROOT / "function" / "openapi.json").read_text())["paths"]
    methods = {"get", "post", "put", "delete"}
    return {(method.upper(), path) for path, item in paths.items() for method in item.keys() & methods}


def spelt_out(pattern: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    """All that a route's pattern stands for."""
    paths = [pattern]
    for name, meanings in names.items():
        paths = [path.replace(name, meaning) for path in paths for meaning in meanings]
    return paths


def curl_lines() -> list[str]:
    return re.findall(r"^    (curl .*)$", README, re.MULTILINE)


def test_readme_lists_every_variable_that_the_code_reads() -> None:
    settings = (ROOT / "function" / "settings.py").read_text()
    variables = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', settings))
    assert variables >= {"RECORDS_URL", "MAX_PIXELS"}
    assert [name for name in variables if f"`{name}`" not in README] == []


def test_nothing_but_settings_and_the_doctor_reads_the_environment() -> None:
    readers = [
        path.name
        for path in (ROOT / "function").rglob("*.py")
        if re.search(r"os\.environ(?!\.setdefault)", path.read_text())
    ]
    assert sorted(readers) == ["doctor.py", "settings.py"]


def test_readme_lists_every_endpoint() -> None:
    """With `/versions/<version>` in words."""
    for method, path in described():
        shown = path.replace("{id}", "<id>").replace("{model}", "digits").replace("/versions/{version}", "")
        assert re.search(rf"`{method} {re.escape(shown)}[`?]", README), (method, path)


def test_openapi_describes_every_route() -> None:
    """Routes stand in main.py as `(r"/path", {"GET": …})`, a slash that may be there and names in brackets included; of
    the page's files, only the page itself is part of the API."""
    routes = re.findall(r'^    \(rf?"(/.*?)", \{(.*?)\}\)', MAIN, re.MULTILINE)
    names = {"{UUID}": ("{id}",), "{MODEL}": ("{model}", "{model}/versions/{version}"), "/?": ("",), "\\": ("",)}
    found = {
        (method, path)
        for pattern, handlers in routes
        for method in re.findall(r'"([A-Z]+)": \w+', handlers)
        for path in spelt_out(pattern, names)
        if "[" not in path
    }
    assert found == described()


def test_openapi_is_served(service: Service) -> None:
    assert httpx.get(f"{service.url}/openapi.json").json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("line", curl_lines())
def test_every_curl_line_of_the_readme_works_as_it_stands(line: str, service: Service) -> None:
    command = line.replace("http://localhost:8080", service.url).replace("curl ", "curl -sS --fail-with-body ", 1)
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9" in done.stdout


def test_the_curl_line_that_make_run_prints_names_a_picture_that_is_there() -> None:
    printed = subprocess.run(["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    line = next(line for line in printed.splitlines() if "curl" in line)
    [picture] = [word.split("@")[1] for word in shlex.split(shlex.split(line)[1]) if "@" in word]
    assert Path(picture).is_file()


def test_architecture_knows_every_module_and_no_other() -> None:
    paths = {path.relative_to(ROOT / "function").as_posix() for path in (ROOT / "function").rglob("*.py")}
    modules = paths - {"__init__.py", "main.py"}
    table = set(re.findall(r"^\| `([\w/]+\.py)`", ARCHITECTURE.split("## Code map")[1], re.MULTILINE))
    assert table == modules


def test_make_lists_its_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    benches = "bench bench-records bench-remote soak cold-start figures stages"
    checks = "test test-containers fuzz audit doctor coverage mutants lint"
    for target in f"run image train convert {benches} {checks}".split():
        assert re.search(rf"^{target}\s", listed, re.MULTILINE)


def test_links_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "model" / "README.md", ROOT / "deploy" / "README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), (document.name, link)


def shares(figures: object) -> list[float]:
    """All figures below 1 in a tree of them."""
    if isinstance(figures, dict):
        return [share for figure in figures.values() for share in shares(figure)]
    return [figures] if isinstance(figures, float) else []


def test_model_card_gives_the_figures_that_were_measured() -> None:
    card = (ROOT / "model" / "README.md").read_text()
    metrics, figures = (json.loads((ROOT / "model" / f"{name}.json").read_text()) for name in ("metrics", "figures"))
    assert figures["model"].split("@")[1] == metrics["sha256"][:12]
    measured = {
        "held": metrics["held_out_writers"],
        **{name: figures[name] for name in ("mnist_test", "drawn", "pictures")},
    }
    for figure in shares(measured):
        assert f"{100 * figure:.2f} %" in card, figure
    assert f"{metrics['parameters']:,} weights" in card
