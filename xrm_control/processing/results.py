"""results.json: what a run found out, summed up from its own files."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from xrm_control.analysis.population import pool
from xrm_control.analysis.tables import Row, read_rows
from xrm_control.analysis.truth_match import Field, match_truth, rotation_axis_error_px
from xrm_control.core.clock import utc_now
from xrm_control.core.events import EventStream
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind, Verdict
from xrm_control.processing.achieved import achieved, judge, read_json
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import Journal
from xrm_control.storage.journal_reader import JournalQueries
from xrm_control.storage.recorder import EventRecorder
from xrm_control.storage.records import Artifact
from xrm_control.storage.run_folder import RoiFolder, RunFolder
from xrm_control.storage.settling import settle

_VERSIONED = ("xrm_control", "astra-toolbox", "numpy", "scipy", "scikit-image", "SimpleITK", "tifffile", "xraydb")


def sum_up(
    folder: RunFolder, journal: JournalQueries, recipe: Recipe, verdict: Verdict, reasons: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The content of results.json, from the run's journal and files; `reasons` say why the `verdict` is no better."""
    run, record, frames = achieved(folder, journal), journal.run(), journal.accounting_by_roi()
    particles, voids = measured(folder, run.reported)
    foreign = recipe.handoff.foreign
    quality = {
        roi: {
            **(quality_of(folder.roi(roi), foreign) if roi in run.reported else {}),
            "frames": {"kept": frames[roi].kept, "retaken": frames[roi].retaken, "missing": frames[roi].missing},
        }
        for roi in frames
        if roi
    }
    mosaic = frames.get("")
    return {
        "run": folder.name,
        "recipe_name": recipe.name,
        "recipe_sha256": recipe.sha256(),
        "backend": record.backend,
        "simulated": record.simulated,
        "started_utc": record.started_utc,
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONED},
        "sample": recipe.sample.model_dump(mode="json"),
        "instrument_times": {
            "mosaic_s": run.mosaic_s,
            "scan_s": dict(run.scan_s),
            "total_s": run.total_s,
        },
        "counts": {
            "tiles": sum(plan.kind == FrameKind.TILE for plan, _ in journal.stored_frames("")) if mosaic else 0,
            "particles_in_mosaic": run.particles_in_mosaic,
            "rois": len(run.rois),
            "projections": _projections(journal, run.rois),
            "particles": len(particles),
            "whole_particles": sum(not int(row["touches_boundary"]) for row in particles),
            "voids": None if voids is None else len(voids),
        },
        **pool(particles, voids, seed=recipe.analysis.seed),
        "quality": quality,
        "truth": _truth(folder, recipe, run.reported, particles, voids) if particles else None,
        "verdict": {"status": verdict, "reasons": list(reasons)},
    }


def sum_up_again(folder: RunFolder) -> None:
    """Write results.json of a run that nobody carries out any more, after what it left half done was settled.

    Raises ResourceLocked when somebody does; RecipeError, DataError or StorageError when its files cannot be used.
    """
    recipe, _ = load_document(folder.recipe, Recipe, {})
    with folder.lock(), Journal.open(folder.journal) as journal:
        t_s = journal.last_t_s() or 0.0
        events = EventStream(lambda: t_s)
        EventRecorder(folder, journal, lambda: utc_now().isoformat()).listen_to(events)
        settle(folder, journal, t_s, events.emit)
        verdict, reasons = judge(achieved(folder, journal), recipe, journal)
        path = folder.write_json(folder.results, sum_up(folder, journal, recipe, verdict, reasons), replace=True)
        journal.record_artifact(Artifact(folder.relative(path), sha256_file(path), path.stat().st_size, "results", t_s))
        events.sum_up()


def quality_of(place: RoiFolder, foreign: bool) -> dict[str, Any]:
    """Quality figures of a region that was measured. `foreign`: by another analysis core than the built-in one."""
    handed = dict((read_json(place.handoff) or {}).get("quality", {}))
    found = read_json(place.quality) or {}
    # What the reconstruction has found is not for another's analysis to change.
    return {**handed, **found, **(handed if foreign else {})}


def measured(folder: RunFolder, rois: Sequence[str]) -> tuple[list[Row], list[Row] | None]:
    """Rows of particles.csv and voids.csv of the ROIs that were analysed; None where voids were not looked for."""
    places = [folder.roi(roi) for roi in rois]
    particles = [row for place in places for row in read_rows(place.particles)]
    if not all(place.voids.is_file() for place in places):
        return particles, None
    return particles, [row for place in places for row in read_rows(place.voids)]


def _projections(journal: JournalQueries, rois: Sequence[str]) -> int:
    by_roi = [sum(plan.kind == FrameKind.PROJECTION for plan in journal.planned_frames(roi)) for roi in rois]
    return max(by_roi, default=0)


def _truth(
    folder: RunFolder, recipe: Recipe, rois: Sequence[str], particles: list[Row], voids: list[Row] | None
) -> dict[str, Any] | None:
    truth = read_json(folder.truth)
    if truth is None:
        return None
    fields = []
    axis_error_px = {}
    camera = recipe.instrument.describe().camera
    pixel_um = camera.binned_pixel_um(recipe.scan.binning)
    columns = camera.width_px // recipe.scan.binning
    for roi in rois:
        handoff = read_json(folder.roi(roi).handoff) or {}
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
