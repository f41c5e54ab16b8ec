"""What a run has achieved, read from its journal and files: the same for whoever asks, while it runs and afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xrm_control.contracts.commands import Continue
from xrm_control.contracts.commands import Pause as Pausing
from xrm_control.contracts.results import Pause
from xrm_control.contracts.rois import ROIS, RoisDocument
from xrm_control.core.events import (
    CommandDone,
    PauseDisturbed,
    RunAborted,
    RunFailed,
    RunResumed,
    RunStopped,
    SafeStateFailed,
    SampleCompared,
    ScanBegunAnew,
    StageBegun,
    StageEnded,
)
from xrm_control.core.frame_id import MOSAIC, FrameId
from xrm_control.core.states import ENDS, ROI_ENDS, RoiState, RunState, Verdict
from xrm_control.processing.trust.doubts import doubts
from xrm_control.recipe.document import Recipe
from xrm_control.storage.journal_reader import JournalQueries
from xrm_control.storage.records import StateRecord
from xrm_control.storage.run_folder import RunFolder

_FOUND_AFTER_A_PAUSE = (RunResumed.kind, SampleCompared.kind, ScanBegunAnew.kind)
_NAMED = 5  # missing frames that a reason names
NOT_LOOKED_AT = "not measured: its frames show no sample"
"""Why a region of an instrument without pictures is set aside: nothing was to be found out there."""


@dataclass(frozen=True)
class Achieved:
    """Times in s of instrument time; regions by name.

    mosaic_doubt: why the mosaic is not to be relied on, "" for nothing. mosaic_s: None until it is taken, or where
    the journal does not tell; particles_in_mosaic: None before the choice of regions; particles_between: a 95 %
    interval of how many there are, None where it cannot be stated; added: the regions that
    somebody added by hand; scan_s: of the regions whose scan has come to its end; lives: where each scanned region
    stands; reported: the regions that were measured; quarantined: those set aside, and why; open_frames: planned, and
    without an outcome; nothing: why no region is worth a scan, "" where one is.
    """

    mosaic_s: float | None
    particles_in_mosaic: int | None
    rois: tuple[str, ...]
    scan_s: Mapping[str, float]
    lives: Mapping[str, RoiState]
    added: tuple[str, ...]
    reported: tuple[str, ...]
    quarantined: Mapping[str, str]
    missing: tuple[FrameId, ...]
    open_frames: int
    total_s: float
    mosaic_doubt: str = ""
    nothing: str = ""
    particles_between: tuple[int, int] | None = None


def achieved(folder: RunFolder, journal: JournalQueries) -> Achieved:
    """The view of a run, in whatever state. Raises DataError when journal or rois.json cannot be read."""
    chosen = ROIS.read(folder.rois) if folder.rois.is_file() else None
    lives = journal.roi_states()
    return Achieved(
        mosaic_s=_mosaic_s(journal),
        mosaic_doubt=_mosaic_doubt(chosen),
        nothing=chosen.nothing if chosen else "",
        particles_in_mosaic=chosen.mosaic.particles if chosen else None,
        particles_between=chosen.mosaic.particles_between if chosen else None,
        rois=tuple(roi.name for roi in chosen.rois) if chosen else (),
        added=tuple(roi.name for roi in chosen.rois if roi.added_by) if chosen else (),
        scan_s=_scan_s(journal),
        lives={roi: record.state for roi, record in lives.items()},
        reported=tuple(sorted(roi for roi, record in lives.items() if record.state is RoiState.REPORTED)),
        quarantined={roi: record.reason for roi, record in lives.items() if record.state is RoiState.QUARANTINED},
        missing=tuple(journal.missing_frames()),
        open_frames=journal.accounting().open,
        total_s=journal.last_t_s() or 0.0,
    )


def shortcomings(run: Achieved, recipe: Recipe) -> tuple[str, ...]:
    """Why a run is not a full success; empty when it is."""
    reasons = [f"nothing to scan: {run.nothing}"] if run.nothing else []
    reasons += [f"{roi} is set aside: {why}" for roi, why in run.quarantined.items() if why != NOT_LOOKED_AT]
    # What a region lacks that is set aside is said with it.
    told = {roi for roi, why in run.quarantined.items() if why != NOT_LOOKED_AT}
    missing = [frame for frame in run.missing if frame.group not in told]
    if missing:
        reasons.append(f"{len(missing)} frames are missing: {', '.join(missing[:_NAMED])}")
    planned = recipe.roi.planned()
    wanted = planned if isinstance(planned, int) else len(planned)
    chosen = len(run.rois) - len(run.added)
    if chosen and chosen < wanted:
        reasons.append(f"{chosen} of {wanted} regions were found")
    return tuple(reasons)


def ended(run: Achieved, recipe: Recipe, place: RunFolder) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on a run that came to its end, and its reasons. place: where the regions' tables are."""
    reasons = shortcomings(run, recipe)
    doubted = (*doubts(place, run.reported), *([run.mosaic_doubt] if run.mosaic_doubt else []))
    if reasons:
        return Verdict.INCOMPLETE, (*reasons, *doubted)
    return (Verdict.DOUBT if doubted else Verdict.COMPLETE), doubted


def judge(run: Achieved, recipe: Recipe, journal: JournalQueries, place: RunFolder) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on a run that nobody carries out any more, and its reasons, from the journal and its regions' files.

    place: where the regions' tables are.
    """
    state = journal.state()
    verdict, reasons = ended(run, recipe, place)
    match state.state if state is not None else RunState.IDLE:
        case RunState.DONE:
            return verdict, reasons
        case RunState.ABORTED:
            return Verdict.ABORTED, (*_ended_by(journal, RunAborted.kind), *reasons)
        case RunState.FAILED:
            return Verdict.FAILED, (*_ended_by(journal, RunFailed.kind), *reasons)
        case RunState.PAUSED:
            return Verdict.INCOMPLETE, (*_ended_by(journal, RunStopped.kind), *left_undone(run), *reasons)
        case died:
            return Verdict.INCOMPLETE, (f"the run died in state {died}", *left_undone(run), *reasons)


def _ended_by(journal: JournalQueries, kind: str) -> list[str]:
    """What ended the run, and that it was not left safe where that is so."""
    unsafe = [event.data.get("problem", event.text) for event in journal.events_of(SafeStateFailed.kind)]
    return [
        *(event.text for event in journal.events_of(kind)[-1:]),
        *(f"the safe state was not reached: {problem}" for problem in unsafe[-1:]),
    ]


def ended_by_the_machine(journal: JournalQueries) -> bool:
    """Whether a run was aborted by what a machine that shuts down sends, or a terminal that closes, and by nobody's
    wish: it may be gone on with unasked.
    """
    texts = [event.text for event in journal.events_of(RunAborted.kind)]
    return bool(texts) and any(name in texts[-1] for name in ("SIGTERM", "a closed terminal", "cancellation"))


def left_undone(run: Achieved) -> list[str]:
    """What a run that died, or was stopped, had begun, or planned, and not finished."""
    left = [f"{roi} was not scanned to its end" for roi in run.rois if roi not in run.lives]
    left += [f"{roi} was not measured: it was {state}" for roi, state in run.lives.items() if state not in ROI_ENDS]
    if run.open_frames:
        left.append(f"{run.open_frames} planned frames were not taken")
    return left


def _mosaic_doubt(chosen: RoisDocument | None) -> str:
    """Why the mosaic on which regions were chosen is not to be relied on; "" for nothing."""
    if chosen is None:
        return ""
    placed = chosen.mosaic.registration
    reasons = (placed.refused if placed is not None else "", chosen.mosaic.count_doubt)
    said = "; ".join(reason for reason in reasons if reason)
    return f"mosaic: {said}" if said else ""


def _mosaic_s(journal: JournalQueries) -> float | None:
    """From the first frame's move to the closed shutter, in however many sittings; no homing, no stitching."""
    begun, ended = (
        [event.t_s for event in journal.events_of(kind) if event.text == MOSAIC]
        for kind in (StageBegun.kind, StageEnded.kind)
    )
    if not begun or not ended:
        return None
    left_s = [s for s, _ in _absences(journal)]
    standing = _standing(journal.states())
    spent_s = 0.0
    for number, at in enumerate(begun):
        # One that was begun anew ends there; one that nobody knows the end of yet is of a tile that is taken again, and
        # does not count before it ends.
        ends = (*ended, *left_s, *begun[number + 1 :])
        end = min((end for end in ends if end >= at), default=at)
        spent_s += end - at - _overlap(standing, at, end)
    return spent_s


def pauses(journal: JournalQueries) -> tuple[Pause, ...]:
    """Each time that the run stood still and went on, in one process or in another, and what was found then."""
    absences = _absences(journal)
    waits = _standing(journal.states(), in_one_process=True)
    spans = sorted([*absences, *waits])
    told = sorted(
        (event for kind in _FOUND_AFTER_A_PAUSE for event in journal.events_of(kind)), key=lambda event: event.t_s
    )
    found: list[Pause] = []
    for number, (left_s, back_s) in enumerate(spans):
        # Simulated time stands still while nobody looks: what is told at that instant belongs to the pause that ends.
        later_s = next((again_s for _, again_s in spans[number + 1 :]), math.inf)
        texts = [event.text for event in told if back_s <= event.t_s < later_s]
        if (left_s, back_s) in waits:
            texts = [*_paused_by(journal, left_s, back_s), *texts]
        found.append(Pause(from_s=left_s, to_s=back_s, found=tuple(texts)))
    return tuple(found)


def _paused_by(journal: JournalQueries, from_s: float, to_s: float) -> list[str]:
    """Who paused the run and let it go on, and what was seen meanwhile."""
    events = [*journal.events_of(CommandDone.kind), *journal.events_of(PauseDisturbed.kind)]
    kinds = (Pausing().text, Continue().text)
    return [
        event.text
        for event in sorted(events, key=lambda event: event.t_s)
        if from_s <= event.t_s <= to_s and event.data.get("words", kinds[0]) in kinds
    ]


def _absences(journal: JournalQueries) -> list[tuple[float, float]]:
    """(from, to): while nobody carried the run out."""
    return [(float(event.data["stood_s"]), event.t_s) for event in journal.events_of(RunResumed.kind)]


def _scan_s(journal: JournalQueries) -> dict[str, float]:
    """From aligning to checking, by region, in however many sittings; of the regions whose scan came to its end."""
    rois = {plan.roi for plan in journal.planned_frames()}
    stages = [(event.t_s, event.text.partition(" ")[0]) for event in journal.events_of(StageBegun.kind)]
    begun = [(at_s, name) for at_s, name in stages if name in rois]
    spent: dict[str, float] = {}
    ended: set[str] = set()
    states = journal.states()
    standing = _standing(states)
    for start_s, end_s, whole in _sittings(states, _absences(journal)):
        roi = next((name for at_s, name in begun if start_s <= at_s <= end_s), None)
        if roi is not None:
            spent[roi] = spent.get(roi, 0.0) + end_s - start_s - _overlap(standing, start_s, end_s)
            if whole:
                ended.add(roi)
    return {roi: seconds for roi, seconds in spent.items() if roi in ended}


_BEGUN_ANEW = (RunState.CONNECTING, RunState.FINISHING)


def _standing(states: Sequence[StateRecord], *, in_one_process: bool = False) -> list[tuple[float, float]]:
    """(from, to): while the run was paused; also where it had ended so, and whoever went on with it began anew: by
    connecting, or where only computing was left by that."""
    return [
        (record.t_s, after.t_s)
        for record, after in pairwise(states)
        if record.state is RunState.PAUSED and not (in_one_process and after.state in _BEGUN_ANEW)
    ]


def _overlap(spans: Sequence[tuple[float, float]], start_s: float, end_s: float) -> float:
    return sum(max(0.0, min(end_s, to_s) - max(start_s, from_s)) for from_s, to_s in spans)


def _sittings(
    states: Sequence[StateRecord], absences: Sequence[tuple[float, float]]
) -> Iterator[tuple[float, float, bool]]:
    """(from, to, whether the scan came to its end then) of each time that the run was at work on a scan."""
    begun_s: float | None = None
    for record in states:
        if record.state is RunState.ALIGNING and begun_s is None:
            begun_s = record.t_s
        elif begun_s is not None and record.state is RunState.CHECKING:
            yield begun_s, record.t_s, True
            begun_s = None
        elif begun_s is not None and record.state in (*ENDS, RunState.CONNECTING):
            # Whoever goes on with a run connects anew; until when it had been at work is told then.
            left = [left_s for left_s, back_s in absences if begun_s <= left_s and back_s <= record.t_s]
            end_s = record.t_s if record.state in ENDS else max(left, default=begun_s)
            yield begun_s, end_s, False
            begun_s = None
