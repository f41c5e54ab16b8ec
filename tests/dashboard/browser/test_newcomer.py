"""Ten tasks as somebody does them who has never seen the page: by what stands on it alone, each held against the run's
own files, its clicks counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.dashboard.browser.conftest import Site
from tests.dashboard.browser.fake_run import COLUMNS, ROWS
from tests.dashboard.browser.town import Town, inhabited, until_true
from xrm_control.core.states import RunState

LONG_MS = 240_000  # on a busy machine
SCREENS: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "desk": (1280, 860, "light"),
    "desk, dark": (1280, 860, "dark"),
    "phone": (390, 844, "dark"),
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with inhabited(tmp_path_factory.mktemp("town")) as town:
        yield town


class Newcomer:
    """Clicks what can be seen, and counts."""

    def __init__(self, page: Page, town: Town) -> None:
        self.page, self.town, self.clicks = page, town, 0
        page.goto(f"{town.url}/#/")

    def click(
        self, role: Literal["link", "button", "checkbox"], name: str | re.Pattern[str], within: Locator | None = None
    ) -> None:
        at = (within or self.page).get_by_role(role, name=name, exact=True)
        self.press(at.filter(visible=True).first)

    def press(self, at: Locator) -> None:
        expect(at).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
        at.click()
        self.clicks += 1

    def open_run(self, recipe: str) -> None:
        self.click("link", recipe, self.page.get_by_role("main"))

    def taken_over(self) -> bool:
        """Whether somebody else is in control, as one who has closed the page is."""
        expect(self.page.locator("#control")).to_contain_text("control")
        return self.page.get_by_role("button", name="Take over").is_visible()

    def take_over(self) -> None:
        self.page.get_by_role("button", name="Take over").click()
        self.page.get_by_label("Your name").fill("newcomer")
        self.page.get_by_role("dialog").get_by_role("button", name="Take over").click()
        expect(self.page.get_by_text("In control: newcomer (you)")).to_be_visible()

    def fact(self, name: str) -> Locator:
        """What stands beside a name."""
        return self.page.locator("dl > div").filter(has=self.page.get_by_text(name, exact=True)).locator("dd").first


@pytest.fixture(params=SCREENS)
def newcomer(browser: Browser, town: Town, request: pytest.FixtureRequest) -> Iterator[Newcomer]:
    width, height, scheme = SCREENS[request.param]
    phone = width < 500
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=phone, is_mobile=phone,
        timezone_id="UTC",
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(LONG_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Newcomer(page, town)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert complaints == []


def numbers(words: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", words.replace("\u2009", ""))]


def whole(town: Town, recipe: str) -> list[dict[str, str]]:
    return [row for row in town.particles(recipe) if row["touches_boundary"] == "0"]


def test_why_is_it_held(newcomer: Newcomer) -> None:
    newcomer.open_run("evening")
    page = newcomer.page
    expect(page.get_by_text(re.compile(r"beam lost at (mosaic|roi-01)/")).first).to_be_in_viewport()
    expect(page.get_by_text("it goes on by itself when what it waits for is over", exact=True)).to_be_visible()
    assert newcomer.clicks == 1


def test_how_many_are_voided_and_which_is_the_largest_and_where_are_its_frames(newcomer: Newcomer) -> None:
    town, page = newcomer.town, newcomer.page
    rows = whole(town, "batch-b")
    voided = [row for row in rows if float(row["void_count"]) > 0]
    assert 0 < len(voided) < len(rows)
    share = town.results("batch-b")["population"]["voided_fraction"]["value"]
    newcomer.open_run("batch-b")
    expect(newcomer.fact("With voids")).to_contain_text(f"{len(voided)} of {len(rows)}; ")
    assert numbers(newcomer.fact("With voids").inner_text())[2] == pytest.approx(100 * share, rel=5e-3)
    assert newcomer.clicks == 1

    newcomer.click("link", "Particle table")
    expect(page.get_by_role("status").filter(has_text="with voids")).to_contain_text(f"{len(voided)} with voids")
    largest = max(rows, key=lambda row: float(row["equivalent_diameter_um"]))
    first = page.get_by_role("row").nth(1)
    expect(first).to_contain_text(largest["particle_id"])
    assert float(largest["equivalent_diameter_um"]) == pytest.approx(numbers(first.inner_text())[2], rel=1e-3)
    assert newcomer.clicks == 2
    # What is said of all of them is what the report says.
    mean = town.results("batch-b")["population"]["equivalent_diameter_um"]["mean"]
    said = page.get_by_text("Weighted as in the report.").inner_text()
    assert numbers(said.partition("mean")[2])[0] == pytest.approx(mean, rel=1e-3)

    newcomer.press(first)
    expect(page.get_by_role("heading", name=f"Particle {largest['particle_id']} of {largest['roi']}")).to_be_visible()
    frames = town.run("batch-b") / "frames" / largest["roi"]
    expect(page.get_by_role("button", name=f"Copy: {frames}", exact=True)).to_be_visible()
    assert list(frames.glob("proj_*.tif"))
    assert newcomer.clicks == 3


@pytest.mark.parametrize("by_way_of", ["Runs", "Batches"])
def test_which_batch_is_worse(newcomer: Newcomer, by_way_of: str) -> None:
    town, page = newcomer.town, newcomer.page
    newcomer.click("link", by_way_of)
    for batch in ("batch-a", "batch-b"):
        newcomer.click("checkbox", f"Compare {town.run(batch).name}")
    newcomer.click("button", "Compare these two")
    assert newcomer.clicks == 4
    row = page.locator("tr").filter(has_text="Particles with voids")
    expect(row).to_be_visible()
    shares = [100 * town.results(batch)["population"]["voided_fraction"]["value"] for batch in ("batch-a", "batch-b")]
    shown = [numbers(cell) for cell in row.locator("td").all_inner_texts()]
    assert [cell[0] for cell in shown[:2]] == pytest.approx(shares, rel=1e-3)
    # Of no void among a few particles nothing is known to within 0 %.
    assert all(cell[1] > 0 for cell in shown[:2])
    expect(page.get_by_text(re.compile(r"clearly apart.*batch-", re.IGNORECASE))).to_be_in_viewport()
    expect(row.locator("td").nth(1)).to_be_visible()


def test_what_happened_at_night(newcomer: Newcomer) -> None:
    page, run = newcomer.page, newcomer.town.run("night-bad")
    newcomer.click("link", "Night")
    begun = datetime.strptime(run.name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    evening = (begun - timedelta(hours=12)).date().isoformat()
    date = page.get_by_label("Night that began on")
    expect(page.get_by_text("Looking at the runs")).to_have_count(0)
    if date.input_value() < evening:  # between noon and four one looks back
        newcomer.click("button", "The next night")
        newcomer.clicks -= 1
        expect(page.get_by_label("Night that began on")).to_have_value(evening)
    assert newcomer.clicks == 1
    problems = page.locator("section", has=page.get_by_role("heading", name=re.compile("Problems, and what to do")))
    bad = problems.get_by_role("listitem").filter(has=page.get_by_role("link", name="night-bad", exact=True)).first
    expect(bad).to_contain_text("the axis stopped short of")
    dead = problems.get_by_role("listitem").filter(has=page.get_by_role("link", name="killed", exact=True)).first
    expect(dead).to_contain_text("the run died")
    # Times as the clock here has them.
    assert not re.search(r"\d\dT\d\d:\d\d:\d\d", problems.inner_text())
    done = page.locator("section", has=page.get_by_role("heading", name=re.compile("^Done")))
    ended = ("batch-a", "batch-b", "night-good", "night-bad")
    complete = {name for name in ended if newcomer.town.results(name)["verdict"]["status"] == "complete"}
    assert "batch-b" in complete
    assert set(done.get_by_role("heading", level=3).get_by_role("link").all_inner_texts()) == complete


def test_nothing_lies_out_of_sight_to_the_right(newcomer: Newcomer) -> None:
    """Tables of lists: a phone has no hint that there is more beside them."""
    page, town = newcomer.page, newcomer.town
    one, other = (town.run(batch).name for batch in ("batch-a", "batch-b"))
    for route in ("#/", "#/batches", f"#/run/{one}/again", f"#/compare/{one}/{other}", "#/queue"):
        page.goto(f"{town.url}/{route}")
        expect(page.locator("table.list tbody tr").first).to_be_visible()
        cut = "[...document.querySelectorAll('.scroll-x')].filter((n) => n.scrollWidth > n.clientWidth + 1).length"
        assert page.evaluate(cut) == 0, route
        thin = "[...document.querySelectorAll('.list td')].filter((n) => n.checkVisibility() && n.innerText.trim()"
        assert page.evaluate(f"{thin} && n.clientWidth < 12).length") == 0, route


def test_another_threshold(browser: Browser, town: Town) -> None:
    newcomer = Newcomer(browser.new_page(viewport={"width": 1280, "height": 860}), town)
    page = newcomer.page
    newcomer.open_run("batch-a")
    newcomer.click("link", "Measure again")
    own = page.get_by_role("row", name=re.compile("the run itself"))
    used = town.results("batch-a")["quality"]["roi-01"]["threshold_per_um"]
    expect(own).to_contain_text(f"level {float(f'{used:.3g}'):g} 1/µm")
    page.get_by_label("Threshold").select_option("at a level of my own")
    page.get_by_label("Level, 1/µm").fill("0.03")
    newcomer.click("button", "Measure again")
    again = page.get_by_role("row", name=re.compile(r"threshold.level_per_um 0.03"))
    expect(again.get_by_role("link", name="Report")).to_be_visible(timeout=LONG_MS)
    (found,) = (town.run("batch-a") / "reanalyses").glob("*/results.json")
    counts = json.loads(found.read_text())["counts"]
    assert numbers(again.get_by_role("cell").first.inner_text())[0] == counts["whole_particles"]
    assert newcomer.clicks == 3
    page.close()


def test_launch_add_a_region_and_stop(browser: Browser, town: Town) -> None:
    newcomer = Newcomer(browser.new_page(viewport={"width": 1280, "height": 860}), town)
    page = newcomer.page
    newcomer.click("link", "New run")
    newcomer.press(page.get_by_role("button", name="night-good").first)
    start = page.get_by_role("button", name="Start run")
    if newcomer.taken_over():
        expect(start).to_have_attribute("aria-disabled", "true")
        expect(page.get_by_text("is in control: take over first")).to_be_in_viewport()
        newcomer.take_over()
    expect(start).not_to_have_attribute("aria-disabled", "true", timeout=LONG_MS)
    expect(start).to_be_in_viewport(ratio=0.9)
    newcomer.press(start)
    expect(page).to_have_url(re.compile("#/run/.*night-good"), timeout=LONG_MS)
    assert newcomer.clicks == 3
    assert list(town.runs.glob("*_night-good_*"))

    newcomer = Newcomer(page, town)
    newcomer.open_run("today")
    newcomer.click("button", "Add region")
    newcomer.click("button", "Add")
    regions = page.locator(".regions")
    expect(regions).to_contain_text("roi-02", timeout=LONG_MS)
    assert len(json.loads((town.run("today") / "rois.json").read_text())["rois"]) == 2
    assert newcomer.clicks == 3

    newcomer.click("button", "Stop after")
    expect(page.get_by_text("the run was stopped").first).to_be_visible(timeout=LONG_MS)
    until_true(lambda: town.state("today") is not RunState.SCANNING)
    assert newcomer.clicks == 4
    page.close()


def test_a_place_that_is_free_is_proposed(page: Page, site: Site) -> None:
    site.run.keep_tiles(COLUMNS * ROWS)
    site.run.add_region(90, 60)
    page.goto(site.url)
    page.get_by_role("button", name="Add region").click()
    x, y = (float(page.get_by_label(f"{axis}, µm", exact=True).input_value()) for axis in "xy")
    assert max(abs(x - 90), abs(y - 60)) >= 50
    assert max(abs(x - 90), abs(y - 60)) < 60
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("roi-02"))).not_to_have_count(0)
    assert len(site.world.commands("add")) == 1
