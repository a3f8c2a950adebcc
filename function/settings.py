"""Environment → settings. Nothing else reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1024 * 1024
PACKAGE = Path(__file__).resolve().parent
MODEL = PACKAGE.parent / "model" / "digits_int8.tflite"


@dataclass(frozen=True)
class Settings:
    """`frontend_dir` is None where something else, such as nginx, serves the page."""

    records_url: str
    model_path: Path
    max_upload_bytes: int
    max_pixels: int
    frontend_dir: Path | None


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises `ValueError`, naming the variable, for a number that is none."""
    frontend_dir = environment.get("FRONTEND_DIR")
    return Settings(
        records_url=environment.get("RECORDS_URL") or "sqlite:///records.db",
        model_path=Path(environment.get("MODEL_PATH") or MODEL),
        max_upload_bytes=positive(environment, "MAX_UPLOAD_BYTES", 20 * MEBIBYTE),
        max_pixels=positive(environment, "MAX_PIXELS", 64_000_000),
        frontend_dir=Path(frontend_dir) if frontend_dir else None,
    )


def positive(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a whole number above zero, not {text!r}")
    return int(text)
