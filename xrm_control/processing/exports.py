"""Regions of a run as exporters receive them: from its frames and journal alone."""

from __future__ import annotations

from functools import partial

import numpy as np

from xrm_control.core.errors import DataError
from xrm_control.core.states import FrameKind
from xrm_control.exports.region_scan import FrameStack, RegionScan
from xrm_control.processing.begun_with import recipe_begun_with
from xrm_control.processing.scans import RunScan, middle_s
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.verified_frames import VerifiedFrames


def scanned_regions(run: RunFolder) -> list[str]:
    """Regions with at least one kept frame, in planned order."""
    with JournalReader.open(run.journal) as journal:
        return [roi for roi, fate in journal.accounting_by_roi().items() if roi and fate.kept]


def region_scan(run: RunFolder, roi: str) -> RegionScan:
    """All kept frames of a region. Raises DataError where there are no projections, flats or darks, Altered where the
    recipe in its folder is another than the one that it was begun with.
    """
    with JournalReader.open(run.journal) as journal:
        record, fate, frames = journal.run(), journal.accounting(roi), journal.stored_frames(roi)
    recipe = recipe_begun_with(run, record)
    about = recipe.instrument.describe()
    notes: list[str] = []
    if fate.missing:
        notes.append(f"{fate.missing} of {fate.planned} planned frames are missing")
    if fate.open:
        notes.append(f"{fate.open} of {fate.planned} planned frames have not been taken: the scan is not whole")
    behind = sum(plan.kind is FrameKind.BLOCKER for plan, _ in frames)
    if behind:
        notes.append(f"{behind} frames behind an opaque blade are not in this file, and stray light is not taken off")
    repeats = sum(plan.kind is FrameKind.REPEAT for plan, _ in frames)
    if repeats:
        notes.append(f"{repeats} view that was taken once more at the scan's end is not in the file: no projection")
    if not frames:
        known = ", ".join(scanned_regions(run)) or "none"
        raise DataError(
            "the run has no frames of this region", where=str(run.path), value=roi, limit=f"scanned: {known}"
        )
    pixel_um = about.camera.binned_pixel_um(frames[0][0].binning)
    taken = RunScan(run.path, roi, pixel_um, frames)
    scan = RegionScan(
        run=record.name,
        roi=roi,
        sample=recipe.sample.name,
        simulated=record.simulated,
        started_utc=record.started_utc,
        recipe_sha256=record.recipe_sha256,
        projections=_stack(taken, FrameKind.PROJECTION),
        flats=_stack(taken, FrameKind.FLAT),
        darks=_stack(taken, FrameKind.DARK),
        pixel_size_um=pixel_um,
        energy_kev=about.energy_kev,
        notes=tuple(notes),
    )
    scan.require_one_shape()
    return scan


def _stack(scan: RunScan, kind: FrameKind) -> FrameStack:
    """In the order in which they were taken; hashes are verified whenever images are read."""
    stored = scan.of(kind)
    asked_s = {frame.frame_id: plan.exposure_s for plan, frame in scan.frames}
    return FrameStack(
        images=LazyFrames(
            (len(stored), *stored[0].shape), np.dtype(stored[0].dtype), partial(VerifiedFrames(scan.run).read, stored)
        ),
        theta_deg=np.array([frame.exposure.actual.theta_deg for frame in stored]),
        time_s=np.array([middle_s(frame) for frame in stored]),
        exposure_s=np.array([asked_s[frame.frame_id] for frame in stored]),
        frame_ids=tuple(frame.frame_id for frame in stored),
        sha256=tuple(frame.sha256 for frame in stored),
    )
