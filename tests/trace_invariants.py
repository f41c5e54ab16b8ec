"""What a run promises of its instrument, held against what the instrument itself saw.

- The shutter is open only while frames are being taken: closed in every hold, in every dark, and at the end. Between
  two frames with light of one acquisition it may stay open while the axes move.
- An exposure begins only when all axes are at rest at the pose that its step wants.
- A kept frame is one exposure of the trace, seen by the shutter as its step wants it from begin to end, with every axis
  within its tolerance all the while.
- At the end the axes are at rest and the shutter is closed, or the run says that they are not.

An instrument that cannot be reached cannot be commanded: what lies in such a time is not held against the program. Nor
is a shutter that was told to close and does not, where the program says so at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulators.microscope import Microscope
from simulators.trace import ExposureSeen, Trace
from xrm_control.core.events import (
    AlignmentLook,
    InstrumentLost,
    RunHeld,
    RunReleased,
    RunResumed,
    SafeStateFailed,
    SafeStateLeft,
    SafeStateVerified,
    ShutterStaysOpen,
    StageBegun,
    StageEnded,
)
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind, RunState
from xrm_control.session.resuming import AGAIN
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.records import StateRecord

# The blade's way, and one second of grace for a blade that is slow.
SHUTTER_S = 1.2
_AXES = {"x": "x_um", "y": "y_um", "z": "z_um", "theta": "theta_deg"}
_SAME_TIME_S = 1e-3

Span = tuple[float, float]


@dataclass(frozen=True)
class Intent:
    """A frame that was about to be exposed."""

    t_s: float
    frame_id: str
    target: Pose
    lit: bool


@dataclass(frozen=True)
class Kept:
    """A frame that counts."""

    frame_id: str
    target: Pose
    lit: bool
    begin_s: float
    end_s: float
    unique_id: int


@dataclass(frozen=True)
class Said:
    """What the program says of its run: intents and kept frames, holds, when it took frames, and how it ended."""

    intents: Sequence[Intent] = ()
    kept: Sequence[Kept] = ()
    holds: Sequence[Span] = ()
    taking: Sequence[Span] = ()
    unreachable: Sequence[Span] = field(default=())
    safe: bool = True
    sticks_s: Sequence[float] = ()


def violations(trace: Trace, said: Said, tolerance: dict[str, float]) -> list[str]:
    """Every promise that the trace shows broken, in words; empty when all were kept."""
    return [
        *_shutter(trace, said),
        *_begun_at_rest(trace, said, tolerance),
        *(problem for kept in said.kept for problem in _kept(trace, kept, tolerance)),
        *_end(trace, said),
    ]


def _shutter(trace: Trace, said: Said) -> Iterable[str]:
    away = said.unreachable
    for open_s, closed_s in trace.shutter:
        if not any(begin - _SAME_TIME_S <= open_s <= end for begin, end in said.taking):
            yield f"the shutter was opened at {open_s:.2f} s, when no frames were being taken"
        for begin, end in said.holds:
            # Closing may take its time, and must wait for an instrument that is away, or a shutter that sticks.
            late = max(
                begin + SHUTTER_S,
                *(until + SHUTTER_S for at, until in away if at <= begin + SHUTTER_S < until),
                *(told_s + SHUTTER_S for told_s in said.sticks_s if begin <= told_s <= end + SHUTTER_S),
                begin,
            )
            if open_s < end - _SAME_TIME_S and closed_s > late and max(open_s, late) < min(closed_s, end):
                span = f"{open_s:.2f} to {closed_s:.2f} s"
                yield f"the shutter was open, {span}, in the hold of {begin:.2f} to {end:.2f} s"
        for begin, end in said.taking:
            told = any(abs(end - told_s) <= SHUTTER_S for told_s in said.sticks_s)
            left = begin <= open_s <= end and closed_s > end + SHUTTER_S
            if left and not told and not _during(end, away) and said.safe:
                yield f"the shutter was left open at {end:.2f} s, when no more frames were being taken"


def _begun_at_rest(trace: Trace, said: Said, tolerance: dict[str, float]) -> Iterable[str]:
    for exposure in trace.exposures:
        before = [intent for intent in said.intents if intent.t_s <= exposure.begin_s + _SAME_TIME_S]
        if not before:
            yield f"exposure {exposure.number} at {exposure.begin_s:.2f} s was not intended"
            continue
        # Of two at one time the later one holds.
        intent = max(reversed(before), key=lambda one: one.t_s)
        for motion in trace.motions:
            if motion.begin_s < exposure.begin_s - _SAME_TIME_S and motion.end_s > exposure.begin_s + _SAME_TIME_S:
                yield f"{intent.frame_id} was exposed at {exposure.begin_s:.2f} s while axis {motion.axis} moved"
        was_open = any(open_s < exposure.begin_s + _SAME_TIME_S < closed_s for open_s, closed_s in trace.shutter)
        if was_open and not intent.lit:
            yield f"{intent.frame_id}, a dark, was begun at {exposure.begin_s:.2f} s with the shutter open"
        for axis, position in exposure.at_begin.items():
            wanted = getattr(intent.target, _AXES[axis])
            if abs(position - wanted) > _allowed(axis, tolerance):
                yield f"{intent.frame_id} was exposed with axis {axis} at {position:.3f} instead of {wanted:.3f}"


def _kept(trace: Trace, kept: Kept, tolerance: dict[str, float]) -> Iterable[str]:
    same = [one for one in trace.exposures if abs(one.begin_s - kept.begin_s) < _SAME_TIME_S]
    if len(same) != 1 or same[0].unique_id != kept.unique_id or same[0].aborted:
        yield f"{kept.frame_id} was kept, and is not exactly one exposure of the instrument: {same}"
        return
    (seen,) = same
    if abs(seen.end_s - kept.end_s) > _SAME_TIME_S:
        yield f"{kept.frame_id} ended at {seen.end_s:.3f} s, not {kept.end_s:.3f} s"
    if abs(seen.open_fraction - kept.lit) > _SAME_TIME_S:
        yield f"{kept.frame_id} was kept, and the shutter was open for {seen.open_fraction:.2f} of it"
    yield from _held(kept, seen, tolerance)


def _held(kept: Kept, seen: ExposureSeen, tolerance: dict[str, float]) -> Iterable[str]:
    for axis, (low, high) in seen.held.items():
        wanted = getattr(kept.target, _AXES[axis])
        if max(abs(low - wanted), abs(high - wanted)) > _allowed(axis, tolerance):
            yield f"{kept.frame_id} was kept, and axis {axis} went from {low:.3f} to {high:.3f} instead of {wanted:.3f}"


def _allowed(axis: str, tolerance: dict[str, float]) -> float:
    # What rings after a stop is below a tenth of the tolerance when an axis has settled.
    return 1.1 * tolerance[axis]


def _end(trace: Trace, said: Said) -> Iterable[str]:
    if not said.safe:
        return
    for axis, at_rest in trace.axes_at_rest.items():
        if not at_rest:
            yield f"axis {axis} still moved at the end, {trace.ended_s:.2f} s"
    if trace.shutter and trace.shutter[-1][1] > trace.ended_s:
        yield f"the shutter was open at the end, {trace.ended_s:.2f} s"


def _during(t_s: float, spans: Iterable[Span]) -> bool:
    return any(begin - SHUTTER_S <= t_s < end for begin, end in spans)


_STICKS = "the shutter does not follow its command"


def said_in(folder: Path) -> Said:
    """What a run folder says."""
    with JournalReader.open(folder / "journal.sqlite") as journal:
        frames = {plan.frame_id: plan for plan in journal.planned_frames()}
        stored = journal.stored_frames()
        events = [event for _, event in journal.events(limit=1_000_000)]
        states = journal.states()
        attempts = journal._connection.execute("SELECT frame_id, t_s FROM attempt").fetchall()
    # Whoever goes on with a run finds an instrument whose trace begins there.
    resumed = max((at for at, event in enumerate(events) if event.kind == RunResumed.kind), default=0)
    events, begun_s = events[resumed:], events[resumed].t_s if resumed else 0.0
    attempts += _looks_again(events)
    end_s = events[-1].t_s if events else 0.0
    told_safe = [
        event for event in events if event.kind in (SafeStateVerified.kind, SafeStateFailed.kind, SafeStateLeft.kind)
    ]
    # A run that could not reach its instrument for the last safe state says so, whatever it reached before.
    safe = bool(told_safe) and told_safe[-1].kind == SafeStateVerified.kind
    ways_out = [event.t_s for event in told_safe]
    return Said(
        [
            *(Intent(t_s, name, frames[name].target, frames[name].kind != FrameKind.DARK) for name, t_s in attempts),
            *(_look(event) for event in events if event.kind == AlignmentLook.kind),
        ],
        [
            Kept(
                plan.frame_id,
                plan.target,
                plan.kind != FrameKind.DARK,
                frame.exposure.t_start_s,
                frame.exposure.t_end_s,
                frame.exposure.unique_id,
            )
            for plan, frame in stored
            if frame.exposure.t_start_s >= begun_s
        ],
        [*_spans(events, RunHeld.kind, RunReleased.kind, ways_out, but="instrument lost"), *_paused(states, begun_s)],
        _merged(_stages(events, ways_out)),
        _unreachable(events, end_s),
        safe,
        [event.t_s for event in events if event.kind == ShutterStaysOpen.kind or _STICKS in event.text],
    )


def _looks_again(events: Sequence) -> list[tuple[str, float]]:
    """Views that are taken again, and from when on. Who pauses meanwhile has others looked at, and then this one."""
    wanted, looking, told_s = [], list[str](), 0.0
    for event in events:
        if event.text.startswith(AGAIN) and event.kind == StageBegun.kind:
            looking.append(event.text.split()[1])
            wanted.append((looking[-1], event.t_s))
        elif event.text.startswith(AGAIN) and event.kind == StageEnded.kind:
            name = event.text.split()[1]
            if looking[-1:] == [name]:
                looking.pop()
                wanted += [(name, event.t_s) for name in looking[-1:]]
            else:
                # Its beginning could not be recorded where the disk has failed.
                wanted.append((name, told_s))
        told_s = event.t_s
    return wanted


def _look(event: Any) -> Intent:
    """A picture of the alignment's check, which the journal tells of before it is exposed."""
    pose = Pose(*(event.data[name] for name in ("x_um", "y_um", "z_um", "theta_deg")))
    return Intent(event.t_s, event.text, pose, event.data["lit"])


def _spans(events: Sequence, begin: str, end: str, ways_out: Sequence[float], but: str = "\0") -> list[Span]:
    """From each `begin` to the next `end`, or to the way out of the run; for ever where the journal says no more."""
    found = []
    for number, event in enumerate(events):
        if event.kind == begin and not event.text.startswith(but):
            ends = [later.t_s for later in events[number:] if later.kind == end] + list(ways_out[-1:])
            found.append((event.t_s, min((t_s for t_s in ends if t_s >= event.t_s), default=math.inf)))
    return found


def _stages(events: Sequence, ways_out: Sequence[float]) -> list[Span]:
    """Each by its name: after a pause a view is taken again in the middle of a scan, or of its being taken again."""
    found, open_s = list[Span](), dict[str, list[float]]()
    for event in events:
        if event.kind == StageBegun.kind:
            open_s.setdefault(event.text, []).append(event.t_s)
        elif event.kind == StageEnded.kind and open_s.get(event.text):
            found.append((open_s[event.text].pop(), event.t_s))
    over_s = max(ways_out, default=math.inf)
    return [*found, *((begun_s, max(begun_s, over_s)) for begins in open_s.values() for begun_s in begins)]


def _paused(states: Sequence[StateRecord], begun_s: float) -> list[Span]:
    """Safe before it is said: a pause has no grace."""
    ends = [*(after.t_s for after in states[1:]), math.inf]
    return [
        (record.t_s - SHUTTER_S, end_s)
        for record, end_s in zip(states, ends, strict=False)
        if record.state is RunState.PAUSED and record.t_s >= begun_s
    ]


def _unreachable(events: Sequence, end_s: float) -> list[Span]:
    lost = [event.t_s for event in events if event.kind == InstrumentLost.kind]
    back = [event.t_s for event in events if event.kind == RunReleased.kind and "instrument lost" in event.text]
    return [(t_s, min((again for again in back if again >= t_s), default=end_s)) for t_s in lost]


def _merged(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin - joined[-1][1] < SHUTTER_S:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def tolerances(microscope: Microscope) -> dict[str, float]:
    """By axis."""
    return {str(name): axis.tolerance for name, axis in microscope.describe().axes.items()}
