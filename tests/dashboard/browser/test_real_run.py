"""The page before the real server and real simulated runs: watched, acted on, started, looked at."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import settled, until
from tests.dashboard.browser.test_usable import FAINT, NAMELESS, UNREAD
from tests.dashboard.conftest import listening
from tests.session.scripted import SMALL
from tests.system.conftest import SHORT, write_recipe
from tests.system.test_failing_disk import SHORTEST
from xrm_control import app
from xrm_control.contracts.commands import Abort
from xrm_control.core.errors import CommandRefusal, CommandUnanswered, Interrupted
from xrm_control.storage.run_folder import RunFolder

LONG_MS = 900_000  # on a busy machine


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Path]:
    """A run that somebody carries out, on the wall clock; ended by the test's end at the latest."""
    # Wide enough for one more window beside the recipe's own.
    recipe = write_recipe(tmp_path, **{**SMALL, "mosaic": {**SMALL["mosaic"], "columns": 4}})
    loaded, root = app.load(recipe), tmp_path / "runs"

    def carry_out() -> None:
        with suppress(Interrupted):
            app.run(loaded, root, "4")

    thread = threading.Thread(target=carry_out)
    thread.start()
    while not (found := list(root.glob("*/journal.sqlite"))):
        threading.Event().wait(0.01)
    yield found[0].parent
    if RunFolder(found[0].parent).holder() is not None:
        with suppress(CommandRefusal, CommandUnanswered):
            app.send(found[0].parent, Abort(), within_s=120.0)
    thread.join()


def readable(page: Page) -> None:
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(FAINT) == []
    assert page.evaluate(UNREAD) == []


# The first: the run that has ended is carried out in this thread, before the browser has an event loop in it.
def test_an_ended_run_is_looked_at(page: Page, ended: Path, tmp_path: Path) -> None:
    with listening(ended.parent, tmp_path) as url:
        page.goto(f"{url}/#/run/{ended.name}")
        page.locator(".region-row").first.click()
        until(page, "document.querySelector('.preview')?.width > 1")
        assert page.request.get(f"{url}{page.get_by_role('link', name='Report').get_attribute('href')}").ok
        page.locator(".region-card").get_by_role("link", name="Slices").click()
        until(page, "document.querySelector('[data-plane=xy] canvas')?.dataset.index > 0")
        page.keyboard.press("l")
        page.goto(f"{url}/#/run/{ended.name}/particles")
        page.get_by_label("whole ones only").uncheck()
        page.locator(".grid-row").first.click()
        until(page, "document.querySelector('.mesh-canvas')?.dataset.drawn > 0")
        page.goto(f"{url}/#/compare/{ended.name}/{ended.name}")
        expect(page.locator(".numbers")).to_contain_text("Whole particles")
        page.goto(f"{url}/#/run/{ended.name}/trends")
        expect(page.locator(".timeplot canvas").first).to_be_visible()
        page.locator(".timeplot").first.focus()
        page.keyboard.press("Home")
        expect(page.locator(".reading").first).to_contain_text("100 % of the first")
        readable(page)
        page.goto(f"{url}/#/")
        page.locator(".list a.plain").click()
        expect(page.locator(".night-card")).to_contain_text("1 of 1 regions measured")
        readable(page)
        page.goto(f"{url}/#/batches?number=n_of_none")
        expect(page.locator(".empty")).to_contain_text("No run states this number")
        readable(page)


def test_a_living_run_is_watched_and_acted_on(page: Page, living: Path, tmp_path: Path) -> None:
    badge = page.locator(".badge").first
    with listening(living.parent, tmp_path) as url:
        page.goto(url)
        expect(page).to_have_url(re.compile(f"#/run/{living.name}"), timeout=LONG_MS)
        page.get_by_role("button", name="Pause").click()
        expect(badge).to_have_text("paused", timeout=LONG_MS)
        expect(page.locator(".alarm")).to_contain_text("paused")
        box = settled(page, ".mosaic-stage")
        page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.get_by_label("x, µm").fill("80")
        page.get_by_label("y, µm").fill("-30")
        expect(page.locator(".cost")).to_contain_text("Gy", timeout=LONG_MS)
        add = page.get_by_role("button", name="Add", exact=True)
        expect(add).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        add.click()
        expect(page.locator(".note.good, .note.bad").last).to_be_visible(timeout=LONG_MS)
        page.locator(".actions").get_by_role("button", name="Continue").click()
        expect(badge).not_to_have_text("paused", timeout=LONG_MS)
        page.get_by_role("button", name="Abort").click()
        expect(badge).to_have_text(re.compile("abort"), timeout=LONG_MS)
        expect(page.locator(".log")).to_contain_text("add (80, -30) um")
        expect(page.locator(".log")).to_contain_text("abort")


def test_a_recipe_is_checked_planned_and_started(page: Page, tmp_path: Path) -> None:
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    # With noise: without, and without images, all pixels of a frame are the same, which is refused.
    write_recipe(recipes, **{**SHORTEST, "instrument": SHORT["instrument"]})
    with listening(tmp_path / "runs", recipes) as url:
        page.goto(f"{url}/#/launch")
        page.locator(".recipe").click()
        start = page.get_by_role("button", name="Start run")
        expect(start).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        expect(page.locator(".plan-panel")).to_contain_text("Instrument time")
        field = page.locator("#set-scan-projections")
        field.fill("-4")
        expect(page.locator("#set-scan-projections-fault")).to_contain_text("at least 2", timeout=LONG_MS)
        expect(start).to_have_attribute("aria-disabled", "true")
        field.fill("35")
        page.reload()
        expect(field).to_have_value("35")
        page.get_by_role("button", name="Undo 1 change").click()
        expect(field).to_have_value("31")
        expect(start).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        page.get_by_role("button", name="Rehearse").click()
        expect(page.locator(".rehearsed .facts")).to_contain_text("complete", timeout=LONG_MS)
        expect(page.locator(".rehearsed .warned")).to_be_hidden()
        page.locator("#set-scan-projections").fill("33")
        expect(page.locator(".rehearsed .warned")).to_contain_text("with other settings than those now")
        page.locator("#set-scan-projections").fill("31")
        expect(start).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        start.click()
        expect(page).to_have_url(re.compile("#/run/"), timeout=LONG_MS)
        expect(page.locator(".badge").first).to_have_text(re.compile("done"), timeout=LONG_MS)
