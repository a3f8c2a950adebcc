"""What is said of a reading: result, confidence, notice, boxes, and each form in which it is written."""

from __future__ import annotations

import base64
import csv
import io
import json
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from function.answer import (
    Digit,
    Reading,
    answer_json,
    as_reading,
    problem_json,
    records_csv,
    records_json,
    records_ndjson,
    with_recorded,
)
from function.classify import Probabilities
from function.errors import BadRequest, MethodNotAllowed, NotAPicture, NotFound, Problem, TooLarge, Unreadable
from function.locate import Box, Mark
from function.prepare import NOT_A_DIGIT
from function.records import Record, pack
from function.seen import Seen

NONE = NOT_A_DIGIT
GLYPH = np.arange(28 * 28, dtype=np.uint16).reshape(28, 28).astype(np.uint8)


def probabilities(digit: int, confidence: float = 1.0, *, runner_up: int | None = None) -> Probabilities:
    """The rest is the runner-up's, or shared by all others."""
    row = np.zeros(11)
    if runner_up is None:
        row[:10] = (1 - confidence) / 9
    else:
        row[runner_up] = 1 - confidence
    row[digit] = confidence
    return row


def read(
    digit: int, confidence: float = 1.0, *, runner_up: int | None = None, left: int = 0, is_cut: bool = False
) -> Digit:
    """A digit 20 pixels high, or none."""
    said = None if digit == NOT_A_DIGIT else digit
    row = probabilities(digit, confidence, runner_up=runner_up)
    return Digit(said, row, (left, 0, 10, 20), GLYPH, is_cut=is_cut)


def number(digits: str) -> list[Digit]:
    return [read(int(digit)) for digit in digits]


def seen(digit: int, confidence: float = 1.0, *, runner_up: int | None = None, left: int = 0, value: int = 0) -> Seen:
    """A mark 20 pixels high, as the model sees it; its glyph is all `value`."""
    glyph = np.full((28, 28), value, np.uint8)
    return Seen(mark((left, 0, left + 10, 20)), glyph, probabilities(digit, confidence, runner_up=runner_up))


def line(*digits: int, gap: int = 5) -> list[Seen]:
    return [seen(digit, left=index * (10 + gap)) for index, digit in enumerate(digits)]


def there(box: Box) -> Box:
    return box


def a_record(result: str = "9", *, filename: str = "9.png", correction: str | None = None) -> Record:
    made = uuid.UUID("8de543bd-e742-11f1-af9f-d93bd6bbb36d")
    return Record(made, filename, result, 0.9987, "digits_int8@0123456789ab", "5f" * 32, correction)


AWKWARD = [
    a_record(),
    a_record("", filename="unnamed"),
    a_record("407 1\n29", filename='a, "b"; c.png', correction="407 1\n28"),
    a_record("?", filename="zwölf 😀\u2028.png", correction=""),
]


# ── A reading ─────────────────────────────────────────────────────────────────────────────────────────────────
class TestReading:
    @pytest.mark.parametrize(
        ("lines", "result"),
        [
            ([], ""),
            ([[number("9")]], "9"),
            ([[number("4071")]], "4071"),
            ([[number("40"), number("71")]], "40 71"),
            ([[number("4071")], [number("29")]], "4071\n29"),
            ([[number("0")], [number("0")], [number("0")]], "0\n0\n0"),
        ],
    )
    def test_the_result_is_the_digits_in_reading_order_line_by_line(
        self, lines: list[list[list[Digit]]], result: str
    ) -> None:
        assert Reading(lines).result == result

    def test_the_confidence_is_the_product_of_the_digits(self) -> None:
        assert Reading([[[read(1, 0.9)]], [[read(2, 0.8)], [read(3, 0.5)]]]).confidence == pytest.approx(0.36)
        assert Reading([[[read(1, 0.9)]]]).confidence == pytest.approx(0.9)

    def test_where_there_is_nothing_nothing_is_sure(self) -> None:
        assert Reading([]).confidence == 0
        assert Reading([]).notice == {"code": "no-digit", "text": "No digit was found in the picture."}

    @pytest.mark.parametrize(
        ("digits", "text"),
        [
            ([read(7, 0.95, runner_up=1)], None),
            ([read(7, 0.55, runner_up=1)], "unsure: 7 or 1"),
            ([read(4), read(9, 0.51, runner_up=4)], "unsure: digit 2: 9 or 4"),
            ([read(3, 0.55, runner_up=5), read(0, 0.52, runner_up=6)], "unsure: digit 2: 0 or 6"),
            ([read(3, 0.9), read(5, 0.9), read(7, 0.9), read(8, 0.9), read(9, 0.9)], None),
            ([read(4, 0.55, runner_up=NOT_A_DIGIT)], "unsure: 4 or no digit"),
            ([read(NOT_A_DIGIT, 0.55, runner_up=4)], "unsure: no digit or 4"),
            ([read(4), read(NOT_A_DIGIT)], None),
        ],
    )
    def test_a_doubtful_digit_is_told_with_its_runner_up(self, digits: list[Digit], text: str | None) -> None:
        assert Reading([[digits]]).notice == (text and {"code": "unsure", "text": text})

    @pytest.mark.parametrize(
        ("none", "expect", "said", "text"),
        [
            (0.3, "auto", 4, None),
            (0.45, "auto", 4, "unsure: 4 or no digit"),
            (0.65, "auto", None, "What is in the picture is no digit."),
            (0.65, "digit", 4, "unsure: 4 or no digit"),
            (0.95, "digit", 4, "unsure: 4 or no digit"),
            (0.995, "digit", None, "What is in the picture is no digit."),
        ],
    )
    def test_what_is_said_to_be_a_digit_must_be_unlike_one_to_be_none(
        self, none: float, expect: str, said: int | None, text: str | None
    ) -> None:
        reading = as_reading([[seen(4, 1 - none, runner_up=NOT_A_DIGIT)]], there, expect)
        assert reading.digits[0].digit == said
        assert (reading.notice or {}).get("text") == text
        assert reading.confidence == pytest.approx(none if said is None else 1 - none)

    def test_of_two_equal_digits_the_doubtful_one_is_told(self) -> None:
        notice = Reading([[[read(7, 0.95)]], [[read(7, 0.51, runner_up=1)]]]).notice
        assert notice == {"code": "unsure", "text": "unsure: digit 2: 7 or 1"}

    def test_a_mark_that_is_no_digit_stands_as_a_question_mark(self) -> None:
        reading = Reading([[[read(4), read(NOT_A_DIGIT, 0.8, runner_up=7, left=15), read(1, left=30)]]])
        assert reading.result == "4?1"
        assert [digit.as_dict()["digit"] for digit in reading.digits] == [4, None, 1]
        assert reading.confidence == pytest.approx(0.8)
        assert reading.digits[1].as_dict()["probabilities"][7] == 1  # if it were one

    def test_where_no_mark_is_a_digit_that_is_said(self) -> None:
        notice = Reading([[[read(NOT_A_DIGIT), read(NOT_A_DIGIT)]]]).notice
        assert notice == {"code": "no-digit", "text": "What is in the picture is no digit."}

    @pytest.mark.parametrize(
        ("digits", "code"),
        [
            ([read(3), read(1, 0.85, is_cut=True)], "touching"),
            ([read(3), read(1, 0.3, is_cut=True)], "touching"),
            ([read(3), read(1, 0.95, is_cut=True)], None),
            ([read(3, 0.5, runner_up=5), read(1, 0.85, is_cut=True)], "unsure"),
        ],
    )
    def test_a_doubtful_cut_is_told(self, digits: list[Digit], code: str | None) -> None:
        assert (Reading([[digits]]).notice or {}).get("code") == code

    def test_a_picture_that_was_turned_is_told(self) -> None:
        notice = Reading([[number("407")]], turned=2).notice
        assert notice == {"code": "turned", "text": "The picture was read turned upside down."}


class TestAsReading:
    @pytest.mark.parametrize(("gap", "result"), [(-3, "12"), (0, "12"), (20, "12"), (30, "1 2"), (500, "1 2")])
    def test_a_gap_that_is_wide_for_the_lines_height_is_a_space(self, gap: int, result: str) -> None:
        assert as_reading([line(1, 2, gap=gap)], there).result == result

    @pytest.mark.parametrize(
        ("lefts", "result"),
        [
            ((0, 15, 90, 105), "12 34"),
            ((0, 75, 90), "1 23"),
            ((0, 15, 90), "12 3"),
            ((0, 15, 90, 105, 180), "12 34 5"),
            ((0, 60, 120, 180), "1234"),
            ((0, 42, 78, 124, 142, 166, 186), "1234567"),
            ((0, 40, 80, 200), "123 4"),
        ],
    )
    def test_a_gap_that_is_wider_than_the_lines_others_is_a_space(self, lefts: tuple[int, ...], result: str) -> None:
        marks = [seen(digit, left=left) for digit, left in enumerate(lefts, 1)]
        assert as_reading([marks], there).result == result

    def test_a_gap_that_is_wider_than_those_of_the_other_lines_is_a_space(self) -> None:
        apart, near = line(1, 2, 3, gap=20), line(4, 5, 6)
        assert as_reading([apart], there).result == "123"
        assert as_reading([apart, line(4, 5, 6, gap=20)], there).result == "123\n456"
        assert as_reading([apart, near], there).result == "123\n456"
        assert as_reading([line(1, 2, 3, gap=30), near], there).result == "1 2 3\n456"

    @pytest.mark.parametrize(
        ("lefts", "result"),
        [
            ((0, 38, 82, 118), "1234"),  # each within its cell
            ((0, 40, 118, 161, 240), "12 34 5"),
            ((0, 42, 79, 122, 199, 243), "1234 56"),
        ],
    )
    def test_an_empty_cell_of_a_form_is_a_space(self, lefts: tuple[int, ...], result: str) -> None:
        marks = [seen(digit, left=left) for digit, left in enumerate(lefts, 1)]
        assert as_reading([marks], there).result == result

    def test_the_cells_of_all_lines_are_those_of_one_form(self) -> None:
        few, all_of_them = ([seen(digit, left=40 * digit) for digit in row] for row in ((1, 3), (1, 2, 3, 4)))
        assert as_reading([few, all_of_them], there).result == "1 3\n1234"

    def test_boxes_are_where_they_are_placed(self) -> None:
        def twice(box: Box) -> Box:
            left, top, right, bottom = box
            return 2 * left, 3 * top, 2 * right, 3 * bottom

        assert as_reading([[seen(9, left=10)]], twice).digits[0].box == (20, 0, 20, 60)

    def test_each_mark_gets_its_own_probabilities_and_glyph(self) -> None:
        lines = [[seen(4, value=1), seen(0, left=15, value=2)], [seen(7, value=3)]]
        reading = as_reading(lines, there)
        assert reading.result == "40\n7"
        assert [int(digit.glyph[0, 0]) for digit in reading.digits] == [1, 2, 3]
        assert [digit.box for digit in reading.digits] == [(0, 0, 10, 20), (15, 0, 10, 20), (0, 0, 10, 20)]

    def test_no_marks_are_an_empty_reading(self) -> None:
        assert as_reading([], there) == Reading([])

    @pytest.mark.parametrize(
        ("digits", "result"),
        [
            ((NONE, NONE, 4, 0, 7), "407"),
            ((4, 0, 7, NONE), "407"),
            ((4, NONE, 7), "4?7"),
            ((NONE, NONE), "??"),
        ],
    )
    def test_what_is_no_digit_is_left_out_around_a_number_and_a_question_mark_within(
        self, digits: tuple[int, ...], result: str
    ) -> None:
        assert as_reading([line(*digits)], there).result == result

    def test_a_line_of_no_digits_is_left_out_beside_one_of_digits(self) -> None:
        assert as_reading([line(NONE, NONE), line(4, 0), line(NONE)], there).result == "40"

    def test_what_may_be_a_digit_is_not_left_out(self) -> None:
        reading = as_reading([[seen(NONE, 0.9, runner_up=4), *line(1, 2)]], there)
        assert len(reading.digits) == 3

    def test_among_digits_a_mark_is_less_likely_to_be_none(self) -> None:
        doubtful = seen(4, 0.3, runner_up=NONE, left=45)
        assert as_reading([[*line(1, 2, 3), doubtful]], there).result == "1234"
        assert as_reading([[doubtful]], there).result == "?"
        assert as_reading([[*line(NONE, NONE, 3), doubtful]], there).result == "3?"


def mark(box: Box) -> Mark:
    return Mark(np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8), box)


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────
class TestAnswerJson:
    def test_the_answer_has_the_records_fields_and_the_digits(self) -> None:
        reading = Reading([[[read(9, 0.75, runner_up=4, left=3)]]])
        answer = json.loads(answer_json(a_record(filename="zwölf.png"), reading))
        (digit,) = answer.pop("digits")
        assert answer == {
            "id": "8de543bd-e742-11f1-af9f-d93bd6bbb36d",
            "time": "2026-11-23T13:34:05.966Z",
            "filename": "zwölf.png",
            "result": "9",
            "confidence": 0.9987,
            "notice": None,
            "recorded": "",
            "model": "digits_int8@0123456789ab",
        }
        assert digit.pop("seen").startswith("data:image/png;base64,")
        assert digit == {
            "digit": 9,
            "confidence": 0.75,
            "probabilities": [0, 0, 0, 0, 0.25, 0, 0, 0, 0, 0.75],
            "box": [3, 0, 10, 20],
        }

    def test_what_the_model_saw_is_a_png_of_28_by_28(self) -> None:
        answer = json.loads(answer_json(a_record(), Reading([[[read(9)]]])))
        png = base64.b64decode(answer["digits"][0]["seen"].partition("base64,")[2], validate=True)
        image = Image.open(io.BytesIO(png), formats=["PNG"])
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), GLYPH)

    @pytest.mark.parametrize("confidence", [0.123456789, 0.99999999, 1 / 3])
    def test_probabilities_still_sum_to_one_when_written(self, confidence: float) -> None:
        answer = json.loads(answer_json(a_record(), Reading([[[read(9, confidence)]]])))
        assert sum(answer["digits"][0]["probabilities"]) == pytest.approx(1, abs=1e-5)

    def test_nothing_read_is_an_answer_too(self) -> None:
        answer = json.loads(answer_json(a_record(""), Reading([])))
        assert (answer["result"], answer["digits"], answer["notice"]["code"]) == ("", [], "no-digit")

    def test_what_became_of_it_is_filled_in(self) -> None:
        answer = answer_json(a_record(filename='"recorded": ""}'), Reading([]))
        queued = with_recorded(answer, "queued")
        assert json.loads(queued) == {**json.loads(answer), "recorded": "queued"}
        assert json.loads(with_recorded(queued, "stored")) == {**json.loads(answer), "recorded": "stored"}


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────
def told(record: Record) -> dict[str, Any]:
    return {
        "time": "2026-11-23T13:34:05.966Z",
        "filename": record.filename,
        "result": record.result,
        "confidence": 0.9987,
        "correction": record.correction,
        "model": "digits_int8@0123456789ab",
        "image_sha256": "5f" * 32,
        "id": "8de543bd-e742-11f1-af9f-d93bd6bbb36d",
    }


class TestRecords:
    @pytest.mark.parametrize("following", ["cursor", None])
    def test_a_page_is_json_with_the_next_cursor(self, following: str | None) -> None:
        page = json.loads(records_json(AWKWARD, following))
        assert page == {"records": [told(record) for record in AWKWARD], "next": following}

    def test_a_page_may_show_what_the_model_saw_of_each_digit(self) -> None:
        glyphs = np.random.default_rng(1).integers(0, 256, (3, 28, 28), np.uint8)
        page = json.loads(records_json([replace(AWKWARD[0], glyphs=pack(list(glyphs)))], None, shows_seen=True))
        [record] = page["records"]
        pictures = [base64.b64decode(url.removeprefix("data:image/png;base64,")) for url in record.pop("seen")]
        shown = [np.asarray(Image.open(io.BytesIO(picture))) for picture in pictures]
        assert np.array_equal(shown, glyphs)
        assert record == told(AWKWARD[0])

    @pytest.mark.parametrize("glyphs", [b"", pack([])], ids=["not kept", "no digits"])
    def test_it_shows_an_empty_list_where_there_is_nothing(self, glyphs: bytes) -> None:
        page = json.loads(records_json([replace(AWKWARD[0], glyphs=glyphs)], None, shows_seen=True))
        assert page["records"] == [{**told(AWKWARD[0]), "seen": []}]

    def test_csv_keeps_every_field_however_awkward(self) -> None:
        text = "".join(records_csv(AWKWARD))
        read_back = list(csv.DictReader(io.StringIO(text, newline="")))
        written = [{name: "" if value is None else str(value) for name, value in told(r).items()} for r in AWKWARD]
        assert read_back == written

    @pytest.mark.parametrize("name", ["=1+1.png", "+1.png", "-1.png", "@sum.png"])
    def test_no_name_in_csv_is_taken_for_a_formula(self, name: str) -> None:
        rows = csv.DictReader(io.StringIO("".join(records_csv([replace(AWKWARD[0], filename=name)])), newline=""))
        assert next(rows)["filename"] == f"'{name}"

    def test_csv_is_as_rfc_4180_has_it(self) -> None:
        text = "".join(records_csv(AWKWARD[2:3]))
        assert text == (
            "time,filename,result,confidence,correction,model,image_sha256,id\r\n"
            '2026-11-23T13:34:05.966Z,"a, ""b""; c.png","407 1\n29",0.9987,"407 1\n28",'
            f"digits_int8@0123456789ab,{'5f' * 32},8de543bd-e742-11f1-af9f-d93bd6bbb36d\r\n"
        )

    def test_csv_of_no_records_is_its_header(self) -> None:
        text = "".join(records_csv([]))
        assert text == "time,filename,result,confidence,correction,model,image_sha256,id\r\n"

    def test_ndjson_is_one_object_a_line(self) -> None:
        text = "".join(records_ndjson(AWKWARD))
        assert text.endswith("\n")
        assert [json.loads(line) for line in text.removesuffix("\n").split("\n")] == [told(r) for r in AWKWARD]
        assert "".join(records_ndjson([])) == ""


# ── Problems ──────────────────────────────────────────────────────────────────────────────────────────────────
class TestProblemJson:
    @pytest.mark.parametrize(
        "kind", [Problem, BadRequest, NotFound, MethodNotAllowed, TooLarge, NotAPicture, Unreadable]
    )
    def test_a_problem_is_told_as_rfc_9457_has_it(self, kind: type[Problem]) -> None:
        problem = json.loads(problem_json(kind("Do it otherwise.")))
        assert problem == {
            "type": f"urn:digit-reader:{kind.slug}",
            "title": kind.title,
            "status": kind.status,
            "detail": "Do it otherwise.",
        }
