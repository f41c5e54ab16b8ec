"""Every whole particle has a row with its picture, its numbers as in the table, and what is to be known of them."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from tests.reporting.conftest import MU_PER_UM, SPHERES, VOXEL_UM
from tests.reporting.page import Page
from xrm_control.contracts.tables import Particle
from xrm_control.reporting.figures.cards import TILE_PX, Layers, cuts_picture
from xrm_control.reporting.figures.slices import Window
from xrm_control.reporting.formatting import with_uncertainty
from xrm_control.reporting.report import build_report
from xrm_control.reporting.run_data import read_run
from xrm_control.reporting.sections.particles import particles_section

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WHOLE = [sphere for sphere in SPHERES if not sphere[5]]


@pytest.fixture(scope="module")
def page(finished_run: Path) -> Page:
    return Page(build_report(finished_run))


def test_the_largest_first_and_none_that_is_cut(page: Page) -> None:
    head, *rows = page.parts["particles"].tables[0]
    diameters = [float(row[head.index("equivalent diameter (µm)")]) for row in rows]
    assert diameters == sorted((2 * radius for *_, radius, _, _ in WHOLE * 2), reverse=True)
    assert [row[head.index("voids")].split(",")[0] for row in rows] == [
        "1",
        "1",
        "1",
        "1",
        "0",
        "0",
        "1",
        "1",
        "0",
        "0",
    ]


def test_each_has_its_picture(page: Page) -> None:
    images = page.parts["particles"].images
    # Both regions hold the same.
    assert len({image["src"] for image in images}) == len(images) / 2 == len(WHOLE)
    assert images[0]["alt"] == "roi-01, particle 4: cuts xy, xz, yz"


@pytest.mark.parametrize("number", [1, 3, 4])
def test_picture_shows_the_particle_in_its_middle_with_its_void(finished_run: Path, number: int) -> None:
    """Of balls the cuts are discs, whose areas tell both radii."""
    x, y, z, radius, void, _ = SPHERES[number - 1]
    (region, _) = read_run(finished_run).regions
    assert region.volume is not None
    middle = [
        place / VOXEL_UM + (size - 1) / 2 for place, size in zip((z, y, x), region.volume.data.shape, strict=True)
    ]
    side = 4 * radius / VOXEL_UM
    shown = cuts_picture(
        Layers(region.volume.data), (middle[0], middle[1], middle[2]), side, Window(0.0, MU_PER_UM), "one"
    )
    image = matplotlib.image.imread(io.BytesIO(shown.data), format="jpg")[..., 0]
    assert image.shape == (shown.height_px, shown.width_px) == (TILE_PX, 3 * TILE_PX + 4)
    away = np.hypot(*np.indices((TILE_PX, TILE_PX)) - (TILE_PX - 1) / 2) * 4 * radius / (TILE_PX - 1)
    for left in (0, TILE_PX + 2, 2 * TILE_PX + 4):
        tile = image[:, left : left + TILE_PX]
        assert tile[(away > void + 0.6) & (away < radius - 0.6)].mean() > 220
        assert tile[away < void - 0.6].mean() < 60
        # Its nearest neighbour is further away than this.
        assert tile[(away > radius + 0.6) & (away < radius + 0.9)].mean() < 90


def test_outside_of_the_volume_is_black_and_outlines_are_where_labels_change() -> None:
    volume, labels = np.ones((8, 8, 8), np.float32), np.zeros((8, 8, 8), np.uint16)
    labels[:, :, 4:] = 1
    shown = cuts_picture(Layers(volume, labels), (0.0, 4.0, 4.0), 8.0, Window(0.0, 1.0), "corner")
    xy, xz = np.split(matplotlib.image.imread(io.BytesIO(shown.data), format="jpg")[:, : 2 * TILE_PX + 2], [TILE_PX], 1)
    assert xz[: TILE_PX // 2 - 8].mean() < 10
    assert xz[TILE_PX // 2 + 8 :, 8:20].mean() > 240
    # Orange has no blue; the label begins half a voxel before the middle of voxel 4, at 8 pixels a voxel.
    blue = xy[8:50, 8:56, 2].mean(axis=0)
    assert abs(int(blue.argmin()) + 8 - (TILE_PX / 2 - 0.5 * 8)) <= 1


@pytest.mark.parametrize(("side", "along"), [(63.0, 0), (63.0, 1), (63.0, 2), (150.0, 0), (150.0, 1), (150.0, 2)])
def test_of_a_large_body_each_voxel_lies_at_its_place(side: float, along: int) -> None:
    """Grey rises along one axis alone, one voxel to a pixel and several: so must it in the cuts, from edge to edge."""
    size = 160
    ramp = np.arange(size, dtype=np.float32) / size
    volume = np.broadcast_to(ramp, (size, size, size)).swapaxes(2, along)
    middle = (size - 1) / 2
    shown = cuts_picture(Layers(volume), (middle, middle, middle), side, Window(0.0, 1.0), "ramp")
    image = matplotlib.image.imread(io.BytesIO(shown.data), format="jpg")[..., 0].astype(float)
    expected = 255 * (middle + np.linspace(-side / 2, side / 2, TILE_PX)) / size
    for plane, (down, across) in enumerate(((1, 2), (0, 2), (0, 1))):
        tile = image[:, plane * (TILE_PX + 2) :][:, :TILE_PX]
        if down == along:
            assert tile.mean(axis=1) == pytest.approx(expected, abs=6)
        elif across == along:
            # Beside the white gap a JPEG is not exact.
            assert tile.mean(axis=0)[3:-3] == pytest.approx(expected[3:-3], abs=6)
        else:
            assert tile[:, 4:-4].mean() == pytest.approx(255 * middle / size, abs=4)


@pytest.mark.parametrize(
    ("value", "u", "text"),
    [
        (6.4123, 0.0264, "6.412 ± 0.026"),
        (0.98765, 0.0061, "0.9877 ± 0.0061"),
        (-0.0312, 0.039, "−0.031 ± 0.039"),
        (234.6, 41.0, "235 ± 41"),
        (1234.0, 123.0, "1234 ± 123"),
        (6.4123, None, "6.41"),
        (6.4123, float("nan"), "6.41"),
        (6.4123, 0.0, "6.41"),
        (None, 0.1, "–"),
    ],
)
def test_to_the_place_of_its_uncertainty(value: float | None, u: float | None, text: str) -> None:
    assert with_uncertainty(value, u) == text


def test_what_is_to_be_known(finished_run: Path) -> None:
    run = read_run(finished_run)
    first = run.regions[0]
    assert first.particles is not None
    flagged = first.particles
    for column, values in (
        (Particle.rays_in_contact, [0, 3, 0, 0, 0, 0]),
        (Particle.void_count_ambiguous, [1, 0, 0, 0, 0, 0]),
        (Particle.void_count_open, [0, 2, 0, 0, 0, 0]),
    ):
        flagged = flagged.having(column, np.array(values, float))
    section = particles_section(replace(run, regions=(replace(first, particles=flagged, volume=None),)))
    assert section is not None
    told = {row[2].text: row[-1].text for row in section.tables[0].rows}
    assert told["1"] == "1 of its voids closed by one voxel only"
    assert told["2"].startswith("touches a neighbour: 3 of 24 radii end there; 2 open to the outside")
    assert told["4"] == ""


def test_without_tables_there_is_nothing(finished_run: Path) -> None:
    run = read_run(finished_run)
    bare = tuple(replace(region, particles=None) for region in run.regions)
    assert particles_section(replace(run, regions=bare)) is None


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt install chromium)")
def test_a_heading_sorts(finished_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(build_report(finished_run), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page()
        wrong: list[str] = []
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.goto(path.as_uri())
        table = shown.locator("#particles table")
        at = table.locator("th").all_text_contents().index("equivalent diameter (µm)")
        orders = []
        for _ in range(2):
            table.get_by_role("button", name="equivalent diameter").click()
            orders.append([float(text) for text in table.locator(f"tbody td:nth-child({at + 1})").all_text_contents()])
        assert orders == [sorted(orders[0], reverse=True), sorted(orders[0])]
        assert len(orders[0]) == 2 * len(WHOLE)
        assert wrong == []
        browser.close()
