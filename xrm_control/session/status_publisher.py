"""What the operators' screens show of a run: state, frames, time."""

from __future__ import annotations

from collections.abc import Iterable

from xrm_control.core.events import AnyEvent, InstrumentReached, RunReplanned, SafeStateLeft
from xrm_control.core.frame_id import FrameId
from xrm_control.core.progress import RunProgress
from xrm_control.devices.protocols import Instrument, RunStatus
from xrm_control.recipe.planning import Plan


class StatusPublisher:
    """Tells the instrument's screens how far the run has come, as long as the instrument is this run's."""

    def __init__(self, run: str, instrument: Instrument, plan: Plan, collected: Iterable[FrameId] = ()) -> None:
        self._run, self._instrument = run, instrument
        self._progress = RunProgress(collected)
        self._progress.hear(RunReplanned(sum(stage.frames for stage in plan.stages), plan.total_s))
        self._ours = False

    def hear(self, event: AnyEvent) -> None:
        """Show what has changed with `event`."""
        changed = self._progress.hear(event)
        if isinstance(event, InstrumentReached):
            self._ours = changed = True
        elif isinstance(event, SafeStateLeft):
            self._ours = False
        if self._ours and changed:
            self._instrument.announce(self._status(event.t_s))

    def _status(self, now_s: float) -> RunStatus:
        progress = self._progress
        return RunStatus(
            self._run, progress.state, progress.collected, progress.images, now_s, progress.remaining_s(now_s)
        )
