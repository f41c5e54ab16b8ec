"""How far a run has come and how long it will still take, from its events alone: for screens, displays and alerts."""

from __future__ import annotations

from collections.abc import Iterable

from xrm_control.core.events import AnyEvent, FrameKept, FrameMissing, RunReplanned, RunResumed, StateEntered
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import ENDS, WAITING, RunState


class RunProgress:
    """A listener. `collected`: frames that were kept before there was anything to hear."""

    def __init__(self, collected: Iterable[FrameId] = ()) -> None:
        self._kept = set(collected)
        self._decided = set(self._kept)
        self._before = 0
        self._planned_s = 0.0
        self._held_s = 0.0
        self._held_from_s: float | None = None
        self.state = RunState.IDLE
        self.images = 0

    def hear(self, event: AnyEvent) -> bool:
        """Whether `event` has changed anything."""
        match event:
            case StateEntered(state):
                self._entered(state, event.t_s)
            case FrameKept(frame):
                # For the first time, or in place of one that turned out to be odd.
                self._kept.add(frame)
                self._decided.add(frame)
            case FrameMissing(frame):
                self._decided.add(frame)
            case RunReplanned(images, planned_s):
                self.images, self._planned_s = images, planned_s
            case RunResumed(stood_s=stood_s, kept=kept):
                # While nobody carried it out it did not work.
                self._held_s += event.t_s - stood_s
                self._before = max(0, kept - len(self._kept))
            case _:
                return False
        return True

    @property
    def collected(self) -> int:
        """Frames that are kept."""
        return min(self._before + len(self._kept), self.images)

    @property
    def decided(self) -> int:
        """Frames that are kept or missing."""
        return min(self._before + len(self._decided), self.images)

    def remaining_s(self, now_s: float) -> float:
        """Instrument time to the end, as planned; of a run behind its plan at least that of its outstanding frames."""
        if self.state in ENDS:
            return 0.0
        working_s = now_s - self._held_s - (now_s - self._held_from_s if self._held_from_s is not None else 0)
        return remaining_s(self._planned_s, self.images, self.collected, working_s)

    def _entered(self, state: RunState, now_s: float) -> None:
        """Time in `held` and `paused` is not in the plan."""
        if self._held_from_s is not None:
            self._held_s += now_s - self._held_from_s
        self._held_from_s = now_s if state in WAITING else None
        self.state = state


def remaining_s(planned_s: float, images: int, kept: int, worked_s: float) -> float:
    """What is left of a plan of so many images; of a run behind its plan at least what its outstanding frames take."""
    outstanding_s = planned_s * max(0, images - kept) / max(1, images)
    return max(outstanding_s, planned_s - worked_s, 0.0)
