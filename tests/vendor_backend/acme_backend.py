"""A microscope that is driven through its vendor's SDK: the worked example of docs/how-to/backend.md."""

from __future__ import annotations

from typing import Literal

import acme_sdk
from pydantic import Field

from xrm_control.core.clock import Clock
from xrm_control.core.errors import FrameLost, InstrumentUnreachable, LimitReached, MotionStalled, ShutterStuck
from xrm_control.devices.backend import Backend
from xrm_control.devices.composed import ComposedInstrument
from xrm_control.devices.protocols import (
    AxisDescription,
    AxisReading,
    CameraDescription,
    CameraFrame,
    CameraSettings,
    InstrumentDescription,
    SourceReading,
)

_POLL_S = 0.02
_PATIENCE_S = 5.0  # beyond what a move or an exposure takes
_STAGE = AxisDescription("um", -2000.0, 2000.0, 1500.0, 40000.0, 0.05, 0.5, 0.1)
_AXES = {
    "x": ("X", _STAGE),
    "y": ("Y", _STAGE),
    "z": ("Z", AxisDescription("um", -500.0, 500.0, 1500.0, 40000.0, 0.05, 0.5, 0.1)),
    "theta": ("ROT", AxisDescription("deg", -95.0, 95.0, 30.0, 60.0, 0.15, 0.02, 0.01)),
}
_CAMERA = CameraDescription(
    1024, 1024, 0.064, {1: 1.0, 2: 0.5, 4: 0.2, 8: 0.08}, counts_per_photon=39.321, offset_counts=220.0
)
_DESCRIPTION = InstrumentDescription(
    "ACME NanoCT", {name: axis for name, (_, axis) in _AXES.items()}, _CAMERA, 0.05, 5.4, 3815.0
)


class AcmeBackend(Backend):
    """Settings of the recipe's `instrument:` part."""

    backend: Literal["acme"] = "acme"
    address: str = Field(default="acme://nano-ct", description="as the vendor's panel shows it")
    seed: int = Field(default=1, ge=0, description="of the simulator behind the example's SDK")
    times_faster: float = Field(default=1.0, gt=0, description="than the wall clock; 1 for a real microscope")

    def describe(self) -> InstrumentDescription:
        return _DESCRIPTION

    def speed(self) -> float:
        return self.times_faster

    def open(self, clock: Clock) -> AcmeInstrument:
        try:
            sdk = acme_sdk.AcmeMicroscope(self.address, self.seed, self.times_faster)
        except acme_sdk.AcmeError as error:
            raise InstrumentUnreachable(str(error), where="instrument.address", value=self.address) from error
        return AcmeInstrument(sdk, clock)


class AcmeInstrument(ComposedInstrument):
    """Its single devices; all else is as of any instrument. It has neither screens nor an abort button to tell of."""

    def __init__(self, sdk: acme_sdk.AcmeMicroscope, clock: Clock) -> None:
        super().__init__(
            _DESCRIPTION,
            axes={name: AcmeAxis(name, sdk, clock) for name in _AXES},
            camera=AcmeCamera(sdk, clock),
            shutter=AcmeShutter(sdk, clock),
            source=AcmeSource(sdk),
        )


class AcmeAxis:
    """See `protocols.Axis`. The SDK counts in nm and mdeg."""

    def __init__(self, name: str, sdk: acme_sdk.AcmeMicroscope, clock: Clock) -> None:
        self.name = name
        self._code, self._about = _AXES[name]
        self._sdk, self._clock = sdk, clock

    async def move(self, target: float) -> float:
        about, where = self._about, f"axis {self.name}"
        start = (await self.read()).position
        try:
            self._sdk.MoveTo(self._code, round(target * 1000))
        except acme_sdk.AcmeError as error:
            raise LimitReached(
                str(error), where=where, value=f"{target:g}", limit=f"[{about.low_limit:g}, {about.high_limit:g}]"
            ) from error
        reached = await self._at_rest(about.move_duration_s(start, target) + _PATIENCE_S)
        if abs(reached - target) > about.tolerance:
            raise MotionStalled(
                f"the axis did not arrive at {target:.3f} {about.units}",
                where=where,
                value=f"{reached:.3f} {about.units}",
                limit=f"within {about.tolerance:g} {about.units}",
            )
        return reached

    async def read(self) -> AxisReading:
        position, busy = self._sdk.Position(self._code)
        return AxisReading(position / 1000, busy)

    async def stop(self) -> None:
        self.halt()
        await self._at_rest(_PATIENCE_S)

    def halt(self) -> None:
        self._sdk.Stop(self._code)

    async def _at_rest(self, within_s: float) -> float:
        until_s = self._clock.now_s() + within_s
        while (reading := await self.read()).moving and self._clock.now_s() < until_s:
            await self._clock.sleep(_POLL_S)
        if reading.moving:
            raise MotionStalled("the axis does not come to rest", where=f"axis {self.name}", limit=f"{within_s:.1f} s")
        return reading.position


class AcmeCamera:
    """See `protocols.Camera`."""

    def __init__(self, sdk: acme_sdk.AcmeMicroscope, clock: Clock) -> None:
        self._sdk, self._clock = sdk, clock
        self._exposure_s = 0.0

    async def configure(self, binning: int, exposure_s: float) -> CameraSettings:
        self._sdk.SetCamera(binning, round(exposure_s * 1000))
        self._exposure_s = exposure_s
        return CameraSettings(binning, exposure_s, (_CAMERA.height_px // binning, _CAMERA.width_px // binning))

    async def expose(self) -> CameraFrame:
        began_s = self._clock.now_s()
        number = self._sdk.Trigger()
        await self._clock.sleep(self._exposure_s)
        ended_s = self._clock.now_s()
        while not self._sdk.FrameReady():
            if self._clock.now_s() > ended_s + _PATIENCE_S:
                raise FrameLost(
                    "no frame arrives", where="camera", value=f"exposure {number}", limit=f"{_PATIENCE_S} s"
                )
            await self._clock.sleep(_POLL_S)
        try:
            image, counter = self._sdk.Fetch(number)
        except acme_sdk.AcmeError as error:
            raise FrameLost(str(error), where="camera", value=f"exposure {number}") from error
        return CameraFrame(image, counter, began_s, ended_s)

    def halt(self) -> None:
        self._sdk.AbortExposure()


class AcmeShutter:
    """See `protocols.Shutter`."""

    def __init__(self, sdk: acme_sdk.AcmeMicroscope, clock: Clock) -> None:
        self._sdk, self._clock = sdk, clock

    async def set(self, open_: bool) -> None:
        self._sdk.SetShutter(int(open_))
        until_s = self._clock.now_s() + _PATIENCE_S
        while self._sdk.ShutterPosition() != int(open_):
            if self._clock.now_s() > until_s:
                raise ShutterStuck("the shutter does not follow its command", where="shutter", limit=f"{_PATIENCE_S} s")
            await self._clock.sleep(_POLL_S)

    async def is_open(self) -> bool:
        # On its way counts as open: only a shutter that says so is closed.
        return self._sdk.ShutterPosition() != 0

    def halt(self) -> None:
        self._sdk.SetShutter(0)


class AcmeSource:
    """See `protocols.Source`. The SDK tells of no flux: what it delivers counts as nominal."""

    def __init__(self, sdk: acme_sdk.AcmeMicroscope) -> None:
        self._sdk = sdk

    async def read(self) -> SourceReading:
        on = self._sdk.BeamOn()
        return SourceReading(on, float(on))
