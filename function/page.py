"""The page's files, with the headers that frontend/nginx.conf gives them."""

from __future__ import annotations

from pathlib import Path

from flask import Response, send_from_directory
from werkzeug.exceptions import NotFound as MissingFile

from .errors import NotFound

KINDS = {  # not from the machine's own table of types, which may be anything
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
OF_DOCUMENTS = {  # and of workers; to their parts they mean nothing
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PARTS = (".css", ".js")
WORKER = "sw.js"


def page_file(folder: Path, name: str) -> Response:
    """One file of the page, or 304 if the client has it. Raises `NotFound` for anything else."""
    try:
        response = send_from_directory(folder.absolute(), name, mimetype=KINDS[Path(name).suffix])
    except (KeyError, MissingFile) as error:
        raise NotFound(f"There is no {name} here.") from error
    response.headers.update(HEADERS)
    if not name.endswith(PARTS) or name == WORKER:
        response.headers.update(OF_DOCUMENTS)
    return response
