"""What the operators' screens show of a run: state, frames, time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from xrm_control.core.events import (
    AnyEvent,
    FrameEvent,
    FrameKept,
    InstrumentEvent,
    InstrumentReached,
    RoiEvent,
    RunEvent,
    RunReplanned,
    RunResumed,
    SafeStateLeft,
    StateEntered,
)
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import ENDS, WAITING, RunState
from xrm_control.devices.protocols import Instrument, RunStatus
from xrm_control.recipe.planning import Plan


class StatusPublisher:
    """Tells the instrument's screens how far the run has come, as long as the instrument is this run's."""

    def __init__(self, run: str, instrument: Instrument, plan: Plan, collected: Iterable[FrameId] = ()) -> None:
        self._run, self._instrument = run, instrument
        self._state = RunState.IDLE
        self._collected = set(collected)
        self._images = sum(stage.frames for stage in plan.stages)
        self._planned_s = plan.total_s
        self._held_s = 0.0
        self._held_from_s: float | None = None
        self._ours = False

    def hear(self, event: AnyEvent) -> None:
        """Show what has changed with `event`."""
        match event:
            case StateEntered(state):
                self._entered(state, event.t_s)
            case FrameKept(frame):
                # For the first time, or in place of one that turned out to be odd.
                self._collected.add(frame)
            case RunReplanned(images, planned_s):
                self._images, self._planned_s = images, planned_s
            case RunResumed(stood_s=stood_s):
                # While nobody carried it out it did not work.
                self._held_s += event.t_s - stood_s
            case InstrumentReached():
                self._ours = True
            case SafeStateLeft():
                self._ours = False
            case FrameEvent() | RoiEvent() | RunEvent() | InstrumentEvent():
                return
            case _:
                assert_never(event)
        if self._ours:
            self._instrument.announce(self._status(event.t_s))

    def _entered(self, state: RunState, now_s: float) -> None:
        """Time in `held` and `paused` is not in the plan."""
        if self._held_from_s is not None:
            self._held_s += now_s - self._held_from_s
        self._held_from_s = now_s if state in WAITING else None
        self._state = state

    def _status(self, now_s: float) -> RunStatus:
        collected = len(self._collected)
        working_s = now_s - self._held_s - (now_s - self._held_from_s if self._held_from_s is not None else 0)
        # A run behind its plan has at least its outstanding frames before it.
        outstanding_s = self._planned_s * max(0, self._images - collected) / max(1, self._images)
        remaining_s = 0.0 if self._state in ENDS else max(outstanding_s, self._planned_s - working_s)
        return RunStatus(self._run, self._state, collected, self._images, now_s, remaining_s)
