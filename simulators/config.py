"""Everything that makes one simulated microscope."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from simulators.camera import CameraConfig
from simulators.description import AxisName
from simulators.faults import Fault
from simulators.materials import ENERGY_KEV
from simulators.mechanics import AxisConfig
from simulators.realism import IDEAL, Realism
from simulators.specimen import SpecimenConfig
from simulators.stand import CameraStand

SHUTTER_S = 0.05
FRONT_END_S = 1.0
BLOCKER_S = 0.5
_LINEAR = AxisConfig("um", -2000.0, 2000.0, -2010.0, 2010.0, 1500.0, 40000.0, 0.05, 0.5, 0.1, 0.01, ringing=0.05)
_FOCUS = AxisConfig("um", -500.0, 500.0, -510.0, 510.0, 1500.0, 40000.0, 0.05, 0.5, 0.1, 0.01, ringing=0.05)
_ROTATION = AxisConfig(
    "deg", -95.0, 95.0, -100.0, 100.0, 30.0, 60.0, 0.15, 0.02, 0.01, 0.001, ringing=0.002, resolution=0.0001
)
AXES: tuple[tuple[AxisName, AxisConfig], ...] = (("x", _LINEAR), ("y", _LINEAR), ("z", _FOCUS), ("theta", _ROTATION))


def turning_fully(axes: tuple[tuple[AxisName, AxisConfig], ...]) -> tuple[tuple[AxisName, AxisConfig], ...]:
    """The same axes, with a rotation that goes all the way round."""
    full = {"low_limit": -365.0, "high_limit": 365.0, "low_hard_limit": -370.0, "high_hard_limit": 370.0}
    return tuple((name, replace(axis, **full) if name == "theta" else axis) for name, axis in axes)


@dataclass(frozen=True)
class MicroscopeConfig:
    """Everything that makes one simulated instrument; two with equal configurations behave equally to the bit.

    photons_per_pixel_s: open-beam photons per second in a pixel at binning 8, in the middle of the field.
    axis_offset_um: where the rotation axis is imaged, right of the detector's centre; None draws +-0.5 to +-3 um.
    open_beam_fraction: of full scale, for one second at binning 8; it fixes the camera's gain.
    shutter_s, front_end_s: how long the blades travel. blocker_s: of an opaque blade; None: it has none.
    noise: photon and read noise. The other imperfections vanish when their amplitude is set to zero.
    rendering: off, a specimen of blobs stands in for the one that would be looked at (see `simulators.sketch`).
    begun_s: when it was switched on; noise does not repeat itself after that.
    energy_kev: that it calls its own; attenuation is that of 5.4 keV.
    stand: how camera and rotation axis stand against the stage.
    gain_drift: relative change of the brightness from frame to frame, root mean square, of which no reading tells.
    realism: what a real instrument adds.
    """

    seed: int = 1
    specimen: SpecimenConfig = field(default_factory=SpecimenConfig)
    photons_per_pixel_s: float = 1000.0
    open_beam_fraction: float = 0.6
    axis_offset_um: float | None = None
    noise: bool = True
    rendering: bool = True
    blur_fwhm_um: float = 0.15
    illumination_unevenness: float = 0.15
    illumination_wander: float = 0.05
    flux_drift: float = 0.01
    thermal_drift_um: float = 0.06
    run_out_um: float = 0.02
    run_out_random_um: float = 0.01
    camera: CameraConfig | None = None
    shutter_s: float = SHUTTER_S
    front_end_s: float = FRONT_END_S
    blocker_s: float | None = None
    axes: tuple[tuple[AxisName, AxisConfig], ...] = AXES
    faults: tuple[Fault, ...] = ()
    begun_s: float = 0.0
    energy_kev: float = ENERGY_KEV
    stand: CameraStand = field(default_factory=CameraStand)
    gain_drift: float = 0.0
    realism: Realism = IDEAL


def standing_still(config: MicroscopeConfig) -> MicroscopeConfig:
    """The same instrument without what changes with time or from move to move."""
    return replace(
        config,
        illumination_wander=0.0,
        flux_drift=0.0,
        thermal_drift_um=0.0,
        run_out_random_um=0.0,
        realism=replace(config.realism, texture_drift_um=0.0, run_out_um=0.0, drift_um_h=0.0, movers=0.0, hops=()),
        axes=tuple((name, replace(axis, repeatability=0.0, ringing=0.0)) for name, axis in config.axes),
    )
