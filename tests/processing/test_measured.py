"""What the regions measured, put together: every row once, by region; and held against a truth that is known."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from xrm_control.contracts.columns import COLUMNS
from xrm_control.contracts.handoff import HANDOFF, HandoffSpec, StagePosition
from xrm_control.core.errors import DataError
from xrm_control.processing.measured import compare_with_truth, read_measured, write_run_tables
from xrm_control.storage.run_folder import RunFolder

HEAD: str = "particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,touches_boundary,weight"
VOIDS = "void_id,particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,kind\n1,1,{roi},2,0,0,4.19,2,closed\n"
ROIS = ("roi-01", "roi-02")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Two regions, 100 um apart on the stage, a ball of 10 um in each; the second core measures sphericity, too."""
    for at, roi in enumerate(ROIS):
        place = tmp_path / roi
        place.mkdir()
        further, value = (",sphericity,Note!", ",0.98,by hand") if at else ("", "")
        (place / "particles.csv").write_text(f"{HEAD}{further}\n1,{roi},2,0,0,523.6,10,0,1.5{value}\n")
        (place / "voids.csv").write_text(VOIDS.format(roi=roi))
        centre = StagePosition(x=100.0 * at, y=0, z=0)
        handoff = HandoffSpec(
            volume="v.tif", voxel_size_um=0.5, shape=(64, 64, 64), roi=roi, centre_stage_um=centre,
            rotation_axis_px=31.5 + at,
        )  # fmt: skip
        HANDOFF.write(place / "handoff.json", handoff)
    return RunFolder(tmp_path)


def test_every_row_of_every_region_once_and_nothing_lost(run: RunFolder) -> None:
    assert [path.name for path in write_run_tables(run, ROIS)] == ["particles.csv", "voids.csv", "columns.json"]
    with run.particles.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["roi"], row["sphericity"], row["Note!"]) for row in rows] == [
        ("roi-01", "", ""),
        ("roi-02", "0.98", "by hand"),
    ]
    assert run.voids.read_text().count("closed") == 2
    told = COLUMNS.read(run.columns)
    assert [column.name for column in told.particles] == [*HEAD.split(","), "sphericity"]


def test_where_one_did_not_look_for_voids_nothing_is_said_of_them(run: RunFolder) -> None:
    run.roi("roi-02").voids.unlink()
    assert read_measured(run, ROIS).voids is None
    assert [path.name for path in write_run_tables(run, ROIS)] == ["particles.csv", "columns.json"]
    assert not run.voids.exists()


def test_nothing_was_measured(run: RunFolder) -> None:
    assert write_run_tables(run, ()) == ()
    assert len(read_measured(run, ()).particles) == 0


def test_a_renamed_column_is_told_with_its_file(run: RunFolder) -> None:
    table = run.roi("roi-02").particles
    table.write_text(table.read_text().replace("volume_um3", "volume"))
    with pytest.raises(DataError, match=r"roi-02/particles\.csv: the required column volume_um3 is missing"):
        read_measured(run, ROIS)


def test_against_the_truth_by_region(run: RunFolder) -> None:
    """Volume x is stage x: 2 um off each centre. The second ball is truly 1 % smaller; the axis 1 px off the middle."""
    ball = {"y_um": 0, "z_um": 0, "surface_area_um2": 314.159}
    particles = [
        {"id": 7, "x_um": 2, "volume_um3": 523.6, "equivalent_diameter_um": 10, **ball},
        {"id": 8, "x_um": 102, "volume_um3": 523.6 / 1.01**3, "equivalent_diameter_um": 10 / 1.01, **ball},
    ]
    truth = {"particles": particles, "voids": [], "rotation_axis": {"offset_um": 0.5}, "seed": 3}
    measured = read_measured(run, ROIS)
    assert compare_with_truth(run, run, ROIS, measured, 64, 0.5) is None
    run.truth.write_text(json.dumps(truth))
    found = compare_with_truth(run, run, ROIS, measured, 64, 0.5)
    assert found is not None
    assert [(pair.roi, pair.true_id) for pair in found.pairs] == [("roi-01", 7), ("roi-02", 8)]
    assert found.diameter_error_percent_median == pytest.approx(0.5, abs=1e-3)
    assert found.rotation_axis_error_px == pytest.approx({"roi-01": -1.0, "roi-02": 0.0})
