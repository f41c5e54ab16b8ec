"""What stands between two frames: whoever wants the acquisition to wait, or to end."""

from __future__ import annotations

from typing import Protocol

from xrm_control.acquisition.steps import FrameStep
from xrm_control.devices.protocols import CameraFrame


class Gate(Protocol):
    """Asked between two frames, when nothing is exposed or on its way to the disk; what it raises ends the acquisition.

    After `wait` the camera is configured anew: while the gate was shut somebody may have used it.
    """

    @property
    def is_open(self) -> bool:
        """Whether the next frame may be taken at once."""
        ...

    async def wait(self, where: str) -> None:
        """Return when the frame `where` may be taken."""
        ...

    def while_held(self) -> None:
        """Asked again and again while beam or instrument are waited for. Returns when it is still worth waiting."""
        ...

    def came_back(self) -> None:
        """Told when the instrument had been lost, and is connected and in order again: what stands in it may not be."""
        ...

    async def passes(self, step: FrameStep, frame: CameraFrame) -> None:
        """Asked of each frame before it is believed. Raises ConditionBroken where it has to be taken again."""
        ...


class OpenGate:
    """Nobody wants anything."""

    is_open = True

    async def wait(self, where: str) -> None:
        """See `Gate.wait`."""

    def while_held(self) -> None:
        """See `Gate.while_held`."""

    def came_back(self) -> None:
        """See `Gate.came_back`."""

    async def passes(self, step: FrameStep, frame: CameraFrame) -> None:
        """See `Gate.passes`."""
