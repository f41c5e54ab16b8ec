"""A page that comes back: frozen by its browser, left for another tab, by the button that leads back; a server that was
renewed, a clock that is wrong, a proxy that holds back. Each line of the log is there once.
"""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Site, until
from tests.dashboard.browser.test_staying_connected import IDS, shown

HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  Object.defineProperty(document, 'visibilityState', { value: hidden ? 'hidden' : 'visible', configurable: true });
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
}"""


def opened(page: Page, site: Site) -> None:
    site.run.say("first")
    page.goto(f"{site.url}/#/run/demo")
    shown(page, 1)


def test_a_page_that_was_frozen_misses_nothing(page: Page, site: Site) -> None:
    opened(page, site)
    browser = page.context.new_cdp_session(page)
    browser.send("Page.setWebLifecycleState", {"state": "frozen"})
    # Its connection goes in the meantime, and nothing in it hears of that.
    for number in range(60):
        site.run.say("while it slept")
        if number == 20:
            site.world.drop()
    site.run.keep_tiles(3)
    browser.send("Page.setWebLifecycleState", {"state": "active"})
    last = len(site.run.lines)
    assert shown(page, last) == list(range(1, last + 1))
    until(page, "document.querySelector('.progress').innerText.includes('3')")
    expect(page.locator("#connection")).to_be_hidden()


def test_a_tab_that_was_left_is_right_as_soon_as_it_is_looked_at(page: Page, site: Site) -> None:
    opened(page, site)
    # It lets go of its connection after a while in the background; its timers may stand still there.
    for asleep_ms in (0, 6000):
        page.evaluate(HIDE, True)
        page.wait_for_timeout(asleep_ms)
        for _ in range(40):
            site.run.say("while nobody looked")
        site.run.state = "checking" if asleep_ms else "scanning"
        site.world.drop()
        page.evaluate(HIDE, False)
        last = len(site.run.lines)
        assert shown(page, last) == list(range(1, last + 1))
        expect(page.locator(".badge").first).to_have_text(site.run.state)


def test_the_button_that_leads_back(page: Page, site: Site) -> None:
    opened(page, site)
    page.goto("about:blank")
    for _ in range(20):
        site.run.say("meanwhile")
    page.go_back()
    assert shown(page, 21) == list(range(1, 22))
    page.evaluate("location.hash = '#/'")
    expect(page.locator("table.list")).to_be_visible()
    site.run.say("more")
    page.go_back()
    assert shown(page, 22) == list(range(1, 23))
    # As a browser tells a page that it had kept whole.
    site.world.drop()
    site.run.say("at last")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    assert shown(page, 23) == list(range(1, 24))


def test_a_renewed_server_is_told(page: Page, site: Site) -> None:
    site.world.headers["X-Xrm-Build"] = "1-aa"
    opened(page, site)
    renewed = page.locator("#renewed")
    expect(renewed).to_be_hidden()
    site.world.headers["X-Xrm-Build"] = "2-bb"
    site.world.drop()
    expect(renewed).to_contain_text("The server was renewed")
    renewed.get_by_role("button", name="Reload").click()
    shown(page, 1)
    expect(renewed).to_be_hidden()


def test_a_clock_that_is_wrong_is_told_and_not_used(page: Page, site: Site) -> None:
    # Of this page only what tells the time is the server's: an hour and three quarters ahead.
    page.add_init_script(
        "{ const true_ = Date.now.bind(Date); const ago = 105 * 60000; Date.now = () => true_() - ago; }"
    )
    opened(page, site)
    expect(page.locator(".note")).to_contain_text("The clock of this device is 105 min slow")
    told = "document.querySelector('.progress').innerText.match(/until (\\d\\d):(\\d\\d)/)"
    until(page, f"Boolean({told})")
    hours, minutes = page.evaluate(f"{told}.slice(1).map(Number)")
    # 3480 s from the server's present, which new Date() is here.
    here = page.evaluate("60 * new Date().getHours() + new Date().getMinutes()")
    assert (60 * hours + minutes - here) % (24 * 60) in range(55, 61)


def test_a_proxy_that_holds_the_stream_back(page: Page, site: Site) -> None:
    # Nothing of a stream ever comes through; all else does.
    held: list[Any] = []
    page.route(re.compile(r"/stream\?"), lambda route: held.append(route))
    opened(page, site)
    for _ in range(30):
        site.run.say("asked for")
    assert shown(page, 31) == list(range(1, 32))
    banner = page.locator("#connection")
    expect(banner).to_contain_text("No live stream.")
    page.unroute_all(behavior="ignoreErrors")
    expect(banner).to_be_hidden()
    site.run.say("streamed")
    assert shown(page, 32) == list(range(1, 33))
    assert page.evaluate(IDS) == list(range(1, 33))
