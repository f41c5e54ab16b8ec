"""A real browser before a server whose run is moved by the test; without Chromium these tests are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from tests.dashboard.browser.fake_run import FakeRun
from tests.dashboard.browser.fake_server import World, serve

PATIENCE_MS = 90_000  # on a busy machine; who waits for what comes waits no longer than it takes
expect.set_options(timeout=PATIENCE_MS)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Site:
    """Where the page is, and what stands behind it."""

    url: str
    world: World

    @property
    def run(self) -> FakeRun:
        return self.world.runs["demo"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one file of tests: its event loop must not be there when others run theirs."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt install chromium)")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"Chromium does not start here: {error}")
        yield browser
        browser.close()


@pytest.fixture
def site() -> Iterator[Site]:
    world = World()
    server = serve(world)
    yield Site(f"http://127.0.0.1:{server.server_address[1]}", world)
    world.free.set()
    world.drop()
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh profile; whatever the console complains of fails the test, save for requests that a test breaks."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda m: complaints.append(m.text) if m.type == "error" and "Failed to load" not in m.text else None
    )
    yield page
    context.close()
    assert complaints == []


def visit(page: Page, address: str) -> None:
    """Open an address, and wait until its page is there: another one after # is no new document."""
    page.evaluate("document.querySelector('#main > *')?.setAttribute('data-left', '')")
    page.goto(address)
    expect(page.locator("[data-left], .loading, [aria-busy]")).to_have_count(0)


def settled(page: Page, selector: str) -> dict[str, float]:
    """Where something is once it stays there."""
    place, same = {}, 0
    while same < 5:
        page.wait_for_timeout(100)
        box = page.locator(selector).bounding_box()
        now = {} if box is None else {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
        place, same = now, same + 1 if now and now == place else 0
    return place


def until(page: Page, script: str, tries: int = PATIENCE_MS // 50) -> None:
    """Wait for what a script says of the page (Playwright's own way needs eval, which the page's policy forbids)."""
    for _ in range(tries):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {script}")
