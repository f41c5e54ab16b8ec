"""Reloads, broken and silent streams: every line of the log once, in order."""

from __future__ import annotations

import random

from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Site, until

IDS = "() => [...document.querySelectorAll('.line')].map((row) => Number(row.dataset.id))"
DROPS = 25


def shown(page: Page, last: int) -> list[int]:
    until(page, f"[...document.querySelectorAll('.line')].some((row) => row.dataset.id === '{last}')")
    return page.evaluate(IDS)


def test_dropped_connections_lose_no_line_and_double_none(page: Page, site: Site) -> None:
    site.run.say("first")
    page.goto(f"{site.url}/#/run/demo")
    shown(page, 1)
    chance = random.Random(7)
    for _ in range(DROPS):
        for _ in range(chance.randrange(4)):
            site.run.say("more")
        site.world.drop()
        page.wait_for_timeout(chance.randrange(60))
        site.run.say("after")
    last = len(site.run.lines)
    assert shown(page, last) == list(range(1, last + 1))
    expect(page.locator("#connection")).to_be_hidden()


def test_a_reload_shows_the_same_log(page: Page, site: Site) -> None:
    for _ in range(30):
        site.run.say("before")
    page.goto(f"{site.url}/#/run/demo")
    assert shown(page, 30) == list(range(1, 31))
    page.reload()
    site.run.say("after")
    assert shown(page, 31) == list(range(1, 32))


def test_a_lost_server_is_told_and_caught_up_with(page: Page, site: Site) -> None:
    site.run.say("first")
    page.goto(f"{site.url}/#/run/demo")
    shown(page, 1)
    # A browser that is offline keeps a stream that it has, and the page may be about to open its own.
    site.world.lost.set()
    page.context.set_offline(True)
    site.world.drop()
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    for _ in range(50):
        site.run.say("meanwhile")
    site.world.lost.clear()
    page.context.set_offline(False)
    assert shown(page, 51) == list(range(1, 52))
    expect(page.locator("#connection")).to_be_hidden()


def test_reading_stays_put_while_lines_come_and_older_ones_are_fetched(page: Page, site: Site) -> None:
    for _ in range(600):
        site.run.say("old")
    page.goto(f"{site.url}/#/run/demo")
    assert shown(page, 600)[0] == 401
    log = page.locator(".log")
    log.evaluate("(log) => { log.scrollTop = 0; }")
    until(page, "Number(document.querySelector('.line').dataset.id) === 201")
    top = log.evaluate("(log) => log.scrollTop")
    site.run.say("new", "warning")
    expect(page.locator(".pill")).to_have_text("1 new line ↓")
    assert log.evaluate("(log) => log.scrollTop") == top
    page.locator(".pill").click()
    assert shown(page, 601)[-1] == 601
    page.locator(".log-panel select").select_option("warning")
    until(page, "document.querySelectorAll('.line').length === 1")


def test_an_order_is_carried_out_once_though_its_answer_is_lost(page: Page, site: Site) -> None:
    site.run.say("first")
    page.goto(f"{site.url}/#/run/demo")
    shown(page, 1)
    lost = {"n": 0}

    def lose_answer(route) -> None:  # type: ignore[no-untyped-def]
        lost["n"] += 1
        if lost["n"] < 3:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/commands", lose_answer)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".badge").first).to_have_text("paused")
    expect(page.locator(".note.good")).to_be_visible()
    assert len(site.world.commands("pause")) == 1
    assert lost["n"] == 3
