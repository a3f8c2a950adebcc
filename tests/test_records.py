"""What any store of records does, proved with every store that there is; and what SQLite's alone does."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import multiprocessing
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial, reduce
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.errors import BadRequest, Unavailable
from function.records import (
    GREGORIAN,
    Kept,
    Record,
    Records,
    every,
    from_cursor,
    new_id,
    open_records,
    order,
    pack,
    to_cursor,
)
from function.records.address import read_address
from function.records.export import labelled
from function.records.forwarded import ForwardedRecords
from function.records.journal import NoJournal
from function.records.listing import Wanted, bound, find, find_all, read_wanted, to_ticks
from function.records.sqlite import DAY
from function.settings import read_settings
from tests.nodes import wait_until_up

OpenStore = Callable[[], Records]
Opener = Callable[[Path], Records]  # opens the same store for the same folder, in any process


def open_url(url: str, **environment: str) -> Records:
    return open_records(read_settings({"RECORDS_URL": url, **environment}))


def open_sqlite(folder: Path) -> Records:
    return open_url(f"sqlite:///{folder / 'records.db'}")


def open_cassandra(url: str, journal: str, folder: Path) -> Records:
    """Over a journal of that name; a name with a star is another machine's each time."""
    store = open_url(url, JOURNAL_PATH=str(folder / journal.replace("*", str(uuid.uuid4()))))
    assert isinstance(store, ForwardedRecords)
    OPENED.append(store)
    wait_until_up(store)
    return store


OPENED: list[ForwardedRecords] = []


@pytest.fixture(params=["sqlite", "cassandra, one machine", "cassandra, many machines"])
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    if request.param == "sqlite":
        yield open_sqlite
    else:
        url = request.getfixturevalue("cassandra").url.replace("mnistkeyspace", request.getfixturevalue("keyspace"))
        yield partial(open_cassandra, url, "journal.db" if "one" in request.param else "*.db")
        while OPENED:
            OPENED.pop().forwarder.close()


@pytest.fixture
def open_store(opener: Opener, tmp_path: Path) -> OpenStore:
    """Opens one and the same store anew, as another process would."""
    return lambda: opener(tmp_path)


@pytest.fixture
def store(open_store: OpenStore) -> Records:
    return open_store()


def a_record(result: str = "9", *, filename: str = "9.png") -> Record:
    return Record(new_id(), filename, result, 0.9987, "digits_int8@0123456789ab", "5f" * 32)


def id_at(ticks: int, node: int = 0) -> uuid.UUID:
    """The time UUID of that many tenths of a microsecond since 1582."""
    return uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, 0x80, 0, node))


def add(store: Records, count: int) -> list[Record]:
    """Adds so many records; newest first, as they are read."""
    added = [a_record(str(number)) for number in range(count)]
    for record in added:
        store.add(record, key="", answer="")
    return added[::-1]


# ── Any store ─────────────────────────────────────────────────────────────────────────────────────────────────
class TestAnyStore:
    @pytest.mark.parametrize(
        "record",
        [
            a_record(),
            a_record("", filename="unnamed"),
            a_record("407 1\n2?", filename="zwölf 😀, \"9\"; drop table 'x'.png"),
            dataclasses.replace(a_record(), confidence=0.0),
            dataclasses.replace(a_record("1" * 500), filename="x" * 255),
            dataclasses.replace(a_record(), glyphs=bytes(range(256)) * 40),
        ],
        ids=["one digit", "nothing", "odd characters", "no confidence", "long", "with glyphs"],
    )
    def test_a_record_comes_back_as_it_was_added(self, store: Records, record: Record) -> None:
        assert store.add(record, key="", answer="the answer") == Kept("the answer", "stored")
        assert store.get(record.id) == record
        assert store.page(10) == [record]

    def test_a_new_store_is_empty_and_ready(self, store: Records) -> None:
        assert store.check().up
        assert store.page(10) == []
        assert list(every(store)) == []

    def test_a_record_that_was_never_added_is_none(self, store: Records) -> None:
        add(store, 1)
        assert store.get(new_id()) is None
        assert store.correct(new_id(), "7") is None
        assert store.get(uuid.uuid4()) is None
        assert store.page(10, before=uuid.UUID(int=0)) == []

    def test_records_are_listed_newest_first_in_whatever_order_they_came(self, store: Records) -> None:
        records = [a_record(str(number)) for number in range(10)]
        for record in sorted(records, key=lambda record: record.id.hex[::-1]):
            store.add(record, key="", answer="")
        assert store.page(10) == records[::-1]

    @pytest.mark.parametrize("size", [1, 3, 7, 20, 21, 1000])
    def test_pages_cover_every_record_exactly_once(self, store: Records, size: int) -> None:
        added = add(store, 20)
        seen = store.page(size)
        while page := store.page(size, before=seen[-1].id):
            assert len(page) <= size
            seen += page
        assert seen == added
        assert list(every(store, page_size=size)) == added

    def test_records_of_one_time_are_on_one_page_each(self, store: Records) -> None:
        now = new_id().time
        records = [dataclasses.replace(a_record(), id=id_at(now, node)) for node in range(1, 6)]
        for record in records:
            store.add(record, key="", answer="")
        seen = store.page(2)
        seen += store.page(2, before=seen[-1].id)
        seen += store.page(2, before=seen[-1].id)
        assert sorted(record.id for record in seen) == [record.id for record in records]

    def test_records_that_come_while_pages_are_read_do_not_disturb_them(self, store: Records) -> None:
        added = add(store, 6)
        first = store.page(3)
        add(store, 5)
        assert first + store.page(100, before=first[-1].id) == added

    def test_a_correction_is_kept_beside_the_result(self, store: Records) -> None:
        other, record = add(store, 2)
        corrected = dataclasses.replace(record, correction="7")
        assert store.correct(record.id, "7") == corrected
        assert store.get(record.id) == corrected
        assert store.page(10) == [other, corrected]

    def test_the_last_correction_counts(self, store: Records) -> None:
        (record,) = add(store, 1)
        store.correct(record.id, "7")
        store.correct(record.id, "")
        found = store.get(record.id)
        assert found is not None
        assert (found.result, found.correction) == (record.result, "")

    def test_a_correction_that_is_taken_back_is_none_again_however_often(self, open_store: OpenStore) -> None:
        other, record = add(open_store(), 2)
        open_store().correct(record.id, "7")
        for _ in range(2):
            assert open_store().correct(record.id, None) == record
            assert open_store().get(record.id) == record
            assert open_store().page(10) == [other, record]

    def test_one_that_there_never_was_can_be_taken_back_too_but_not_of_no_record(self, store: Records) -> None:
        (record,) = add(store, 1)
        assert store.correct(record.id, None) == store.get(record.id) == record
        assert store.correct(new_id(), None) is None
        assert store.page(10) == [record]

    def test_after_it_was_taken_back_the_next_correction_counts(self, store: Records) -> None:
        (record,) = add(store, 1)
        for correction in ("7", None, "1"):
            store.correct(record.id, correction)
        assert store.get(record.id) == dataclasses.replace(record, correction="1")

    def test_a_record_whose_correction_was_taken_back_is_no_example_to_learn_from(self, store: Records) -> None:
        glyphs = np.zeros((1, 28, 28), np.uint8)
        records = [dataclasses.replace(a_record(), glyphs=pack(list(glyphs))) for _ in range(2)]
        for record in records:
            store.add(record, key="", answer="")
            store.correct(record.id, record.result)  # which confirms it
        store.correct(records[0].id, None)
        assert [label for _, label in labelled(every(store))] == [9]

    def test_what_was_added_is_there_when_the_store_is_opened_again(self, open_store: OpenStore) -> None:
        added = add(open_store(), 3)
        open_store().correct(added[0].id, "7")
        assert open_store().page(10) == [dataclasses.replace(added[0], correction="7"), *added[1:]]


# The second halves of ids: the first and the last in the order of signed bytes, and in that of unsigned ones.
TAILS = ("8080-808080808080", "bf7f-7f7f7f7f7f7f", "8000-000000000000", "bfff-ffffffffffff", "9f80-007fff80a1b2")


def add_at(store: Records, ticks: int) -> set[uuid.UUID]:
    """Adds a record with each of these tails."""
    ids = {uuid.UUID(str(id_at(ticks))[:19] + tail) for tail in TAILS}
    for one in ids:
        store.add(dataclasses.replace(a_record(), id=one), key="", answer="")
    return ids


MIDNIGHT = to_ticks("2026-11-25")


class TestBounds:
    @pytest.mark.parametrize("ticks", [MIDNIGHT, MIDNIGHT + 12345], ids=["midnight", "another"])
    def test_one_between_two_ticks_leaves_out_every_id_after_it_and_none_before(
        self, store: Records, ticks: int
    ) -> None:
        before, at, after = (add_at(store, ticks + more) for more in (-1, 0, 1))
        assert {record.id for record in store.page(100, bound(ticks))} == before
        assert {record.id for record in store.page(100, bound(ticks + 1))} == before | at
        assert {record.id for record in store.page(100, bound(ticks + 2))} == before | at | after
        assert {record.id for record in every(store, 3, before=bound(ticks + 1))} == before | at
        assert {record.id for record in every(store, 3, since=ticks)} == at | after
        assert {record.id for record in every(store, 3, before=bound(ticks + 1), since=ticks)} == at
        assert list(every(store, 3, before=bound(ticks), since=ticks)) == []

    def test_a_page_goes_on_within_a_tick_whether_a_cursor_or_the_time_is_nearer(self, store: Records) -> None:
        add_at(store, MIDNIGHT - 1)
        add_at(store, MIDNIGHT)
        wanted = Wanted(before=bound(MIDNIGHT))
        whole = list(find_all(store, wanted))
        first, cursor = find(store, wanted, 2, None)
        assert first == whole[:2]
        assert find(store, wanted, 10, cursor) == (whole[2:], None)
        newest = store.page(1)[0].id
        assert find(store, wanted, 10, newest) == (whole, None)

    @pytest.mark.parametrize("ticks", [-(10**19), -1, 0, 1, 1 << 60, 10**19])
    def test_times_that_no_id_could_have_leave_out_all_or_nothing(self, store: Records, ticks: int) -> None:
        (record,) = add(store, 1)
        kept = [record] if ticks > record.id.time else []
        assert store.page(10, bound(ticks)) == list(find_all(store, Wanted(before=bound(ticks)))) == kept
        assert list(find_all(store, Wanted(since=ticks))) == ([] if kept else [record])


def looked_at(store: Records, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """What is read of `store` from now on."""
    noted: list[Record] = []
    read = store.page

    def page(limit: int, before: uuid.UUID | None = None) -> list[Record]:
        records = read(limit, before)
        noted.extend(records)
        return records

    monkeypatch.setattr(store, "page", page)
    return noted


class TestFinding:
    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    def test_pages_of_those_with_a_text_cover_each_once(self, store: Records, limit: int) -> None:
        added = add(store, 30)
        added[3] = store.correct(added[3].id, "407\n1 7") or added[3]
        for text in ("7", "07\n1", "2", "?"):
            wanted = Wanted(text)
            expected = [one for one in added if text in one.result or text in (one.correction or "")]
            found, cursor = find(store, wanted, limit, None)
            while cursor:
                page, cursor = find(store, wanted, limit, cursor)
                assert len(page) <= limit
                found += page
            assert found == expected == list(find_all(store, wanted))

    def test_one_that_was_corrected_is_found_by_what_it_says_and_by_what_it_said(self, store: Records) -> None:
        (record,) = add(store, 1)
        corrected = store.correct(record.id, "47")
        for text in ("0", "47", "7"):
            assert list(find_all(store, Wanted(text))) == [corrected]
        store.correct(record.id, None)
        assert list(find_all(store, Wanted("47"))) == []

    def test_it_looks_at_so_many_and_says_where_it_ended(self, store: Records, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("function.records.listing.PAGE", 5)
        monkeypatch.setattr("function.records.listing.MOST", 12)
        added = add(store, 30)
        noted = looked_at(store, monkeypatch)
        assert find(store, Wanted("?"), 2, None) == ([], added[12].id)  # a page of 3, and two of 5
        assert noted == added[:13]
        assert find(store, Wanted("?"), 2, added[12].id) == ([], added[25].id)
        assert find(store, Wanted("?"), 2, added[25].id) == ([], None)
        assert noted == added

    def test_it_looks_for_so_long_but_always_gets_on(self, store: Records, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("function.records.listing.LONGEST", 0)
        added = add(store, 7)
        cursor, steps = None, list[uuid.UUID | None]()
        while not steps or cursor:
            found, cursor = find(store, Wanted("?"), 2, cursor)
            assert found == []
            steps.append(cursor)
        assert steps == [added[2].id, added[5].id, None]

    def test_it_reads_nothing_before_its_end_and_little_beyond_it(
        self, store: Records, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        added = add(store, 60)
        noted = looked_at(store, monkeypatch)
        wanted = Wanted(since=added[29].id.time, before=bound(added[20].id.time))
        assert find(store, wanted, 4, None) == (added[21:25], added[24].id)
        assert noted == added[21:26]
        noted.clear()
        assert find(store, wanted, 4, added[24].id) == (added[25:29], added[28].id)
        assert find(store, wanted, 4, added[28].id) == ([added[29]], None)
        assert noted == added[25:30] + added[29:34]

    def test_the_last_page_says_that_it_is_the_last(self, store: Records) -> None:
        added = add(store, 6)
        assert find(store, Wanted(), 6, None) == (added, None)
        assert find(store, Wanted("3"), 1, None) == (added[2:3], added[2].id)  # it looked no further
        assert find(store, Wanted("0"), 1, None) == (added[5:], None)


class TestIdempotency:
    def test_a_key_that_comes_again_gives_the_first_answer_and_keeps_nothing(self, open_store: OpenStore) -> None:
        first, second = a_record("1"), a_record("2")
        assert open_store().answered("a key") is None
        assert open_store().add(first, key="a key", answer="one") == Kept("one", "stored")
        assert open_store().answered("a key") == Kept("one", "stored")
        assert open_store().add(second, key="a key", answer="two") == Kept("one", "stored")
        assert open_store().page(10) == [first]

    def test_another_key_is_another_record(self, store: Records) -> None:
        first, second = a_record("1"), a_record("2")
        store.add(first, key="a key", answer="one")
        assert store.add(second, key="A key", answer="two") == Kept("two", "stored")
        assert store.page(10) == [second, first]

    def test_without_a_key_every_record_is_kept(self, store: Records) -> None:
        records = [a_record(), a_record()]
        for record in records:
            assert store.add(record, key="", answer="the same") == Kept("the same", "stored")
        assert store.answered("") is None
        assert store.page(10) == records[::-1]

    def test_of_many_at_once_with_one_key_one_is_kept(self, open_store: OpenStore) -> None:
        stores = [open_store() for _ in range(4)]
        records = [a_record(str(number)) for number in range(8)]
        together = threading.Barrier(8)

        def add_one(number: int) -> str:
            together.wait()
            return stores[number // 2].add(records[number], key="a key", answer=records[number].result).answer

        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(add_one, range(8)))
        (kept,) = open_store().page(10)
        assert answers == {kept.result}


def add_in_a_process(opener: Opener, folder: Path, together: Barrier, count: int) -> None:
    store = opener(folder)
    together.wait()
    add(store, count)


class TestTogether:
    def test_threads_of_one_process_lose_nothing(self, store: Records) -> None:
        with ThreadPoolExecutor(8) as pool:
            added = [record for batch in pool.map(lambda _: add(store, 20), range(8)) for record in batch]
        assert {record.id for record in every(store)} == {record.id for record in added}
        assert len(added) == 160

    def test_processes_that_begin_at_once_on_a_new_store_lose_nothing(self, opener: Opener, tmp_path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        together = context.Barrier(4)
        processes = [context.Process(target=add_in_a_process, args=(opener, tmp_path, together, 50)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=60)
        assert [process.exitcode for process in processes] == [0] * 4
        records = list(every(opener(tmp_path)))
        assert len({record.id for record in records}) == len(records) == 200


# ── SQLite ────────────────────────────────────────────────────────────────────────────────────────────────────
def everything(store: Records) -> list[Callable[[], object]]:
    return [
        lambda: store.add(a_record(), key="", answer=""),
        lambda: store.add(a_record(), key="a key", answer=""),
        lambda: store.answered("a key"),
        lambda: store.page(10),
        lambda: store.get(new_id()),
        lambda: store.correct(new_id(), "7"),
        store.check,
    ]


@contextlib.contextmanager
def held(store: Records) -> Iterator[sqlite3.Connection]:
    """No other thread reads or writes meanwhile."""
    with store._reading() as db:  # type: ignore[attr-defined]
        yield db


def wait_for_writes(store: Records, count: int) -> None:
    """Until so many wait to be written."""
    while len(store._writes) < count:  # type: ignore[attr-defined]
        time.sleep(0.01)


class TestSqlite:
    def test_a_file_that_cannot_be_used_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "garbage").write_bytes(b"no database " * 1000)
        for path in (tmp_path / "missing" / "records.db", tmp_path, tmp_path / "garbage"):
            for call in everything(open_url(f"sqlite:///{path}")):
                with pytest.raises(Unavailable, match="The records file cannot be used"):
                    call()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
    def test_a_file_that_may_only_be_read_is_unavailable(self, tmp_path: Path) -> None:
        add(open_sqlite(tmp_path), 1)
        for path in (*tmp_path.iterdir(), tmp_path):
            path.chmod(path.stat().st_mode & ~0o222)
        with pytest.raises(Unavailable):
            open_sqlite(tmp_path).check()

    def test_a_full_disk_is_unavailable_and_keeps_what_there_is(self, tmp_path: Path) -> None:
        store = open_sqlite(tmp_path)
        added = add(store, 1)
        connection = store._connection  # type: ignore[attr-defined]
        connection.execute(f"pragma max_page_count = {connection.execute('pragma page_count').fetchone()[0]}")
        large = dataclasses.replace(a_record(), filename="x" * 100_000)
        with pytest.raises(Unavailable, match="full"):
            store.add(large, key="a key", answer="never given")
        assert store.answered("a key") is None
        assert open_sqlite(tmp_path).page(10) == added

    def test_a_store_that_was_down_is_used_once_it_is_there(self, tmp_path: Path) -> None:
        store = open_sqlite(tmp_path / "later")
        with pytest.raises(Unavailable):
            store.check()
        (tmp_path / "later").mkdir()
        store.check()
        assert add(store, 1) == store.page(10)

    def test_while_another_writes_for_long_nothing_can_be_added_but_all_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        added = add(open_sqlite(tmp_path), 3)
        monkeypatch.setattr("function.records.sqlite.BUSY", 0.05)
        store = open_sqlite(tmp_path)
        with contextlib.closing(sqlite3.connect(tmp_path / "records.db")) as other:
            other.execute("begin immediate")
            began = time.monotonic()
            with pytest.raises(Unavailable, match="locked"):
                store.add(a_record(), key="", answer="")
            with pytest.raises(Unavailable):
                store.check()
            assert time.monotonic() - began < 5  # SQLite's own patience is 5 s each time
            assert store.page(10) == added
        store.check()

    def test_a_file_that_another_keeps_locked_while_it_is_opened_is_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("function.records.sqlite.BUSY", 20)
        other = sqlite3.connect(tmp_path / "records.db", isolation_level=None, check_same_thread=False)
        with contextlib.closing(other), ThreadPoolExecutor(1) as pool:
            other.execute("create table theirs (word text)")
            other.execute("begin exclusive")
            opened = pool.submit(lambda: open_sqlite(tmp_path).check())
            time.sleep(0.3)
            assert not opened.done()
            other.execute("commit")
            assert opened.result().up

    def test_a_key_is_forgotten_after_a_day(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store, now = open_sqlite(tmp_path), time.time()
        first, second = a_record("1"), a_record("2")
        store.add(first, key="a key", answer="one")
        monkeypatch.setattr("function.records.sqlite.time.time", lambda: now + DAY - 60)
        assert store.answered("a key") == Kept("one", "stored")
        monkeypatch.setattr("function.records.sqlite.time.time", lambda: now + DAY + 60)
        assert store.answered("a key") is None
        assert store.add(second, key="a key", answer="two") == Kept("two", "stored")
        assert store.page(10) == [second, first]

    def test_a_record_goes_when_its_time_is_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store, now = open_url(f"sqlite:///{tmp_path / 'records.db'}", RECORD_TTL_SECONDS="60"), time.time()
        (record,) = add(store, 1)
        monkeypatch.setattr("function.records.sqlite.time.time", lambda: now + 50)
        assert store.get(record.id) == record
        monkeypatch.setattr("function.records.sqlite.time.time", lambda: now + 70)
        assert store.get(record.id) is None
        assert store.correct(record.id, "7") is None
        assert store.page(10) == []
        store.add(a_record(), key="", answer="")
        with contextlib.closing(sqlite3.connect(tmp_path / "records.db")) as db:
            assert db.execute("select count(*) from predictrecord where id = ?", (str(record.id),)).fetchone() == (0,)

    def test_records_whose_time_is_not_up_are_all_kept_with_or_without_a_key(self, tmp_path: Path) -> None:
        store = open_url(f"sqlite:///{tmp_path / 'records.db'}", RECORD_TTL_SECONDS="60")
        records = [a_record(str(number)) for number in range(3)]
        for record, key in zip(records, ("", "", "a key"), strict=True):
            assert store.add(record, key=key, answer=record.result) == Kept(record.result, "stored")
        assert store.page(10) == records[::-1]

    def test_a_file_from_before_glyphs_were_kept_is_used_on(self, tmp_path: Path) -> None:
        record = a_record()
        with contextlib.closing(sqlite3.connect(tmp_path / "records.db")) as db, db:
            db.execute(
                """create table predictrecord (id text primary key, ticks integer not null, time text not null,
                   filename text not null, result text not null, confidence real not null, model text not null,
                   image_sha256 text not null, correction text)"""
            )
            db.execute(
                "insert into predictrecord values (?, ?, ?, ?, ?, ?, ?, ?, null)",
                (str(record.id), record.id.time, record.time, record.filename, record.result, record.confidence,
                 record.model, record.image_sha256),
            )  # fmt: skip
        store = open_sqlite(tmp_path)
        kept = dataclasses.replace(a_record(), glyphs=b"glyphs")
        store.add(kept, key="", answer="")
        assert store.page(10) == [kept, record]

    def test_what_threads_wait_with_is_written_in_one_transaction(self, tmp_path: Path) -> None:
        store, statements = open_sqlite(tmp_path), list[str]()
        with ThreadPoolExecutor(8) as pool:
            with held(store) as db:
                db.set_trace_callback(statements.append)
                waiting = [pool.submit(add, store, 1) for _ in range(8)]
                wait_for_writes(store, 8)
            added = {record.id for one in waiting for record in one.result()}
        assert {record.id for record in open_sqlite(tmp_path).page(10)} == added
        assert [one.partition(" ")[0] for one in statements[:10]] == ["begin", *["insert"] * 8, "COMMIT"]

    def test_if_that_fails_none_of_it_is_there_and_each_thread_says_so(self, tmp_path: Path) -> None:
        store = open_sqlite(tmp_path)
        added = add(store, 1)
        with ThreadPoolExecutor(8) as pool:
            with held(store) as db:
                db.execute(f"pragma max_page_count = {db.execute('pragma page_count').fetchone()[0]}")
                large = dataclasses.replace(a_record(), filename="x" * 100_000)
                waiting: list[Future[Any]] = [pool.submit(add, store, 1) for _ in range(7)]
                waiting.append(pool.submit(store.add, large, key="", answer=""))
                wait_for_writes(store, 8)
            for one in waiting:
                with pytest.raises(Unavailable, match="full"):
                    one.result()
        assert open_sqlite(tmp_path).page(10) == added

    def test_who_waits_too_long_to_write_is_told_so_and_writes_nothing_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("function.records.sqlite.BUSY", 0.05)
        store = open_sqlite(tmp_path)
        with ThreadPoolExecutor(8) as pool, held(store):
            for one in [pool.submit(add, store, 1) for _ in range(8)]:
                with pytest.raises(Unavailable, match="busy"):
                    one.result()
        assert add(store, 1) == store.page(10)

    def test_who_has_waited_longest_among_many_that_write_gets_a_turn(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        together = context.Barrier(6)
        processes = [
            context.Process(target=add_in_a_process, args=(open_sqlite, tmp_path, together, 300)) for _ in range(6)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=60)
        assert [process.exitcode for process in processes] == [0] * 6

    def test_the_table_answers_the_same_query_as_cassandras(self, tmp_path: Path) -> None:
        record = add(open_sqlite(tmp_path), 1)[0]
        with contextlib.closing(sqlite3.connect(tmp_path / "records.db")) as db:
            rows = db.execute("select time, filename, result from predictrecord").fetchall()
        assert rows == [(record.time, record.filename, record.result)]


# ── Which store, ids and cursors ──────────────────────────────────────────────────────────────────────────────
class TestOpenRecords:
    def test_three_slashes_are_a_path_from_here_and_four_from_the_root(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        open_url("sqlite:///here.db").check()
        open_url(f"sqlite:///{tmp_path}/there.db").check()
        assert (tmp_path / "here.db").exists()
        assert (tmp_path / "there.db").exists()

    @pytest.mark.parametrize("secret", ["CASSANDRA_PASSWORD", "CASSANDRA_PASSWORD_FILE"])
    @pytest.mark.parametrize("journal", ["none", "journal.db"])
    def test_a_cassandra_is_spoken_to_as_the_settings_say(self, journal: str, secret: str) -> None:
        settings = {"JOURNAL_PATH": journal, secret: "hunter2", "RECORD_TTL_SECONDS": "60"}
        store = open_url("cassandra://me@host/elsewhere", **settings)
        assert isinstance(store, ForwardedRecords)
        forwarder = store.forwarder
        assert forwarder._address == read_address("me@host/elsewhere")
        assert (str(forwarder._secret), forwarder._ttl) == ("hunter2", 60)
        assert forwarder._journal is store._journal
        assert isinstance(store._journal, NoJournal) == (journal == "none")
        assert store._journal.path == Path("" if journal == "none" else journal)

    def test_nothing_is_opened_before_its_first_use(self, tmp_path: Path) -> None:
        open_sqlite(tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "url", ["records.db", "sqlite", "sqlite:", "sqlite:records.db", "sqlite://", "sqlite:///", "SQLITE:///a.db"]
    )
    def test_what_names_no_store_is_refused_with_an_example(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"RECORDS_URL must be like sqlite:///records\.db"):
            open_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "postgres://me:secret@host/records",
            "postgres://me:secret@host/records?via=http://elsewhere",
            "postgres:me:secret@host/records",
        ],
    )
    def test_a_refusal_tells_no_password(self, url: str) -> None:
        with pytest.raises(ValueError, match="RECORDS_URL") as refusal:
            open_url(url)
        assert str(refusal.value).endswith("not postgres:…")
        assert "secret" not in str(refusal.value)


class TestIds:
    def test_each_is_later_than_the_one_before(self) -> None:
        times = [new_id().time for _ in range(10_000)]
        assert all(before < after for before, after in itertools.pairwise(times))

    def test_threads_never_make_the_same(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = [one for batch in pool.map(lambda _: [new_id() for _ in range(2000)], range(8)) for one in batch]
        assert len(set(made)) == 16_000

    def test_it_is_a_time_uuid_that_tells_nothing_of_the_machine(self) -> None:
        made = [new_id() for _ in range(200)]
        assert {(one.version, one.variant) for one in made} == {(1, uuid.RFC_4122)}
        nodes = [one.node for one in made]
        assert reduce(int.__and__, nodes) == 1 << 40  # the multicast bit: RFC 9562, 6.10
        assert reduce(int.__or__, nodes) == (1 << 48) - 1  # all others are random

    def test_those_of_one_time_are_in_the_order_that_cassandra_gives_them(self) -> None:
        tails = ("8000000000000080", "80000000000000ff", "8000000000000000", "8000000000000001", "8100000000000080")
        ids = [uuid.UUID(f"8de543bd-e742-11f1-{tail[:4]}-{tail[4:]}") for tail in tails]
        assert sorted(set(ids), key=order) == ids

    def test_a_records_time_is_when_its_id_was_made(self) -> None:
        before = datetime.now(UTC)
        record = a_record()
        after = datetime.now(UTC)
        told = datetime.fromisoformat(record.time)
        assert before.replace(microsecond=before.microsecond // 1000 * 1000) <= told <= after

    @pytest.mark.parametrize(
        ("ticks", "told"),
        [
            (122_192_928_000_000_000, "1970-01-01T00:00:00.000Z"),
            (122_192_928_000_000_000 + 9_999, "1970-01-01T00:00:00.000Z"),
            (122_192_928_000_000_000 + 10_000, "1970-01-01T00:00:00.001Z"),
            (122_192_928_000_000_000 + 17_954_037_591_230_000, "2026-11-23T03:15:59.123Z"),
        ],
    )
    def test_its_time_is_told_to_the_millisecond_in_utc(self, ticks: int, told: str) -> None:
        assert dataclasses.replace(a_record(), id=id_at(ticks)).time == told


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("1970-01-01", 122_192_928_000_000_000),
            ("1582-10-15", 0),
            ("1582-10-14", -864_000_000_000),
            ("1970-01-01T00:00:00Z", 122_192_928_000_000_000),
            ("1970-01-01t00:00:00z", 122_192_928_000_000_000),
            ("1970-01-01T05:30:00+05:30", 122_192_928_000_000_000),
            ("1969-12-31T23:59:00-00:01", 122_192_928_000_000_000),
            ("1970-01-01T00:00:00.0000001-00:00", 122_192_928_000_000_001),
            ("1970-01-01T00:00:00.12345678999999Z", 122_192_928_001_234_567),
            ("2026-11-23T03:15:59.123Z", 122_192_928_000_000_000 + 17_954_037_591_230_000),
            ("2016-12-31T23:59:60Z", to_ticks("2017-01-01")),  # a leap second
            ("0001-01-01T00:00:00+23:59", to_ticks("0001-01-01") - 863_400_000_000),
            ("9999-12-31T23:59:59-23:59", to_ticks("9999-12-31") + 864_000_000_000 + 863_390_000_000),
        ],
    )
    def test_a_date_or_a_time_of_rfc_3339_is_that_many_ticks(self, text: str, told: int) -> None:
        assert to_ticks(text) == told

    @given(st.datetimes(min_value=datetime(1600, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
    def test_every_time_is_read_as_python_reads_it(self, time: datetime, minutes: int) -> None:
        there = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        assert to_ticks(there.isoformat()) == (there - GREGORIAN) // timedelta(microseconds=1) * 10

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "today",
            "2026",
            "2026-11",
            "2026-11-5",
            "20261125",
            "2026-W48-3",
            "2026-02-30",
            "0000-01-01",
            "2026-11-25T",
            "2026-11-25T10",
            "2026-11-25T10:00Z",
            "2026-11-25T10:00:00",
            "2026-11-25 10:00:00Z",
            "2026-11-25T24:00:00Z",
            "2026-11-25T10:60:00Z",
            "2026-11-25T10:00:61Z",
            "2026-11-25T10:00:00.Z",
            "2026-11-25T10:00:00,5Z",
            "2026-11-25T10:00:00 01:00",
            "2026-11-25T10:00:00+0100",
            "2026-11-25T10:00:00+24:00",
            "2026-11-25T10:00:00+01:60",
            "2026-11-25T10:00:00Z\n",
            "٢٠٢٦-١١-٢٥",
            "2026-11-25" * 1000,
        ],
    )
    @pytest.mark.parametrize("name", ["from", "to"])
    def test_anything_else_is_a_broken_request_that_says_what_is_expected(self, text: str, name: str) -> None:
        with pytest.raises(BadRequest, match=rf"^{name} is a date like .* midnight in UTC, or a time with its offset"):
            read_wanted({name: text})

    def test_what_is_not_asked_for_is_no_bound(self) -> None:
        assert read_wanted({}) == Wanted()

    @pytest.mark.parametrize("text", ["seven", "1" * 201, "\r", "\t", "٧", "-", "%"])
    def test_a_text_that_no_result_has_is_a_broken_request(self, text: str) -> None:
        with pytest.raises(BadRequest, match=r"made of digits, spaces, line breaks and \?"):
            read_wanted({"result": text})


TIME_UUID = "8de543bd-e742-11f1-af9f-d93bd6bbb36d"


class TestCursors:
    @given(st.integers(0, (1 << 60) - 1), st.integers(0, (1 << 48) - 1))
    def test_a_cursor_leads_back_to_its_record(self, ticks: int, node: int) -> None:
        made = id_at(ticks, node)
        cursor = to_cursor(made)
        assert from_cursor(cursor) == made
        assert cursor.replace("-", "").replace("_", "").isalnum()

    @pytest.mark.parametrize(
        "cursor",
        [
            "",
            "x",
            "not a cursor",
            "A" * 21,
            "A" * 23,
            "A" * 1000,
            "ü" * 22,
            "A" * 20 + "==",
            "A" * 10 + "\n" + "A" * 11,
            "+" * 22,
            TIME_UUID,
            to_cursor(uuid.UUID(TIME_UUID)) + "A",
            to_cursor(uuid.UUID(TIME_UUID)) + "!",
            to_cursor(uuid.UUID(TIME_UUID.replace("-11", "-41"))),
        ],
    )
    def test_a_cursor_that_was_never_given_is_a_broken_request(self, cursor: str) -> None:
        with pytest.raises(BadRequest, match="cursor"):
            from_cursor(cursor)
