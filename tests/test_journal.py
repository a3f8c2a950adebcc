"""The journal: what waits, in which order, for how long, and what is remembered of what does not."""

from __future__ import annotations

import dataclasses
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path

import pytest

from function.errors import Unavailable
from function.records import Kept, Record, new_id, order
from function.records.journal import MEMORY, Journal, NoJournal

NODES = {("one", 1), ("two", 1)}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def a_record(result: str = "9") -> Record:
    return Record(new_id(), "9.png", result, 0.9987, "digits_int8@0123456789ab", "5f" * 32, glyphs=b"\x00\xff")


def put(journal: Journal, record: Record, *, lease: float = 0.0) -> int:
    sequence = journal.put(record, lease=lease)
    assert sequence
    return sequence


def mark(journal: Journal, *sequences: int) -> None:
    journal.mark([(sequence, time.time()) for sequence in sequences])


def due(journal: Journal, by: float = inf) -> list[Record]:
    return [entry.record for entry in journal.due(1000, by)]


class TestWaiting:
    def test_records_are_due_in_the_order_in_which_they_came(self, journal: Journal) -> None:
        records = [a_record(str(number)) for number in range(20)]
        shuffled = sorted(records, key=lambda record: record.id.hex[::-1])
        for record in shuffled:
            put(journal, record)
        assert due(journal) == shuffled
        assert [entry.record for entry in journal.due(3, inf)] == shuffled[:3]

    def test_a_record_is_not_due_while_a_request_has_it_in_hand(self, journal: Journal) -> None:
        put(journal, a_record("1"), lease=30)
        free = a_record("2")
        put(journal, free)
        now = time.time()
        assert due(journal, by=now) == [free]
        assert len(due(journal, by=now + 31)) == 2
        assert journal.waiting(by=now)[0] == 1
        assert journal.waiting()[0] == 2

    def test_what_is_stored_waits_no_more(self, journal: Journal) -> None:
        first, second = a_record("1"), a_record("2")
        sequence = put(journal, first)
        put(journal, second)
        mark(journal, sequence)
        assert due(journal) == journal.page(10) == [second]
        assert journal.get(first.id) is None
        assert journal.get(second.id) == second

    def test_how_long_the_oldest_has_waited_is_known(self, journal: Journal) -> None:
        before = time.time()
        assert journal.waiting(by=before) == (0, before)
        put(journal, a_record())
        between = time.time()
        put(journal, a_record())
        count, since = journal.waiting()
        assert count == 2
        assert before <= since <= between

    def test_pages_are_newest_first(self, journal: Journal) -> None:
        records = [a_record(str(number)) for number in range(5)]
        for record in records:
            put(journal, record)
        assert journal.page(2) == records[:-3:-1]
        assert journal.page(10, before=records[3].id) == records[2::-1]

    def test_records_of_one_time_are_on_one_page_each(self, journal: Journal) -> None:
        ids = [uuid.UUID(f"8de543bd-e742-11f1-8000-00000000000{node}") for node in range(5)]
        for one in ids:
            put(journal, dataclasses.replace(a_record(), id=one))
        first = journal.page(3)
        assert [record.id for record in first + journal.page(3, before=first[-1].id)] == ids[::-1]

    def test_of_one_time_they_are_in_cassandras_order_since_pages_are_made_of_both(self, journal: Journal) -> None:
        tails = (
            "bf7f-7f7f7f7f7f7f",
            "bfff-ffffffffffff",
            "9f80-007fff80a1b2",
            "8000-000000000000",
            "8080-808080808080",
        )
        ids = [uuid.UUID(f"8de543bd-e742-11f1-{tail}") for tail in tails]
        for one in sorted(ids):
            put(journal, dataclasses.replace(a_record(), id=one))
        assert [record.id for record in journal.page(10)] == ids == sorted(ids, key=order, reverse=True)
        for place, one in enumerate(ids, start=1):
            assert [record.id for record in journal.page(2, before=one)] == ids[place : place + 2]

    def test_it_is_all_there_when_it_is_opened_again(self, journal: Journal) -> None:
        record = a_record()
        put(journal, record)
        assert due(Journal(journal.path)) == [record]


class TestCorrections:
    def test_a_correction_takes_the_place_of_its_record(self, journal: Journal) -> None:
        record, other = a_record("1"), a_record("2")
        put(journal, record)
        put(journal, other)
        corrected = dataclasses.replace(record, correction="7")
        journal.put(corrected, lease=0, corrected=1234)
        entries = journal.due(10, inf)
        assert [(entry.record, entry.corrected) for entry in entries] == [(other, 0), (corrected, 1234)]

    def test_a_correction_that_comes_while_its_record_is_on_its_way_still_waits(self, journal: Journal) -> None:
        record = a_record()
        on_its_way = put(journal, record)
        corrected = dataclasses.replace(record, correction="7")
        journal.put(corrected, lease=0, corrected=1234)
        mark(journal, on_its_way)
        assert due(journal) == [corrected]

    def test_one_that_is_taken_back_waits_as_a_correction_does(self, journal: Journal) -> None:
        record = a_record()
        put(journal, record)
        journal.put(dataclasses.replace(record, correction="7"), lease=0, corrected=1234)
        journal.put(record, lease=0, corrected=1235)
        assert [(entry.record, entry.corrected) for entry in journal.due(10, inf)] == [(record, 1235)]
        assert journal.get(record.id) == record

    @pytest.mark.parametrize(("first", "second"), [("7", None), (None, "7"), ("7", "1")])
    def test_what_comes_late_does_not_undo_what_is_later(
        self, journal: Journal, first: str | None, second: str | None
    ) -> None:
        record = a_record()
        later = dataclasses.replace(record, correction=second)
        sequence = journal.put(later, lease=0, corrected=1235)
        assert sequence
        assert journal.put(dataclasses.replace(record, correction=first), lease=0, corrected=1234) is None
        assert [(entry.record, entry.corrected) for entry in journal.due(10, inf)] == [(later, 1235)]
        mark(journal, sequence)
        assert journal.put(dataclasses.replace(record, correction=first), lease=0, corrected=1234) is None
        assert due(journal) == []

    def test_a_record_that_comes_again_by_its_key_keeps_the_correction_that_waits(self, journal: Journal) -> None:
        """As it does where another machine has answered the key, and this one has the correction."""
        record = a_record()
        corrected = dataclasses.replace(record, correction="7")
        journal.put(corrected, lease=0, corrected=1234)
        assert journal.put(record, lease=0, key="a key", answer="one") is None
        assert due(journal) == [corrected]
        assert journal.answered("a key") == Kept("one", "stored")

    def test_a_correction_of_a_record_that_waits_no_more_has_no_key(self, journal: Journal) -> None:
        journal.put(dataclasses.replace(a_record(), correction="7"), lease=0, corrected=1234)
        (entry,) = journal.due(10, inf)
        assert (entry.key, entry.answer) == (None, None)


class TestKeys:
    def test_a_record_that_came_without_one_has_none(self, journal: Journal) -> None:
        put(journal, a_record())
        (entry,) = journal.due(10, inf)
        assert (entry.key, entry.answer) == (None, None)

    def test_a_correction_leaves_its_record_the_key(self, journal: Journal) -> None:
        record = a_record()
        journal.put(record, lease=0, key="a key", answer="one")
        journal.put(dataclasses.replace(record, correction="7"), lease=0, corrected=1234)
        (entry,) = journal.due(10, inf)
        assert (entry.key, entry.answer, entry.record.correction) == ("a key", "one", "7")
        assert journal.answered("a key") == Kept("one", "queued")

    def test_the_first_answer_with_a_key_is_kept_and_no_other(self, journal: Journal) -> None:
        record = a_record()
        assert journal.put(record, lease=0, key="a key", answer="one")
        assert journal.put(a_record(), lease=0, key="a key", answer="two") is None
        assert due(journal) == [record]
        (entry,) = journal.due(10, inf)
        assert (entry.key, entry.answer) == ("a key", "one")

    def test_an_answer_is_queued_until_its_record_is_stored(self, journal: Journal) -> None:
        assert journal.answered("a key") is None
        sequence = journal.put(a_record(), lease=0, key="a key", answer="one")
        assert sequence
        assert journal.answered("a key") == Kept("one", "queued")
        mark(journal, sequence)
        assert journal.answered("a key") == Kept("one", "stored")

    def test_an_answer_is_known_for_a_day_though_its_entry_is_forgotten(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sequence = journal.put(a_record(), lease=0, key="a key", answer="one")
        assert sequence
        mark(journal, sequence)
        later = time.time() + 2 * MEMORY
        monkeypatch.setattr("function.records.journal.time.time", lambda: later)
        journal.forget()
        assert journal.answered("a key") == Kept("one", "stored")


class TestMemory:
    def test_what_was_stored_of_late_waits_again_if_a_node_began_anew(self, journal: Journal) -> None:
        record = a_record()
        journal.recall(NODES)
        mark(journal, put(journal, record, lease=30))
        journal.recall({("one", 2), ("two", 1)})
        assert due(journal, by=time.time()) == [record]

    def test_and_if_a_node_falls_silent(self, journal: Journal) -> None:
        record = a_record()
        journal.recall(NODES)
        mark(journal, put(journal, record))
        journal.recall({("one", 1), ("two", 0)})
        assert due(journal) == [record]

    def test_and_if_it_begins_anew_after_that(self, journal: Journal) -> None:
        record = a_record()
        journal.recall({("one", 1), ("two", 0)})
        mark(journal, put(journal, record))
        journal.recall({("one", 1), ("two", 2)})
        assert due(journal) == [record]

    def test_what_was_written_before_a_node_began_anew_is_not_marked_as_stored_after_that(
        self, journal: Journal
    ) -> None:
        other, before, after = Journal(journal.path), a_record(), a_record()
        journal.recall(NODES)
        began, sequence = time.time(), put(journal, before)
        other.recall({("one", 0), ("two", 1)})
        other.recall({("one", 2), ("two", 1)})
        journal.mark([(sequence, began)])
        mark(journal, put(journal, after))
        assert due(journal) == [before]

    def test_a_clock_that_was_set_back_keeps_nothing_waiting_for_ever(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.recall(NODES)
        earlier = time.time() - 3600
        monkeypatch.setattr("time.time", lambda: earlier)
        mark(journal, put(journal, a_record()))
        assert due(journal) == []

    @pytest.mark.parametrize("running", [NODES, NODES | {("three", 1)}])
    def test_but_not_if_all_nodes_run_on(self, journal: Journal, running: set[tuple[str, int]]) -> None:
        journal.recall(NODES)
        mark(journal, put(journal, a_record()))
        journal.recall(running)
        assert due(journal) == []

    def test_one_process_alone_is_told_of_it(self, journal: Journal) -> None:
        other = Journal(journal.path)
        journal.recall(NODES)
        mark(journal, put(journal, a_record()))
        journal.recall(set())
        mark(journal, *(entry.sequence for entry in journal.due(10, inf)))
        other.recall(set())
        assert due(other) == []

    def test_what_was_stored_of_late_is_not_forgotten(self, journal: Journal) -> None:
        record = a_record()
        journal.recall(NODES)
        mark(journal, put(journal, record))
        journal.forget()
        journal.recall(set())
        assert due(journal) == [record]

    def test_what_was_stored_long_ago_is_forgotten_and_what_waits_is_not(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits = a_record()
        journal.recall(NODES)
        mark(journal, put(journal, a_record()))
        put(journal, waits)
        journal.forget()
        later = time.time() + 2 * MEMORY
        monkeypatch.setattr("function.records.journal.time.time", lambda: later)
        journal.forget()
        journal.recall(set())
        assert due(journal) == [waits]


class TestTogether:
    def test_one_process_forwards_at_a_time(self, journal: Journal) -> None:
        other = Journal(journal.path)
        with journal.alone() as first:
            with other.alone() as second:
                assert (first, second) == (True, False)
            with other.alone() as third:
                assert not third
        with other.alone() as fourth:
            assert fourth

    def test_threads_that_write_at_once_lose_nothing(self, journal: Journal) -> None:
        journals = [Journal(journal.path) for _ in range(4)]
        records = [a_record() for _ in range(400)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda index: put(journals[index % 4], records[index]), range(400)))
        assert {record.id for record in due(journal)} == {record.id for record in records}


class TestNone:
    """Where no disk outlives the process."""

    def test_it_takes_nothing_and_says_so(self) -> None:
        journal = NoJournal()
        for ask in (journal.check, lambda: journal.put(a_record(), lease=0)):
            with pytest.raises(Unavailable, match="There is no journal"):
                ask()
        assert journal.fate == "No picture is read until it does: there is no journal"

    def test_nothing_waits_in_it(self) -> None:
        journal = NoJournal()
        assert journal.waiting(by=7) == (0, 7)
        assert (journal.page(10), journal.get(new_id()), journal.answered("a key")) == ([], None, None)
        with journal.alone() as alone:
            assert not alone


class TestTrouble:
    def test_it_says_where_answers_are_kept_while_cassandra_is_down(self, journal: Journal) -> None:
        assert journal.fate == f"They are kept in {journal.path}"

    @pytest.mark.parametrize("name", ["missing/journal.db", "."])
    def test_a_journal_that_cannot_be_used_says_so(self, tmp_path: Path, name: str) -> None:
        journal = Journal(tmp_path / name)
        with pytest.raises(Unavailable, match="The journal cannot be used"):
            put(journal, a_record())

    def test_a_lock_that_cannot_be_made_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match="The journal cannot be used"), Journal(tmp_path / "missing/j.db").alone():
            pass

    def test_nothing_is_put_onto_a_disk_that_is_as_good_as_full_but_what_is_there_can_be_taken_off(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sequence = put(journal, a_record())
        disk = os.statvfs(journal.path.parent)
        monkeypatch.setattr("function.records.sqlite.ROOM", disk.f_bavail * disk.f_frsize * 2)
        with pytest.raises(Unavailable, match="its disk is full"):
            journal.put(a_record(), lease=0)
        with pytest.raises(Unavailable, match="its disk is full"):
            journal.check()
        mark(journal, sequence)
        assert due(journal) == []
