"""The page in a real browser, behind the real nginx, in front of the real function."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import Service, digit_png, encode

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import (
    Browser,
    BrowserType,
    FilePayload,
    Locator,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

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


# ---------------------------------------------------------------------------------------------- browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        yield browser
        browser.close()


def launched(chromium: BrowserType, *flags: str) -> Browser:
    program = CHROMIUM or chromium.executable_path
    if not Path(program).exists():
        pytest.skip("chromium is not installed")
    return chromium.launch(executable_path=program, args=[*CHROMIUM_FLAGS, *flags])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


expect.set_options(timeout=20_000)


def png(digit: int = 4, name: str = "four.png") -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": digit_png(digit)}


def choose(page: Page, file: FilePayload | Path) -> None:
    page.get_by_label("Choose a picture").set_input_files(file)


def read_it(page: Page) -> Locator:
    return page.get_by_role("button", name="Read it")


def result(page: Page) -> Locator:
    return page.locator("[data-part=result]")


def records(page: Page) -> Locator:
    return page.locator("[data-part=records] tr")


def preview(page: Page) -> Locator:
    return page.locator("[data-part=preview]")


def natural_size(image: Locator) -> list[int]:
    size: list[int] = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    return size


def expect_read(page: Page, text: str) -> None:
    expect(result(page)).to_have_text(text)
    expect(page.get_by_role("alert")).not_to_be_visible()


def complaints(page: Page) -> list[str]:
    """Fills up with what the browser's console has to object to, violations of the content security policy included."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


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


# ------------------------------------------------------------------------------------- reading a picture


class TestReading:
    def test_the_page_loads_without_a_word_in_the_console(self, page: Page, site: str) -> None:
        said = complaints(page)
        page.goto(site)
        choose(page, png())
        read_it(page).click()
        expect_read(page, "4")
        assert said == []

    def test_a_chosen_picture_is_read_shown_and_recorded(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, png(name="chosen.png"))
        with page.expect_response("**/api/") as response:
            read_it(page).click()
        expect_read(page, "4")

        answer = response.value.json()
        seen = page.get_by_alt_text("as the model saw it")
        bars = page.get_by_role("list", name="Probability of each digit").get_by_role("listitem")
        box = page.locator(".boxes rect.line")
        assert float(result(page).evaluate("element => parseFloat(getComputedStyle(element).fontSize)")) > 60
        expect(bars).to_have_count(10)
        expect(bars.nth(4)).to_have_text(re.compile(r"^4.*%$"))
        expect(page.locator(".bars .likeliest")).to_have_text(re.compile("^4"))
        assert natural_size(seen) == [28, 28]
        drawn = [float(box.get_attribute(name) or "") for name in ("x", "y", "width", "height")]
        assert drawn == answer["digits"][0]["box"]
        expect(page.locator("[data-part=confidence]")).to_have_text(re.compile(r"% sure$"))
        expect(page.locator("[data-part=recorded]")).to_have_text("Stored")
        expect(page.locator("[data-part=took]")).to_have_text(re.compile(r"\d+ ms|\d\.\d s"))
        expect(records(page).first).to_contain_text("chosen.png")
        expect(records(page).first.locator("time")).to_have_attribute("datetime", answer["time"])

    def test_a_dropped_picture_is_read(self, page: Page, site: str) -> None:
        page.goto(site)
        hand_over(page, png(), "dragover")
        expect(page.locator("html")).to_have_attribute("data-dragging", "")
        hand_over(page, png(name="dropped.png"), "drop")
        expect(page.locator("html")).not_to_have_attribute("data-dragging", "")
        expect(preview(page)).to_be_visible()
        page.keyboard.press("Enter")
        expect_read(page, "4")
        expect(records(page).first).to_contain_text("dropped.png")

    def test_a_pasted_file_is_read(self, page: Page, site: str) -> None:
        page.goto(site)
        hand_over(page, png(name="pasted.png"), "paste")
        page.keyboard.press("Enter")
        expect_read(page, "4")
        expect(records(page).first).to_contain_text("pasted.png")

    def test_a_picture_on_the_clipboard_is_pasted_with_the_keyboard(self, page: Page, site: str) -> None:
        page.goto(site)
        page.evaluate(
            """async (base64) => {
                const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
                const picture = new Blob([bytes], { type: 'image/png' });
                await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
            }""",
            base64.b64encode(digit_png(4)).decode(),
        )
        page.keyboard.press("ControlOrMeta+V")
        expect(preview(page)).to_be_visible()
        page.keyboard.press("Enter")
        expect_read(page, "4")

    def test_pasting_text_says_that_it_is_no_picture(self, page: Page, site: str) -> None:
        page.goto(site)
        page.evaluate("navigator.clipboard.writeText('four')")
        page.keyboard.press("ControlOrMeta+V")
        expect(page.get_by_role("alert")).to_contain_text("The clipboard holds no picture")

    def test_everything_can_be_done_with_the_keyboard_alone(self, page: Page, site: str) -> None:
        # From the start on, or a key can be quicker than the interception of the browser's own dialogue.
        page.on("filechooser", lambda _: None)
        page.goto(site)
        page.keyboard.press("Tab")
        expect(page.get_by_label("Choose a picture")).to_be_focused()
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(png())
        expect(preview(page)).to_be_visible()
        for _ in range(2):  # past "Take a photo", where the device shows it
            page.keyboard.press("Tab")
            if read_it(page).evaluate("button => button === document.activeElement"):
                break
        assert read_it(page).evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect_read(page, "4")
        expect(read_it(page)).to_be_focused()

    def test_each_digit_of_a_number_can_be_looked_at(self, page: Page, site: str) -> None:
        two = Image.new("L", (400, 200), 255)
        for place, digit in enumerate((4, 2)):
            two.paste(Image.open(io.BytesIO(digit_png(digit))).convert("L"), (200 * place, 0))
        page.goto(site)
        choose(page, {"name": "42.png", "mimeType": "image/png", "buffer": encode(two, "PNG")})
        read_it(page).click()
        expect(result(page)).to_have_text(re.compile(r"^4 ?2$"))
        expect(page.locator(".boxes .current")).to_have_count(1)
        page.get_by_role("radio", name="4, mark 1").press("ArrowRight")
        expect(page.get_by_role("radio", name="2, mark 2")).to_be_checked()
        expect(page.locator(".bars .likeliest")).to_have_text(re.compile("^2"))

    def test_a_blank_picture_has_no_digit(self, page: Page, site: str) -> None:
        page.goto(site)
        blank = encode(Image.new("L", (120, 120), 255), "PNG")
        choose(page, {"name": "blank.png", "mimeType": "image/png", "buffer": blank})
        read_it(page).click()
        expect_read(page, "No digit found")
        expect(page.locator("[data-part=notice]")).not_to_be_empty()

    def test_the_box_lies_over_the_upright_picture(self, page: Page, site: str) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # turn a quarter clockwise to see it upright
        upright = Image.new("L", (200, 300), 255)
        upright.paste(Image.open(io.BytesIO(digit_png(4))).convert("L"), (0, 100))
        lying = encode(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)
        page.goto(site)
        choose(page, {"name": "turned.jpg", "mimeType": "image/jpeg", "buffer": lying})
        read_it(page).click()
        expect_read(page, "4")
        assert natural_size(preview(page)) == [200, 300]
        expect(page.locator(".boxes")).to_have_attribute("viewBox", "0 0 200 300")
        box, picture = page.locator(".boxes rect.line").bounding_box(), preview(page).bounding_box()
        assert box is not None
        assert picture is not None
        assert box["y"] > picture["y"] + picture["height"] / 3

    def test_a_kind_that_the_browser_cannot_show_can_still_be_sent(self, page: Page, site: str) -> None:
        page.goto(site)
        heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
        choose(page, {"name": "photo.heic", "mimeType": "", "buffer": heic})
        expect(page.get_by_text("This browser cannot show photo.heic")).to_be_visible()
        expect(preview(page)).to_be_hidden()
        with page.expect_response("**/api/"):
            read_it(page).click()
        choose(page, png())
        expect(preview(page)).to_be_visible()
        expect(page.get_by_text("This browser cannot show")).to_be_hidden()
        read_it(page).click()
        expect_read(page, "4")

    def test_a_file_name_is_text_and_never_markup(self, page: Page, site: str) -> None:
        said = complaints(page)
        page.goto(site)
        choose(page, png(name="<img src=x onerror=alert(1)>.png"))
        read_it(page).click()
        expect_read(page, "4")
        expect(records(page).first).to_contain_text("<img src=x")
        assert said == []

    def test_the_answer_moves_nothing(self, page: Page, site: str) -> None:
        def place_on_the_page() -> float:
            heading = page.get_by_role("heading", name="Latest records")
            top: float = heading.evaluate("heading => heading.getBoundingClientRect().top + scrollY")
            return top

        page.goto(site)
        choose(page, png())
        expect(preview(page)).to_be_visible()
        before = place_on_the_page()
        read_it(page).click()
        expect_read(page, "4")
        assert place_on_the_page() == before

    def test_the_page_that_the_function_serves_itself_reads_too(self, page: Page, service_with_page: Service) -> None:
        said = complaints(page)
        page.goto(f"{service_with_page.url}/")
        choose(page, png())
        read_it(page).click()
        expect_read(page, "4")
        assert said == []


# --------------------------------------------------------------------------------------- when it goes wrong


class TestErrors:
    def test_a_text_file_is_refused_in_the_apis_own_words(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear reader,"})
        with page.expect_response("**/api/") as response:
            read_it(page).click()
        problem = response.value.json()
        assert problem["status"] == 415
        expect(page.get_by_role("alert")).to_contain_text(problem["title"])
        expect(page.get_by_role("alert")).to_contain_text(problem["detail"])

    def test_a_file_that_is_too_large_is_never_sent(self, page: Page, site: str, tmp_path: Path) -> None:
        huge = tmp_path / "huge.png"
        huge.touch()
        os.truncate(huge, 20 * 1024 * 1024 + 1)
        sent = sent_pictures(page)
        page.goto(site)
        choose(page, huge)
        expect(page.get_by_role("alert")).to_contain_text("The picture is too large")
        expect(page.get_by_role("alert")).to_contain_text("The limit is 20 MiB. Send a smaller picture.")
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text("The picture is too large")
        assert sent == []

    def test_without_a_picture_it_asks_for_one(self, page: Page, site: str) -> None:
        page.goto(site)
        page.locator("form").evaluate("form => form.requestSubmit()")
        expect(page.get_by_role("alert")).to_contain_text("Choose, drop or paste a picture first.")

    def test_without_the_function_there_are_kind_words(self, page: Page, site_without_function: str) -> None:
        page.goto(site_without_function)
        expect(page.get_by_text("The reader is not available. It may be starting")).to_be_visible()
        choose(page, png())
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text("Try again in a few seconds.")
        expect(preview(page)).to_be_visible()
        expect(page.locator("[data-part=again]")).to_be_visible()
        expect(read_it(page)).to_have_attribute("aria-disabled", "false")

    @pytest.mark.parametrize(
        ("interfere", "words"),
        [
            (lambda route: route.abort("connectionrefused"), "The reader cannot be reached"),
            (
                lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>"),
                "The answer could not be understood",
            ),
            (lambda route: route.fulfill(status=200, json={"hello": "world"}), "The answer could not be understood"),
        ],
        ids=["unreachable", "a proxy's HTML", "some other JSON"],
    )
    def test_what_is_no_answer_is_explained_and_can_be_tried_again(
        self, page: Page, site: str, interfere: Callable[[Route], None], words: str
    ) -> None:
        page.goto(site)
        choose(page, png())
        page.route("**/api/", interfere)
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text(words)
        page.unroute("**/api/")
        page.get_by_role("button", name="Try again").click()
        expect_read(page, "4")

    def test_offline_is_said_plainly(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, png())
        page.context.set_offline(True)
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text("You are offline")

    def test_a_lost_answer_tried_again_is_one_record(self, page: Page, site: str) -> None:
        def lose(route: Route) -> None:
            assert route.fetch().ok
            route.abort("connectionreset")

        page.goto(site)
        choose(page, png(name="lost-once.png"))
        page.route("**/api/", lose)
        read_it(page).click()
        expect(page.get_by_role("alert")).to_contain_text("The reader cannot be reached")
        page.unroute("**/api/")
        with page.expect_response("**/api/records?*"):
            page.get_by_role("button", name="Try again").click()
        expect_read(page, "4")
        expect(records(page).filter(has_text="lost-once.png")).to_have_count(1)

    def test_a_second_click_sends_no_second_picture(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, png())
        held = held_pictures(page)
        read_it(page).click()
        working = page.get_by_role("button", name="Reading…")
        expect(working).to_have_attribute("aria-disabled", "true")
        expect(working).to_be_focused()
        page.keyboard.press("Enter")
        page.locator("form").evaluate("form => form.requestSubmit()")
        expect(page.locator("[data-part=answer]")).to_have_attribute("aria-busy", "true")
        held[0].continue_()
        expect_read(page, "4")
        assert len(held) == 1

    def test_another_picture_takes_the_place_of_one_under_way(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, png(name="first.png"))
        held_pictures(page)
        read_it(page).click()
        expect(page.get_by_role("button", name="Reading…")).to_be_visible()
        choose(page, png(name="second.png"))
        expect(read_it(page)).to_have_attribute("aria-disabled", "false")
        page.unroute("**/api/")
        read_it(page).click()
        expect_read(page, "4")
        expect(records(page).first).to_contain_text("second.png")

    def test_records_that_cannot_be_had_are_explained_and_tried_again(self, page: Page, site: str) -> None:
        problem = {"type": "about:blank", "title": "Records are locked", "status": 401, "detail": "Send the key."}
        page.route("**/api/records?*", lambda route: route.fulfill(status=401, json=problem))
        page.goto(site)
        expect(page.get_by_text("Records are locked. Send the key.")).to_be_visible()
        page.unroute("**/api/records?*")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("Records are locked.")).to_have_count(0)


# --------------------------------------------------------------------------------------------------- looks


class TestLooks:
    @pytest.mark.parametrize("width", [320, 390, 768, 1280])
    def test_nothing_sticks_out_sideways(self, page: Page, site: str, width: int) -> None:
        def overhang() -> int:
            wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            return wide

        page.set_viewport_size({"width": width, "height": 640})
        page.goto(site)
        assert overhang() == 0
        choose(page, png(name="a-long-name-without-any-place-to-break-it-in-two-" * 3 + ".png"))
        read_it(page).click()
        expect_read(page, "4")
        expect(records(page).first).to_contain_text("a-long-name")
        assert overhang() == 0

    @pytest.mark.parametrize(("pointer", "is_coarse"), [(2, True), (4, False)], ids=["finger", "mouse"])
    def test_the_camera_button_is_for_touch_devices(
        self, browser: Browser, site: str, pointer: int, *, is_coarse: bool
    ) -> None:
        # Chromium lets nobody emulate the pointer later; the numbers are its own.
        kind = f"--blink-settings=primaryPointerType={pointer},availablePointerTypes={pointer}"
        device = launched(browser.browser_type, kind)
        page = device.new_page()
        page.goto(site)
        assert page.evaluate("matchMedia('(pointer: coarse)').matches") is is_coarse
        expect(page.get_by_text("Take a photo", exact=True)).to_be_visible(visible=is_coarse)
        device.close()

    def test_the_records_can_be_downloaded(self, page: Page, site: str) -> None:
        page.goto(site)
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        assert download.value.suggested_filename.endswith(".csv")
        assert b"filename" in download.value.path().read_bytes().splitlines()[0]
