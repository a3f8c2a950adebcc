"""deploy/: the manifests hold to the published schemas and to what the function has, and its sources can be built."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from tests.helpers import ROOT, digit_png, free_port, wait_until_live

DEPLOY = ROOT / "deploy"
KNATIVE = ("cloudrun.yaml", "knative.yaml")
VERSION = "1.30"  # of Kubernetes: what is in it is in all later ones
# On a Pod, these are Knative's own.
OWN = {"containerConcurrency", "timeoutSeconds"}


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    (only,) = manifest["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


CONTAINERS = [container(manifests(name)[0]) for name in (*KNATIVE, "kubernetes.yaml")]


def test_kubernetes_manifests_hold_to_the_schemas() -> None:
    kinds = []
    for manifest in manifests("kubernetes.yaml"):
        kubernetes_validate.validate(manifest, VERSION, strict=True)
        kinds.append(manifest["kind"])
    assert kinds == ["StatefulSet", "Service", "PodDisruptionBudget"]


@pytest.mark.parametrize("name", KNATIVE)
def test_knative_manifests_hold_to_the_schema_of_a_pod(name: str) -> None:
    """A revision's template is a pod's, but for what is Knative's own and for names that Knative gives."""
    (service,) = manifests(name)
    assert (service["apiVersion"], service["kind"]) == ("serving.knative.dev/v1", "Service")
    template = service["spec"]["template"]
    pod = {key: value for key, value in template["spec"].items() if key not in OWN}
    (only,) = pod["containers"]
    unnamed = json.loads(json.dumps(only))
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        unnamed[probe]["httpGet"].setdefault("port", 8080)
    pod["containers"] = [{**unnamed, "name": "user-container"}]
    meta = {"name": "revision", "annotations": template["metadata"]["annotations"]}
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod}, VERSION, strict=True
    )


def test_a_manifest_with_a_mistake_is_found_out() -> None:
    (*_, service) = manifests("kubernetes.yaml")[:2]
    service["spec"]["port"] = service["spec"].pop("ports")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, VERSION, strict=True)


@pytest.mark.parametrize("name", KNATIVE)
def test_there_are_as_many_threads_as_requests_at_once(name: str) -> None:
    (service,) = manifests(name)
    environment = {variable["name"]: variable.get("value") for variable in container(service)["env"]}
    assert int(environment["THREADS"] or 0) == service["spec"]["template"]["spec"]["containerConcurrency"]


@pytest.mark.parametrize("found", CONTAINERS, ids=[*KNATIVE, "kubernetes.yaml"])
def test_manifests_ask_and_set_only_what_there_is(found: dict[str, Any]) -> None:
    paths = json.loads((ROOT / "function" / "openapi.json").read_text())["paths"]
    for probe, path in (("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")):
        assert found[probe]["httpGet"]["path"] == f"/health/{path}"
        assert f"/health/{path}" in paths
    readme = (ROOT / "README.md").read_text()
    for variable in found["env"]:
        assert f"`{variable['name']}`" in readme
    secret = next(variable for variable in found["env"] if variable["name"] == "CASSANDRA_PASSWORD")
    assert "value" not in secret
    assert secret["valueFrom"]["secretKeyRef"]["name"] == "cassandra-password"


# ── From sources, as Google's buildpack does ──────────────────────────────────────────────────────────────────
def test_the_buildpack_finds_the_framework_among_the_requirements() -> None:
    """It looks there for a line with that name, and else adds one of its own, which has no hash."""
    requirements = ROOT / "requirements.txt"
    assert requirements.read_text() == (ROOT / "function" / "requirements.txt").read_text()
    assert re.search(r"(?m)^functions-framework\b([^-]|$)", requirements.read_text())


def test_the_uploaded_sources_serve(tmp_path: Path) -> None:
    """The buildpack sets FUNCTION_TARGET and FUNCTION_SOURCE, and starts functions-framework beside the sources."""
    ignored = [line for line in (ROOT / ".gcloudignore").read_text().splitlines() if line and line[0] != "#"]
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split()
    for name in listed:
        if not any(Path(name).match(pattern) or name.startswith(pattern) for pattern in ignored):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    port = free_port()
    environment = {
        **os.environ, "FUNCTION_TARGET": "recognise", "FUNCTION_SOURCE": "function/main.py", "FRONTEND_DIR": "frontend",
        "PORT": str(port), "HOST": "127.0.0.1",
    }  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        command = [str(Path(sys.executable).parent / "functions-framework"), "--host", "127.0.0.1"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_live(url, process, tmp_path / "log")
        assert httpx.post(url, content=digit_png(6), timeout=30).json()["result"] == "6"
        assert httpx.get(url).headers["Content-Type"].startswith("text/html")
    finally:
        process.terminate()
        process.wait(timeout=20)
