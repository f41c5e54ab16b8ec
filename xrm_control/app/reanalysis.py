"""A run's volumes measured again with other settings of the analysis: nothing is acquired, nothing reconstructed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from xrm_control.app.outcome import Outcome
from xrm_control.contracts.results import RESULTS
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.errors import Interrupted, RecipeError, StorageError, XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import Verdict
from xrm_control.processing.begun_with import recipe_begun_with
from xrm_control.processing.reanalysis import (
    Reanalysis,
    is_done,
    is_measured,
    measure_again,
    record_region,
    record_report,
    sum_up_again,
    trust_job,
    volumes_of,
)
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.handoff import find_core
from xrm_control.recipe.loading import load_document
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RunFolder

# `compute` changes who computes, and no result.
_SETTABLE = ("analysis", "handoff", "compute")
_ELSEWHERE = {
    "reconstruction": "`xrm reconstruct RUN/roi-01` makes a volume in another way, `xrm analyze` measures it",
}
# What an analysis may fail with; it costs its region, not the others.
_FAILURES = (XrmError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)

Tell = Callable[[str], None]


def reanalyze(path: Path, settings: Mapping[str, str], tell: Tell = lambda _: None) -> Outcome:
    """Measure the volumes of a run again, beside its own results; the same again does nothing anew.

    settings: as `--set` takes them, of the recipe's `analysis`, `handoff` and `compute`; `tell` hears how far it is.
    Raises RecipeError for other settings, Altered for a volume that is not what was recorded, ResourceLocked while
    somebody carries the run out.
    """
    _require_settable(settings)
    folder = RunFolder.open(path)
    with folder.lock(), Journal.open(folder.journal) as journal:
        recipe_begun_with(folder, journal.run())
        recipe, source = load_document(folder.recipe, Recipe, settings)
        find_core(recipe.handoff)
        told = {key: value for key, value in settings.items() if key.partition(".")[0] != "compute"}
        work = Reanalysis(folder, recipe, source.effective_text, told, volumes_of(folder, journal))
        if is_done(work, journal):
            tell(f"is there already: {work.place.path}")
        else:
            _carry_out(work, journal, tell)
    results = RESULTS.read(work.place.results)
    complete = results.verdict.status is Verdict.COMPLETE
    return Outcome(work.place.path, ExitCode.OK if complete else ExitCode.PARTLY, results)


def _carry_out(work: Reanalysis, journal: Journal, tell: Tell) -> None:
    from xrm_control.reporting.report import build_report
    from xrm_control.reporting.run_data import Beside

    failed: dict[str, str] = {}

    async def regions() -> None:
        with work.recipe.compute.open(tell) as workers:

            async def one(roi: str) -> None:
                try:
                    await workers.run(measure_again, work, roi, trust_job(work, journal, roi))
                except StorageError:
                    # A disk that fails or is full is no fault of this region.
                    raise
                except _FAILURES as error:
                    failed[roi] = str(error) or type(error).__name__
                    tell(f"{roi} cannot be measured so: {failed[roi]}")
                    return
                record_region(work, journal, roi)
                tell(f"{roi} is measured")

            left = [roi for roi in sorted(work.volumes) if not is_measured(work, journal, roi)]
            await asyncio.gather(*(one(roi) for roi in left))

    try:
        run_on_clock(regions(), 1.0)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; what is done of the re-analysis is kept",
            where=str(work.place.path),
            remedy="the same command goes on from there",
        ) from None
    sum_up_again(work, journal, failed)
    page = build_report(work.folder.path, Beside(work.place.path, work.recipe.handoff.foreign))
    work.folder.write_text(work.place.report, page, replace=True)
    record_report(work, journal)


def _require_settable(settings: Mapping[str, str]) -> None:
    for key in settings:
        part = key.replace("[", ".").partition(".")[0]
        if part not in _SETTABLE:
            raise RecipeError(
                "cannot be changed for what is taken already",
                where=f"--set {key}",
                limit=", ".join(f"{name}..." for name in _SETTABLE),
                remedy=_ELSEWHERE.get(part, "start the changed recipe as a run of its own"),
            )
