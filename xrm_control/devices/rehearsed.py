"""The twin of an instrument, on which a night is rehearsed: simulated, and by its name in every record no data."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from simulators.camera import CameraConfig
from simulators.config import MicroscopeConfig
from simulators.mechanics import AxisConfig
from simulators.optics import PIXEL_UM
from simulators.storms import STORMS
from simulators.storms import storm as drawn_storm
from xrm_control.core.model import Spec
from xrm_control.core.rehearsal import REHEARSAL_BACKEND
from xrm_control.devices.protocols import AxisDescription, InstrumentDescription
from xrm_control.devices.scripted_faults import FaultSpec
from xrm_control.devices.simulated import SimulatedBackend

__all__ = ["STORMS", "RehearsalBackend", "TwinAxis", "TwinCamera", "storm"]

# What no map says of an axis: its errors as a share of the tolerance, how far behind the soft limits its switches are.
_REPEATS, _SWITCH = 0.1, 0.01
_LAG_S, _RESOLUTION = 0.002, 0.001


class TwinAxis(Spec):
    """An axis in um or degrees and seconds, as its controller or map describes it; start: where it stands."""

    units: Literal["um", "deg"]
    low_limit: float
    high_limit: float
    speed: float = Field(gt=0)
    acceleration: float = Field(gt=0)
    settle_s: float = Field(ge=0)
    backlash: float = Field(ge=0)
    tolerance: float = Field(gt=0)
    start: float = 0.0


class TwinCamera(Spec):
    """A camera: pixels at binning 1, read-out time by binning, and what a detected photon adds to the counts."""

    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    pixel_size_um: float = Field(gt=0)
    readout_s: dict[int, float] = Field(min_length=1)
    counts_per_photon: float = Field(gt=0)


class RehearsalBackend(SimulatedBackend):
    """The simulated microscope in the shape of another instrument. Nothing that it delivers is data."""

    backend: Literal["rehearsal"] = REHEARSAL_BACKEND  # type: ignore[assignment]
    stands_for: str = Field(default="the simulated microscope", max_length=200, description="the instrument rehearsed")
    axes: dict[Literal["x", "y", "z", "theta"], TwinAxis] = Field(default={}, description="none: the simulator's own")
    camera: TwinCamera | None = Field(default=None, description="none: the simulator's own")
    shutter_s: float | None = Field(default=None, ge=0)
    energy_kev: float | None = Field(default=None, gt=0)
    flux_per_um2_s: float | None = Field(default=None, gt=0)
    clearance_um: float | None = Field(default=None, gt=0)

    @property
    def shows_sample(self) -> bool:
        """See `Backend.shows_sample`."""
        return self.rendering

    def describe(self) -> InstrumentDescription:
        """See `Backend.describe`."""
        found = super().describe()
        return found if self.clearance_um is None else replace(found, clearance_um=self.clearance_um)

    def _config(self, begun_s: float) -> MicroscopeConfig:
        config = super()._config(begun_s)
        if self.camera is not None:
            config = replace(config, camera=_camera(self.camera))
        if self.flux_per_um2_s is not None:
            config = replace(config, photons_per_pixel_s=self.flux_per_um2_s * (8 * PIXEL_UM) ** 2)
        if self.energy_kev is not None:
            config = replace(config, energy_kev=self.energy_kev)
        if self.shutter_s is not None:
            config = replace(config, shutter_s=self.shutter_s)
        own = {name: _axis(axis) for name, axis in self.axes.items()}
        return replace(config, axes=tuple((name, own.get(name, axis)) for name, axis in config.axes))


def twin_axis(about: AxisDescription, start: float) -> TwinAxis:
    """An axis as described, standing where it stands."""
    return TwinAxis(**{**vars(about), "start": start})


def storm(name: str, seed: int, lasts_s: float) -> tuple[FaultSpec, ...]:
    """The faults of a storm, somewhere in a night of so many seconds. KeyError: there is no such storm."""
    return tuple(FaultSpec(**vars(fault)) for fault in drawn_storm(name, seed, lasts_s))


def _camera(about: TwinCamera) -> CameraConfig:
    return CameraConfig(
        gain=about.counts_per_photon,
        # In a pixel that stands for many a hot one would be no speck any more.
        hot_pixels=0,
        readout_s=tuple(sorted(about.readout_s.items())),
        width_px=about.width_px,
        height_px=about.height_px,
        pixel_um=about.pixel_size_um,
    )


def _axis(about: TwinAxis) -> AxisConfig:
    low, high = about.low_limit, about.high_limit
    beyond = _SWITCH * (high - low)
    # Where somebody has driven it by hand it stands, also beyond the soft limits.
    return AxisConfig(
        units=about.units,
        low_limit=low,
        high_limit=high,
        low_hard_limit=min(low, about.start) - beyond,
        high_hard_limit=max(high, about.start) + beyond,
        speed=about.speed,
        acceleration=about.acceleration,
        settle_s=about.settle_s,
        backlash=about.backlash,
        tolerance=about.tolerance,
        repeatability=_REPEATS * about.tolerance,
        following_lag_s=_LAG_S,
        resolution=_RESOLUTION * about.tolerance,
        start=about.start,
    )
