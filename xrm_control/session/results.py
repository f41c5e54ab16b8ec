"""results.json: what a run found out, summed up from its own files."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xrm_control.analysis.population import pool
from xrm_control.analysis.tables import Row, read_rows
from xrm_control.analysis.truth_match import Field, match_truth, rotation_axis_error_px
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind, Verdict
from xrm_control.session.context import RunContext
from xrm_control.storage.run_folder import RunFolder

_VERSIONED = ("xrm_control", "astra-toolbox", "numpy", "scipy", "scikit-image", "SimpleITK", "tifffile", "xraydb")


def sum_up(run: RunContext, status: Verdict, reasons: tuple[str, ...] = ()) -> dict[str, Any]:
    """The content of results.json. `reasons` say why it is no more."""
    folder, progress, journal = run.folder, run.progress, run.journal
    particles, voids = measured(folder, progress.reported)
    frames = journal.accounting_by_roi()
    record = journal.run()
    quality = {
        roi: {
            **progress.quality.get(roi, {}),
            "frames": {"kept": frames[roi].kept, "retaken": frames[roi].retaken, "missing": frames[roi].missing},
        }
        for roi in frames
        if roi
    }
    mosaic = frames.get("")
    return {
        "run": folder.name,
        "recipe_name": run.recipe.name,
        "recipe_sha256": run.recipe.sha256(),
        "backend": record.backend,
        "simulated": record.simulated,
        "started_utc": record.started_utc,
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONED},
        "sample": run.recipe.sample.model_dump(mode="json"),
        "instrument_times": {
            "mosaic_s": progress.mosaic_s,
            "scan_s": progress.scan_s,
            "total_s": run.clock.now_s(),
        },
        "counts": {
            "tiles": sum(plan.kind == FrameKind.TILE for plan, _ in journal.stored_frames("")) if mosaic else 0,
            "particles_in_mosaic": progress.particles_in_mosaic,
            "rois": len(progress.rois),
            "projections": _projections(run),
            "particles": len(particles),
            "whole_particles": sum(not int(row["touches_boundary"]) for row in particles),
            "voids": None if voids is None else len(voids),
        },
        **pool(particles, voids, seed=run.recipe.analysis.seed),
        "quality": quality,
        "truth": _truth(run, particles, voids) if particles else None,
        "verdict": {"status": status, "reasons": list(reasons)},
    }


def measured(folder: RunFolder, rois: list[str]) -> tuple[list[Row], list[Row] | None]:
    """Rows of particles.csv and voids.csv of the ROIs that were analysed; None where voids were not looked for."""
    places = [folder.roi(roi) for roi in rois]
    particles = [row for place in places for row in read_rows(place.particles)]
    if not all(place.voids.is_file() for place in places):
        return particles, None
    return particles, [row for place in places for row in read_rows(place.voids)]


def _projections(run: RunContext) -> int:
    by_roi = [
        sum(plan.kind == FrameKind.PROJECTION for plan in run.journal.planned_frames(roi["name"]))
        for roi in run.progress.rois
    ]
    return max(by_roi, default=0)


def _truth(run: RunContext, particles: list[Row], voids: list[Row] | None) -> dict[str, Any] | None:
    truth = read_json(run.folder.truth)
    if truth is None:
        return None
    fields = []
    axis_error_px = {}
    pixel_um = run.description.camera.binned_pixel_um(run.recipe.scan.binning)
    columns = run.description.camera.width_px // run.recipe.scan.binning
    for roi in run.progress.reported:
        handoff = read_json(run.folder.roi(roi).handoff) or {}
        centre = handoff["centre_stage_um"]
        depth, height, width = handoff["shape"]
        fields.append(
            Field(
                roi,
                Pose(centre["x"], centre["y"], centre["z"], 0.0),
                (depth, height, width),
                handoff["voxel_size_um"],
            )
        )
        offset_um = truth["rotation_axis"]["offset_um"]
        axis_error_px[roi] = rotation_axis_error_px(handoff["rotation_axis_px"], columns, offset_um, pixel_um)
    found = match_truth(particles, voids or [], truth, fields)
    if voids is None:
        found["voids"] = []
    return {**found, "rotation_axis_error_px": axis_error_px}


def read_json(path: Path) -> Mapping[str, Any] | None:
    """A JSON object of the run folder; None when the file is not there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
