"""What is wrong here, and what to do about it: python -m function.doctor, with the function's own environment.

A line for each check, which begins with ok, warning or wrong. Exit status 1 if anything is wrong. It leaves nothing
behind that the function would not, and tells no secret. The function does not import it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import platform
import re
import stat
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .settings import ENVELOPE, MEBIBYTE, PACKAGE, Settings, read_settings

if TYPE_CHECKING:  # each check imports what it looks at: whatever is missing, the others still speak
    from .records.address import Address
    from .records.sqlite import SqliteFile

SHAPES = ((1, 28, 28, 1), (1, 11))  # of the model's input and output
DECODED = 16  # bytes of memory for each pixel, at most
PROCESS = 100 * MEBIBYTE  # of memory for a worker beside its pictures
HIDDEN = 4  # characters: shorter secrets are in too many words to be taken out of them
FLEETING = {"tmpfs", "ramfs", "overlay", "aufs"}  # file systems that end with the container or the machine
INSTALL = f"Run: python -m pip install -r {PACKAGE / 'requirements.txt'}"
ANOTHER_MODEL = "Name another in MODEL_PATH, or run: make convert"

# What Cassandra never does: to whom may not make tables it says so, and to others only then that it is nonsense.
MAKE_KEYSPACE = "create keyspace {} with replication = {{'class': 'NoSuchStrategy'}}"
MAKE_TABLE = "create table {}.predictrecord (id int primary key) with no_such_property = 1"
# These need the right to read and to write each table, and find nothing to change.
CHANGES = (
    """update predictrecord set correction = '' where day = '1970-01-01' and shard = 0
       and id = 00000000-0000-1000-8000-000000000000 if exists""",
    "delete from recordpartition where log = 0 and day = '1970-01-01' and shard = 0 if exists",
    "update answer set answer = '' where key = ' ' if exists",
)
# What to do about a reason of cluster.py that has these words, the first that fits.
REMEDIES = {
    "the login fails": "Mend the user in RECORDS_URL, or the password.",
    "no CREATE permission": "As an administrator: cqlsh -f {schema}",
    "not allowed": "As an administrator: grant select on keyspace {keyspace} to {user}; and the same with modify",
    "no name leads": "Mend the hosts in RECORDS_URL, or what knows their names.",
    "InvalidRequest": "Compare the tables with {schema}: add what they lack, or name another keyspace in RECORDS_URL.",
    "": "Start Cassandra, or mend RECORDS_URL. Until then answers wait in the journal, if there is one.",
}

Environment = Mapping[str, str]
Check = Callable[
    [Settings, Environment], str
]  # gives words, or raises Wrong or Doubt; empty where there is nothing to say


class Wrong(Exception):
    """The function does not do what it is told to, until somebody does what this says."""


class Doubt(Exception):
    """It does, but not always, or not for long."""


# ── What it runs on ───────────────────────────────────────────────────────────────────────────────────────────
def check_python(_: Settings, __: Environment) -> str:
    for module in ("functions_framework", "gunicorn"):
        importlib.import_module(module)
    return f"Python {platform.python_version()} runs functions-framework, on {platform.system()}, {platform.machine()}."


def check_model(settings: Settings, _: Environment) -> str:
    from .classify import Classifier
    from .litert import Model

    model = settings.model_path
    try:
        content = model.read_bytes()
    except OSError as error:
        raise Wrong(f"The model {model} cannot be read ({error.strerror}). {ANOTHER_MODEL}") from error
    digest, expected = hashlib.sha256(content).hexdigest(), described(model)
    if expected not in (None, digest):  # and is not run: a damaged one could end this process
        raise Wrong(
            f"The model {model} has another SHA-256 ({digest}) than metrics.json beside it tells ({expected}). "
            "Take both from one release, or run: make convert"
        )
    try:
        tensors = Model(content)
        if (tensors.input.shape, tensors.output.shape) != SHAPES:
            raise Wrong(f"The model {model} takes or gives other shapes than {SHAPES}. {ANOTHER_MODEL}")
        digits = Classifier(model).classify(glyphs()).argmax(axis=1).tolist()
    except RuntimeError as error:
        raise Wrong(f"The model {model} cannot be used. {error} {ANOTHER_MODEL}") from error
    if digits != [0, 1]:
        raise Wrong(f"The model {model} reads {digits[0]} and {digits[1]} where 0 and 1 are drawn. {ANOTHER_MODEL}")
    compared = "as metrics.json tells" if expected else "and no metrics.json tells which it should be"
    return f"The model {model} reads what is drawn. Its SHA-256 is {digest}, {compared}."


def described(model: Path) -> str | None:
    """The SHA-256 that metrics.json tells of a model, if it does."""
    path = model.with_name("metrics.json")
    metrics = json.loads(path.read_text()) if path.is_file() else {}
    return str(metrics["sha256"]) if metrics.get("model") == model.name else None


def glyphs() -> Any:
    """A 0 and a 1 as the model sees them, (2, 28, 28) uint8."""
    import numpy as np

    across = np.arange(28) - 13.5
    down = across[:, np.newaxis]
    ring, bar = np.abs(np.hypot(1.4 * across, down) - 8.5), np.maximum(np.abs(across), np.abs(down) - 8)
    return (255 * np.clip(2 - np.stack([ring, bar]), 0, 1)).astype(np.uint8)


def check_decoders(_: Settings, __: Environment) -> str:
    from .decode import KINDS, READABLE

    missing = [kind for kind, (_, module) in KINDS.items() if not can_decode(module)]
    if missing:
        raise Wrong(f"Pictures of these kinds cannot be read: {', '.join(missing)}. {INSTALL}")
    return f"Pictures can be read: {READABLE}."


def can_decode(module: str) -> bool:
    try:
        found = importlib.import_module(module, __package__)
    except ImportError:
        return False
    return bool(getattr(found, "SUPPORTED", True))  # which Pillow's own modules say of what it was built with


def check_byte_code(_: Settings, __: Environment) -> str:
    if not Path(cache_from_source(str(PACKAGE / "main.py"))).exists():
        raise Doubt(f"There is no byte code yet, so a start takes longer. Run: python -m compileall -q {PACKAGE}")
    return "There is byte code, for a quick start."


def check_temporary(_: Settings, __: Environment) -> str:
    try:
        with tempfile.TemporaryFile():
            return f"Temporary files can be written in {tempfile.gettempdir()}."
    except OSError as error:
        raise Wrong(
            f"No temporary file can be written, and gunicorn needs some ({error.strerror}). "
            "Set TMPDIR to a folder where this user may write, such as /dev/shm."
        ) from error


# ── Where records go ──────────────────────────────────────────────────────────────────────────────────────────
def check_sqlite(settings: Settings, _: Environment) -> str:
    from .records import open_records
    from .records.sqlite import SqliteRecords

    if is_cassandra(settings):
        return ""
    try:
        open_records(settings)
    except ValueError as error:
        raise Wrong(f"{error}.") from error
    path = Path(settings.records_url.removeprefix("sqlite:///"))
    return check_file("The records file", path, lambda path: SqliteRecords(str(path)), "RECORDS_URL")


def check_journal(settings: Settings, _: Environment) -> str:
    from .records.journal import Journal

    path = settings.journal_path
    if not is_cassandra(settings):
        return ""
    if path is None:
        return "There is no journal, so without Cassandra no answer is given: JOURNAL_PATH can name one."
    return check_file("The journal", path, Journal, "JOURNAL_PATH")


def check_waiting(settings: Settings, _: Environment) -> str:
    from .errors import Unavailable
    from .records.journal import Journal

    path = settings.journal_path
    if path is None or not os.access(path, os.R_OK) or not is_cassandra(settings):
        return ""
    try:
        count, since = Journal(path).waiting(by=time.time())
    except Unavailable:  # of which check_journal tells
        return ""
    if count:
        raise Doubt(
            f"{count} answers wait in the journal, since {time.ctime(since)}. They go to Cassandra while the function "
            "runs, or with: python -m function.records drain"
        )
    return "No answer waits in the journal."


def is_cassandra(settings: Settings) -> bool:
    return settings.records_url.startswith("cassandra://")


def check_file(name: str, path: Path, opened: Callable[[Path], SqliteFile], variable: str) -> str:
    """A small write to the file; where there is none yet, to another beside it: this user may not be the function's."""
    from .errors import Unavailable

    path = path.absolute()
    try:
        if path.exists():
            opened(path).check()
        else:
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                opened(Path(folder, path.name)).check()
    except (Unavailable, OSError) as error:
        why = getattr(error, "strerror", None) or error.__cause__ or error
        raise Wrong(
            f"{name} {path} cannot be written ({why}). {owner(path)} Mend that, or the path in {variable}."
        ) from error
    kind = file_system(path)
    if kind in FLEETING:
        raise Doubt(f"{name} {path} can be written, but on {kind}, which ends with the container: use a volume.")
    return f"{name} {path} can be written{f', on {kind}' if kind else ''}."


def owner(path: Path) -> str:
    """Who may write a file, or where there is none, its folder."""
    place = path if os.access(path, os.F_OK) else path.parent
    if not os.access(place, os.F_OK):
        return f"There is no folder {place}."
    found = place.stat()
    return (
        f"{place} belongs to user {found.st_uid} and group {found.st_gid} ({stat.filemode(found.st_mode)}), and this "
        f"is user {os.geteuid()} of group {os.getegid()}."
    )


def file_system(path: Path) -> str:
    """Its kind, such as ext4 or tmpfs; empty where the system does not tell."""
    mounts = Path("/proc/self/mounts")  # proc_mounts(5)
    lines = [line.split() for line in mounts.read_text().splitlines()] if mounts.exists() else []
    around = [(len(place), kind) for _, place, kind, *_ in lines if path.resolve().is_relative_to(place)]
    return max(around, default=(0, ""), key=lambda mount: mount[0])[1]


def check_cassandra(settings: Settings, _: Environment) -> str:
    from .errors import Down
    from .records.address import read_address

    if not is_cassandra(settings):
        return ""
    try:
        address = read_address(settings.records_url.removeprefix("cassandra://"))
        return ask_cassandra(address, password(settings, address), settings.record_ttl_seconds)
    except ValueError as error:
        raise Wrong(f"{error}.") from error
    except Down as error:
        remedy = next(remedy for words, remedy in REMEDIES.items() if words in error.detail)
        names = {"keyspace": address.keyspace, "user": address.user, "schema": PACKAGE / "schema.cql"}
        raise Wrong(f"Cassandra takes no records: {error.detail}. {remedy.format(**names)}") from error


def password(settings: Settings, address: Address) -> str:
    file = settings.cassandra_password_file
    if (settings.cassandra_password or file) and not address.user:
        raise Wrong("There is a password, but no user: RECORDS_URL must be like cassandra://user@host/mnistkeyspace.")
    if settings.cassandra_password or not file:
        return settings.cassandra_password
    try:
        return file.read_text().strip()
    except OSError as error:
        raise Wrong(
            f"The password's file {file} cannot be read ({error.strerror}). {owner(file.absolute())} "
            "Mend that, or the path in CASSANDRA_PASSWORD_FILE."
        ) from error


def ask_cassandra(address: Address, password: str, ttl: int | None) -> str:
    """Raises `Down` with the reason."""
    from .records.cassandra import TABLES, CassandraRecords
    from .records.cluster import open_cluster, reasons

    with reasons():
        cluster = open_cluster(address, password)
    try:
        with reasons():
            session = cluster.connect()
        keyspace = cluster.metadata.keyspaces.get(address.keyspace)
        if not keyspace or not keyspace.tables.keys() >= TABLES:
            with reasons():
                try_to_make(session, (MAKE_TABLE if keyspace else MAKE_KEYSPACE).format(address.keyspace))
            return f"Cassandra can be reached, and the function may make its tables in {address.keyspace}."
        store = CassandraRecords(address, password=password, ttl=ttl, changed=lambda: None)
        try:
            store.probe()
            store.page(1)
        finally:
            store.close()
        with reasons():
            session.set_keyspace(address.keyspace)
            for change in CHANGES:
                session.execute(change)
    finally:
        cluster.shutdown()
    return f"Cassandra has all tables in {address.keyspace}, and this user may read and write them."


def try_to_make(session: Any, statement: str) -> None:
    """Raises `Unauthorized` if the user may not."""
    from cassandra.protocol import ConfigurationException, SyntaxException

    with suppress(ConfigurationException, SyntaxException):
        session.execute(statement)


# ── How much, and for whom ────────────────────────────────────────────────────────────────────────────────────
def check_nginx(settings: Settings, _: Environment) -> str:
    said = in_front(settings, "nginx.conf", r"client_max_body_size\s+(\d+)([kKmMgG]?);")
    if not said:
        return ""
    size = int(said[1]) * 1024 ** " kmg".index(said[2].lower() or " ")
    right = (
        f"Set client_max_body_size {settings.max_upload_bytes + ENVELOPE}; in nginx.conf, and mend what its 413 says."
    )
    return agree(settings, "nginx", size - ENVELOPE if size else math.inf, right)  # 0 is none


def check_page(settings: Settings, _: Environment) -> str:
    said = in_front(settings, "api.js", r"const LIMIT = (\d[\d *]*);")
    if not said:
        return ""
    limit = math.prod(int(number) for number in said[1].split("*"))
    return agree(settings, "the page", limit, f"Set LIMIT = {settings.max_upload_bytes} in api.js, and mend texts.js.")


def in_front(settings: Settings, name: str, pattern: str) -> re.Match[str] | None:
    """What a file of the page says, if it is at hand."""
    path = (settings.frontend_dir or PACKAGE.parent / "frontend") / name
    return re.search(pattern, path.read_text()) if path.is_file() else None


def agree(settings: Settings, who: str, limit: float, right: str) -> str:
    """`limit` is the bytes of a picture that get through to the function."""
    words = f"The largest picture for {who} has {limit} bytes, and for the function {settings.max_upload_bytes}"
    if limit < settings.max_upload_bytes:
        raise Wrong(f"{words}, which never come. {right}")
    if limit > settings.max_upload_bytes:
        raise Doubt(f"{words}: what is between is sent in vain. {right}")
    return f"{words} too."


def check_memory(settings: Settings, environment: Environment) -> str:
    workers, have = number(environment, "WORKERS", 1), memory()
    need = workers * (settings.max_pixels * DECODED + PROCESS)
    words = f"The largest pictures need {need // MEBIBYTE} MiB of memory, and there are {have // MEBIBYTE}"
    if need > have:
        most = max(1, (have // workers - PROCESS) // DECODED)
        raise Doubt(f"{words}: they could end the function. Set MAX_PIXELS={most}, or WORKERS lower, or give it more.")
    return f"{words}."


def memory() -> int:
    """Bytes that this process may have: the machine's, or less where its control group (of version 2 or 1) says so."""
    bounds = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # it is not there, or "max"
            bounds.append(int(Path(path).read_text()))
    return min(bounds)


def check_processes(settings: Settings, environment: Environment) -> str:
    cores = os.cpu_count() or 1
    workers, threads = number(environment, "WORKERS", 1), number(environment, "THREADS", 4 * cores)
    words = f"WORKERS={workers} and THREADS={threads}, on {cores} cores"
    if workers > 2 * cores:
        raise Doubt(f"{words}: more than there is work for, and each takes memory. Set WORKERS={cores}.")
    if threads <= settings.max_in_flight:
        raise Doubt(f"{words}: slow clients and questions for health hold up pictures, and these them. Set THREADS=8.")
    return f"{words}."


def number(environment: Environment, name: str, default: int) -> int:
    """One of functions-framework's own, which ends at what is none."""
    text = environment.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise Wrong(f"{name} must be a whole number above zero, not {text!r}.")
    return int(text)


def check_address(settings: Settings, environment: Environment) -> str:
    host = environment.get("HOST") or "0.0.0.0"  # noqa: S104  (functions-framework's default)
    port = number(environment, "PORT", 8080)
    if host.startswith("127.") or host in ("localhost", "::1"):
        return f"The function listens on {host}:{port}, for this machine alone."
    if not settings.records_key:
        raise Doubt(f"Whoever reaches {host}:{port} can read and correct all records: set RECORDS_KEY.")
    return f"The function listens on {host}:{port}, and shows records for RECORDS_KEY alone."


# ── All of it ─────────────────────────────────────────────────────────────────────────────────────────────────
CHECKS: tuple[Check, ...] = (
    check_python, check_model, check_decoders, check_byte_code, check_temporary, check_sqlite, check_journal,
    check_waiting, check_cassandra, check_nginx, check_page, check_memory, check_processes, check_address,
)  # fmt: skip


def findings(environment: Environment) -> Iterator[tuple[str, str]]:
    """(ok, warning or wrong; what is), each once."""
    settings, nonsense = understood(environment)
    yield from (("wrong", f"{words}. All else is looked at as if it were not set.") for words in nonsense)
    hidden = [secret for secret in secrets(settings) if len(secret) >= HIDDEN]
    told = {""}
    for check in CHECKS:
        grade, words = outcome(check, settings, environment)
        for secret in hidden:
            words = words.replace(secret, "…")
        if words not in told:
            yield grade, " ".join(words.split())
        told.add(words)


def outcome(check: Check, settings: Settings, environment: Environment) -> tuple[str, str]:
    try:
        return "ok", check(settings, environment)
    except Doubt as doubt:
        return "warning", str(doubt)
    except Wrong as wrong:
        return "wrong", str(wrong)
    except ModuleNotFoundError as error:
        return "wrong", f"{error.name} is not installed. {INSTALL}"
    except Exception as error:  # noqa: BLE001  (whatever befalls one check, the others go on)
        return "wrong", f"{check.__name__} ended in what nobody thought of: {type(error).__name__}: {error}"


def understood(environment: Environment) -> tuple[Settings, list[str]]:
    """The settings without the variables that say what cannot be, and what is said of those."""
    left, nonsense = dict(environment), list[str]()
    while True:
        try:
            return read_settings(left), nonsense
        except ValueError as error:  # begins with the variable's name
            nonsense.append(str(error))
            del left[nonsense[-1].split()[0]]


def secrets(settings: Settings) -> Iterator[str]:
    yield from (settings.cassandra_password, settings.upload_key, settings.records_key)
    yield from re.findall(r":([^:/@]+)@", settings.records_url)  # where none belongs
    if settings.cassandra_password_file:
        with suppress(OSError, ValueError):
            yield settings.cassandra_password_file.read_text().strip()


def main(environment: Environment) -> int:
    """The exit status."""
    grades = Counter[str]()
    for grade, words in findings(environment):
        grades[grade] += 1
        print(f"{grade:7}  {words}", flush=True)
    if grades["wrong"]:
        print("Not all is well: see what is wrong.")
    else:
        print("Nothing is wrong; see the warnings." if grades["warning"] else "All is well.")
    return int(grades["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main(os.environ))
