"""Axes in a PV map: motor records, or plain output and read-back PVs; in units, directions and limits of the stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from xrm_control.core.model import Spec
from xrm_control.devices.epics.status import Command, PvName, Status, Text
from xrm_control.devices.protocols import AxisDescription


class Scale(Spec):
    """Between a PV's numbers and the stage's um or degrees."""

    per_motor_unit: float = Field(default=1.0, gt=0, description="um (or deg) of the stage in one unit of the PV (EGU)")
    direction: Literal[1, -1] = Field(default=1, description="-1: the PV counts the other way")
    offset: float = Field(default=0.0, description="stage position, in um or deg, where the PV reads 0")

    def to_motor(self, position: float) -> float:
        """Stage position (um, deg) -> the PV's value."""
        return self.direction * (position - self.offset) / self.per_motor_unit

    def to_stage(self, value: float) -> float:
        """The PV's value -> stage position (um, deg)."""
        return self.direction * value * self.per_motor_unit + self.offset


class PositionMap(Scale):
    """An encoder or interferometer that says where the axis is, better than the motor record's own read-back."""

    pv: PvName
    agrees_within: float = Field(gt=0, description="um or deg by which it and the record's read-back may differ")


class _AxisBase(Scale):
    units: Literal["um", "deg"] = "um"
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


class AxisMap(_AxisBase):
    """One axis of the stage, as a motor record; limits and speeds in um (or deg) of the stage."""

    kind: Literal["motor"] = "motor"
    record: PvName
    readback: PositionMap | None = Field(default=None, description="position from another PV: encoder, interferometer")

    @field_validator("record")
    @classmethod
    def _without_field(cls, record: str) -> str:
        if "." in record:
            raise ValueError(f"the record's name without a field, {record.partition('.')[0]}: its fields are known")
        return record


class PlainAxisMap(_AxisBase):
    """One axis that is no motor record: an output that takes the target and a read-back that tells the position.

    Both count in the same units. A move is done when the read-back has stayed within `tolerance` for `settle_s`.
    """

    kind: Literal["plain"] = "plain"
    setpoint: PvName
    readback: PvName
    done: Status | None = Field(default=None, description="good: the axis stands still")
    stop: Command | None = Field(default=None, description="without it, stopping writes the read-back as target")

    @property
    def pvs(self) -> tuple[str, ...]:
        """Names of its PVs, as in the map."""
        more = (self.done, self.stop)
        return (self.setpoint, self.readback, *(one.pv for one in more if one is not None))


Axis = Annotated[AxisMap | PlainAxisMap, Field(discriminator="kind")]
