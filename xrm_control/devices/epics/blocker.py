"""The opaque blade of a PV map: a blade as shutters have it, whose open is out of the beam."""

from __future__ import annotations

from xrm_control.core.clock import Clock
from xrm_control.core.errors import BlockerStuck, ShutterStuck
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.epics.shutter import Blade, Position
from xrm_control.devices.epics.shutter_map import BladeMap

_WORDS = {Position.OPEN.value: "out", Position.CLOSED.value: "in", Position.BETWEEN.value: "neither in nor out"}


class EpicsBlocker:
    """See `protocols.Blocker`."""

    def __init__(self, about: BladeMap, pv_map: PvMap, registry: Registry, clock: Clock) -> None:
        self._blade = Blade(about, pv_map, registry, clock)

    async def set(self, in_: bool) -> None:
        """See `Blocker.set`."""
        try:
            await (self._blade.close() if in_ else self._blade.open())
        except ShutterStuck as error:
            raise BlockerStuck(
                "the blade does not follow its command",
                where=self._blade.where.replace("shutter", "blade", 1),
                value=_WORDS.get(str(error.value), error.value),
                limit="in" if in_ else "out",
                remedy="look at the blade before anything moves",
            ) from error

    async def is_in(self) -> bool:
        """See `Blocker.is_in`."""
        return await self._blade.position() is not Position.OPEN


def pvs(pv_map: PvMap) -> list[str]:
    """Full names; none without a blade."""
    return [] if pv_map.blocker is None else [pv_map.full(name) for name in dict.fromkeys(pv_map.blocker.pvs)]
