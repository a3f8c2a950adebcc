"""Serve as the image will, while it is built: so Python leaves the byte code of all that it imports, and of no more."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image

from function.decode import KINDS

DATA = Path("/build/root/data")  # what becomes /data: a folder that can be written by its group too
PICTURE = Path("picture.png")
PORT = "8080"
ASKED = ("/", "/records", "/records?format=csv", "/health/live", "/health/ready", "/metrics", "/openapi.json")
# Imported only for some pictures, or where there is a Cassandra.
LATER = [
    *(module for _, module in KINDS.values()),
    "PIL.MpoImagePlugin",
    "function.records.cassandra",
    "function.records.__main__",
    "function.apart",
    "function.page",
    "function.inference",
    "function.doctor",
]
# No Cassandra is there, which is enough to import what the driver needs.
STORES = ("cassandra://127.0.0.1:1", "sqlite:///records.db")


def serve(records_url: str) -> None:
    environment = {**os.environ, "PORT": PORT, "RECORDS_URL": records_url}
    with subprocess.Popen([sys.executable, "-m", "functions_framework"], env=environment) as server:
        ask("/health/live", until=time.monotonic() + 60)
        ask("/api/?filename=picture.png", PICTURE.read_bytes())
        for path in ASKED if records_url.startswith("sqlite") else ():
            ask(path)
        time.sleep(2)  # the forwarder begins half a second after the first request
        server.send_signal(signal.SIGTERM)


def ask(path: str, data: bytes | None = None, *, until: float = 0) -> None:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", data, timeout=10).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


DATA.mkdir(parents=True)
DATA.chmod(0o775)
Image.new("L", (100, 100), 255).save(PICTURE)
for module in LATER:
    importlib.import_module(module, "function")
for store in STORES:
    serve(store)
