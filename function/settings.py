"""Environment → settings. Nothing else reads the environment, but the doctor."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MEBIBYTE = 1024 * 1024
ENVELOPE = 64 * 1024  # bytes that a multipart body may be longer than the picture in it
PACKAGE = Path(__file__).resolve().parent
MODEL = PACKAGE.parent / "model" / "digits_int8.tflite"
YES, NO = ("true", "yes", "1"), ("false", "no", "0", "")


@dataclass(frozen=True)
class Settings:
    """`frontend_dir` is None where something else, such as nginx, serves the page; `record_ttl_seconds` is None where
    records are kept for ever; `journal_path` is None where no disk outlives the process; a key is empty where none is
    asked for."""

    records_url: str
    cassandra_password: str = field(repr=False)
    cassandra_password_file: Path | None
    journal_path: Path | None
    record_ttl_seconds: int | None
    keep_glyphs: bool
    model_path: Path
    max_upload_bytes: int
    max_pixels: int
    max_in_flight: int
    upload_key: str = field(repr=False)
    records_key: str = field(repr=False)
    allowed_origins: frozenset[str]
    frontend_dir: Path | None
    exports_traces: bool
    google_cloud_project: str


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises `ValueError`, naming the variable, for a number or a choice that is none."""
    return Settings(
        records_url=environment.get("RECORDS_URL") or "sqlite:///records.db",
        cassandra_password=environment.get("CASSANDRA_PASSWORD", ""),
        cassandra_password_file=path(environment, "CASSANDRA_PASSWORD_FILE"),
        journal_path=journal_path(environment),
        record_ttl_seconds=positive(environment, "RECORD_TTL_SECONDS"),
        keep_glyphs=choice(environment, "KEEP_GLYPHS"),
        model_path=path(environment, "MODEL_PATH") or MODEL,
        max_upload_bytes=positive(environment, "MAX_UPLOAD_BYTES") or 20 * MEBIBYTE,
        max_pixels=positive(environment, "MAX_PIXELS") or 64_000_000,
        max_in_flight=positive(environment, "MAX_IN_FLIGHT") or 2,
        upload_key=environment.get("UPLOAD_KEY", "").strip(),
        records_key=environment.get("RECORDS_KEY", "").strip(),
        allowed_origins=origins(environment),
        frontend_dir=path(environment, "FRONTEND_DIR"),
        exports_traces=(environment.get("OTEL_TRACES_EXPORTER") or "none") != "none",
        google_cloud_project=environment.get("GOOGLE_CLOUD_PROJECT", ""),
    )


def path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name)
    return Path(text) if text else None


def journal_path(environment: Mapping[str, str]) -> Path | None:
    """None on Cloud Run and Knative, which say who they are by K_SERVICE: their disks end with the container."""
    default = "none" if environment.get("K_SERVICE") else "journal.db"
    text = environment.get("JOURNAL_PATH") or default
    return None if text == "none" else Path(text)


def positive(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a whole number above zero, not {text!r}")
    return int(text)


def choice(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").lower()
    if text not in (*YES, *NO):
        raise ValueError(f"{name} must be true or false, not {text!r}")
    return text in YES


def origins(environment: Mapping[str, str]) -> frozenset[str]:
    """As browsers write them: https://example.org, with a port if it is not the usual one."""
    named = environment.get("ALLOWED_ORIGINS", "").replace(",", " ").split()
    for origin in named:
        if origin != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", origin):
            raise ValueError(f"ALLOWED_ORIGINS must be like https://example.org, without a path, not {origin!r}")
    return frozenset(origin.lower() for origin in named)
