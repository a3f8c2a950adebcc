"""Records in a real Cassandra: its tables, what `cqlsh` sees of them, how long they live, and how they are paged."""

from __future__ import annotations

import dataclasses
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from cassandra.cluster import Session

from function.errors import Down, Lost, Unavailable
from function.records import GREGORIAN, Record, every, moment, new_id, open_records
from function.records.address import read_address
from function.records.cassandra import SHARDS, CassandraRecords, partition
from function.records.forwarded import ForwardedRecords
from function.settings import read_settings
from tests.helpers import ROOT
from tests.nodes import PORT, Nodes, connected, wait_until_up


def open_store(nodes: Nodes, keyspace: str, *, ttl: int | None = None) -> CassandraRecords:
    address = read_address(f"{nodes.addresses[0]}/{keyspace}")
    return CassandraRecords(address, password="", ttl=ttl, changed=lambda: None)


@pytest.fixture
def store(cassandra: Nodes, keyspace: str) -> Iterator[CassandraRecords]:
    opened = open_store(cassandra, keyspace)
    yield opened
    opened.close()


@pytest.fixture
def session(cassandra: Nodes, keyspace: str, store: CassandraRecords) -> Iterator[Session]:
    """Beside `store`, which has made the tables."""
    del store
    with connected(cassandra) as session:
        session.set_keyspace(keyspace)
        yield session


def a_record(result: str = "9", at: datetime | None = None) -> Record:
    """Made now, or `at` another time."""
    made = new_id()
    if at:
        ticks = (at - GREGORIAN) // timedelta(microseconds=1) * 10
        fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, *made.fields[3:])
        made = uuid.UUID(fields=fields)
    return Record(made, "9.png", result, 0.9987, "digits_int8@0123456789ab", "5f" * 32)


def write(store: CassandraRecords, *records: Record, corrected: int = 0) -> None:
    store.write([(record, corrected) for record in records], timeout=30)


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────────
def cqlsh(nodes: Nodes, *arguments: str) -> str:
    command = [str(Path(sys.executable).parent / "cqlsh"), nodes.addresses[0], str(PORT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class TestTables:
    def test_the_reports_own_query_works_in_cqlsh(self, cassandra: Nodes) -> None:
        store, record = open_store(cassandra, "mnistkeyspace"), a_record("4071")
        write(store, record)
        store.close()
        shown = cqlsh(cassandra, "-e", "select time, filename, result from mnistkeyspace.predictrecord")
        told = record.time.replace("T", " ").replace("Z", "000+0000")
        assert re.search(rf"{re.escape(told)}\s*\|\s*9\.png\s*\|\s*4071", shown), shown

    def test_the_schema_that_is_shown_is_the_one_that_is_made(
        self, cassandra: Nodes, keyspace: str, session: Session, tmp_path: Path
    ) -> None:
        by_hand = f"{keyspace}_by_hand"
        text = (ROOT / "function" / "schema.cql").read_text()
        (tmp_path / "schema.cql").write_text(text.replace("mnistkeyspace", by_hand))
        cqlsh(cassandra, "-f", str(tmp_path / "schema.cql"))
        session.cluster.refresh_schema_metadata()
        made, hand = (session.cluster.metadata.keyspaces[name].export_as_string() for name in (keyspace, by_hand))
        assert hand.replace(by_hand, keyspace) == made

    def test_a_partition_is_a_shard_of_a_day_and_its_rows_are_newest_first(self, session: Session) -> None:
        table = session.cluster.metadata.keyspaces[session.keyspace].tables["predictrecord"]
        assert [column.name for column in table.partition_key] == ["day", "shard"]
        assert [(column.name, column.cql_type) for column in table.clustering_key] == [("id", "timeuuid")]
        assert table.clustering_key[0].is_reversed
        assert table.options["compaction"]["class"].endswith("TimeWindowCompactionStrategy")

    def test_a_days_records_are_spread_over_all_shards(self, store: CassandraRecords, session: Session) -> None:
        write(store, *(a_record() for _ in range(400)))
        rows = session.execute("select day, shard, id, time from predictrecord")
        shards = {row.shard for row in rows}
        assert shards == set(range(SHARDS))
        for row in session.execute("select day, shard, id, time from predictrecord"):
            assert (row.day.date(), row.shard) == partition(row.id)
            assert abs(row.time.replace(tzinfo=UTC) - moment(row.id)) < timedelta(milliseconds=1)

    def test_tables_that_were_dropped_are_made_anew(
        self, cassandra: Nodes, keyspace: str, session: Session, tmp_path: Path
    ) -> None:
        url = cassandra.url.replace("mnistkeyspace", keyspace)
        settings = read_settings({"RECORDS_URL": url, "JOURNAL_PATH": str(tmp_path / "journal.db")})
        store = open_records(settings)
        assert isinstance(store, ForwardedRecords)
        wait_until_up(store)
        session.execute(f"drop keyspace {keyspace}", timeout=30)
        record = a_record()
        assert store.add(record, key="", answer="").recorded == "queued"
        found: list[Record] = []
        deadline = time.monotonic() + 60
        while not found and time.monotonic() < deadline:  # it takes a moment to be noticed
            with suppress(Unavailable):
                found = store.forwarder.read(lambda cassandra: cassandra.page(10))
            time.sleep(0.1)
        assert found == [record]
        store.forwarder.close()

    @pytest.mark.parametrize("ttl", [None, 40 * 24 * 60 * 60])
    def test_a_window_of_compaction_is_a_twentieth_of_a_records_life(
        self, cassandra: Nodes, keyspace: str, ttl: int | None
    ) -> None:
        store = open_store(cassandra, keyspace, ttl=ttl)
        table = store._session.cluster.metadata.keyspaces[keyspace].tables["predictrecord"]
        assert table.options["compaction"]["compaction_window_size"] == ("2" if ttl else "30")
        store.close()


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────────────────
class TestRows:
    def test_what_is_written_twice_is_there_once_and_keeps_its_correction(self, store: CassandraRecords) -> None:
        record = a_record()
        write(store, record)
        write(store, dataclasses.replace(record, correction="7"), corrected=time.time_ns() // 1000)
        write(store, record)
        assert list(every_of(store)) == [dataclasses.replace(record, correction="7")]

    def test_a_correction_that_comes_late_does_not_undo_a_later_one(self, store: CassandraRecords) -> None:
        record, now = a_record(), time.time_ns() // 1000
        write(store, dataclasses.replace(record, correction="7"), corrected=now)
        write(store, dataclasses.replace(record, correction="1"), corrected=now - 1000)
        assert list(every_of(store)) == [dataclasses.replace(record, correction="7")]

    @pytest.mark.parametrize(("first", "second"), [("7", None), (None, "7"), ("7", "1")])
    @pytest.mark.parametrize("in_order", [True, False])
    def test_the_later_of_a_correction_and_its_being_taken_back_counts_whichever_comes_first(
        self, store: CassandraRecords, first: str | None, second: str | None, *, in_order: bool
    ) -> None:
        record, now = a_record(), time.time_ns() // 1000
        steps = [(dataclasses.replace(record, correction=one), at) for one, at in ((first, now), (second, now + 1))]
        write(store, record)
        for step in steps if in_order else reversed(steps):
            store.write([step], timeout=30)
        write(store, record)
        assert store.get(record.id) == dataclasses.replace(record, correction=second)
        assert list(every_of(store)) == [dataclasses.replace(record, correction=second)]

    def test_a_correction_that_is_taken_back_is_null_in_the_table_and_the_rest_is_there(
        self, store: CassandraRecords, session: Session
    ) -> None:
        record, now = a_record(), time.time_ns() // 1000
        write(store, dataclasses.replace(record, correction="7"), corrected=now)
        write(store, record, corrected=now + 1)
        (row,) = session.execute("select filename, result, correction, writetime(correction) from predictrecord")
        assert tuple(row) == (record.filename, record.result, None, None)

    @pytest.mark.parametrize("correction", ["7", None])
    def test_a_correction_without_its_record_is_no_record(
        self, store: CassandraRecords, session: Session, correction: str | None
    ) -> None:
        """Nor is one that was taken back."""
        day, shard = partition((record := a_record()).id)
        store.probe()
        session.execute(
            "update predictrecord set correction = %s where day = %s and shard = %s and id = %s",
            (correction, day, shard, record.id),
        )
        assert store.get(record.id) is None
        assert store.page(10) == []

    def test_one_of_many_claims_of_a_key_is_granted(self, store: CassandraRecords) -> None:
        first, second = a_record(), a_record()
        assert store.answered("a key") is None
        assert store.claim("a key", first, "one") == (first, "one")
        assert store.claim("a key", second, "two") == (first, "one")
        assert store.claim("a key", first, "one") == (first, "one")
        assert store.answered("a key") == (first, "one")

    def test_a_claim_lasts_a_day(self, store: CassandraRecords, session: Session) -> None:
        store.claim("a key", a_record(), "one")
        left = session.execute("select ttl(answer) from answer").one()[0]
        assert 24 * 3600 - 60 < left <= 24 * 3600


class TestLife:
    def test_a_record_and_its_correction_go_when_their_time_is_up(
        self, cassandra: Nodes, keyspace: str, session: Session
    ) -> None:
        store, record = open_store(cassandra, keyspace, ttl=3), a_record()
        write(store, record)
        time.sleep(1)
        write(store, dataclasses.replace(record, correction="7"), corrected=time.time_ns() // 1000)
        assert store.get(record.id) == dataclasses.replace(record, correction="7")
        for row in session.execute("select ttl(result), ttl(correction) from predictrecord"):
            assert 0 < row[1] <= row[0] <= 3
        time.sleep(3)
        assert store.get(record.id) is None
        assert store.page(10) == []
        assert session.execute("select * from predictrecord").one() is None
        store.close()

    def test_one_whose_correction_was_taken_back_goes_with_the_rest(
        self, cassandra: Nodes, keyspace: str, session: Session
    ) -> None:
        store, record = open_store(cassandra, keyspace, ttl=3), a_record()
        write(store, dataclasses.replace(record, correction="7"), corrected=time.time_ns() // 1000)
        write(store, record, corrected=time.time_ns() // 1000)
        assert store.get(record.id) == record
        time.sleep(3.5)
        assert store.page(10) == []
        assert session.execute("select * from predictrecord").one() is None
        store.close()

    def test_one_that_waited_long_lives_no_longer_for_it(
        self, cassandra: Nodes, keyspace: str, session: Session
    ) -> None:
        store = open_store(cassandra, keyspace, ttl=3600)
        old, older = (a_record(at=datetime.now(UTC) - timedelta(seconds=age)) for age in (3000, 4000))
        write(store, old, older)
        assert store.page(10) == [old]
        assert 500 < session.execute("select ttl(result) from predictrecord").one()[0] <= 600
        store.close()

    def test_without_a_limit_it_lives_for_ever(self, store: CassandraRecords, session: Session) -> None:
        write(store, a_record())
        assert session.execute("select ttl(result) from predictrecord").one()[0] is None


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────────────────────
def every_of(store: Any, size: int = 500) -> Iterator[Record]:
    return every(store, size)


class TestPages:
    def test_they_go_from_day_to_day_and_pass_over_days_without_records(self, store: CassandraRecords) -> None:
        now = datetime.now(UTC)
        ages = [0, 0, 1, 1, 1, 5, 40, 400, 4000, 20_000]
        records = [a_record(str(age), at=now - timedelta(days=age, seconds=n)) for n, age in enumerate(ages)]
        write(store, *records)
        for size in (1, 2, 3, 7, 10, 500):
            assert list(every_of(store, size)) == records

    def test_days_with_few_records_are_read_many_at_once(self, store: CassandraRecords) -> None:
        now = datetime.now(UTC)
        records = [a_record(str(age), at=now - timedelta(days=age)) for age in range(400)]
        write(store, *records)
        began = time.perf_counter()
        assert store.page(400) == records
        assert time.perf_counter() - began < 2

    def test_records_of_one_moment_have_one_order_on_every_page(self, store: CassandraRecords) -> None:
        at = datetime.now(UTC)
        records = [a_record(str(number), at=at) for number in range(60)]
        write(store, *records)
        whole = list(every_of(store, 500))
        assert len(whole) == len(set(whole)) == 60
        assert list(every_of(store, 7)) == whole

    def test_a_page_takes_alike_at_the_beginning_and_far_down_of_a_large_day(self, store: CassandraRecords) -> None:
        at = datetime.now(UTC).replace(hour=12)
        records = [a_record(at=at - timedelta(milliseconds=number)) for number in range(20_000)]
        for start in range(0, len(records), 500):
            write(store, *records[start : start + 500])

        def milliseconds(before: uuid.UUID) -> float:
            began = time.perf_counter()
            assert len(store.page(50, before)) == 50
            return 1000 * (time.perf_counter() - began)

        first = median(milliseconds(records[number].id) for number in range(40))
        last = median(milliseconds(records[number + 19_000].id) for number in range(40))
        assert last < 3 * first, (first, last)


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────────────────
def reason(host: str) -> Down:
    with pytest.raises(Down) as refusal:
        CassandraRecords(read_address(f"{host}/mnistkeyspace"), password="", ttl=None, changed=lambda: None)
    return refusal.value


class TestTrouble:
    def test_where_nothing_listens_it_says_so(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            free = server.getsockname()[1]
        found = reason(f"127.0.0.1:{free}")
        assert isinstance(found, Lost)
        assert found.detail == "no node listens there"

    def test_a_name_that_leads_nowhere_is_told(self) -> None:
        assert reason("nowhere.invalid").detail == "no name leads anywhere: nowhere.invalid"

    def test_a_data_center_that_there_is_not_is_told(self, cassandra: Nodes) -> None:
        with pytest.raises(Lost, match="dc names no data center that has any"):
            CassandraRecords(
                read_address(f"{cassandra.addresses[0]}/k?dc=nowhere"), password="", ttl=None, changed=lambda: None
            ).probe()

    def test_a_node_that_does_not_see_the_others_yet_makes_no_tables(self, cassandra: Nodes) -> None:
        hosts = f"{cassandra.addresses[0]},127.0.0.2:1,127.0.0.3:1"
        with pytest.raises(Down, match="half of the 3 nodes see each other, and 1 does"):
            CassandraRecords(read_address(f"{hosts}/apart"), password="", ttl=None, changed=lambda: None)
        with connected(cassandra) as session:
            assert "apart" not in session.cluster.metadata.keyspaces

    def test_what_listens_and_never_answers_does_not_hold_it_up_for_long(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            began = time.monotonic()
            found = reason(f"127.0.0.1:{server.getsockname()[1]}")
            assert time.monotonic() - began < 10
        assert isinstance(found, Lost)
        assert found.detail == "no node answered in time"

    def test_a_request_that_makes_no_sense_to_it_is_a_reason_too(self, store: CassandraRecords) -> None:
        with pytest.raises(Lost, match="Key may not be empty"):
            store.answered("")
        store.probe()

    def test_nodes_are_known_by_when_they_began(self, store: CassandraRecords) -> None:
        ((name, began),) = store.nodes()
        assert uuid.UUID(name)
        assert 0 < time.time() - began < 3600
