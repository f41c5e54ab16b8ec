"""PVs that a map names twice, for things that cannot be one: mostly what was copied and not changed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from xrm_control.devices.epics.axis_map import PlainAxisMap

if TYPE_CHECKING:
    from xrm_control.devices.epics.pv_map import PvMap


def conflicts(pv_map: PvMap) -> Iterator[str]:
    """Each in words, with both places."""
    for places in (_single(pv_map), _read(pv_map)):
        found: dict[str, str] = {}
        for place, name in places:
            pv = _value_of(pv_map.full(name))
            if pv in found:
                yield f"{place} and {found[pv]} are the same PV, {pv}"
            found.setdefault(pv, place)
    for name, about in pv_map.axes.items():
        if isinstance(about, PlainAxisMap) and _same(pv_map, about.setpoint, about.readback):
            yield (
                f"axes.{name}.setpoint and axes.{name}.readback are the same PV, {pv_map.full(about.readback)}: what"
                " was written is no position; name what measures it"
            )
    blades = [(blade.open, blade.close) for blade in pv_map.shutter.in_order]
    if any(one == other for one, other in pairwise(blades)):
        yield "two shutters have the same commands: name each once"


def _single(pv_map: PvMap) -> Iterator[tuple[str, str]]:
    """Places in the map and names in them, each of which must be a PV of its own: commands, and signs of life."""
    for name, about in pv_map.axes.items():
        if isinstance(about, PlainAxisMap):
            yield f"axes.{name}.setpoint", about.setpoint
        else:
            yield f"axes.{name}.record", about.record
    shutters = {_value_of(pv_map.full(c.pv)) for b in pv_map.shutter.in_order for c in (b.open, b.close)}
    for pv in sorted(shutters):
        yield "a command of the shutters", pv
    if pv_map.blocker is not None:
        for pv in sorted({pv_map.blocker.open.pv, pv_map.blocker.close.pv}):
            yield "a command of the blocker", pv
    about = pv_map.supervision
    for key, pv in (("heartbeat", about.heartbeat), ("kick", about.kick), ("owner", about.owner)):
        if pv is not None:
            yield f"supervision.{key}", pv
    if pv_map.scan_status is not None:
        for field in ("AbortScan", "ScanStatus", "RunName"):
            yield f"scan_status ({field})", pv_map.scan_status.prefix + field


def _read(pv_map: PvMap) -> Iterator[tuple[str, str]]:
    """Where positions are read, if not in the axis' own record."""
    for name, about in pv_map.axes.items():
        if isinstance(about, PlainAxisMap):
            yield f"axes.{name}.readback", about.readback
        elif about.readback is not None:
            yield f"axes.{name}.readback", about.readback.pv


def _same(pv_map: PvMap, one: str, other: str) -> bool:
    return _value_of(pv_map.full(one)) == _value_of(pv_map.full(other))


def _value_of(pv: str) -> str:
    """A record and its field VAL are one PV."""
    return pv.removesuffix(".VAL")
