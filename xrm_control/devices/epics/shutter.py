"""Shutters: opened in order, closed at once or in reverse, and believed only when their status says so.

A closing goes out without completion on the urgent circuit, so that nothing that is under way can hold it back; then
the status is polled. A shutter that nothing tells the state of is believed, because its map says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import Any

from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentUnreachable, ShutterStuck, XrmError
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.epics.shutter_map import BladeMap
from xrm_control.devices.epics.status import Command

# A blade is late after one second beyond its travel, and never before five seconds of the wall clock: a busy machine
# is no stuck shutter.
_GRACE_S, _FLOOR_WALL_S = 1.0, 5.0
_FIRST_POLL_S, _POLL_S = 0.002, 0.02


class Position(Enum):
    """What the statuses of a blade say together."""

    OPEN = "open"
    CLOSED = "closed"
    BETWEEN = "neither open nor closed"


class Blade:
    """One shutter of the map."""

    def __init__(self, blade: BladeMap, pv_map: PvMap, registry: Registry, clock: Clock) -> None:
        self._map = blade
        self._full = pv_map.full
        self._registry = registry
        self._clock = clock
        self._believed, self._epoch = Position.BETWEEN, -1
        self.where = f"shutter ({self._full((*blade.open_statuses, *blade.closed_statuses, blade.close)[0].pv)})"

    @property
    def status_pvs(self) -> tuple[str, ...]:
        """What `position` asks for."""
        return tuple(self._full(status.pv) for status in (*self._map.open_statuses, *self._map.closed_statuses))

    @property
    def told_nothing(self) -> bool:
        """Whether it has no status to wait for."""
        return self._map.without_status

    def halt(self) -> None:
        """Say that it shall close, from any thread, and wait for nothing. Raises InstrumentUnreachable."""
        self._believed = Position.BETWEEN
        self._registry.command(self._full(self._map.close.pv), self._map.close.value)

    async def open(self) -> None:
        """Say that it shall open; returns when it is. Raises ShutterStuck."""
        command, limit_s = self._map.open, self._limit_s()
        self._believed = Position.BETWEEN
        try:
            await self._registry.write(self._full(command.pv), command.value, within_s=limit_s)
        except InstrumentUnreachable:
            # Lost, or a record that never completes; of the latter the status says what became of it.
            await self.position()
        await self._end_pulse(command)
        await self._arrived(Position.OPEN)

    async def close(self) -> None:
        """Say that it shall close, past whatever is pending; returns when it is. Raises ShutterStuck."""
        self.halt()
        await self._end_pulse(self._map.close)
        await self._arrived(Position.CLOSED)

    async def _end_pulse(self, command: Command) -> None:
        """Whatever comes in between, the pulse is ended."""
        if command.pulse_s > 0:
            try:
                await self._clock.sleep(self._clock.wall_s(command.pulse_s))
            finally:
                self._registry.command(self._full(command.pv), command.rest)

    def _limit_s(self) -> float:
        return max(self._map.travel_s + _GRACE_S, self._clock.wall_s(_FLOOR_WALL_S))

    async def _arrived(self, wanted: Position) -> None:
        """Wait until the status agrees."""
        about = self._map
        if about.dwell_s:
            await self._clock.sleep(about.dwell_s)
        if about.without_status:
            await self._believe(wanted)
            return
        deadline_s = self._clock.now_s() + self._limit_s()
        poll_s = _FIRST_POLL_S
        while (found := await self.position(urgent=wanted is Position.CLOSED)) is not wanted:
            if self._clock.now_s() > deadline_s:
                raise ShutterStuck(
                    "the shutter does not follow its command",
                    where=self.where,
                    value=found.value,
                    limit=wanted.value,
                    remedy="close the beam upstream and look at the shutter",
                )
            await self._clock.sleep(self._clock.wall_s(poll_s))
            poll_s = min(2 * poll_s, _POLL_S)

    async def position(self, *, urgent: bool = False) -> Position:
        """What the statuses say now; `urgent`: over the circuit that nothing blocks."""
        return self.position_by(await self._registry.read(*self.status_pvs, urgent=urgent))

    def position_by(self, values: Sequence[Any]) -> Position:
        """What values of `status_pvs` mean."""
        about = self._map
        if about.without_status:
            return self._believed if self._epoch == self._registry.epoch else Position.BETWEEN
        statuses = (*about.open_statuses, *about.closed_statuses)
        said = [
            status.says(value, self._registry.choices(name))
            for status, name, value in zip(statuses, self.status_pvs, values, strict=True)
        ]
        return judge(said[: len(about.open_statuses)], said[len(about.open_statuses) :])

    async def _believe(self, wanted: Position) -> None:
        """Nothing tells the state: wait for the travel, and see that the server has got what was sent before."""
        await self._clock.sleep(self._map.travel_s)
        await self._registry.readings(self._full(self._map.close.pv), may_be_invalid=True, urgent=True)
        self._believed, self._epoch = wanted, self._registry.epoch


def judge(open_: Sequence[bool | None], closed: Sequence[bool | None]) -> Position:
    """What the statuses of open, and those of closed, say together: all must agree, and none may say nothing."""
    said = [*open_, *(None if one is None else not one for one in closed)]
    if said and all(one is True for one in said):
        return Position.OPEN
    if said and all(one is False for one in said):
        return Position.CLOSED
    return Position.BETWEEN


class EpicsShutter:
    """See `protocols.Shutter`: light passes when all shutters of the map are open."""

    def __init__(self, pv_map: PvMap, registry: Registry, clock: Clock) -> None:
        self._blades = [Blade(blade, pv_map, registry, clock) for blade in pv_map.shutter.in_order]
        self._registry = registry
        self._together = pv_map.shutter.closing == "together"
        self._clock = clock
        self._travel_s = pv_map.shutter.total_s

    def halt(self) -> None:
        """Say that all shall close, from any thread, and wait for nothing. Raises InstrumentUnreachable."""
        problems: list[XrmError] = []
        for blade in reversed(self._blades):
            try:
                blade.halt()
            except XrmError as error:
                problems.append(error)
        if problems:
            raise problems[0]

    async def set(self, open_: bool) -> None:
        """See `Shutter.set`. All are told to close, whatever one of them does."""
        if open_:
            for blade in self._blades:
                await blade.open()
            return
        problems: list[XrmError] = []
        groups = [self._blades] if self._together else [[blade] for blade in reversed(self._blades)]
        for blades in groups:
            for result in await asyncio.gather(*(blade.close() for blade in blades), return_exceptions=True):
                if isinstance(result, XrmError):
                    problems.append(result)
                elif isinstance(result, BaseException):
                    raise result
        if problems:
            raise problems[0]

    @property
    def reading_pvs(self) -> tuple[str, ...]:
        """What `is_open` asks for."""
        return tuple(name for blade in self._blades for name in blade.status_pvs)

    async def is_closed(self) -> bool:
        """Whether every shutter is, over the circuit that nothing blocks."""
        found = await self._positions(urgent=True)
        return all(one is Position.CLOSED for one in found)

    async def is_open(self) -> bool:
        """See `Shutter.is_open`. Raises ShutterStuck when the statuses agree on nothing for longer than a travel."""
        deadline_s = self._clock.now_s() + max(self._travel_s + _GRACE_S, self._clock.wall_s(_FLOOR_WALL_S))
        while True:
            found = await self._positions()
            if Position.CLOSED in found:
                return False
            if Position.BETWEEN not in found:
                return True
            blade = self._blades[found.index(Position.BETWEEN)]
            if blade.told_nothing or self._clock.now_s() > deadline_s:
                raise ShutterStuck(
                    "nothing says whether the shutter is open or closed",
                    where=blade.where,
                    remedy="close it; then look at the shutter, and at its statuses in the PV map",
                )
            await self._clock.sleep(self._clock.wall_s(_POLL_S))

    async def _positions(self, *, urgent: bool = False) -> list[Position]:
        """What each says, upstream first; all asked for at once."""
        values = iter(await self._registry.read(*self.reading_pvs, urgent=urgent))
        return [blade.position_by([next(values) for _ in blade.status_pvs]) for blade in self._blades]


def urgent_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what closing needs, and of the ends of pulses."""
    names = [pv for blade in pv_map.shutter.in_order for pv in blade.pvs]
    return [pv_map.full(name) for name in dict.fromkeys(names)]
