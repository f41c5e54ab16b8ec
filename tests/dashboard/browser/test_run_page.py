"""The page of a run in a real browser: what it shows and what it sends."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Site, settled, until, visit
from tests.dashboard.browser.fake_run import COLUMNS, HOSTILE, ROWS, TILE_UM

# Of the mosaic's canvas: how many pixels have the grey of a tile's picture.
PIXELS_OF = """(grey) => {
  const canvas = document.querySelector(".mosaic-canvas");
  if (!canvas) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let n = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] === grey && data[i + 1] === grey && data[i + 2] === grey) n++;
  return n;
}"""


def opened(page: Page, site: Site) -> Page:
    visit(page, f"{site.url}/#/run/demo")
    return page


def wait_for_tile(page: Page, number: int) -> None:
    until(page, f"({PIXELS_OF})({60 + 15 * number}) > 500")


def px(page: Page, x_um: float, y_um: float) -> tuple[float, float]:
    """Where a stage position is on the page: all tiles are in sight, fitted with a margin of 26 px."""
    box = settled(page, ".mosaic-stage")
    scale = min((box["width"] - 52) / (COLUMNS * TILE_UM), (box["height"] - 52) / (ROWS * TILE_UM))
    middle = ((COLUMNS - 1) * TILE_UM / 2, (ROWS - 1) * TILE_UM / 2)
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return centre[0] + (x_um - middle[0]) * scale, centre[1] + (y_um - middle[1]) * scale


def drag(page: Page, start: tuple[float, float], end: tuple[float, float], *, shift: bool = False) -> None:
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")


# How many regions were drawn anew, and whether the picture beneath them was.
DRAWN = """() => {
  const drawn = (window.drawn = { regions: new Set(), pictures: 0 });
  const of = CanvasRenderingContext2D.prototype, draw = of.drawImage, fill = of.fillRect;
  of.drawImage = function (...all) { drawn.pictures += this.canvas.isConnected; return draw.apply(this, all); };
  of.fillRect = function (...all) { drawn.pictures += this.canvas.isConnected; return fill.apply(this, all); };
  new MutationObserver((all) => all.forEach((one) => drawn.regions.add(one.target.closest(".region"))))
    .observe(document.querySelector(".overlay"), { attributes: true, childList: true, subtree: true });
}"""


def test_choosing_a_region_draws_no_other_anew(page: Page, site: Site) -> None:
    site.run.keep_tiles(3)
    for number in range(60):
        site.run.add_region(30.0 * (number % 10), 30.0 * (number // 10), 25.0)
    page.goto(f"{site.url}/#/run/demo")
    rows = page.locator(".region-row")
    expect(rows).to_have_count(60)
    settled(page, ".mosaic-stage")
    page.evaluate(DRAWN)
    for number in (3, 7):
        rows.nth(number).click()
        expect(rows.nth(number)).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".region.chosen")).to_have_count(1)
    expect(page.locator(".regions-list [aria-pressed=true]")).to_have_count(1)
    page.wait_for_timeout(200)
    # The two that were chosen, and what the pointer passed over on its way.
    assert page.evaluate("drawn.regions.size") <= 12
    assert page.evaluate("drawn.pictures") == 0


def test_the_mosaic_fills_tile_by_tile(page: Page, site: Site) -> None:
    opened(page, site)
    expect(page.locator(".mosaic-canvas")).to_have_attribute("aria-label", re.compile("0 of 12 tiles"))
    site.run.keep_tiles(1)
    wait_for_tile(page, 0)
    site.run.keep_tiles(COLUMNS * ROWS - 1)
    wait_for_tile(page, COLUMNS * ROWS - 1)
    for number in range(COLUMNS * ROWS):
        wait_for_tile(page, number)
    x, y = px(page, 3 * TILE_UM, 0)
    shot = page.evaluate(
        """([x, y]) => { const c = document.querySelector(".mosaic-canvas"), b = c.getBoundingClientRect();
        return c.getContext("2d").getImageData(x - b.left, y - b.top, 1, 1).data[0]; }""",
        [x, y],
    )
    assert shot == 60 + 15 * 3, "the fourth tile stands at the right end of the first row"


@pytest.mark.parametrize("by", ["button", "shift", "b"])
def test_a_drawn_box_is_added_where_it_was_drawn(page: Page, site: Site, by: str) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    opened(page, site)
    wait_for_tile(page, 11)
    if by == "button":
        page.get_by_role("button", name="Draw region").click()
    elif by == "b":
        page.keyboard.press("b")
    drag(page, px(page, 30, 20), px(page, 110, 70), shift=by == "shift")
    price = page.locator(".price")
    for words in ("4 min 10 s", "250 kGy", "about 21", "9 MB"):
        expect(price).to_contain_text(words)
    assert site.world.commands("add") == [], "nothing is added before it is confirmed"
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".regions-list")).to_contain_text("roi-01")
    (sent,) = site.world.commands("add")
    assert sent["x_um"] == pytest.approx(70, abs=1)
    assert sent["y_um"] == pytest.approx(45, abs=1)
    assert sent["width_um"] == pytest.approx(80, abs=1)
    assert sent["height_um"] == pytest.approx(50, abs=1)


def test_from_a_cold_page_to_a_region_in_three_clicks(page: Page, site: Site) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    page.goto(site.url)
    expect(page).to_have_url(re.compile("#/run/demo"))
    wait_for_tile(page, 11)
    page.mouse.dblclick(*px(page, 60, 60))
    expect(page.locator(".cost")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".regions-list")).to_contain_text("roi-01")
    (sent,) = site.world.commands("add")
    assert (sent["x_um"], sent["y_um"]) == (pytest.approx(60, abs=1), pytest.approx(60, abs=1))
    assert "width_um" not in sent


def test_what_is_refused_is_said_and_can_be_mended(page: Page, site: Site) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    site.world.refuse["cost"] = {
        "what": "the place is outside of the stage",
        "where": "x_um",
        "value": "9000",
        "limit": "2000",
        "remedy": "choose a place inside",
    }
    opened(page, site)
    wait_for_tile(page, 11)
    page.mouse.dblclick(*px(page, 60, 60))
    expect(page.locator(".price")).to_contain_text(
        "x_um: the place is outside of the stage (9000, limit 2000). Choose a place inside"
    )
    expect(page.get_by_role("button", name="Add", exact=True)).to_have_attribute("aria-disabled", "true")


def test_impossible_actions_are_greyed_and_say_why(page: Page, site: Site) -> None:
    opened(page, site)
    go = page.get_by_role("button", name="Continue")
    expect(go).to_have_attribute("aria-disabled", "true")
    expect(go).to_have_attribute("title", "nothing is paused")
    expect(go).to_have_accessible_description("nothing is paused")
    go.click(force=True)
    expect(page.locator(".note")).to_contain_text("Continue: nothing is paused")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".badge").first).to_have_text("paused")
    expect(page.locator(".chain .here")).to_have_text("scanning · paused")
    go.click()
    expect(page.locator(".badge").first).to_have_text("scanning")
    assert [body["command"]["kind"] for _, body in site.world.posts] == ["pause", "continue"]


def test_somebody_else_in_control_is_taken_over_on_purpose(page: Page, site: Site) -> None:
    site.world.holder, site.world.holder_client = "Anna", "another"
    opened(page, site)
    expect(page.locator("#control")).to_contain_text("In control: Anna")
    expect(page.get_by_role("button", name="Add region")).to_have_attribute("title", re.compile("Anna is in control"))
    expect(page.get_by_role("button", name="Pause")).not_to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("button", name="Abort")).not_to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Take over").click()
    page.get_by_label("Your name").fill("Ben")
    page.get_by_role("dialog").get_by_role("button", name="Take over").click()
    expect(page.locator("#control")).to_contain_text("In control: Ben (you)")
    expect(page.get_by_role("button", name="Add region")).not_to_have_attribute("aria-disabled", "true")


def test_abort_is_one_click_while_all_else_hangs(page: Page, site: Site) -> None:
    site.run.keep_tiles(3)
    opened(page, site)
    site.world.hang.set()
    site.run.keep_tiles(9)
    page.reload(wait_until="commit")
    page.wait_for_timeout(300)
    site.world.hang.clear()
    site.world.drop()
    site.world.hang.set()
    site.run.touch()
    site.world.drop()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Abort").click()
    expect(page.locator(".note.good")).to_contain_text("abort: taken")
    assert site.world.commands("abort") == [{"kind": "abort"}]
    site.world.free.set()
    site.world.hang.clear()
    expect(page.locator(".badge").first).to_have_text("aborted")


def test_abort_finds_a_connection_though_tabs_hold_them_all(page: Page, site: Site) -> None:
    opened(page, site)
    for _ in range(5):  # a browser has six connections to a server
        opened(page.context.new_page(), site)
    page.get_by_role("button", name="Abort").click()
    expect(page.locator(".note.good")).to_contain_text("abort: taken")
    expect(page.locator(".badge").first).to_have_text("aborted")
    expect(page.context.pages[-1].locator(".badge").first).to_have_text("aborted")


def test_hostile_names_stay_text(page: Page, site: Site) -> None:
    site.run.recipe_name = HOSTILE
    site.run.reason = HOSTILE
    site.run.add_region(60, 60, reason=HOSTILE, why=HOSTILE, added_by=HOSTILE, doubts=[HOSTILE], trust="doubt")
    site.run.alarms = [{"level": "error", "cause": HOSTILE, "evidence": HOSTILE, "cure": HOSTILE, "action": "pause"}]
    site.run.say(HOSTILE, "error", HOSTILE)
    site.world.holder = HOSTILE
    opened(page, site)
    page.locator(".region-row").click()
    for place in (".where", ".state-reason", ".region-card", ".alarm", ".log", "#control"):
        expect(page.locator(place)).to_contain_text("onerror")
    page.goto(f"{site.url}/#/")
    expect(page.locator(".list")).to_contain_text("onerror")
    assert page.locator("img").count() == 0
    assert page.evaluate("window.stolen") is None


def test_an_alarm_has_cause_evidence_cure_and_the_button(page: Page, site: Site) -> None:
    opened(page, site)
    site.run.alarms = [
        {
            "level": "warning",
            "cause": "the flux fell",
            "evidence": "to 41 % of the first flat",
            "cure": "pause, and look at the source",
            "action": "pause",
        }
    ]
    site.run.touch()
    alarm = page.locator(".alarm")
    for words in ("the flux fell", "41 %", "look at the source"):
        expect(alarm).to_contain_text(words)
    expect(page.locator("#alert")).to_contain_text("the flux fell")
    alarm.get_by_role("button", name="Pause").click()
    expect(page.locator(".badge").first).to_have_text("paused")


def test_keys_pan_zoom_and_step_through_regions(page: Page, site: Site) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    site.run.add_region(0, 0)
    site.run.add_region(120, 60)
    opened(page, site)
    wait_for_tile(page, 11)
    box = page.locator(".region .box").first
    wide = float(box.get_attribute("width") or 0)
    page.keyboard.press("+")
    until(page, f"Number(document.querySelector('.region .box').getAttribute('width')) > {wide * 1.3}")
    page.keyboard.press("0")
    until(page, f"Math.abs(Number(document.querySelector('.region .box').getAttribute('width')) - {wide}) < 1")
    page.keyboard.press("n")
    expect(page.locator(".region-card h2")).to_contain_text("roi-01")
    page.keyboard.press("n")
    expect(page.locator(".region-card h2")).to_contain_text("roi-02")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("abort at once")


def test_a_box_that_is_drawn_before_the_run_is_known_can_be_added(page: Page, site: Site) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    site.run.impossible = {"add": "it is not yet time"}
    page.goto(f"{site.url}/#/run/demo")
    box = settled(page, ".mosaic-stage")
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    add = page.get_by_role("button", name="Add", exact=True)
    expect(page.locator(".cost")).to_be_visible()
    expect(add).to_have_attribute("title", "it is not yet time")
    # What may be done changes while the card is open.
    site.run.impossible = {}
    site.run.touch()
    expect(add).not_to_have_attribute("aria-disabled", "true")
    add.click()
    expect(page.get_by_role("button", name=re.compile("roi-01"))).not_to_have_count(0)


def test_who_closes_the_page_leaves_control_and_who_reloads_it_has_it_again(page: Page, site: Site) -> None:
    site.run.keep_tiles(2)
    page.goto(f"{site.url}/#/run/demo")
    page.get_by_role("button", name="Take control").click()
    page.get_by_label("Your name").fill("Anna")
    page.get_by_role("dialog").get_by_role("button", name="Take control").click()
    mine = page.get_by_text("In control: Anna (you)")
    expect(mine).to_be_visible()
    page.reload()
    expect(mine).to_be_visible()
    page.goto("about:blank")
    for _ in range(200):
        if not site.world.holder:
            break
        page.wait_for_timeout(50)
    assert site.world.holder == ""
    # Whoever took it meanwhile keeps it.
    site.world.holder, site.world.holder_client = "Ben", "another tab"
    page.go_back()
    expect(page.get_by_text("In control: Ben")).to_be_visible()
    assert site.world.holder == "Ben"
