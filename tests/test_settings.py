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
        cassandra_password="",
        cassandra_password_file=None,
        journal_path=Path("journal.db"),
        record_ttl_seconds=None,
        keep_glyphs=False,
        model_path=ROOT / "model" / "digits_int8.tflite",
        max_upload_bytes=20 * 1024 * 1024,
        max_pixels=64_000_000,
        max_in_flight=2,
        upload_key="",
        records_key="",
        allowed_origins=frozenset(),
        frontend_dir=None,
        exports_traces=False,
        google_cloud_project="",
    )


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("RECORDS_URL", "sqlite:////data/records.db", "records_url", "sqlite:////data/records.db"),
        ("CASSANDRA_PASSWORD", "secret", "cassandra_password", "secret"),
        (
            "CASSANDRA_PASSWORD_FILE",
            "/run/secrets/cassandra",
            "cassandra_password_file",
            Path("/run/secrets/cassandra"),
        ),
        ("JOURNAL_PATH", "/data/journal.db", "journal_path", Path("/data/journal.db")),
        ("JOURNAL_PATH", "none", "journal_path", None),
        ("RECORD_TTL_SECONDS", "86400", "record_ttl_seconds", 86_400),
        ("KEEP_GLYPHS", "true", "keep_glyphs", True),
        ("KEEP_GLYPHS", "1", "keep_glyphs", True),
        ("MODEL_PATH", "/models/mine.tflite", "model_path", Path("/models/mine.tflite")),
        ("MAX_UPLOAD_BYTES", "1000000", "max_upload_bytes", 1_000_000),
        ("MAX_PIXELS", "1", "max_pixels", 1),
        ("MAX_IN_FLIGHT", "3", "max_in_flight", 3),
        ("UPLOAD_KEY", "hunter2\n", "upload_key", "hunter2"),
        ("RECORDS_KEY", " hunter2", "records_key", "hunter2"),
        ("ALLOWED_ORIGINS", "*", "allowed_origins", frozenset({"*"})),
        (
            "ALLOWED_ORIGINS",
            "https://Example.org, http://localhost:3000",
            "allowed_origins",
            frozenset({"https://example.org", "http://localhost:3000"}),
        ),
        ("FRONTEND_DIR", "frontend", "frontend_dir", Path("frontend")),
        ("OTEL_TRACES_EXPORTER", "otlp", "exports_traces", True),
        ("OTEL_TRACES_EXPORTER", "none", "exports_traces", False),
        ("GOOGLE_CLOUD_PROJECT", "mine", "google_cloud_project", "mine"),
    ],
)
def test_each_variable_sets_its_own_setting_and_no_other(variable: str, text: str, field: str, value: Any) -> None:
    changed = vars(read_settings({variable: text, "SOMETHING_ELSE": "1"}))
    assert changed == {**vars(read_settings({})), field: value}


def test_where_disks_end_with_the_container_there_is_no_journal_unless_one_is_named() -> None:
    assert read_settings({"K_SERVICE": "digit-reader"}).journal_path is None
    named = {"K_SERVICE": "digit-reader", "JOURNAL_PATH": "/data/journal.db"}
    assert read_settings(named).journal_path == Path("/data/journal.db")


VARIABLES = [
    "RECORDS_URL", "CASSANDRA_PASSWORD", "CASSANDRA_PASSWORD_FILE", "JOURNAL_PATH", "RECORD_TTL_SECONDS", "KEEP_GLYPHS",
    "MODEL_PATH", "MAX_UPLOAD_BYTES", "MAX_PIXELS", "MAX_IN_FLIGHT", "UPLOAD_KEY", "RECORDS_KEY", "ALLOWED_ORIGINS",
    "FRONTEND_DIR", "OTEL_TRACES_EXPORTER", "GOOGLE_CLOUD_PROJECT",
]  # fmt: skip


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_none(variable: str) -> None:
    assert read_settings({variable: ""}) == read_settings({})


@pytest.mark.parametrize("variable", ["RECORD_TTL_SECONDS", "MAX_UPLOAD_BYTES", "MAX_PIXELS", "MAX_IN_FLIGHT"])
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e6", "20M", "0x10", "many", " ", "²"])
def test_a_number_that_is_none_is_refused_by_the_variables_name(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} must be a whole number above zero, not {text!r}"):
        read_settings({variable: text})


@pytest.mark.parametrize("text", ["false", "no", "0", "False"])
def test_a_no_is_a_no(text: str) -> None:
    assert not read_settings({"KEEP_GLYPHS": text}).keep_glyphs


def test_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(ValueError, match="KEEP_GLYPHS must be true or false, not 'perhaps'"):
        read_settings({"KEEP_GLYPHS": "perhaps"})


@pytest.mark.parametrize(
    "text", ["example.org", "https://example.org/", "https://me@example.org", "null", "ftp://a.org"]
)
def test_an_origin_that_no_browser_would_send_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ALLOWED_ORIGINS must be like https://example\.org"):
        read_settings({"ALLOWED_ORIGINS": text})


@pytest.mark.parametrize("variable", ["CASSANDRA_PASSWORD", "UPLOAD_KEY", "RECORDS_KEY"])
def test_a_secret_does_not_show_where_settings_are_printed(variable: str) -> None:
    assert "hunter2" not in repr(read_settings({variable: "hunter2"}))


def test_the_environment_of_the_process_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_PIXELS", "12345")
    assert read_settings().max_pixels == 12345
