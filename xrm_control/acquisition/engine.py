"""Carries out steps on an instrument, one verified frame at a time, and brings every frame to one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pydantic import Field

from xrm_control.acquisition.checks import FrameChecker
from xrm_control.acquisition.steps import Acquisition, FrameStep, axis_targets
from xrm_control.core.clock import Clock
from xrm_control.core.errors import BeamLost, DeviceError, FrameLost, FrameUnusable, MotionStalled, XrmError
from xrm_control.core.events import EventStream
from xrm_control.core.geometry import Pose
from xrm_control.core.model import Spec
from xrm_control.devices.protocols import CameraFrame, Instrument
from xrm_control.devices.safety import Guard

# A flickering source must not turn one frame into an endless loop.
_MOST_ATTEMPTS = 50


class RetryPolicy(Spec):
    """What is tried again, how often, and how long to wait for beam."""

    move_attempts: int = Field(default=3, ge=1, le=20, description="tries of a move that stalls, then the run stops")
    frame_attempts: int = Field(default=4, ge=1, le=20, description="tries of a frame, then it is declared missing")
    beam_poll_s: float = Field(default=5.0, gt=0, description="time between two looks at the source while it is down")
    beam_wait_s: float = Field(default=14_400.0, gt=0, description="the run stops if beam is away longer than this")
    flux_floor: float = Field(default=0.5, gt=0, lt=1, description="relative flux below which beam counts as lost")


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


Hold = Callable[[str], AbstractAsyncContextManager[None]]


class Engine:
    """Runs acquisitions: move, verify, expose, check, keep; retry what the policy allows."""

    def __init__(
        self,
        instrument: Instrument,
        sink: FrameSink,
        guard: Guard,
        clock: Clock,
        events: EventStream,
        policy: RetryPolicy,
        hold: Hold,
    ) -> None:
        self._instrument = instrument
        self._sink = sink
        self._guard = guard
        self._clock = clock
        self._events = events
        self._policy = policy
        self._hold = hold
        self._checker: FrameChecker | None = None

    async def configure(self, acquisition: Acquisition) -> None:
        """Set the camera and believe only what it reads back."""
        settings = await self._instrument.camera.configure(acquisition.binning, acquisition.exposure_s)
        if settings.binning != acquisition.binning or abs(settings.exposure_s / acquisition.exposure_s - 1) > 0.01:
            raise DeviceError(
                "the camera did not take its settings",
                where=f"camera, {acquisition.stage}",
                value=f"binning {settings.binning}, exposure {settings.exposure_s:g} s",
                limit=f"binning {acquisition.binning}, exposure {acquisition.exposure_s:g} s",
                remedy="check that nobody else controls the camera",
            )
        self._checker = FrameChecker(settings.shape)

    async def run(self, steps: Iterable[FrameStep]) -> None:
        """Carry out `steps` in order. On return each has one outcome: kept or declared missing."""
        for step in steps:
            await self._bring_home(step)

    async def move(self, pose: Pose, where: str) -> Pose:
        """Move all axes that are not there yet, at once; returns the verified read-back."""
        self._guard.check(pose, where)
        attempt = 0
        while True:
            attempt += 1
            try:
                async with asyncio.TaskGroup() as group:
                    moves = {
                        name: group.create_task(self._approach(name, target))
                        for name, target in axis_targets(pose).items()
                    }
                return Pose(*(moves[name].result() for name in ("x", "y", "z", "theta")))
            except* MotionStalled as stalls:
                error = _first(stalls)
            except* XrmError as others:
                raise _first(others) from None
            self._events.emit("move.stalled", str(error), level="warning", attempt=attempt, frame=where)
            if attempt == self._policy.move_attempts:
                raise error

    async def _approach(self, name: str, target: float) -> float:
        axis = self._instrument.axes[name]
        reading = await axis.read()
        tolerance = self._instrument.describe().axes[name].tolerance
        if not reading.moving and abs(reading.position - target) <= tolerance:
            return reading.position
        return await axis.move(target)

    async def _bring_home(self, step: FrameStep) -> None:
        """One frame to its outcome. Every condition is looked at again before each attempt."""
        tries = failures = 0
        while True:
            actual = await self.move(step.pose, step.frame_id)
            await self._wait_for_beam(step)
            if await self._instrument.shutter.is_open() != step.shutter_open:
                await self._instrument.shutter.set(step.shutter_open)
            tries += 1
            attempt = await self._sink.intend(step)
            try:
                frame = await self._expose(step)
            except (BeamLost, FrameLost, FrameUnusable) as error:
                # Losing beam is not the frame's fault and does not count as its failure.
                failures += not isinstance(error, BeamLost)
                if failures == self._policy.frame_attempts or tries == _MOST_ATTEMPTS:
                    await self._missing(step, error.what)
                    return
                await self._sink.retake(step, attempt, error.what)
                self._events.emit("frame.retaken", str(error), level="warning", frame=step.frame_id)
                continue
            await self._sink.keep(step, attempt, frame, actual)
            self._events.emit("frame.kept", step.frame_id, level="debug", frame=step.frame_id, frame_kind=step.kind)
            return

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
        return source.available and source.flux_relative >= self._policy.flux_floor

    async def _wait_for_beam(self, step: FrameStep) -> None:
        """Hold, shutter closed, until there is beam; all conditions are looked at again afterwards by the caller."""
        if not step.shutter_open or await self._beam():
            return
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
                        remedy="look at the source; then resume the run",
                    )
                await self._clock.sleep(self._policy.beam_poll_s)


def _first(group: BaseExceptionGroup[XrmError]) -> XrmError:
    """The first error of a group, however deep."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, XrmError):
        raise error
    return error
