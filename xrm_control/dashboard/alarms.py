"""What of a run wants an eye: the cause, the evidence, and what cures it."""

from __future__ import annotations

from collections.abc import Iterator

from xrm_control.contracts.results import RunResults
from xrm_control.contracts.trust import Evidence, TrustVerdict
from xrm_control.core.errors import XrmError
from xrm_control.core.events import RunAborted, RunFailed, SafeStateFailed, SafeStateVerified
from xrm_control.core.states import Level, RoiState, RunState
from xrm_control.dashboard.actions import CONTINUE, RESUME
from xrm_control.dashboard.models_run import Alarm
from xrm_control.reporting.formatting import duration
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.records import RunSummary, StateRecord
from xrm_control.storage.run_folder import RunFolder

LOW_DISK_BYTES = 5_000_000_000
DISK_FULL = "the disk is nearly full"
_MOST = 20


def alarms(summary: RunSummary, folder: RunFolder, results: RunResults | None, free_bytes: int) -> tuple[Alarm, ...]:
    """The gravest first."""
    found = [*_of_the_run(summary, folder), *_of_regions(summary), *_of_results(results), *_of_the_disk(free_bytes)]
    return tuple(sorted(found, key=lambda one: list(Level).index(one.level), reverse=True)[:_MOST])


def _of_the_run(summary: RunSummary, folder: RunFolder) -> Iterator[Alarm]:
    state = summary.state
    at = "" if summary.last_t_s is None else f"at {duration(summary.last_t_s)} of instrument time"
    if summary.died:
        yield Alarm(
            level=Level.ERROR,
            cause=f"the run died in state {RunState.IDLE if state is None else state.state}",
            evidence=f"last sign of life {summary.last_sign_utc or 'unknown'}, {at}; {summary.total.kept} frames kept",
            cure="look whether the shutter is closed and the axes are at rest, then go on with the run",
            action=RESUME,
        )
    if summary.life_unknown:
        yield Alarm(
            level=Level.WARNING,
            cause="whether a process carries the run out cannot be told here",
            evidence=f"{summary.life_unknown}; last sign of life {summary.last_sign_utc or 'unknown'}",
            cure="look on the machine on which it was started",
        )
    if state is None:
        return
    if not_safe := _not_safe(folder):
        yield Alarm(
            level=Level.ERROR, cause="the safe state was not reached", evidence=not_safe,
            cure="close the shutter and stop the axes by hand",
        )  # fmt: skip
    match state.state:
        case RunState.HELD:
            yield Alarm(
                level=Level.WARNING,
                cause=f"the run is held: {state.reason}" if state.reason else "the run is held",
                evidence=f"{_since(state)}; shutter closed",
                cure="it goes on by itself when what it waits for is over",
            )
        case RunState.PAUSED:
            yield Alarm(
                level=Level.INFO,
                cause="the run is paused" if summary.alive else "the run was stopped",
                evidence="; ".join(filter(None, (state.reason, _since(state), "shutter closed, axes at rest"))),
                cure="it goes on when somebody wants it to",
                action=CONTINUE if summary.alive else RESUME,
            )
        case RunState.FAILED | RunState.ABORTED:
            failed = state.state is RunState.FAILED
            yield Alarm(
                level=Level.ERROR if failed else Level.WARNING,
                cause="an error has ended the run" if failed else "the run was aborted",
                evidence=_newest(folder, RunFailed.kind if failed else RunAborted.kind) or state.reason or at,
                cure="mend the cause, then go on with the run: nothing that was kept is taken again",
                action=RESUME,
            )
        case _:
            return


def _since(state: StateRecord) -> str:
    """When it began to stand, for people, and in instrument time."""
    at = f"at {duration(state.t_s)} of instrument time"
    return at if state.utc is None else f"since {state.utc}, {at}"


def _newest(folder: RunFolder, kind: str) -> str:
    """What the newest event of a kind says; "" where there is none."""
    try:
        with JournalReader.open(folder.journal) as journal:
            return "".join(event.text for event in journal.events_of(kind)[-1:])
    except XrmError:
        return ""


def _not_safe(folder: RunFolder) -> str:
    """The newest failure to reach the safe state that no verified one followed."""
    try:
        with JournalReader.open(folder.journal) as journal:
            failed = journal.events_of(SafeStateFailed.kind)
            verified = journal.events_of(SafeStateVerified.kind) if failed else []
    except XrmError:
        return ""
    if not failed or any(event.t_s > failed[-1].t_s for event in verified):
        return ""
    return failed[-1].text


def _of_regions(summary: RunSummary) -> Iterator[Alarm]:
    for roi, life in summary.rois.items():
        if life.state is RoiState.QUARANTINED:
            yield Alarm(
                level=Level.WARNING,
                cause=f"{roi} was set aside",
                evidence=life.reason or "no reason is on record",
                cure="add the place anew once the cause is mended",
            )


def _of_results(results: RunResults | None) -> Iterator[Alarm]:
    for roi, quality in () if results is None else results.quality.items():
        for check in quality.checks:
            if check.verdict not in (None, TrustVerdict.PASS):
                numbers = "; ".join(map(_number, check.evidence))
                yield Alarm(
                    level=Level.WARNING,
                    cause=f"{roi}: {check.reason}",
                    evidence=numbers or check.check,
                    cure=check.remedy,
                )


def _of_the_disk(free_bytes: int) -> Iterator[Alarm]:
    if free_bytes < LOW_DISK_BYTES:
        yield Alarm(
            level=Level.WARNING,
            cause=DISK_FULL,
            evidence=f"{free_bytes / 1e9:.2f} GB are free",
            cure="free some space: the run stops safely before it is full, and can be gone on with",
        )


def _number(one: Evidence) -> str:
    value = "unknown" if one.value is None else f"{one.value:.4g}"
    return f"{one.name} {value} ({one.limit})" if one.limit else f"{one.name} {value}"
