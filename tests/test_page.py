"""The page in a real browser, behind the real nginx, in front of the real function."""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.helpers import Service, digit_png, draw_digit, encode, running_function
from tests.nginx import running_nginx

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, FilePayload, FloatRect, Locator, Page, Request, Route, expect

from tests.page import (
    areas,
    choose,
    complaints,
    expect_read,
    hand_over,
    held_pictures,
    launched,
    number,
    png,
    preview,
    read_it,
    records,
    result,
    sent_pictures,
    tab_to,
)


def natural_size(image: Locator) -> list[int]:
    size: list[int] = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    return size


def answer_to(page: Page, file: FilePayload) -> dict[str, Any]:
    """What the function answers when the page has it read `file`."""
    choose(page, file)
    with page.expect_response("**/api/") as response:
        read_it(page).click()
    answer: dict[str, Any] = response.value.json()
    expect(page.locator("[data-part=model]")).to_have_text(answer["model"])
    return answer


def record(page: Page, site: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The record of `answer` as the function has it now."""
    kept: dict[str, Any] = page.request.get(f"{site}/api/records/{answer['id']}").json()
    return kept


def overlap(one: FloatRect, other: FloatRect) -> bool:
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]  # type: ignore[literal-required]
        for start, length in (("x", "width"), ("y", "height"))
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
        tab_to(page, page.get_by_role("link", name="Skip to the picture"))
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_label("Choose a picture"))
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(png())
        expect(preview(page)).to_be_visible()
        tab_to(page, read_it(page))
        assert read_it(page).evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect_read(page, "4")
        expect(read_it(page)).to_be_focused()

    def test_each_digit_of_a_number_can_be_looked_at(self, page: Page, site: str) -> None:
        page.goto(site)
        choose(page, number("42"))
        read_it(page).click()
        expect_read(page, "42")
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
        picture, box = areas(page.locator("[data-part=preview], .boxes rect.line"))
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
            heading = page.get_by_role("heading", name="Records")
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

    def test_it_reads_over_plain_http_by_any_name(self, browser: Browser, site: str) -> None:
        """There browsers do not say whether a page is of the same site: their Origin must be compared."""
        device = launched(browser.browser_type, "--host-resolver-rules=MAP reader.test 127.0.0.1")
        page = device.new_page()
        page.goto(site.replace("127.0.0.1", "reader.test"))
        assert page.evaluate("isSecureContext") is False
        choose(page, png())
        read_it(page).click()
        expect_read(page, "4")
        device.close()


# --------------------------------------------------------------------------------------- over the picture


def boxes(page: Page) -> Locator:
    return page.locator(".boxes .box rect.line")


def labels(page: Page) -> Locator:
    return page.locator(".boxes .label")


def altered(page: Page, alter: Callable[[dict[str, Any]], None]) -> None:
    """From now on, answers come altered."""

    def change(route: Route) -> None:
        response = route.fetch()
        answer = response.json()
        alter(answer)
        route.fulfill(response=response, json=answer)

    page.route("**/api/", change)


class TestLabels:
    def test_each_box_says_what_was_read_and_how_surely(self, page: Page, site: str) -> None:
        page.goto(site)
        answer = answer_to(page, number("42"))
        sure = [min(99, round(100 * digit["confidence"])) for digit in answer["digits"]]
        expect(page.get_by_text(f"4 {sure[0]}%", exact=True)).to_be_visible()
        expect(page.get_by_text(f"2 {sure[1]}%", exact=True)).to_be_visible()

    @pytest.mark.parametrize("width", [360, 1280])
    def test_twenty_labels_are_legible_and_cover_no_digit_and_no_other_label(
        self, page: Page, site: str, width: int
    ) -> None:
        page.set_viewport_size({"width": width, "height": 740})
        page.goto(site)
        answer = answer_to(page, number("01234", "56789", "98765", "43210"))
        assert len(answer["digits"]) == 20
        expect(labels(page).filter(visible=True)).to_have_count(20)
        drawn = areas(boxes(page).or_(labels(page)))  # in the order of the document
        assert all(label["height"] >= 12 for label in drawn[20:])
        assert not any(overlap(label, other) for label, other in combinations(drawn[20:], 2))
        assert not any(overlap(label, box) for label in drawn[20:] for box in drawn[:20])

    def test_a_label_is_as_large_on_a_small_picture_as_on_a_large_one(self, page: Page, site: str) -> None:
        page.goto(site)
        heights = []
        for side in (100, 1600):
            digit = encode(draw_digit(4, side=side, nib=side // 16))
            answer_to(page, {"name": "four.png", "mimeType": "image/png", "buffer": digit})
            heights += [label["height"] for label in areas(labels(page))]
        assert heights[0] == pytest.approx(heights[1], abs=1)

    def test_where_there_is_no_room_the_chosen_digits_label_is_shown_all_the_same(self, page: Page, site: str) -> None:
        page.set_viewport_size({"width": 320, "height": 640})
        page.goto(site)
        answer_to(page, number(*["4" * 12] * 3))
        expect(labels(page).filter(visible=True)).to_have_count(1)
        boxes(page).nth(17).click()
        expect(page.locator("[data-part=marks]").get_by_role("radio").nth(17)).to_be_checked()
        expect(labels(page).filter(visible=True)).to_have_count(1)
        box, label = areas(boxes(page).nth(17).or_(labels(page).filter(visible=True)))
        assert not overlap(label, box)

    def test_a_doubtful_digit_looks_different_and_not_by_colour_alone(self, page: Page, site: str) -> None:
        def doubt(answer: dict[str, Any]) -> None:
            answer["digits"][0]["confidence"] = 0.59
            answer["digits"][1].update(digit=None, confidence=0.87)

        altered(page, doubt)
        page.goto(site)
        answer_to(page, number("423"))
        expect(labels(page).filter(has_text=re.compile(r"^4\? 59%$"))).to_be_visible()
        expect(labels(page).filter(has_text=re.compile(r"^\? 87%$"))).to_be_visible()
        dashes = boxes(page).evaluate_all("lines => lines.map((line) => getComputedStyle(line).strokeDasharray)")
        assert [dash != "none" for dash in dashes] == [True, True, False]
        expect(page.get_by_role("radio", name="4, mark 1, 59% sure")).to_be_checked()
        expect(page.get_by_role("radio", name="not a digit, mark 2, 87% sure")).to_be_visible()

    def test_a_box_is_clicked_to_choose_its_digit(self, page: Page, site: str) -> None:
        opened: list[str] = []
        page.on("filechooser", lambda _: opened.append("a file chooser"))
        page.goto(site)
        answer_to(page, number("423"))
        boxes(page).nth(2).click()
        expect(page.get_by_role("radio", name="3, mark 3")).to_be_checked()
        expect(page.locator(".bars .likeliest")).to_have_text(re.compile("^3"))
        labels(page).filter(has_text=re.compile("^2 ")).click()
        expect(page.get_by_role("radio", name="2, mark 2")).to_be_checked()
        expect(page.locator(".boxes .current")).to_have_count(1)
        assert opened == []


# --------------------------------------------------------------------------------------- what it really says


def digit_button(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=re.compile("really is")).get_by_role("button", name=name)


def whole_number(page: Page) -> Locator:
    return page.get_by_label("What the whole number really is")


def save(page: Page) -> Locator:
    return page.get_by_role("button", name="Save")


def undo(page: Page) -> Locator:
    return page.get_by_role("button", name="Undo")


def expect_said(page: Page, words: str) -> None:
    """In a live region."""
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


class TestCorrections:
    def test_one_digit_of_several_is_corrected(self, page: Page, site: str) -> None:
        said = complaints(page)
        page.goto(site)
        answer = answer_to(page, number("4078"))
        boxes(page).nth(3).click()
        expect(page.get_by_text("What mark 4 really is (read as 8)")).to_be_visible()
        expect(digit_button(page, "8")).to_have_attribute("aria-pressed", "true")
        digit_button(page, "1").click()
        expect_said(page, "Corrected to 4071")
        expect(digit_button(page, "1")).to_have_attribute("aria-pressed", "true")
        expect(whole_number(page)).to_have_value("4071")
        page.get_by_role("radio", name="4, mark 1").check(force=True)
        digit_button(page, "9").click()
        expect_said(page, "Corrected to 9071")
        assert (record(page, site, answer)["result"], record(page, site, answer)["correction"]) == ("4078", "9071")
        expect(result(page)).to_have_text("4078")
        assert said == []

    def test_a_digit_that_is_none_is_taken_out_of_the_number(self, page: Page, site: str) -> None:
        page.goto(site)
        answer = answer_to(page, number("407", "512"))
        boxes(page).nth(4).click()
        digit_button(page, "not a digit").click()
        expect_said(page, "Corrected to 407, 5?2")
        assert record(page, site, answer)["correction"] == "407\n5?2"

    def test_the_whole_number_is_corrected(self, page: Page, site: str) -> None:
        page.goto(site)
        answer = answer_to(page, number("407", "512"))
        expect(whole_number(page)).to_have_value("407\n512")
        whole_number(page).fill("407\n5 1234")
        save(page).click()
        expect_said(page, "Corrected to 407, 5 1234")
        assert record(page, site, answer)["correction"] == "407\n5 1234"
        # Which mark is which digit, nobody can tell any more.
        expect(page.get_by_text("No longer one digit for each mark")).to_be_visible()
        expect(page.locator("[data-part=choices] button").first).to_be_disabled()

    def test_a_single_digit_can_turn_out_to_be_two(self, page: Page, site: str) -> None:
        page.goto(site)
        answer = answer_to(page, png())
        digit_button(page, "9").click()
        expect_said(page, "Corrected to 9")
        whole_number(page).fill("41")
        save(page).click()
        expect_said(page, "Corrected to 41")
        assert record(page, site, answer)["correction"] == "41"

    def test_a_picture_in_which_no_digit_was_found_is_corrected(self, page: Page, site: str) -> None:
        page.goto(site)
        blank = encode(Image.new("L", (120, 120), 255))
        answer = answer_to(page, {"name": "faint.png", "mimeType": "image/png", "buffer": blank})
        whole_number(page).fill("7")
        save(page).click()
        expect_said(page, "Corrected to 7")
        assert record(page, site, answer)["correction"] == "7"

    def test_corrections_are_undone_one_by_one(self, page: Page, site: str) -> None:
        page.goto(site)
        answer = answer_to(page, number("42"))
        expect(undo(page)).to_be_hidden()
        digit_button(page, "9").click()
        expect_said(page, "Corrected to 92")
        whole_number(page).fill("927")
        save(page).click()
        expect_said(page, "Corrected to 927")
        undo(page).click()
        expect_said(page, "Corrected to 92")
        expect(whole_number(page)).to_have_value("92")
        assert record(page, site, answer)["correction"] == "92"
        undo(page).click()
        expect_said(page, "The correction is taken back")
        expect(whole_number(page)).to_have_value("42")
        assert record(page, site, answer)["correction"] is None
        expect(undo(page)).to_have_attribute("aria-disabled", "true")
        expect(undo(page)).to_be_focused()

    @pytest.mark.parametrize(
        ("interfere", "words"),
        [
            (
                lambda route: route.fulfill(status=503, json={"title": "No records now", "detail": "Try again soon."}),
                "No records now Try again soon.",
            ),
            (
                lambda route: route.fulfill(
                    status=404, json={"title": "There is nothing here", "detail": "No record."}
                ),
                "There is nothing here No record.",
            ),
            (lambda route: route.abort("connectionrefused"), "The reader cannot be reached"),
        ],
        ids=["unavailable", "not found", "unreachable"],
    )
    def test_a_correction_that_fails_is_explained_kept_and_tried_again(
        self, page: Page, site: str, interfere: Callable[[Route], None], words: str
    ) -> None:
        page.goto(site)
        answer = answer_to(page, number("42"))
        page.route("**/correction", interfere)
        whole_number(page).fill("4 2")
        save(page).click()
        expect(page.get_by_role("alert")).to_have_text(re.compile(words.replace(" ", r"\s*")))
        expect(whole_number(page)).to_have_value("4 2")
        assert record(page, site, answer)["correction"] is None
        page.unroute("**/correction")
        page.get_by_role("button", name="Try again").click()
        expect_said(page, "Corrected to 4 2")
        assert record(page, site, answer)["correction"] == "4 2"

    def test_offline_a_digits_correction_waits_for_another_try(self, page: Page, site: str) -> None:
        page.goto(site)
        answer = answer_to(page, number("42"))
        page.context.set_offline(True)
        digit_button(page, "7").click()
        expect(page.get_by_role("alert")).to_contain_text("You are offline")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        expect_said(page, "Corrected to 72")
        assert record(page, site, answer)["correction"] == "72"

    def test_what_is_typed_and_not_saved_outlives_another_correction(self, page: Page, site: str) -> None:
        page.goto(site)
        answer_to(page, number("42"))
        whole_number(page).fill("42 1")
        digit_button(page, "7").click()
        expect_said(page, "Corrected to 72")
        expect(whole_number(page)).to_have_value("42 1")

    @pytest.mark.parametrize("text", ["forty", "1" * 201], ids=["letters", "too long"])
    def test_what_is_no_result_is_refused_in_the_apis_own_words_and_never_sent(
        self, page: Page, site: str, text: str
    ) -> None:
        sent: list[Request] = []
        page.on("request", lambda request: sent.append(request) if request.method == "PUT" else None)
        page.goto(site)
        answer = answer_to(page, number("42"))
        whole_number(page).fill(text)
        save(page).click()
        problem = page.request.put(f"{site}/api/records/{answer['id']}/correction", data={"result": text}).json()
        expect(page.get_by_role("alert")).to_contain_text(problem["title"])
        expect(page.get_by_role("alert")).to_contain_text(problem["detail"])
        expect(whole_number(page)).to_have_value(text)
        assert sent == []
        whole_number(page).fill("40")
        save(page).click()
        expect_said(page, "Corrected to 40")

    def test_everything_is_corrected_with_the_keyboard_alone(self, page: Page, site: str) -> None:
        def press(*keys: str) -> None:
            for key in keys:
                page.keyboard.press(key)

        page.goto(site)
        answer_to(page, number("42"))
        read_it(page).focus()
        press("Tab", "Tab", "ArrowRight")  # past "Copy"
        expect(page.get_by_role("radio", name="2, mark 2")).to_be_focused()
        press("Tab", "Tab")
        expect(digit_button(page, "1")).to_be_focused()
        assert digit_button(page, "1").evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
        press("Enter")
        expect_said(page, "Corrected to 41")
        expect(digit_button(page, "1")).to_be_focused()
        press(*["Tab"] * 10)
        expect(whole_number(page)).to_be_focused()
        press("End", "5", "Enter", "6", "Tab")
        expect(save(page)).to_be_focused()
        press("Space")
        expect_said(page, "Corrected to 415, 6")
        press("Tab")
        expect(undo(page)).to_be_focused()
        press("Enter")
        expect_said(page, "Corrected to 41")

    def test_the_table_shows_the_correction_beside_the_result(self, page: Page, site: str) -> None:
        page.goto(site)
        answer_to(page, number("42"))
        expect(records(page).first).to_contain_text("42")
        expect(records(page).first).not_to_contain_text("Corrected")
        digit_button(page, "7").click()
        expect(records(page).first).to_contain_text(re.compile("42.*Corrected to 72"))
        page.reload()
        expect(records(page).first).to_contain_text(re.compile("42.*Corrected to 72"))

    def test_an_answer_without_a_record_cannot_be_corrected(self, page: Page, site: str) -> None:
        altered(page, lambda answer: answer.update(recorded="no"))
        page.goto(site)
        expect(whole_number(page)).to_be_disabled()
        answer_to(page, png())
        expect(whole_number(page)).to_be_disabled()
        expect(save(page)).to_be_disabled()

    def test_another_picture_ends_the_correction_of_the_one_before(self, page: Page, site: str) -> None:
        page.goto(site)
        answer_to(page, png())
        digit_button(page, "9").click()
        expect_said(page, "Corrected to 9")
        choose(page, png(7))
        expect(whole_number(page)).to_be_disabled()
        expect(page.locator("[data-part=corrected]")).to_be_empty()
        expect(undo(page)).to_be_hidden()

    @pytest.mark.parametrize("width", [320, 1280])
    def test_a_correction_moves_nothing_and_fits(self, page: Page, site: str, width: int) -> None:
        def layout() -> list[float]:
            tops: list[float] = page.evaluate(
                """[document.querySelector('#records-heading').getBoundingClientRect().top + scrollY,
                    document.documentElement.scrollWidth - document.documentElement.clientWidth]"""
            )
            return tops

        page.set_viewport_size({"width": width, "height": 640})
        page.goto(site)
        answer_to(page, number("4078", "5121", "4078", "5121"))
        before = layout()
        boxes(page).nth(3).click()
        digit_button(page, "9").click()
        expect_said(page, "Corrected to 4079, 5121, 4078, 5121")
        assert layout() == before
        assert before[1] == 0

    @pytest.mark.parametrize(
        ("index", "character", "corrected"),
        [(0, "9", "9 0\n?1"), (2, "7", "4 0\n71"), (3, "?", "4 0\n??"), (4, "7", "4 0\n?1")],
    )
    def test_a_digit_is_replaced_where_its_mark_stands(
        self, page: Page, site: str, index: int, character: str, corrected: str
    ) -> None:
        page.goto(site)
        replaced = "async (given) => (await import('/corrections.js')).replaced(...given)"
        assert page.evaluate(replaced, ["4 0\n?1", index, character]) == corrected


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
        page.locator("[data-part=form]").evaluate("form => form.requestSubmit()")
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
        page.locator("[data-part=form]").evaluate("form => form.requestSubmit()")
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


# ---------------------------------------------------------------------------------------------------- keys

UPLOAD_KEY, RECORDS_KEY = "a key for pictures", "schlüssel-für-Записи"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's URL, through nginx, where a key is needed for each of the two things that can be locked."""
    keys = {"UPLOAD_KEY": UPLOAD_KEY, "RECORDS_KEY": RECORDS_KEY}
    with (
        running_function(tmp_path_factory.mktemp("locked"), keys) as service,
        running_nginx(tmp_path_factory.mktemp("nginx-locked"), urlsplit(service.url).netloc) as url,
    ):
        yield url


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def enter(page: Page, key: str) -> None:
    """With the keyboard alone; the field has the focus, and what was in it is selected."""
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    page.keyboard.type(key)
    page.keyboard.press("Enter")


def unlock(page: Page) -> None:
    page.get_by_role("button", name="Enter the key").click()
    enter(page, RECORDS_KEY)
    expect(page.locator("dialog.key")).to_have_count(0)  # it is hidden before the key is kept, and then removed


class TestKeys:
    def test_a_picture_is_read_once_the_key_is_entered_which_is_asked_for_once(self, page: Page, locked: str) -> None:
        page.goto(locked)
        choose(page, png())
        read_it(page).focus()
        page.keyboard.press("Enter")
        expect(dialog(page)).to_have_accessible_name("Reading pictures needs a key")
        enter(page, UPLOAD_KEY)
        expect_read(page, "4")
        expect(page.get_by_role("button", name="Read it")).to_be_focused()
        page.reload()
        choose(page, png(7))
        read_it(page).click()
        expect_read(page, "7")

    def test_a_wrong_key_is_asked_for_again_in_the_apis_own_words(self, page: Page, locked: str) -> None:
        sent = sent_pictures(page)
        page.goto(locked)
        choose(page, png())
        read_it(page).click()
        expect(dialog(page).get_by_role("alert")).to_have_count(0)
        enter(page, "wrong")
        problem = page.request.post(f"{locked}/api/", headers={"Authorization": "Bearer wrong"}).json()
        field = page.get_by_label("Key", exact=True)
        expect(dialog(page).get_by_role("alert")).to_have_text(re.compile(f"{problem['title']}.*{problem['detail']}"))
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(problem["detail"])))
        enter(page, UPLOAD_KEY)
        expect_read(page, "4")
        assert len({request.headers["idempotency-key"] for request in sent}) == 1

    @pytest.mark.parametrize("how", ["Escape", "Cancel"])
    def test_who_has_no_key_goes_back_and_can_try_again(self, page: Page, locked: str, how: str) -> None:
        page.goto(locked)
        choose(page, png())
        read_it(page).click()
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
        page.keyboard.type("half a k")
        if how == "Cancel":
            dialog(page).get_by_role("button", name="Cancel").click()
        else:
            page.keyboard.press("Escape")
        expect(dialog(page)).to_have_count(0)
        expect(page.get_by_role("alert")).to_contain_text("This needs a key")
        assert page.evaluate("sessionStorage.length") == 0
        page.locator("[data-part=again]").click()
        enter(page, UPLOAD_KEY)
        expect_read(page, "4")

    def test_no_key_is_no_key(self, page: Page, locked: str) -> None:
        sent = sent_pictures(page)
        page.goto(locked)
        choose(page, png())
        read_it(page).click()
        expect(dialog(page)).to_be_visible()
        page.keyboard.press("Enter")
        expect(dialog(page)).to_be_visible()
        assert len(sent) == 1

    def test_locked_records_interrupt_nobody_until_they_are_asked_for(self, page: Page, locked: str) -> None:
        page.goto(locked)
        expect(page.get_by_text("This needs a key. A key is needed")).to_be_visible()
        choose(page, png())
        read_it(page).click()
        expect(dialog(page)).to_have_accessible_name("Reading pictures needs a key")
        enter(page, UPLOAD_KEY)
        expect_read(page, "4")
        expect(dialog(page)).to_have_count(0)
        expect(page.get_by_text("This needs a key. A key is needed")).to_be_visible()
        page.get_by_role("button", name="Enter the key").click()
        expect(dialog(page)).to_have_accessible_name("The records need a key")
        enter(page, RECORDS_KEY)
        expect(records(page).first).to_contain_text("four.png")
        expect(page.get_by_role("button", name="Enter the key")).to_be_hidden()

    def test_a_correction_asks_for_the_key_of_the_records_and_is_kept(self, page: Page, locked: str) -> None:
        page.goto(locked)
        choose(page, png())
        read_it(page).click()
        enter(page, UPLOAD_KEY)
        expect_read(page, "4")
        digit_button(page, "9").click()
        enter(page, RECORDS_KEY)
        expect_said(page, "Corrected to 9")
        expect(digit_button(page, "9")).to_be_focused()
        expect(records(page).first).to_contain_text("Corrected to 9")

    @pytest.mark.parametrize("known", [True, False], ids=["the key is known", "the key is asked for"])
    def test_locked_records_can_be_downloaded(self, page: Page, locked: str, *, known: bool) -> None:
        page.goto(locked)
        expect(page.get_by_text("This needs a key. A key is needed")).to_be_visible()
        if known:
            unlock(page)
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
            if not known:
                enter(page, RECORDS_KEY)
        assert download.value.suggested_filename == "records.csv"
        assert b"filename" in download.value.path().read_bytes().splitlines()[0]
        expect(page.locator("[data-part=records-message]")).not_to_have_text("Downloading…")

    def test_a_key_stays_in_its_tab_and_goes_nowhere_but_into_the_header(self, page: Page, locked: str) -> None:
        urls: list[str] = []
        page.on("request", lambda request: urls.append(request.url))
        page.goto(locked)
        unlock(page)
        assert page.evaluate("sessionStorage.length") == 1
        assert page.evaluate("localStorage.length") == 0
        assert page.evaluate("document.cookie") == ""
        assert not any("schl" in url for url in urls)
        other = page.context.new_page()
        other.goto(locked)
        expect(other.get_by_role("button", name="Enter the key")).to_be_visible()

    def test_a_browser_that_forbids_storage_keeps_the_key_until_the_page_goes(self, page: Page, locked: str) -> None:
        page.add_init_script(
            "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('', 'SecurityError') } })"
        )
        page.goto(locked)
        unlock(page)
        choose(page, png())
        read_it(page).click()
        enter(page, UPLOAD_KEY)
        expect_read(page, "4")
        expect(records(page).first).to_contain_text("four.png")

    def test_the_key_is_asked_for_once_however_many_pictures_wait_for_it(self, page: Page, locked: str) -> None:
        page.goto(locked)
        choose(page, png(), png(7, name="seven.png"))
        page.get_by_role("button", name="Read them").click()
        expect(dialog(page)).to_be_visible()
        hand_over(page, png(9, name="nine.png"), "drop")
        enter(page, UPLOAD_KEY)
        for digit in "47":
            expect(page.locator(".pictures .state").filter(has_text=re.compile(f"^{digit}$"))).to_be_visible()
        expect(dialog(page)).to_have_count(0)
        read_it(page).click()
        expect_read(page, "9")

    def test_a_picture_that_waits_for_a_key_can_be_cancelled(self, page: Page, locked: str) -> None:
        page.goto(locked)
        choose(page, png())
        read_it(page).click()
        expect(dialog(page)).to_be_visible()
        page.get_by_role("button", name="Cancel: four.png", include_hidden=True).evaluate("button => button.click()")
        expect(dialog(page)).to_have_count(0)
        expect(page.locator(".pictures .state")).to_have_text("Cancelled")

    def test_the_policy_has_nothing_against_the_dialog(self, page: Page, locked: str) -> None:
        said = complaints(page)
        page.goto(locked)
        unlock(page)
        assert [words for words in said if "status of 401" not in words] == []

    @pytest.mark.parametrize("width", [320, 1280])
    def test_the_dialog_fits(self, page: Page, locked: str, width: int) -> None:
        page.set_viewport_size({"width": width, "height": 480})
        page.goto(locked)
        page.get_by_role("button", name="Enter the key").click()
        enter(page, "wrong" * 40)
        expect(dialog(page).get_by_role("alert")).to_be_visible()
        [area] = areas(dialog(page))
        assert area["x"] >= 0
        assert area["y"] >= 0
        assert area["x"] + area["width"] <= width
        assert area["y"] + area["height"] <= 480
        assert dialog(page).evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")


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
