"""Values that conditions watch: any PV, over a channel of its own that no trouble of the instrument's PVs touches.

A PV that is missing, or whose record is INVALID, makes no instrument unreachable: it is an observation with a problem.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable

from xrm_control.core.clock import Clock
from xrm_control.core.errors import XrmError
from xrm_control.devices.epics.libca import INVALID, CaReply
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.protocols import Observation

_MOST_REMEMBERED = 10_000


class WatchedValues:
    """By the names that the recipe uses: those of the map's `watched`, or PVs."""

    def __init__(self, pv_map: PvMap, clock: Clock) -> None:
        self._map, self._clock = pv_map, clock
        self._values: dict[str, _Value] = {}

    def watch(self, names: Iterable[str]) -> None:
        """See `Instrument.watch`."""
        for name in names:
            pv = self._map.full(self._map.watched.get(name, name))
            self._values.setdefault(name, _Value(pv, self._map, self._clock))

    async def connect(self) -> None:
        """Reach them all at once; whether they answer is told when they are asked for."""
        await asyncio.gather(*(value.connect() for value in self._values.values()))

    async def observe(self, name: str) -> Observation:
        """See `Instrument.observe`."""
        if name not in self._values:
            return Observation(None, self._clock.now_s(), problem="it is not watched")
        return await self._values[name].observe()

    def observed(self, name: str, since_s: float, until_s: float) -> tuple[Observation, ...]:
        """See `Instrument.observed`."""
        return self._values[name].between(since_s, until_s) if name in self._values else ()

    def close(self) -> None:
        """Give all channels back."""
        for value in self._values.values():
            value.registry.close()


class _Value:
    def __init__(self, pv: str, pv_map: PvMap, clock: Clock) -> None:
        self.registry = Registry([pv], clock, pv_map.channel_access)
        self._pv, self._clock = pv, clock
        self._posted: deque[Observation] = deque(maxlen=_MOST_REMEMBERED)
        self._watching = False
        self._news_s = 0.0

    async def connect(self) -> None:
        if self._watching and not self.registry.missing:
            return
        # What is missing now may come later: the channel stays open.
        with contextlib.suppress(XrmError):
            await self.registry.connect()
        if not self.registry.missing and not self._watching:
            self._watching, self._news_s = True, self._clock.now_s()
            self.registry.watch_replies(self._pv, self._heard)

    async def observe(self) -> Observation:
        now_s = self._clock.now_s
        if self.registry.missing:
            return Observation(None, now_s(), problem="not connected")
        try:
            await self.connect()
            (reply,) = await self.registry.readings(self._pv)
        except XrmError as error:
            return Observation(None, now_s(), problem=error.what)
        seen_s = now_s()
        return Observation(_plain(reply.value), seen_s, age_s=seen_s - self._news_s)

    def between(self, since_s: float, until_s: float) -> tuple[Observation, ...]:
        if self.registry.missing:
            return (Observation(None, until_s, problem="not connected"),)
        return tuple(seen for seen in self._posted if since_s < seen.t_s <= until_s)

    def _heard(self, reply: CaReply) -> None:
        value = _plain(self.registry.spoken(self._pv, reply.value))
        problem = "the IOC itself calls the value INVALID" if reply.severity >= INVALID else ""
        self._news_s = self._clock.now_s()
        self._posted.append(Observation(None if problem else value, self._news_s, problem=problem))


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, int | float) else str(value)
