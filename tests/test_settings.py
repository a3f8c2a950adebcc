"""Every variable of the environment, what it is without one, and what is said of nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from function.settings import Settings, read_settings
from tests.helpers import ROOT


def test_without_an_environment_there_are_the_documented_defaults() -> None:
    assert read_settings({}) == Settings(
        records_url="sqlite:///records.db",
        model_path=ROOT / "model" / "digits_int8.tflite",
        max_upload_bytes=20 * 1024 * 1024,
        max_pixels=64_000_000,
        frontend_dir=None,
    )


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("RECORDS_URL", "sqlite:////data/records.db", "records_url", "sqlite:////data/records.db"),
        ("MODEL_PATH", "/models/mine.tflite", "model_path", Path("/models/mine.tflite")),
        ("MAX_UPLOAD_BYTES", "1000000", "max_upload_bytes", 1_000_000),
        ("MAX_PIXELS", "1", "max_pixels", 1),
        ("FRONTEND_DIR", "frontend", "frontend_dir", Path("frontend")),
    ],
)
def test_each_variable_sets_its_own_setting_and_no_other(variable: str, text: str, field: str, value: Any) -> None:
    changed = vars(read_settings({variable: text, "SOMETHING_ELSE": "1"}))
    assert changed == {**vars(read_settings({})), field: value}


@pytest.mark.parametrize("variable", ["RECORDS_URL", "MODEL_PATH", "MAX_UPLOAD_BYTES", "MAX_PIXELS", "FRONTEND_DIR"])
def test_an_empty_variable_is_none(variable: str) -> None:
    assert read_settings({variable: ""}) == read_settings({})


@pytest.mark.parametrize("variable", ["MAX_UPLOAD_BYTES", "MAX_PIXELS"])
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e6", "20M", "0x10", "many", " ", "²"])
def test_a_number_that_is_none_is_refused_by_the_variables_name(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} must be a whole number above zero, not {text!r}"):
        read_settings({variable: text})


def test_the_environment_of_the_process_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_PIXELS", "12345")
    assert read_settings().max_pixels == 12345
