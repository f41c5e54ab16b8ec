"""Where the engine's frames go."""

from __future__ import annotations

from typing import Protocol

from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.geometry import Pose
from xrm_control.devices.protocols import CameraFrame


class FrameSink(Protocol):
    """Where frames go; every method returns only when what it was told is durable."""

    async def intend(self, step: FrameStep) -> int:
        """`step` is about to be exposed; returns the number of this attempt (1, 2 ...), counted over the run's life.

        It may be asked for while a frame is being kept, and is then durable no earlier than that frame; where that one
        cannot be kept it raises, too.
        """
        ...

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        """The frame is good: make it durable."""
        ...

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        """This attempt does not count, also when it was kept before; another follows."""
        ...

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        """No attempt succeeded: the frame is missing."""
        ...
