"""The page as it is installed, and as it opens without a network: frontend/sw.js in a real browser."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from tests.helpers import Service, running_function
from tests.nginx import FRONTEND, running_nginx

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.page import choose, complaints, lasting, launched, png, preview, read_it, result

PATIENCE = 3  # seconds, as sw.js has it

COPIES = """async () => {
    const names = (await caches.keys()).filter((name) => name.startsWith('page '));
    const copies = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return copies.map((requests) => requests.map(({ url }) => new URL(url).pathname)).filter(({ length }) => length);
}"""
"""The paths that each copy of the page holds."""

IS_SETTLED = """async () => {
    const { installing, waiting, active } = await navigator.serviceWorker.getRegistration();
    return !installing && !waiting && active?.state === 'activated';
}"""
"""Whether no worker is about to take another's place."""


def visit(page: Page, url: str) -> set[str]:
    """Opens the page, and stays until it would open without a network too. Gives the paths that are kept then."""
    page.goto(url)
    return kept(page)


def kept(page: Page, is_right: Callable[[set[str]], bool] = lambda paths: "/" in paths) -> set[str]:
    """The paths that the one copy of the page holds, once they are right."""
    copies: list[list[str]] = []

    def is_kept() -> bool:
        copies[:] = page.evaluate(COPIES)
        return len(copies) == 1 and is_right(set(copies[0]))

    until(is_kept)
    return set(copies[0])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def expect_complete(page: Page) -> None:
    """Its looks are there, and its scripts have run to their end."""
    expect(page.locator("[data-part=ways]")).to_be_visible()
    choose(page, png())
    expect(preview(page)).to_be_visible()
    expect(read_it(page)).to_have_attribute("aria-disabled", "false")


@contextlib.contextmanager
def answering(url: str, status: int, **headers: str) -> Iterator[None]:
    """In place of the server that was at `url`, one that says this to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Something else</h1>")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", urlsplit(url).port or 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def left(page: Page, service: Service, tmp_path: Path) -> str:
    """The URL of the page, which has been opened there, and of a server that is gone since."""
    with running_nginx(tmp_path, urlsplit(service.url).netloc) as url:
        visit(page, url)
    return url


# ---------------------------------------------------------------------------------------- without a network


@pytest.mark.parametrize("path", ["/", "/index.html", "/?lang=de"])
def test_without_a_server_the_page_opens_as_complete_as_ever(page: Page, left: str, path: str) -> None:
    said = complaints(page, but="/api/")
    page.goto(left + path)
    expect_complete(page)
    expect(page.locator("html")).to_have_attribute("lang", "de" if "lang=de" in path else "en")
    styles = (FRONTEND / "index.html").read_text().count('rel="stylesheet"')
    assert page.evaluate("[...document.styleSheets].filter((sheet) => sheet.cssRules.length).length") == styles
    assert said == []


def test_what_is_read_without_a_server_is_read_once_it_is_back(page: Page, service: Service, tmp_path: Path) -> None:
    """Opened, chosen and drawn without it; each is recorded once."""
    with running_nginx(tmp_path, urlsplit(service.url).netloc) as url:
        visit(page, url)
    page.goto(url)
    choose(page, png(6, "without-a-server.png"))
    read_it(page).click()
    expect(page.locator(".pictures .state")).to_have_text("Waiting")
    page.get_by_text("Draw", exact=True).click()
    canvas = page.locator("[data-part=canvas]")
    expect(canvas).to_be_visible()  # the page loads what draws first
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 195, box["y"] + 260, steps=5)
    page.mouse.up()
    read_it(page).click()
    expect(page.locator(".pictures .state")).to_have_text(["Waiting", "Waiting"])
    with running_nginx(tmp_path, urlsplit(service.url).netloc, port=urlsplit(url).port or 0):
        expect(page.locator(".pictures .state")).to_have_text(["6", "1"], timeout=60_000)
        names = [record["filename"] for record in httpx.get(f"{service.url}/records?limit=50").json()["records"]]
        assert names.count("without-a-server.png") == 1


def test_what_is_kept_is_all_that_the_page_loads_and_nothing_else(page: Page, site: str) -> None:
    loaded: set[str] = set()
    page.on("response", lambda response: loaded.add(urlsplit(response.url).path))
    paths = visit(page, site)
    assert {path for path in loaded if not path.startswith("/api/")} <= {*paths, "/sw.js"}
    files = {f"/{file.name}" for kind in ("js", "css", "svg", "webmanifest") for file in FRONTEND.glob(f"*.{kind}")}
    assert paths == {"/", *files} - {"/sw.js"}


def test_a_copy_that_was_never_completed_is_not_opened(page: Page, left: str) -> None:
    page.evaluate(
        "caches.open(`page ${location.href} ${Date.now()}`).then((copy) => copy.put('main.js', new Response()))"
    )
    page.goto(left)
    expect_complete(page)


def test_a_server_that_says_nothing_is_not_waited_for(page: Page, left: str) -> None:
    # The system takes up the connections, and nobody answers.
    with socket.create_server(("127.0.0.1", urlsplit(left).port or 0)):
        began = time.monotonic()
        page.goto(left, wait_until="domcontentloaded")
        assert PATIENCE <= time.monotonic() - began < PATIENCE + 10
        expect_complete(page)


def test_a_proxy_without_a_server_is_no_server(page: Page, left: str) -> None:
    with answering(left, 502):
        page.goto(left)
        expect_complete(page)
    page.reload()
    expect_complete(page)


@pytest.mark.parametrize("status", [302, 403])
def test_a_server_that_wants_something_else_first_is_heard(page: Page, left: str, status: int) -> None:
    with answering(left, status, Location="/login") if status == 403 else redirecting(left):
        page.goto(left)
        expect(page.get_by_role("heading", name="Something else")).to_be_visible()
    # And it has not become the page.
    page.goto(left)
    expect_complete(page)


@contextlib.contextmanager
def redirecting(url: str) -> Iterator[None]:
    """A server that sends everybody to log in elsewhere."""
    with contextlib.ExitStack() as stack:
        elsewhere = free_url()
        stack.enter_context(answering(elsewhere, 200))
        stack.enter_context(answering(url, 302, Location=elsewhere))
        yield


def free_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/"


# ------------------------------------------------------------------------------------------- another version


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a page that the function serves itself, and the folder that it is in."""
    folder = tmp_path_factory.mktemp("frontend")
    with running_function(tmp_path_factory.mktemp("function"), {"FRONTEND_DIR": str(folder)}) as service:
        yield service.url, folder


@pytest.fixture
def served(changing: tuple[str, Path]) -> str:
    """That URL. The page is as it is in the project, and may be changed."""
    url, folder = changing
    for file in folder.iterdir():
        file.unlink()
    shutil.copytree(FRONTEND, folder, dirs_exist_ok=True)
    return url


@pytest.fixture
def folder(changing: tuple[str, Path]) -> Path:
    return changing[1]


def change(folder: Path, name: str, *replacements: tuple[str, str]) -> None:
    text = (folder / name).read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text)


def test_a_new_version_is_there_at_the_next_load_and_kept(page: Page, served: str, folder: Path) -> None:
    visit(page, served)
    change(folder, "index.html", ("<title>Digit Reader", "<title>Another"))
    (folder / "another.js").write_text("document.title += ' version';\n")
    change(folder, "main.js", ("import ", "import './another.js';\nimport "))
    page.reload()
    expect(page).to_have_title("Another version")
    kept(page, lambda paths: "/another.js" in paths)
    page.context.set_offline(True)
    page.reload()
    expect(page).to_have_title("Another version")
    expect_complete(page)


def test_two_versions_are_never_mixed(page: Page, served: str, folder: Path) -> None:
    """As while one is being replaced by another: the page is new already, and one of its files is missing."""
    before = visit(page, served)
    change(folder, "index.html", ("<title>Digit Reader", "<title>Another"))
    (folder / "texts.js").rename(folder / "words.js")
    page.reload()
    expect(page).to_have_title("Digit Reader")
    expect_complete(page)
    assert kept(page) == before
    change(folder, "index.html", ("</title>", " version</title>"))
    (folder / "words.js").rename(folder / "texts.js")
    page.reload()
    expect(page).to_have_title("Another version")


def test_a_file_that_is_no_longer_needed_is_no_longer_kept(page: Page, served: str, folder: Path) -> None:
    change(folder, "index.html", ("</head>", '<link rel="stylesheet" href="extra.css"></head>'))
    (folder / "extra.css").write_text("p { color: red }")
    assert "/extra.css" in visit(page, served)
    change(folder, "index.html", ('<link rel="stylesheet" href="extra.css">', ""))
    (folder / "extra.css").unlink()
    page.reload()
    kept(page, lambda paths: "/extra.css" not in paths)
    expect_complete(page)


def test_a_new_worker_takes_over_by_itself(page: Page, served: str, folder: Path) -> None:
    visit(page, served)
    change(folder, "sw.js", ("const KEPT = `page ", "const KEPT = `another page "))
    page.reload()
    until(lambda: any(name.startswith("another page") for name in page.evaluate("caches.keys()")))
    until(lambda: bool(page.evaluate(IS_SETTLED)))
    page.context.set_offline(True)
    page.reload()
    expect_complete(page)


# --------------------------------------------------------------------------------------- what it leaves alone


def test_the_worker_has_no_hand_in_what_goes_to_the_function(page: Page, site: str) -> None:
    visit(page, site)
    page.reload()
    expect(page.locator("[data-part=ways]")).to_be_visible()
    assert page.evaluate("navigator.serviceWorker.controller.state") == "activated"
    through: dict[str, bool] = {}
    page.on("response", lambda response: through.update({response.url: response.from_service_worker}))
    choose(page, png())
    read_it(page).click()
    expect(result(page)).to_have_text("4")
    page.reload()
    expect(page.locator("[data-part=ways]")).to_be_visible()
    page.wait_for_load_state("networkidle")
    asked = {url: worker for url, worker in through.items() if "/api/" in url}
    assert f"{site}/api/" in asked
    assert not any(asked.values())
    assert through[f"{site}/main.js"]


def test_how_much_of_a_picture_has_been_sent_can_be_told(page: Page, site: str) -> None:
    visit(page, site)
    page.reload()
    assert page.evaluate("Boolean(navigator.serviceWorker.controller)")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000}
    devtools.send("Network.emulateNetworkConditions", slow)
    sent = page.evaluate(
        """(size) => new Promise((resolve) => {
            const request = new XMLHttpRequest();
            const sent = [];
            request.upload.onprogress = ({ loaded }) => sent.push(loaded);
            request.onloadend = () => resolve(sent);
            request.open('POST', 'api/?record=false');
            request.send(new Uint8Array(size));
        })""",
        1_000_000,
    )
    assert sent == sorted(sent)
    assert 0 < sent[0] < sent[-1] == 1_000_000


def test_other_pages_of_the_same_origin_keep_their_caches(page: Page, served: str, folder: Path) -> None:
    page.goto(f"{served}/favicon.svg")
    page.evaluate("caches.open('mine').then(() => {})")
    visit(page, served)
    change(folder, "favicon.svg", ("#2747b8", "#2747b9"))
    before = page.evaluate("caches.keys()")
    page.reload()
    kept(page, lambda _: page.evaluate("caches.keys()") != before)
    assert "mine" in page.evaluate("caches.keys()")


def test_without_https_the_page_does_without_a_worker(browser: Browser, site: str) -> None:
    device = launched(browser.browser_type, "--host-resolver-rules=MAP reader.test 127.0.0.1")
    page = device.new_page()
    said = complaints(page, but="/api/")
    page.goto(site.replace("127.0.0.1", "reader.test"))
    assert page.evaluate("navigator.serviceWorker === undefined")
    expect_complete(page)
    # One header, too, counts only where the connection can be trusted.
    assert [words for words in said if "Cross-Origin-Opener-Policy" not in words] == []
    device.close()


# -------------------------------------------------------------------------------------------------- installed


def test_the_page_can_be_installed(browser: Browser, site: str, tmp_path: Path) -> None:
    # Never where a browser forgets everything afterwards, as it does in all other tests.
    with lasting(browser.browser_type, tmp_path) as context:
        page = context.new_page()
        visit(page, site)
        page.reload()
        devtools = context.new_cdp_session(page)
        manifest = devtools.send("Page.getAppManifest")
        assert manifest["url"] == f"{site}/manifest.webmanifest"
        assert manifest["errors"] == []
        assert devtools.send("Page.getInstallabilityErrors")["installabilityErrors"] == []


def test_the_icons_are_as_the_manifest_says() -> None:
    manifest = json.loads((FRONTEND / "manifest.webmanifest").read_text())
    corners = {}
    for icon in manifest["icons"]:
        image = Image.open(FRONTEND / icon["src"]).convert("RGBA")
        assert "x".join(map(str, image.size)) == icon["sizes"]
        corners[icon.get("purpose", "any"), image.width] = image.crop((0, 0, 1, 1)).tobytes()
    assert {("any", 192), ("any", 512), ("maskable", 512)} <= corners.keys()
    # A maskable one is cut to any shape, so its ground goes to the edge.
    assert corners["maskable", 512] == bytes((39, 71, 184, 255))
    assert corners["any", 512][3] == 0


def test_the_manifest_and_the_page_say_the_same() -> None:
    manifest = json.loads((FRONTEND / "manifest.webmanifest").read_text())
    page = (FRONTEND / "index.html").read_text()
    assert f"<title>{manifest['name']}</title>" in page
    assert f'name="description" content="{manifest["description"]}"' in page
    [light] = re.findall(r'name="theme-color" content="([^"]+)" media="\(prefers-color-scheme: light\)"', page)
    assert manifest["theme_color"] == manifest["background_color"] == light
