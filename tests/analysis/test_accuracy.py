"""A layer of 50 ellipsoids, near touching, one in three hollow, grey tilted by 5 %: against its equations."""

import numpy as np
import pytest

from tests.analysis.phantoms import VOXEL_UM, Body, ball, powder, render
from xrm_control.analysis.core import Analysis, AnalysisSpec, analyze_volume
from xrm_control.analysis.population import pool
from xrm_control.analysis.truth_match import Field, match_truth
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import VOID_COLUMNS
from xrm_control.contracts.truth import SpecimenTruth
from xrm_control.core.geometry import Pose, volume_to_stage

CENTRE = Pose(110.0, -40.0, 7.0, 0.0)


def truth_of(particles: list[Body], voids: list[Body]) -> dict:
    def place(body: Body) -> dict:
        x, y, z = volume_to_stage(np.array([body.centre]), CENTRE)[0]
        size = {"volume_um3": body.volume, "equivalent_diameter_um": 2 * float(np.prod(body.axes)) ** (1 / 3)}
        # Thomsen's formula, within 1.2 %.
        products = [(a * b) ** 1.6075 for a, b in zip(body.axes, np.roll(body.axes, 1), strict=True)]
        area = 4 * np.pi * float(np.mean(products)) ** (1 / 1.6075)
        return {"x_um": x, "y_um": y, "z_um": z, "radius_max_um": max(body.axes), "surface_area_um2": area, **size}

    owners = [int(np.argmin([np.linalg.norm(np.subtract(v.centre, p.centre)) for p in particles])) for v in voids]
    holes = [{"particle_id": owner, **place(void)} for owner, void in zip(owners, voids, strict=True)]
    return {
        "particles": [{"id": n, **place(body)} for n, body in enumerate(particles)],
        "voids": [{"id": n, **hole} for n, hole in enumerate(holes)],
    }


@pytest.fixture(scope="module")
def layer() -> tuple[Analysis, dict]:
    bodies = powder()
    voids = [ball(b.centre[0] + 0.4, b.centre[1], b.centre[2], min(1.4, 0.4 * b.axes[0])) for b in bodies[::3]]
    holes = [Body(v.centre, v.axes, -1) for v in voids]
    volume = render([*bodies, *holes], (128, 128, 128), fwhm_voxels=2.0, slope=0.05)
    return analyze_volume(volume, VOXEL_UM, AnalysisSpec(), centre=CENTRE), truth_of(bodies, voids)


def matched(layer: tuple[Analysis, dict], least_um: float) -> dict:
    result, truth = layer
    field = Field("roi-01", CENTRE, (128, 128, 128), VOXEL_UM)
    told = SpecimenTruth.model_validate(truth)
    return match_truth(*rows_of(result), told, [field], min_diameter_um=least_um).model_dump(mode="json")


def rows_of(result: Analysis) -> tuple[Rows, Rows]:
    return Rows.of(result.particles, AnalysisSpec().columns), Rows.of(result.voids, VOID_COLUMNS)


@pytest.mark.parametrize("least_um", [6.0, 4.0])
def test_whole_particles(layer: tuple[Analysis, dict], least_um: float) -> None:
    found = matched(layer, least_um)
    assert found["n_true"] >= 15
    assert found["matched_fraction"] >= 0.95
    assert abs(found["diameter_error_percent_median"]) < 0.5
    assert found["diameter_error_percent_p95_absolute"] < 2
    assert abs(found["volume_error_percent_median"]) < 1.5
    assert abs(found["surface_error_percent_median"]) < 4
    assert found["position_error_um_median"] < 0.05


def test_voids(layer: tuple[Analysis, dict]) -> None:
    classes = matched(layer, 4.0)["voids"]
    large = [c for c in classes if c["diameter_um"][0] >= 2.0]
    assert sum(c["n_true"] for c in large) >= 5
    for c in large:
        assert c["detected_fraction"] == 1
        assert c["volume_ratio_median"] == pytest.approx(1, abs=0.15)


def test_attenuation_and_tilt(layer: tuple[Analysis, dict]) -> None:
    rows = [r for r in layer[0].particles if not r["touches_boundary"] and r["equivalent_diameter_um"] > 6]
    place = [r["x_um"] / (128 * VOXEL_UM) for r in rows]
    slope, level = np.polyfit(place, [r["mean_attenuation_per_um"] for r in rows], 1)
    assert level == pytest.approx(0.046, rel=0.01)
    assert slope / level == pytest.approx(0.05, abs=0.02)


def test_population_and_labels(layer: tuple[Analysis, dict]) -> None:
    result, truth = layer
    pooled = pool(*rows_of(result)).population
    whole = {row["particle_id"] for row in result.particles if not row["touches_boundary"]}
    assert pooled.n_whole == len(whole)
    low, high = pooled.quantities["equivalent_diameter_um"].mean_interval or (None, None)
    assert low is not None
    assert high is not None
    assert low < np.mean([p["equivalent_diameter_um"] for p in truth["particles"]]) < high
    ids, counts = np.unique(result.labels[result.labels > 0], return_counts=True)
    expected = {r["particle_id"]: r["volume_voxels_um3"] / VOXEL_UM**3 for r in result.particles}
    assert dict(zip(ids.tolist(), counts.tolist(), strict=True)) == pytest.approx(expected)
    assert set(np.unique(result.phases)) == {0, 1, 2}
    assert np.array_equal(result.phases > 0, result.labels > 0)


def test_cut_particles_are_flagged(layer: tuple[Analysis, dict]) -> None:
    result, _ = layer
    for row in result.particles:
        radius = row["equivalent_diameter_um"] / 2
        side = np.hypot(row["x_um"], row["y_um"]) + radius > 128 * VOXEL_UM / 2 - 0.3
        end = abs(row["z_um"]) + radius > 128 * VOXEL_UM / 2 - 0.3
        if side or end:
            assert row["touches_boundary"] == 1
        assert (row["weight"] == 0) == bool(row["touches_boundary"])
        assert row["weight"] == 0 or row["weight"] > 1
