"""Drawing with mouse, finger, pen and keyboard: frontend/drawing.js in a real browser, behind the real nginx."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.helpers import STROKES

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, CDPSession, Locator, Page, ViewportSize, expect

from tests.page import areas, complaints, read_it, result

Place = tuple[float, float]

PHONE: ViewportSize = {"width": 390, "height": 844}
LYING: ViewportSize = {"width": 844, "height": 390}

SMALL: ViewportSize = {"width": 320, "height": 568}
DESK: ViewportSize = {"width": 1280, "height": 800}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    yield from pages(browser)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    yield from pages(browser, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=3)


def pages(browser: Browser, **device: Any) -> Iterator[Page]:
    # No smooth scrolling, in the middle of which things are where they do not stay.
    context = browser.new_context(reduced_motion="reduce", **device)
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def ready_to_draw(page: Page, site: str, query: str = "") -> None:
    page.goto(f"{site}/{query}")
    page.locator("[data-part=ways] label").nth(1).click()
    expect(canvas(page)).to_be_visible()


def reload(page: Page) -> None:
    """Until the page has loaded the drawing, too, which `load` does not wait for."""
    page.reload()
    expect(canvas(page)).to_be_visible()


def canvas(page: Page) -> Locator:
    return page.locator("[data-part=canvas]")


def tool(page: Page, name: str) -> Locator:
    return page.locator("[data-part=tools]").get_by_role("button", name=name)


def pen(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="Pen").get_by_role("radio", name=name)


def invitation(page: Page) -> Locator:
    return page.get_by_text("Write digits here")


def on_screen(page: Page, places: Sequence[Place]) -> list[Place]:
    """From shares of the canvas, (0, 0) to (1, 1), to pixels of the viewport."""
    box = canvas(page).bounding_box()
    assert box
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]


def draw(page: Page, *places: Place) -> None:
    """One stroke with the mouse."""
    (start, *rest) = on_screen(page, places)
    page.mouse.move(*start)
    page.mouse.down()
    for x, y in rest:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def write(page: Page, text: str) -> None:
    """Digits in a row in the middle of the canvas, with the mouse, each as high as half of it."""
    box = canvas(page).bounding_box()
    assert box
    unit = box["height"] / 2 / 16
    for index, digit in enumerate(text):
        middle = 0.5 + (index - (len(text) - 1) / 2) * 14 * unit / box["width"]
        for points in STROKES[int(digit)]:
            draw(page, *((middle + (x - 5) * unit / box["width"], 0.25 + y / 32) for x, y in points))


DIAGONAL = ((0.3, 0.3), (0.5, 0.6), (0.7, 0.7))
LEVEL = ((0.3, 0.8), (0.7, 0.8))


def picture(page: Page) -> Image.Image:
    """What would be sent."""
    return Image.open(io.BytesIO(sent(page)))


def sent(page: Page) -> bytes:
    text: str = page.evaluate(
        """async () => {
            const { blob } = await (await import('/drawing.js')).toBlob();
            return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
        }"""
    )
    return base64.b64decode(text)


def shown(page: Page) -> Image.Image:
    """The canvas, transparent where there is no ink, once it has been painted."""
    text: str = page.evaluate(
        """async () => {
            const frame = () => new Promise(requestAnimationFrame);
            await frame();
            await frame();
            return document.querySelector('[data-part=canvas]').toDataURL().split(',')[1];
        }"""
    )
    return Image.open(io.BytesIO(base64.b64decode(text)))


def ink(page: Page) -> tuple[float, float, float, float] | None:
    """Where the ink lies on the canvas, left, top, right and bottom, in shares of it; None where there is none."""
    drawn = shown(page)
    box = drawn.getchannel("A").getbbox()
    return box and (box[0] / drawn.width, box[1] / drawn.height, box[2] / drawn.width, box[3] / drawn.height)


def expect_strokes(page: Page, count: int) -> None:
    """Strokes that touch each other count as one."""
    dark = picture(page).convert("L").point(lambda grey: 255 if grey < 128 else 0)
    assert lumps(dark) == count


def lumps(image: Image.Image) -> int:
    """How many separate areas are white, found by flooding one after another."""
    count = 0
    while box := image.getbbox():
        row = image.crop((0, box[1], image.width, box[1] + 1)).getbbox()
        assert row
        ImageDraw.floodfill(image, (row[0], box[1]), 0)
        count += 1
    return count


def read(page: Page, site: str) -> str:
    """What the function reads in the picture that would be sent."""
    answer = page.request.post(f"{site}/api/?record=false", data=sent(page), headers={"Content-Type": "image/png"})
    text: str = answer.json()["result"]
    return text


# ------------------------------------------------------------------------------------------------ fingers


class Fingers:
    """On a touch screen, by the browser's own protocol; each finger has a number."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.down: dict[int, Place] = {}

    def send(self, kind: str, *fingers: int) -> None:
        points = [{"x": x, "y": y, "id": finger} for finger in fingers for x, y in [self.down[finger]]]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def put(self, finger: int, place: Place) -> None:
        [self.down[finger]] = on_screen(self.page, [place])
        self.send("touchStart", *self.down)

    def move(self, finger: int, *places: Place) -> None:
        for point in on_screen(self.page, places):
            self.down[finger] = point
            self.send("touchMove", *self.down)

    def lift(self, finger: int) -> None:
        self.send("touchEnd", finger)
        del self.down[finger]

    def cancel(self) -> None:
        self.send("touchCancel")
        self.down.clear()


def press_pen(page: Page, pressure: float, *places: Place) -> None:
    """One stroke with a real pen."""
    session = page.context.new_cdp_session(page)
    points = on_screen(page, places)
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
    for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
        session.send(
            "Input.dispatchMouseEvent",
            {
                "type": kind,
                "x": x,
                "y": y,
                "button": "left",
                "buttons": 0 if kind == "mouseReleased" else 1,
                "clickCount": 1,
                "pointerType": "pen",
                "force": pressure,
            },
        )


# ------------------------------------------------------------------------------------------------- tests


class TestReading:
    @pytest.mark.parametrize("text", ["7", "42"])
    def test_what_is_drawn_with_the_mouse_is_read(self, page: Page, site: str, text: str) -> None:
        said = complaints(page)
        ready_to_draw(page, site)
        write(page, text)
        assert read(page, site) == text
        assert said == []

    def test_what_is_drawn_is_sent_and_recorded(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        write(page, "42")
        read_it(page).click()
        expect(page.locator("[data-part=recorded]")).to_have_text("Stored")
        expect(result(page)).to_have_text("42")

    @pytest.mark.parametrize("size", [PHONE, LYING, DESK])
    def test_boxes_lie_over_the_digits_that_were_drawn(self, page: Page, site: str, size: ViewportSize) -> None:
        page.set_viewport_size(size)
        ready_to_draw(page, site)
        write(page, "4")
        expect(result(page)).to_have_text("4")
        box = page.locator(".boxes rect.line")
        expect(box).to_be_visible()
        expect_over_the_ink(page, box)
        page.set_viewport_size({"width": size["height"], "height": size["width"]})
        expect_over_the_ink(page, box)

    def test_the_picture_is_dark_on_white_and_the_same_on_any_screen(self, browser: Browser, site: str) -> None:
        pictures = []
        for factor, scheme in [(1, "light"), (1.5, "dark"), (3, "light")]:
            for page in pages(browser, device_scale_factor=factor, color_scheme=scheme):
                ready_to_draw(page, site)
                draw(page, *DIAGONAL)
                pictures.append(sent(page))
                wide: list[float] = canvas(page).evaluate("canvas => [canvas.width, canvas.clientWidth]")
                assert wide[0] == pytest.approx(wide[1] * factor, abs=1)
        assert len(set(pictures)) == 1
        with Image.open(io.BytesIO(pictures[0])) as image:
            grey = image.convert("L")
        assert grey.getpixel((0, 0)) == 255
        assert np.asarray(grey).min() < 40
        assert max(grey.size) <= 1000


def expect_over_the_ink(page: Page, box: Locator) -> None:
    """Sooner or later: meanwhile it lies where there was ink when the drawing was last read."""
    drawn, deadline = ink(page), time.monotonic() + 20
    while place(page, box) != pytest.approx(drawn, abs=0.03) and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert place(page, box) == pytest.approx(drawn, abs=0.03)


def place(page: Page, box: Locator) -> tuple[float, ...]:
    """Where a box lies on the canvas, left, top, right and bottom, in shares of it."""
    of_one_moment = areas(canvas(page).or_(box))
    if len(of_one_moment) != 2:  # while the boxes are drawn anew
        return ()
    around, over = of_one_moment
    left, top = (over["x"] - around["x"]) / around["width"], (over["y"] - around["y"]) / around["height"]
    return left, top, left + over["width"] / around["width"], top + over["height"] / around["height"]


class TestPointers:
    def test_a_tap_leaves_a_dot_as_wide_as_the_pen(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        page.mouse.click(*on_screen(page, [(0.5, 0.5)])[0])
        drawn = shown(page).getchannel("A").getbbox()
        assert drawn
        width: float = page.evaluate("import('/strokes.js').then(({ WIDTHS }) => WIDTHS.medium)")
        assert (drawn[2] - drawn[0], drawn[3] - drawn[1]) == pytest.approx((width, width), abs=2)

    def test_only_the_first_button_draws(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        page.mouse.move(*on_screen(page, [(0.2, 0.2)])[0])
        page.mouse.down(button="middle")
        page.mouse.move(*on_screen(page, [(0.8, 0.8)])[0])
        page.mouse.up(button="middle")
        assert ink(page) is None

    def test_a_stroke_ends_with_its_button_though_another_is_still_held(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        places = on_screen(page, [(0.2, 0.2), (0.4, 0.2), (0.9, 0.9)])
        page.mouse.move(*places[0])
        page.mouse.down()
        page.mouse.move(*places[1])
        page.mouse.down(button="middle")
        page.mouse.up()
        page.mouse.move(*places[2])
        page.mouse.up(button="middle")
        drawn = ink(page)
        assert drawn
        assert drawn[2] < 0.6

    def test_a_stroke_that_leaves_the_paper_stays_on_it_and_comes_back(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        draw(page, (0.5, 0.5), (1.3, 0.5), (1.3, 0.9), (0.5, 0.9))
        assert ink(page) == pytest.approx((0.48, 0.48, 1, 0.92), abs=0.03)
        grey = np.asarray(picture(page).convert("L"))
        edges = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
        assert edges.min() == 255

    def test_a_finger_draws_and_the_page_does_not_scroll(self, phone: Page, site: str) -> None:
        phone.set_viewport_size({"width": 390, "height": 500})
        ready_to_draw(phone, site)
        canvas(phone).scroll_into_view_if_needed()
        before: float = phone.evaluate("scrollY")
        fingers = Fingers(phone)
        fingers.put(1, (0.5, 0.9))
        fingers.move(1, (0.5, 0.7), (0.5, 0.5), (0.5, 0.3), (0.5, 0.1))
        fingers.lift(1)
        drawn = ink(phone)
        assert drawn
        assert (drawn[1], drawn[3]) == pytest.approx((0.1, 0.9), abs=0.05)
        assert phone.evaluate("scrollY") == before
        # Beside the drawing a finger scrolls as ever: it is not that nothing here can scroll.
        fingers.put(1, (0.5, -0.1))
        fingers.move(1, (0.5, -0.2), (0.5, -0.4), (0.5, -0.6))
        fingers.lift(1)
        phone.wait_for_function("before => scrollY > before", arg=before)

    def test_a_second_finger_draws_nothing(self, phone: Page, site: str) -> None:
        ready_to_draw(phone, site)
        fingers = Fingers(phone)
        fingers.put(1, (0.1, 0.2))
        fingers.move(1, (0.2, 0.2), (0.3, 0.2))
        fingers.put(2, (0.9, 0.9))
        fingers.move(2, (0.8, 0.8), (0.7, 0.9))
        fingers.move(1, (0.4, 0.2))
        fingers.lift(1)
        fingers.move(2, (0.6, 0.6))
        # A further one, while the second is still down, is not the first again.
        fingers.put(3, (0.9, 0.4))
        fingers.move(3, (0.7, 0.4))
        fingers.lift(3)
        fingers.lift(2)
        assert ink(phone) == pytest.approx((0.1, 0.2, 0.4, 0.2), abs=0.04)
        expect_strokes(phone, 1)
        fingers.put(1, (0.1, 0.9))
        fingers.move(1, (0.2, 0.9))
        fingers.lift(1)
        expect_strokes(phone, 2)

    def test_a_stroke_that_the_system_takes_away_ends_where_it_was(self, phone: Page, site: str) -> None:
        ready_to_draw(phone, site)
        fingers = Fingers(phone)
        fingers.put(1, (0.1, 0.2))
        fingers.move(1, (0.2, 0.2), (0.3, 0.2))
        fingers.cancel()
        assert ink(phone) == pytest.approx((0.1, 0.2, 0.3, 0.2), abs=0.04)
        expect(tool(phone, "Undo")).to_have_attribute("aria-disabled", "false")
        fingers.put(1, (0.1, 0.8))
        fingers.move(1, (0.3, 0.8))
        fingers.lift(1)
        expect_strokes(phone, 2)

    def test_a_pen_draws_wider_where_it_is_pressed(self, page: Page, site: str) -> None:
        def height() -> float:
            drawn = shown(page).getchannel("A").getbbox()
            assert drawn
            return drawn[3] - drawn[1]

        ready_to_draw(page, site)
        heights = []
        for pressure in (0.1, 0.9):
            press_pen(page, pressure, (0.2, 0.5), (0.4, 0.5), (0.6, 0.5), (0.8, 0.5))
            heights.append(height())
            tool(page, "Clear").click()
        assert 1.1 < heights[1] / heights[0] < 2.5

    def test_a_pen_counts_for_more_than_the_hand_that_holds_it(self, phone: Page, site: str) -> None:
        ready_to_draw(phone, site)
        hand = Fingers(phone)
        hand.put(1, (0.9, 0.9))
        press_pen(phone, 0.5, (0.2, 0.2), (0.4, 0.2))
        if hand.down:
            hand.move(1, (0.8, 0.9))
            hand.lift(1)
        expect_strokes(phone, 1)
        drawn = ink(phone)
        assert drawn
        assert drawn[3] < 0.5


class TestUndoing:
    def test_strokes_are_undone_and_redone_and_all_is_cleared_by_buttons(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        for name in ("Undo", "Redo", "Clear"):
            expect(tool(page, name)).to_have_attribute("aria-disabled", "true")
        draw(page, *DIAGONAL)
        one = sent(page)
        draw(page, *LEVEL)
        two = sent(page)
        tool(page, "Undo").click()
        assert sent(page) == one
        expect(page.get_by_role("status").filter(has_text="1 stroke")).to_have_count(1)
        tool(page, "Redo").click()
        assert sent(page) == two
        expect(tool(page, "Redo")).to_have_attribute("aria-disabled", "true")
        tool(page, "Clear").click()
        assert ink(page) is None
        expect(page.get_by_role("status").filter(has_text="The paper is empty")).to_have_count(1)
        expect(tool(page, "Clear")).to_be_focused()
        tool(page, "Undo").click()
        assert sent(page) == two
        tool(page, "Undo").click()
        draw(page, *LEVEL)
        expect(tool(page, "Redo")).to_have_attribute("aria-disabled", "true")
        assert sent(page) == two

    def test_strokes_are_undone_and_redone_by_keyboard_right_after_drawing(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        draw(page, *DIAGONAL)
        one = sent(page)
        draw(page, *LEVEL)
        two = sent(page)
        for key, expected in [
            ("ControlOrMeta+z", one),
            ("ControlOrMeta+Shift+z", two),
            ("ControlOrMeta+z", one),
            ("ControlOrMeta+y", two),
        ]:
            page.keyboard.press(key)
            assert sent(page) == expected

    def test_the_keyboard_undoes_a_stroke_that_is_still_being_drawn(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        draw(page, *DIAGONAL)
        before = sent(page)
        start, further, on = on_screen(page, [(0.2, 0.8), (0.5, 0.8), (0.8, 0.8)])
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*further)
        page.keyboard.press("ControlOrMeta+z")
        page.mouse.move(*on)
        page.mouse.up()
        assert sent(page) == before

    def test_in_a_text_field_the_keyboard_undoes_what_was_typed(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        write(page, "7")
        before = sent(page)
        read_it(page).click()
        field = page.get_by_label("What the whole number really is")
        expect(field).to_be_enabled()
        field.press("End")
        page.keyboard.type("1")
        expect(field).to_have_value("71")
        page.keyboard.press("ControlOrMeta+z")
        expect(field).to_have_value("7")
        assert sent(page) == before

    def test_where_a_picture_is_chosen_the_keyboard_undoes_no_stroke(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        draw(page, *DIAGONAL)
        before = sent(page)
        page.locator("[data-part=ways] label").nth(0).click()
        expect(canvas(page)).to_be_hidden()
        page.keyboard.press("ControlOrMeta+z")
        assert sent(page) == before

    def test_pens_differ_in_width(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        expect(pen(page, "Medium")).to_be_checked()
        amounts = []
        for name in ("Fine", "Medium", "Broad"):
            pen(page, name).check(force=True)
            draw(page, *LEVEL)
            amounts.append(int(np.count_nonzero(np.asarray(shown(page).getchannel("A")))))
            tool(page, "Clear").click()
        assert amounts[0] * 1.3 < amounts[1] < amounts[2] / 1.3


class TestKeeping:
    def test_a_turned_phone_shows_the_same_drawing(self, phone: Page, site: str) -> None:
        ready_to_draw(phone, site)
        fingers = Fingers(phone)
        fingers.put(1, (0.05, 0.05))
        fingers.move(1, (0.5, 0.5), (0.95, 0.95))
        fingers.lift(1)
        upright, before = sent(phone), proportions(phone)
        for size in (LYING, SMALL, PHONE):
            phone.set_viewport_size(size)
            assert sent(phone) == upright
            assert proportions(phone) == pytest.approx(before, rel=0.05)
            drawn = ink(phone)
            assert drawn
            assert min(drawn[:2]) > 0
            assert max(drawn[2:]) < 1

    def test_what_is_added_on_other_paper_comes_where_it_was_put(self, phone: Page, site: str) -> None:
        ready_to_draw(phone, site)
        fingers = Fingers(phone)
        for size, start in [(PHONE, 0.4), (LYING, 0.9)]:
            phone.set_viewport_size(size)
            expect(canvas(phone)).to_be_in_viewport()
            fingers.put(1, (start, 0.5))
            fingers.move(1, (start, 0.6))
            fingers.lift(1)
        drawn = ink(phone)
        assert drawn
        assert (drawn[2], drawn[3]) == pytest.approx((0.9, 0.6), abs=0.04)
        wide = sent(phone)
        phone.set_viewport_size(PHONE)
        assert sent(phone) == wide
        drawn = ink(phone)
        assert drawn
        assert drawn[2] <= 1
        expect_strokes(phone, 2)

    def test_a_finer_screen_shows_the_drawing_as_finely(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        draw(page, *DIAGONAL)
        before = shown(page)
        session = page.context.new_cdp_session(page)
        # A pixel wider, for only then does the emulation tell the page; the canvas is as large as before.
        metrics = {"width": 1281, "height": 720, "deviceScaleFactor": 2, "mobile": False}
        session.send("Emulation.setDeviceMetricsOverride", metrics)
        page.wait_for_function("devicePixelRatio === 2")
        after = shown(page)
        assert after.width == pytest.approx(2 * before.width, abs=2)
        assert after.getchannel("A").getbbox()

    def test_a_reload_and_another_language_lose_nothing(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        pen(page, "Broad").check(force=True)
        draw(page, *DIAGONAL)
        one = sent(page)
        draw(page, *LEVEL)
        two = sent(page)
        tool(page, "Undo").click()
        reload(page)
        assert sent(page) == one
        page.goto(f"{site}/?lang=de")
        page.locator("[data-part=ways] label").nth(1).click()
        expect(page.get_by_role("radio", name="Breit")).to_be_checked()
        assert sent(page) == one
        tool(page, "Wiederholen").click()
        assert sent(page) == two
        expect(canvas(page)).to_have_accessible_name("Zeichnung")

    def test_a_reload_in_the_middle_of_a_stroke_keeps_it(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        start, further = on_screen(page, LEVEL)
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*further)
        before = sent(page)
        reload(page)
        assert sent(page) == before

    def test_where_storage_is_forbidden_people_draw_all_the_same(self, page: Page, site: str) -> None:
        said = complaints(page)
        page.add_init_script(
            "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('', 'SecurityError'); }})"
        )
        ready_to_draw(page, site)
        draw(page, *DIAGONAL)
        tool(page, "Undo").click()
        tool(page, "Redo").click()
        expect_strokes(page, 1)
        assert said == []

    def test_what_is_kept_and_is_no_drawing_is_as_if_it_were_not(self, page: Page, site: str) -> None:
        said = complaints(page)
        page.add_init_script("sessionStorage.setItem('drawing', '{\"steps\": [7], \"done\": 1}')")
        page.add_init_script("sessionStorage.setItem('pen', 'feather')")
        ready_to_draw(page, site)
        expect(pen(page, "Medium")).to_be_checked()
        draw(page, *DIAGONAL)
        expect_strokes(page, 1)
        assert said == []


def proportions(page: Page) -> float:
    """How much wider than high the ink is to be seen."""
    drawn = shown(page).getchannel("A").getbbox()
    assert drawn
    return (drawn[2] - drawn[0]) / (drawn[3] - drawn[1])


class TestPaper:
    def test_an_invitation_stands_on_it_while_it_is_empty_and_is_no_part_of_the_picture(
        self, page: Page, site: str
    ) -> None:
        ready_to_draw(page, site)
        expect(invitation(page)).to_be_visible()
        assert picture(page).convert("L").getextrema() == (255, 255)
        # Right through the words.
        draw(page, (0.45, 0.5), (0.55, 0.5))
        expect(invitation(page)).to_be_hidden()
        tool(page, "Undo").click()
        expect(invitation(page)).to_be_visible()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_is_white_and_the_ink_dark_in_any_mode(self, browser: Browser, site: str, scheme: str) -> None:
        for page in pages(browser, color_scheme=scheme):
            ready_to_draw(page, site)
            draw(page, *DIAGONAL)
            with Image.open(io.BytesIO(canvas(page).screenshot())) as image:
                grey = np.asarray(image.convert("L"))
            assert np.median(grey) == 255
            assert grey.min() < 40

    @pytest.mark.parametrize("width", [320, 390, 1280])
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_drawing_moves_nothing_and_fits(self, page: Page, site: str, width: int, language: str) -> None:
        def layout() -> list[float]:
            numbers: list[float] = page.evaluate(
                """[document.querySelector('[data-part=tools]'), document.querySelector('[data-part=submit]')]
                    .flatMap((one) => [one.getBoundingClientRect().top + scrollY, one.getBoundingClientRect().height])
                    .concat(document.documentElement.scrollWidth - document.documentElement.clientWidth)"""
            )
            return numbers

        page.set_viewport_size({"width": width, "height": 700})
        ready_to_draw(page, site, f"?lang={language}")
        before = layout()
        draw(page, *DIAGONAL)
        assert layout() == before
        assert before[-1] == 0

    def test_it_stays_where_it_is_when_the_answer_becomes_longer(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        before = canvas(page).bounding_box()
        write(page, "42")
        expect(page.locator("[data-part=marks]")).to_be_visible()
        assert canvas(page).bounding_box() == before

    def test_every_tool_is_large_enough_for_a_finger(self, phone: Page, site: str) -> None:
        phone.set_viewport_size(SMALL)
        ready_to_draw(phone, site)
        targets = phone.locator("[data-part=tools]").locator("label, button")
        expect(targets).to_have_count(6)
        for target in targets.all():
            box = target.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 44
            assert box["x"] + box["width"] <= 320


class TestAccess:
    def test_the_canvas_has_a_name_and_says_what_else_there_is(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        expect(page.get_by_role("img", name="Drawing", exact=True)).to_be_visible()
        expect(canvas(page)).to_have_accessible_description("With mouse, pen or finger. Or choose a picture instead.")

    def test_every_tool_is_reached_by_keyboard_and_nothing_holds_it(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        draw(page, *DIAGONAL)
        page.get_by_role("radio", name="Draw").focus()
        reached = []
        for _ in range(5):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.value || document.activeElement.innerText.trim()"))
            assert page.evaluate(
                """() => {
                    const focused = document.activeElement;
                    const seen = focused.matches('[type=radio]') ? focused.closest('label') : focused;
                    return getComputedStyle(seen).outlineStyle;
                }"""
            ) == "solid"  # fmt: skip
        assert reached == ["medium", "Undo", "Redo", "Clear", "Read it"]

    def test_everything_but_drawing_is_done_by_keyboard(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        draw(page, *DIAGONAL)
        pen(page, "Medium").focus()
        page.keyboard.press("ArrowRight")
        expect(pen(page, "Broad")).to_be_checked()
        for name, key in [("Undo", "Enter"), ("Redo", "Space"), ("Clear", "Enter")]:
            tool(page, name).focus()
            page.keyboard.press(key)
            expect(tool(page, name)).to_be_focused()
        expect(invitation(page)).to_be_visible()
        tool(page, "Undo").focus()
        page.keyboard.press("Enter")
        expect_strokes(page, 1)


class TestChanges:
    def test_whoever_listens_hears_whether_a_stroke_is_still_being_drawn(self, page: Page, site: str) -> None:
        ready_to_draw(page, site)
        # A listener of its own, beside the page's.
        page.evaluate(
            """async () => {
                window.heard = [];
                (await import('/drawing.js?another')).listen({ onchange: (isSettled) => window.heard.push(isSettled) });
            }"""
        )
        start, further = on_screen(page, LEVEL)
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*further, steps=3)
        assert set(heard(page)) == {False}
        page.mouse.up()
        assert heard(page)[-1] is True
        before = heard(page)
        for count, name in enumerate(["Undo", "Redo", "Clear", "Undo"], start=1):
            tool(page, name).click()
            assert heard(page) == [*before, *[True] * count]
        # To which there is nothing.
        tool(page, "Redo").click()
        tool(page, "Redo").click(force=True)
        assert len(heard(page)) == len(before) + 5


def heard(page: Page) -> list[bool]:
    told: list[bool] = page.evaluate("window.heard")
    return told
