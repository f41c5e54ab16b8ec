"""A run as the page shows it, from its journal and files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from xrm_control import app
from xrm_control.core.progress import remaining_s
from xrm_control.core.states import ENDS, WAITING, FrameKind, RoiState, RunState
from xrm_control.dashboard.actions import actions
from xrm_control.dashboard.alarms import alarms
from xrm_control.dashboard.conditions import beside_now, watched_now
from xrm_control.dashboard.models_run import FrameView, RunView, StageView
from xrm_control.dashboard.mosaic import rois_of
from xrm_control.dashboard.planned import planned_of
from xrm_control.dashboard.runs import recipe_of, results_of, sample_of
from xrm_control.processing.achieved import pauses
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.records import PlannedFrame, RunSummary, StateRecord, StoredFrame
from xrm_control.storage.run_folder import RunFolder


def look(folder: RunFolder) -> RunView:
    """The run as it stands. Raises DataError where its journal cannot be read."""
    summary = app.glance(folder.path)
    with JournalReader.open(folder.journal) as journal:
        states, recipe = journal.states(), recipe_of(folder)
        beside = beside_now(journal, recipe)
        watched = watched_now(journal, () if recipe is None else recipe.conditions)
        last, flats = journal.last_frame(), journal.first_and_last(FrameKind.FLAT)
        stood_s = sum(pause.to_s - pause.from_s for pause in pauses(journal))
    results = results_of(folder)
    planned = planned_of(folder, summary.stages, summary.rois)
    planned_s, images = planned.seconds, planned.images
    now_s, state = summary.last_t_s or 0.0, summary.state
    since_s = now_s - state.t_s if state is not None and state.state in WAITING else 0.0
    over = summary.ended or images == 0
    free = shutil.disk_usage(folder.path).free
    return RunView(
        name=folder.name,  # by which it is asked for, also where somebody has renamed the folder
        folder=str(folder.path.absolute()),
        recipe_name=summary.run.recipe_name,
        sample=sample_of(folder, results),
        simulated=summary.run.simulated,
        started_utc=summary.run.started_utc,
        state=None if state is None else state.state,
        state_reason="" if state is None else state.reason,
        state_utc=None if state is None else state.utc,
        before_waiting=_before(states),
        alive=summary.alive,
        died=summary.died,
        ended=summary.ended,
        verdict=None if results is None or not summary.ended else results.verdict.status,
        reasons=() if results is None else results.verdict.reasons,
        t_s=now_s,
        planned_s=planned_s,
        remaining_s=None if over else remaining_s(planned_s, images, summary.total.kept, now_s - stood_s - since_s),
        kept=summary.total.kept,
        planned=max(images, summary.total.planned),
        retaken=summary.total.retaken,
        missing=summary.total.missing,
        stages=tuple(
            StageView(name=one.stage, roi=one.roi, done=one.done, planned=one.planned) for one in summary.stages
        ),
        last_frame=None if last is None else frame_view(*last),
        flux=_flux(flats),
        beside=beside,
        watched=watched,
        voided_share=None if results is None or not summary.ended else results.population.voided_fraction,
        actions=actions(summary, skippable=_skippable(summary), waiting=_waiting(folder, summary)),
        alarms=alarms(summary, folder, results, free),
        disk_free_bytes=free,
        report=folder.report.is_file(),
        results=results is not None,
    )


def frame_view(plan: PlannedFrame, frame: StoredFrame) -> FrameView:
    """A kept frame. picture: relative to the run's address."""
    return FrameView(
        frame_id=str(frame.frame_id),
        kind=plan.kind,
        theta_deg=frame.exposure.actual.theta_deg,
        mean_counts=frame.mean_counts,
        t_s=frame.exposure.t_end_s,
        picture=f"frames/{frame.frame_id}.png",
        file=frame.path,
    )


def _before(states: Sequence[StateRecord]) -> RunState | None:
    """The state in which the run was before it came to wait, or to an end that is none of its own."""
    if not states or states[-1].state not in (*WAITING, RunState.FAILED, RunState.ABORTED):
        return None
    working = [one.state for one in states if one.state not in (*WAITING, *ENDS, RunState.ABORTING, RunState.FAILING)]
    return working[-1] if working else None


def _waiting(folder: RunFolder, summary: RunSummary) -> int:
    """How many regions are chosen and not begun."""
    known = rois_of(folder)
    begun = {stage.roi for stage in summary.stages} | set(summary.rois)
    return 0 if known is None else sum(roi.name not in begun for roi in known.rois)


def _skippable(summary: RunSummary) -> bool:
    """Whether a region is left that is not over."""
    names = {stage.roi for stage in summary.stages if stage.roi}
    over = {roi for roi, life in summary.rois.items() if life.state in (RoiState.REPORTED, RoiState.QUARANTINED)}
    return bool(names - over)


def _flux(flats: tuple[StoredFrame, StoredFrame] | None) -> float | None:
    if flats is None:
        return None
    first, last = (flat.mean_counts for flat in flats)
    return last / first if first and last else None
