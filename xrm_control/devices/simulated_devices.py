"""The devices of the simulated microscope, each behind its protocol: physics asked with the clock's time, waited for as
long as it takes, and verified by read-back as hardware is.
"""

from __future__ import annotations

from typing import Any

from simulators.errors import Disconnected
from simulators.microscope import Microscope
from xrm_control.core.clock import Clock
from xrm_control.core.errors import (
    BlockerStuck,
    FrameLost,
    InstrumentUnreachable,
    LimitReached,
    MotionInterrupted,
    MotionStalled,
    ShutterStuck,
)
from xrm_control.devices.protocols import (
    AxisDescription,
    AxisReading,
    CameraFrame,
    CameraSettings,
    Disturbance,
    SourceReading,
)

# An exposure during which the flux fell below this share of what it was at its begin has lost its beam.
_FLUX_FLOOR = 0.5


class SimulatedAxis:
    """See `protocols.Axis`."""

    def __init__(self, name: str, description: AxisDescription, microscope: Microscope, clock: Clock) -> None:
        self.name = name
        self._about = description
        self._microscope = microscope
        self._clock = clock

    async def move(self, target: float) -> float:
        """See `Axis.move`."""
        about = self._about
        report = reached(self._microscope.move, self.name, target, self._clock.now_s())
        if not report.accepted:
            raise LimitReached(
                f"the controller refused the target: {report.reason}",
                where=f"axis {self.name}",
                value=f"{target:.3f} {about.units}",
                limit=f"[{about.low_limit:g}, {about.high_limit:g}] {about.units}",
                remedy="keep the target inside the limits",
            )
        await self._clock.sleep_until(report.ends_s)
        state = reached(self._microscope.axis, self.name, self._clock.now_s())
        if state.at_low_limit or state.at_high_limit:
            raise LimitReached(
                "a hard limit switch ended the motion",
                where=f"axis {self.name}",
                value=f"{state.position:.3f} {about.units}",
                limit="low limit switch" if state.at_low_limit else "high limit switch",
                remedy="look at the stage before moving it again",
            )
        if state.target != target:
            raise MotionInterrupted(
                f"somebody else stopped or moved the axis on its way to {target:.3f} {about.units}",
                where=f"axis {self.name}",
                value=f"{state.position:.3f} {about.units}, {'moving' if state.moving else 'at rest'}",
                limit=f"now sent to {state.target:.3f} {about.units}",
                remedy="find out who; the move is tried again as the retry policy says",
            )
        if state.stalled or state.moving or abs(state.position - target) > about.tolerance:
            raise MotionStalled(
                f"the axis stopped short of {target:.3f} {about.units}",
                where=f"axis {self.name}",
                value=f"{state.position:.3f} {about.units}",
                limit=f"within {about.tolerance:g} {about.units} of the target",
                remedy="look for an obstacle; the move is tried again as the retry policy says",
            )
        return state.position

    async def read(self) -> AxisReading:
        """See `Axis.read`."""
        state = reached(self._microscope.axis, self.name, self._clock.now_s())
        return AxisReading(state.position, state.moving, state.at_low_limit, state.at_high_limit)

    async def stop(self) -> None:
        """See `Axis.stop`."""
        await self._clock.sleep_until(reached(self._microscope.stop, self.name, self._clock.now_s()))


class SimulatedCamera:
    """See `protocols.Camera`."""

    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self._microscope = microscope
        self._clock = clock
        self._ready_s = 0.0
        self._settings = (0, 0.0)

    async def configure(self, binning: int, exposure_s: float) -> CameraSettings:
        """See `Camera.configure`. An exposure that nobody waits for any more is let pass."""
        await self._clock.sleep_until(self._ready_s)
        reached(self._microscope.configure_camera, binning, exposure_s, self._clock.now_s())
        reached(self._microscope.arm_camera, self._clock.now_s())
        self._settings = (binning, exposure_s)
        camera = self._microscope.describe().camera
        return CameraSettings(binning, exposure_s, (camera.height_px // binning, camera.width_px // binning))

    async def expose(self) -> CameraFrame:
        """See `Camera.expose`."""
        exposure = reached(self._microscope.expose, self._clock.now_s())
        self._ready_s = exposure.ready_s
        await self._clock.sleep_until(exposure.ready_s)
        frame = reached(self._microscope.read, exposure.number, self._clock.now_s())
        if frame is None:
            raise FrameLost("the camera dropped the frame", where="camera", value=f"exposure {exposure.number}")
        begin_s, end_s = frame.exposed_from_s, frame.exposed_until_s
        return CameraFrame(frame.image, frame.unique_id, begin_s, end_s, self._disturbances(begin_s, end_s))

    def _disturbances(self, begin_s: float, end_s: float) -> tuple[Disturbance, ...]:
        """What the statuses showed meanwhile; what no status shows is not known here."""
        seen = reached(self._microscope.latched, begin_s, end_s)
        found = [
            Disturbance(
                "axis", f"axis {one.axis} was sent from {one.start:.3f} to {one.target:.3f}", f"axis {one.axis}"
            )
            for one in seen.motions
        ]
        if seen.was_open and seen.was_closed:
            found.append(Disturbance("shutter", "the shutter was open for a part of the exposure only", "shutter"))
        if seen.was_open and (seen.least_flux == 0.0 or seen.least_flux < _FLUX_FLOOR * seen.first_flux):
            fell = f"the relative flux fell from {seen.first_flux:.2f} to {seen.least_flux:.2f}"
            found.append(Disturbance("beam", fell, "source"))
        settings = reached(self._microscope.camera_settings, self._clock.now_s())
        if settings != self._settings:
            told, wanted = (
                f"binning {binning}, {exposure_s:g} s" for binning, exposure_s in (settings, self._settings)
            )
            found.append(Disturbance("camera", f"the camera was set to {told} instead of {wanted}", "camera"))
        return tuple(found)


class SimulatedShutter:
    """See `protocols.Shutter`."""

    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self._microscope = microscope
        self._clock = clock

    async def set(self, open_: bool) -> None:
        """See `Shutter.set`."""
        await self._clock.sleep_until(reached(self._microscope.set_shutter, open_, self._clock.now_s()))
        if await self.is_open() != open_:
            # The blade gets one second of grace, as at a real beamline.
            await self._clock.sleep(1.0)
        if await self.is_open() != open_:
            raise ShutterStuck(
                "the shutter does not follow its command",
                where="shutter",
                value="open" if not open_ else "closed",
                limit="open" if open_ else "closed",
                remedy="close the beam upstream and look at the shutter",
            )

    async def is_open(self) -> bool:
        """See `Shutter.is_open`."""
        return reached(self._microscope.shutter, self._clock.now_s()).open


class SimulatedBlocker:
    """See `protocols.Blocker`."""

    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self._microscope = microscope
        self._clock = clock

    async def set(self, in_: bool) -> None:
        """See `Blocker.set`."""
        await self._clock.sleep_until(reached(self._microscope.set_blocker, in_, self._clock.now_s()))
        state = reached(self._microscope.blocker, self._clock.now_s())
        if state.moving or state.open == in_:
            raise BlockerStuck(
                "the blade does not follow its command",
                where="blade",
                value="out" if in_ else "in",
                limit="in" if in_ else "out",
                remedy="look at the blade before anything moves",
            )

    async def is_in(self) -> bool:
        """See `Blocker.is_in`."""
        state = reached(self._microscope.blocker, self._clock.now_s())
        return state.moving or not state.open


class SimulatedSource:
    """See `protocols.Source`."""

    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self._microscope = microscope
        self._clock = clock

    async def read(self) -> SourceReading:
        """See `Source.read`."""
        now_s = self._clock.now_s()
        state = reached(self._microscope.source, now_s)
        return SourceReading(state.available, state.flux_relative, reached(self._microscope.interlock_ok, now_s))


def reached(method: Any, *arguments: Any) -> Any:
    """Call the microscope. Raises InstrumentUnreachable for a disconnection, and what the microscope raises besides."""
    try:
        return method(*arguments)
    except Disconnected as error:
        raise InstrumentUnreachable(
            f"the simulated microscope does not answer: {error}",
            where=getattr(method, "__name__", "microscope"),
            remedy="a scripted disconnection is on; see instrument.faults",
        ) from error
