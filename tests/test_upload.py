"""Requests → (filename, bytes), whatever way the picture is sent, and never more than the limit."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from function.errors import BadRequest, TooLarge
from function.settings import ENVELOPE
from function.upload import (
    BLOCK,
    LONGEST_FIELD,
    MOST_PARTS,
    MOST_VALUES,
    Upload,
    drop_rest,
    read_body,
    read_upload,
)
from tests.helpers import digit_png

LIMIT = 200_000
NINE = digit_png(9)
MULTIPART = "multipart/form-data; boundary=cut"


class Zeros(io.BytesIO):
    """A body of `length` bytes that are made as they are read; `taken` counts those."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        self.taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        left = self.length - self.taken
        block = bytes(left if size is None or size < 0 else min(size, left))
        self.taken += len(block)
        return block


class Broken(io.BytesIO):
    """A body in which the server finds a fault, as gunicorn says it."""

    def read(self, _size: int | None = -1, /) -> bytes:
        message = "Invalid chunk size: b'zz'"
        raise OSError(message)


def sent(
    body: bytes,
    content_type: str = "",
    *,
    disposition: str = "",
    filename: str = "",
    limit: int = LIMIT,
) -> Upload:
    return read_upload(body, content_type=content_type, disposition=disposition, filename=filename, limit=limit)


def form(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body of (parameters of Content-Disposition, content)."""
    body = b"".join(
        f"--cut\r\nContent-Disposition: form-data; {parameters}\r\n\r\n".encode() + content + b"\r\n"
        for parameters, content in parts
    )
    return body + b"--cut--\r\n"


# ── The body ──────────────────────────────────────────────────────────────────────────────────────────────────
class TestReadBody:
    @pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
    @pytest.mark.parametrize("length", [0, 1, BLOCK, BLOCK + 1, LIMIT, LIMIT + ENVELOPE])
    def test_a_body_within_the_limit_comes_whole(self, length: int, *, declared: bool) -> None:
        content = bytes(index % 251 for index in range(length))
        body = read_body(io.BytesIO(content), declared=length if declared else None, limit=LIMIT)
        assert body == content

    def test_a_stream_that_gives_little_at_a_time_comes_whole(self) -> None:
        class Slow(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                return super().read(min(size or 1, 1000))

        assert read_body(Slow(NINE * 20), declared=None, limit=LIMIT) == NINE * 20

    @pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
    @pytest.mark.parametrize("length", [LIMIT + ENVELOPE + 1, 32 * LIMIT])
    def test_a_body_over_the_limit_is_refused_before_much_of_it_is_read(self, length: int, *, declared: bool) -> None:
        stream = Zeros(length)
        with pytest.raises(TooLarge):
            read_body(stream, declared=length if declared else None, limit=LIMIT)
        assert stream.taken <= LIMIT + ENVELOPE + BLOCK

    def test_a_body_that_goes_on_after_a_block_that_ends_at_the_limit_is_refused(self) -> None:
        limit = 2 * BLOCK
        with pytest.raises(TooLarge):
            read_body(Zeros(limit + ENVELOPE + 1), declared=None, limit=limit)

    @pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
    def test_a_body_is_held_once(self, *, declared: bool) -> None:
        length = 32 * LIMIT
        tracemalloc.start()
        try:
            body = read_body(Zeros(length), declared=length if declared else None, limit=length)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(body) == length
        assert peak < 1.3 * length

    @pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
    def test_a_body_over_the_limit_is_never_held(self, *, declared: bool) -> None:
        length = 64 * LIMIT
        stream = Zeros(length)
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge):
                read_body(stream, declared=length if declared else None, limit=LIMIT)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2 * (LIMIT + ENVELOPE)

    def test_a_body_that_ends_early_is_refused(self) -> None:
        with pytest.raises(BadRequest, match="did not arrive whole"):
            read_body(io.BytesIO(NINE), declared=len(NINE) + 1, limit=LIMIT)

    def test_a_body_that_the_server_cannot_parse_is_refused(self) -> None:
        with pytest.raises(BadRequest, match="did not arrive whole"):
            read_body(Broken(), declared=None, limit=LIMIT)

    def test_the_rest_of_a_body_is_read_to_its_end_and_not_held(self) -> None:
        stream = Zeros(64 * LIMIT)
        tracemalloc.start()
        try:
            drop_rest(stream)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert stream.taken == stream.length
        assert peak < 4 * BLOCK

    def test_the_rest_of_a_broken_body_is_let_be(self) -> None:
        drop_rest(Broken())

    def test_the_limit_is_told_in_mebibytes(self) -> None:
        with pytest.raises(TooLarge) as refusal:
            read_body(Zeros(1 << 30), declared=1 << 30, limit=20 * 2**20)
        assert refusal.value.detail == "The limit is 20 MiB. Send a smaller picture."


# ── Multipart ─────────────────────────────────────────────────────────────────────────────────────────────────
class TestMultipart:
    @pytest.mark.parametrize("part", ["image", "file", "ümläut", "x y"])
    def test_the_file_may_be_in_a_part_of_any_name(self, part: str) -> None:
        body = form((f'name="{part}"; filename="9.png"', NINE))
        assert sent(body, MULTIPART) == Upload("9.png", NINE)

    def test_the_first_of_several_files_counts(self) -> None:
        body = form(
            ('name="b"; filename="first.png"', NINE),
            ('name="b"; filename="second.png"', b"second"),
            ('name="a"; filename="third.png"', b"third"),
        )
        assert sent(body, MULTIPART) == Upload("first.png", NINE)

    def test_a_file_with_an_empty_name_is_unnamed(self) -> None:
        assert sent(form(('name="image"; filename=""', NINE)), MULTIPART) == Upload("unnamed", NINE)

    def test_fields_around_the_file_do_not_matter(self) -> None:
        body = form(('name="comment"', b"mine"), ('name="image"; filename="9.png"', NINE), ('name="more"', b""))
        assert sent(body, MULTIPART) == Upload("9.png", NINE)

    @pytest.mark.parametrize(
        "parameter",
        ['filename="zwölf 9.png"', "filename*=UTF-8''zw%C3%B6lf%209.png"],
        ids=["UTF-8", "RFC 5987"],
    )
    def test_a_filename_may_have_any_letters(self, parameter: str) -> None:
        assert sent(form((f'name="image"; {parameter}', NINE)), MULTIPART).filename == "zwölf 9.png"

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (form(), MULTIPART),
            (form(('name="image"', NINE)), MULTIPART),
            (form(('name="image"; filename="9.png"', b"")), MULTIPART),
            (form(('name="image"; filename="9.png"', NINE)), "multipart/form-data"),
            (form(('name="image"; filename="9.png"', NINE)), "multipart/form-data; boundary=other"),
            (form(('name="image"; filename="9.png"', NINE)), "multipart/form-data; boundary=ü"),
            (form(('name="image"; filename="9.png"', NINE))[:-60], MULTIPART),
            (form(*[('name="field"', b"")] * 1000, ('name="image"; filename="9.png"', NINE)), MULTIPART),
            (NINE, MULTIPART),
            (form(('name="image"; filename="9.png"' + "; a=b" * 30_000, NINE)), MULTIPART),
            (bytes(LONGEST_FIELD) + form(('name="image"; filename="9.png"', NINE)), MULTIPART),
        ],
        ids=[
            "no parts",
            "a field and no file",
            "an empty file",
            "no boundary",
            "another boundary",
            "a boundary that is none",
            "cut off",
            "a thousand parts",
            "no multipart at all",
            "too much said of the file",
            "too much before it",
        ],
    )
    def test_a_form_without_a_whole_file_is_a_broken_request(self, body: bytes, content_type: str) -> None:
        with pytest.raises(BadRequest, match=r"curl -F image=@9\.png"):
            sent(body, content_type)

    @pytest.mark.parametrize(
        ("body", "content_type", "says"),
        [
            (form(('name="image"; filename="9.png"', NINE)), "multipart/form-data", "Missing boundary"),
            (form(('name="image"; filename="9.png"', NINE))[:-60], MULTIPART, "Invalid form-data"),
        ],
        ids=["no boundary", "cut off"],
    )
    def test_a_broken_form_is_told_what_is_broken(self, body: bytes, content_type: str, says: str) -> None:
        with pytest.raises(BadRequest, match=f"The multipart body is broken: {says}"):
            sent(body, content_type)

    def test_a_field_may_be_long_but_not_longer_than_a_field_would_be(self) -> None:
        file = ('name="image"; filename="9.png"', NINE)
        assert sent(form(('name="comment"', bytes(LONGEST_FIELD)), file), MULTIPART).data == NINE
        with pytest.raises(BadRequest, match="too much in the form"):
            sent(form(('name="comment"', bytes(LONGEST_FIELD + 1)), file), MULTIPART)

    def test_there_may_be_some_fields_but_not_so_many(self) -> None:
        fields, file = [('name="field"', b"")] * (MOST_PARTS - 1), ('name="image"; filename="9.png"', NINE)
        assert sent(form(*fields, file), MULTIPART).data == NINE
        with pytest.raises(BadRequest, match="too much in the form"):
            sent(form(*fields, fields[0], file), MULTIPART)

    @pytest.mark.parametrize("filler", [b"\r", b"\n", b"\r\n", b"\r\n--cu", b"--cut", b"-"])
    def test_whatever_is_in_a_file_is_of_the_file(self, filler: bytes) -> None:
        content = b"x" + filler * (LIMIT // 8)
        assert sent(form(('name="image"; filename="9.png"', content)), MULTIPART).data == content


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────
class TestJson:
    @pytest.mark.parametrize(
        "image",
        [
            base64.b64encode(NINE).decode(),
            base64.encodebytes(NINE).decode(),
            f"data:image/png;base64,{base64.b64encode(NINE).decode()}",
        ],
        ids=["base64", "base64 in lines", "data URL"],
    )
    @pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
    def test_the_picture_is_in_base64(self, image: str, content_type: str) -> None:
        body = json.dumps({"image": image, "filename": "9.png"}).encode()
        assert sent(body, content_type) == Upload("9.png", NINE)

    @pytest.mark.parametrize("filename", [{}, {"filename": None}, {"filename": ""}])
    def test_the_filename_may_be_left_out(self, filename: dict[str, str | None]) -> None:
        body = json.dumps({"image": base64.b64encode(NINE).decode(), **filename}).encode()
        assert sent(body, "application/json") == Upload("unnamed", NINE)

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"\xff\xfe\x00",
            b"[]",
            b'"image"',
            b"null",
            b"7",
            b"{}",
            b'{"image": null}',
            b'{"image": 7}',
            b'{"image": ["iVBORw0KGgo="]}',
            b'{"image": "no base64!"}',
            '{"image": "ümläut"}'.encode(),
            b'{"image": "iVBORw0KGgo"}',
            b'{"image": "data:image/svg+xml,<svg/>"}',
            b'{"image": "data:image/png;base64,iVBORw0K,iVBORw0K"}',
            b'{"image": "iVBORw0K", "filename": 7}',
            b'{"image": ""}',
            b'{"image": "data:image/png;base64,"}',
            b"[" * 100_000,
        ],
    )
    def test_json_without_a_picture_is_a_broken_request(self, body: bytes) -> None:
        with pytest.raises(BadRequest, match="Send"):
            sent(body, "application/json")

    def test_json_may_hold_some_values_but_not_so_many_that_they_fill_the_memory(self) -> None:
        def with_commas(count: int) -> bytes:
            return json.dumps({"image": base64.b64encode(NINE).decode(), "filename": "," * (count - 1)}).encode()

        assert sent(with_commas(MOST_VALUES), "application/json").data == NINE
        with pytest.raises(BadRequest, match="Send"):
            sent(with_commas(MOST_VALUES + 1), "application/json")


# ── The picture itself ────────────────────────────────────────────────────────────────────────────────────────
class TestRaw:
    @pytest.mark.parametrize(
        "content_type", ["", "image/png", "image/jpeg", "text/html", "application/x-www-form-urlencoded", "nonsense;;="]
    )
    def test_the_bytes_come_as_they_are_whatever_their_type_is_said_to_be(self, content_type: str) -> None:
        assert sent(NINE, content_type) == Upload("unnamed", NINE)

    @pytest.mark.parametrize(
        ("disposition", "filename"),
        [
            ("attachment; filename=9.png", "9.png"),
            ('attachment; filename="a \\"9\\".png"', 'a "9".png'),
            ("attachment; filename*=UTF-8''zw%C3%B6lf%209.png", "zwölf 9.png"),
            ("attachment; filename=\"zwoelf.png\"; filename*=UTF-8''zw%C3%B6lf.png", "zwölf.png"),
            ("attachment", "unnamed"),
            ("filename", "unnamed"),
            ("attachment; filename*=UTF-8''%ff%fe", "\ufffd\ufffd"),
        ],
    )
    def test_the_filename_is_in_content_disposition(self, disposition: str, filename: str) -> None:
        assert sent(NINE, disposition=disposition).filename == filename

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [(NINE, "image/png"), (form(('name="image"; filename="9.png"', NINE)), MULTIPART)],
        ids=["raw", "multipart"],
    )
    def test_the_filename_in_the_query_counts_most(self, body: bytes, content_type: str) -> None:
        upload = sent(body, content_type, disposition="attachment; filename=other.png", filename="mine.png")
        assert upload == Upload("mine.png", NINE)


# ── Any way ───────────────────────────────────────────────────────────────────────────────────────────────────
WAYS = pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (bytes(LIMIT + 1), "image/png"),
        (form(('name="image"; filename="9.png"', bytes(LIMIT + 1))), MULTIPART),
        (json.dumps({"image": base64.b64encode(bytes(LIMIT + 1)).decode()}).encode(), "application/json"),
    ],
    ids=["raw", "multipart", "JSON"],
)

FORMS = st.builds(lambda *part: form(part), st.text(st.characters(codec="utf-8"), max_size=60), st.binary(max_size=60))


class TestAnyWay:
    @WAYS
    def test_one_byte_too_many_is_too_large(self, body: bytes, content_type: str) -> None:
        with pytest.raises(TooLarge):
            sent(body, content_type)
        assert len(sent(body, content_type, limit=LIMIT + 1).data) == LIMIT + 1

    @pytest.mark.parametrize("content_type", ["", "image/png", MULTIPART, "application/json"])
    def test_an_empty_body_is_a_broken_request_that_says_how_to_send(self, content_type: str) -> None:
        with pytest.raises(BadRequest, match=r"empty.*curl -F image=@9\.png"):
            sent(b"", content_type)

    @pytest.mark.parametrize(
        ("given_name", "kept"),
        [
            ("9.png", "9.png"),
            ("", "unnamed"),
            ("  ", "unnamed"),
            ("/", "unnamed"),
            ("\x00\x1f", "unnamed"),
            ("../../etc/passwd", "passwd"),
            ("C:\\fakepath\\9.png", "9.png"),
            ("/home/me\\mixed/9.png", "9.png"),
            ("9\r\nSet-Cookie: a=b.png", "9Set-Cookie: a=b.png"),
            ("9\x00\x1b[31m.png", "9[31m.png"),
            ("\u202egnp.9", "gnp.9"),
            ("9\u200b\u2028.png", "9.png"),
            ("9\ud800.png", "9.png"),
            ('=1+1, "quoted"; \'drop.png', '=1+1, "quoted"; \'drop.png'),
            ("九 ٩ 😀.png", "九 ٩ 😀.png"),
            ("\u2066gnp.9\u2069", "gnp.9"),
            (" \0 9.png \0 ", "9.png"),
            ("x" * 4000, "x" * 255),
            ("\0" * 4000 + "9.png", "9.png"),
            ("../" * 4000 + "9.png", "9.png"),
            (" " * 300 + "9.png", "9.png"),
        ],
    )
    def test_filenames_are_bare_printable_and_bounded(self, given_name: str, kept: str) -> None:
        body = json.dumps({"image": base64.b64encode(NINE).decode(), "filename": given_name}).encode()
        assert sent(body, "application/json").filename == kept
        assert sent(NINE, filename=given_name).filename == kept

    @pytest.mark.parametrize(
        ("body", "content_type", "times"),
        [
            (form(('name="image"; filename="9.png"', bytes(10 * LIMIT))), MULTIPART, 1.2),
            (json.dumps({"image": "A" * (8 * LIMIT)}).encode(), "application/json", 3.2),
            (json.dumps({"image": " " * (8 * LIMIT)}).encode(), "application/json", 3.2),
            (json.dumps({"image": "AAAA", "filename": "/" * (8 * LIMIT)}).encode(), "application/json", 3.2),
        ],
        ids=["form", "JSON", "JSON of spaces", "JSON of folders"],
    )
    def test_a_body_is_not_copied_often(self, body: bytes, content_type: str, times: float) -> None:
        tracemalloc.start()
        try:
            with suppress(BadRequest):
                sent(body, content_type, limit=20 * LIMIT)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < times * len(body)

    @given(
        body=st.binary(max_size=300) | FORMS,
        content_type=st.sampled_from(["", "application/json", MULTIPART]) | st.text(max_size=60),
        disposition=st.text(max_size=60) | st.text(max_size=60).map("attachment; filename".__add__),
        filename=st.text(max_size=60),
    )
    @settings(deadline=None, max_examples=200)
    def test_whatever_is_sent_there_is_a_picture_with_a_name_or_a_broken_request(
        self, body: bytes, content_type: str, disposition: str, filename: str
    ) -> None:
        try:
            upload = sent(body, content_type, disposition=disposition, filename=filename)
        except BadRequest:
            return
        assert upload.data
        assert 0 < len(upload.filename) <= 255
        assert upload.filename.isprintable()
