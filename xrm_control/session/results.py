"""results.json: what a run found out, summed up from its own files."""

from __future__ import annotations

import importlib.metadata

from xrm_control.analysis.population import pool
from xrm_control.contracts.quality import FrameCounts, QualityMetrics
from xrm_control.contracts.results import RunResults
from xrm_control.contracts.tables import Particle
from xrm_control.processing.measured import compare_with_truth, read_measured
from xrm_control.session.context import RunContext

_VERSIONED = ("xrm_control", "astra-toolbox", "numpy", "scipy", "scikit-image", "SimpleITK", "tifffile", "xraydb")


def sum_up(run: RunContext, status: str, reasons: tuple[str, ...] = ()) -> RunResults:
    """The content of results.json. `status`: complete, incomplete, aborted or failed; `reasons` say why."""
    folder, progress, journal = run.folder, run.progress, run.journal
    measured = read_measured(folder, progress.reported)
    particles, voids = measured.particles, measured.voids
    frames = journal.accounting_by_roi()
    record = journal.run()
    quality = {
        roi: progress.quality.get(roi, QualityMetrics()).model_copy(
            update={"frames": FrameCounts(kept=fate.kept, retaken=fate.retaken, missing=fate.missing)}
        )
        for roi, fate in frames.items()
        if roi
    }
    pooled = pool(particles, voids, seed=run.recipe.analysis.seed)
    camera, binning = run.description.camera, run.recipe.scan.binning
    return RunResults.model_validate(
        {
            "run": folder.name,
            "recipe_name": run.recipe.name,
            "recipe_sha256": run.recipe.sha256(),
            "backend": record.backend,
            "simulated": record.simulated,
            "started_utc": record.started_utc,
            "versions": {name: importlib.metadata.version(name) for name in _VERSIONED},
            "sample": run.recipe.sample,
            "instrument_times": {
                "mosaic_s": progress.mosaic_s,
                "scan_s": progress.scan_s,
                "total_s": run.clock.now_s(),
            },
            "counts": {
                "tiles": sum(plan.kind == "tile" for plan, _ in journal.stored_frames("")) if "" in frames else 0,
                "particles_in_mosaic": progress.particles_in_mosaic,
                "rois": len(progress.rois),
                "projections": _projections(run),
                "particles": len(particles),
                "whole_particles": int((~particles.flags(Particle.touches_boundary)).sum()),
                "voids": None if voids is None else len(voids),
            },
            "table1": pooled.table1,
            "population": pooled.population,
            "quality": quality,
            "truth": compare_with_truth(
                folder, progress.reported, measured, camera.width_px // binning, camera.binned_pixel_um(binning)
            ),
            "verdict": {"status": status, "reasons": reasons},
        }
    )


def _projections(run: RunContext) -> int:
    by_roi = [
        sum(plan.kind == "projection" for plan in run.journal.planned_frames(roi["name"])) for roi in run.progress.rois
    ]
    return max(by_roi, default=0)
