"""For everybody: names of controls, contrast in both themes, a phone's width, the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.browser.conftest import Site, settled, visit

ROUTES = ["#/", "#/run/demo", "#/run/demo/volume/roi-01", "#/run/demo/particles", "#/compare/demo/demo"]
NAMELESS = """() => {
  const named = (n) => n.getAttribute("aria-label") || n.textContent.trim() || n.labels?.length || n.title;
  return [...document.querySelectorAll("button, a[href], input, select, [role=button], [role=img], progress")]
    .filter((n) => n.checkVisibility() && !named(n)).map((n) => n.outerHTML.slice(0, 120));
}"""
# Of axe-core's rules those that this page broke once: one main heading, heads of columns with words, what scrolls
# reached by keys.
UNREAD = """() => {
  const found = document.querySelectorAll("h1").length === 1 ? [] : ["h1"];
  const wordless = [...document.querySelectorAll("th")].filter((n) => !n.textContent.trim());
  const cut = (n) => n.scrollWidth > n.clientWidth + 1;
  const scrolls = (n) => ["auto", "scroll"].includes(getComputedStyle(n).overflowX) && cut(n);
  const reached = (n) => n.tabIndex >= 0 || n.querySelector("a[href], button, input, select, [tabindex='0']");
  const seen = [...document.querySelectorAll("main *")].filter((n) => n.checkVisibility());
  const stuck = seen.filter((n) => scrolls(n) && !reached(n));
  return [...found, ...[...wordless, ...stuck].map((n) => n.outerHTML.slice(0, 120))];
}"""
# Text against what it stands on, as WCAG 2 has it; canvases are left out.
FAINT = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (css) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = css;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (n) => {
    for (; n; n = n.parentElement) {
      const colour = rgba(getComputedStyle(n).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const found = new Set();
  for (const n of document.querySelectorAll("body *")) {
    if (!n.checkVisibility() || n.closest("svg, .mosaic-stage, .slice-stage, .sr-only")) continue;
    if (![...n.childNodes].some((c) => c.nodeType === 3 && c.data.trim())) continue;
    const [a, b] = [light(rgba(getComputedStyle(n).color)), light(ground(n))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.add(`${n.tagName}.${n.className}: ${contrast.toFixed(2)}`);
  }
  return [...found];
}"""


# Lines and marks of charts against the panel that they stand on: 3 to 1 is asked of them.
LINES = """() => {
  const light = (css) => {
    const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    pen.fillStyle = css;
    pen.fillRect(0, 0, 1, 1);
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const of = (name) => {
    const probe = document.body.appendChild(document.createElement("span"));
    probe.className = `${name}-probe`;
    const found = light(getComputedStyle(probe).color);
    probe.remove();
    return found;
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return ["ink", "accent", "other"].map((name) => contrast(of(name), of("panel")));
}"""


def furnish(site: Site) -> None:
    site.run.keep_tiles(5)
    for state in ("reported", "scanning", "waiting", "quarantined"):
        site.run.add_region(30, 30, state=state, particles=20, voided=3, voided_percent=12.5, trust="doubt")
    site.run.alarms = [
        {"level": level, "cause": f"{level} there", "evidence": "with numbers", "cure": "do this", "action": "pause"}
        for level in ("error", "warning", "info")
    ]  # fmt: skip
    for level in ("info", "warning", "error"):
        site.run.say("a line", level)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_and_controls_have_names(browser: Browser, site: Site, scheme: str) -> None:
    furnish(site)
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 860})  # type: ignore[arg-type]
    page = context.new_page()
    for route in ROUTES:
        visit(page, f"{site.url}/{route}")
        page.wait_for_timeout(400)
        assert page.evaluate(FAINT) == [], route
        assert page.evaluate(NAMELESS) == [], route
        assert page.evaluate(UNREAD) == [], route
    assert min(page.evaluate(LINES)) >= 3
    context.close()


def test_a_phone_needs_no_scrolling_sideways_and_shows_abort(browser: Browser, site: Site) -> None:
    furnish(site)
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    for route in ROUTES:
        visit(page, f"{site.url}/{route}")
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, route
        assert page.evaluate(UNREAD) == [], route
    page.goto(f"{site.url}/#/run/demo")
    expect(page.get_by_role("button", name="Abort")).to_be_in_viewport()
    page.mouse.wheel(0, 3000)
    expect(page.get_by_role("button", name="Abort")).to_be_in_viewport()
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_long_log_makes_no_page_longer_and_no_number_is_cut(browser: Browser, site: Site, width: int) -> None:
    furnish(site)
    for number in range(300):
        site.run.say(f"line {number}")
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    page.goto(f"{site.url}/#/run/demo")
    expect(page.locator(".log")).to_contain_text("line 299")
    ends = "document.querySelector('.run').getBoundingClientRect().bottom + scrollY"
    assert page.evaluate(f"document.documentElement.scrollHeight - {ends}") < 100
    words = "[...document.querySelectorAll('.region-result, .region-state')]"
    cut = f"{words}.filter((n) => n.scrollWidth > n.clientWidth).length"
    assert page.evaluate(cut) == 0
    expect(page.locator(".region-result").first).to_have_text("20 particles, 3 voided")
    context.close()


def test_nothing_is_said_to_be_missing_before_the_run_is_known(page: Page, site: Site) -> None:
    furnish(site)
    site.world.hang.set()
    page.goto(f"{site.url}/#/run/demo")
    expect(page.get_by_text("loading")).to_be_visible()
    for words in ("No tile yet", "None yet", "No alarm", "No line yet"):
        expect(page.get_by_text(words).filter(visible=True)).to_have_count(0)
    site.world.hang.clear()
    site.world.free.set()
    expect(page.get_by_text("loading")).to_have_count(0)
    expect(page.locator(".alarm")).to_have_count(3)


def test_nothing_jumps_when_an_alarm_comes(page: Page, site: Site) -> None:
    site.run.keep_tiles(2)
    page.goto(f"{site.url}/#/run/demo")
    expect(page.locator(".run")).not_to_have_attribute("aria-busy", "true")
    before = settled(page, ".mosaic-stage")
    furnish(site)
    site.run.touch()
    expect(page.locator(".alarm")).to_have_count(3)
    assert settled(page, ".mosaic-stage") == before


def test_the_theme_is_chosen_and_kept(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/#/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("t")
    page.keyboard.press("t")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
