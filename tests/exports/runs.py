"""A run with one scanned region, made without an instrument."""

from __future__ import annotations

from pathlib import Path

from tests.scan_on_disk import scan_job
from tests.system.conftest import write_recipe
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import PlannedFrame
from xrm_control.storage.run_folder import RunFolder

ROI = "roi-01"


def scanned_run(folder: Path) -> RunFolder:
    """61 projections, with flats and darks of 48 x 64 pixels of 0.512 um, and its recipe."""
    recipe = write_recipe(folder, sample={"name": "NMC 811"})
    begun_with = load_document(recipe, Recipe)[0].sha256()
    run = RunFolder.open(scan_job(folder / "runs", recipe_sha256=begun_with).scan.run)
    run.recipe.write_bytes(recipe.read_bytes())
    return run


def plan_one_more(run: RunFolder) -> None:
    """A projection that nobody has taken."""
    name = FrameId.projection(ROI, 900)
    plan = PlannedFrame(name, "scanning", FrameKind.PROJECTION, 900, Pose(0, 0, 0, 95.0), 1, 8, ROI)
    with Journal.open(run.journal) as journal:
        journal.plan_frames([plan])
