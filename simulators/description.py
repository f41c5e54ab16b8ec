"""The words of the microscope's interface: what it is, what it answers, what it delivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

AxisName = Literal["x", "y", "z", "theta"]


@dataclass(frozen=True)
class AxisDescription:
    """One axis; lengths in `units` (um or deg), speed per second, acceleration per second squared."""

    units: str
    low_limit: float
    high_limit: float
    speed: float
    acceleration: float
    settle_s: float
    backlash: float
    tolerance: float


@dataclass(frozen=True)
class CameraDescription:
    """The detector as seen from the sample: pixel_um is the size of an unbinned pixel in the object plane."""

    width_px: int
    height_px: int
    pixel_um: float
    binnings: tuple[int, ...]
    readout_s: dict[int, float]
    bit_depth: int


@dataclass(frozen=True)
class MicroscopeDescription:
    """What can be known without moving or exposing anything."""

    axes: dict[AxisName, AxisDescription]
    camera: CameraDescription
    shutter_s: float
    energy_kev: float


@dataclass(frozen=True)
class MoveReport:
    """Answer to a move: ends_s is when the axis will have settled, if nothing goes wrong."""

    accepted: bool
    reason: str | None
    ends_s: float


@dataclass(frozen=True)
class AxisState:
    """Read-back of an axis, in its units."""

    position: float
    target: float
    moving: bool
    stalled: bool
    at_low_limit: bool
    at_high_limit: bool
    limit_violation: bool


@dataclass(frozen=True)
class ShutterState:
    """open is what the limit switch of the blade says."""

    open: bool
    moving: bool


@dataclass(frozen=True)
class SourceState:
    """flux_relative is 1 at the nominal flux, and drifts by about a per cent."""

    available: bool
    flux_relative: float


@dataclass(frozen=True)
class Exposure:
    """An exposure that has begun: the sample may move from exposure_ends_s, the frame can be read from ready_s."""

    number: int
    exposure_ends_s: float
    ready_s: float


@dataclass(frozen=True)
class CameraFrame:
    """One image (rows, columns), uint16 counts; float32 with NaN only in the fault `nan_frame`.

    number counts exposures from 1; unique_id is the camera's own counter, which somebody may have set or moved on.
    """

    image: NDArray[Any]
    number: int
    unique_id: int
    exposed_from_s: float
    exposed_until_s: float
    binning: int
    pixel_size_um: float
