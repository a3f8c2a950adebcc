"""deploy/grafana.json and deploy/alerts.yaml: all that they ask for is there, as a real Prometheus has it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from function.metrics import PREFIX, Metrics
from function.records import State
from tests.helpers import ROOT, digit_png, end, free_port, running_function

DASHBOARD = json.loads((ROOT / "deploy" / "grafana.json").read_text())
ALERTS = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
WIDTH = 24  # of Grafana's grid

# The model, once Prometheus has seen a picture come in.
WATCHED = "digit_reader_info and on (instance) increase(digit_reader_request_seconds_count[1m]) > 0"

Labels = dict[str, set[str]]


def expressions() -> dict[str, str]:
    """All that is asked for, by where."""
    asked = {f"{panel['title']} {one['refId']}": one["expr"] for panel in PANELS for one in panel["targets"]}
    asked |= {note["name"]: note["expr"] for note in DASHBOARD["annotations"]["list"]}
    return asked | {rule["alert"]: rule["expr"] for rule in RULES}


EXPRESSIONS = expressions()


@pytest.fixture(scope="module")
def emitted() -> dict[str, Labels]:
    """The values of labels that there are, by series and label."""
    series: dict[str, Labels] = {}
    for family in text_string_to_metric_families(Metrics().text(State(up=True), "model")):
        for sample in family.samples:
            labels = series.setdefault(sample.name, {"job": set(), "instance": set()})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return series


def filled_in(expression: str) -> str:
    """As Grafana would ask it."""
    for name, value in {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


# ── What is asked for ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_all_that_is_asked_for_is_there(emitted: dict[str, Labels], expression: str) -> None:
    asked = re.findall(rf"({PREFIX}\w+)(?:{{([^}}]*)}})?", expression)
    assert asked or "up{" in expression
    for name, matchers in asked:
        assert name in emitted
        for label, operator, value in re.findall(r'(\w+)(=~?)"([^"]*)"', matchers):
            assert label in emitted[name]
            if label not in ("job", "instance"):
                wanted = set(value.split("|") if operator == "=~" else [value])
                assert wanted <= emitted[name][label]
    for labels in re.findall(r"by \(([^)]*)\)", expression):
        for label in labels.split(", "):
            assert any(label in emitted[name] for name, _ in asked)


def test_all_that_there_is_is_shown(emitted: dict[str, Labels]) -> None:
    shown = " ".join(EXPRESSIONS.values())
    assert [name for name in emitted if name.removesuffix("_count").removesuffix("_sum") not in shown] == []


def test_no_panel_lies_on_another_or_is_without_a_word() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= WIDTH
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "description"}


# ── Prometheus ────────────────────────────────────────────────────────────────────────────────────────────────
def program(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not here (Debian's package prometheus)")


def test_prometheus_takes_the_alerts() -> None:
    checked = subprocess.run(
        [program("promtool"), "check", "rules", "--lint-fatal", str(ROOT / "deploy" / "alerts.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(RULES)} rules found" in checked.stdout


@pytest.mark.parametrize("name", ["minutes.yaml", "days.yaml"])
def test_alerts_call_when_they_should_and_not_else(name: str) -> None:
    tested = subprocess.run(
        [program("promtool"), "test", "rules", str(ROOT / "tests" / "alerts" / name)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_alert_is_tried_out() -> None:
    tried = "".join((ROOT / "tests" / "alerts" / name).read_text() for name in ("minutes.yaml", "days.yaml"))
    assert {rule["alert"] for rule in RULES} <= set(re.findall(r'(?:alertname: |alertname=")(\w+)', tried))


@contextmanager
def prometheus(folder: Path, address: str) -> Iterator[str]:
    """The URL of one that scrapes the function each second, and has our alerts."""
    port = free_port()
    job = {"job_name": "digit-reader", "static_configs": [{"targets": [address]}]}
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings = {"global": every, "rule_files": [str(ROOT / "deploy" / "alerts.yaml")], "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(settings))  # which is YAML, too
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/-/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("Prometheus did not come up")


def ask(url: str, expression: str) -> list[Any]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", answer
    return [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]


def test_a_real_prometheus_has_an_answer_for_every_panel(tmp_path: Path) -> None:
    with (
        running_function(tmp_path, {"WORKERS": "2"}) as service,
        prometheus(tmp_path, urlsplit(service.url).netloc) as url,
    ):
        deadline = time.monotonic() + 60
        while not (found := ask(url, WATCHED)):
            assert time.monotonic() < deadline
            httpx.post(service.url, content=digit_png(3), timeout=30)
            time.sleep(0.5)
        assert found[0]["metric"]["model"].startswith("digits_int8@")
        shown = {title: ask(url, filled_in(EXPRESSIONS[title])) for title in EXPRESSIONS if " " in title}
        rules = httpx.get(f"{url}/api/v1/rules").json()["data"]["groups"][0]["rules"]
        while any(rule["health"] == "unknown" for rule in rules):
            time.sleep(0.2)
            rules = httpx.get(f"{url}/api/v1/rules").json()["data"]["groups"][0]["rules"]
    assert [title for title, found in shown.items() if not found] == []
    assert {rule["name"]: (rule["health"], rule["state"]) for rule in rules} == {
        rule["alert"]: ("ok", "inactive") for rule in RULES
    }
