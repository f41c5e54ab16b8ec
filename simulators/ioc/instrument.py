"""The whole simulated beamline: one microscope, the records around it, and what goes on in the background."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from simulators.camera import FULL_SCALE, CameraConfig
from simulators.config import BLOCKER_S
from simulators.description import AxisName
from simulators.errors import Disconnected
from simulators.faults import Fault
from simulators.ioc.beamline import Beamline
from simulators.ioc.detector import Detector
from simulators.ioc.detector_camera import TRIGGER_MODES
from simulators.ioc.fault_commands import FaultCommands
from simulators.ioc.motor import MotorRecord
from simulators.ioc.motor_drive import FreeDrive, MicroscopeDrive
from simulators.ioc.pacing import IocTime
from simulators.ioc.plain_axis import Encoder, PlainAxis
from simulators.ioc.pv import Refused
from simulators.ioc.replay import ReplayingMicroscope
from simulators.ioc.supervision import Heartbeat, ScanStatus, Watchdog
from simulators.mechanics import AxisConfig
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.optics import BINNINGS
from simulators.realism import IDEAL, Realism
from simulators.specimen import SpecimenConfig

# A millimetre in a tenth of a millisecond; much faster, and the positions would lose digits to the time's rounding.
_INSTANT_SPEED, _INSTANT_ACCELERATION = 1e7, 1e12
SAMPLE_AXES: tuple[tuple[str, AxisName], ...] = (("X", "x"), ("Y", "y"), ("Z", "z"), ("Theta", "theta"))
_OPTIC = AxisConfig("um", -5000.0, 5000.0, -5010.0, 5010.0, 500.0, 5000.0, 0.05, 0.5, 0.1, 0.01)
_CAMERA_Z = AxisConfig("um", -50000.0, 50000.0, -50100.0, 50100.0, 5000.0, 20000.0, 0.1, 2.0, 1.0, 0.1, resolution=0.01)
OPTICS_AXES: tuple[tuple[str, AxisConfig], ...] = (
    *((f"{part}:{axis}", _OPTIC) for part in ("ZonePlate", "Condenser") for axis in "XYZ"),
    ("Camera:Z", _CAMERA_Z),
)


@dataclass(frozen=True)
class IocConfig:
    """What is simulated. array_type: what the images are sent as, see `detector_image`; trigger_modes: see `Camera`.

    without: PVs, less the prefix, that this instrument does not have. realism: with any there is an opaque blade.

    instant: motion, shutters and read-out take no time, and frames come round again instead of being rendered anew.
    """

    prefix: str = "XRM:"
    speed: float = 1.0
    specimen: str = "nmc811"
    difficulty: float = 0.0
    seed: int = 1
    noise: bool = True
    axis_offset_um: float | None = None
    faults: tuple[Fault, ...] = ()
    instant: bool = False
    array_type: str = "int16"
    trigger_modes: tuple[str, ...] = TRIGGER_MODES
    without: tuple[str, ...] = ()
    realism: Realism = IDEAL

    def microscope(self) -> MicroscopeConfig:
        """The physics."""
        config = MicroscopeConfig(
            seed=self.seed,
            specimen=SpecimenConfig(self.specimen, difficulty=self.difficulty),
            noise=self.noise,
            axis_offset_um=self.axis_offset_um,
            faults=self.faults,
            realism=self.realism,
            blocker_s=None if self.realism == IDEAL else BLOCKER_S,
        )
        if not self.instant:
            return config
        gain = config.open_beam_fraction * FULL_SCALE / config.photons_per_pixel_s
        camera = CameraConfig(gain, readout_s=tuple((binning, 0.0) for binning in BINNINGS))
        axes = tuple((name, _instant(axis)) for name, axis in config.axes)
        return replace(config, camera=camera, axes=axes, shutter_s=0.0, front_end_s=0.0)

    def optics(self) -> tuple[tuple[str, AxisConfig], ...]:
        """The axes that the image does not depend on."""
        return tuple((name, _instant(axis) if self.instant else axis) for name, axis in OPTICS_AXES)


class Instrument:
    """Assembles the parts; `pvdb` is what to serve, `background` what to run beside it."""

    def __init__(self, config: IocConfig) -> None:
        self.time = IocTime(config.speed)
        physics = ReplayingMicroscope if config.instant else Microscope
        self.microscope = physics(config.microscope())
        self.pvdb: dict[str, Any] = {}
        p = config.prefix
        self._beamline = Beamline(p, self.microscope, self.time)
        self._sample = [
            MotorRecord(
                f"{p}Sample:{name}", MicroscopeDrive(self.microscope, axis), self.time, description=f"sample {name}"
            )
            for name, axis in SAMPLE_AXES
        ]
        optics = [
            MotorRecord(f"{p}{name}", FreeDrive(name, axis, config.seed), self.time, description=name)
            for name, axis in config.optics()
        ]
        self.faults = FaultCommands(p, self.microscope, self.time, self.pvdb)
        self._parts: list[Any] = [
            Watchdog(p, self.time, self.make_safe),
            Heartbeat(p, self.time),
            self._beamline,
            *self._sample,
            *optics,
            *self._plain_axes(p),
            Detector(p, self.microscope, self.time, config.array_type, config.trigger_modes),
            self.faults,
        ]
        for part in (*self._parts, ScanStatus(p)):
            self.pvdb.update(part.pvs())
        for name in config.without:
            if self.pvdb.pop(f"{p}{name}", None) is None:
                raise ValueError(f"there is no PV {p}{name} to do without")
        # Clients ask for the value field of a record by its name too.
        self.pvdb.update({f"{name}.VAL": pv for name, pv in self.pvdb.items() if "." not in name})

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on while it is served."""
        return [part.run() for part in self._parts]

    def prepare(self) -> None:
        """Begin to make the specimen, in a thread: it takes seconds, for which the first frame should not wait."""
        threading.Thread(target=lambda: self.microscope.specimen, daemon=True).start()

    def _plain_axes(self, prefix: str) -> list[PlainAxis | Encoder]:
        """The sample's axes once more, as they are where no motor record drives them."""
        drives = {axis: MicroscopeDrive(self.microscope, axis) for _, axis in SAMPLE_AXES}
        piezos = [PlainAxis(f"{prefix}Piezo:{axis.upper()}", drives[axis], self.time) for axis in ("x", "y", "z")]
        return [*piezos, Encoder(f"{prefix}Sample:Theta:Encoder_RBV", drives["theta"], self.time)]

    async def make_safe(self) -> bool:
        """Close the fast shutter before anything else can happen, stop the sample's axes; false when it is not so."""
        try:
            arrives_s = self._beamline.close_fast_shutter()
        except Disconnected:
            return False
        stopped = [await _stopped(motor) for motor in self._sample]
        return await self._beamline.fast_shutter_closed(arrives_s) and all(stopped)


async def _stopped(motor: MotorRecord) -> bool:
    try:
        await motor.stop()
    except Refused:
        return False
    return True


def _instant(axis: AxisConfig) -> AxisConfig:
    return replace(
        axis,
        speed=_INSTANT_SPEED,
        acceleration=_INSTANT_ACCELERATION,
        settle_s=0.0,
        backlash=0.0,
        following_lag_s=0.0,
        ringing=0.0,
    )
