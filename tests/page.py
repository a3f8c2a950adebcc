"""The page in a real browser: what its tests and its screenshots share."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    FilePayload,
    FloatRect,
    Locator,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from function.records import GREGORIAN
from tests.helpers import Service, digit_png, draw_digit, encode
from tests.nginx import request

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=20_000)


def program(chromium: BrowserType) -> str:
    path = CHROMIUM or chromium.executable_path
    if not Path(path).exists():
        pytest.skip("chromium is not installed")
    return path


def launched(chromium: BrowserType, *flags: str) -> Browser:
    return chromium.launch(executable_path=program(chromium), args=[*CHROMIUM_FLAGS, *flags])


def lasting(chromium: BrowserType, folder: Path) -> BrowserContext:
    """A browser that keeps in `folder` what pages leave with it."""
    return chromium.launch_persistent_context(folder, executable_path=program(chromium), args=CHROMIUM_FLAGS)


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launched(playwright.chromium) as browser:
        yield browser


def png(digit: int = 4, name: str = "four.png") -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": digit_png(digit)}


def number(*lines: str, name: str = "number.png") -> FilePayload:
    """A picture of several digits, in one line or more."""
    paper = Image.new("RGB", (120 * max(map(len, lines)) + 80, 200 * len(lines)), "white")
    for row, line in enumerate(lines):
        for column, digit in enumerate(line):
            paper.paste(draw_digit(int(digit)).crop((40, 0, 160, 200)), (120 * column + 40, 200 * row))
    return {"name": name, "mimeType": "image/png", "buffer": encode(paper)}


def choose(page: Page, *files: FilePayload | Path) -> None:
    page.locator("[data-part=file]").set_input_files(list(files))  # type: ignore[arg-type]


def read_it(page: Page) -> Locator:
    return page.locator("[data-part=submit]")


def result(page: Page) -> Locator:
    return page.locator("[data-part=result]")


def preview(page: Page) -> Locator:
    return page.locator("[data-part=preview]")


def complaints(page: Page, *, but: str = "no such place") -> list[str]:
    """Fills up with what the browser's console objects to, violations of the content security policy included, but not
    with what it says of URLs that have `but` in them."""
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and but not in message.location["url"]:
            said.append(f"{message.text} ({message.location['url']})")

    page.on("console", listen)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


# ------------------------------------------------------------------------------------------------ a past

FIRST = datetime(2026, 9, 28, 8, 15, tzinfo=UTC)


def fill(service: Service, count: int) -> None:
    """Has `count` numbers read, in handwriting that gets better; mistakes are corrected. It all seems to have happened
    in the weeks after `FIRST`, and is the same each time."""
    chance = random.Random(2019)  # noqa: S311 - of no secrets
    for index in range(count):
        truth = "".join(chance.choices("0123456789", k=chance.choice((1, 1, 2, 3, 4))))
        name = f"{chance.choice(('meter', 'label', 'page', 'IMG'))}-{1000 + 7 * index}.jpg"
        picture = encode(handwritten(truth, chance, slant=30 - 22 * index / count), "JPEG")
        answer = json.loads(request(f"{service.url}/?filename={name}", "POST", picture).body)
        if answer["result"] != truth or index % 9 == 0:
            correction = json.dumps({"result": truth}).encode()
            request(f"{service.url}/records/{answer['id']}/correction", "PUT", correction)
    with contextlib.closing(sqlite3.connect(service.folder / "records.db")) as db, db:
        ids = [row[0] for row in db.execute("select id from predictrecord order by ticks")]
        for index, before in enumerate(ids):
            moment = FIRST + timedelta(hours=11 * index, minutes=index * index % 240)
            after = id_at(moment)
            told = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            values = (str(after), after.time, told, before)
            db.execute("update predictrecord set id = ?, ticks = ?, time = ? where id = ?", values)


def handwritten(text: str, chance: random.Random, *, slant: float) -> Image.Image:
    """A line of digits, none like the other; `slant` is how much they lean to either side, in degrees."""
    paper = Image.new("RGB", (130 * len(text) + 60, 220), (244, 241, 232))
    for place, digit in enumerate(text):
        nib = chance.choice((7, 9, 12))
        drawn = draw_digit(int(digit), nib=nib, ink=(38, 44, 88), paper=(244, 241, 232))
        turned = drawn.rotate(chance.gauss(0, slant), resample=Image.Resampling.BICUBIC, fillcolor=(244, 241, 232))
        wide = chance.randint(90, 130)
        paper.paste(turned.crop((35, 10, 165, 190)).resize((wide, 180)), (130 * place + 30, chance.randint(8, 30)))
    return paper


def id_at(moment: datetime) -> uuid.UUID:
    """The time UUID of a moment."""
    ticks = 10 * ((moment - GREGORIAN) // timedelta(microseconds=1))
    return uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, 0x80, 0, 1 << 40))


def records(page: Page) -> Locator:
    return page.locator("[data-part=records] tr")


def tab_to(page: Page, target: Locator) -> None:
    """By the keyboard, from where the focus is."""
    for _ in range(12):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    expect(target).to_be_focused()


def expect_read(page: Page, text: str) -> None:
    expect(result(page)).to_have_text(text)
    expect(page.get_by_role("alert")).not_to_be_visible()


def areas(drawn: Locator) -> list[FloatRect]:
    """All of one moment, for the page may be scrolling."""
    rectangles: list[FloatRect] = drawn.evaluate_all("all => all.map((one) => one.getBoundingClientRect().toJSON())")
    return rectangles


def sent_pictures(page: Page) -> list[Request]:
    """Fills up with the requests that send a picture."""
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    return sent


def held_pictures(page: Page) -> list[Route]:
    """Fills up with the requests that send a picture, which are kept waiting."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/", hold)
    return held


def hand_over(page: Page, file: FilePayload, event: str) -> None:
    """Drops or pastes a file as the browser would hand it to the page."""
    page.evaluate(
        """([event, name, type, base64]) => {
            const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type }));
            const options = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(event === 'paste'
                ? new ClipboardEvent('paste', { ...options, clipboardData: transfer })
                : new DragEvent(event, { ...options, dataTransfer: transfer }));
        }""",
        [event, file["name"], file["mimeType"], base64.b64encode(file["buffer"]).decode()],
    )
