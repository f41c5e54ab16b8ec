"""The PV map: which PV is what, in which units and directions, and what cannot be asked of a control system.

Every name may hold `$(P)`, the map's prefix; a name without it stands as it is, so any single PV can come from another
IOC. What a field of a motor record or of areaDetector is called is fixed; what a record is called is the site's.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from xrm_control.core.model import Spec, renamed
from xrm_control.devices.epics.axis_map import Axis, AxisMap, PlainAxisMap
from xrm_control.devices.epics.camera_map import ArrayFrames, CameraMap, Hdf5Frames, TiffFrames
from xrm_control.devices.epics.map_conflicts import conflicts
from xrm_control.devices.epics.shutter_map import BladeMap, ShutterMap
from xrm_control.devices.epics.status import Command, PvName, Status
from xrm_control.devices.protocols import CameraDescription, InstrumentDescription
from xrm_control.devices.safety import MOST_CLEARANCE_UM

__all__ = [
    "ArrayFrames",
    "AxisMap",
    "BladeMap",
    "CameraMap",
    "ChannelAccess",
    "Command",
    "Hdf5Frames",
    "PlainAxisMap",
    "PvMap",
    "ShutterMap",
    "Status",
    "TiffFrames",
]


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

    model_config = ConfigDict(
        json_schema_extra=renamed(
            beat="heartbeat", beat_max_age_s="heartbeat_max_age_s", stroke="kick", stroke_every_s="kick_every_s"
        )
    )

    heartbeat: PvName | None = Field(default=None, description="a PV that the IOC changes all the time")
    heartbeat_max_age_s: float = Field(default=2.5, gt=0, description="older (wall clock): the IOC counts as lost")
    kick: PvName | None = Field(default=None, description="the dead-man's PV, which this side keeps changing")
    kick_every_s: float = Field(default=0.5, gt=0)
    tripped: Status | None = Field(default=None, description="the dead-man has fallen")
    owner: PvName | None = Field(default=None, description="text PV that says who is in control")
    speed: PvName | None = Field(default=None, description="a simulation's instrument seconds per wall second")


class ScanStatusMap(Spec):
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

    model_config = ConfigDict(json_schema_extra=renamed(scan_panel="scan_status"))

    name: str = Field(min_length=1, max_length=80)
    prefix: str = Field(default="", max_length=40, pattern=r"^[^\s$]*$", description="what $(P) stands for")
    channel_access: ChannelAccess = ChannelAccess()
    axes: dict[Literal["x", "y", "z", "theta"], Axis]
    camera: CameraMap
    shutter: ShutterMap
    blocker: BladeMap | None = Field(
        default=None,
        description="an opaque blade that covers a part of the field in the plane of the sample: `open` takes it out "
        "of the beam, `close` brings it in; stray light is measured behind it",
    )
    source: SourceMap
    supervision: SupervisionMap = SupervisionMap()
    scan_status: ScanStatusMap | None = None
    watched: dict[str, PvName] = Field(
        default={}, max_length=100, description="names for values that a recipe's conditions may watch, and their PVs"
    )
    clearance_um: float | None = Field(
        default=None,
        gt=0,
        le=MOST_CLEARANCE_UM,
        description="along the beam from the rotation axis to the nearest optic; recipes may narrow it, never widen it",
    )

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what was added later where it says nothing: recipes from before keep their hash."""
        content: dict[str, Any] = said(self)
        silent = {name for name in ("watched", "clearance_um", "blocker") if not getattr(self, name)}
        return {name: value for name, value in content.items() if name not in silent}

    @field_validator("axes", mode="before")
    @classmethod
    def _motors_unless_said(cls, axes: Any) -> Any:
        """An axis without a kind is a motor record."""
        if not isinstance(axes, dict):
            return axes
        return {name: {"kind": "motor", **one} if isinstance(one, dict) else one for name, one in axes.items()}

    @model_validator(mode="after")
    def _complete(self) -> PvMap:
        missing = [name for name in ("x", "y", "z", "theta") if name not in self.axes]
        if missing:
            raise ValueError(f"axes: {', '.join(missing)} missing; the stage has x, y, z and theta")
        return self

    @model_validator(mode="after")
    def _in_its_units(self) -> PvMap:
        for name, axis in self.axes.items():
            wanted = "deg" if name == "theta" else "um"
            if axis.units != wanted:
                said = "" if "units" in axis.model_fields_set else " (which is what none means)"
                raise ValueError(f"axes.{name}.units: must be {wanted}, is {axis.units}{said}")
        return self

    @model_validator(mode="after")
    def _nothing_twice(self) -> PvMap:
        if found := list(conflicts(self)):
            raise ValueError("; ".join(found))
        return self

    @model_validator(mode="after")
    def _beam_without_our_shutters(self) -> PvMap:
        """A run waits for beam before it opens its shutters."""
        ours = {s.pv for blade in self.shutter.in_order for s in (*blade.open_statuses, *blade.closed_statuses)}
        both = [status.pv for status in self.source.available if status.pv in ours]
        if both:
            raise ValueError(
                f"source.available: {', '.join(both)} is the status of a shutter that the run opens itself, once there"
                " is beam: it would wait for ever; name it under shutter alone"
            )
        return self

    def full(self, name: str) -> str:
        """The PV's name with its macro expanded."""
        return name.replace("$(P)", self.prefix)

    def describe(self) -> InstrumentDescription:
        """What planning may know without asking the instrument."""
        camera = CameraDescription(
            self.camera.width_px,
            self.camera.height_px,
            self.camera.pixel_size_um,
            dict(self.camera.readout_s),
            self.camera.full_scale,
            self.camera.counts_per_photon,
            self.camera.offset_counts,
        )
        return InstrumentDescription(
            self.name,
            {name: axis.describe() for name, axis in self.axes.items()},
            camera,
            self.shutter.total_s,
            self.source.energy_kev,
            self.source.flux_per_um2_s,
            self.clearance_um,
            None if self.blocker is None else self.blocker.travel_s + self.blocker.dwell_s,
        )


def record_of(name: str) -> str:
    """The record that a PV belongs to: the name without its field."""
    return name.partition(".")[0]
