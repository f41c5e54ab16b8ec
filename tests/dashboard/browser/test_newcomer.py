"""Ten tasks as somebody does them who has never seen the page: from a cold page, by what is written on it alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.dashboard.browser.conftest import Site
from tests.dashboard.browser.fake_run import COLUMNS, PARTICLES, ROWS
from tests.dashboard.conftest import listening
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe

LONG_MS = 180_000  # on a busy machine


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


# Before the browser has an event loop: the run that has ended is carried out in this thread.
def test_launch_stop_compare_and_measure_again(page: Page, ended: Path, tmp_path: Path) -> None:
    root, recipes = tmp_path / "runs", tmp_path / "recipes"
    recipes.mkdir()
    write_recipe(recipes, **{**SMALL, "scan": {**SMALL["scan"], "projections": 900}})
    for name in ("20260101T000000Z_batch-a_0001", "20260101T000001Z_batch-b_0002"):
        shutil.copytree(ended, root / name)
    with listening(root, recipes) as url:
        # Which batch is worse?
        page.goto(url)
        page.get_by_label(re.compile("Compare.*batch-a")).check()
        page.get_by_label(re.compile("Compare.*batch-b")).check()
        button(page, "Compare two").click()
        expect(page.get_by_text("standard errors apart")).not_to_have_count(0)
        expect(page.get_by_role("row", name=re.compile("Particles with voids"))).to_be_visible()

        # Run it again with another threshold.
        page.get_by_role("link", name="Runs", exact=True).click()
        page.get_by_role("main").get_by_role("link", name="short").first.click()
        page.get_by_role("link", name="Measure again").click()
        page.get_by_label("Threshold").select_option("at a level of my own")
        page.get_by_label("Level, 1/µm").fill("0.02")
        button(page, "Measure again").click()
        again = page.get_by_role("row", name=re.compile(r"threshold.level_per_um 0.02"))
        expect(again.get_by_role("link", name="Report")).to_be_visible(timeout=LONG_MS)
        report = again.get_by_role("link", name="Report").get_attribute("href")
        assert page.request.get(f"{url}{report}").ok

        # Launch.
        page.get_by_role("link", name="New run").click()
        page.get_by_role("button", name="short").click()
        start = button(page, "Start run")
        expect(start).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        start.click()
        expect(page.get_by_role("toolbar", name="Actions")).to_be_visible(timeout=LONG_MS)

        # Stop.
        stop = button(page, "Stop after")
        expect(stop).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        stop.click()
        expect(page.get_by_text("the run was stopped", exact=True)).to_be_visible(timeout=LONG_MS)


def test_why_held_the_largest_how_many_voided_what_happened_and_where(page: Page, site: Site) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    site.run.add_region(0, 0, state="reported", particles=87, voided_percent=55.0, done=100)
    site.run.state, site.run.reason = "held", "the beam is lost"
    held = {"level": "warning", "cause": "the run is held: the beam is lost", "evidence": "flux 2 %"}
    site.run.alarms = [{**held, "cure": "it goes on by itself", "action": ""}]
    for number in range(30):
        site.run.say("a frame is kept")
        if number == 20:
            site.run.say("roi-01/proj_0020 is dark, and was taken again", "warning")
    page.goto(site.url)

    # Why is it held?
    expect(page.get_by_text("the beam is lost").first).to_be_visible()
    expect(page.get_by_text("it goes on by itself", exact=True)).to_be_visible()

    # What happened at night?
    page.get_by_role("combobox", name=re.compile("show")).select_option("warnings and errors")
    log = page.get_by_role("log")
    expect(log.get_by_text("taken again")).to_be_visible()
    expect(log.get_by_text("a frame is kept")).to_have_count(0)

    # Where is the raw frame of it?
    page.get_by_role("button", name=re.compile("roi-01")).first.click()
    expect(page.get_by_text("/data/runs/demo/frames/roi-01", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Copy: /data/runs/demo/frames/roi-01", exact=True)).to_be_visible()

    # How many are voided, and which is the largest?
    page.get_by_role("link", name="Particle table").click()
    expect(page.get_by_text(re.compile(r"with voids \(6[67]"))).to_be_visible()
    first = page.get_by_role("row").nth(1)
    expect(first).to_contain_text(str(PARTICLES))
    first.click()
    expect(page.get_by_role("heading", name=f"Particle {PARTICLES} of roi-01")).to_be_visible()
    expect(page.get_by_text("/data/runs/demo/frames/roi-01", exact=True)).to_be_visible()


def test_a_region_in_three_clicks(page: Page, site: Site) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    page.goto(site.url)
    button(page, "Add region").click()
    add = button(page, "Add")
    expect(add).not_to_have_attribute("aria-disabled", "true")
    add.click()
    expect(page.get_by_role("button", name=re.compile("roi-01"))).not_to_have_count(0)
    assert len(site.world.commands("add")) == 1
