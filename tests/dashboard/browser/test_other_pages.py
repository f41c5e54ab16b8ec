"""Runs, slices, particles, comparison: what a newcomer wants to know is found in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Site, settled, until
from tests.dashboard.browser.fake_run import PARTICLES, SIDE, FakeRun

GREY_OF_XY = (
    """() => document.querySelector("[data-plane=xy] canvas")?.getContext("2d").getImageData(1, 1, 1, 1).data[0]"""
)

# Whether a pixel on the edge of the label is in colour.
COLOURED = """() => {
  const pen = document.querySelector("[data-plane=xy] canvas").getContext("2d");
  const [r, g, b] = pen.getImageData(6, 6, 1, 1).data;
  return r !== g || g !== b;
}"""


def test_runs_are_searched_opened_and_two_compared(page: Page, site: Site) -> None:
    site.world.runs["other"] = FakeRun(name="other", recipe_name="nmc622_statistics")
    page.goto(f"{site.url}/#/")
    expect(page.locator(".list tbody tr")).to_have_count(2)
    button = page.get_by_role("button", name=re.compile("^Compare"))
    expect(button).to_have_attribute("aria-disabled", "true")
    page.get_by_label("Compare demo").check()
    page.get_by_label("Compare other").check()
    button.click()
    expect(page.locator(".numbers")).to_contain_text("Mean equivalent diameter")
    assert page.locator(".u-wrap canvas").count() == 2
    page.goto(f"{site.url}/#/")
    page.get_by_label("Search runs").fill("oth")
    expect(page.locator(".list tbody tr")).to_have_count(1)
    page.get_by_label("Search runs").fill("nothing of that name")
    expect(page.locator(".empty")).to_contain_text("No run matches")
    page.get_by_label("Search runs").fill("")
    page.locator(".list a").first.click()
    expect(page.locator(".mosaic-stage")).to_be_visible()


def test_slices_step_jump_and_play_with_the_usual_keys(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/run/demo/volume/roi-01")
    middle = (SIDE - 1) // 2
    until(page, f"({GREY_OF_XY})() === {10 * middle}")
    for key, index in [
        ("ArrowRight", middle + 1),
        ("Home", 0),
        ("PageDown", 10),
        ("End", SIDE - 1),
        ("ArrowLeft", SIDE - 2),
    ]:
        page.keyboard.press(key)
        until(page, f"({GREY_OF_XY})() === {10 * index % 256}")
    expect(page.locator("[data-plane=xy] .slice-caption")).to_contain_text(f"{SIDE - 1} of {SIDE}, z = ")
    page.keyboard.press(" ")
    until(page, "Number(document.querySelector('.volume').dataset.played) > 30")
    page.keyboard.press(" ")
    page.keyboard.press("l")
    until(page, f"({COLOURED})()")


def test_a_click_in_one_plane_moves_the_two_others(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/run/demo/volume/roi-01")
    box = settled(page, "[data-plane=xy] .slice-stage")
    page.mouse.click(box["x"] + box["width"] * 3.5 / SIDE, box["y"] + box["height"] * 20.5 / SIDE)
    expect(page.locator("[data-plane=yz] .slice-caption")).to_contain_text(f"4 of {SIDE}, x = ")
    expect(page.locator("[data-plane=xz] .slice-caption")).to_contain_text(f"21 of {SIDE}, y = ")


def test_the_largest_particle_is_the_first_row_and_is_turned(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/run/demo/particles")
    first = page.locator(".grid-row").first
    expect(first).to_contain_text(str(PARTICLES))
    assert page.locator(".grid-row").count() < 100, "only the rows in sight are on the page"
    page.locator(".grid-scroll").evaluate("(grid) => { grid.scrollTop = grid.scrollHeight; }")
    expect(page.locator(".grid-row").last).to_contain_text("1.001")
    page.locator(".grid-scroll").evaluate("(grid) => { grid.scrollTop = 0; }")
    first.click()
    mesh = page.locator(".mesh-canvas")
    expect(mesh).to_be_visible()
    drawn = int(mesh.get_attribute("data-drawn") or 0)
    box = settled(page, ".mesh-canvas")
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 90, steps=4)
    page.mouse.up()
    until(page, f"Number(document.querySelector('.mesh-canvas').dataset.drawn) > {drawn}")
    for kind in ("GLB", "STL", "PLY"):
        expect(page.get_by_role("link", name=kind)).to_have_attribute(
            "href", f"/api/runs/demo/regions/roi-01/particles/{PARTICLES}/mesh/{kind.lower()}"
        )
    expect(page.get_by_role("link", name="Its slice")).to_have_attribute(
        "href", f"#/run/demo/volume/roi-01?x=0&y=0&z=0&label={PARTICLES}"
    )


def test_filters_by_limit_and_sorts_by_column(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/run/demo/particles")
    page.get_by_label("Filter:").fill("d>12.99 voids=0")
    # d = 1 + i/1000 > 12.99: the last ten; every third has no void.
    expect(page.locator(".table-panel .muted").first).to_contain_text("4 of 12")
    page.locator(".grid th button", has_text="particle").first.click()
    expect(page.locator(".grid-row").first).to_contain_text("12000")
    page.locator(".grid th button", has_text="particle").first.click()
    expect(page.locator(".grid-row").first).to_contain_text("11991")
    page.get_by_label("Filter:").fill("nothing")
    expect(page.locator(".grid-scroll")).to_contain_text("No particle matches")


def test_further_columns_come_when_they_are_asked_for(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/tables/" in request.url else None)
    page.goto(f"{site.url}/#/run/demo/particles")
    page.locator(".grid-row").nth(2).click()
    expect(page.locator(".card h2")).to_have_text(f"Particle {PARTICLES - 2} of roi-01")
    assert len(asked) == 1
    assert "stage_x_um" not in asked[0]
    page.locator(".side-plain select").select_option("stage x (µm)")
    expect(page.locator(".plot")).to_have_attribute("aria-label", re.compile("Histogram of stage x: 12 000 particles"))
    page.get_by_label("all columns").check()
    expect(page.get_by_role("columnheader", name="stage y")).to_be_visible()
    expect(page.locator("[aria-selected=true]")).to_contain_text(str(PARTICLES - 2))
    page.get_by_label("Filter:").fill("stage_y_um<1")
    expect(page.locator(".table-panel .muted").first).to_contain_text("100 of 12")
    assert len(asked) == 2


def test_what_is_not_there_is_said(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/run/never")
    expect(page.locator("main")).to_contain_text("there is no such run")
    page.goto(f"{site.url}/#/nowhere")
    expect(page.locator("main")).to_contain_text("no such page")


def test_empty_cells_come_last_whichever_way_a_column_is_sorted(page: Page, site: Site) -> None:
    page.goto(site.url)
    sort = """async (falling) => {
      const { compare } = await import("/static/js/particles/table.js");
      return [3, null, 1].sort((a, b) => compare(a, b, falling));
    }"""
    assert page.evaluate(sort, True) == [3, 1, None]
    assert page.evaluate(sort, False) == [1, 3, None]


def test_a_share_of_none_or_all_has_an_error_and_weights_are_the_population_s(page: Page, site: Site) -> None:
    page.goto(site.url)
    module = "import('/static/js/particles/table.js')"
    share = page.evaluate(f"async (all) => (await {module}).shareOf(all)", [{"value": 0, "weight": 1}] * 4)
    assert share["mean"] == 0
    assert 10 < share["error"] < 20
    table = {"columns": [{"name": n} for n in ("d", "weight", "population_weight")], "rows": [[1, 1, 3], [2, 1, 0]]}
    assert page.evaluate(f"async (table) => (await {module}).weighed(table, table.rows, 0)", table) == [
        {"value": 1, "weight": 3}
    ]


def test_runs_are_ordered_by_a_column_and_what_was_looked_for_is_there_again(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/")
    head = page.get_by_role("columnheader", name="Sample")
    begun = page.get_by_role("columnheader", name="Started")
    expect(begun).to_have_attribute("aria-sort", "descending")
    for order, way in (("sample-false", "ascending"), ("sample-true", "descending")):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", way)
        expect(page).to_have_url(f"{site.url}/#/?order={order}")
    page.get_by_label("Search runs").fill("demo")
    expect(page).to_have_url(f"{site.url}/#/?search=demo&order=sample-true")
    page.locator("table.list a").first.click()
    expect(page.locator(".run")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Search runs")).to_have_value("demo")
    expect(head).to_have_attribute("aria-sort", "descending")
    asked = site.world.asked[-1]
    assert (asked["search"], asked["order"], asked["descending"]) == ("demo", "sample", "true")
