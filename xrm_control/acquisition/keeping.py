"""Makes frames durable, each while the stage goes to the next one, and puts on record what became of an attempt."""

from __future__ import annotations

import asyncio

from xrm_control.acquisition.sink import FrameSink
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.errors import XrmError
from xrm_control.core.events import EventStream, FrameKept, FrameMissing, FrameRetaken
from xrm_control.core.geometry import Pose
from xrm_control.core.tasks import begin
from xrm_control.devices.protocols import CameraFrame


class Keeping:
    """At most one frame is on its way to the disk. What is awaited raises StorageError."""

    def __init__(self, sink: FrameSink, events: EventStream) -> None:
        self._sink = sink
        self._events = events
        self._under_way: asyncio.Task[None] | None = None

    async def intend(self, step: FrameStep) -> int:
        """Returns when the frame before and the intent to expose this one are durable; they may share a flush."""
        if self._under_way is None or self._under_way.done():
            await self.durable()
            return await self._sink.intend(step)
        intending = begin(self._sink.intend(step))
        try:
            await self.durable()
        except BaseException:
            intending.cancel()
            await asyncio.gather(intending, return_exceptions=True)
            raise
        return await intending

    def begin(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        """Make a good frame durable, beside what comes next."""
        self._under_way = asyncio.create_task(self._keep(step, attempt, frame, actual), name=f"keep {step.frame_id}")

    async def _keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        await self._sink.keep(step, attempt, frame, actual)
        self._events.emit(FrameKept(step.frame_id, step.kind, step.index, actual.theta_deg, frame.image))

    async def durable(self) -> None:
        """Wait until the frame before is durable, also when cancelled meanwhile. Raises StorageError."""
        keeping, self._under_way = self._under_way, None
        if keeping is None:
            return
        try:
            await asyncio.shield(keeping)
        except asyncio.CancelledError:
            await asyncio.wait((keeping,))
            if not keeping.cancelled() and (error := keeping.exception()) is not None:
                raise error from None
            raise

    async def retake(self, step: FrameStep, attempt: int, error: XrmError) -> None:
        """The attempt is no good; the frame is still wanted."""
        await self._sink.retake(step, attempt, error.what)
        self._events.emit(FrameRetaken(step.frame_id, str(error)))

    async def missing(self, step: FrameStep, reason: str) -> None:
        """The frame is given up."""
        await self._sink.declare_missing(step, reason)
        self._events.emit(FrameMissing(step.frame_id, reason))
