"""Carries out steps on an instrument, one verified frame at a time, and brings every frame to one outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from numpy.typing import NDArray

from xrm_control.acquisition.beam import has_beam
from xrm_control.acquisition.blade import Blade
from xrm_control.acquisition.checks import AgainstReference, FrameChecker
from xrm_control.acquisition.failures import Failure
from xrm_control.acquisition.gate import Gate, OpenGate
from xrm_control.acquisition.keeping import Keeping
from xrm_control.acquisition.policies import End, Reactions
from xrm_control.acquisition.positioning import Positioning
from xrm_control.acquisition.recovery import MOST_ATTEMPTS, Hold, Recovery, gather_or_cancel
from xrm_control.acquisition.retry import RetryPolicy
from xrm_control.acquisition.second_look import SecondLook
from xrm_control.acquisition.sink import FrameSink
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.acquisition.stillness import CameraChanged, disturbed, meaning_lost, moved
from xrm_control.acquisition.tally import Tally
from xrm_control.core.clock import Clock
from xrm_control.core.errors import (
    BeamLost,
    ConditionBroken,
    DeviceError,
    FrameLost,
    FrameUnusable,
    InstrumentUnreachable,
    MotionInterrupted,
    Saturated,
    ShutterStuck,
)
from xrm_control.core.events import (
    EventStream,
    FrameConfirmed,
    FramePostponed,
    ShutterStaysOpen,
)
from xrm_control.core.frame_id import MOSAIC
from xrm_control.core.geometry import Pose
from xrm_control.core.states import REFERENCES, FrameKind
from xrm_control.devices.protocols import CameraFrame, CameraSettings, Instrument
from xrm_control.devices.safety import Guard

__all__ = ["Engine", "FrameSink", "Hold", "RetryPolicy"]

Result = TypeVar("Result")

# Failures of one frame in a row: then its references are doubted, and the camera is configured anew.
_DOUBTED_AFTER = _RECONFIGURED_AFTER = 2
_LOOK_AT_SOURCE = "look at the source, then `xrm resume` the run; the frames taken so far are kept"


class Engine:
    """Runs acquisitions: move, verify, expose, check, keep; retry what the policy allows, wait for what comes back.

    `limits_now` gives the limits in force after the instrument was lost and connected again; `reactions` is what the
    recipe says of each kind of failure, in place of the policy alone.
    """

    def __init__(
        self,
        instrument: Instrument,
        sink: FrameSink,
        guard: Guard,
        clock: Clock,
        events: EventStream,
        policy: RetryPolicy,
        hold: Hold,
        limits_now: Callable[[], Guard] | None = None,
        reactions: Reactions | None = None,
    ) -> None:
        self._instrument = instrument
        self._blade = Blade(instrument)
        self._positioning = Positioning(instrument, guard, self._blade)
        self._keeping = Keeping(sink, events)
        self._limits_now = limits_now
        self._clock = clock
        self._events = events
        self._policy = policy
        self._hold = hold
        self._gate: Gate = OpenGate()
        self._reactions = reactions or Reactions(policy)
        self._recovery = Recovery(
            instrument, clock, events, policy, hold, self._restore, lambda: self._gate.while_held(), self._reactions
        )
        self._acquisition: Acquisition | None = None
        self._checker = FrameChecker((0, 0))
        self.second_look = SecondLook(self._checker, sink, events, self._keeping.durable, self._carry_out)

    def respect(self, guard: Guard) -> None:
        """Limits and envelope from here on."""
        self._positioning.respect(guard)

    def obey(self, gate: Gate) -> None:
        """Ask `gate` before each frame from here on."""
        self._gate = gate

    async def recovering(self, action: Callable[[], Awaitable[Result]], where: str) -> Result:
        """`action`, begun again after a lost instrument came back, or an axis that somebody else moved was let go."""
        return await self._recovery.with_(action, where)

    async def configure(self, acquisition: Acquisition) -> None:
        """Set the camera and believe only what it reads back."""
        settings = await self.recovering(lambda: self._configure(acquisition), f"{acquisition.stage}, camera")
        self._acquisition = acquisition
        full_scale = self._instrument.describe().camera.full_scale
        self._checker.begin(settings.shape, acquisition.binning, acquisition.exposure_s, full_scale)
        self.second_look.begin(acquisition.steps)

    def recall(self, step: FrameStep, attempt: int, image: NDArray[Any], *, confirmed: bool = False) -> None:
        """A frame that whoever began this acquisition kept; confirmed: unlike its fellows, and two exposures agreed."""
        self._checker.recall(step, image, confirmed=confirmed)
        self.second_look.taken(step, attempt)

    @property
    def knows_references(self) -> bool:
        """Whether a dark or flat with the present settings of the camera is known."""
        return self._checker.light.knows_references

    def recall_reference(self, kind: FrameKind, image: NDArray[Any]) -> None:
        """A dark or flat that an earlier acquisition kept, with the same settings: what follows is held against it."""
        self._checker.light.earlier(kind, image)

    async def run(self, steps: Iterable[FrameStep]) -> None:
        """Carry out `steps` in order. On return each has one outcome: kept or declared missing.

        What could not be taken is tried once more at the end, and so is what turned out to be odd among its fellows:
        a dark or flat of a set when the set is complete, a projection when all are known. A frame is made durable while
        the stage goes to the next one, which is not exposed before. However this ends, no frame is left half kept.
        Raises StorageError; Saturated.
        """
        again: list[FrameStep] = []
        try:
            for kind, alike in groupby(steps, key=lambda step: step.kind):
                some = list(alike)
                again += [step for step in some if not await self._carry_out(step)]
                if kind in REFERENCES:
                    again += await self.second_look.review(some)
            again += await self.second_look.odd_views()
            for number, step in enumerate(again):
                await self._carry_out(step, last=True, needed=self.second_look.is_only_one(step, again[number + 1 :]))
        finally:
            await self._keeping.durable()

    async def close(self) -> None:
        """Close the shutter: nothing is exposed for a while. One that sticks is told of, and costs no frame. A blade is
        brought out of the beam.

        The next dark will not be taken behind it, nor will the run end as a success.
        """
        try:
            await self.recovering(lambda: self._instrument.shutter.set(False), "closing the shutter")
        except ShutterStuck as error:
            self._events.emit(ShutterStaysOpen(str(error)))
        await self.recovering(self._blade.out, "taking the blade out of the beam")

    async def _pass_gate(self, step: FrameStep) -> None:
        """Wait while somebody wants the run to; the frame before is durable before anybody waits."""
        if self._gate.is_open:
            return
        await self._keeping.durable()
        await self._gate.wait(step.frame_id)
        self._positioning.forget()
        await self.recovering(self._reconfigure, step.frame_id)

    async def _carry_out(self, step: FrameStep, *, last: bool = False, needed: bool = False) -> bool:
        """Attempt a frame until it is kept (True) or its attempts are used up; `last` and `needed`: see `Tally`."""
        await self._pass_gate(step)
        tally = Tally(last=last, needed=needed)
        while not await self.recovering(partial(self._attempt, step, tally), step.frame_id):
            if tally.against is not None and tally.failures == _DOUBTED_AFTER:
                await self.second_look.renew(tally.against, step.frame_id)
            await self._pass_gate(step)
        return not tally.given_up

    async def move(self, pose: Pose, where: str) -> Pose:
        """Move all axes that are not there yet, at once; returns the verified read-back."""
        return await self.recovering(lambda: self._positioning.to(pose, where), where)

    async def _configure(self, acquisition: Acquisition) -> CameraSettings:
        settings = await self._instrument.camera.configure(acquisition.binning, acquisition.exposure_s)
        if settings.binning != acquisition.binning or abs(settings.exposure_s / acquisition.exposure_s - 1) > 0.01:
            raise DeviceError(
                "the camera did not take its settings",
                where=f"camera, {acquisition.stage}",
                value=f"binning {settings.binning}, exposure {settings.exposure_s:g} s",
                limit=f"binning {acquisition.binning}, exposure {acquisition.exposure_s:g} s",
                remedy="check that nobody else controls the camera",
            )
        return settings

    async def _restore(self) -> None:
        """After the instrument came back: the limits as they are now, the camera as it was."""
        if self._limits_now is not None:
            self._positioning.respect(self._limits_now())
        await self._reconfigure()
        self._gate.came_back()

    async def _reconfigure(self) -> None:
        if self._acquisition is not None:
            settings = await self._configure(self._acquisition)
            if settings.shape != self._checker.shape:
                raise DeviceError(
                    "the camera came back with another size of its frames",
                    where=f"camera, {self._acquisition.stage}",
                    value=settings.shape,
                    limit=self._checker.shape,
                    remedy="set its region back, then `xrm resume` the run; the frames taken so far are kept",
                )
            self._checker.restarted()

    async def _attempt(self, step: FrameStep, tally: Tally) -> bool:
        """One attempt at a frame, every condition looked at before; whether the frame has its outcome."""
        if not self._gate.is_open:
            # Also when the instrument has just come back: who holds the gate is asked before anything is exposed.
            return False
        if (changed := meaning_lost(self._instrument.settings_changed(), step.frame_id)) is not None:
            raise changed
        # Beam and shutter are asked while the stage moves. Beam that goes after that is noticed after the exposure.
        moving = self._positioning.to(step.pose, step.frame_id, blocked=step.blocked)
        actual, beam, is_open = await gather_or_cancel(moving, *self._look(step))
        if not beam:
            await self._wait_for_beam(step)
            return False
        if is_open != step.shutter_open:
            await self._instrument.shutter.set(step.shutter_open)
        tally.tries += 1
        attempt = await self._keeping.intend(step)
        try:
            await self._blade.set(step)
            frame = await self._expose(step, actual)
        except (InstrumentUnreachable, MotionInterrupted) as error:
            # What is in flight when the instrument goes is not believed, and never counts as the frame's failure.
            await self._keeping.retake(step, attempt, error)
            raise
        except (BeamLost, ConditionBroken, FrameLost, FrameUnusable, Saturated) as error:
            return await self._failed(step, attempt, tally, error)
        if step.frame_id in self._checker.confirmed:
            self._events.emit(FrameConfirmed(step.frame_id))
        self.second_look.taken(step, attempt)
        self._keeping.begin(step, attempt, frame, actual)
        return True

    async def _failed(self, step: FrameStep, attempt: int, tally: Tally, error: DeviceError) -> bool:
        """What becomes of a frame whose attempt failed; whether it is done with for now."""
        # Losing beam, or what else the recipe watches, is not the frame's fault.
        own = not isinstance(error, BeamLost | ConditionBroken)
        tally.failures += own
        tally.against = error.reference if isinstance(error, AgainstReference) else None
        _, reaction = (own and self._reactions.to(error)) or (None, self._reactions[Failure.FRAME_BAD])
        used_up = (own and tally.failures >= reaction.attempts) or tally.tries >= MOST_ATTEMPTS
        ends = used_up and (tally.needed or self._end_of(step, reaction.then) is not End.MISSING)
        if used_up and tally.last and not ends:
            await self._keeping.missing(step, error.what)
            return True
        await self._keeping.retake(step, attempt, error)
        if ends or (isinstance(error, Saturated) and not self._checker.was_good):
            raise error
        if used_up:
            tally.given_up = True
            self._events.emit(FramePostponed(step.frame_id, error.what))
        often = tally.failures and tally.failures % _RECONFIGURED_AFTER == 0
        if isinstance(error, CameraChanged) or self._checker.unsure or often:
            await self._reconfigure()
        if own and not used_up and reaction.pause_s > 0:
            await self._recovery.rest(step.frame_id, error, reaction.pause_s)
        return used_up

    def _end_of(self, step: FrameStep, then: End) -> End:
        """Where no region is being scanned there is none to skip: the frame is given up instead."""
        return End.MISSING if then is End.SKIP and step.frame_id.group == MOSAIC else then

    async def _expose(self, step: FrameStep, before: Pose) -> CameraFrame:
        """One frame; good only if everything was still, and as commanded, from its begin to its end."""
        if self._acquisition is None:
            raise DeviceError("the camera was not configured before exposing", where=step.frame_id)
        self._checker.ordered()
        frame = await self._instrument.camera.expose()
        axes = self._instrument.axes
        beam, is_open, *readings = await gather_or_cancel(*self._look(step), *(axis.read() for axis in axes.values()))
        seen = dict(zip(axes, readings, strict=True))
        self._positioning.seen(seen)
        if not beam:
            self._checker.disturbed(frame)
            raise BeamLost("beam was lost during the exposure", where=step.frame_id)
        problem = (
            meaning_lost(self._instrument.settings_changed(), step.frame_id)
            or moved(step, before, seen, self._instrument.describe().axes)
            or disturbed(step, frame.disturbances)
        )
        if problem is not None:
            self._checker.disturbed(frame)
            raise problem
        if is_open != step.shutter_open:
            self._checker.disturbed(frame)
            state = "open" if is_open else "closed"
            raise FrameUnusable("the shutter is not as it was before the exposure", where=step.frame_id, value=state)
        await self._blade.check(step)
        self._checker.check(step, frame)
        await self._gate.passes(step, frame)
        return frame

    async def _beam(self, step: FrameStep | None = None) -> bool:
        """Whether there is the beam that `step` wants."""
        dark = step is not None and not step.shutter_open
        return dark or await has_beam(self._instrument.source, self._policy.flux_floor)

    def _look(self, step: FrameStep) -> tuple[Coroutine[Any, Any, bool], Coroutine[Any, Any, bool]]:
        """Whether there is the beam that the step wants, and whether the shutter is open: two questions, to be awaited.

        They go to `gather_or_cancel` as they are: what its tasks ask for in one turn of the loop travels together.
        """
        return self._beam(step), self._instrument.shutter.is_open()

    async def _wait_for_beam(self, step: FrameStep) -> None:
        """Hold, shutter closed, until there is beam."""
        await self._instrument.shutter.set(False)
        lost_s, patience_s = self._clock.now_s(), self._reactions[Failure.BEAM_LOST].patience_s
        if not patience_s:
            raise BeamLost("there is no beam", where=step.frame_id, remedy=_LOOK_AT_SOURCE)
        async with self._hold(f"beam lost at {step.frame_id}"):
            while not await self._beam():
                if self._clock.now_s() - lost_s > patience_s:
                    raise BeamLost(
                        "beam did not come back",
                        where=step.frame_id,
                        value=f"{self._clock.now_s() - lost_s:.0f} s",
                        limit=f"{patience_s:g} s",
                        remedy=_LOOK_AT_SOURCE,
                    )
                self._gate.while_held()
                await self._clock.sleep(self._policy.beam_poll_s)
