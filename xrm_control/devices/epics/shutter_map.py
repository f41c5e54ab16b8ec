"""Shutters in a PV map: how each is opened and closed, and how its state is known."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from xrm_control.core.model import Spec
from xrm_control.devices.epics.status import Command, Status

Statuses = Status | Annotated[tuple[Status, ...], Field(min_length=1)]


class BladeMap(Spec):
    """One shutter. It is open when all of `is_open` are good, closed when none is (or all of `is_closed` are)."""

    open: Command
    close: Command
    is_open: Statuses | None = Field(default=None, description="one status, or a list: all must agree")
    is_closed: Statuses | None = Field(default=None, description="default: closed is when no is_open is good")
    without_status: bool = Field(
        default=False, description="true: nothing tells the state, and the last command is believed"
    )
    travel_s: float = Field(default=0.05, ge=0)
    dwell_s: float = Field(default=0.0, ge=0, description="wait after a command before the status is believed")

    @model_validator(mode="after")
    def _can_be_known(self) -> BladeMap:
        if (self.open.pv, self.open.value) == (self.close.pv, self.close.value):
            raise ValueError("open and close are the same command: a shutter that toggles cannot be closed safely")
        known = self.is_open is not None or self.is_closed is not None
        if known and self.without_status:
            raise ValueError("without_status is true, but is_open or is_closed names a status: take one of them away")
        if not known and not self.without_status:
            raise ValueError(
                "no is_open: a shutter whose state nothing tells is refused, because one that sticks would not be"
                " noticed; give is_open, or say without_status: true to believe the last command"
            )
        return self

    @property
    def open_statuses(self) -> tuple[Status, ...]:
        """Statuses that are good when it is open."""
        return _several(self.is_open)

    @property
    def closed_statuses(self) -> tuple[Status, ...]:
        """Statuses that are good when it is closed."""
        return _several(self.is_closed)

    @property
    def pvs(self) -> tuple[str, ...]:
        """Names of its PVs, as in the map."""
        statuses = (*self.open_statuses, *self.closed_statuses)
        return (self.open.pv, self.close.pv, *(status.pv for status in statuses))


class ShutterMap(BladeMap):
    """The fast shutter, and further shutters in the same beam that are opened before it."""

    upstream: tuple[BladeMap, ...] = Field(
        default=(), description="further shutters, opened before this one in the order given"
    )
    closing: Literal["together", "reverse"] = Field(
        default="together", description="reverse: this one first, then upstream ones from the last to the first"
    )

    @property
    def in_order(self) -> tuple[BladeMap, ...]:
        """All shutters in the order of opening."""
        return (*self.upstream, self)

    @property
    def total_s(self) -> float:
        """Longest time of one opening, for planning."""
        return sum(blade.travel_s + blade.dwell_s for blade in self.in_order)


def _several(found: Status | tuple[Status, ...] | None) -> tuple[Status, ...]:
    if found is None:
        return ()
    return (found,) if isinstance(found, Status) else found
