"""The real nginx with the project's own configuration, and plain HTTP requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.helpers import ROOT, free_port

FRONTEND = ROOT / "frontend"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
POLICY = "Content-Security-Policy"


def rendered(directory: Path, port: int, *upstreams: str) -> Path:
    """The configuration with its port, its upstreams and its paths for temporary files moved, and nothing else."""
    text = (FRONTEND / "nginx.conf").read_text()
    server = "server {} fail_timeout=1s;"
    for line, moved in (
        ("listen 8000;", f"listen 127.0.0.1:{port};"),
        (server.format("127.0.0.1:8080"), "\n".join(server.format(upstream) for upstream in upstreams)),
    ):
        assert text.count(line) == 1
        text = text.replace(line, moved)
    config = directory / "nginx.conf"
    config.write_text(text.replace(" /tmp/", f" {directory}/"))
    return config


def nginx_command(config: Path, *arguments: str) -> list[str]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    return [NGINX, "-p", f"{FRONTEND}/", "-c", str(config), "-e", "stderr", *arguments]


@contextlib.contextmanager
def running_nginx(directory: Path, *upstreams: str, port: int = 0) -> Iterator[str]:
    """nginx in front of `upstreams` (host:port), on a free port if none is given, for as long as the block lasts; gives
    its URL."""
    port = port or free_port()
    # As root, workers would run as nobody, who may not read a checkout in root's home.
    user = "user root; " if os.geteuid() == 0 else ""
    command = nginx_command(rendered(directory, port, *upstreams), "-g", f"{user}daemon off;")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until_listening(port, process, directory / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    pytest.fail(f"nginx did not start: {log.read_text()}")


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def request(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
    """One plain HTTP request; keyword `if_none_match` becomes the header If-None-Match."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    reply = Reply(response.status, response.headers, response.read())
    connection.close()
    return reply


def policy_of_nginx() -> str:
    """The one line that says it; nothing inline is ever allowed."""
    config = (FRONTEND / "nginx.conf").read_text()
    (policy,) = re.findall(r'default +"(default-src [^"]+)";', config)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    return str(policy)


def problem(reply: Reply) -> dict[str, Any]:
    """RFC 9457."""
    assert reply.headers.get_content_type() == "application/problem+json"
    parsed: dict[str, Any] = json.loads(reply.body)
    return parsed
