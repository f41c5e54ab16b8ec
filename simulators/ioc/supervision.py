"""Who is at the wheel, and whether anybody still is: heartbeat, dead-man's watchdog, owner, status of the scan.

The watchdog counts seconds of the wall clock. When this process was itself held up, what a client sent meanwhile waits
in the sockets; the watchdog's timer comes before all of it, so a kick that comes too late cannot hide the gap.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Pv, Refused, choice, double, integer, text

BEAT_S = 0.5
TIMEOUT_S = 3.0
_LOOKED_AT_S = 0.05
_AGAIN_S = 0.5
_NO_YES = ("No", "Yes")

MakeSafe = Callable[[], Awaitable[bool]]


class Heartbeat:
    """`IOC:Beat_RBV` counts while this process is alive, as a connection alone does not show."""

    def __init__(self, prefix: str, time: IocTime) -> None:
        self._time = time
        self._beat = integer(read_only=True, record="longin")
        speed = double(time.speed, read_only=True, record="ai")
        self._pvs: dict[str, Pv] = {f"{prefix}IOC:Beat_RBV": self._beat, f"{prefix}IOC:Speed_RBV": speed}

    def pvs(self) -> dict[str, Pv]:
        """Full name of each PV, and the PV."""
        return self._pvs

    async def run(self) -> None:
        """Count, for ever."""
        while True:
            await self._time.wait_wall(BEAT_S)
            await self._beat.post(self._beat.now + 1)


class Watchdog:
    """Dead-man: without a kick for TIMEOUT_S of the wall clock, `make_safe` is tried until it says that it is."""

    def __init__(self, prefix: str, time: IocTime, make_safe: MakeSafe) -> None:
        self._time = time
        self._make_safe = make_safe
        self._last_kick_s = 0.0
        self._alive = False
        self._unsafe = False
        self._kick = integer(on_put=self._put_kick)
        self._armed = choice("No", _NO_YES, read_only=True, record="bi")
        self._tripped = choice("No", _NO_YES, read_only=True, record="bi")
        self._owner = text(on_put=self._put_owner)
        self._pvs: dict[str, Pv] = {
            f"{prefix}Watchdog:Stroke": self._kick,
            f"{prefix}Watchdog:Timeout_RBV": double(TIMEOUT_S, units="s", precision=1, read_only=True, record="ai"),
            f"{prefix}Watchdog:Armed_RBV": self._armed,
            f"{prefix}Watchdog:Tripped_RBV": self._tripped,
            f"{prefix}Owner": self._owner,
        }

    def pvs(self) -> dict[str, Pv]:
        """Full name of each PV, and the PV."""
        return self._pvs

    async def run(self) -> None:
        """Watch, for ever."""
        while True:
            await self._time.wait_wall(_LOOKED_AT_S)
            await self._look()
            if self._unsafe:
                await self._time.wait_wall(_AGAIN_S)
                await self._secure()

    async def _look(self) -> None:
        """Trip when the last kick is too long ago."""
        if not self._alive or self._time.wall_s() - self._last_kick_s <= TIMEOUT_S:
            return
        self._alive = False
        self._unsafe = True
        # Said first: a kick that comes while the shutter travels clears it again, and must find it said.
        await self._tripped.post("Yes")
        await self._armed.post("No")
        await self._owner.post_change("")
        await self._secure()

    async def _secure(self) -> None:
        if self._unsafe and await self._make_safe():
            self._unsafe = False

    async def _put_kick(self, number: int) -> int:
        await self._look()
        if number < 0:
            raise Refused(f"kicks are numbers that rise, not {number}")
        if number == 0:
            self._alive = False
            await self._armed.post_change("No")
        elif not self._alive or number > self._kick.now:
            # A number that does not rise is written by somebody who hangs: no kick.
            self._last_kick_s = self._time.wall_s()
            self._alive, self._unsafe = True, False
            await self._armed.post_change("Yes")
            await self._tripped.post_change("No")
        return number

    async def _put_owner(self, name: str) -> str:
        await self._look()
        owner = self._owner.now
        if name and owner and name != owner and self._alive:
            raise Refused(f"{owner} is in control")
        return name


class ScanStatus:
    """What operators see of a scan and where they ask for its end; the session that scans writes all but the abort."""

    def __init__(self, prefix: str) -> None:
        parts: dict[str, Pv] = {
            "StartScan": choice("Done", ("Done", "Busy"), record="busy"),
            "AbortScan": choice("No", _NO_YES, record="bo"),
            "ScanStatus": text(),
            "RunName": text(),
            "ImagesCollected": integer(),
            "ImagesTotal": integer(),
            "ElapsedTime": double(units="s", precision=0),
            "RemainingTime": double(units="s", precision=0),
        }
        self._pvs = {f"{prefix}Scan:{name}": pv for name, pv in parts.items()}

    def pvs(self) -> dict[str, Pv]:
        """Full name of each PV, and the PV."""
        return self._pvs
