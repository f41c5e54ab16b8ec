"""Whole runs on the simulated microscope, short ones: what is written, that it repeats, and what faults do to it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.conftest import SHORT, SLAB, write_recipe
from xrm_control import app
from xrm_control.analysis.core import AnalysisSpec
from xrm_control.app import Outcome
from xrm_control.contracts.quality import FrameCounts
from xrm_control.contracts.results import RunVerdict
from xrm_control.core.errors import (
    DataError,
    DeviceError,
    InstrumentUnreachable,
    InterlockOpen,
    MotionStalled,
    StorageError,
)
from xrm_control.core.events import (
    FrameRetaken,
    InstrumentLost,
    MoveStalled,
    RunHeld,
    SafeStateFailed,
    SafeStateVerified,
)
from xrm_control.core.states import RoiState, RunState, Verdict
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.storage.formats.ome_tiff import write_volume_16bit
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")


def carry_out(folder: Path, **changes: Any) -> Outcome:
    return app.run(app.load(write_recipe(folder, **changes)), folder / "runs", None)


def with_faults(*faults: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"instrument": {**SHORT["instrument"], "faults": list(faults)}, **changes}


def journal_of(outcome: Outcome) -> JournalReader:
    return JournalReader.open(RunFolder.open(outcome.folder).journal)


def hashes(outcome: Outcome) -> dict[str, str]:
    with journal_of(outcome) as journal:
        return {frame.path: frame.sha256 for _, frame in journal.stored_frames()}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return carry_out(tmp_path_factory.mktemp("calm"))


FILES = [
    *("recipe.yaml", "plan.json", "journal.sqlite", "log.jsonl", "truth.json", "rois.json", "mosaic.ome.tif"),
    *("mosaic.png", "results.json", "report.html", "frames/mosaic/tile_r01_c01.tif", "frames/roi-01/proj_0060.tif"),
    *("frames/roi-01/flat_0005.tif", "frames/roi-01/dark_0002.tif", "roi-01/handoff.json", "roi-01/volume.ome.tif"),
    *("roi-01/labels.ome.tif", "roi-01/particles.csv", "roi-01/voids.csv", "roi-01/quality.json"),
    *("particles.csv", "voids.csv", "columns.json", "roi-01/columns.json"),
]


@pytest.mark.parametrize("name", FILES)
def test_the_run_folder_holds(calm: Outcome, name: str) -> None:
    assert (calm.folder / name).stat().st_size > 0


def test_nothing_half_written_is_left(calm: Outcome) -> None:
    assert not list(calm.folder.rglob("*.part"))


def test_every_planned_frame_is_kept_and_whole(calm: Outcome) -> None:
    assert calm.exit_code == 0
    assert calm.results.verdict == RunVerdict(status=Verdict.COMPLETE)
    with journal_of(calm) as journal:
        accounting = journal.accounting()
        assert (accounting.planned, accounting.missing, accounting.open) == (4 + 6 + 61 + 6 + 3, 0, 0)
        assert accounting.complete
        state = journal.state()
        assert state is not None
        assert state.state == RunState.DONE


def test_every_artifact_has_the_hash_that_was_committed(calm: Outcome) -> None:
    from xrm_control.storage.durable import sha256_file

    with journal_of(calm) as journal:
        artifacts = journal.artifacts()
    assert {"mosaic.ome.tif", "roi-01/volume.ome.tif", "roi-01/particles.csv", "results.json"} <= set(artifacts)
    for name, artifact in artifacts.items():
        assert sha256_file(calm.folder / name) == artifact.sha256, name


def test_a_region_is_judged_by_what_is_stated_of_the_camera(calm: Outcome) -> None:
    """A photon makes as many counts by the flats as by the camera: the run has told the check of both."""
    checks = json.loads((calm.folder / "roi-01/quality.json").read_text())["checks"]
    (noise,) = (one for one in checks if one["check"] == "noise")
    (gain,) = (one for one in noise["evidence"] if one["name"] == "gain by the flats over the camera's")
    assert gain["value"] == pytest.approx(1.0, abs=0.2)


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def mean_of(rows: list[dict[str, str]], name: str, weight: str) -> float:
    weights = [float(row[weight]) for row in rows]
    return sum(w * float(row[name]) for w, row in zip(weights, rows, strict=True)) / sum(weights)


def test_the_run_s_tables_are_the_regions_and_the_counts_are_theirs(calm: Outcome) -> None:
    """Counted anew, without the code that reads and counts them; by what particles count is the run's own."""
    assert (calm.folder / "voids.csv").read_text() == (calm.folder / "roi-01/voids.csv").read_text()
    rows, of_region = (table(calm.folder / name) for name in ("particles.csv", "roi-01/particles.csv"))
    assert [{name: value for name, value in row.items() if name != "population_weight"} for row in rows] == of_region
    diameter = calm.results.population.quantities["equivalent_diameter_um"]
    assert mean_of(rows, "equivalent_diameter_um", "population_weight") == pytest.approx(diameter.mean, rel=1e-4)
    counts = calm.results.counts
    assert counts.particles == len(rows) > 20
    assert counts.whole_particles == sum(row["touches_boundary"] == "0" for row in rows)
    assert counts.voids == len((calm.folder / "voids.csv").read_text().splitlines()) - 1
    assert set(json.loads((calm.folder / "columns.json").read_text())) == {"version", "particles", "voids"}


def test_planned_time_is_the_time_it_takes(calm: Outcome) -> None:
    plan = json.loads((calm.folder / "plan.json").read_text())
    assert plan["total_s"] == pytest.approx(calm.results.instrument_times.total_s, rel=0.03)


def test_the_same_seed_gives_the_same_hashes(calm: Outcome, tmp_path: Path) -> None:
    again = carry_out(tmp_path)
    assert hashes(again) == hashes(calm)
    for name in (
        "roi-01/volume.ome.tif",
        "roi-01/labels.ome.tif",
        "roi-01/particles.csv",
        "truth.json",
        "mosaic.ome.tif",
    ):
        assert (again.folder / name).read_bytes() == (calm.folder / name).read_bytes(), name


def test_a_volume_alone_gives_the_same_particles(calm: Outcome, tmp_path: Path) -> None:
    """`xrm analyze` on the float volume repeats the run's table; on 16 bit it agrees to the rounding."""
    reduced = tmp_path / "volume-16bit.tif"
    volume, voxel_um = read_volume(calm.folder / "roi-01/volume.ome.tif")
    write_volume_16bit(reduced, volume, voxel_um or 0.0)
    counted = calm.results.counts
    for source in (calm.folder / "roi-01/volume.ome.tif", reduced):
        out = tmp_path / source.stem
        results = app.analyze(source, out, AnalysisSpec())
        assert results.counts.particles == counted.particles
        # A volume alone knows no mosaic: its particles count by the field's border.
        of_region = table(calm.folder / "roi-01/particles.csv")
        for name in ("equivalent_diameter_um", "mean_attenuation_per_um"):
            expected = mean_of(of_region, name, "weight")
            assert results.population.quantities[name].mean == pytest.approx(expected, rel=2e-3)


def test_another_seed_gives_others(calm: Outcome, tmp_path: Path) -> None:
    scan = {"projections": 7, "references": {"kind": "before", "count": 1}, "darks": 1}
    other = carry_out(tmp_path, instrument={**SHORT["instrument"], "seed": 4}, scan=scan)
    assert not set(hashes(other).values()) & set(hashes(calm).values())


# Motion 6 of theta is a projection; frame 30 and second 60 lie in the scan.
DECLARED = [
    ({"kind": "stall", "axis": "theta", "move": 6}, MoveStalled.kind, 0),
    ({"kind": "dropped_frame", "frames": [30]}, FrameRetaken.kind, 1),
    ({"kind": "nan_frame", "frames": [30]}, FrameRetaken.kind, 1),
    ({"kind": "beam_loss", "at_s": 60.0, "duration_s": 600.0}, RunHeld.kind, 1),
    ({"kind": "disconnect", "at_s": 60.0, "duration_s": 600.0}, InstrumentLost.kind, 1),
    ({"kind": "disconnect", "at_s": 0.1, "duration_s": 30.0}, InstrumentLost.kind, 0),
]


@pytest.mark.parametrize(
    ("fault", "event", "retaken"), DECLARED, ids=lambda item: item["kind"] if isinstance(item, dict) else ""
)
def test_a_fault_ends_as_declared_and_nothing_is_lost(
    tmp_path: Path, fault: dict[str, Any], event: str, retaken: int
) -> None:
    outcome = carry_out(tmp_path, **with_faults(fault, **SLAB))
    assert outcome.exit_code == 0
    with journal_of(outcome) as journal:
        accounting = journal.accounting()
        kinds = [record.kind for _, record in journal.events()]
    assert (accounting.complete, accounting.retaken) == (True, retaken)
    assert event in kinds
    assert kinds.count(SafeStateVerified.kind) == 1


def test_frames_that_never_come_are_never_a_success(tmp_path: Path) -> None:
    """Ten projections lost of 61, at the end again, are more than a volume may miss: the region is set aside."""
    frames = [*range(30, 70), *range(111, 151)]
    outcome = carry_out(tmp_path, **with_faults({"kind": "dropped_frame", "frames": frames}))
    assert outcome.exit_code == 5
    assert outcome.results.verdict.status == Verdict.INCOMPLETE
    assert any("roi-01 is set aside" in reason for reason in outcome.results.verdict.reasons)
    with journal_of(outcome) as journal:
        assert journal.accounting("roi-01").missing == 10
        assert journal.roi_states()["roi-01"].state == RoiState.QUARANTINED


def test_a_few_missing_projections_are_named_and_the_volume_is_made(tmp_path: Path) -> None:
    frames = [*range(30, 34), *range(84, 88)]
    outcome = carry_out(tmp_path, **with_faults({"kind": "dropped_frame", "frames": frames}, **SLAB))
    assert outcome.exit_code == 5
    assert outcome.results.verdict.status == Verdict.INCOMPLETE
    assert outcome.results.counts.particles > 5
    assert outcome.results.quality["roi-01"].frames == FrameCounts(kept=69, retaken=8, missing=1)


def ended(folder: Path) -> tuple[str, list[str], dict[str, Any]]:
    """State, kinds of events and results of the one run in a folder."""
    (run,) = (folder / "runs").iterdir()
    with JournalReader.open(run / "journal.sqlite") as journal:
        state = journal.state()
        kinds = [record.kind for _, record in journal.events()]
    assert state is not None
    return state.state, kinds, json.loads((run / "results.json").read_text())


def test_a_shutter_that_stays_open_at_the_end_is_no_success(tmp_path: Path) -> None:
    """Everything is measured and reported, and yet the run has failed: it could not leave the instrument safe."""
    with pytest.raises(DeviceError, match="safe state was not reached"):
        carry_out(tmp_path, **with_faults({"kind": "stuck_shutter", "at_s": 60.0}, **SLAB))
    state, kinds, results = ended(tmp_path)
    assert (state, results["verdict"]["status"]) == (RunState.FAILED, Verdict.FAILED)
    assert SafeStateFailed.kind in kinds
    assert SafeStateVerified.kind not in kinds
    assert results["counts"]["particles"] > 5


def test_regions_scanned_before_a_failure_are_still_measured(tmp_path: Path) -> None:
    """On a clock of its own the first region is still being reconstructed when the second one's motion fails."""
    changes = with_faults(
        {"kind": "stall", "axis": "theta", "move": 60, "times": 99},
        roi={"kind": "manual", "positions": [{"x_um": -32.0, "y_um": 0.0}, {"x_um": 34.0, "y_um": 0.0}]},
        mosaic={"columns": 3, "rows": 1},
        scan={**SHORT["scan"], "projections": 41},
    )
    with pytest.raises(MotionStalled):
        app.run(app.load(write_recipe(tmp_path, **changes)), tmp_path / "runs", "200")
    state, _, results = ended(tmp_path)
    assert (state, results["verdict"]["status"]) == (RunState.FAILED, Verdict.FAILED)
    assert results["counts"]["particles"] > 5


def test_a_full_disk_under_a_volume_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("cannot be written: the disk is full", where="volume.ome.tif")

    monkeypatch.setattr("xrm_control.processing.regions.keep_volume", full)
    with pytest.raises(StorageError, match="disk is full"):
        carry_out(tmp_path)
    state, kinds, _ = ended(tmp_path)
    assert state == RunState.FAILED
    assert SafeStateVerified.kind in kinds


def test_an_instrument_that_answers_again_after_it_was_given_up_is_still_made_safe(tmp_path: Path) -> None:
    lost = with_faults({"kind": "disconnect", "at_s": 60.0, "duration_s": 18.0})
    with pytest.raises(InstrumentUnreachable):
        carry_out(tmp_path, **lost, retry={"instrument_wait_s": 10.0})
    state, kinds, _ = ended(tmp_path)
    assert state == RunState.FAILED
    assert kinds.count(SafeStateVerified.kind) == 1


def test_an_interlock_that_opens_ends_the_run_and_is_not_waited_for(tmp_path: Path) -> None:
    """It comes back by itself after ten seconds; re-arming is a person's business all the same."""
    with pytest.raises(InterlockOpen, match="does not permit beam"):
        carry_out(tmp_path, **with_faults({"kind": "interlock", "at_s": 60.0, "duration_s": 10.0}))
    state, kinds, results = ended(tmp_path)
    assert (state, results["verdict"]["status"]) == (RunState.FAILED, Verdict.FAILED)
    assert SafeStateVerified.kind in kinds
    assert RunHeld.kind not in kinds


def test_a_stall_that_stays_fails_safely_and_says_how_far_it_came(tmp_path: Path) -> None:
    changes = with_faults({"kind": "stall", "axis": "theta", "move": 20, "times": 99})
    with pytest.raises(MotionStalled):
        carry_out(tmp_path, **changes)
    (folder,) = (tmp_path / "runs").iterdir()
    results = json.loads((folder / "results.json").read_text())
    assert results["verdict"]["status"] == Verdict.FAILED
    assert "theta" in results["verdict"]["reasons"][0]
    assert (folder / "report.html").is_file()
    with JournalReader.open(folder / "journal.sqlite") as journal:
        kinds = [record.kind for _, record in journal.events()]
        state = journal.state()
        accounting = journal.accounting("roi-01")
    assert state is not None
    assert state.state == RunState.FAILED
    assert SafeStateVerified.kind in kinds
    assert accounting.kept > 10
    assert accounting.open > 0


def test_a_region_can_be_reconstructed_anew(calm: Outcome, tmp_path: Path) -> None:
    """The same way: the same voxels. Another way: other ones, of the same particles."""
    before, voxel_um = read_volume(calm.folder / "roi-01" / "volume.ome.tif")
    same = tmp_path / "same.ome.tif"
    made = app.reconstruct(calm.folder / "roi-01", same, ReconstructionSpec())
    again, voxel_again_um = read_volume(same)
    assert np.array_equal(again, before)
    assert voxel_again_um == voxel_um
    assert made.quality["views"] == 61
    smooth = tmp_path / "smooth.ome.tif"
    app.reconstruct(calm.folder / "roi-01", smooth, ReconstructionSpec.model_validate({"method": {"kind": "tv"}}))
    other, _ = read_volume(smooth)
    assert np.corrcoef(other.ravel(), before.ravel())[0, 1] > 0.8
    for source, says in (("roi-07", "no such file"), ("", "name one of its regions")):
        with pytest.raises(DataError, match=says):
            app.reconstruct(calm.folder / source, tmp_path / "none.ome.tif", ReconstructionSpec())
