"""Bad requests, each with a name and the statuses that are right, made by our own code and the same at each run.

`CASES` reach the function; `BEFORE_IT` are refused by the server in front of it, gunicorn, in its own way. Pictures are
of a 4, so that what can be read in spite of its damage can be told from what is read wrongly.
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.bombs import ABSURD, FOUR, HARMLESS, LARGEST, MEBIBYTE, PICTURES, SLOW, Body
from tests.helpers import encode
from tests.test_decode import lying

LIMIT = 20 * MEBIBYTE  # MAX_UPLOAD_BYTES, where nobody sets it
PNG = PICTURES["png"]
MULTIPART = ("Content-Type", "multipart/form-data; boundary=cut")
JSON = ("Content-Type", "application/json")
CHUNKED = ("Transfer-Encoding", "chunked")
SOMEWHERE = f"/records/{uuid.UUID(int=1 << 76)}"  # where a record might be

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """A request, and the `statuses` that are right. Of a picture that is read all the same, with 200, nothing may be
    read but the digit that was drawn, unless it is said to be unsure.

    `raw` is all that is sent, in place of all the rest, or a function that makes it.
    """

    name: str
    statuses: tuple[int, ...]
    body: Body = b""
    method: str = "POST"
    path: str = "/"
    headers: Headers = ()
    raw: Body = field(default=b"", repr=False)

    def request(self) -> bytes:
        if self.raw:
            return made(self.raw)
        body = made(self.body)
        headers = (("Host", "localhost"), ("Connection", "close"), *self.headers)
        if (body or self.method in ("POST", "PUT")) and CHUNKED not in self.headers:
            headers += (("Content-Length", str(len(body))),)
        head = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join([*head, "", ""]).encode() + body


def made(body: Body) -> bytes:
    return body if isinstance(body, bytes) else body()


def dice(*seed: object) -> random.Random:
    return random.Random(repr(seed))  # noqa: S311  # no secret


FIRST_IS_READ = ("png-animated", "gif-animated")  # … of their pictures: whether the others are there does not matter


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────
def cut_off() -> Iterator[Case]:
    for name, data in PICTURES.items():
        for percent in (10, 30, 60, 85):
            begun = data[: max(32, len(data) * percent // 100)]
            statuses = (200, 422) if name in FIRST_IS_READ else (422,)
            yield Case(f"{name} of which there are {percent} %", statuses, begun)
        yield Case(f"{name} without its last byte", (200, 422), data[:-1])
    for length in (1, 4, 8, 12):
        yield Case(f"the first {length} bytes of a PNG", (415, 422), PNG[:length])


def flipped(data: bytes, bits: int, first: int, past: int) -> bytes:
    """Some bits of some of these bytes the other way round."""
    damaged, chance = bytearray(data), dice(data, bits, first, past)
    for _ in range(bits):
        damaged[chance.randrange(first, min(past, len(data)))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def damaged() -> Iterator[Case]:
    for name, data in PICTURES.items():
        for bits in (1, 3, 9):
            yield Case(f"{name} with {bits} bits flipped in its head", (200, 415, 422), flipped(data, bits, 8, 40))
            yield Case(f"{name} with {bits} bits flipped after it", (200, 422), flipped(data, bits, 40, len(data)))
        yield Case(f"{name} that goes on as noise", (422,), data[:32] + dice(name).randbytes(400))
        yield Case(f"{name} that goes on as a JPEG", (200, 422), data[: len(data) // 2] + PICTURES["jpeg"])


def too_much() -> Iterator[Case]:
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM"):
        for width, height in ((65_000, 65_000), (65_535, 1_000), (8_001, 8_000)):
            yield Case(f"{kind} of {width} by {height}", (422,), lying(kind, width, height))
    for name, body in {**ABSURD, **SLOW}.items():
        yield Case(name, (422,), body)
    for name, body in {**HARMLESS, **LARGEST}.items():
        yield Case(name, (200,), body)


WRITABLE = (
    "BLP",
    "DDS",
    "DIB",
    "EPS",
    "ICNS",
    "ICO",
    "IM",
    "JPEG2000",
    "MSP",
    "PCX",
    "PDF",
    "QOI",
    "SGI",
    "SPIDER",
    "TGA",
    "XBM",
)
MODES = {"BLP": "P", "ICNS": "RGBA", "MSP": "1", "SPIDER": "F", "XBM": "1"}
# How files begin that Pillow, or what it calls, would open if it were let, and some that it would not.
BEGINNINGS = {
    "BUFR": b"BUFR",
    "CUR": b"\0\0\2\0\1\0",
    "DCX": b"\xb1\x68\xde\x3a",
    "DICOM": bytes(128) + b"DICM",
    "EMF": b"\1\0\0\0" + bytes(36) + b" EMF",
    "FITS": b"SIMPLE  =                    T",
    "FLI": b"\0\0\0\0\x11\xaf",
    "FTEX": b"FTEX",
    "GBR": b"\0\0\0\x1c\0\0\0\2",
    "GRIB": b"GRIB\0\0\0\1",
    "HDF5": b"\x89HDF\r\n\x1a\n",
    "HTML": b"<!doctype html><title>4</title>",
    "IPTC": b"\x1c\2\0\0\2",
    "JPEG XL": b"\xff\x0a",
    "JPEG XL in boxes": b"\0\0\0\x0cJXL \r\n\x87\n",
    "MCIDAS": b"\0\0\0\0\0\0\0\4",
    "MIC and FPX": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "MNG": b"\x8aMNG\r\n\x1a\n",
    "MP4": b"\0\0\0\x18ftypisom",
    "MPEG": b"\0\0\1\xb3",
    "PAM": b"P7\nWIDTH 80\n",
    "PCD": bytes(2048) + b"PCD_",
    "PFM": b"Pf\n80 96\n-1.0\n",
    "PIXAR": b"\x80\xe8\0\0",
    "PSD": b"8BPS\0\1",
    "RIFF that is sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "SUN": b"\x59\xa6\x6a\x95",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "WMF": b"\xd7\xcd\xc6\x9a\0\0",
    "XPM": b"/* XPM */",
    "XV thumbnail": b"P7 332",
    "ZIP": b"PK\3\4",
    "a script": b"#!/bin/sh\nrm -rf /\n",
    "a line break before a PNG": b"\n" + PNG,
    "gzip": b"\x1f\x8b\x08",
    "text": b"Dear reader,",
    "zeros": bytes(16),
    "ones": b"\xff" * 16,
}


def no_pictures() -> Iterator[Case]:
    for kind in WRITABLE:
        yield Case(f"{kind} is not read", (415,), encode(FOUR.convert(MODES.get(kind, "RGB")).resize((64, 64)), kind))
    for kind, start in BEGINNINGS.items():
        yield Case(f"{kind} is not read", (415,), start + bytes(64))
    yield Case("20 MB of zeros", (415,), lambda: bytes(LIMIT))
    yield Case("a byte more than the limit", (413,), lambda: PNG + bytes(LIMIT + 1 - len(PNG)))


# ── Bodies ────────────────────────────────────────────────────────────────────────────────────────────────────
def part(content: bytes, parameters: str = 'name="image"; filename="4.png"', *more: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {parameters}", *more]
    return "\r\n".join(["--cut", *lines, "", ""]).encode() + content + b"\r\n"


END = b"--cut--\r\n"
FORMS: dict[str, Body] = {
    "of no parts": END,
    "that is empty": b"",
    "of a field and no file": part(PNG, 'name="image"') + END,
    "of an empty file": part(b"") + END,
    "without its end": part(PNG),
    "cut off within the file": part(PNG)[:-60],
    "cut off within a head": part(PNG)[:40],
    "of nothing but dashes": b"--" * 1_000,
    "of nothing but line breaks": b"\r\n" * 1_000,
    "of a PNG": PNG,
    "of a part without a head": b"--cut\r\n\r\n" + PNG + b"\r\n" + END,
    "of a part without a disposition": b"--cut\r\nContent-Type: image/png\r\n\r\n" + PNG + b"\r\n" + END,
    "whose head is not UTF-8": b'--cut\r\nContent-Disposition: form-data; name="\xff\xfe"; filename="4"\r\n\r\n'
    + PNG
    + END,
    "of a head without an end": b"--cut\r\nContent-Disposition: form-data; filename=4.png",
    "of a thousand fields": part(b"", 'name="field"') * 1_000 + part(PNG) + END,
    "of a thousand files": part(b"") * 1_000 + END,
    "whose end comes first": END + part(PNG) + END,
    "with a head of 1 MB": part(PNG, 'name="image"; filename="4.png"', "X: " + "y" * MEBIBYTE) + END,
    "with 100,000 lines in its head": part(PNG, 'name="image"; filename="4.png"', *["X: y"] * 100_000) + END,
    "with 100,000 parameters": part(PNG, 'name="image"; filename="4.png"' + "; a=b" * 100_000) + END,
    "with 20 MB of parameters": lambda: part(PNG, 'name="image"; filename="4.png"' + "; a=b" * (4 * MEBIBYTE)) + END,
    "with a name of 20 MB": lambda: part(PNG, 'name="image"; filename="' + "a" * (20 * MEBIBYTE) + '"') + END,
    "with 20 MB before it": lambda: b"x" * LIMIT + part(PNG) + END,
    "with a field of 20 MB": lambda: part(bytes(LIMIT), 'name="image"') + END,
    "with 20 MB of near ends": lambda: part(b"", 'name="x"') + b"\r\n--cu" * (LIMIT // 6) + END,
}
BOUNDARIES = {
    "no boundary": "multipart/form-data",
    "an empty boundary": "multipart/form-data; boundary=",
    "another boundary": "multipart/form-data; boundary=other",
    "a boundary of 5,000 characters": f"multipart/form-data; boundary={'x' * 5_000}",
    "a boundary that is no ASCII": "multipart/form-data; boundary=schön",
    "a boundary with a pattern in it": "multipart/form-data; boundary=(.*)+$",
    "a boundary in quotes that do not end": 'multipart/form-data; boundary="cut',
}
CODED = base64.b64encode(PNG).decode()
TEXTS: dict[str, Body] = {
    "that ends early": b'{"image": "',
    "that is not UTF-8": b"\xff\xfe\x00",
    "of a list": b"[]",
    "of a text": b'"image"',
    "of nothing": b"null",
    "of a number": b"7",
    "of no image": b"{}",
    "of an image that is null": b'{"image": null}',
    "of an image that is a number": b'{"image": 7}',
    "of an image that is a list": b'{"image": ["iVBORw0KGgo="]}',
    "of an empty image": b'{"image": ""}',
    "of an image that is not base64": b'{"image": "no base64!"}',
    "of base64 that is not ASCII": '{"image": "ümläut"}'.encode(),
    "of base64 without its end": b'{"image": "iVBORw0KGgo"}',
    "of base64 with more after its end": b'{"image": "iVBORw0KGgo=iVBORw0KGgo="}',
    "of base64 for addresses": b'{"image": "__-_"}',
    "of a data URL that is not base64": b'{"image": "data:image/svg+xml,<svg/>"}',
    "of an empty data URL": b'{"image": "data:image/png;base64,"}',
    "of a data URL without a comma": b'{"image": "data:image/png;base64"}',
    "of an address": b'{"image": "http://localhost/metrics"}',
    "of an address of a file": b'{"image": "file:///etc/passwd"}',
    "of a name that is a number": json.dumps({"image": CODED, "filename": 7}).encode(),
    "of a name that is a list": json.dumps({"image": CODED, "filename": ["4.png"]}).encode(),
    "of 100,000 lists in each other": b"[" * 100_000,
    "of 100,000 objects in each other": b'{"image":' * 100_000,
    "of a number of a million digits": b'{"image": ' + b"9" * 10**6 + b"}",
    "of 7 million lists": lambda: b'{"image": [' + b"[]," * (7 * 10**6 - 100) + b"0]}",
    "of 1.5 million fields": lambda: b"{" + b",".join(b'"%d":0' % index for index in range(1_500_000)) + b"}",
    "of 20 MB of spaces": lambda: json.dumps({"image": " " * (LIMIT - 100)}).encode(),
    "in UTF-16 that ends early": '{"image": "'.encode("utf-16"),
    "followed by more": json.dumps({"image": CODED}).encode() + b"{}",
    "of not-a-number": b'{"image": NaN}',
}


def bodies() -> Iterator[Case]:
    for name, body in FORMS.items():
        yield Case(f"a form {name}", (400,), body, headers=(MULTIPART,))
    for name, kind in BOUNDARIES.items():
        yield Case(f"a form with {name}", (400,), part(PNG) + END, headers=(("Content-Type", kind),))
    for name, body in TEXTS.items():
        yield Case(f"JSON {name}", (400,), body, headers=(JSON,))
    yield Case("JSON of text in base64", (415,), json.dumps({"image": "RGVhciByZWFkZXI="}).encode(), headers=(JSON,))
    yield Case("a form of text", (415,), part(b"Dear reader,") + END, headers=(MULTIPART,))
    yield Case("a form of a cut-off PNG", (422,), part(PNG[:200]) + END, headers=(MULTIPART,))
    yield Case("a form larger than the limit", (413,), lambda: part(bytes(LIMIT + 1)) + END, headers=(MULTIPART,))
    yield Case("no body", (400,))
    for kind in ("gzip", "br", "nonsense"):
        yield Case(f"a body in {kind} that is none", (200, 415), PNG, headers=(("Content-Encoding", kind),))
    for kind in ("", ";", "image/", "multipart", "a" * 4_000, "application/json;;;=,", "multipart/form-data; boundary"):
        headers = (("Content-Type", kind),)
        yield Case(f"a PNG of type {kind[:30]!r}", (200, 400), PNG, headers=headers)


# ── Names of files ────────────────────────────────────────────────────────────────────────────────────────────
NAMES = {
    "of 4,000 characters": "x" * 4_000,
    "of 4,000 folders": "../" * 4_000 + "4.png",
    "of 1,000 emoji": "😀" * 1_000,
    "that leads to a password": "../../../etc/passwd",
    "that leads to a password on Windows": "..\\..\\windows\\system32\\config\\sam",
    "of a folder": "/etc/",
    "with a NUL": "4.png\0.exe",
    "with a line break": "4.png\r\nSet-Cookie: a=b",
    "with a header": "4.png\r\n\r\nHTTP/1.1 200 OK",
    "with the marks of right to left": "\u202egnp.4\u2066\u2069",
    "with marks that nobody sees": "\ufeff4\u200b\u200d\u2060\u00ad.png",
    "with line breaks of Unicode": "4\u2028.\u2029png\x85",
    "with escapes for terminals": "\x1b[2J\x1b]0;4\x07.png",
    "of control characters": "".join(map(chr, [*range(32), 127, *range(128, 160)])),
    "with tags": "<script>alert(4)</script>.png",
    "with quotes": "4'; drop table predictrecord; --\".png",
    "with a formula": "=cmd|' /C calc'!A0",
    "with a format": "%s%n{0.__class__}${jndi:ldap://localhost/4}",
    "that is a dot": ".",
    "that is two dots": "..",
    "of spaces": " \t ",
    "with stacked accents": "4" + "\u0301" * 500,
    "with a private letter": "\ue000\U0010ffff.png",
}


def names() -> Iterator[Case]:
    for name, filename in NAMES.items():
        body = json.dumps({"image": CODED, "filename": filename}).encode()
        yield Case(f"a name {name}, in JSON", (200,), body, headers=(JSON,))
        coded = quote(filename, safe="")
        if len(coded) < 3_900:
            yield Case(f"a name {name}, in the query", (200,), PNG, path=f"/?filename={coded}")
            header = ("Content-Disposition", f"attachment; filename*=UTF-8''{coded}")
            yield Case(f"a name {name}, in the head", (200,), PNG, headers=(header,))
        parameters = f"name=\"image\"; filename*=UTF-8''{coded}"
        yield Case(f"a name {name}, in a form", (200,), part(PNG, parameters) + END, headers=(MULTIPART,))
    surrogate = b'{"image": "%s", "filename": "4\\ud800.png"}' % CODED.encode()
    yield Case("a name of half a character", (200,), surrogate, headers=(JSON,))
    yield Case("a name that is not UTF-8", (200,), PNG, path="/?filename=%ff%fe%c0%80.png")
    quoted = b'--cut\r\nContent-Disposition: form-data; filename="a\\"b\\\\c/../4.png"\r\n\r\n' + PNG + b"\r\n" + END
    yield Case("a name in quotes within quotes", (200,), quoted, headers=(MULTIPART,))


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────────────────────
NOWHERE = {
    "nowhere": "/nowhere",
    "records with more": "/records/",
    "a record that is no id": "/records/nothing",
    "a record in capitals": "/records/A1B2C3D4-0000-1000-8000-000000000000",
    "a record of 4,000 characters": f"/records/{'x' * 3_900}",
    "a record that is a NUL": "/records/%00",
    "a record of a line break": f"{SOMEWHERE}%0a",
    "a record that is a statement": "/records/1'%20or%20'1'='1",
    "the folder above": "/../../etc/passwd",
    "the folder above in code": "/%2e%2e/%2e%2e/etc/passwd",
    "the program": "/main.py",
    "the records' file": "/records.db",
    "what is not UTF-8": "/%ff%fe",
    "an emoji": "/%F0%9F%98%80",
    "health of nothing": "/health",
    "the prefix twice": "/api/api/records",
    "a prefix that only begins so": "/apirecords",
    "an address of a file": "/file:///etc/passwd",
    "a favicon": "/favicon.ico",
}
QUERIES = {
    "a limit of 0": "limit=0",
    "a limit below 0": "limit=-1",
    "a limit that is too high": "limit=1001",
    "a limit of 4,000 digits": f"limit={'9' * 3_900}",
    "a limit that is none": "limit=x",
    "a limit in other digits": "limit=%D9%A5",
    "a limit with a sign": "limit=%2B5",
    "a limit of half": "limit=0.5",
    "an empty limit": "limit=",
    "a cursor that is none": "cursor=nothing",
    "a cursor of a dot": "cursor=.",
    "a cursor of 3,900 characters": f"cursor={'A' * 3_900}",
    "a cursor of another version": "cursor="
    + base64.urlsafe_b64encode(uuid.UUID(int=4 << 76).bytes).decode().rstrip("="),
    "a cursor that is too short": "cursor=AAAA",
    "a cursor that is not UTF-8": "cursor=%ff%fe",
    "a cursor of a NUL": "cursor=%00",
    "a cursor of emoji": "cursor=%F0%9F%98%80",
    "another format": "format=xml",
    "an empty format": "format=",
    "a format that leads elsewhere": "format=../../etc/passwd",
}
CORRECTIONS: dict[str, Body] = {
    "of nothing": b"",
    "that ends early": b'{"result": "',
    "of a list": b"[]",
    "of a number": b'{"result": 7}',
    "of null": b'{"result": null}',
    "of a letter": b'{"result": "seven"}',
    "of a digit of another script": '{"result": "٧"}'.encode(),
    "of 201 digits": json.dumps({"result": "1" * 201}).encode(),
    "of a NUL": b'{"result": "\\u0000"}',
    "of a tab": b'{"result": "\\t"}',
    "of 900 lists in each other": b'{"result": ' + b"[" * 900,
    "of another field": b'{"correction": "7"}',
    "that is a form": part(PNG) + END,
}


def addresses() -> Iterator[Case]:
    for name, path in NOWHERE.items():
        yield Case(f"GET {name}", (404,), method="GET", path=path)
    for name in ("nowhere", "a record that is no id", "what is not UTF-8"):
        yield Case(f"POST to {name}", (404,), PNG, path=NOWHERE[name])
        yield Case(f"PUT to {name}", (404,), PNG, method="PUT", path=NOWHERE[name])
    yield Case("GET a record that is not there", (404,), method="GET", path=SOMEWHERE)
    yield Case("GET the page, which is elsewhere", (404,), method="GET", path="/")
    for path in ("/records", SOMEWHERE, f"{SOMEWHERE}/correction", "/health/live", "/metrics", "/openapi.json"):
        yield Case(f"POST to {path}", (405,), PNG, path=path)
    for method in ("PUT", "PATCH", "DELETE"):
        yield Case(f"{method} /", (405,), PNG, method=method)
        yield Case(f"{method} /records", (405,), method=method, path="/records")
    for name, query in QUERIES.items():
        yield Case(f"records with {name}", (400,), method="GET", path=f"/records?{query}")
    for name, body in CORRECTIONS.items():
        yield Case(f"a correction {name}", (400,), body, "PUT", f"{SOMEWHERE}/correction", (JSON,))
    yield Case("a correction of no record", (404,), b'{"result": "7"}', "PUT", f"{SOMEWHERE}/correction", (JSON,))
    for name, length in {"2 MB": 2 * MEBIBYTE, "21 MB": 21 * MEBIBYTE}.items():
        body = b'{"result": ' + b"[" * length
        yield Case(f"a correction of {name}", (413,), body, "PUT", f"{SOMEWHERE}/correction", (JSON,))
    for name, query in {"another": "two", "no": "", "a NUL for an": "%00", "a long": "x" * 3_900}.items():
        yield Case(f"a picture with {name} expectation", (400,), PNG, path=f"/?expect={query}")
    for name, key in {"with a space": "two words", "of 129 letters": "x" * 129, "that is no ASCII": "schön"}.items():
        yield Case(f"a picture with a key {name}", (400,), PNG, headers=(("Idempotency-Key", key),))


# ── Bytes on the line ─────────────────────────────────────────────────────────────────────────────────────────
def sent(*lines: str, body: bytes = b"", start: str = "POST / HTTP/1.1") -> bytes:
    return "\r\n".join([start, "Host: localhost", "Connection: close", *lines, "", ""]).encode("latin-1") + body


def in_chunks(data: bytes, size: int = 65_536) -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def chunked(*lines: str, body: bytes) -> bytes:
    return sent("Transfer-Encoding: chunked", *lines, body=body)


def on_the_line() -> Iterator[Case]:
    raw: dict[str, tuple[tuple[int, ...], Body]] = {
        "a body shorter than its length": ((400,), sent(f"Content-Length: {len(PNG) + 100}", body=PNG)),
        "a body of half its length": ((400,), sent(f"Content-Length: {2 * len(PNG)}", body=PNG)),
        "a body longer than its length": ((422,), sent(f"Content-Length: {len(PNG) // 2}", body=PNG)),
        "a length of 0 and a body": ((400,), sent("Content-Length: 0", body=PNG)),
        "a length of 1 TB": ((413,), sent(f"Content-Length: {2**40}", body=PNG)),
        "no length": ((400, 411), sent(body=PNG)),
        "chunks of 21 MB": ((413,), lambda: chunked(body=in_chunks(bytes(21 * MEBIBYTE)))),
        "chunks of a byte": ((415,), chunked(body=in_chunks(b"Dear reader, " * 100, 1))),
        "chunks of a cut-off PNG": ((422,), chunked(body=in_chunks(PNG[:200]))),
        "chunks without an end": ((400,), chunked(body=in_chunks(PNG)[:-5])),
        "a chunk that is cut off": ((400,), chunked(body=in_chunks(PNG)[:100])),
        "a chunk of no size": ((400,), chunked(body=b"\r\n" + PNG)),
        "a chunk of a size that is none": ((400,), chunked(body=b"zz\r\n" + PNG)),
        "a chunk of a size below zero": ((400,), chunked(body=b"-5\r\n" + PNG)),
        "a chunk of 2⁶⁴ bytes": ((400,), chunked(body=b"1" + b"0" * 16 + b"\r\n" + PNG)),
        "a chunk of a size of 100,000 digits": ((400,), chunked(body=b"0" * 100_000 + b"5\r\n" + PNG)),
        "a chunk longer than its size": ((400,), chunked(body=b"5\r\n" + PNG + b"\r\n0\r\n\r\n")),
        "chunks of nothing": ((400,), chunked(body=b"0\r\n\r\n")),
    }
    for name, (statuses, data) in raw.items():
        yield Case(name, statuses, raw=data)


# What gunicorn mostly refuses by itself, without problem+json.
BEFORE_IT: dict[str, bytes] = {
    "nothing that is HTTP": b"Dear reader,\r\n\r\n",
    "a picture": PNG,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n\r\n",
    "a request line of 10,000 characters": sent(start=f"GET /?filename={'x' * 10_000} HTTP/1.1"),
    "a request line of 20 MB": sent(start=f"GET /?filename={'x' * LIMIT} HTTP/1.1"),
    "a header of 20,000 characters": sent(f"X: {'y' * 20_000}"),
    "200 headers": sent(*["X: y"] * 200),
    "a header without a colon": sent("nonsense"),
    "a header without a name": sent(": nothing"),
    "a header with a space in its name": sent("Content Length: 5"),
    "a header that goes on in the next line": sent("X: y", " z"),
    "a header with a NUL": sent("X: y\0z"),
    "two lengths": sent(f"Content-Length: {len(PNG)}", "Content-Length: 5", body=PNG),
    "a length that is none": sent("Content-Length: five", body=PNG),
    "a length below zero": sent("Content-Length: -5", body=PNG),
    "a length with a sign": sent("Content-Length: +5", body=PNG),
    "a length and chunks": chunked(f"Content-Length: {len(PNG)}", body=in_chunks(PNG)),
    "chunks twice": chunked("Transfer-Encoding: chunked", body=in_chunks(PNG)),
    "an encoding that is none": sent("Transfer-Encoding: nonsense", body=PNG),
    "chunks that are not last": sent("Transfer-Encoding: chunked, gzip", body=in_chunks(PNG)),
    "a method in small letters": sent(start="post / HTTP/1.1"),
    "a method of signs": sent(start="P@ST / HTTP/1.1"),
    "a method of 100 letters": sent(start=f"{'X' * 100} / HTTP/1.1"),
    "no method": sent(start="/ HTTP/1.1"),
    "an address with a space": sent(start="GET /a b HTTP/1.1"),
    "an address with a NUL": sent(start="GET /\0 HTTP/1.1"),
    "a response": b"HTTP/1.1 200 OK\r\n\r\n",
}

CASES = [
    *cut_off(),
    *damaged(),
    *too_much(),
    *no_pictures(),
    *bodies(),
    *names(),
    *addresses(),
    *on_the_line(),
]
