"""What the operators' screens show of a run: state, frames, time."""

from __future__ import annotations

from xrm_control.core.clock import Clock
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import ENDS, WAITING, RunState
from xrm_control.devices.protocols import Instrument, RunStatus
from xrm_control.recipe.planning import Plan


class StatusPublisher:
    """Tells the instrument's panels how far the run has come, as long as the instrument is this run's."""

    def __init__(self, run: str, instrument: Instrument, clock: Clock, plan: Plan) -> None:
        self._run, self._instrument, self._clock = run, instrument, clock
        self._state = RunState.IDLE
        self._collected: set[FrameId] = set()
        self._images = sum(stage.frames for stage in plan.stages)
        self._planned_s = plan.total_s
        self._held_s = 0.0
        self._held_from_s: float | None = None
        self._ours = False

    def begin(self) -> None:
        """The instrument is connected and this run's."""
        self._ours = True
        self._tell()

    def stop(self) -> None:
        """The instrument is another's: say nothing any more."""
        self._ours = False

    def entered(self, state: RunState) -> None:
        """The run is in `state`; time in `held` and `paused` is not in the plan."""
        now_s = self._clock.now_s()
        if self._held_from_s is not None:
            self._held_s += now_s - self._held_from_s
        self._held_from_s = now_s if state in WAITING else None
        self._state = state
        self._tell()

    def kept(self, frame_id: FrameId) -> None:
        """A frame is durable, for the first time or in place of one that turned out to be odd."""
        self._collected.add(frame_id)
        self._tell()

    def replan(self, images: int, planned_s: float) -> None:
        """The regions are known: so many frames in all, and so much time for the whole run."""
        self._images, self._planned_s = images, planned_s
        self._tell()

    def _tell(self) -> None:
        if not self._ours:
            return
        elapsed_s, collected = self._clock.now_s(), len(self._collected)
        over = self._state in ENDS
        working_s = elapsed_s - self._held_s - (elapsed_s - self._held_from_s if self._held_from_s is not None else 0)
        # A run behind its plan has at least its outstanding frames before it.
        outstanding_s = self._planned_s * max(0, self._images - collected) / max(1, self._images)
        remaining_s = 0.0 if over else max(outstanding_s, self._planned_s - working_s)
        status = RunStatus(self._run, self._state, collected, self._images, elapsed_s, remaining_s)
        self._instrument.announce(status)
