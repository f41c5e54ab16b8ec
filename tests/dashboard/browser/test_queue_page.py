"""The queue before its real server: seen, moved by dragging and by keys, skipped and tried again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.queues import Bench
from tests.dashboard.browser.conftest import until
from tests.dashboard.conftest import listening
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control.core.queue_states import ItemState


@pytest.fixture
def night(tmp_path: Path) -> Iterator[tuple[str, Bench]]:
    bench = Bench(tmp_path)
    for name in ("first", "second", "third"):
        bench.add(name)
    (tmp_path / "runs").mkdir()
    with listening(tmp_path / "runs", tmp_path, queue=bench.queue) as address:
        yield address, bench


def order(bench: Bench) -> list[str]:
    return [item.name for item in sorted(bench.items().values(), key=lambda item: (-item.priority, item.position))]


def rows(page: Page) -> list[str]:
    return [
        cell.split()[-1]
        for cell in page.locator("table.list").first.locator("tbody tr td:first-child").all_inner_texts()
    ]


def test_an_item_is_dragged_before_another(page: Page, night: tuple[str, Bench]) -> None:
    address, bench = night
    page.goto(f"{address}/#/queue")
    expect(page.get_by_text("3 ahead", exact=False)).to_be_visible()
    assert rows(page) == ["first", "second", "third"]
    body = page.locator("table.list").first.locator("tbody tr")
    body.nth(2).drag_to(body.nth(0))
    until(page, "document.querySelector('table.list tbody td').textContent.includes('third')")
    assert order(bench) == ["third", "first", "second"]
    page.get_by_role("button", name="Down: item 3").click()
    until(page, "document.querySelector('table.list tbody td').textContent.includes('first')")
    assert order(bench) == ["first", "third", "second"]


def test_what_is_skipped_is_over_and_can_be_tried_again(page: Page, night: tuple[str, Bench]) -> None:
    address, bench = night
    page.goto(f"{address}/#/queue")
    page.get_by_role("button", name="Skip: item 2").click()
    again = page.get_by_role("button", name="Try again: item 2")
    expect(again).to_be_visible()
    assert bench.states()["second"] is ItemState.SKIPPED
    again.click()
    expect(page.get_by_role("button", name="Skip: item 2")).to_be_visible()
    assert bench.states()["second"] is ItemState.WAITING


def test_what_comes_meanwhile_takes_neither_the_focus_nor_a_click(page: Page, night: tuple[str, Bench]) -> None:
    address, bench = night
    page.goto(f"{address}/#/queue")
    skip = page.get_by_role("button", name="Skip: item 2")
    skip.focus()
    bench.add("fourth")
    expect(page.get_by_text("4 ahead", exact=False)).to_be_visible()
    expect(skip).to_be_focused()
    # The pointer is down on a button while another item comes.
    skip.hover()
    page.mouse.down()
    bench.add("fifth")
    expect(page.get_by_text("5 ahead", exact=False)).to_be_visible()
    page.mouse.up()
    expect(page.get_by_role("button", name="Try again: item 2")).to_be_visible()
    expect(page.get_by_role("button", name="Skip: item 5")).to_be_visible()


def test_greyed_with_the_reason_where_nobody_runs_it(page: Page, night: tuple[str, Bench]) -> None:
    address, _ = night
    page.goto(f"{address}/#/queue")
    stop = page.get_by_role("button", name="End after the item in hand")
    expect(stop).to_have_attribute("aria-disabled", "true")
    expect(stop).to_have_attribute("title", "nobody runs the queue")
    expect(page.get_by_role("button", name="Up: item 1")).to_have_attribute("title", "it stands there already")


LONG_MS = 900_000  # on a busy machine


def test_a_recipe_is_put_in_from_its_form_and_the_queue_is_run(page: Page, tmp_path: Path) -> None:
    runs, recipes = tmp_path / "runs", tmp_path / "recipes"
    for folder in (runs, recipes):
        folder.mkdir()
    write_recipe(recipes, **SMALL)
    with listening(runs, recipes, queue=tmp_path / "queue") as address:
        page.goto(f"{address}/#/queue")
        expect(page.get_by_role("button", name="Run the queue")).to_have_attribute("title", "nothing is ahead")
        page.get_by_role("link", name="Choose a recipe").click()
        page.locator(".recipe").click()
        later = page.get_by_role("button", name="Put into the queue")
        expect(later).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        later.click()
        expect(page.locator(".note.good")).to_have_text(re.compile(r"item 1 \(short\) waits"), timeout=LONG_MS)
        run = page.get_by_role("button", name="Run the queue")
        expect(run).not_to_have_attribute("aria-disabled", "true")
        run.click()
        over = page.get_by_role("heading", name="What is over").locator("..")
        expect(over.get_by_role("row", name=re.compile("short"))).to_be_visible(timeout=LONG_MS)
        expect(over.get_by_role("link", name="short")).to_have_attribute("href", re.compile("#/run/"))
        expect(page.get_by_text("nobody runs it", exact=False)).to_be_visible(timeout=LONG_MS)
