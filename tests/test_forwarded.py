"""Records on their way: into the journal at once, and to a real Cassandra as soon as it takes them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from function.errors import Lost, Unavailable
from function.records import Kept, Record, new_id, open_records
from function.records.cassandra import CassandraRecords
from function.records.forwarded import ForwardedRecords
from function.records.forwarder import BATCH
from function.settings import read_settings
from tests.helpers import ROOT, digit_png, running_function, wait_until_nothing_waits
from tests.nodes import Nodes, connected, wait_until_up


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def environment(address: str, keyspace: str, folder: Path, **more: str) -> dict[str, str]:
    url = f"cassandra://{address}/{keyspace}"
    return {"RECORDS_URL": url, "JOURNAL_PATH": str(folder / "journal.db"), **more}


@contextlib.contextmanager
def opened(address: str, keyspace: str, folder: Path, **more: str) -> Iterator[ForwardedRecords]:
    store = open_records(read_settings(environment(address, keyspace, folder, **more)))
    assert isinstance(store, ForwardedRecords)
    yield store
    store.forwarder.close()


@pytest.fixture
def cut_off(nowhere: str, keyspace: str, tmp_path: Path) -> Iterator[ForwardedRecords]:
    with opened(nowhere, keyspace, tmp_path) as store:
        yield store


def a_record(result: str = "9") -> Record:
    return Record(new_id(), "9.png", result, 0.9987, "digits_int8@0123456789ab", "5f" * 32)


# ── Without Cassandra ─────────────────────────────────────────────────────────────────────────────────────────
class TestCutOff:
    def test_records_are_queued_and_found_by_their_ids(self, cut_off: ForwardedRecords) -> None:
        record = a_record()
        assert cut_off.add(record, key="", answer="the answer") == Kept("the answer", "queued")
        assert cut_off.get(record.id) == record

    def test_a_key_gives_the_first_answer(self, cut_off: ForwardedRecords) -> None:
        assert cut_off.answered("a key") is None
        assert cut_off.add(a_record(), key="a key", answer="one") == Kept("one", "queued")
        assert cut_off.add(a_record(), key="a key", answer="two") == Kept("one", "queued")
        assert cut_off.answered("a key") == Kept("one", "queued")

    def test_what_is_queued_can_be_corrected(self, cut_off: ForwardedRecords) -> None:
        record = a_record()
        cut_off.add(record, key="", answer="")
        corrected = dataclasses.replace(record, correction="7")
        assert cut_off.correct(record.id, "7") == corrected
        assert cut_off.get(record.id) == corrected

    def test_a_correction_of_what_is_queued_can_be_taken_back(self, cut_off: ForwardedRecords) -> None:
        record = a_record()
        cut_off.add(record, key="", answer="")
        cut_off.correct(record.id, "7")
        for _ in range(2):
            assert cut_off.correct(record.id, None) == cut_off.get(record.id) == record

    def test_what_only_cassandra_knows_is_unavailable_and_says_why(self, cut_off: ForwardedRecords) -> None:
        for ask in (
            lambda: cut_off.page(10),
            lambda: cut_off.get(new_id()),
            lambda: cut_off.correct(new_id(), "7"),
            lambda: cut_off.correct(new_id(), None),
        ):
            with pytest.raises(Unavailable, match="Cassandra cannot be read: no node listens there"):
                ask()

    def test_it_is_ready_and_says_how_many_wait_and_why(self, cut_off: ForwardedRecords) -> None:
        for _ in range(3):
            cut_off.add(a_record(), key="", answer="")
        with contextlib.suppress(Unavailable):
            cut_off.page(1)  # waits for the first try to connect
        time.sleep(0.1)
        state = cut_off.check()
        assert (state.up, state.reason, state.queued) == (False, "no node listens there", 3)
        assert 0.1 <= state.oldest < 10

    def test_it_says_once_that_cassandra_is_down(
        self, nowhere: str, keyspace: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with opened(nowhere, keyspace, tmp_path) as store:
            store.check()
            time.sleep(4)
        told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert told == [
            f"Cassandra takes no records: no node listens there. They are kept in {tmp_path / 'journal.db'}."
        ]

    def test_if_the_journal_takes_nothing_either_that_is_said(
        self, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        with opened(nowhere, keyspace, tmp_path / "missing") as store:
            for ask in (
                lambda: store.add(a_record(), key="", answer=""),
                lambda: store.add(a_record(), key="a key", answer=""),
                store.check,
            ):
                with pytest.raises(Unavailable, match=r"The journal cannot be used .*Cassandra takes nothing either"):
                    ask()

    def test_a_journal_that_another_keeps_locked_holds_up_nobody_for_long(
        self, cut_off: ForwardedRecords, tmp_path: Path
    ) -> None:
        cut_off.check()

        def add(_: int) -> float:
            began = time.monotonic()
            with pytest.raises(Unavailable, match="The journal"):
                cut_off.add(a_record(), key="", answer="")
            return time.monotonic() - began

        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as other, ThreadPoolExecutor(8) as pool:
            other.execute("begin immediate")
            assert max(pool.map(add, range(8))) < 2
        assert cut_off.add(a_record(), key="", answer="").recorded == "queued"

    def test_a_password_file_that_is_not_there_is_the_reason(self, nowhere: str, keyspace: str, tmp_path: Path) -> None:
        with opened(nowhere, keyspace, tmp_path, CASSANDRA_PASSWORD_FILE=str(tmp_path / "secret")) as store:
            with pytest.raises(Unavailable, match="the file of the password cannot be read: No such file"):
                store.page(1)
            assert store.add(a_record(), key="", answer="").recorded == "queued"

    def test_a_certificate_that_is_not_there_is_the_reason(self, nowhere: str, keyspace: str, tmp_path: Path) -> None:
        with (
            opened(nowhere, f"{keyspace}?tls=true&ca=/nowhere/ca.pem", tmp_path) as store,
            pytest.raises(Unavailable, match=r"ca, cert or key of RECORDS_URL cannot be used: .*No such file"),
        ):
            store.page(1)

    def test_it_ends_at_once(self, cut_off: ForwardedRecords) -> None:
        cut_off.add(a_record(), key="", answer="")
        began = time.monotonic()
        cut_off.forwarder.close()
        assert time.monotonic() - began < 3


# ── On the way ────────────────────────────────────────────────────────────────────────────────────────────────
class TestForwarding:
    def test_what_was_queued_arrives_with_its_corrections_and_keys(
        self, cassandra: Nodes, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        records = [a_record(str(number)) for number in range(120)]
        with opened(nowhere, keyspace, tmp_path) as store:
            for record in records:
                store.add(record, key=f"key {record.result}", answer=f"answer {record.result}")
            store.correct(records[0].id, "7")
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            wait_until_up(store)
            assert store.page(1000) == [*records[:0:-1], dataclasses.replace(records[0], correction="7")]
        (tmp_path / "elsewhere").mkdir()
        with opened(cassandra.addresses[0], keyspace, tmp_path / "elsewhere") as store:  # which has another journal
            wait_until_up(store)
            assert store.answered("key 0") == Kept("answer 0", "stored")
            assert store.answered("key 119") == Kept("answer 119", "stored")

    def test_it_arrives_in_the_order_in_which_it_came(
        self, cassandra: Nodes, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        records = [a_record(str(number)) for number in range(60)]
        with opened(nowhere, keyspace, tmp_path) as store:
            for record in records:
                store.add(record, key="", answer="")
        arrived: list[str] = []
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            store.forwarder.connect()
            write = store.forwarder._store.write  # type: ignore[union-attr]

            def noting(some: list[tuple[Record, int]], **options: float) -> bool:
                arrived.extend(record.result for record, _ in some)
                return write(some, **options)

            store.forwarder._store.write = noting  # type: ignore[union-attr, method-assign]
            assert list(store.forwarder.drain())[-1] == 0
        assert arrived == [record.result for record in records]

    def test_a_listing_has_what_waits_among_what_is_stored(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path
    ) -> None:
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            wait_until_up(store)
            records = [a_record(str(number)) for number in range(10)]
            for number, record in enumerate(records):
                if number % 2:
                    store.add(record, key="", answer="")
                else:
                    store._journal.put(record, lease=60)
            assert store.page(10) == records[::-1]
            assert store.page(3, before=records[5].id) == records[4:1:-1]

    def test_what_arrives_lives_as_long_as_the_settings_say(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path
    ) -> None:
        with opened(cassandra.addresses[0], keyspace, tmp_path, RECORD_TTL_SECONDS="1000") as store:
            store.add(a_record(), key="", answer="")
            wait_until_up(store)
        with connected(cassandra) as session:
            (left,) = session.execute(f"select ttl(result) from {keyspace}.predictrecord").one()
        assert 900 < left <= 1000

    def test_a_correction_made_elsewhere_is_seen_at_once(self, cassandra: Nodes, keyspace: str, tmp_path: Path) -> None:
        record = a_record()
        (tmp_path / "elsewhere").mkdir()
        with (
            opened(cassandra.addresses[0], keyspace, tmp_path) as here,
            opened(cassandra.addresses[0], keyspace, tmp_path / "elsewhere") as elsewhere,
        ):
            wait_until_up(here)
            wait_until_up(elsewhere)
            assert here.add(record, key="", answer="").recorded == "stored"
            wait_until_up(here)
            time.sleep(1)
            corrected = elsewhere.correct(record.id, "7")
            assert corrected
            assert here.get(record.id) == here.page(1)[0] == corrected

    @pytest.mark.parametrize("corrections", [("7", None), (None, "7"), ("7", None, "1"), ("7", "1", None)])
    def test_what_was_said_last_while_cassandra_was_down_is_what_arrives(
        self, cassandra: Nodes, nowhere: str, keyspace: str, tmp_path: Path, corrections: tuple[str | None, ...]
    ) -> None:
        record = a_record()
        with opened(nowhere, keyspace, tmp_path) as store:
            store.add(record, key="a key", answer="one")
            for correction in corrections:
                store.correct(record.id, correction)
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            wait_until_up(store)
            expected = dataclasses.replace(record, correction=corrections[-1])
            assert store.page(10) == [store.get(record.id)] == [expected]
            assert store._journal.get(record.id) is None

    @pytest.mark.parametrize(("early", "late"), [("7", None), (None, "7")])
    def test_what_waited_here_since_before_does_not_undo_what_was_said_elsewhere_since(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, early: str | None, late: str | None
    ) -> None:
        record = a_record()
        (tmp_path / "elsewhere").mkdir()
        with opened(cassandra.addresses[0], keyspace, tmp_path / "elsewhere") as elsewhere:
            wait_until_up(elsewhere)
            elsewhere.add(record, key="", answer="")
            elsewhere.correct(record.id, "1")
            between = time.time_ns() // 1000
            elsewhere.correct(record.id, late)
        with opened(cassandra.addresses[0], keyspace, tmp_path) as here:
            here._journal.put(dataclasses.replace(record, correction=early), lease=0, corrected=between)
            wait_until_up(here)
            assert here._journal.get(record.id) is None
            assert here.get(record.id) == dataclasses.replace(record, correction=late)

    def test_one_taken_back_here_later_undoes_what_was_said_elsewhere_before(
        self, cassandra: Nodes, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        record = a_record()
        (tmp_path / "elsewhere").mkdir()
        with opened(cassandra.addresses[0], keyspace, tmp_path / "elsewhere") as elsewhere:
            wait_until_up(elsewhere)
            elsewhere.add(record, key="", answer="")
            elsewhere.correct(record.id, "7")
        with opened(nowhere, keyspace, tmp_path) as here:
            here._journal.put(record, lease=0)  # as one of late does of which a node may have lost what it wrote
            assert here.correct(record.id, None) == record
        with opened(cassandra.addresses[0], keyspace, tmp_path) as here:
            wait_until_up(here)
            assert here._journal.get(record.id) is None
            assert here.get(record.id) == record

    def test_one_failure_queues_one_answer_and_three_in_a_row_take_cassandra_for_down(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures = 0

        def fail_at_times(store: CassandraRecords, *arguments: Any, **options: Any) -> bool:
            nonlocal failures
            if failures:
                failures -= 1
                raise Lost("no node answered in time")
            return write(store, *arguments, **options)

        write = CassandraRecords.write
        monkeypatch.setattr(CassandraRecords, "write", fail_at_times)
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            wait_until_up(store)
            failures = 1
            assert store.add(a_record(), key="", answer="").recorded == "queued"
            assert store.forwarder.up
            assert store.add(a_record(), key="", answer="").recorded == "stored"
            monkeypatch.setattr(store.forwarder, "_look", lambda by: by)  # which would find that all is well
            time.sleep(1)
            failures = 3
            assert [store.add(a_record(), key="", answer="").recorded for _ in range(4)] == ["queued"] * 4
            assert (failures, store.forwarder.up, store.forwarder.reason) == (0, False, "no node answered in time")
            monkeypatch.undo()
            wait_until_up(store)
            assert len(store.page(10)) == 6

    def test_a_moment_in_which_all_who_ask_get_no_answer_is_one_failure(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stall(*_: Any, **__: Any) -> bool:
            together.wait(10)
            raise Lost("no node answered in time")

        clients = 8
        together = threading.Barrier(clients)
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store, ThreadPoolExecutor(clients) as executor:
            wait_until_up(store)
            with monkeypatch.context() as patch:
                patch.setattr(store.forwarder, "_look", lambda by: by)  # which would find that all is well
                time.sleep(1)
                patch.setattr(CassandraRecords, "write", stall)
                kept = list(executor.map(lambda _: store.add(a_record(), key="", answer="").recorded, range(clients)))
            assert kept == ["queued"] * clients
            assert store.forwarder.up
            wait_until_up(store)
            assert len(store.page(10)) == clients

    def test_who_doubts_need_not_wait_until_all_that_waits_is_forwarded(
        self, nowhere: str, cassandra: Nodes, keyspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        probed: list[int] = []  # how many waited

        def count_and_probe(store: CassandraRecords) -> None:
            probed.append(here._journal.waiting()[0])
            probe(store)

        def write_and_doubt(store: CassandraRecords, records: Sequence[Any], **options: Any) -> bool:
            if len(records) == BATCH:
                here.forwarder._doubt()
            return write(store, records, **options)

        probe, write = CassandraRecords.probe, CassandraRecords.write
        with opened(nowhere, keyspace, tmp_path) as away:
            for _ in range(3 * BATCH):
                away.add(a_record(), key="", answer="")
        monkeypatch.setattr(CassandraRecords, "probe", count_and_probe)
        monkeypatch.setattr(CassandraRecords, "write", write_and_doubt)
        with opened(cassandra.addresses[0], keyspace, tmp_path) as here:
            here.start()
            wait_until_up(here)
            assert len(here.page(200)) == 3 * BATCH
        assert probed[:4] == [3 * BATCH, 2 * BATCH, BATCH, 0]

    def test_a_node_that_was_silent_at_first_is_asked_until_it_answers(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[set[tuple[str, int]]] = []

        def silent_twice(store: CassandraRecords) -> set[tuple[str, int]]:
            told = nodes(store)
            asked.append({(name, 0) for name, _ in told} if len(asked) < 2 else told)
            return asked[-1]

        nodes = CassandraRecords.nodes
        monkeypatch.setattr(CassandraRecords, "nodes", silent_twice)
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            wait_until_up(store)
            time.sleep(3)
        assert [all(start for _, start in told) for told in asked] == [False, False, True]

    def test_a_key_that_could_not_be_claimed_is_claimed_before_its_record_is_written(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> tuple[Record, str]:
            raise Lost("no node answered in time")

        record = a_record()
        (tmp_path / "elsewhere").mkdir()
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            wait_until_up(store)
            with monkeypatch.context() as patch:
                patch.setattr(CassandraRecords, "claim", fail)
                assert store.add(record, key="a key", answer="one") == Kept("one", "queued")
            wait_until_up(store)
            with opened(cassandra.addresses[0], keyspace, tmp_path / "elsewhere") as elsewhere:
                wait_until_up(elsewhere)
                assert elsewhere.add(a_record(), key="a key", answer="two") == Kept("one", "stored")
                assert elsewhere.page(10) == [record]

    def test_a_full_journal_is_no_matter_while_cassandra_is_up(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = a_record()
        with opened(cassandra.addresses[0], keyspace, tmp_path) as store:
            wait_until_up(store)
            monkeypatch.setattr("function.records.sqlite.ROOM", 1 << 60)
            assert store.add(record, key="", answer="one") == Kept("one", "stored")
            assert store.correct(record.id, "7") == dataclasses.replace(record, correction="7")
            state = store.check()
            assert state.up
            assert "its disk is full" in state.reason
            assert store.page(10) == [dataclasses.replace(record, correction="7")]
            assert store.correct(record.id, None) == record
            assert store.page(10) == [record]


class TestWithoutJournal:
    """Where no disk outlives the process."""

    def test_the_first_answer_waits_for_cassandra_and_is_stored(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path
    ) -> None:
        record = a_record()
        with opened(cassandra.addresses[0], keyspace, tmp_path, JOURNAL_PATH="none") as store:
            assert store.add(record, key="a key", answer="one") == Kept("one", "stored")
            assert store.add(a_record(), key="a key", answer="two") == Kept("one", "stored")
            assert store.answered("a key") == Kept("one", "stored")
            assert store.correct(record.id, "7") == dataclasses.replace(record, correction="7")
            assert store.page(10) == [dataclasses.replace(record, correction="7")]
            assert store.correct(record.id, None) == store.get(record.id) == record
            assert (store.check().up, store.check().reason) == (True, "")
        assert list(tmp_path.iterdir()) == []

    def test_without_cassandra_there_is_no_answer(self, nowhere: str, keyspace: str, tmp_path: Path) -> None:
        with opened(nowhere, keyspace, tmp_path, JOURNAL_PATH="none") as store:
            for ask in (
                lambda: store.add(a_record(), key="", answer=""),
                lambda: store.add(a_record(), key="a key", answer=""),
                store.check,
            ):
                began = time.monotonic()
                with pytest.raises(Unavailable, match=r"no journal\. Cassandra takes nothing either: no node"):
                    ask()
                assert time.monotonic() - began < 3

    def test_a_key_that_cannot_be_claimed_makes_no_record(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> tuple[Record, str]:
            raise Lost("no node answered in time")

        with opened(cassandra.addresses[0], keyspace, tmp_path, JOURNAL_PATH="none") as store:
            store.add(a_record(), key="", answer="")  # waits until Cassandra is up
            with monkeypatch.context() as patch:
                patch.setattr(CassandraRecords, "claim", fail)
                with pytest.raises(Unavailable, match="There is no journal"):
                    store.add(a_record(), key="a key", answer="one")
            assert store.add(a_record(), key="a key", answer="two") == Kept("two", "stored")
            assert len(store.page(10)) == 2


# ── The function over it ──────────────────────────────────────────────────────────────────────────────────────
class TestService:
    def test_nothing_is_opened_and_no_driver_imported_before_the_fork(self, nowhere: str, tmp_path: Path) -> None:
        check = """
            import sys, threading, os
            before = set(os.listdir("/proc/self/fd"))
            import function.main
            assert not [name for name in sys.modules if name.partition(".")[0] == "cassandra"]
            assert threading.active_count() == 1
            assert len(os.listdir("/proc/self/fd")) == len(before) + 1  # the file of the metrics' locks
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(check)], cwd=ROOT, capture_output=True, text=True, check=False,
            env={**os.environ, **environment(nowhere, "k", tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_the_first_answer_does_not_wait_for_cassandra(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path
    ) -> None:
        with running_function(tmp_path, environment(cassandra.addresses[0], keyspace, tmp_path)) as service:
            response = httpx.post(service.url, content=digit_png(4))
            assert response.json()["recorded"] == "queued"
            assert "cold" in response.headers["Server-Timing"]
            wait_until_nothing_waits(service)
            assert httpx.get(f"{service.url}/records").json()["records"][0]["id"] == response.json()["id"]

    def test_an_operator_sees_how_many_wait_whatever_worker_is_asked(
        self, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        with running_function(tmp_path, environment(nowhere, keyspace, tmp_path, WORKERS="2")) as service:
            for _ in range(5):
                assert httpx.post(service.url, content=digit_png(4)).json()["recorded"] == "queued"
            for _ in range(6):
                ready = httpx.get(f"{service.url}/health/ready")
                metrics = httpx.get(f"{service.url}/metrics")
                assert (ready.status_code, ready.json()["records"], ready.json()["queued"]) == (200, "down", 5)
                assert metrics.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                assert "\ndigit_reader_journal_entries 5\n" in metrics.text
                assert float(metrics.text.split("digit_reader_journal_oldest_seconds ")[-1]) > 0

    def test_what_is_queued_can_be_seen_and_corrected_over_http(
        self, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        with running_function(tmp_path, environment(nowhere, keyspace, tmp_path)) as service:
            given = httpx.post(service.url, content=digit_png(4), headers={"Idempotency-Key": "k"}).json()
            path = f"{service.url}/records/{given['id']}"
            assert httpx.get(path).json()["result"] == "4"
            assert httpx.put(f"{path}/correction", json={"result": "7"}).json()["correction"] == "7"
            assert httpx.delete(f"{path}/correction").json()["correction"] is None
            assert httpx.get(path).json()["correction"] is None
            assert httpx.post(service.url, content=digit_png(1), headers={"Idempotency-Key": "k"}).json() == given
            listing = httpx.get(f"{service.url}/records")
            assert listing.status_code == 503
            assert "Cassandra cannot be read: no node listens there" in listing.json()["detail"]


# ── By hand, and at the end ───────────────────────────────────────────────────────────────────────────────────
def by_hand(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "function.records", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


class TestByHand:
    def test_the_journal_is_drained_by_one_command(
        self, cassandra: Nodes, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        records = [a_record(str(number)) for number in range(120)]
        with opened(nowhere, keyspace, tmp_path) as store:
            for record in records:
                store.add(record, key="", answer="")
        done = by_hand("drain", **environment(cassandra.addresses[0], keyspace, tmp_path))
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == "120 answers are left to forward"
        assert done.stdout.splitlines()[-1] == "0 answers are left to forward"
        with connected(cassandra) as session:
            assert session.execute(f"select count(*) from {keyspace}.predictrecord").one()[0] == 120

    def test_if_it_cannot_be_the_command_fails_with_the_reason(
        self, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        done = by_hand("drain", **environment(nowhere, keyspace, tmp_path))
        assert done.returncode == 1
        assert done.stderr.strip() == "no node listens there"

    def test_without_a_journal_there_is_nothing_to_do(self, tmp_path: Path) -> None:
        done = by_hand("drain", RECORDS_URL=f"sqlite:///{tmp_path / 'records.db'}")
        assert (done.returncode, done.stdout.strip()) == (0, "Nothing waits: SQLite has no journal.")

    def test_another_command_shows_what_there_is(self) -> None:
        done = by_hand("drian")
        assert done.returncode == 1
        assert "python -m function.records drain" in done.stderr


class TestEnding:
    @pytest.mark.parametrize("pause", [0.0, 0.3, 2.0])
    def test_what_is_in_hand_at_sigterm_is_in_the_table_when_the_function_has_ended(
        self, cassandra: Nodes, keyspace: str, tmp_path: Path, pause: float
    ) -> None:
        """Be it that there was no time yet to connect: a container that scales to zero keeps no journal."""
        with running_function(tmp_path, environment(cassandra.addresses[0], keyspace, tmp_path)) as service:
            ids = {httpx.post(service.url, content=digit_png(4)).json()["id"] for _ in range(5)}
            time.sleep(pause)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=20) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()
        with connected(cassandra) as session:
            assert {str(row.id) for row in session.execute(f"select id from {keyspace}.predictrecord")} == ids

    def test_without_cassandra_it_waits_in_the_journal_and_the_log_says_so(
        self, nowhere: str, keyspace: str, tmp_path: Path
    ) -> None:
        with running_function(tmp_path, environment(nowhere, keyspace, tmp_path)) as service:
            given = httpx.post(service.url, content=digit_png(4)).json()
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=20) == 0
        assert f"1 answers wait in {tmp_path / 'journal.db'} for the next start." in (tmp_path / "log").read_text()
        with opened(nowhere, keyspace, tmp_path) as store:
            found = store.get(uuid.UUID(given["id"]))
        assert found
        assert found.result == given["result"]
