"""The page in each of its states, looked at by axe-core, in light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.helpers import ROOT, encode, running_function
from tests.nginx import running_nginx

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.page import choose, fill, number, png, preview, read_it, result, running_browser

AXE = ROOT / "tests/node/node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOK = """async (tags) => {
    const options = { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'], preload: false };
    const { violations } = await axe.run(options);
    return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}"""


# --------------------------------------------------------------------------------------------------- states


def empty(page: Page, site: str) -> None:
    page.goto(site)
    page.wait_for_load_state("networkidle")


def chosen(page: Page, site: str) -> None:
    page.goto(site)
    choose(page, png())
    expect(preview(page)).to_be_visible()


def several(page: Page, site: str) -> None:
    page.goto(site)
    choose(page, png(4, "four.png"), number("42", name="number.png"), png(7, "seven.png"))
    expect(page.locator("[data-part=pictures] > li")).to_have_count(3)


def one_digit(page: Page, site: str) -> None:
    chosen(page, site)
    read_it(page).click()
    expect(result(page)).to_have_text("4")


def a_number(page: Page, site: str) -> None:
    page.goto(site)
    choose(page, number("4071", "5298"))
    read_it(page).click()
    expect(result(page)).to_have_text("4071\n5298")


def no_digit(page: Page, site: str) -> None:
    page.goto(site)
    blank = encode(Image.new("L", (120, 120), 255))
    choose(page, {"name": "blank.png", "mimeType": "image/png", "buffer": blank})
    read_it(page).click()
    expect(result(page)).to_have_text("No digit found")


def a_problem(page: Page, site: str) -> None:
    page.goto(site)
    choose(page, {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear reader,"})
    read_it(page).click()
    expect(page.get_by_role("alert").filter(visible=True)).not_to_be_empty()


def corrected(page: Page, site: str) -> None:
    one_digit(page, site)
    page.locator("[data-part=choices]").get_by_role("button", name="9").click()
    expect(page.locator("[data-part=undo]")).to_be_visible()


def a_key_is_asked_for(page: Page, site: str) -> None:
    problem = {"type": "about:blank", "title": "This needs a key", "status": 401, "detail": "Send the key."}
    headers = {"WWW-Authenticate": "Bearer", "Content-Type": "application/problem+json"}
    page.route("**/api/", lambda route: route.fulfill(status=401, headers=headers, json=problem))
    chosen(page, site)
    read_it(page).click()
    page.get_by_label("Key", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()


def drawn(page: Page, site: str) -> None:
    page.goto(site)
    page.get_by_text("Draw", exact=True).click()
    canvas = page.locator("[data-part=canvas]")
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    assert area
    page.mouse.move(area["x"] + 60, area["y"] + 60)
    page.mouse.down()
    page.mouse.move(area["x"] + 160, area["y"] + 60)
    page.mouse.move(area["x"] + 90, area["y"] + 180, steps=5)
    page.mouse.up()
    expect(read_it(page)).to_have_attribute("aria-disabled", "false")


def history(page: Page, site: str) -> None:
    page.goto(site)
    page.locator("[data-part=filters]").get_by_label("From day").fill("2026-10-01")
    expect(page.locator("[data-part=clear-filters]")).to_be_visible()
    page.locator("[data-part=chart]").scroll_into_view_if_needed()
    page.get_by_text("In figures", exact=True).click()
    expect(page.locator("[data-part=figures] tr").first).to_be_visible()


def in_german(page: Page, site: str) -> None:
    page.goto(f"{site}/?lang=de")
    choose(page, number("42"))
    read_it(page).click()
    expect(result(page)).to_have_text("42")


STATES = [
    empty,
    chosen,
    several,
    one_digit,
    a_number,
    no_digit,
    a_problem,
    corrected,
    a_key_is_asked_for,
    drawn,
    history,
    in_german,
]


# ---------------------------------------------------------------------------------------------------- tests


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci --prefix tests/node")
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's URL, where a few records are there already, with what the model saw."""
    with running_function(tmp_path_factory.mktemp("function"), {"KEEP_GLYPHS": "true"}) as service:
        fill(service, 30)
        with running_nginx(tmp_path_factory.mktemp("nginx"), urlsplit(service.url).netloc) as url:
            yield url


@pytest.fixture(scope="module", params=STATES, ids=lambda state: state.__name__.replace("_", " "))
def page(browser: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """In one state, which is come to once for all its tests."""
    state: Callable[[Page, str], None] = request.param
    context = browser.new_context(reduced_motion="reduce", service_workers="block")
    context.set_default_timeout(20_000)
    page = context.new_page()
    state(page, site)
    page.evaluate(AXE.read_text())
    yield page
    context.close()


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate(LOOK, TAGS) == []
