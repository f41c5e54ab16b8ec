"""Signs of life, both ways, and who is in control.

The IOC's heartbeat is watched: a process that was stopped still counts as connected for Channel Access, so only a
value that must change tells. This side kicks the IOC's dead-man, but only while work goes on: a session that hangs
lets it fall, and the IOC closes the shutter by itself. Work is an answer from the instrument, or a step of what is
computed between two frames (`sign_of_life`). After the last frame nothing is asked of the instrument any more, however
long the computing takes: then, the safe state verified, the dead-man is disarmed (`stand_down`). A session that has
stood still for nearly as long as it takes to fall believes in nothing that it knows: before it writes again it looks
who is in control.

Two locks keep a second session out: one of the kernel's on this machine, and the owner PV for all others. The latter is
Fischer's algorithm (Lamport, A Fast Mutual Exclusion Algorithm, 1987): look, write one's name, wait longer than anybody
takes from looking to writing, look again. Who was slower than that knows it, and gives way to whoever kicks. An IOC
that refuses the claim while its dead-man is armed decides at once; therefore the kick comes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from typing import Any

from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, InstrumentLocked, InstrumentUnreachable
from xrm_control.core.user import user_name
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.machine_lock import MachineLock

_LOOK_EVERY_S = 0.25
# Without an answer from the instrument, and without another sign of life, for so long the session counts as hung.
_HUNG_AFTER_S = 60.0
# Of the wall clock: between a claim and the second look, and the longest from the first look to the claim.
_CLAIM_S, _SLOW_CLAIM_S = 1.0, 0.5
_CLAIMS = 4
# So many missed kicks, and the dead-man may have fallen.
_MISSED = 5
_PATIENCE = 4.0
# So often is a dead-man told that it is disarmed, until it says so.
_DISARMS = 3
_LONGEST_NAME = 39


class Supervision:
    """Made and started at the first connection, ended with `stop`. `lock_names`: what is locked on this machine."""

    def __init__(self, pv_map: PvMap, registry: Registry, clock: Clock, lock_names: Callable[[], list[str]]) -> None:
        self._map = pv_map.supervision
        self._full = pv_map.full
        self._registry = registry
        self._clock = clock
        self._lock_names = lock_names
        self._lock = MachineLock()
        self._beaten_s: float | None = None
        self._beat_came = asyncio.Event()
        self._kicks = 0
        self._struck_s: float | None = None
        self._lived_s = clock.now_s()
        self._resting = False
        self._tasks: list[asyncio.Task[None]] = []
        # One process may hold several sessions, one after the other: its number alone does not tell them apart.
        tail = f":{os.getpid()}-{secrets.token_hex(2)}"
        self.owner = f"{user_name()}@{socket.gethostname()}"[: _LONGEST_NAME - len(tail)] + tail
        self._owns = self._claiming = False
        self._owner_watched = False

    @property
    def in_control(self) -> bool:
        """Whether this session has taken control, and nobody else has taken it away."""
        return self._owns

    async def start(self) -> None:
        """Believe the IOC once its heart beats, and take control. Raises InstrumentUnreachable, InstrumentLocked."""
        self._claiming = True
        try:
            await self._take_control()
        finally:
            self._claiming = False
        self._registry.fence(self._before_a_write)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._strokes())]

    async def _take_control(self) -> None:
        self._registry.suspend(None)
        if self._map.heartbeat is not None and self._beaten_s is None:
            self._beaten_s = self._clock.now_s()
            self._registry.watch(self._full(self._map.heartbeat), self._beaten)
        await self._await_beat()
        if not self._lock.held:
            self._lock.take(self._lock_names())
        await self._own()

    def sign_of_life(self) -> None:
        """The session works, though it asks the instrument for nothing. From any thread."""
        self._lived_s = self._clock.now_s()

    async def stand_down(self) -> None:
        """Disarm the dead-man and kick it no more; the owner's name stays, and so does the lock on this machine.

        From another machine whoever comes may take the instrument over, as nobody kicks for that name. The first write
        after this arms the dead-man again. Raises InstrumentUnreachable; then it is kicked as before.
        """
        if self._resting or not await self._still_mine():
            return
        struck_s, self._struck_s, self._resting = self._struck_s, None, True
        try:
            await self._disarm()
        except BaseException:
            self._struck_s, self._resting = struck_s, False
            raise

    async def stop(self, *, disarm: bool) -> None:
        """Leave orderly. With `disarm` the owner's name is taken away and the dead-man told that this is no death."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        try:
            if self._owns and disarm and await self._still_mine():
                self._owns = False
                self._registry.fence(lambda: None)
                if self._map.owner is not None:
                    await self._registry.write(self._full(self._map.owner), "")
                if not self._resting:
                    await self._disarm()
        finally:
            self._owns = False
            self._lock.release()

    async def look_again(self) -> None:
        """Make sure that commanding is this session's right. Raises InstrumentLocked, and then it is not.

        Where nobody answers it stays: the axes may hear a command that comes to no answer.
        """
        with contextlib.suppress(InstrumentUnreachable):
            await self._still_mine()
        if not self._owns:
            raise self._locked("another session has taken control" if self._lock.held else "control was never taken")

    def _beaten(self, _: Any) -> None:
        self._beaten_s = self._clock.now_s()
        self._beat_came.set()

    async def _await_beat(self) -> None:
        """Two beats: the first may be the old value that a new connection brings."""
        if self._map.heartbeat is None:
            return
        # Two of them, while everything starts on a machine that may be busy; nothing rests on the IOC yet.
        patience_s = _PATIENCE * self._map.heartbeat_max_age_s
        try:
            async with asyncio.timeout(self._clock.wall_s(patience_s)):
                for _ in range(2):
                    self._beat_came.clear()
                    await self._beat_came.wait()
        except TimeoutError:
            raise self._still(f"no heartbeat within {patience_s:g} s") from None

    async def _own(self) -> None:
        """Take control, or keep it. Raises InstrumentLocked."""
        if self._map.owner is None:
            self._kick_watchdog()
            self._owns = True
            return
        pv = self._full(self._map.owner)
        if not self._owner_watched:
            self._owner_watched = True
            self._registry.watch(pv, self._owner_changed)
        present = ""
        for _ in range(_CLAIMS):
            (present,) = await self._registry.read(pv)
            if present != self.owner:
                self._owns = False
                if present != "" and await self._others_stroke():
                    break
                present = await self._claim(pv, present)
            if present == self.owner:
                self._kick_watchdog()
                self._owns = True
                return
        raise self._locked(f"controlled by {present}" if present else "claimed by others at the same time")

    async def _claim(self, pv: str, before: str) -> str:
        """Write one's name where `before` stands, and who is in control after a second look.

        Raises InstrumentLocked when that look comes too late to tell, and somebody is at work.
        """
        looked_s = self._clock.now_s()
        (present,) = await self._registry.read(pv)
        if present != before:
            return present
        # An armed dead-man makes the IOC refuse others; it would keep a name that a dead session has left as well.
        if before == "":
            self._kick_watchdog()
        with contextlib.suppress(DeviceError):
            await self._registry.write(pv, self.owner)
        slow = self._clock.now_s() - looked_s > self._clock.wall_s(_SLOW_CLAIM_S)
        if before != "":
            self._kick_watchdog()
        await self._clock.sleep(self._clock.wall_s(_CLAIM_S))
        if slow and await self._others_stroke():
            raise self._locked("somebody else is at work")
        (present,) = await self._registry.read(pv)
        return present

    async def _others_stroke(self) -> bool:
        """Whether a session that lives kicks the dead-man; also when nothing could tell."""
        if self._map.kick is None:
            return True
        kick = self._full(self._map.kick)
        (before,) = await self._registry.read(kick)
        await self._clock.sleep(self._clock.wall_s(4 * self._map.kick_every_s))
        return await self._registry.read(kick) != (before,)

    def _owner_changed(self, raw: Any) -> None:
        """Heard of by monitor. Whatever is asked next begins with a new look, which tells an owner from a dead-man."""
        # A waveform of characters is a text too.
        present = self._registry.spoken(self._full(self._map.owner or ""), raw)
        if not self._owns or present == self.owner:
            return
        if present != "":
            self._owns = False
        self._registry.suspend(
            InstrumentUnreachable(
                f"this session is not in control any more: the owner is now {present or 'nobody'}",
                where=self._full(self._map.owner or ""),
                value=present,
                limit=self.owner,
            )
        )

    async def _still_mine(self) -> bool:
        """Whether the owner PV says so; without one, whether this session once took control."""
        if self._owns and self._map.owner is not None:
            (present,) = await self._registry.read(self._full(self._map.owner), urgent=True)
            self._owns = present in ("", self.owner)
        return self._owns

    @property
    def lapsed(self) -> bool:
        """Whether the last kick is so long ago that the dead-man may have fallen meanwhile."""
        lease_s = self._clock.wall_s(_MISSED * self._map.kick_every_s)
        return self._struck_s is not None and self._clock.now_s() - self._struck_s > lease_s

    def _before_a_write(self) -> None:
        if self.lapsed:
            raise self._stood_still()
        if self._resting:
            self._kick_watchdog()

    async def _listen(self) -> None:
        """Suspend everything while the heartbeat is too old."""
        if self._map.heartbeat is None:
            return
        max_age_s = self._map.heartbeat_max_age_s
        while True:
            await self._clock.sleep(self._clock.wall_s(_LOOK_EVERY_S))
            age_s = self._clock.now_s() - (self._beaten_s or 0.0)
            if age_s > self._clock.wall_s(max_age_s):
                self._registry.suspend(self._still(f"the last heartbeat is more than {max_age_s:g} s old"))

    async def _strokes(self) -> None:
        """Stroke while work goes on; after a pause that was too long whoever asks next has to look again."""
        while True:
            # Without a dead-man only this loop's own standing still matters.
            silent_s = min(self._registry.idle_s, self._clock.now_s() - self._lived_s)
            hung = self._map.kick is not None and silent_s >= self._clock.wall_s(_HUNG_AFTER_S)
            if self._resting:
                pass
            elif self.lapsed and not (hung or self._claiming):
                self._registry.suspend(self._stood_still())
            elif self._owns and not (hung or self._claiming):
                self._kick_watchdog()
            await self._clock.sleep(self._clock.wall_s(self._map.kick_every_s))

    async def _disarm(self) -> None:
        """On the circuit of the kicks: one that is still on its way elsewhere would arm it again."""
        if self._map.kick is None:
            return
        kick = self._full(self._map.kick)
        for _ in range(_DISARMS):
            self._registry.command(kick, 0)
            (present,) = await self._registry.read(kick, urgent=True)
            if present == 0:
                return

    def _kick_watchdog(self) -> None:
        self._struck_s, self._resting = self._clock.now_s(), False
        if self._map.kick is not None:
            self._kicks += 1
            with contextlib.suppress(InstrumentUnreachable):
                self._registry.command(self._full(self._map.kick), self._kicks)

    def _stood_still(self) -> InstrumentUnreachable:
        return InstrumentUnreachable(
            "this session stood still: the dead-man may have fallen; shutter, stage and owner are looked at again",
            where=self._full(self._map.kick or self._map.owner or "this process"),
            limit=f"a kick every {self._map.kick_every_s:g} s",
        )

    def _still(self, what: str) -> InstrumentUnreachable:
        return InstrumentUnreachable(
            f"the IOC shows no sign of life: {what}",
            where=self._full(self._map.heartbeat or ""),
            limit=f"{self._map.heartbeat_max_age_s:g} s",
            remedy="look whether the IOC's process hangs, is stopped or is cut off from the network",
        )

    def _locked(self, what: str) -> InstrumentLocked:
        return InstrumentLocked(
            f"the instrument is not this session's: {what}",
            where=self._full(self._map.owner or ""),
            remedy="nothing was touched: wait for that run or end it there; if nobody is left, clear this PV by hand",
        )


def urgent_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what control needs over the circuit that nothing blocks."""
    about = pv_map.supervision
    return [pv_map.full(name) for name in (about.kick, about.owner) if name is not None]


def pvs(pv_map: PvMap) -> list[str]:
    """All PVs of supervision."""
    about = pv_map.supervision
    names = [about.heartbeat, about.kick, about.owner, about.speed, about.tripped.pv if about.tripped else None]
    return [pv_map.full(name) for name in names if name is not None]
