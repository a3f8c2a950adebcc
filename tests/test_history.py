"""The history on the page: records, filters and chart, in a real browser, before the real function and its SQLite."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from function.records import GREGORIAN, Record, pack
from function.records.sqlite import INSERT, SqliteRecords, values
from tests.helpers import draw_digit, running_function
from tests.nginx import running_nginx

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from tests.page import choose, complaints, png, read_it, result

NOON = datetime(2024, 11, 25, 12, tzinfo=UTC)
LISTS = "**/api/records?*"
DENIED = {"title": "No records now", "status": 503, "detail": "Try again soon."}
ZONES = {"America/New_York": 5, "Asia/Kathmandu": -5.75, "Pacific/Kiritimati": -14}  # hours to UTC on that day


# ------------------------------------------------------------------------------------------------- records


@dataclasses.dataclass(frozen=True)
class Site:
    """The page's URL and the function's records, to which tests may add."""

    url: str
    path: Path

    def hold(self, *records: Record) -> None:
        """These, and no others."""
        store = SqliteRecords(str(self.path))
        with store._writing() as db:
            db.execute("delete from predictrecord")
            db.executemany(INSERT, map(values, records))

    def add(self, *records: Record) -> None:
        with SqliteRecords(str(self.path))._writing() as db:
            db.executemany(INSERT, map(values, records))


def record(at: datetime, text: str = "7", **others: Any) -> Record:
    ticks = (at - GREGORIAN) // timedelta(microseconds=1) * 10
    fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, 0x80, 0, uuid.uuid4().int >> 80)
    return Record(uuid.UUID(fields=fields), **{
        "filename": "seven.png", "result": text, "confidence": 0.97, "model": "m@0", "image_sha256": "0", **others,
    })  # fmt: skip


def records(count: int, *, until: datetime = NOON, **others: Any) -> list[Record]:
    """One a minute, each named by its place, the newest `0.png`."""
    return [record(until - timedelta(minutes=i), filename=f"{i}.png", **others) for i in range(count)]


def glyph(digit: int) -> Any:
    return np.array(draw_digit(digit, side=28, nib=2, ink="white", paper="black").convert("L"), np.uint8)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("history")
    with (
        running_function(folder, {"KEEP_GLYPHS": "true"}) as service,
        running_nginx(tmp_path_factory.mktemp("nginx"), urlsplit(service.url).netloc) as url,
    ):
        yield Site(url, folder / "records.db")


@pytest.fixture
def site(running: Site) -> Site:
    running.hold()
    return running


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    """Opens the page, with what `Browser.new_context` takes."""
    contexts = []

    def opened(url: str = "", *, before: Callable[[Page], object] = lambda _: None, **options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-GB", "service_workers": "block", **options})
        contexts.append(context)
        page = context.new_page()
        before(page)
        page.goto(url or site.url)
        return page

    yield opened
    for context in contexts:
        context.close()


# ------------------------------------------------------------------------------------------------ the page


def rows(page: Page) -> Locator:
    return page.locator("[data-part=records] tr")


def names(page: Page) -> list[str]:
    return page.locator("[data-part=records] .name").all_text_contents()


def said(page: Page) -> Locator:
    return page.locator("[data-part=records-message]")


def more(page: Page) -> Locator:
    return page.get_by_role("button", name="Show more")


def field(page: Page, label: str = "Result contains") -> Locator:
    return page.get_by_label(label)


def chart(page: Page) -> Locator:
    return page.locator("[data-part=chart]")


def lines(page: Page) -> Locator:
    return chart(page).get_by_role("img")


def look_at_chart(page: Page) -> None:
    chart(page).scroll_into_view_if_needed()
    expect(page.locator("[data-part=chart-words]")).not_to_be_empty()


def read(page: Page, digit: int, name: str) -> None:
    choose(page, png(digit, name))
    read_it(page).click()
    expect(result(page)).to_have_text(str(digit))


def asked(page: Page) -> list[dict[str, str]]:
    """Fills up with what is asked of the list of records."""
    queries: list[dict[str, str]] = []

    def note(request: Request) -> None:
        if "/records?" in request.url:
            queries.append({name: value for name, [value] in parse_qs(urlsplit(request.url).query).items()})

    page.on("request", note)
    return queries


def deny(route: Route) -> None:
    route.fulfill(status=503, json=DENIED)


# In the page itself, whose timers come in their order however slow the machine is.
TYPE = """async (field, values) => {
    for (const value of values) {
        Object.assign(field, { value }).dispatchEvent(new InputEvent('input', { bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}"""

SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
    const history = document.querySelector('[data-part=history]');
    const moved = list.getEntries().flatMap(({ sources }) => sources).filter(({ node }) => history.contains(node));
    window.shifts.push(...moved.map(({ node }) => (node.dataset ? node.outerHTML : node.data).slice(0, 80)));
}).observe({ type: 'layout-shift', buffered: true });"""


def watch_shifts(page: Page) -> None:
    page.add_init_script(SHIFTS)


# ------------------------------------------------------------------------------------------------ the list


class TestList:
    def test_the_newest_come_first_a_page_at_a_time(self, site: Site, open_page: Open) -> None:
        site.hold(*records(45))
        page = open_page()
        expect(rows(page)).to_have_count(20)
        assert names(page) == [f"{i}.png" for i in range(20)]
        expect(said(page)).to_have_text("The newest 20 are shown.")
        more(page).click()
        expect(rows(page)).to_have_count(40)
        expect(page.get_by_role("status").filter(has_text="The newest 40 are shown.")).to_be_visible()
        expect(said(page)).to_have_attribute("aria-live", "polite")
        more(page).click()
        expect(rows(page)).to_have_count(45)
        expect(said(page)).to_have_text("45 records.")
        expect(more(page)).to_be_hidden()
        assert names(page) == [f"{i}.png" for i in range(45)]

    def test_an_empty_store_says_so(self, open_page: Open) -> None:
        page = open_page()
        expect(said(page)).to_have_text("Nothing has been read yet. The first answer will stand here.")
        expect(page.get_by_role("table")).to_have_count(0)
        expect(more(page)).to_be_hidden()

    def test_the_time_is_the_viewers_own_and_the_machines_in_the_markup(self, site: Site, open_page: Open) -> None:
        kept = record(datetime(2024, 11, 25, 23, 30, 5, 123000, tzinfo=UTC))
        site.hold(kept)
        time = rows(open_page(timezone_id="Asia/Tokyo")).first.locator("time")
        expect(time).to_have_text("26/11/2024, 08:30:05")
        expect(time).to_have_attribute("datetime", kept.time)

    def test_what_the_model_saw_is_shown_where_it_was_kept(self, site: Site, open_page: Open) -> None:
        seen = pack([glyph(4), glyph(2)])
        site.hold(record(NOON, "42", glyphs=seen), record(NOON - timedelta(minutes=1), "42"))
        page = open_page()
        expect(rows(page)).to_have_count(2)
        pictures = rows(page).first.locator("img")
        expect(pictures).to_have_count(2)
        expect(rows(page).last.locator("img")).to_have_count(0)
        sizes = pictures.evaluate_all("all => all.map((one) => [one.naturalWidth, one.offsetWidth, one.offsetHeight])")
        assert sizes == [[28, 28, 28]] * 2

    def test_of_a_long_number_not_all_is_shown(self, site: Site, open_page: Open) -> None:
        site.hold(record(NOON, "1" * 200, glyphs=pack([glyph(1)] * 200)))
        page = open_page(viewport={"width": 320, "height": 640})
        expect(rows(page).first.locator("img")).to_have_count(12)
        expect(rows(page).first).to_contain_text("+188")

    def test_a_correction_stands_beside_the_result_unless_it_says_the_same(self, site: Site, open_page: Open) -> None:
        said = [("42", "72"), ("42", "42"), ("42", None), ("42", "")]
        site.hold(*(record(NOON - timedelta(minutes=i), text, correction=to) for i, (text, to) in enumerate(said)))
        page = open_page()
        expect(rows(page).nth(0)).to_contain_text(re.compile("42.*Corrected to 72"))
        expect(rows(page).nth(1)).not_to_contain_text("Corrected")
        expect(rows(page).nth(2)).not_to_contain_text("Corrected")
        expect(rows(page).nth(3)).to_contain_text("Corrected to no digit")

    def test_show_more_by_keyboard_leads_to_the_first_new_row(self, site: Site, open_page: Open) -> None:
        site.hold(*records(50))
        page = open_page()
        more(page).focus()
        page.keyboard.press("Enter")
        expect(rows(page).nth(20)).to_be_focused()
        assert rows(page).nth(20).evaluate("row => getComputedStyle(row).outlineStyle") == "solid"
        page.keyboard.press("Tab")
        expect(more(page)).to_be_focused()
        page.keyboard.press("Space")
        expect(rows(page).nth(40)).to_be_focused()
        expect(more(page)).to_be_hidden()

    def test_a_page_that_cannot_be_had_is_explained_and_tried_again(self, site: Site, open_page: Open) -> None:
        site.hold(*records(30))
        page = open_page()
        expect(rows(page)).to_have_count(20)
        page.route("**/api/records?*cursor=*", deny)
        more(page).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text="No records now. Try again soon.")).to_be_visible()
        expect(rows(page)).to_have_count(20)
        again = page.get_by_role("button", name="Try again")
        expect(again).to_be_focused()
        page.unroute("**/api/records?*cursor=*")
        page.keyboard.press("Enter")
        expect(rows(page).nth(20)).to_be_focused()
        expect(rows(page)).to_have_count(30)
        expect(page.get_by_text("No records now")).to_have_count(0)

    def test_two_presses_ask_once(self, site: Site, open_page: Open) -> None:
        site.hold(*records(60))
        page = open_page()
        expect(rows(page)).to_have_count(20)
        queries = asked(page)
        more(page).dblclick()
        expect(rows(page)).to_have_count(40)
        page.wait_for_timeout(300)
        assert len([query for query in queries if "cursor" in query]) == 1

    def test_a_new_answer_leaves_the_pages_that_are_shown_and_the_focus_where_they_are(
        self, site: Site, open_page: Open
    ) -> None:
        site.hold(*records(45))
        page = open_page()
        more(page).click()
        expect(rows(page)).to_have_count(40)
        kept = rows(page).nth(20).element_handle()
        choose(page, png(4, "new.png"))
        with page.expect_response("**/api/"):
            page.locator("[data-part=form]").evaluate("form => form.requestSubmit()")
            rows(page).nth(20).evaluate("row => { row.tabIndex = -1; row.focus({ preventScroll: true }); }")
        expect(rows(page)).to_have_count(41)
        assert names(page) == ["new.png", *(f"{i}.png" for i in range(40))]
        expect(rows(page).nth(21)).to_be_focused()
        assert rows(page).nth(21).evaluate("(row, kept) => row === kept", kept)
        expect(said(page)).to_have_text("The newest 41 are shown.")
        expect(said(page)).to_have_attribute("aria-live", "off")  # the answer has been said already
        more(page).click()
        expect(rows(page)).to_have_count(46)

    @pytest.mark.parametrize("count", [30, 230])
    def test_however_many_have_come_since_none_is_left_out(self, site: Site, open_page: Open, count: int) -> None:
        site.hold(*records(25))
        page = open_page()
        expect(rows(page)).to_have_count(20)
        later = records(count, until=NOON + timedelta(hours=10))
        site.add(*later)
        read(page, 4, "new.png")
        expect(rows(page)).to_have_count(count + 21)
        assert names(page) == ["new.png", *(f"{i}.png" for i in range(count)), *(f"{i}.png" for i in range(20))]

    def test_where_thousands_have_come_since_the_list_begins_anew(self, site: Site, open_page: Open) -> None:
        site.hold(*records(25))
        page = open_page()
        expect(rows(page)).to_have_count(20)
        site.add(*records(3000, until=NOON + timedelta(days=10)))
        read(page, 4, "new.png")
        expect(rows(page).first).to_contain_text("new.png")
        expect(rows(page)).to_have_count(20)
        more(page).click()
        expect(rows(page)).to_have_count(40)
        assert names(page) == ["new.png", *(f"{i}.png" for i in range(39))]

    def test_what_cannot_be_brought_up_to_date_stays(self, site: Site, open_page: Open) -> None:
        site.hold(*records(3))
        page = open_page()
        expect(rows(page)).to_have_count(3)
        page.route(LISTS, deny)
        read(page, 4, "new.png")
        expect(said(page)).to_have_text("No records now. Try again soon.")
        expect(rows(page)).to_have_count(3)
        page.unroute(LISTS)
        page.locator("[data-part=records-again]").click()
        expect(rows(page)).to_have_count(4)
        expect(said(page)).to_have_text("4 records.")

    def test_a_files_name_is_text(self, site: Site, open_page: Open) -> None:
        said_by_console: list[list[str]] = []
        site.hold(record(NOON, filename="<img src=x onerror=alert(1)>.png"))
        page = open_page(before=lambda page: said_by_console.append(complaints(page)), service_workers="allow")
        expect(rows(page).first).to_contain_text("<img src=x")
        assert said_by_console == [[]]


# ----------------------------------------------------------------------------------------------- filters


class TestFilters:
    def test_it_filters_as_one_types_once_one_pauses(self, site: Site, open_page: Open) -> None:
        site.hold(*records(5, text="7"), *records(5, text="4078", until=NOON + timedelta(hours=1)))
        page = open_page()
        expect(rows(page)).to_have_count(10)
        queries = asked(page)
        field(page).evaluate(TYPE, ["4", "40", "407"])
        expect(rows(page)).to_have_count(5)
        expect(said(page)).to_have_text("5 records.")
        assert [query["result"] for query in queries] == ["407"]

    def test_a_correction_is_found_too(self, site: Site, open_page: Open) -> None:
        site.hold(record(NOON, "42", correction="977"), record(NOON - timedelta(hours=1), "42"))
        page = open_page()
        field(page).fill("97")
        expect(rows(page)).to_have_count(1)

    @pytest.mark.parametrize("zone", ZONES)
    def test_a_day_is_the_viewers_own_from_midnight_to_midnight(self, site: Site, open_page: Open, zone: str) -> None:
        midnight = datetime(2024, 11, 25, tzinfo=UTC) + timedelta(hours=ZONES[zone])
        moments = {
            "before": midnight - timedelta(milliseconds=1),
            "first": midnight,
            "last": midnight + timedelta(hours=24) - timedelta(milliseconds=1),
            "after": midnight + timedelta(hours=24),
        }
        site.hold(*(record(at, filename=name) for name, at in moments.items()))
        page = open_page(timezone_id=zone)
        expect(rows(page)).to_have_count(4)
        field(page, "From day").fill("2024-11-25")
        expect(rows(page)).to_have_count(3)
        assert names(page) == ["after", "last", "first"]
        field(page, "To day").fill("2024-11-25")
        expect(rows(page)).to_have_count(2)
        assert names(page) == ["last", "first"]
        field(page, "From day").fill("")
        expect(rows(page)).to_have_count(3)
        assert names(page) == ["last", "first", "before"]
        shown = rows(page).locator("time").all_text_contents()
        assert [text[:10] for text in shown] == ["25/11/2024", "25/11/2024", "24/11/2024"]

    def test_nothing_that_matches_is_said_and_all_is_there_again_at_once(self, site: Site, open_page: Open) -> None:
        site.hold(*records(3))
        page = open_page()
        clear = page.get_by_role("button", name="Clear filters")
        expect(rows(page)).to_have_count(3)
        expect(clear).to_be_hidden()
        field(page).fill("99")
        expect(said(page)).to_have_text("Nothing matches these filters.")
        expect(page.get_by_role("table")).to_have_count(0)
        expect(chart(page)).to_be_hidden()
        clear.press("Enter")
        expect(rows(page)).to_have_count(3)
        expect(said(page)).to_have_text("3 records.")
        expect(field(page)).to_have_value("")
        expect(field(page)).to_be_focused()
        expect(clear).to_be_hidden()

    @pytest.mark.parametrize(
        ("label", "typed", "words"),
        [
            ("Result contains", "four", "nothing else can be searched for"),
            ("To day", "11250002", "is before 2000"),
        ],
        ids=["letters", "long ago"],
    )
    def test_what_cannot_be_searched_for_is_said_and_not_asked(
        self, site: Site, open_page: Open, label: str, typed: str, words: str
    ) -> None:
        site.hold(*records(3))
        page = open_page(locale="en-US")
        expect(rows(page)).to_have_count(3)
        queries = asked(page)
        field(page, label).focus()
        page.keyboard.type(typed)
        expect(said(page)).to_contain_text(words)
        expect(rows(page)).to_have_count(3)
        assert queries == []
        field(page, label).fill("")
        expect(said(page)).to_have_text("3 records.")

    def test_where_few_match_it_goes_on_by_itself_and_then_offers_to(self, site: Site, open_page: Open) -> None:
        site.hold(record(NOON - timedelta(days=30), "88", filename="old.png"), *records(30_000))
        page = open_page()
        expect(rows(page)).to_have_count(20)
        queries = asked(page)
        field(page).fill("88")
        expect(said(page)).to_have_text("Nothing found so far. Older records have not been searched yet.")
        assert len([query for query in queries if "result" in query]) == 5
        expect(page.get_by_role("table")).to_have_count(0)
        page.get_by_role("button", name="Search on").press("Enter")
        expect(rows(page)).to_have_count(1)
        expect(rows(page).first).to_be_focused()
        expect(said(page)).to_have_text("1 record.")

    def test_an_answer_to_what_was_asked_before_is_left(self, site: Site, open_page: Open) -> None:
        site.hold(*records(3, text="1"), *records(2, text="12", until=NOON + timedelta(hours=1)))
        page = open_page()
        expect(rows(page)).to_have_count(5)
        held: list[Route] = []
        page.route(re.compile("result=1&"), lambda route: held.append(route))  # noqa: PLW0108
        field(page).fill("1")
        page.wait_for_timeout(500)
        field(page).fill("12")
        expect(rows(page)).to_have_count(2)
        held[0].continue_()
        page.wait_for_timeout(500)
        expect(rows(page)).to_have_count(2)
        expect(page.locator("[data-part=history]")).to_have_attribute("aria-busy", "false")

    def test_a_search_that_fails_shows_no_rows_of_another(self, site: Site, open_page: Open) -> None:
        site.hold(*records(3, text="1"), *records(2, text="12", until=NOON + timedelta(hours=1)))
        page = open_page()
        expect(rows(page)).to_have_count(5)
        page.route(LISTS, deny)
        field(page).fill("12")
        expect(said(page)).to_have_text("No records now. Try again soon.")
        expect(rows(page)).to_have_count(0)
        page.unroute(LISTS)
        page.get_by_role("button", name="Try again").click()
        expect(rows(page)).to_have_count(2)

    def test_a_new_answer_joins_those_that_match_alone(self, site: Site, open_page: Open) -> None:
        site.hold(*records(2, text="4"), *records(2, text="7", until=NOON + timedelta(hours=1)))
        page = open_page()
        field(page).fill("4")
        expect(rows(page)).to_have_count(2)
        read(page, 7, "seven-again.png")
        read(page, 4, "four-again.png")
        expect(rows(page)).to_have_count(3)
        assert names(page)[0] == "four-again.png"

    @pytest.mark.parametrize("link", ["CSV", "JSON lines"])
    def test_what_is_downloaded_is_what_matches(self, site: Site, open_page: Open, link: str) -> None:
        site.hold(*records(3, text="12"), *records(3, text="7"), *records(2, text="12", until=NOON - timedelta(days=3)))
        page = open_page()
        downloads = page.locator("[data-part=downloads]")
        expect(downloads).to_contain_text("Download all:")
        field(page).fill("12")
        field(page, "From day").fill("2024-11-24")
        expect(rows(page)).to_have_count(3)
        expect(downloads).to_contain_text("Download these:")
        with page.expect_download() as download:
            page.get_by_role("link", name=link).click()
        text = download.value.path().read_text()
        if link == "CSV":
            kept: Sequence[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
        else:
            kept = [json.loads(line) for line in text.splitlines()]
        assert [one["filename"] for one in kept] == ["0.png", "1.png", "2.png"]
        assert {one["result"] for one in kept} == {"12"}
        page.get_by_role("button", name="Clear filters").click()
        expect(rows(page)).to_have_count(8)
        expect(page.get_by_role("link", name=link)).to_have_attribute("href", re.compile(r"\?format=\w+$"))

    def test_the_filters_are_used_with_the_keyboard_alone(self, site: Site, open_page: Open) -> None:
        site.hold(*records(2, text="4"), *records(3, text="7", until=NOON - timedelta(days=3)))
        page = open_page(locale="en-US")
        expect(rows(page)).to_have_count(5)
        page.get_by_role("link", name="JSON lines").focus()
        page.keyboard.press("Tab")
        expect(field(page)).to_be_focused()
        page.keyboard.type("7")
        page.keyboard.press("Enter")
        expect(rows(page)).to_have_count(3)
        page.keyboard.press("Tab")
        expect(field(page, "From day")).to_be_focused()
        page.keyboard.type("11232024")
        expect(said(page)).to_have_text("Nothing matches these filters.")

    def test_typing_moves_no_field(self, site: Site, open_page: Open) -> None:
        site.hold(*records(60))
        page = open_page()
        expect(rows(page)).to_have_count(20)
        field(page).evaluate("field => field.scrollIntoView()")
        field(page).focus()
        page.wait_for_timeout(600)
        top = field(page).evaluate("field => field.getBoundingClientRect().top")
        page.keyboard.type("99")
        expect(said(page)).to_have_text("Nothing matches these filters.")
        assert abs(field(page).evaluate("field => field.getBoundingClientRect().top") - top) <= 1


# ------------------------------------------------------------------------------------------------- chart


class TestChart:
    def test_without_records_there_is_none(self, open_page: Open) -> None:
        page = open_page()
        expect(said(page)).to_contain_text("Nothing has been read yet.")
        expect(chart(page)).to_be_hidden()

    @pytest.mark.parametrize("count", [1, 2, 9])
    def test_of_a_few_records_there_are_words_and_no_lines(self, site: Site, open_page: Open, count: int) -> None:
        site.hold(*records(count - 1), record(NOON - timedelta(hours=1), "1", correction="7"))
        page = open_page()
        look_at_chart(page)
        expect(lines(page)).to_have_count(0)
        expect(chart(page)).to_contain_text("From 10 records on, two lines show how both change.")
        expect(page.locator("[data-part=chart-right]")).to_have_text(f"{count - 1} of {count}")
        expect(page.locator("[data-part=chart-confidence]")).to_have_text("97%")
        expect(page.locator("[data-part=ends] time")).to_have_count(0)

    def test_records_without_a_digit_have_no_confidence_to_draw(self, site: Site, open_page: Open) -> None:
        console: list[list[str]] = []
        site.hold(*records(12, text="", confidence=0.0))
        page = open_page(before=lambda page: console.append(complaints(page)), service_workers="allow")
        look_at_chart(page)
        expect(page.locator("[data-part=chart-confidence]")).to_have_text("–")
        expect(lines(page)).to_be_visible()
        assert "NaN" not in chart(page).inner_html()
        assert console == [[]]

    def test_it_shows_what_the_records_say(self, site: Site, open_page: Open) -> None:
        early = records(50, until=NOON - timedelta(days=2), confidence=0.5)
        wrong = [dataclasses.replace(one, correction="1") for one in early[:10]]
        confirmed = [dataclasses.replace(one, correction="7") for one in early[10:15]]
        site.hold(*records(50, confidence=0.9), *wrong, *confirmed, *early[15:])
        page = open_page()
        look_at_chart(page)
        expect(page.locator("[data-part=chart-right]")).to_have_text("90%")
        expect(page.locator("[data-part=chart-confidence]")).to_have_text("70%")
        words = (
            "100 records, 23–25 Nov 2024: 70% sure on average. 10 corrected to something else, 5 confirmed, "
            "85 left as they were read. At most 90% are right, from 100% at first to 100% at last. "
            "Confidence went from 50% to 90%."
        )
        name = lines(page).get_attribute("aria-label") or ""
        assert re.sub(r"\s*–\s*", "–", name) == words
        expect(lines(page).locator("circle")).to_have_count(10)
        expect(chart(page)).to_contain_text("Each point: 10 records. The axis begins at 0%.")
        ends = page.locator("[data-part=ends] time").all_text_contents()
        assert ends == ["23 Nov 2024", "25 Nov 2024"]

    def test_a_point_is_as_high_as_what_it_says(self, site: Site, open_page: Open) -> None:
        alike = [dataclasses.replace(one, correction="7" if i else "1") for i, one in enumerate(records(10))]
        site.hold(*alike)
        page = open_page()
        look_at_chart(page)
        heights = lines(page).evaluate(
            """svg => [[...svg.querySelectorAll('text')].map((text) => [text.textContent, text.y.baseVal[0].value]),
                [...svg.querySelectorAll('circle')].map((circle) => circle.cy.baseVal.value)]"""
        )
        grid, points = dict(heights[0]), heights[1]
        assert points[0] == grid["100%"]  # the older five
        assert points[1] == grid["80%"]  # one of five was corrected

    def test_its_figures_are_there_as_a_table(self, site: Site, open_page: Open) -> None:
        site.hold(*records(100))
        page = open_page()
        look_at_chart(page)
        figures = page.get_by_role("table", name="Accuracy and confidence over time")
        expect(figures).to_have_count(0)
        page.get_by_text("In figures").focus()
        page.keyboard.press("Enter")
        expect(figures.get_by_role("row")).to_have_count(11)
        expect(figures.get_by_role("row").nth(1)).to_contain_text(re.compile(r"2024.*10.*97%.*100%", re.DOTALL))

    def test_the_lines_are_told_apart_by_more_than_colour(self, site: Site, open_page: Open) -> None:
        site.hold(*records(30))
        page = open_page()
        look_at_chart(page)
        for drawing in (lines(page), chart(page).locator("dl")):
            dashes = drawing.locator("path").evaluate_all("all => all.map((p) => getComputedStyle(p).strokeDasharray)")
            assert len(set(dashes)) == 2
        expect(lines(page).locator(".right rect, .confidence circle")).to_have_count(0)
        expect(lines(page).locator(".confidence rect")).to_have_count(5)

    def test_it_is_of_the_newest_500_that_match(self, site: Site, open_page: Open) -> None:
        site.hold(*records(600, confidence=0.9), *records(30, text="4", until=NOON - timedelta(days=3)))
        page = open_page()
        look_at_chart(page)
        expect(page.locator("[data-part=chart-words]")).to_contain_text("500 records,")
        field(page).fill("4")
        expect(page.locator("[data-part=chart-words]")).to_contain_text("30 records,")
        expect(page.locator("[data-part=chart-confidence]")).to_have_text("97%")

    def test_nothing_is_loaded_for_it_until_it_comes_near(self, site: Site, open_page: Open) -> None:
        site.hold(*records(30))
        queries: list[list[dict[str, str]]] = []
        scripts: list[str] = []

        def watch(page: Page) -> None:
            queries.append(asked(page))
            page.on("request", lambda request: scripts.append(request.url) if "chart.js" in request.url else None)

        page = open_page(viewport={"width": 390, "height": 500}, before=watch)
        expect(rows(page)).to_have_count(20)
        page.wait_for_timeout(500)
        assert scripts == []
        assert len(queries[0]) == 1
        look_at_chart(page)
        assert len(scripts) == 1
        assert [query["limit"] for query in queries[0]] == ["20", "500"]

    def test_an_answer_and_its_correction_move_it(self, site: Site, open_page: Open) -> None:
        site.hold(*records(30, confidence=0.5))
        page = open_page()
        look_at_chart(page)
        right, words = page.locator("[data-part=chart-right]"), page.locator("[data-part=chart-words]")
        expect(right).to_have_text("100%")
        read(page, 4, "four.png")
        expect(words).to_contain_text("31 records,")
        page.locator("[data-part=choices] button[value='9']").click()
        expect(words).to_contain_text("1 corrected to something else")
        expect(right).to_have_text("96.8%")
        page.locator("[data-part=undo]").click()
        expect(words).to_contain_text("0 corrected to something else")
        expect(right).to_have_text("100%")

    def test_a_chart_that_cannot_be_had_is_tried_again(self, site: Site, open_page: Open) -> None:
        site.hold(*records(30))
        page = open_page(before=lambda page: page.route("**/api/records?limit=500*", deny))
        chart(page).scroll_into_view_if_needed()
        expect(chart(page)).to_contain_text("No records now")
        expect(rows(page)).to_have_count(20)
        page.unroute("**/api/records?limit=500*")
        page.get_by_role("button", name="Try again").press("Enter")
        expect(lines(page)).to_be_visible()
        expect(chart(page).get_by_role("button")).to_have_count(0)


# ------------------------------------------------------------------------------------------------- looks


class TestLooks:
    @pytest.mark.parametrize("width", [320, 390, 1280])
    @pytest.mark.parametrize("count", [3, 60])
    def test_nothing_that_comes_moves_what_is_there(self, site: Site, open_page: Open, width: int, count: int) -> None:
        site.hold(*records(count))
        page = open_page(viewport={"width": width, "height": 700}, before=watch_shifts)
        page.locator("[data-part=history]").evaluate("section => section.scrollIntoView({ behavior: 'instant' })")
        look_at_chart(page)
        page.wait_for_timeout(700)
        assert page.evaluate("window.shifts") == []

    @pytest.mark.parametrize("width", [320, 390, 768, 1280])
    @pytest.mark.parametrize("language", ["en-GB", "de-DE"])
    def test_nothing_sticks_out_sideways(self, site: Site, open_page: Open, width: int, language: str) -> None:
        site.hold(
            record(NOON, "1" * 200, filename="a-name-without-any-place-to-break-it-" * 5, glyphs=pack([glyph(1)] * 40)),
            *records(60, until=NOON - timedelta(hours=1), correction="9"),
        )
        page = open_page(viewport={"width": width, "height": 700}, locale=language)
        look_at_chart(page)
        page.locator("summary").click()
        section = page.locator("[data-part=history]")
        right = section.evaluate(
            "section => section.getBoundingClientRect().right - parseFloat(getComputedStyle(section).paddingRight)"
        )
        edges = section.locator("*:visible").evaluate_all(
            "all => all.map((one) => [one.getBoundingClientRect().right, one.outerHTML.slice(0, 80)])"
        )
        assert [name for edge, name in edges if edge > right + 1] == []

    def test_it_speaks_german(self, site: Site, open_page: Open) -> None:
        site.hold(*records(30, correction="1"))
        page = open_page(locale="de-DE")
        look_at_chart(page)
        section = page.locator("[data-part=history]")
        section.locator("summary").click()
        text = section.inner_text()
        for words in ("Einträge", "Alle herunterladen", "Vom Tag", "Konfidenz", "Berichtigt zu 1", "Mehr zeigen"):
            assert words in text
        for words in ("Record", "Download", "From", "Confidence", "Corrected", "Show", "figures", "axis", "sure"):
            assert words not in text
        expect(page.get_by_role("search", name="Die Einträge filtern")).to_be_visible()


# -------------------------------------------------------------------------------------------------- keys


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Where the records are shown for a key alone."""
    folder = tmp_path_factory.mktemp("locked")
    with (
        running_function(folder, {"RECORDS_KEY": "the key"}) as service,
        running_nginx(tmp_path_factory.mktemp("nginx-locked"), urlsplit(service.url).netloc) as url,
    ):
        yield Site(url, folder / "records.db")


class TestKeys:
    def test_filters_chart_and_files_go_with_the_key_that_is_asked_for_once(
        self, locked: Site, open_page: Open
    ) -> None:
        locked.hold(*records(40, text="12"), *records(30, until=NOON - timedelta(days=1)))
        page = open_page(locked.url)
        expect(said(page)).to_contain_text("This needs a key.")
        field(page).fill("12")
        page.wait_for_timeout(600)
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Enter the key").click()
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
        page.keyboard.type("the key")
        page.keyboard.press("Enter")
        expect(rows(page)).to_have_count(20)
        look_at_chart(page)
        expect(page.locator("[data-part=chart-words]")).to_contain_text("40 records,")
        more(page).click()
        expect(rows(page)).to_have_count(40)
        with page.expect_download() as download:
            page.get_by_role("link", name="JSON lines").click()
        assert len(download.value.path().read_text().splitlines()) == 40
        more(page).click()
        expect(said(page)).to_have_text("40 records.")
