"""Pictures of the page for the documentation, and its icons: `python -m tests.screenshots [page | icons]`."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.helpers import ROOT, STROKES, running_function
from tests.nginx import FRONTEND, running_nginx
from tests.page import choose, fill, number, preview, read_it, result, running_browser

DOCS = ROOT / "docs"
NUMBERS = DOCS / "numbers.jpg"
RECORDS = 90

DESKTOP: dict[str, Any] = {"viewport": {"width": 1240, "height": 1030}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

ICONS = {  # name → side in pixels, and whether the ground goes to the edge, to be cut to any shape by whoever shows it
    "icon-192.png": (192, False),
    "icon-512.png": (512, False),
    "icon-maskable.png": (512, True),
    "icon-180.png": (180, True),
}
SHADES = 24  # of an icon: two colours, and what is between them at edges


# ------------------------------------------------------------------------------------------------- states


def picture_number(page: Page) -> None:
    read(page, NUMBERS)
    page.locator(".boxes .box rect.line").nth(1).click()
    shoot(page, "number")


def picture_drawing(page: Page) -> None:
    page.get_by_text("Draw", exact=True).click()
    canvas = page.locator("[data-part=canvas]")
    area = canvas.bounding_box()
    assert area
    unit = area["height"] / 40
    for place, digit in enumerate((2, 0, 7)):
        left = area["x"] + area["width"] / 2 + (14 * (place - 1) - 5) * unit
        for stroke in STROKES[digit]:
            [start, *others] = [(left + x * unit, area["y"] + (y + 12) * unit) for x, y in curve(stroke)]
            page.mouse.move(*start)
            page.mouse.down()
            for point in others:
                page.mouse.move(*point)
            page.mouse.up()
    expect(result(page)).to_have_text("207")
    read_it(page).click()
    expect(page.locator("[data-part=recorded]")).to_have_text("Stored")
    shoot(page, "drawing")


Point = tuple[float, float]


def curve(points: list[Point], steps: int = 8) -> list[Point]:
    """Through the same points without corners: the spline of Catmull and Rom (1974)."""
    padded = [points[0], *points, points[-1]]
    drawn = []
    for four in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for t in (step / steps for step in range(steps)):
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(w * point[axis] for w, point in zip(weights, four, strict=True)) / 2 for axis in (0, 1))
            drawn.append((x, y))
    return [*drawn, points[-1]]


def picture_correction(page: Page) -> None:
    read(page, NUMBERS)
    page.locator(".boxes .box rect.line").last.click()
    page.locator("[data-part=choices]").get_by_role("button", name="7").click()
    expect(page.locator("[data-part=undo]")).to_be_visible()
    shoot(page, "dark")


def picture_error(page: Page) -> None:
    choose(page, {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear reader,"})
    read_it(page).click()
    expect(page.get_by_role("alert").filter(visible=True)).not_to_be_empty()
    shoot(page, "error")


def picture_phone(page: Page) -> None:
    choose(page, number("4071", "298"))
    expect(preview(page)).to_be_visible()
    read_it(page).click()
    expect(result(page)).to_have_text("4071\n298")
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    shoot(page, "phone")


def picture_history(page: Page) -> None:
    history = page.locator("[data-part=history]")
    history.scroll_into_view_if_needed()
    expect(page.locator("[data-part=plot] svg").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    history.evaluate("section => section.scrollIntoView({ block: 'start', behavior: 'instant' })")
    shoot(page, "history")


def read(page: Page, picture: Path) -> None:
    choose(page, picture)
    expect(preview(page)).to_be_visible()
    read_it(page).click()
    expect(result(page)).not_to_be_empty()
    expect(page.locator("[data-part=model]")).not_to_be_empty()


# -------------------------------------------------------------------------------------------------- pictures


def draw_page(browser: Browser) -> None:
    """Each of them on a page of its own, before the same records."""
    with running_site() as url:
        for state, options in (
            (picture_history, DESKTOP),
            (picture_number, DESKTOP),
            (picture_drawing, DESKTOP),
            (picture_correction, {**DESKTOP, "color_scheme": "dark"}),
            (picture_error, DESKTOP),
            (picture_phone, PHONE),
        ):
            with opened(browser, url, options) as page:
                state(page)


@contextmanager
def running_site() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nginx").mkdir()
        with running_function(folder, {"KEEP_GLYPHS": "true"}) as service:
            fill(service, RECORDS)
            with running_nginx(folder / "nginx", urlsplit(service.url).netloc) as url:
                yield url


@contextmanager
def opened(browser: Browser, url: str, options: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(
        locale="en-GB", timezone_id="UTC", reduced_motion="reduce", service_workers="block", **options
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


def shoot(page: Page, name: str) -> None:
    # Nothing that blinks, and nothing under the mouse.
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement?.blur()")
    save(page.screenshot(animations="disabled", caret="hide"), DOCS / f"page-{name}.png")


def draw_icons(browser: Browser) -> None:
    """From favicon.svg, which is drawn so that a circle of four fifths of its side holds all that matters."""
    source = (FRONTEND / "favicon.svg").read_text()
    assert ' rx="15"' in source
    for name, (side, is_whole) in ICONS.items():
        page = browser.new_page(viewport={"width": side, "height": side})
        svg = source.replace(' rx="15"', "") if is_whole else source
        page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{svg}")
        save(page.screenshot(omit_background=True), FRONTEND / name, SHADES)
        page.close()


def save(png: bytes, path: Path, colours: int = 256) -> None:
    """With a palette, which is a third of the size; all of large plain areas are in it exactly."""
    image = Image.open(io.BytesIO(png))
    if image.mode == "RGBA":  # transparent, for which there is one method only
        drawn = image.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    else:
        drawn = image.quantize(colours, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    drawn.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


DRAWN = {"page": draw_page, "icons": draw_icons}

if __name__ == "__main__":
    with running_browser() as browser:
        for what in sys.argv[1:] or DRAWN:
            DRAWN[what](browser)
