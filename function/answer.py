"""What was read → what is said: a reading, and its JSON, text, CSV and problem+json."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from statistics import median_low
from typing import Any

import numpy as np
from PIL import Image

from .classify import Probabilities
from .errors import Problem
from .locate import Mark
from .prepare import NOT_A_DIGIT, Glyph
from .records import Record, State

NONE = 0.6  # a mark is said to be none from this probability of it …
SURELY_NONE = 0.99  # … or from this one where somebody says that it is a digit
UNSURE = 0.6  # a digit with less confidence is said to be doubtful
WIDE_GAP = 1.2  # of a line's height: such a gap is a space …
UNUSUAL_GAP = 2.0  # … if it is so much wider than the line's usual one

MANY = 30  # marks: among more than these …
STRANGE = 1 / 3  # … at most so many may be no digits

Notice = dict[str, str]


@dataclass(frozen=True)
class Digit:
    """One mark as it was read: the `digit` that it is said to be, if any; its `probabilities` (11,) of being each digit
    or none, its `box` (left, top, width, height) in pixels of the upright picture, and the `glyph` that the model saw.
    """

    digit: int | None
    probabilities: Probabilities
    box: tuple[int, int, int, int]
    glyph: Glyph

    @property
    def label(self) -> int:
        return NOT_A_DIGIT if self.digit is None else self.digit

    @property
    def runner_up(self) -> int:
        """The likeliest of what it is not said to be."""
        return int(np.argmax(np.where(np.arange(NOT_A_DIGIT + 1) == self.label, -1, self.probabilities)))

    @property
    def character(self) -> str:
        return "?" if self.digit is None else str(self.digit)

    @property
    def confidence(self) -> float:
        """That it is this digit, or that it is none."""
        return float(self.probabilities[self.label])

    def as_dict(self) -> dict[str, Any]:
        of_digits = self.probabilities[:NOT_A_DIGIT]
        return {
            "digit": self.digit,
            "confidence": round(self.confidence, 6),
            "probabilities": [round(float(p), 6) for p in of_digits / of_digits.sum()],
            "box": list(self.box),
            "seen": data_url(self.glyph),
        }


@dataclass(frozen=True)
class Reading:
    """Lines of digits, in reading order."""

    lines: list[list[Digit]]

    @property
    def digits(self) -> list[Digit]:
        return [digit for line in self.lines for digit in line]

    @property
    def result(self) -> str:
        return "\n".join(line_text(line) for line in self.lines)

    @property
    def confidence(self) -> float:
        """That all of it is right; 0 where there is nothing."""
        return float(np.prod([digit.confidence for digit in self.digits])) if self.digits else 0.0

    @property
    def notice(self) -> Notice | None:
        if not self.digits:
            return {"code": "no-digit", "text": "No digit was found in the picture."}
        position, least = min(enumerate(self.digits, start=1), key=lambda numbered: numbered[1].confidence)
        if least.confidence < UNSURE:
            which = "" if len(self.digits) == 1 else f" digit {position}:"
            first, second = ("no digit" if one == NOT_A_DIGIT else str(one) for one in (least.label, least.runner_up))
            return {"code": "unsure", "text": f"unsure:{which} {first} or {second}"}
        if all(digit.digit is None for digit in self.digits):
            return {"code": "no-digit", "text": "What is in the picture is no digit."}
        return None


def as_reading(
    lines: list[list[Mark]],
    glyphs: Sequence[Glyph],
    probabilities: Probabilities,
    scale: tuple[float, float],
    expect: str = "auto",
) -> Reading:
    """Lines of digits for lines of marks. `glyphs` and `probabilities` are the marks', one after the other; `scale` is
    (across, down) how many pixels of the upright picture one of the marks' pixels is."""
    none_from = SURELY_NONE if expect == "digit" else NONE
    boxes = [scaled(mark, scale) for line in lines for mark in line]
    said = [said_to_be(row, none_from) for row in probabilities]
    digits = map(Digit, said, probabilities, boxes, glyphs)
    reading = Reading([list(islice(digits, len(line))) for line in lines])
    return Reading([]) if is_texture(reading.digits) else reading


def said_to_be(probabilities: Probabilities, none_from: float) -> int | None:
    return None if probabilities[NOT_A_DIGIT] >= none_from else int(np.argmax(probabilities[:NOT_A_DIGIT]))


def is_texture(digits: Sequence[Digit]) -> bool:
    """Whether so many marks are no digits that the rest is chance: the grain of a paper, or its lines, has many a 1."""
    return len(digits) > MANY and sum(digit.digit is None for digit in digits) > STRANGE * len(digits)


def scaled(mark: Mark, scale: tuple[float, float]) -> tuple[int, int, int, int]:
    """(left, top, width, height) in the upright picture."""
    left, top, right, bottom = (round(edge * scale[i % 2]) for i, edge in enumerate(mark.box))
    return left, top, right - left, bottom - top


def line_text(line: list[Digit]) -> str:
    """The digits of one line; a gap that is wide, and wider than the others, is a space."""
    height = float(np.median([digit.box[3] for digit in line]))
    gaps = [float(right.box[0] - left.box[0] - left.box[2]) for left, right in pairwise(line)]
    wide = max(WIDE_GAP * height, UNUSUAL_GAP * median_low(gaps)) if len(gaps) > 1 else WIDE_GAP * height
    spaced = [
        f" {digit.character}" if gap > wide else digit.character for gap, digit in zip(gaps, line[1:], strict=True)
    ]
    return line[0].character + "".join(spaced)


def data_url(glyph: Glyph) -> str:
    png = io.BytesIO()
    Image.fromarray(glyph).save(png, "PNG")
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def answer_json(record: Record, reading: Reading) -> str:
    """All of the answer but what became of it: `with_recorded` fills that in."""
    answer = {
        "id": str(record.id),
        "time": record.time,
        "filename": record.filename,
        "result": record.result,
        "confidence": record.confidence,
        "digits": [digit.as_dict() for digit in reading.digits],
        "notice": reading.notice,
        "recorded": "",
        "model": record.model,
    }
    return json.dumps(answer, ensure_ascii=False)


def with_recorded(answer: str, recorded: str) -> str:
    head, _, tail = answer.rpartition('"recorded": "')
    rest = tail[tail.index('"') :]
    return f'{head}"recorded": "{recorded}{rest}'


def health_json(model: str, state: State) -> str:
    """A store that is down is no fault as long as its answers can be queued."""
    health = {"status": "ready", "model": model, "records": "up" if state.up else "down", "queued": state.queued}
    return json.dumps({**health, "reason": state.reason} if state.reason else health, ensure_ascii=False)


def metrics_text(state: State) -> str:
    """Prometheus's text format. The journal is one for all worker processes, and so are these."""
    return (
        "# HELP digit_reader_journal_entries Answers that wait in the journal for the database.\n"
        "# TYPE digit_reader_journal_entries gauge\n"
        f"digit_reader_journal_entries {state.queued}\n"
        "# HELP digit_reader_journal_oldest_seconds How long the oldest of them has waited.\n"
        "# TYPE digit_reader_journal_oldest_seconds gauge\n"
        f"digit_reader_journal_oldest_seconds {state.oldest:.3f}\n"
    )


COLUMNS = ("time", "filename", "result", "confidence", "correction", "model", "image_sha256", "id")


def record_dict(record: Record) -> dict[str, Any]:
    return {name: str(record.id) if name == "id" else getattr(record, name) for name in COLUMNS}


def record_json(record: Record) -> str:
    return json.dumps(record_dict(record), ensure_ascii=False)


def records_json(page: Iterable[Record], following: str | None) -> str:
    return json.dumps({"records": [record_dict(record) for record in page], "next": following}, ensure_ascii=False)


def records_csv(records: Iterable[Record]) -> Iterator[str]:
    """RFC 4180, with a header."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    for record in records:
        writer.writerow(record_dict(record).values())
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def records_ndjson(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        yield record_json(record) + "\n"


def problem_json(problem: Problem) -> str:
    """RFC 9457."""
    return json.dumps(
        {
            "type": f"urn:digit-reader:{problem.slug}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
        }
    )
