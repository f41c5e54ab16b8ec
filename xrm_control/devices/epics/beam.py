"""Shutter and source: what lets light through, and what says whether there is any."""

from __future__ import annotations

import asyncio

from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, ShutterStuck
from xrm_control.devices.epics.pv_map import PvMap, Status
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.protocols import SourceReading

# A blade is late after one second, as at a real beamline.
_GRACE_S = 1.0
# So long, of the wall clock, an IOC on a busy machine may not come to it.
_BUSY_S = 5.0
_POLL_S = 0.02
# An answer that was asked for ahead is fresh for so long (wall clock).
_FRESH_S = 0.05


class EpicsShutter:
    """See `protocols.Shutter`."""

    def __init__(self, pv_map: PvMap, registry: Registry, clock: Clock) -> None:
        self._map = pv_map.shutter
        self._full = pv_map.full
        self._registry = registry
        self._clock = clock

    async def set(self, open_: bool) -> None:
        """See `Shutter.set`. Closing goes past whatever is pending; opening waits for its completion."""
        if open_:
            await self._registry.write(self._full(self._map.open.pv), self._map.open.value)
        else:
            self.halt()
        deadline_s = self._clock.now_s() + self._map.travel_s + max(_GRACE_S, self._clock.wall_s(_BUSY_S))
        while await self._is_open(urgent=not open_) != open_:
            if self._clock.now_s() > deadline_s:
                raise ShutterStuck(
                    "the shutter does not follow its command",
                    where=f"shutter ({self._full(self._map.is_open.pv)})",
                    value="open" if not open_ else "closed",
                    limit="open" if open_ else "closed",
                    remedy="close the beam upstream and look at the shutter",
                )
            await self._clock.sleep(self._clock.wall_s(_POLL_S))

    async def is_open(self) -> bool:
        """See `Shutter.is_open`."""
        return await self._is_open(urgent=False)

    def halt(self) -> None:
        """Say that it shall close, from any thread, and wait for nothing. Raises InstrumentUnreachable."""
        self._registry.command(self._full(self._map.close.pv), self._map.close.value)

    async def is_closed(self) -> bool:
        """A fresh reading over the circuit that nothing blocks."""
        return not await self._is_open(urgent=True)

    async def _is_open(self, urgent: bool) -> bool:
        (value,) = await self._registry.read(self._full(self._map.is_open.pv), urgent=urgent)
        return good(self._map.is_open, value)


class EpicsSource:
    """See `protocols.Source`."""

    def __init__(self, pv_map: PvMap, registry: Registry, clock: Clock) -> None:
        self._map = pv_map.source
        self._registry = registry
        statuses = (*self._map.available, *self._map.permits)
        self._names = [pv_map.full(status.pv) for status in statuses]
        if self._map.flux is not None:
            self._names.append(pv_map.full(self._map.flux))
        self._clock = clock
        self._ahead: asyncio.Task[SourceReading] | None = None
        self._asked_s = 0.0

    def look_ahead(self) -> None:
        """Ask now, at the end of an exposure, for what the next `read` will want; the frame is fetched meanwhile."""
        self._asked_s = self._clock.now_s()
        self._ahead = asyncio.create_task(self._ask(), name="source, ahead")
        # Nobody may come for the answer; then nobody misses its failure either.
        self._ahead.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def read(self) -> SourceReading:
        """See `Source.read`."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and self._clock.now_s() - self._asked_s <= self._clock.wall_s(_FRESH_S):
            return await ahead
        return await self._ask()

    async def _ask(self) -> SourceReading:
        values = await self._registry.read(*self._names)
        about = self._map
        beam = all(good(status, value) for status, value in zip(about.available, values, strict=False))
        after = values[len(about.available) :]
        permit = all(good(status, value) for status, value in zip(about.permits, after, strict=False))
        flux = self._flux(values[-1]) if about.flux is not None else 1.0
        available = beam and permit
        return SourceReading(available, flux if available else 0.0, permit)

    def _flux(self, value: object) -> float:
        """Relative to nominal. Raises DeviceError for what is no number."""
        if not isinstance(value, int | float):
            raise DeviceError(
                "the flux is not a number",
                where=self._names[-1],
                value=repr(value),
                remedy="correct source.flux in the PV map",
            )
        return value / self._map.nominal_flux


def good(status: Status, value: object) -> bool:
    """Whether a PV's value is one of those that mean yes; an enum's text stands for its number and back."""
    return value in status.good or (isinstance(value, float) and value.is_integer() and int(value) in status.good)


def urgent_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what closing the shutter needs."""
    return [pv_map.full(pv) for pv in (pv_map.shutter.close.pv, pv_map.shutter.is_open.pv)]


def pvs(pv_map: PvMap) -> list[str]:
    """All PVs of shutter and source."""
    shutter, source = pv_map.shutter, pv_map.source
    names = [shutter.open.pv, shutter.close.pv, shutter.is_open.pv]
    names += [status.pv for status in (*source.available, *source.permits)]
    names += [source.flux] if source.flux else []
    return [pv_map.full(name) for name in names]
