"""What was read → what is said: a reading, and its JSON, text, CSV and problem+json."""

from __future__ import annotations

import base64
import csv
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from math import prod
from typing import Any

import numpy as np

from .classify import Probabilities
from .errors import Problem
from .locate import Box
from .prepare import NOT_A_DIGIT, Glyph
from .ranks import median
from .records import Record, State, unpack
from .seen import SURE, Lines, Seen

NONE = 0.65  # a mark is said to be none from this probability of it …
SURELY_NONE = 0.97  # … or from this one where somebody says that it is a digit
AMONG_DIGITS = 0.05  # so many times less likely is a mark none in a line most of which is surely digits
LEFT_OUT = 0.75  # what is none with this probability, before and after a number, is left out
UNSURE = 0.6  # a digit with less confidence is said to be doubtful
WIDE_GAP = 1.2  # of a line's height: such a gap is a space …
UNUSUAL_GAP = 2.0  # … if it is so much wider than every gap of its line that is none …
UNUSUAL_ON_PAGE = 1.6  # … or of any line: in a grid with empty cells all of a line's gaps may be spaces
FEWEST = 3  # steps from mark to mark that show the cells of a form, which are …
ROOMY = 1.15  # … so many times as wide as digits are high …
UNEVEN = 0.13  # … and all alike, but for so much of their width: digits do not quite stand in their middles

TURNED = {1: "turned to the left", 2: "turned upside down", 3: "turned to the right"}

Notice = dict[str, str]


@dataclass(frozen=True)
class Digit:
    """One mark as it was read: the `digit` that it is said to be, if any; its `probabilities` (11,) of being each digit
    or none, its `box` (left, top, width, height) in pixels of the upright picture, the `glyph` that the model saw, how
    certain it is that this is one digit, and whether it was cut from another."""

    digit: int | None
    probabilities: Probabilities
    box: tuple[int, int, int, int]
    glyph: Glyph
    certainty: float = 1.0
    is_cut: bool = False

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
        return float(self.probabilities[self.label] * self.certainty)

    def as_dict(self) -> dict[str, Any]:
        of_digits = self.probabilities[:NOT_A_DIGIT]
        return {
            "digit": self.digit,
            "confidence": round(self.confidence, 6),
            "probabilities": [round(p, 6) for p in (of_digits / of_digits.sum()).tolist()],
            "box": list(self.box),
            "seen": data_url(self.glyph),
        }


@dataclass(frozen=True)
class Reading:
    """Lines of numbers of digits, in reading order; the picture was `turned` by so many quarters counter-clockwise."""

    lines: list[list[list[Digit]]]
    turned: int = 0

    @property
    def digits(self) -> list[Digit]:
        return [digit for line in self.lines for number in line for digit in number]

    @property
    def result(self) -> str:
        return "\n".join(
            " ".join("".join(digit.character for digit in number) for number in line) for line in self.lines
        )

    @property
    def confidence(self) -> float:
        """That all of it is right; 0 where there is nothing."""
        return prod(digit.confidence for digit in self.digits) if self.digits else 0.0

    @property
    def notice(self) -> Notice | None:
        if not self.digits:
            return {"code": "no-digit", "text": "No digit was found in the picture."}
        position, least = min(enumerate(self.digits, start=1), key=lambda numbered: numbered[1].confidence)
        if least.is_cut and least.confidence < SURE:
            return {"code": "touching", "text": f"unsure: digit {position} touches another and may be cut wrongly"}
        if least.confidence < UNSURE:
            which = "" if len(self.digits) == 1 else f" digit {position}:"
            first, second = ("no digit" if one == NOT_A_DIGIT else str(one) for one in (least.label, least.runner_up))
            return {"code": "unsure", "text": f"unsure:{which} {first} or {second}"}
        if all(digit.digit is None for digit in self.digits):
            return {"code": "no-digit", "text": "What is in the picture is no digit."}
        if self.turned:
            return {"code": "turned", "text": f"The picture was read {TURNED[self.turned]}."}
        return None


def as_reading(lines: Lines, place: Callable[[Box], Box], expect: str = "auto", turned: int = 0) -> Reading:
    """What lines of marks say. `place` gives for a mark's box its place in the upright picture."""
    limit = SURELY_NONE if expect == "digit" else NONE
    lines_of_numbers = numbers([among_digits(line) for line in lines])
    said = [[as_digits(number, limit, place) for number in line] for line in lines_of_numbers]
    if any(has_digit(number) for line in said for number in line):
        said = [[trimmed(number) for number in line if has_digit(number)] for line in said]
    return Reading([line for line in said if line], turned)


def among_digits(line: Sequence[Seen]) -> list[Seen]:
    """The marks of a line most of which is surely digits: each is less likely to be none than if it stood alone."""
    if sum(seen.is_sure for seen in line) <= max(1, len(line) / 2):
        return list(line)
    weights = np.append(np.ones(NOT_A_DIGIT), AMONG_DIGITS)
    weighed = (seen.probabilities * weights for seen in line)
    return [replace(seen, probabilities=row / row.sum()) for seen, row in zip(line, weighed, strict=True)]


def numbers(lines: Lines) -> Iterator[list[list[Seen]]]:
    """The marks of each line, divided where a cell of a form is empty; or else where a gap is a space: wide, and wider
    by far than all that are none of its line, or of all lines."""
    if cell := cell_width(lines):
        yield from (divided(line, steps(line), 1.5 * cell) for line in lines)
        return
    of_lines = [gaps(line) for line in lines]
    on_page = narrowest_space(chain(*of_lines), UNUSUAL_ON_PAGE) if len(lines) > 1 else np.inf
    for line, widths in zip(lines, of_lines, strict=True):
        in_line = narrowest_space(widths if len(widths) > 1 else [0.0, *widths], UNUSUAL_GAP)
        yield divided(line, widths, min(in_line, on_page))


def cell_width(lines: Lines) -> float | None:
    """Of a form's cells, in pixels, if marks stand in such: each is one or more cells further than the last."""
    apart = sorted(chain(*map(steps, lines)))
    if len(apart) < FEWEST:
        return None
    roughly = max(1.0, apart[len(apart) // 4])  # most have a neighbour
    cells = [max(1, round(step / roughly)) for step in apart]
    width = sum(apart) / sum(cells)
    uneven = sum(abs(step / width - count) for step, count in zip(apart, cells, strict=True)) / len(apart)
    height = median([seen.mark.height for line in lines for seen in line])
    return width if width >= ROOMY * height and uneven <= UNEVEN else None


def steps(line: Sequence[Seen]) -> list[float]:
    """From the middle of each mark to that of the next, in pixels."""
    return [right.mark.middle[0] - left.mark.middle[0] for left, right in pairwise(line)]


def gaps(line: Sequence[Seen]) -> list[float]:
    """Between its marks, in heights of the line."""
    height = median([seen.mark.height for seen in line])
    return [max(0.0, (right.mark.box[0] - left.mark.box[2]) / height) for left, right in pairwise(line)]


def narrowest_space(widths: Iterable[float], unusual: float) -> float:
    """Of gaps, the first that is wide, and `unusual` times as wide as the next narrower one; infinite if none is."""
    pairs = pairwise(sorted(widths))
    return next((wide for narrow, wide in pairs if wide > max(WIDE_GAP, unusual * narrow)), np.inf)


def divided(line: Sequence[Seen], widths: Sequence[float], space: float) -> list[list[Seen]]:
    """The marks of a line, divided where it is as far as a `space` from one to the next."""
    parts = [[line[0]]]
    for width, seen in zip(widths, line[1:], strict=True):
        if width >= space:
            parts.append([])
        parts[-1].append(seen)
    return parts


def as_digits(number: Sequence[Seen], limit: float, place: Callable[[Box], Box]) -> list[Digit]:
    return [
        Digit(
            said_to_be(seen, limit),
            seen.probabilities,
            as_sized(place(seen.mark.box)),
            seen.glyph,
            seen.certainty,
            seen.is_cut,
        )
        for seen in number
    ]


def said_to_be(seen: Seen, none_from: float) -> int | None:
    return None if seen.probabilities[NOT_A_DIGIT] >= none_from else int(np.argmax(seen.probabilities[:NOT_A_DIGIT]))


def has_digit(number: Sequence[Digit]) -> bool:
    return any(digit.digit is not None for digit in number)


def trimmed(number: list[Digit]) -> list[Digit]:
    """Without what is surely none before and after it, such as a word."""
    kept = [
        index
        for index, digit in enumerate(number)
        if digit.digit is not None or digit.probabilities[NOT_A_DIGIT] < LEFT_OUT
    ]
    return number[kept[0] : kept[-1] + 1]


def as_sized(box: Box) -> Box:
    """(left, top, width, height)"""
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


def data_url(glyph: Glyph) -> str:
    """As a grey PNG (ISO/IEC 15948), by hand: to save the first one, Pillow imports five kinds of pictures."""
    height, width = glyph.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with the number of its filter: none
    rows[:, 1:] = glyph
    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)  # of 8 bits, grey
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows.tobytes())) + png_chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


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


FORMULAS = ("=", "+", "-", "@")  # what they begin with
COLUMNS = ("time", "filename", "result", "confidence", "correction", "model", "image_sha256", "id")


def record_dict(record: Record) -> dict[str, Any]:
    return {name: str(record.id) if name == "id" else getattr(record, name) for name in COLUMNS}


def record_json(record: Record) -> str:
    return json.dumps(record_dict(record), ensure_ascii=False)


def records_json(page: Iterable[Record], following: str | None, *, shows_seen: bool = False) -> str:
    """With what the model saw, for as far as that was kept, if it `shows_seen`."""
    told = [record_dict(record) | (seen_dict(record) if shows_seen else {}) for record in page]
    return json.dumps({"records": told, "next": following}, ensure_ascii=False)


def seen_dict(record: Record) -> dict[str, list[str]]:
    return {"seen": [data_url(glyph) for glyph in unpack(record.glyphs)]}


def records_csv(records: Iterable[Record]) -> Iterator[str]:
    """RFC 4180, with a header."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    for record in records:
        writer.writerow(map(as_text, record_dict(record).values()))
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def as_text(value: Any) -> Any:
    """With an apostrophe before what a spreadsheet would take for a formula, and carry out (CWE-1236)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


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
