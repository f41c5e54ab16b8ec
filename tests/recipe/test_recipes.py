"""The recipes that ship: each is in order as it is, and costs what the paper says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import xraydb

from xrm_control import app
from xrm_control.core.errors import RecipeError, SafetyRefusal, StorageError
from xrm_control.recipe.planning import check_disk

RECIPES = Path(__file__).parents[2] / "recipes"
NMC811 = RECIPES / "nmc811_screening.yaml"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_recipe_is_in_order(path: Path) -> None:
    loaded = app.load(path)
    assert loaded.recipe.name == path.stem
    assert app.check(loaded).total_s > 0


@pytest.mark.parametrize(
    ("name", "rois", "projections"),
    [("nmc811_screening", 4, 141), ("nmc622_statistics", 1, 141), ("high_resolution", 1, 1571), ("overnight", 32, 282)],
)
def test_what_they_plan(name: str, rois: int, projections: int) -> None:
    plan = app.check(app.load(RECIPES / f"{name}.yaml"))
    assert (plan.rois, plan.projections) == (rois, projections)


def test_a_night_is_twelve_hours() -> None:
    plan = app.check(app.load(RECIPES / "overnight.yaml"))
    assert 11.5 < plan.total_s / 3600 < 12.5
    assert not plan.warnings


def test_the_papers_times() -> None:
    plan = app.check(app.load(NMC811))
    seconds = {stage.name: stage.seconds for stage in plan.stages}
    assert seconds["mosaic"] < 60
    assert all(seconds[f"roi-{n:02d}"] < 300 for n in (1, 2, 3, 4))


def test_the_papers_trade_off() -> None:
    rows = app.trade_off(app.load(NMC811, {"scan.useful_diameter_um": "64"}), (1, 2, 4, 8))
    assert [row.projections for row in rows] == [1571, 785, 393, 196]
    assert [row.pixel_size_um for row in rows] == pytest.approx([0.064, 0.128, 0.256, 0.512])
    assert [row.projections_full_field for row in rows] == [1571, 785, 393, 196]
    fine, coarse = rows[0], rows[-1]
    # "approximately a two order of magnitude memory size and cost reduction": 8 x 8 pixels and 8 times fewer views.
    assert 100 < fine.frame_bytes / coarse.frame_bytes < 1000
    assert fine.volume_bytes / coarse.volume_bytes == 512
    assert coarse.volume_bytes == pytest.approx(4.19e6, rel=0.01)
    # A pixel of half the side sees a quarter of the photons: views, one again, flats and those with the blade take four
    # times that.
    for row, times in zip(rows, (64, 16, 4, 1), strict=True):
        assert row.scan_same_counts_s - row.scan_s == pytest.approx((row.projections + 1 + 20 + 3) * 1.0 * (times - 1))


def test_each_region_more_costs_its_frames_and_its_volume() -> None:
    plans = [app.check(app.load(NMC811, {"roi.count": str(count)})) for count in (1, 2, 3)]
    second, third = (more.disk_bytes - fewer.disk_bytes for fewer, more in pairwise(plans))
    frames_bytes = next(stage.bytes for stage in plans[-1].stages if stage.name == "roi-03")
    # 128 x 128 x 128 voxels of four bytes, and what is measured in them.
    assert frames_bytes + 4 * 128**3 < third < frames_bytes + 20 * 128**3
    assert second == pytest.approx(third, rel=0.01)


def test_the_dose_by_hand() -> None:
    """What a gram at the surface takes up: photons, their energy, and the share that a gram stops, by xraydb."""
    loaded = app.load(NMC811)
    about = loaded.recipe.instrument.describe()
    per_cm = xraydb.material_mu("LiNi0.8Mn0.1Co0.1O2", 1e3 * about.energy_kev, density=4.78)
    joule_per_cm2_s = about.flux_per_um2_s * 1e8 * about.energy_kev * 1e3 * 1.602176634e-19
    gray_per_s = 1e3 * joule_per_cm2_s * per_cm / 4.78
    in_beam_s = 141 * (1.0 + about.camera.readout_s[8])
    assert app.check(loaded).dose_per_scan_gy == pytest.approx(gray_per_s * in_beam_s, rel=0.01)


@pytest.mark.parametrize("kind", ["grid", "most_particles", "varied_sizes"])
@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_another_kind_of_regions_by_option(path: Path, kind: str) -> None:
    loaded = app.load(path, {"roi.kind": kind})
    assert getattr(loaded.recipe.roi, "kind", "") == kind
    assert loaded.recipe.instrument == app.load(path).recipe.instrument


REFUSED = [
    ({"roi": "{kind: manual, positions: [{x_um: 5000, y_um: 0}]}"}, SafetyRefusal, "5000"),
    ({"roi": "{kind: manual, positions: [{x_um: 0, y_um: 0}, {x_um: 10, y_um: 0}]}"}, RecipeError, "overlap"),
    ({"mosaic.centre_x_um": "1990"}, SafetyRefusal, "mosaic"),
    ({"scan.start_deg": "-120"}, SafetyRefusal, "theta"),
    ({"scan.start_deg": "95"}, RecipeError, "below end_deg"),
    ({"scan.projections": "20000"}, RecipeError, r"closer than .* 0.0090 deg apart.* limit more than 0.02 deg"),
    ({"scan.start_deg": "0"}, RecipeError, r"no two views are half a turn apart.*90.00 degrees covered"),
    ({"sample.formula": "Unobtainium"}, RecipeError, "Unobtainium"),
    ({"handoff.core": "nobody"}, Exception, "nobody"),
    ({"safety.clearance_um": "100"}, SafetyRefusal, "optics"),
    ({"reconstruction.method.filter": "tukey"}, RecipeError, "tukey"),
    ({"scan.binning": "3"}, RecipeError, "scan.binning"),
    ({"instrument.faults": "[{kind: earthquake, at_s: 1}]"}, RecipeError, "earthquake"),
]


@pytest.mark.parametrize(
    ("overrides", "error", "text"), REFUSED, ids=lambda item: next(iter(item), "") if isinstance(item, dict) else ""
)
def test_check_finds_it_before_anything_moves(overrides: dict[str, str], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        app.check(app.load(NMC811, overrides))


def test_a_short_range_with_a_given_axis_is_no_trouble() -> None:
    plan = app.check(app.load(NMC811, {"scan.start_deg": "0", "reconstruction.rotation_axis": "63.5"}))
    assert plan.projections == 70  # as dense as the 141 of a half turn


def test_a_disk_that_would_fill_is_refused_with_need_and_room() -> None:
    plan = app.check(app.load(NMC811))
    check_disk(plan, plan.disk_bytes + 2_000_000_001, 2.0, "here")
    for free_bytes in (plan.disk_bytes, plan.disk_bytes + 1_999_000_000):
        with pytest.raises(StorageError, match=r"would fill.*GB free"):
            check_disk(plan, free_bytes, 2.0, "here")
