"""results.json: what a run found out, summed up from its own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xrm_control.analysis.population import pool
from xrm_control.contracts.handoff import HANDOFF
from xrm_control.contracts.quality import FOREIGN_QUALITY, QUALITY, FrameCounts, QualityMetrics
from xrm_control.contracts.results import RESULTS, ChainMark, InstrumentTimes, RunCounts, RunResults, RunVerdict
from xrm_control.contracts.rois import ROIS
from xrm_control.contracts.tables import Particle
from xrm_control.core.clock import utc_now
from xrm_control.core.events import EventStream
from xrm_control.core.states import FrameKind, Verdict
from xrm_control.core.version import version_of
from xrm_control.processing.achieved import achieved, judge, pauses
from xrm_control.processing.expectation import expectations
from xrm_control.processing.incidents import incidents
from xrm_control.processing.lot import lot_verdict
from xrm_control.processing.measured import compare_with_truth, read_measured, write_run_tables
from xrm_control.processing.mosaic_sizes import mosaic_sizes
from xrm_control.processing.outcomes import outcomes
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.artifacts import record_file, require_recorded
from xrm_control.storage.journal import Journal
from xrm_control.storage.journal_reader import JournalQueries
from xrm_control.storage.recorder import EventRecorder
from xrm_control.storage.records import ArtifactKind
from xrm_control.storage.run_folder import RoiFolder, RunFolder
from xrm_control.storage.settling import settle

_VERSIONED = ("xrm_control", "astra-toolbox", "numpy", "scipy", "scikit-image", "SimpleITK", "tifffile", "xraydb")


def sum_up(
    folder: RunFolder,
    journal: JournalQueries,
    recipe: Recipe,
    verdict: Verdict,
    reasons: tuple[str, ...] = (),
    measured_in: RunFolder | None = None,
    reported: tuple[str, ...] | None = None,
) -> RunResults:
    """The content of results.json, from the run's journal and files; `reasons` say why the `verdict` is no better.

    measured_in, reported: where the tables of which regions are; none: the run's own.
    """
    run, record, frames = achieved(folder, journal), journal.run(), journal.accounting_by_roi()
    place = folder if measured_in is None else measured_in
    regions = run.reported if reported is None else reported
    measured = read_measured(place, regions)
    particles, voids = measured.particles, measured.voids
    quality = {
        roi: (quality_of(place.roi(roi), recipe.handoff.foreign) if roi in regions else QualityMetrics())
        .model_copy(update={"frames": FrameCounts(kept=fate.kept, retaken=fate.retaken, missing=fate.missing)})
        for roi, fate in frames.items()
        if roi
    }  # fmt: skip
    mosaic = mosaic_sizes(folder)
    pooled = pool(particles, voids, seed=recipe.analysis.seed, mosaic=mosaic)
    camera, binning = recipe.instrument.describe().camera, recipe.scan.binning
    return RunResults(
        run=record.name,
        recipe_name=recipe.name,
        recipe_sha256=recipe.sha256(),
        backend=record.backend,
        simulated=record.simulated,
        started_utc=record.started_utc,
        versions={name: found for name in _VERSIONED if (found := version_of(name)) is not None},
        sample=recipe.sample,
        instrument_times=InstrumentTimes(mosaic_s=run.mosaic_s, scan_s=dict(run.scan_s), total_s=run.total_s),
        counts=RunCounts(
            tiles=sum(plan.kind is FrameKind.TILE for plan, _ in journal.stored_frames("")) if "" in frames else 0,
            particles_in_mosaic=run.particles_in_mosaic,
            particles_in_mosaic_between=run.particles_between,
            rois=len(run.rois),
            projections=_projections(journal, run.rois),
            particles=len(particles),
            whole_particles=int((~particles.flags(Particle.touches_boundary)).sum()),
            moved_particles=int(np.isfinite(particles.numbers(Particle.moved_um)).sum()) or None,
            voids=None if voids is None else len(voids),
        ),
        table1=pooled.table1,
        population=pooled.population,
        quality=quality,
        truth=compare_with_truth(
            folder,
            place,
            regions,
            measured,
            camera.width_px // binning,
            camera.binned_pixel_um(binning),
            recipe.scan.axis_offset_um,
        ),
        verdict=RunVerdict(status=verdict, reasons=reasons),
        pauses=pauses(journal),
        incidents=incidents(journal),
        frames=outcomes(folder, journal),
        expectations=expectations(ROIS.read(folder.rois).rois, quality) if folder.rois.is_file() else (),
        lot=lot_verdict(recipe, particles, quality, tuple(regions), mosaic),
        chain=None if (link := journal.chain_of_facts()) is None else ChainMark(rows=link.rows, sha256=link.sha256),
    )


def sum_up_again(folder: RunFolder) -> None:
    """Write results.json of a run that nobody carries out any more, after what it left half done was settled.

    Raises ResourceLocked when somebody does; Altered when a table is not what was recorded; RecipeError, DataError or
    StorageError when its files cannot be used.
    """
    recipe, _ = load_document(folder.recipe, Recipe, {})
    with folder.lock(), Journal.open(folder.journal) as journal:
        t_s = journal.last_t_s() or 0.0
        events = EventStream(lambda: t_s)
        EventRecorder(folder, journal, lambda: utc_now().isoformat()).listen_to(events)
        settle(folder, journal, t_s, events.emit)
        found, known = achieved(folder, journal), journal.artifacts()
        require_recorded(folder, (known.get(folder.relative(path)) for path in _summed(folder, found.reported)))
        verdict, reasons = judge(found, recipe, journal, folder)
        results = sum_up(folder, journal, recipe, verdict, reasons)
        made = [(folder.write_text(folder.results, RESULTS.text(results), replace=True), ArtifactKind.RESULTS)]
        made += [(path, ArtifactKind.TABLE) for path in write_run_tables(folder, found.reported, mosaic_sizes(folder))]
        for path, kind in made:
            record_file(folder, journal, path, kind, t_s)
        events.sum_up()


def _summed(folder: RunFolder, rois: Sequence[str]) -> list[Path]:
    """The files that a run is summed up from, besides its journal."""
    places = [folder.roi(roi) for roi in rois]
    of_regions = [
        path for place in places for path in (place.particles, place.voids, place.columns, place.quality, place.handoff)
    ]
    return [folder.rois, folder.truth, *of_regions]


def quality_of(place: RoiFolder, foreign: bool) -> QualityMetrics:
    """Quality figures of a region that was measured. `foreign`: by another analysis core than the built-in one."""
    handed = HANDOFF.read(place.handoff).quality
    if not foreign:
        return handed.joined(QUALITY.read(place.quality).metrics)
    stated = FOREIGN_QUALITY.read(place.quality).metrics if place.quality.is_file() else QualityMetrics()
    # What the reconstruction has found is not for another's analysis to change.
    return stated.joined(handed)


def _projections(journal: JournalQueries, rois: Sequence[str]) -> int:
    by_roi = [sum(plan.kind is FrameKind.PROJECTION for plan in journal.planned_frames(roi)) for roi in rois]
    return max(by_roi, default=0)
