"""A scan as a run leaves it: frames and journal on the disk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.analysis.core import AnalysisSpec
from xrm_control.contracts.handoff import RecipeReference
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.processing.regions import ScanJob
from xrm_control.processing.scans import RunScan
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder

ROI, PIXEL_UM, MU = "roi-01", 0.5, 0.05


def scan_job(folder: Path, rows_at_a_time: int | None = None, recipe_sha256: str = "0" * 64) -> ScanJob:
    """A run of one ROI on the disk: two spheres of 6 and 8 um in 48 rows and 64 columns, 61 views.

    rows_at_a_time: so little memory that parts have no more rows. recipe_sha256: of the recipe it was begun with.
    """
    run = RunFolder.create(folder, "two", datetime(2025, 1, 2, tzinfo=UTC), "da5c")
    theta = np.linspace(-90, 90, 61)
    balls = [Ball(-6, 2, 0, 3, MU), Ball(6, -3, 2, 4, MU)]
    integrals = line_integrals(balls, theta, columns=64, rows=48, axis_px=31.5, pixel_um=PIXEL_UM)
    scan = scan_of(integrals, theta, PIXEL_UM, noise_seed=3)
    pictures = [
        *((FrameKind.PROJECTION, *view) for view in zip(scan.projections[:], theta, scan.time_s, strict=True)),
        *((FrameKind.FLAT, image, 0.0, t_s) for image, t_s in zip(scan.flats, scan.flat_time_s, strict=True)),
        *((FrameKind.DARK, image, 0.0, 0.0) for image in scan.darks),
    ]
    record = RunRecord(run.name, "two", recipe_sha256, "simulated", True, "")
    with Journal.create(run.journal, record) as journal:
        store = FrameStore(run, journal)
        for number, (kind, image, angle, t_s) in enumerate(pictures):
            pose = Pose(0, 0, 0, float(angle))
            name = FrameId.numbered(ROI, kind, number)
            journal.plan_frames([PlannedFrame(name, "scanning", kind, number, pose, 1, 8, ROI)])
            attempt = journal.intend(name, theta_deg=pose.theta_deg, t_s=number)
            store.store(name, attempt, image, Exposure(pose, float(t_s), float(t_s), number))
        frames = journal.stored_frames(ROI)
    memory_gb = 2.0 if rows_at_a_time is None else 80e-9 * 61 * 64 * (rows_at_a_time // 4 + 0.5)
    return ScanJob(
        scan=RunScan(run.path, ROI, PIXEL_UM, frames),
        centre_um=(10, 20, 30),
        detector_rows=48,
        reconstruction=ReconstructionSpec(memory_gb=memory_gb),
        analysis=AnalysisSpec(),
        volume_16bit=True,
        sample=None,
        recipe=RecipeReference(name="two", sha256="0" * 64),
    )
