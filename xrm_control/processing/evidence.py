"""What an item's run shows of itself: outcomes, times, dose and beam, from its own journal and results."""

from __future__ import annotations

from pathlib import Path

from xrm_control.contracts.morning import Evidence, Hold, RegionFate
from xrm_control.contracts.plan import PLAN
from xrm_control.contracts.queue import ItemCost
from xrm_control.contracts.results import RESULTS, RunResults
from xrm_control.core.errors import DataError, XrmError
from xrm_control.core.events import RunHeld, RunReleased, RunResumed
from xrm_control.core.states import WAITING, FrameKind, RunState
from xrm_control.processing.outcomes import outcomes
from xrm_control.storage.journal_reader import JournalQueries, JournalReader
from xrm_control.storage.run_folder import RunFolder


def evidence(run: Path, within: Path, cost: ItemCost) -> Evidence:
    """Of a run's folder, whatever state it is in; paths are told from `within`. What cannot be read is a problem."""
    folder = RunFolder(run)
    name, problems = run.relative_to(within).as_posix(), list[str]()
    results: RunResults | None = None
    try:
        results = RESULTS.read(folder.results) if folder.results.exists() else None
    except DataError as error:
        problems.append(str(error))
    try:
        with JournalReader.open(folder.journal) as journal:
            found = _told(folder, journal, cost)
    except XrmError as error:
        return Evidence(run=name, problems=(*problems, str(error)))
    if results is not None:
        found = found.model_copy(
            update={
                "verdict": results.verdict.status,
                "reasons": results.verdict.reasons,
                "particles": results.counts.particles,
                "whole_particles": results.counts.whole_particles,
            }
        )
    return found.model_copy(update={"run": name, "problems": tuple(problems)})


def share_left(run: Path, cost: ItemCost) -> float:
    """The part of an item's plan that its run has still to do, 0 to 1, by its frames; 1 where nothing is known."""
    try:
        with JournalReader.open(RunFolder(run).journal) as journal:
            state, frames = journal.state(), journal.accounting()
    except XrmError:
        return 1.0
    if state is not None and state.state is RunState.DONE:
        return 0.0
    return max(0.0, 1.0 - (frames.kept + frames.missing) / max(1, cost.frames))


def _told(folder: RunFolder, journal: JournalQueries, cost: ItemCost) -> Evidence:
    frames, fates = outcomes(folder, journal), journal.roi_states()
    planned = journal.planned_frames()
    rois = list(dict.fromkeys(plan.roi for plan in planned if plan.roi))
    beam_s, projections = _exposed(journal)
    return Evidence(
        run="",
        used_s=journal.last_t_s() or 0.0,
        standing_s=_standing_s(journal),
        holds=holds(journal),
        resumed=len(journal.events_of(RunResumed.kind)),
        retaken=journal.accounting().retaken,
        frames=frames,
        beam_s=beam_s,
        dose_gy=_dose_gy(folder, cost, projections),
        regions=tuple(
            RegionFate(name=roi, state=fates[roi].state if roi in fates else None,
                       reason=fates[roi].reason if roi in fates else "not scanned to its end")
            for roi in rois
        ),
    )  # fmt: skip


def _exposed(journal: JournalQueries) -> tuple[float, int]:
    """Seconds exposed with the shutter open, retaken attempts included; and how many projections were exposed."""
    again = journal.accounting().retaken > 0
    kept = {plan.frame_id for plan, _ in journal.stored_frames()}
    beam_s, projections = 0.0, 0
    for plan in journal.planned_frames():
        times = (plan.frame_id in kept) + (len(journal.rejections(plan.frame_id)) if again else 0)
        if plan.kind is not FrameKind.DARK:
            beam_s += times * plan.exposure_s
        if plan.kind is FrameKind.PROJECTION:
            projections += times
    return beam_s, projections


def _dose_gy(folder: RunFolder, cost: ItemCost, projections: int) -> float:
    try:
        plan = PLAN.read(folder.plan)
    except DataError:
        return cost.dose_gy
    return plan.dose_per_scan_gy * projections / max(1, plan.projections)


def _standing_s(journal: JournalQueries) -> float:
    """In s of instrument time: held, paused, or carried out by nobody."""
    states = journal.states()
    ends = [record.t_s for record in states[1:]] + [journal.last_t_s() or 0.0]
    return sum(end - record.t_s for record, end in zip(states, ends, strict=False) if record.state in WAITING)


def holds(journal: JournalQueries) -> tuple[Hold, ...]:
    """Each hold with its reason, in order."""
    released = [event.t_s for event in journal.events_of(RunReleased.kind)]
    return tuple(
        Hold(
            from_s=event.t_s,
            to_s=next((t_s for t_s in released if t_s >= event.t_s), None),
            reason=event.text,
        )
        for event in journal.events_of(RunHeld.kind)
    )
