"""Regions that wait are put into another order: by dragging, by buttons, by keys; who may not is told why."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.dashboard.browser.conftest import Site, until


def names(page: Page) -> list[str]:
    return page.locator(".region-name").all_inner_texts()


def furnished(page: Page, site: Site) -> None:
    site.run.add_region(0, 0, state="scanning", done=40)
    for x_um in (60, 120, 180):
        site.run.add_region(x_um, 0, planned=0)
    page.goto(f"{site.url}/#/run/demo")
    expect(page.locator(".region-row")).to_have_count(4)


def test_dragged_and_moved_by_buttons_and_by_keys(page: Page, site: Site) -> None:
    furnished(page, site)
    rows = page.locator(".regions-list li")
    rows.nth(3).drag_to(rows.nth(1))
    until(page, "document.querySelectorAll('.region-name')[1].textContent === 'roi-04'")
    assert names(page) == ["roi-01", "roi-04", "roi-02", "roi-03"]
    page.get_by_role("button", name="Scan later: roi-04").click()
    until(page, "document.querySelectorAll('.region-name')[1].textContent === 'roi-02'")
    page.locator(".region-row").nth(3).focus()
    page.keyboard.press("Alt+ArrowUp")
    until(page, "document.querySelectorAll('.region-name')[2].textContent === 'roi-03'")
    assert names(page) == ["roi-01", "roi-02", "roi-03", "roi-04"]
    assert [command["rois"] for command in site.world.commands("order")] == [
        ["roi-04", "roi-02", "roi-03"], ["roi-02", "roi-04"], ["roi-02", "roi-03", "roi-04"],
    ]  # fmt: skip


def test_what_is_scanned_stays_and_what_cannot_be_says_why(page: Page, site: Site) -> None:
    furnished(page, site)
    rows = page.locator(".regions-list li")
    expect(rows.nth(0)).not_to_have_attribute("draggable", "true")
    expect(page.get_by_role("button", name="Scan earlier: roi-02")).to_have_attribute(
        "title", "it stands there already"
    )
    rows.nth(2).drag_to(rows.nth(0))
    page.wait_for_timeout(200)
    assert site.world.commands("order") == []
    site.world.holder, site.world.holder_client = "Anna", "another"
    page.reload()
    expect(page.get_by_role("button", name="Scan later: roi-02")).to_have_attribute(
        "title", "Anna is in control: take over first"
    )
    expect(rows.nth(1)).not_to_have_attribute("draggable", "true")
