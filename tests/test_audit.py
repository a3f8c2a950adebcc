"""deploy/audit.py with the real pip-audit, and a database on the loopback that speaks as OSV's does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.helpers import ROOT, free_port

# Without those of other systems, whose lines go on with a condition.
PINNED = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+) \\$", (ROOT / "function" / "requirements.txt").read_text()))
# https://ossf.github.io/osv-schema/
PILLOW = {
    "id": "GHSA-0000-0000-0000",
    "aliases": ["CVE-2021-00000"],
    "summary": "A picture can run code.",
    "affected": [
        {
            "package": {"name": "pillow", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}
UNMENDED = {**PILLOW, "id": "GHSA-1111-1111-1111", "affected": [], "summary": "It leaks."}
EVERYBODY_KNOWS = {("pillow", "8.0.0"): [PILLOW]}

Known = Mapping[tuple[str, str], list[dict[str, Any]]]


@contextmanager
def database(known: Known, asked: list[tuple[str, str]] | None = None) -> Iterator[str]:
    """The URL of one that knows these vulnerabilities, by package and version."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            about = question["package"]["name"], question["version"]
            if asked is not None:
                asked.append(about)
            body = json.dumps({"vulns": known[about]} if about in known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not in the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def audit(folder: Path, **environment: str) -> tuple[int, str]:
    """Exit status and words, where nothing but the loopback can be reached."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    alone = {"HTTPS_PROXY": nowhere, "https_proxy": nowhere, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.audit"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **alone, "PIP_CACHE_DIR": str(folder), **environment},
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_each_pinned_version_is_asked_about_and_none_is_known_to_be_vulnerable(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    with database(EVERYBODY_KNOWS, asked) as url:
        status, said = audit(tmp_path, PIP_AUDIT_OSV_URL=url)
    assert said == f"No vulnerability is known of the {len(PINNED)} packages in requirements.txt.\n"
    assert status == 0
    assert {*PINNED.items()} <= {*asked}


def test_a_known_vulnerability_is_told_with_what_to_do(tmp_path: Path) -> None:
    known = {**EVERYBODY_KNOWS, ("pillow", PINNED["pillow"]): [PILLOW], ("numpy", PINNED["numpy"]): [UNMENDED]}
    with database(known) as url:
        status, said = audit(tmp_path, PIP_AUDIT_OSV_URL=url)
    assert status == 1
    version = PINNED["pillow"]
    assert f"pillow {version}: CVE-2021-00000, GHSA-0000-0000-0000, mended in 99.0. A picture can run code.\n" in said
    assert re.search(r"(?m)^numpy \S+: CVE-2021-00000, GHSA-1111-1111-1111, not mended yet\. It leaks\.$", said)
    assert "make lock" in said


def test_a_database_that_cannot_be_reached_is_no_pass_and_is_told_in_plain_words(tmp_path: Path) -> None:
    status, said = audit(tmp_path, PIP_AUDIT_OSV_URL=f"http://127.0.0.1:{free_port()}")
    assert status == 2
    assert said.startswith("Not checked: the database of known vulnerabilities cannot be reached.\n")
    assert "Connection refused" in said
    assert "Traceback" not in said


def test_a_database_that_knows_nothing_is_not_believed(tmp_path: Path) -> None:
    with database({}) as url:
        status, said = audit(tmp_path, PIP_AUDIT_OSV_URL=url)
    assert status == 2
    assert "It knows no vulnerability of pillow==8.0.0, which has many." in said
