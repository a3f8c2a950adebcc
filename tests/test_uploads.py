"""Pictures on their way: several at once, big ones, and what becomes of them when function or connection fail."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.heic import LYING_4
from tests.helpers import digit_png, draw_digit, encode, free_port, running_function
from tests.nginx import running_nginx

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.page import (
    areas,
    choose,
    expect_read,
    held_pictures,
    number,
    png,
    read_it,
    records,
    result,
    sent_pictures,
)


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="Pictures").get_by_role("listitem")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has_text=name)


def expect_state(page: Page, name: str, words: str) -> None:
    expect(row(page, name).locator(".state")).to_have_text(words)


def logged(url: str) -> list[str]:
    """The files of all records, the oldest first."""
    kept = httpx.get(f"{url}/records?limit=1000").json()["records"]
    return [record["filename"] for record in reversed(kept)]


def wait_for(page: Page, condition: Callable[[], bool]) -> None:
    """While the browser goes on."""
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        page.wait_for_timeout(20)
    assert condition()


# ── Several at once ───────────────────────────────────────────────────────────────────────────────────────────
class TestSeveral:
    def test_all_are_read_with_a_result_each_and_one_is_shown(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, *(png(digit, f"several-{digit}.png") for digit in range(6)))
        expect(rows(page)).to_have_count(6)
        page.get_by_role("button", name="Read them").click()
        for digit in range(6):
            expect_state(page, f"several-{digit}.png", str(digit))
        expect(page.locator("[data-part=caption]")).to_have_text("6 pictures, 6 read")
        expect_read(page, "0")
        assert sorted(logged(f"{site}/api")[-6:]) == [f"several-{digit}.png" for digit in range(6)]

    def test_each_can_be_looked_at_by_keyboard_and_corrected(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, png(3, "three.png"), number("42"))
        page.get_by_role("button", name="Read them").click()
        expect_read(page, "3")
        expect_state(page, "number.png", "42")
        row(page, "number.png").get_by_role("button").first.press("Enter")
        expect_read(page, "42")
        expect(row(page, "number.png").get_by_role("button").first).to_be_focused()
        expect(row(page, "number.png").get_by_role("button", pressed=True)).to_have_count(1)
        expect(page.locator(".boxes .box")).to_have_count(2)
        page.locator("[data-part=choices]").get_by_role("button", name="7", exact=True).click()
        expect(page.locator("[data-part=corrected]")).to_have_text("Corrected to 72")

    def test_one_that_is_no_picture_does_not_stop_the_others(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear reader,"}, png(5, "five.png"))
        page.get_by_role("button", name="Read them").click()
        expect_state(page, "letter.txt", "This is not a picture")
        expect_state(page, "five.png", "5")
        expect(page.locator("[data-part=caption]")).to_have_text("2 pictures, 1 read, 1 not read")
        expect(page.get_by_role("alert")).to_contain_text("This is not a picture")
        row(page, "five.png").get_by_role("button").first.click()
        expect_read(page, "5")

    def test_several_can_be_dropped(self, page: Page, site: str) -> None:
        page.goto(site)
        page.evaluate(
            """(all) => {
                const transfer = new DataTransfer();
                for (const [name, bytes] of all) {
                    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
                }
                document.body.dispatchEvent(
                    new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
            }""",
            [[f"dropped-{digit}.png", list(digit_png(digit))] for digit in (2, 8)],
        )
        page.keyboard.press("Enter")
        expect_state(page, "dropped-2.png", "2")
        expect_state(page, "dropped-8.png", "8")

    def test_fifty_are_read_although_nginx_and_the_function_let_in_fewer_at_once(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, *(png(index % 10, f"fifty-{index:02}.png") for index in range(50)))
        page.get_by_role("button", name="Read them").click()
        expect(page.locator("[data-part=caption]")).to_have_text("50 pictures, 50 read", timeout=60_000)
        assert len({name for name in logged(f"{site}/api") if name.startswith("fifty-")}) == 50

    def test_another_picture_does_not_stop_those_under_way(self, page: Page, site: str) -> None:
        page.goto(site)
        held = held_pictures(page)
        choose(page, png(1, "under-way.png"))
        read_it(page).click()
        expect(row(page, "under-way.png").get_by_role("button", name="Cancel")).to_be_visible()
        choose(page, png(6, "next.png"))
        expect(rows(page)).to_have_count(2)
        read_it(page).click()
        wait_for(page, lambda: len(held) == 2)
        for route in held:
            route.continue_()
        expect_read(page, "6")
        expect_state(page, "under-way.png", "1")


# ── Big ones ──────────────────────────────────────────────────────────────────────────────────────────────────
def photograph(digit: int = 4, orientation: int = 1) -> FilePayload:
    """Of 4000 × 3000 pixels or so, whose EXIF says how it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    paper = Image.effect_noise((3000, 4000), 8).point(lambda shade: shade + 80)
    paper.paste(20, (300, 2500), draw_digit(digit, side=1200, nib=90).convert("L").point(lambda shade: 255 - shade))
    turned = paper.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else paper
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": encode(turned, "JPEG", exif=exif, quality=95)}


class TestBig:
    def test_a_photo_is_made_smaller_and_stays_upright(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, photograph(orientation=6))
        with page.expect_response("**/api/") as response:
            read_it(page).click()
        expect_read(page, "4")
        [digit] = response.value.json()["digits"]
        left, top, width, height = digit["box"]
        assert 0 <= left < left + width < 600
        assert 800 < top < top + height <= 1600
        expect(row(page, "photo.jpg")).to_be_visible()
        expect(records(page).first).to_contain_text("photo.jpg")
        expect(page.locator(".boxes")).to_have_attribute("viewBox", "0 0 1200 1600")
        picture_area, box = areas(page.locator("[data-part=preview], .boxes rect.line"))
        assert box["y"] > picture_area["y"] + picture_area["height"] / 2

    def test_a_photo_above_the_limit_is_made_small_enough_to_be_read(
        self, page: Page, site: str, tmp_path: Path
    ) -> None:
        noise = Image.merge("RGB", [Image.effect_noise((5200, 5200), 30) for _ in "RGB"])
        noise.paste(draw_digit(8, side=3000, nib=240).convert("RGB"), (1000, 1000))
        path = tmp_path / "huge.jpg"
        noise.save(path, quality=98, subsampling=0)
        assert path.stat().st_size > 20 * 2**20
        page.goto(site)
        choose(page, path)
        read_it(page).click()
        expect(result(page)).not_to_have_text("", timeout=60_000)
        expect(page.get_by_role("alert")).not_to_be_visible()

    @pytest.mark.parametrize(
        ("name", "kind", "data"),
        [("four.png", "image/png", digit_png(4)), ("lying.heic", "image/heic", LYING_4)],
        ids=["a small picture", "HEIC"],
    )
    def test_what_need_not_or_cannot_be_made_smaller_goes_up_as_it_is(
        self, page: Page, site: str, name: str, kind: str, data: bytes
    ) -> None:
        page.goto(site)
        choose(page, {"name": name, "mimeType": kind, "buffer": data})
        with page.expect_response("**/api/") as response:
            read_it(page).click()
        expect_read(page, "4")
        record = httpx.get(f"{site}/api/records/{response.value.json()['id']}").json()
        assert record["image_sha256"] == hashlib.sha256(data).hexdigest()


# ── Progress ──────────────────────────────────────────────────────────────────────────────────────────────────
class TestProgress:
    def test_how_much_is_sent_is_shown_and_it_can_be_cancelled(self, page: Page, site: str) -> None:
        session = page.context.new_cdp_session(page)
        page.goto(site)
        session.send("Network.enable")
        slow = {"offline": False, "latency": 10, "downloadThroughput": 1e6, "uploadThroughput": 100_000}
        session.send("Network.emulateNetworkConditions", slow)
        raw = encode(Image.effect_noise((1500, 1000), 120), "PNG")
        choose(page, {"name": "noise.png", "mimeType": "image/png", "buffer": raw})
        read_it(page).click()
        bar = row(page, "noise.png").get_by_role("progressbar")
        expect(bar).to_have_accessible_name("Sent so far: noise.png")
        wait_for(page, lambda: float(bar.get_attribute("value") or 0) > 0.05)
        expect(row(page, "noise.png").locator(".state")).to_contain_text("Sending, ")
        row(page, "noise.png").get_by_role("button", name="Cancel").click()
        expect_state(page, "noise.png", "Cancelled")
        expect(page.locator("[data-part=answer]")).to_have_attribute("aria-busy", "false")
        expect(page.get_by_role("alert")).not_to_be_visible()
        session.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1, "downloadThroughput": -1})
        assert "noise.png" not in logged(f"{site}/api")
        row(page, "noise.png").get_by_role("button", name="Try again").click()
        expect(row(page, "noise.png").get_by_role("button", name="Try again")).to_be_hidden()
        expect(records(page).first).to_contain_text("noise.png")


# ── When it fails ─────────────────────────────────────────────────────────────────────────────────────────────
class Switch:
    """A function behind nginx that can be stopped and started again, with its records."""

    def __init__(self, folder: Path, url: str, port: int) -> None:
        self.url = url
        self._folder, self._port = folder, port
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(running_function(self._folder, port=self._port))

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    port = free_port()
    (tmp_path / "nginx").mkdir()
    with running_nginx(tmp_path / "nginx", f"127.0.0.1:{port}") as url:
        switch = Switch(tmp_path, url, port)
        yield switch
        switch.stop()


class TestFailing:
    def test_while_the_function_is_down_pictures_wait_and_are_then_read_each_once(
        self, page: Page, switch: Switch
    ) -> None:
        page.goto(switch.url)
        choose(page, png(1, "one.png"), png(2, "two.png"), png(3, "three.png"))
        page.get_by_role("button", name="Read them").click()
        expect(page.locator("[data-part=caption]")).to_have_text("3 pictures, 0 read, 3 waiting for the reader")
        expect(page.get_by_role("alert")).to_contain_text("The reader is not available")
        expect(page.get_by_role("alert")).to_contain_text("It is kept here, and sent again by itself.")
        switch.start()
        expect(page.locator("[data-part=caption]")).to_have_text("3 pictures, 3 read", timeout=60_000)
        expect_read(page, "1")
        assert sorted(logged(f"{switch.url}/api")) == ["one.png", "three.png", "two.png"]

    def test_offline_pictures_wait_for_the_connection(self, page: Page, site: str) -> None:
        page.goto(site)
        page.context.set_offline(True)
        choose(page, png(name="offline.png"))
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text("You are offline")
        expect_state(page, "offline.png", "Waiting")
        page.context.set_offline(False)
        expect_read(page, "4")
        assert logged(f"{site}/api").count("offline.png") == 1

    def test_a_page_reloaded_in_the_middle_goes_on(self, page: Page, site: str) -> None:
        held: list[Route] = []

        def hold_the_first(route: Route) -> None:
            held.append(route)
            if len(held) > 1:
                route.continue_()

        page.route("**/api/", hold_the_first)
        page.goto(site)
        choose(page, png(8, "reloaded.png"))
        read_it(page).click()
        wait_for(page, lambda: len(held) == 1)
        page.reload()
        expect_read(page, "8")
        expect_state(page, "reloaded.png", "8")
        assert logged(f"{site}/api").count("reloaded.png") == 1

    def test_a_picture_whose_answer_was_lost_in_a_reload_has_one_record(self, page: Page, site: str) -> None:
        """The function had recorded it already."""
        lost: list[Route] = []

        def lose_the_first(route: Route) -> None:
            if lost:
                route.continue_()
            else:
                assert route.fetch().ok
                lost.append(route)

        page.route("**/api/", lose_the_first)
        page.goto(site)
        choose(page, png(6, "lost-in-a-reload.png"))
        read_it(page).click()
        wait_for(page, lambda: len(lost) == 1)
        page.reload()
        expect_read(page, "6")
        assert logged(f"{site}/api").count("lost-in-a-reload.png") == 1

    def test_a_tab_leaves_the_pictures_of_another_to_it_until_that_is_closed(self, page: Page, site: str) -> None:
        assert httpx.post(f"{site}/api/", content=digit_png(1)).is_success
        page.goto(site)
        page.route("**/api/", lambda route: route.abort("connectionrefused"))
        choose(page, png(5, "of-the-first-tab.png"))
        read_it(page).click()
        expect_state(page, "of-the-first-tab.png", "Waiting")
        other = page.context.new_page()
        other.goto(site)
        expect(records(other).first).to_be_visible()
        expect(rows(other)).to_have_count(0)
        page.close()
        other.reload()
        expect_state(other, "of-the-first-tab.png", "5")
        assert logged(f"{site}/api").count("of-the-first-tab.png") == 1

    def test_who_is_told_to_come_back_does_so_when_told(self, page: Page, site: str) -> None:
        times: list[float] = []

        def busy_once(route: Route) -> None:
            times.append(time.monotonic())
            if len(times) > 1:
                route.continue_()
                return
            problem = {"title": "The reader is busy", "detail": "Ask again in a moment.", "status": 503}
            route.fulfill(status=503, json=problem, headers={"Retry-After": "3"})

        page.route("**/api/", busy_once)
        page.goto(site)
        choose(page, png())
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text("The reader is busy")
        expect_read(page, "4")
        assert 3 <= times[1] - times[0] < 6

    def test_what_the_function_refuses_is_not_sent_again(self, page: Page, site: str) -> None:
        sent = sent_pictures(page)
        page.goto(site)
        choose(page, {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear reader,"})
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text("This is not a picture")
        expect(row(page, "letter.txt").get_by_role("button", name="Cancel")).to_be_hidden()
        page.reload()
        expect(page.get_by_text("No picture yet")).to_be_visible()
        assert len(sent) == 1

    def test_one_that_waits_can_be_given_up(self, page: Page, site: str) -> None:
        page.route("**/api/", lambda route: route.abort("connectionrefused"))
        page.goto(site)
        choose(page, png(name="given-up.png"))
        read_it(page).click()
        expect_state(page, "given-up.png", "Waiting")
        row(page, "given-up.png").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).not_to_be_visible()
        page.unroute("**/api/")
        page.reload()
        expect(page.get_by_text("No picture yet")).to_be_visible()
        assert "given-up.png" not in logged(f"{site}/api")

    def test_a_browser_that_keeps_nothing_reads_all_the_same(self, page: Page, site: str) -> None:
        page.add_init_script(
            """const refuse = { get() { throw new DOMException('', 'SecurityError'); } };
               for (const name of ['indexedDB', 'localStorage', 'sessionStorage']) {
                   Object.defineProperty(window, name, refuse);
               }"""
        )
        page.goto(site)
        choose(page, png())
        read_it(page).click()
        expect_read(page, "4")


# ── Each failure in the API's own words ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("status", "is_sent_again"),
    [
        (400, False),
        (413, False),
        (415, False),
        (422, False),
        (429, True),
        (500, False),
        (502, True),
        (503, True),
        (504, True),
    ],
)
def test_each_problem_is_told_in_the_apis_own_words_with_another_try_where_it_helps(
    page: Page, site: str, status: int, *, is_sent_again: bool
) -> None:
    problem = {"title": f"Title of {status}", "detail": f"What to do about {status}.", "status": status}
    tries: list[Route] = []

    def refuse(route: Route) -> None:
        tries.append(route)
        route.fulfill(status=status, json=problem)

    page.route("**/api/", refuse)
    page.goto(site)
    choose(page, png())
    read_it(page).click()
    expect(page.get_by_role("alert")).to_contain_text(f"Title of {status}")
    expect(page.get_by_role("alert")).to_contain_text(f"What to do about {status}.")
    expect(page.locator("[data-part=again]")).to_be_visible(visible=status >= 429)
    expect(page.locator("[data-part=waits]")).to_be_visible(visible=is_sent_again)
    page.wait_for_timeout(3000)
    assert (len(tries) > 1) is is_sent_again
