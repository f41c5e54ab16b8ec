"""Carries out steps on an instrument, one verified frame at a time, and brings every frame to one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from xrm_control.acquisition.checks import FrameChecker
from xrm_control.acquisition.patience import MOST_ATTEMPTS, Hold, Patience, RetryPolicy, together
from xrm_control.acquisition.steps import Acquisition, FrameStep, axis_targets
from xrm_control.core.clock import Clock
from xrm_control.core.errors import (
    BeamLost,
    DeviceError,
    FrameLost,
    FrameUnusable,
    InstrumentUnreachable,
    InterlockOpen,
    MotionInterrupted,
    MotionStalled,
    XrmError,
)
from xrm_control.core.events import EventStream
from xrm_control.core.geometry import Pose
from xrm_control.devices.protocols import CameraFrame, CameraSettings, Instrument
from xrm_control.devices.safety import Guard

__all__ = ["Engine", "FrameSink", "Hold", "RetryPolicy"]

Result = TypeVar("Result")


class FrameSink(Protocol):
    """Where frames go; every method returns only when what it was told is durable."""

    async def intend(self, step: FrameStep) -> int:
        """`step` is about to be exposed; returns the number of this attempt (1, 2 ...), counted over the run's life."""
        ...

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        """The frame is good: make it durable."""
        ...

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        """This attempt does not count; another follows."""
        ...

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        """No attempt succeeded: the frame is missing."""
        ...


class Engine:
    """Runs acquisitions: move, verify, expose, check, keep; retry what the policy allows, wait for what comes back.

    `limits_now` gives the limits in force after the instrument was lost and connected again.
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
    ) -> None:
        self._instrument = instrument
        self._sink = sink
        self._guard = guard
        self._limits_now = limits_now
        self._clock = clock
        self._events = events
        self._policy = policy
        self._hold = hold
        self._patience = Patience(instrument, clock, events, policy, hold, self._restore)
        self._acquisition: Acquisition | None = None
        self._checker: FrameChecker | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._last_seen: dict[str, float] = {}

    def respect(self, guard: Guard) -> None:
        """Limits and envelope from here on."""
        self._guard = guard

    async def patiently(self, action: Callable[[], Awaitable[Result]], where: str) -> Result:
        """`action`, begun again after a lost instrument came back, or an axis that somebody else moved was let go."""
        return await self._patience.with_(action, where)

    async def configure(self, acquisition: Acquisition) -> None:
        """Set the camera and believe only what it reads back."""
        settings = await self.patiently(lambda: self._configure(acquisition), f"{acquisition.stage}, camera")
        self._acquisition, self._checker = acquisition, FrameChecker(settings.shape)

    async def run(self, steps: Iterable[FrameStep]) -> None:
        """Carry out `steps` in order. On return each has one outcome: kept or declared missing.

        A frame is made durable while the stage goes to the next one, which is not exposed before. However this ends,
        no frame is left half kept. Raises StorageError.
        """
        try:
            for step in steps:
                tally = _Tally()
                while not await self.patiently(partial(self._attempt, step, tally), step.frame_id):
                    pass
        finally:
            await self._durable()

    async def move(self, pose: Pose, where: str) -> Pose:
        """Move all axes that are not there yet, at once; returns the verified read-back."""
        return await self.patiently(lambda: self._move(pose, where), where)

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
            self._guard = self._limits_now()
        if self._acquisition is not None and self._checker is not None:
            settings = await self._configure(self._acquisition)
            if settings.shape != self._checker.shape:
                raise DeviceError(
                    "the camera came back with another size of its frames",
                    where=f"camera, {self._acquisition.stage}",
                    value=settings.shape,
                    limit=self._checker.shape,
                    remedy="set its region back; then start the recipe again; the frames taken so far are kept",
                )
            self._checker.restarted()

    async def _move(self, pose: Pose, where: str) -> Pose:
        self._guard.check(pose, where)
        attempt = 0
        while True:
            attempt += 1
            try:
                targets = axis_targets(pose).items()
                return Pose(*await together(*(self._approach(name, target) for name, target in targets)))
            except MotionStalled as error:
                self._events.emit("move.stalled", str(error), level="warning", attempt=attempt, frame=where)
                if attempt == self._policy.move_attempts:
                    raise

    async def _approach(self, name: str, target: float) -> float:
        """Move, unless the axis is there already; it is only asked when it may be."""
        axis = self._instrument.axes[name]
        tolerance = self._instrument.describe().axes[name].tolerance
        if abs(self._last_seen.get(name, target) - target) <= tolerance:
            reading = await axis.read()
            if not reading.moving and abs(reading.position - target) <= tolerance:
                self._last_seen[name] = reading.position
                return reading.position
        self._last_seen.pop(name, None)
        self._last_seen[name] = await axis.move(target)
        return self._last_seen[name]

    async def _attempt(self, step: FrameStep, tally: _Tally) -> bool:
        """One attempt at a frame, every condition looked at before; whether the frame has its outcome."""
        # Beam and shutter are asked while the stage moves. Beam that goes after that is noticed after the exposure.
        actual, (beam, is_open) = await together(self._move(step.pose, step.frame_id), self._look(step))
        if not beam:
            await self._wait_for_beam(step)
            return False
        if is_open != step.shutter_open:
            await self._instrument.shutter.set(step.shutter_open)
        await self._durable()
        tally.tries += 1
        attempt = await self._sink.intend(step)
        try:
            frame = await self._expose(step)
        except (InstrumentUnreachable, MotionInterrupted) as error:
            # What is in flight when the instrument goes is not believed, and never counts as the frame's failure.
            await self._retake(step, attempt, error)
            raise
        except (BeamLost, FrameLost, FrameUnusable) as error:
            # Nor is losing beam the frame's fault.
            tally.failures += not isinstance(error, BeamLost)
            if tally.failures == self._policy.frame_attempts or tally.tries >= MOST_ATTEMPTS:
                await self._missing(step, error.what)
                return True
            await self._retake(step, attempt, error)
            return False
        self._keeping = asyncio.create_task(self._keep(step, attempt, frame, actual), name=f"keep {step.frame_id}")
        return True

    async def _keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        await self._sink.keep(step, attempt, frame, actual)
        self._events.emit("frame.kept", step.frame_id, level="debug", frame=step.frame_id, frame_kind=step.kind)

    async def _durable(self) -> None:
        """Wait until the frame before is durable, also when cancelled meanwhile. Raises StorageError."""
        keeping, self._keeping = self._keeping, None
        if keeping is None:
            return
        try:
            await asyncio.shield(keeping)
        except asyncio.CancelledError:
            await asyncio.wait((keeping,))
            if not keeping.cancelled() and (error := keeping.exception()) is not None:
                raise error from None
            raise

    async def _retake(self, step: FrameStep, attempt: int, error: XrmError) -> None:
        await self._sink.retake(step, attempt, error.what)
        self._events.emit("frame.retaken", str(error), level="warning", frame=step.frame_id)

    async def _missing(self, step: FrameStep, reason: str) -> None:
        await self._sink.declare_missing(step, reason)
        self._events.emit("frame.missing", f"{step.frame_id} is missing: {reason}", level="error", frame=step.frame_id)

    async def _expose(self, step: FrameStep) -> CameraFrame:
        frame = await self._instrument.camera.expose()
        if step.shutter_open and not await self._beam():
            raise BeamLost("beam was lost during the exposure", where=step.frame_id)
        if self._checker is None:
            raise DeviceError("the camera was not configured before exposing", where=step.frame_id)
        self._checker.check(step, frame)
        return frame

    async def _beam(self) -> bool:
        source = await self._instrument.source.read()
        if not source.permit:
            raise InterlockOpen(
                "the interlock does not permit beam",
                where="source",
                remedy="find out why, reset it by hand, then start the recipe again: it never re-arms by itself",
            )
        return source.available and source.flux_relative >= self._policy.flux_floor

    async def _look(self, step: FrameStep) -> tuple[bool, bool]:
        """Whether there is the beam that the step wants, and whether the shutter is open."""
        shutter = self._instrument.shutter
        if not step.shutter_open:
            return True, await shutter.is_open()
        beam, is_open = await together(self._beam(), shutter.is_open())
        return beam, is_open

    async def _wait_for_beam(self, step: FrameStep) -> None:
        """Hold, shutter closed, until there is beam."""
        await self._instrument.shutter.set(False)
        lost_s = self._clock.now_s()
        async with self._hold(f"beam lost at {step.frame_id}"):
            while not await self._beam():
                if self._clock.now_s() - lost_s > self._policy.beam_wait_s:
                    raise BeamLost(
                        "beam did not come back",
                        where=step.frame_id,
                        value=f"{self._clock.now_s() - lost_s:.0f} s",
                        limit=f"{self._policy.beam_wait_s:g} s",
                        remedy="look at the source; then start the recipe again; the frames taken so far are kept",
                    )
                await self._clock.sleep(self._policy.beam_poll_s)


@dataclass
class _Tally:
    """How often a frame was tried, and how often that was its own failure."""

    tries: int = 0
    failures: int = 0
