"""The opaque blade: in the beam for the frames behind it alone, and out before an axis moves."""

from __future__ import annotations

from xrm_control.acquisition.steps import FrameStep, axis_targets
from xrm_control.core.errors import BlockerStuck, DeviceError, FrameUnusable
from xrm_control.core.geometry import Pose
from xrm_control.devices.protocols import Blocker, Instrument


class Blade:
    """Of an instrument; where it has none, nothing is asked of it."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument

    @property
    def _blocker(self) -> Blocker | None:
        return self._instrument.blocker

    async def out(self) -> None:
        """Bring it out of the beam, unless it is known to be. Raises BlockerStuck."""
        if self._blocker is not None and await self._blocker.is_in():
            await self._blocker.set(False)

    async def before_moving(self, pose: Pose, *, blocked: bool) -> None:
        """Axes are about to go to `pose`: out of their way, unless the blade is wanted and they stand there already.

        Raises BlockerStuck: then nothing may move.
        """
        if self._blocker is None or (blocked and await self._stands(pose)):
            return
        await self.out()

    async def set(self, step: FrameStep) -> None:
        """In, for a frame behind it: everything else stands. Raises FrameUnusable where it does not go in."""
        if not step.blocked:
            return
        if self._blocker is None:
            raise DeviceError(
                "the instrument has no opaque blade, and this frame was planned behind one",
                where=step.frame_id,
                remedy="name the blade in the map of the instrument again, then `xrm resume` the run",
            )
        if await self._blocker.is_in():
            return
        try:
            await self._blocker.set(True)
        except BlockerStuck as error:
            await self.out()
            raise FrameUnusable(error.what, where=step.frame_id, value=error.value, limit=error.limit) from error

    async def check(self, step: FrameStep) -> None:
        """After an exposure: the blade is where the frame wanted it. Raises FrameUnusable."""
        if self._blocker is not None and await self._blocker.is_in() != step.blocked:
            state = "out" if step.blocked else "in"
            raise FrameUnusable("the blade is not where it was before the exposure", where=step.frame_id, value=state)

    async def _stands(self, pose: Pose) -> bool:
        about = self._instrument.describe().axes
        for name, target in axis_targets(pose).items():
            reading = await self._instrument.axes[name].read()
            if reading.moving or abs(reading.position - target) > about[name].tolerance:
                return False
        return True
