"""What is left of a run: by its regions as they are, not by the recipe's plan alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from xrm_control.contracts.plan import PLAN
from xrm_control.contracts.rois import ROIS
from xrm_control.core.states import RoiState
from xrm_control.dashboard.planned import planned_of
from xrm_control.storage.records import RoiStateRecord, StageProgress
from xrm_control.storage.run_folder import RunFolder

MOSAIC, SCAN = 3, 34  # frames of each in this run


@pytest.fixture
def folder(ended: Path, tmp_path: Path) -> RunFolder:
    """Four regions are known where the recipe's plan had one."""
    folder = RunFolder(tmp_path)
    for name in ("plan.json", "rois.json"):
        shutil.copy(ended / name, tmp_path / name)
    known = ROIS.read(folder.rois)
    four = tuple(known.rois[0].model_copy(update={"name": f"roi-0{number}"}) for number in (1, 2, 3, 4))
    ROIS.write(folder.rois, known.model_copy(update={"rois": four}))
    return folder


def set_aside(*names: str) -> dict[str, RoiStateRecord]:
    return {name: RoiStateRecord(RoiState.QUARANTINED, 1.0, "skipped") for name in names}


@pytest.mark.parametrize(
    ("stages", "aside", "scans"),
    [
        ({}, (), 4 * SCAN),
        ({"roi-01": (5, SCAN)}, (), 4 * SCAN),
        # A region with more frames than the plan had for one.
        ({"roi-01": (5, 50)}, (), 50 + 3 * SCAN),
        # One that was set aside in its scan, and one before it.
        ({"roi-01": (SCAN, SCAN), "roi-02": (7, SCAN)}, ("roi-02", "roi-03"), SCAN + 7 + SCAN),
    ],
)
def test_frames_and_time_are_those_of_the_regions(
    folder: RunFolder, stages: dict[str, tuple[int, int]], aside: tuple[str, ...], scans: int
) -> None:
    plan = PLAN.read(folder.plan)
    told = [StageProgress("mosaic", "", MOSAIC, MOSAIC)]
    told += [StageProgress(roi, roi, done, planned) for roi, (done, planned) in stages.items()]
    found = planned_of(folder, told, set_aside(*aside))
    assert found.images == MOSAIC + scans
    scan = plan.stage("roi-01")
    assert scan is not None
    assert found.seconds == pytest.approx(plan.total_s - scan.seconds + scan.seconds * scans / SCAN)


def test_before_regions_are_known_the_plan_counts_and_without_one_the_journal(folder: RunFolder) -> None:
    folder.rois.unlink()
    plan = PLAN.read(folder.plan)
    assert planned_of(folder, [], {}).images == MOSAIC + SCAN
    assert planned_of(folder, [], {}).seconds == plan.total_s
    folder.plan.unlink()
    assert planned_of(folder, [StageProgress("mosaic", "", 1, MOSAIC)], {}).images == MOSAIC
