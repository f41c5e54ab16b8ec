"""The PV map: which PV is what, in which units and directions, and what cannot be asked of a control system.

Every name may hold `$(P)`, the map's prefix; a name without it stands as it is, so any single PV can come from another
IOC. What a field of a motor record or of areaDetector is called is fixed; what a record is called is the site's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from xrm_control.core.model import Spec
from xrm_control.devices.protocols import AxisDescription, CameraDescription, InstrumentDescription

PvName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\s]+$")]
Text = Annotated[str, Field(max_length=39)]


class AxisMap(Spec):
    """One axis of the stage, as a motor record; limits and speeds in um (or deg) of the stage."""

    record: PvName
    units: Literal["um", "deg"] = "um"
    per_motor_unit: float = Field(
        default=1.0, gt=0, description="um (or deg) of the stage in one unit of the record (EGU)"
    )
    direction: Literal[1, -1] = Field(default=1, description="-1: the record counts the other way")
    offset: float = Field(default=0.0, description="stage position, in um or deg, where the record reads 0")
    motor_units: Text = Field(default="", description="EGU that the record must show; empty: not looked at")
    limits: tuple[float, float] = Field(description="soft limits; they must lie inside the record's own")
    speed: float = Field(gt=0, description="um/s or deg/s, for planning")
    acceleration: float = Field(gt=0, description="um/s2 or deg/s2, for planning")
    settle_s: float = Field(ge=0)
    backlash: float = Field(default=0.0, ge=0)
    tolerance: float = Field(gt=0, description="how far the read-back may be from the target")

    @field_validator("limits")
    @classmethod
    def _ordered(cls, limits: tuple[float, float]) -> tuple[float, float]:
        if limits[0] >= limits[1]:
            raise ValueError("the low limit must be below the high one")
        return limits

    def describe(self) -> AxisDescription:
        """As planning sees it."""
        low, high = self.limits
        return AxisDescription(
            self.units, low, high, self.speed, self.acceleration, self.settle_s, self.backlash, self.tolerance
        )

    def to_motor(self, position: float) -> float:
        """Stage position (um, deg) -> the record's value."""
        return self.direction * (position - self.offset) / self.per_motor_unit

    def to_stage(self, value: float) -> float:
        """The record's value -> stage position (um, deg)."""
        return self.direction * value * self.per_motor_unit + self.offset


class ArrayFrames(Spec):
    """Frames from an NDStdArrays plugin."""

    kind: Literal["array"] = "array"
    prefix: PvName = "$(P)Det:image1:"


class Hdf5Frames(Spec):
    """Frames from the files of an NDFileHDF5 plugin, one each, read where this machine sees them."""

    kind: Literal["hdf5"] = "hdf5"
    prefix: PvName = "$(P)Det:HDF1:"
    folder: str = Field(min_length=1, max_length=200, description="folder as the IOC sees it; it must exist")
    local_folder: str = Field(default="", description="the same folder as this machine sees it; empty: as the IOC does")
    dataset: str = "/entry/data/data"


class CameraMap(Spec):
    """The detector, as areaDetector."""

    prefix: PvName = "$(P)Det:cam1:"
    frames: Annotated[ArrayFrames | Hdf5Frames, Field(discriminator="kind")] = ArrayFrames()
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    pixel_size_um: float = Field(gt=0, description="on the sample, at binning 1")
    readout_s: dict[int, float] = Field(min_length=1, description="read-out time by binning: the binnings there are")
    flip_rows: bool = Field(default=False, description="the first row is the bottom of the picture")
    flip_columns: bool = False


class Status(Spec):
    """A PV and the values (numbers or an enum's texts) that mean yes."""

    pv: PvName
    good: tuple[int | Text, ...] = Field(min_length=1)


class Command(Spec):
    """A write that does something."""

    pv: PvName
    value: int | Text


class ShutterMap(Spec):
    """The fast shutter: how it is opened and closed, and how it is known."""

    open: Command
    close: Command
    is_open: Status
    travel_s: float = Field(default=0.05, ge=0)


class SourceMap(Spec):
    """Beam: all of `available` must be good; `permits` are interlocks, whose loss ends the run."""

    available: tuple[Status, ...] = ()
    permits: tuple[Status, ...] = ()
    flux: PvName | None = None
    nominal_flux: float = Field(default=1.0, gt=0, description="value of `flux` that counts as 1")
    energy_kev: float = Field(gt=0)
    flux_per_um2_s: float = Field(gt=0, description="detected photons, for the plan's signal-to-noise estimate")


class SupervisionMap(Spec):
    """Signs of life in both directions, and who is in control. Whatever a site does not have is left out."""

    beat: PvName | None = Field(default=None, description="a PV that the IOC changes all the time")
    beat_max_age_s: float = Field(default=2.5, gt=0, description="older (wall clock): the IOC counts as lost")
    stroke: PvName | None = Field(default=None, description="the dead-man's PV, which this side keeps changing")
    stroke_every_s: float = Field(default=0.5, gt=0)
    tripped: Status | None = Field(default=None, description="the dead-man has fallen")
    owner: PvName | None = Field(default=None, description="text PV that says who is in control")
    speed: PvName | None = Field(default=None, description="a simulation's instrument seconds per wall second")


class ScanPanel(Spec):
    """Where the run shows how far it is, and where an operator may end it; names within `prefix`."""

    prefix: PvName = "$(P)Scan:"


class ChannelAccess(Spec):
    """Where servers are looked for; an EPICS_CA_* variable that is set in the environment goes before it."""

    address_list: str | None = Field(default=None, description="addresses, separated by spaces")
    auto_address_list: bool | None = None
    server_port: int | None = Field(default=None, ge=1, le=65535)
    repeater_port: int | None = Field(default=None, ge=1, le=65535)
    max_array_bytes: int | None = Field(default=None, ge=16384)
    connect_s: float = Field(default=5.0, gt=0)
    get_s: float = Field(default=2.0, gt=0)
    put_s: float = Field(default=5.0, gt=0)

    def environment(self) -> dict[str, str]:
        """The variables that this part sets."""
        found: dict[str, str] = {}
        if self.address_list is not None:
            found["EPICS_CA_ADDR_LIST"] = self.address_list
        if self.auto_address_list is not None:
            found["EPICS_CA_AUTO_ADDR_LIST"] = "YES" if self.auto_address_list else "NO"
        if self.server_port is not None:
            found["EPICS_CA_SERVER_PORT"] = str(self.server_port)
        if self.repeater_port is not None:
            found["EPICS_CA_REPEATER_PORT"] = str(self.repeater_port)
        if self.max_array_bytes is not None:
            found["EPICS_CA_MAX_ARRAY_BYTES"] = str(self.max_array_bytes)
        return found


class PvMap(Spec):
    """An instrument behind Channel Access."""

    name: str = Field(min_length=1, max_length=80)
    prefix: str = Field(default="", max_length=40, description="what $(P) stands for")
    channel_access: ChannelAccess = ChannelAccess()
    axes: dict[Literal["x", "y", "z", "theta"], AxisMap]
    camera: CameraMap
    shutter: ShutterMap
    source: SourceMap
    supervision: SupervisionMap = SupervisionMap()
    scan_panel: ScanPanel | None = None

    @model_validator(mode="after")
    def _complete(self) -> PvMap:
        missing = [name for name in ("x", "y", "z", "theta") if name not in self.axes]
        if missing:
            raise ValueError(f"axes: {', '.join(missing)} missing; the stage has x, y, z and theta")
        return self

    def full(self, name: str) -> str:
        """The PV's name with its macro expanded."""
        return name.replace("$(P)", self.prefix)

    def describe(self) -> InstrumentDescription:
        """What planning may know without asking the instrument."""
        camera = CameraDescription(
            self.camera.width_px, self.camera.height_px, self.camera.pixel_size_um, dict(self.camera.readout_s)
        )
        return InstrumentDescription(
            self.name,
            {name: axis.describe() for name, axis in self.axes.items()},
            camera,
            self.shutter.travel_s,
            self.source.energy_kev,
            self.source.flux_per_um2_s,
        )
