"""Signs of life, both ways, and who is in control.

The IOC's beat is watched: a process that was stopped still counts as connected for Channel Access, so only a value that
must change tells. This side strokes the IOC's dead-man, but only while work goes on: a session that hangs lets it fall,
and the IOC closes the shutter by itself. The owner PV keeps a second session out.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from typing import Any

from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, InstrumentLocked, InstrumentUnreachable
from xrm_control.devices.epics.beam import good
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry

_LOOK_EVERY_S = 0.25
# Without an answer from the instrument for so long the session counts as hung. Between two device operations lie at
# most the stitching of a mosaic and the choice of regions.
_HUNG_AFTER_S = 60.0


class Supervision:
    """Made and started at the first connection, ended with `stop`."""

    def __init__(self, pv_map: PvMap, registry: Registry, clock: Clock) -> None:
        self._map = pv_map.supervision
        self._full = pv_map.full
        self._registry = registry
        self._clock = clock
        self._beaten_s: float | None = None
        self._beat_came = asyncio.Event()
        self._stroke = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.owner = f"{getpass.getuser()}@{socket.gethostname()}:{os.getpid()}"[:39]
        self._owns = False

    async def start(self) -> None:
        """Believe the IOC once it beats, and take control. Raises InstrumentUnreachable, InstrumentLocked."""
        self._registry.suspend(None)
        if self._map.beat is not None and self._beaten_s is None:
            self._beaten_s = self._clock.now_s()
            self._registry.watch(self._full(self._map.beat), self._beaten)
        await self._await_beat()
        await self._own()
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._strokes())]

    async def stop(self) -> None:
        """Leave orderly: the dead-man is disarmed, the owner's name taken away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if not self._owns:
            return
        self._owns = False
        for pv, value in ((self._map.owner, ""), (self._map.stroke, 0)):
            if pv is not None:
                await self._registry.write(self._full(pv), value)

    def _beaten(self, _: Any) -> None:
        self._beaten_s = self._clock.now_s()
        self._beat_came.set()

    async def _await_beat(self) -> None:
        """Two beats: the first may be the old value that a new connection brings."""
        if self._map.beat is None:
            return
        patience_s = self._map.beat_max_age_s
        try:
            async with asyncio.timeout(self._clock.wall_s(patience_s)):
                for _ in range(2):
                    self._beat_came.clear()
                    await self._beat_came.wait()
        except TimeoutError:
            raise self._still(f"no beat within {patience_s:g} s") from None

    async def _own(self) -> None:
        if self._map.owner is None:
            return
        pv = self._full(self._map.owner)
        (present,) = await self._registry.read(pv)
        if present not in ("", self.owner):
            await self._refuse_if_alive(pv, present)
        try:
            await self._registry.write(pv, self.owner)
        except DeviceError:
            (present,) = await self._registry.read(pv)
            raise self._locked(pv, present) from None
        (present,) = await self._registry.read(pv)
        if present != self.owner:
            raise self._locked(pv, present)
        self._owns = True
        self._strike()

    async def _refuse_if_alive(self, pv: str, present: str) -> None:
        """Another name stands there: a living session strokes the dead-man, a dead one has let it fall."""
        if self._map.stroke is None:
            raise self._locked(pv, present)
        stroke = self._full(self._map.stroke)
        (before,) = await self._registry.read(stroke)
        await self._clock.sleep(self._clock.wall_s(4 * self._map.stroke_every_s))
        (after,) = await self._registry.read(stroke)
        if after != before:
            raise self._locked(pv, present)
        await self._registry.write(pv, "")

    async def _listen(self) -> None:
        """Suspend everything while the beat is too old."""
        if self._map.beat is None:
            return
        max_age_s = self._map.beat_max_age_s
        while True:
            await self._clock.sleep(self._clock.wall_s(_LOOK_EVERY_S))
            age_s = self._clock.now_s() - (self._beaten_s or 0.0)
            if age_s > self._clock.wall_s(max_age_s):
                self._registry.suspend(self._still(f"the last beat is more than {max_age_s:g} s old"))

    async def _strokes(self) -> None:
        if self._map.stroke is None:
            return
        silent = False
        while True:
            was_silent, silent = silent, self._registry.idle_s >= self._clock.wall_s(_HUNG_AFTER_S)
            if was_silent and not silent and await self._fallen():
                self._registry.suspend(
                    InstrumentUnreachable(
                        "the dead-man had fallen: shutter, stage and owner are looked at again",
                        where=self._full(self._map.stroke),
                        value="no stroke while nothing was asked of the instrument",
                        limit=f"{_HUNG_AFTER_S:g} s",
                    )
                )
            elif not silent:
                self._strike()
            await self._clock.sleep(self._clock.wall_s(self._map.stroke_every_s))

    def _strike(self) -> None:
        if self._map.stroke is not None:
            self._stroke += 1
            self._registry.post(self._full(self._map.stroke), self._stroke)

    async def _fallen(self) -> bool:
        """Whether the IOC's dead-man has fallen (it then has closed the shutter and freed the owner)."""
        if self._map.tripped is None:
            return False
        try:
            (value,) = await self._registry.read(self._full(self._map.tripped.pv))
        except InstrumentUnreachable:
            # Whoever asks next meets that, and begins with a new connection, which claims the instrument again.
            return False
        return good(self._map.tripped, value)

    def _still(self, what: str) -> InstrumentUnreachable:
        return InstrumentUnreachable(
            f"the IOC shows no sign of life: {what}",
            where=self._full(self._map.beat or ""),
            limit=f"{self._map.beat_max_age_s:g} s",
            remedy="look whether the IOC's process hangs, is stopped or is cut off from the network",
        )

    def _locked(self, pv: str, present: str) -> InstrumentLocked:
        return InstrumentLocked(
            f"the instrument is controlled by {present or 'somebody else'}",
            where=pv,
            value=present,
            remedy="nothing was touched: wait for that run or end it there; if nobody is left, clear this PV by hand",
        )


def pvs(pv_map: PvMap) -> list[str]:
    """All PVs of supervision."""
    about = pv_map.supervision
    names = [about.beat, about.stroke, about.owner, about.speed, about.tripped.pv if about.tripped else None]
    return [pv_map.full(name) for name in names if name is not None]
