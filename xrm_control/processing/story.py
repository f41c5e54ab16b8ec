"""What a run's journal tells of the reasons why it went as it did: for whoever lays it beside another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xrm_control.contracts.account import Account
from xrm_control.contracts.rois import ROIS
from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.events import (
    CommandDone,
    ConditionViolated,
    RunAborted,
    RunFailed,
    RunResumed,
    RunStopped,
    SourceDown,
)
from xrm_control.core.frame_id import MOSAIC
from xrm_control.core.states import RunState
from xrm_control.processing.evidence import holds
from xrm_control.processing.incidents import incidents
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal_reader import JournalQueries
from xrm_control.storage.records import EventRecord
from xrm_control.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Wait:
    """A time in which a run stood still, and why."""

    begin_s: float
    end_s: float
    reason: str


@dataclass(frozen=True)
class Story:
    """waits: held, paused, or carried out by nobody; rejected: by stage, reasons of attempts that do not count, and how
    often; missing: by stage likewise of frames that were given up; ends: what ended the run before its end; commands:
    what operators had done; light: when beam or a watched value was out of order; places: of each region, added by hand
    or not; incidents: a line each; powder: tells a simulated one from others; "" where nobody knows it.
    """

    account: Account
    waits: tuple[Wait, ...] = ()
    rejected: Mapping[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    missing: Mapping[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    ends: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    light: tuple[EventRecord, ...] = ()
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    added: Mapping[str, str] = field(default_factory=dict[str, str])
    incidents: tuple[str, ...] = ()
    powder: str = ""


def story_of(folder: RunFolder, journal: JournalQueries, found: Account) -> Story:
    """From the journal and rois.json of a run."""
    rejected: dict[str, Counter[str]] = {}
    for one in journal.all_rejections():
        rejected.setdefault(one.stage, Counter())[one.reason] += 1
    missing: dict[str, Counter[str]] = {}
    for frame, reason in journal.missing_frames().items():
        missing.setdefault(MOSAIC if frame.of_mosaic else frame.group, Counter())[reason] += 1
    try:
        regions = ROIS.read(folder.rois).rois if folder.rois.is_file() else ()
    except DataError:
        regions = ()
    try:
        powder = sha256_file(folder.truth) if folder.truth.is_file() else ""
    except StorageError:
        powder = ""
    ends = [event for kind in (RunStopped, RunAborted, RunFailed) for event in journal.events_of(kind.kind)]
    lit = [event for kind in (SourceDown, ConditionViolated) for event in journal.events_of(kind.kind)]
    return Story(
        account=found,
        waits=tuple(_waits(journal)),
        rejected=rejected,
        missing=missing,
        ends=tuple(event.text for event in sorted(ends, key=_when)[-1:]),
        commands=tuple(event.text for event in journal.events_of(CommandDone.kind)),
        light=tuple(sorted(lit, key=_when)),
        places={roi.name: (roi.x_um, roi.y_um) for roi in regions},
        added={roi.name: roi.added_by for roi in regions if roi.added_by},
        powder=powder,
        incidents=tuple(f"{one.t_s:.0f} s: {one.text}" for one in incidents(journal)),
    )


def counted(reasons: Mapping[str, int]) -> list[str]:
    """Reasons with how often each, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    return [f"{count} x {reason}" for reason, count in ordered]


def _when(event: EventRecord) -> float:
    return event.t_s


def _waits(journal: JournalQueries) -> Sequence[Wait]:
    last_s = journal.last_t_s() or 0.0
    states = journal.states()
    found = [
        Wait(hold.from_s, last_s if hold.to_s is None else hold.to_s, f"held: {hold.reason}") for hold in holds(journal)
    ]
    told = [*journal.events_of(CommandDone.kind), *journal.events_of(RunStopped.kind)]
    for record, after in zip(states, [*states[1:], None], strict=True):
        if record.state is RunState.PAUSED:
            end_s = last_s if after is None else after.t_s
            why = [event.text for event in told if record.t_s - 1 <= event.t_s <= end_s]
            found.append(
                Wait(record.t_s, end_s, f"paused: {'; '.join(dict.fromkeys(why)) or 'no command is on record'}")
            )
    found += [
        Wait(float(event.data["stood_s"]), event.t_s, "carried out by nobody, then gone on with")
        for event in journal.events_of(RunResumed.kind)
    ]
    return sorted(found, key=lambda wait: wait.begin_s)
