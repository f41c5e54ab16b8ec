"""Matching on hand-made lists: what counts as found, as missed, as whole."""

import pytest

from xrm_control.analysis.truth_match import Field, rotation_axis_error_px
from xrm_control.analysis.truth_match import match_truth as match
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import VOID_COLUMNS
from xrm_control.contracts.truth import SpecimenTruth
from xrm_control.core.geometry import Pose

FIELD = Field("roi-01", Pose(50, 20, 3, 0), (128, 128, 128), 0.5)


def true(number: int, x: float, y: float, z: float, diameter: float) -> dict:
    """A true sphere at stage (x, y, z)."""
    size = {"volume_um3": 3.14159265 / 6 * diameter**3, "surface_area_um2": 3.14159265 * diameter**2}
    place = {"x_um": x, "y_um": y, "z_um": z}
    return {"id": number, **place, **size, "equivalent_diameter_um": diameter, "radius_max_um": diameter / 2}


def row(number: int, x: float, y: float, z: float, diameter: float, roi: str = "roi-01") -> dict:
    """A measured sphere at (x, y, z) of the volume."""
    size = {"volume_um3": 3.14159265 / 6 * diameter**3, "surface_area_um2": 3.14159265 * diameter**2}
    place = {"x_um": x, "y_um": y, "z_um": z}
    return {"particle_id": number, "roi": roi, **place, **size, "equivalent_diameter_um": diameter}


def match_truth(rows: list[dict], voids: list[dict], truth: dict, fields: list[Field]) -> dict:
    """As it stands in results.json."""
    particles, holes = Rows.of(rows, KNOWN_PARTICLE_COLUMNS), Rows.of(voids, VOID_COLUMNS)
    return match(particles, holes, SpecimenTruth.model_validate(truth), fields).model_dump(mode="json")


def result(rows: list[dict], truths: list[dict]) -> dict:
    return match_truth(rows, [], {"particles": truths, "voids": []}, [FIELD])


def test_frames_and_errors() -> None:
    # Volume (x, y, z) = stage (x - 50, -(z - 3), y - 20).
    found = result([row(7, 10, -2, 5, 10.1)], [true(1, 60, 25, 5, 10)])
    assert found["matched_fraction"] == 1
    assert found["diameter_error_percent_median"] == pytest.approx(1, abs=1e-6)
    assert found["volume_error_percent_median"] == pytest.approx(3.03, abs=0.01)
    assert found["pairs"][0]["particle_id"] == 7
    assert found["pairs"][0]["offset_um"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("rows", "matched"),
    [
        ([], 0),
        ([row(1, 2.4, 0, 0, 10)], 1),
        ([row(1, 2.6, 0, 0, 10)], 0),
        ([row(1, 0, 0, 0, 12.6)], 0),
        ([row(1, 0, 0, 0, 7.9)], 0),
        ([row(1, 0, 0, 0, 10, roi="roi-02")], 0),
        ([row(1, 1, 0, 0, 10), row(2, -0.5, 0, 0, 10)], 1),
    ],
    ids=["nothing", "a little off", "too far", "two merged", "split", "another ROI", "two halves"],
)
def test_one_true_particle(rows: list[dict], matched: int) -> None:
    found = result(rows, [true(1, 50, 20, 3, 10)])
    assert (found["n_true"], found["n_matched"]) == (1, matched)
    assert len(found["missed"]) == 1 - matched


def test_one_row_serves_one_true_particle_only() -> None:
    found = result([row(1, 0, 0, 0, 10)], [true(1, 50.5, 20, 3, 10), true(2, 49, 20, 3, 10)])
    assert found["n_matched"] == 1
    assert found["pairs"][0]["true_id"] == 1


@pytest.mark.parametrize(
    ("place", "counts"),
    [((50, 20, 3), 1), ((76, 20, 3), 1), ((77, 20, 3), 0), ((50, 46.5, 3), 0), ((69, 20, 19), 1), ((70, 20, 23), 0)],
)
def test_only_whole_particles_count(place: tuple[float, float, float], counts: int) -> None:
    assert result([], [true(1, *place, 10)])["n_true"] == counts


def test_small_ones_do_not_count() -> None:
    assert result([], [true(1, 50, 20, 3, 5.9)])["matched_fraction"] is None


def test_voids_by_size() -> None:
    voids = [{"particle_id": 1, **true(n, 50 + 3 * n, 20, 3, 1.2 + n)} for n in (0, 1)]
    rows = [{**row(1, 3.2, 0, 0, 2.2), "void_id": 1}]
    truth = {"particles": [true(1, 50, 20, 3, 12)], "voids": voids}
    classes = match_truth([], rows, truth, [FIELD])["voids"]
    assert [(c["diameter_um"], c["n_true"], c["detected_fraction"]) for c in classes] == [
        ([1.0, 1.5], 1, 0.0),
        ([2.0, 2.5], 1, 1.0),
    ]
    assert classes[1]["volume_ratio_median"] == pytest.approx(1)


def test_axis() -> None:
    assert rotation_axis_error_px(61.6, 128, -1.024, 0.512) == pytest.approx(0.1)
