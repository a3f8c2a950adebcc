"""python -m function.doctor, started as an operator does, on what is well and on all that can be wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy

from function.records import Record, new_id
from function.records.journal import Journal
from function.records.sqlite import SqliteRecords
from tests.helpers import ROOT, free_port
from tests.nodes import Nodes, connected, running_nodes
from tests.test_cassandra import open_store

FRONTEND = ROOT / "frontend"
SECRET = "hunter2-%_'\"&:/@ü"  # noqa: S105  (whatever a password may hold)


class Told(list[str]):
    """Its lines, and its exit status."""

    status: int

    def line(self, *words: str) -> str:
        """The only one that has all of these words."""
        (line,) = [line for line in self if all(word in line for word in words)]
        return line

    def of(self, grade: str) -> list[str]:
        return [line for line in self if line.startswith(f"{grade} ")]


def doctor(
    folder: Path, given: Mapping[str, str] | None = None, *, source: Path = ROOT, prefix: Sequence[str] = (),
    python: Sequence[str] = (), **more: str,
) -> Told:  # fmt: skip
    """What it says in `folder`, where the function would be started with this environment; `prefix` is a command that
    runs it."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE")}
    ours = {**kept, "HOME": str(folder), "PYTHONPATH": str(source), **(given or {}), **more}
    command = [*prefix, sys.executable, *python, "-m", "function.doctor"]
    done = subprocess.run(command, cwd=folder, env=ours, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    told = Told(done.stdout.splitlines())
    told.status = done.returncode
    assert told.status == bool(told.of("wrong"))
    assert all(re.match(r"(ok|warning|wrong) +[\w]", line) for line in told[:-1])
    return told


def a_record() -> Record:
    return Record(new_id(), "9.png", "9", 0.9987, "digits_int8@0123456789ab", "5f" * 32)


def within(limits: str) -> list[str]:
    """A command that runs another one within the shell's `ulimit`s."""
    return ["bash", "-c", f'ulimit {limits}; exec "$0" "$@"']


@pytest.fixture
def elsewhere() -> list[str]:
    """A command that runs another one where /mnt is a small disk in memory, 'full', 'read-only' or 'writable' as the
    folder's name there says."""
    mounts = " && ".join(
        f"mkdir /mnt/{name} && mount -t tmpfs -o {options} tmpfs /mnt/{name}"
        for name, options in (("full", "size=128k"), ("read-only", "size=3m,ro"), ("writable", "size=3m"))
    )
    script = f'mount -t tmpfs -o size=3m tmpfs /mnt && {mounts} && exec "$0" "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no disk can be made here: unshare --user is not allowed")
    return command


# ── All is well ───────────────────────────────────────────────────────────────────────────────────────────────
def test_with_default_settings_nothing_is_wrong_and_nothing_is_left_behind(tmp_path: Path) -> None:
    told = doctor(tmp_path)
    assert told.status == 0
    assert told.of("wrong") == []
    assert "reads what is drawn" in told.line("ok", "SHA-256", "as metrics.json tells")
    assert told.line("ok", "PNG, JPEG, GIF, WebP, AVIF, HEIC")
    assert told.line("records file", str(tmp_path / "records.db"), "can be written")
    assert list(tmp_path.iterdir()) == []


def test_the_records_that_there_are_stay_as_they_are(tmp_path: Path) -> None:
    store, record = SqliteRecords(str(tmp_path / "records.db")), a_record()
    store.add(record, key="", answer="{}")
    before = {path.name for path in tmp_path.iterdir()}
    assert doctor(tmp_path).line("ok", "records file")
    assert store.page(10) == [record]
    assert {path.name for path in tmp_path.iterdir()} == before


def test_in_the_image_no_file_but_the_model_and_the_page_tells_how_things_should_be(tmp_path: Path) -> None:
    model = shutil.copy(ROOT / "model" / "digits_int8.tflite", tmp_path)
    page = tmp_path / "page"
    page.mkdir()
    shutil.copy(FRONTEND / "api.js", page)
    told = doctor(tmp_path, MODEL_PATH=str(model), FRONTEND_DIR=str(page))
    assert told.line("ok", "no metrics.json")
    assert told.line("ok", "The largest picture for the page")
    assert not any("nginx" in line for line in told)


# ── What it runs on ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file or directory"), (b"no model", "cannot be used. LiteRT cannot run the model")],
    ids=["missing", "text"],
)
def test_a_model_that_is_none_is_told(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "mine.tflite"
    if content is not None:
        path.write_bytes(content)
    told = doctor(tmp_path, MODEL_PATH=str(path))
    assert told.line("wrong", str(path), words, "make convert")
    assert len(told.of("wrong")) == 1
    assert told.line("ok", "records file")


def test_a_model_whose_hash_is_another_than_was_written_down_is_told_and_not_run(tmp_path: Path) -> None:
    model = Path(shutil.copy(ROOT / "model" / "digits_int8.tflite", tmp_path))
    shutil.copy(ROOT / "model" / "metrics.json", tmp_path)
    assert doctor(tmp_path, MODEL_PATH=str(model)).line("ok", "as metrics.json tells")
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    expected = json.loads((tmp_path / "metrics.json").read_text())["sha256"]
    assert doctor(tmp_path, MODEL_PATH=str(model)).line("wrong", "another SHA-256", expected, "make convert")


def test_what_nobody_thought_of_in_one_check_is_a_line_and_the_others_go_on(tmp_path: Path) -> None:
    model = shutil.copy(ROOT / "model" / "digits_int8.tflite", tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    told = doctor(tmp_path, MODEL_PATH=str(model))
    assert told.line("wrong", "check_model ended in what nobody thought of: JSONDecodeError")
    assert told.line("ok", "records file")


def test_packages_that_are_not_installed_are_named_with_how_to_install_them(tmp_path: Path) -> None:
    told = doctor(tmp_path, python=["-S"])
    for name in ("functions_framework", "numpy"):
        assert told.line("wrong", f"{name} is not installed", f"pip install -r {ROOT}/function/requirements.txt")
    assert told.line("ok", "The largest picture for nginx")


def test_byte_code_that_is_missing_is_told_with_how_to_make_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "function", tmp_path / "function", ignore=shutil.ignore_patterns("__pycache__"))
    found = doctor(tmp_path, source=tmp_path, PYTHONDONTWRITEBYTECODE="1").line("warning", "no byte code")
    command = found.rpartition("Run: ")[2].replace("python", sys.executable, 1)
    subprocess.run(command.split(), check=True)
    assert doctor(tmp_path, source=tmp_path, PYTHONDONTWRITEBYTECODE="1").line("ok", "byte code")


def test_where_no_temporary_file_can_be_written_it_says_what_to_set(tmp_path: Path) -> None:
    told = doctor(tmp_path, prefix=within("-f 0"))
    assert told.line("wrong", "No temporary file can be written", "TMPDIR")


# ── Where records go ──────────────────────────────────────────────────────────────────────────────────────────
def stores(place: str) -> dict[str, dict[str, str]]:
    """The same file as that of the records, and as the journal."""
    return {
        "RECORDS_URL": {"RECORDS_URL": f"sqlite:///{place}"},
        "JOURNAL_PATH": {"RECORDS_URL": "cassandra://127.0.0.1:1", "JOURNAL_PATH": place},
    }


@pytest.mark.parametrize("variable", ["RECORDS_URL", "JOURNAL_PATH"])
def test_a_file_that_cannot_be_written_is_told_with_whose_it_is(tmp_path: Path, variable: str) -> None:
    (tmp_path / "file").touch()
    below = doctor(tmp_path, stores(str(tmp_path / "file" / "records.db"))[variable])
    assert below.line("wrong", "cannot be written", variable, f"{tmp_path / 'file'} belongs to user {os.geteuid()}")
    nowhere = doctor(tmp_path, stores(str(tmp_path / "nowhere" / "records.db"))[variable])
    assert nowhere.line("wrong", "No such file", f"There is no folder {tmp_path / 'nowhere'}.", variable)
    (tmp_path / "text").write_text("This is no database, but a text that is longer than its header.")
    text = doctor(tmp_path, stores(str(tmp_path / "text"))[variable])
    assert text.line("wrong", "file is not a database", "-rw", variable)
    assert not any("waits" in line or "nobody thought of" in line for line in text)


@pytest.mark.parametrize("variable", ["RECORDS_URL", "JOURNAL_PATH"])
@pytest.mark.parametrize(
    ("disk", "words"),
    [("read-only", ("wrong", "Read-only file system")), ("full", ("wrong", "its disk is full")),
     ("writable", ("warning", "tmpfs, which ends with the container"))],
)  # fmt: skip
def test_a_disk_that_is_of_no_use_or_does_not_last_is_told(
    tmp_path: Path, elsewhere: list[str], variable: str, disk: str, words: Sequence[str]
) -> None:
    told = doctor(tmp_path, stores(f"/mnt/{disk}/records.db")[variable], prefix=elsewhere)
    assert told.line(f"/mnt/{disk}/records.db", *words)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:///", "cassandra://", "cassandra://host/BadName"])
def test_a_url_that_is_none_is_told_once(tmp_path: Path, url: str) -> None:
    told = doctor(tmp_path, RECORDS_URL=url)
    assert told.of("wrong") == [told.line("RECORDS_URL")]


def test_how_many_answers_wait_in_the_journal_is_told(tmp_path: Path) -> None:
    over = {"RECORDS_URL": "cassandra://127.0.0.1:1", "JOURNAL_PATH": str(tmp_path / "journal.db")}
    journal = Journal(tmp_path / "journal.db")
    journal.put(a_record(), lease=0)
    assert doctor(tmp_path, over).line("warning", "1 answers wait in the journal", "python -m function.records drain")
    journal.mark([(1, time.time())])
    assert doctor(tmp_path, over).line("ok", "No answer waits")


def test_without_a_journal_it_says_what_that_means(tmp_path: Path) -> None:
    told = doctor(tmp_path, RECORDS_URL="cassandra://127.0.0.1:1", K_SERVICE="digit-reader")
    assert told.line("ok", "There is no journal, so without Cassandra no answer is given")


# ── Cassandra ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("host", "words"),
    [(f"127.0.0.1:{free_port()}", ("no node listens there", "Start Cassandra")),
     ("nowhere.invalid", ("no name leads anywhere: nowhere.invalid", "Mend the hosts in RECORDS_URL"))],
    ids=["nothing listens", "no such name"],
)  # fmt: skip
def test_a_cassandra_that_is_not_in_reach_is_told_with_why(tmp_path: Path, host: str, words: Sequence[str]) -> None:
    told = doctor(tmp_path, RECORDS_URL=f"cassandra://{host}/mnistkeyspace")
    assert told.of("wrong") == [told.line("Cassandra takes no records", *words)]
    assert told.line("ok", "The journal", "can be written")
    assert list(tmp_path.iterdir()) == []


def test_a_password_that_is_of_no_use_is_told_and_never_shown(tmp_path: Path) -> None:
    url = f"cassandra://127.0.0.1:{free_port()}/mnistkeyspace"
    nobody = doctor(tmp_path, RECORDS_URL=url, CASSANDRA_PASSWORD=SECRET)
    assert nobody.line("wrong", "There is a password, but no user")
    path = tmp_path / "password"
    missing = doctor(tmp_path, RECORDS_URL=url.replace("//", "//reader@"), CASSANDRA_PASSWORD_FILE=str(path))
    assert missing.line("wrong", str(path), "No such file", "CASSANDRA_PASSWORD_FILE")
    within_url = doctor(tmp_path, RECORDS_URL="cassandra://reader:hunter2@127.0.0.1/mnistkeyspace")
    assert within_url.line("wrong", "must hold no password")
    no_url = doctor(tmp_path, RECORDS_URL="cassandra:reader:hunter2@127.0.0.1/mnistkeyspace")
    assert no_url.line("wrong", "RECORDS_URL must be like")
    for told in (nobody, missing, within_url, no_url):
        assert SECRET not in "\n".join(told)
        assert "hunter2" not in "\n".join(told)


def test_tables_that_are_yet_to_be_made_are_not_made_by_looking(
    tmp_path: Path, cassandra: Nodes, keyspace: str
) -> None:
    over = {"RECORDS_URL": f"cassandra://{cassandra.addresses[0]}/{keyspace}"}
    assert doctor(tmp_path, over).line("ok", "the function may make its tables", keyspace)
    with connected(cassandra) as session:
        assert keyspace not in session.cluster.metadata.keyspaces


def test_with_a_cassandra_that_has_the_tables_all_is_well_and_they_stay_as_they_are(
    tmp_path: Path, cassandra: Nodes, keyspace: str
) -> None:
    store, record = open_store(cassandra, keyspace), a_record()
    store.write([(record, 0)])
    told = doctor(tmp_path, RECORDS_URL=f"cassandra://{cassandra.addresses[0]}/{keyspace}")
    assert told.line("ok", f"has all tables in {keyspace}", "may read and write them")
    assert told.of("wrong") == []
    assert store.page(10) == [record]
    store.close()
    with connected(cassandra) as session:
        assert list(session.execute(f"select * from {keyspace}.answer")) == []
        assert len(list(session.execute(f"select * from {keyspace}.predictrecord"))) == 1


def test_a_table_that_lacks_a_column_is_told(tmp_path: Path, cassandra: Nodes, keyspace: str) -> None:
    open_store(cassandra, keyspace).close()
    with connected(cassandra) as session:
        session.execute(f"alter table {keyspace}.predictrecord drop glyphs")
    told = doctor(tmp_path, RECORDS_URL=f"cassandra://{cassandra.addresses[0]}/{keyspace}")
    assert told.line("wrong", "glyphs", "schema.cql")


# ── A Cassandra with rights ───────────────────────────────────────────────────────────────────────────────────
RIGHTS = {  # what is granted to whom, after all tables were made
    "nobody": (),
    "looker": ("select on keyspace mnistkeyspace",),
    "reader": ("select on keyspace mnistkeyspace", "modify on keyspace mnistkeyspace"),
    "forgetful": ("select on keyspace mnistkeyspace", "modify on mnistkeyspace.predictrecord",
                  "modify on mnistkeyspace.recordpartition"),
    "maker": ("create on all keyspaces",),
}  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A node that demands a password, which is SECRET for all."""
    with running_nodes(tmp_path_factory.mktemp("guarded"), password=True) as nodes:
        session = as_administrator(nodes)
        for statement in filter(
            str.strip, re.sub("--.*", "", (ROOT / "function" / "schema.cql").read_text()).split(";")
        ):
            session.execute(statement)
        session.execute("create keyspace empty with replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        for name, rights in RIGHTS.items():
            session.execute(f"create role {name} with login = true and password = %s", (SECRET,))
            for right in rights:
                session.execute(f"grant {right} to {name}")
        session.cluster.shutdown()
        yield nodes


def as_administrator(nodes: Nodes, seconds: float = 60) -> Session:
    deadline = time.monotonic() + seconds
    while True:
        cluster = Cluster(
            nodes.addresses, protocol_version=4, auth_provider=PlainTextAuthProvider("cassandra", "cassandra"),
            execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(RoundRobinPolicy(), request_timeout=60)},
        )  # fmt: skip
        try:
            return cluster.connect()  # who is made some seconds after the node's start
        except Exception:
            cluster.shutdown()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@pytest.mark.parametrize(
    ("name", "keyspace_name", "words"),
    [
        ("reader", "mnistkeyspace", ("ok", "may read and write them")),
        ("nobody", "mnistkeyspace", ("wrong", "not allowed", "grant select on keyspace mnistkeyspace to nobody;")),
        ("looker", "mnistkeyspace", ("wrong", "no MODIFY permission", "to looker; and the same with modify")),
        ("forgetful", "mnistkeyspace", ("wrong", "no MODIFY permission on <table mnistkeyspace.answer>")),
        ("reader", "missing", ("wrong", "no CREATE permission", f"cqlsh -f {ROOT}/function/schema.cql")),
        ("reader", "empty", ("wrong", "no CREATE permission", f"cqlsh -f {ROOT}/function/schema.cql")),
        ("maker", "missing", ("ok", "the function may make its tables in missing")),
        ("maker", "empty", ("ok", "the function may make its tables in empty")),
    ],
)
def test_what_a_user_may_and_may_not_is_told_and_how_to_grant_it(
    tmp_path: Path, guarded: Nodes, name: str, keyspace_name: str, words: Sequence[str]
) -> None:
    url = f"cassandra://{name}@{guarded.addresses[0]}/{keyspace_name}"
    told = doctor(tmp_path, RECORDS_URL=url, CASSANDRA_PASSWORD=SECRET)
    assert told.line(*words)
    assert SECRET not in "\n".join(told)


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path, guarded: Nodes) -> None:
    (tmp_path / "password").write_text("hunter3\n")
    url = f"cassandra://reader@{guarded.addresses[0]}/mnistkeyspace"
    told = doctor(tmp_path, RECORDS_URL=url, CASSANDRA_PASSWORD_FILE=str(tmp_path / "password"))
    assert told.line("wrong", "the login fails", "Mend the user in RECORDS_URL, or the password.")
    assert "hunter3" not in "\n".join(told)


# ── How much, and for whom ────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def front(tmp_path: Path) -> Path:
    folder = tmp_path / "front"
    shutil.copytree(FRONTEND, folder)
    return folder


@pytest.mark.parametrize(("limit", "grade"), [(30_000_001, "wrong"), (1_000_000, "warning")])
def test_a_limit_that_is_not_nginxs_and_the_pages_is_told_and_mended_as_it_says(
    tmp_path: Path, front: Path, limit: int, grade: str
) -> None:
    ours = {"MAX_UPLOAD_BYTES": str(limit), "FRONTEND_DIR": str(front)}
    told = doctor(tmp_path, ours)
    nginx = re.search(r"client_max_body_size \d+;", told.line(grade, "for nginx has 20971520 bytes"))
    page = re.search(r"LIMIT = \d+", told.line(grade, "for the page has 20971520 bytes"))
    assert nginx
    assert page
    for name, pattern, text in (
        ("nginx.conf", r"client_max_body_size \w+;", nginx[0]), ("api.js", r"LIMIT = [^;]+", page[0]),
    ):  # fmt: skip
        path = front / name
        path.write_text(re.sub(pattern, text, path.read_text()))
    told = doctor(tmp_path, ours)
    assert told.line("ok", "for nginx has", "too")
    assert told.line("ok", "for the page has", "too")


@pytest.mark.parametrize(("size", "grade"), [("0", "warning"), ("21M", "warning"), ("20m", "wrong"), ("1g", "warning")])
def test_nginxs_own_ways_to_write_a_size_are_understood(tmp_path: Path, front: Path, size: str, grade: str) -> None:
    path = front / "nginx.conf"
    path.write_text(re.sub(r"client_max_body_size \w+;", f"client_max_body_size {size};", path.read_text()))
    assert doctor(tmp_path, FRONTEND_DIR=str(front)).line(grade, "for nginx has")


def test_pictures_that_do_not_fit_into_memory_are_told_and_how_many_pixels_would(tmp_path: Path) -> None:
    found = doctor(tmp_path, MAX_PIXELS="10000000000000", WORKERS="2").line("warning", "MiB of memory")
    most = re.search(r"MAX_PIXELS=(\d+)", found)
    assert most
    assert doctor(tmp_path, MAX_PIXELS=most[1], WORKERS="2").line("ok", "MiB of memory")
    assert doctor(tmp_path, MAX_PIXELS=str(int(most[1]) + 10), WORKERS="2").line("warning", "MiB of memory")


@pytest.mark.parametrize(
    ("given", "words"),
    [({"WORKERS": "1000"}, "Set WORKERS="), ({"THREADS": "1"}, "Set THREADS=8"),
     ({"THREADS": "4", "MAX_IN_FLIGHT": "4"}, "Set THREADS=8")],
    ids=["too many processes", "one thread", "pictures in all threads"],
)  # fmt: skip
def test_processes_and_threads_that_make_no_sense_are_told(tmp_path: Path, given: dict[str, str], words: str) -> None:
    assert doctor(tmp_path, given).line("warning", words)


@pytest.mark.parametrize("name", ["PORT", "WORKERS", "THREADS"])
@pytest.mark.parametrize("text", ["two", "0", "-1", "1.5"])
def test_a_number_of_the_frameworks_that_is_none_is_told_once(tmp_path: Path, name: str, text: str) -> None:
    told = doctor(tmp_path, {name: text})
    assert told.of("wrong") == [told.line(f"{name} must be a whole number above zero, not '{text}'")]


def test_settings_that_cannot_be_are_all_told_and_all_else_is_looked_at(tmp_path: Path) -> None:
    told = doctor(tmp_path, MAX_PIXELS="many", KEEP_GLYPHS="perhaps", ALLOWED_ORIGINS="here", RECORD_TTL_SECONDS="0")
    for name in ("MAX_PIXELS", "KEEP_GLYPHS", "ALLOWED_ORIGINS", "RECORD_TTL_SECONDS"):
        assert told.line("wrong", f"{name} must be")
    assert len(told.of("wrong")) == 4
    assert told.line("ok", "reads what is drawn")


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, ("warning", "0.0.0.0:8080", "set RECORDS_KEY")),
     ({"HOST": "127.0.0.1", "PORT": "99"}, ("ok", "127.0.0.1:99")),
     ({"RECORDS_KEY": "a key of some length"}, ("ok", "0.0.0.0:8080", "for RECORDS_KEY alone"))],
    ids=["for all", "for this machine", "for a key"],
)  # fmt: skip
def test_who_may_read_all_records_is_told(tmp_path: Path, given: dict[str, str], words: Sequence[str]) -> None:
    assert doctor(tmp_path, given).line(*words)
