"""Sessions that want one instrument at the same time, and who held it when.

`python -m tests.storms.starters` imports the program once and forks a child for each order (a line of JSON on standard
input, answered by the child's process id) before Channel Access has begun. A child holds one session, or several in
threads: each waits for its moment, connects, moves x and reads it for a while, makes safe and disconnects, and writes
what it did to a log, with the machine's monotonic clock, before and after each command.

Who holds the instrument, by that log: a session from the moment when `connect` has returned until it begins to
disconnect, is killed, or is told otherwise (a command fails). While it is stopped (SIGSTOP) it holds nothing, as it can
do nothing; it holds again from the start of the first command that it begins afterwards and that is carried out. A
command that the server carries out for two sessions at once is what must never be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STEP_UM, ODD_UM = 2.0, 0.125


def now_s() -> float:
    """The clock that all processes of a machine share."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass(frozen=True)
class Order:
    """What one child shall do: `names` are its sessions, each a number; the map as JSON; `start_s` by `now_s`."""

    map: dict[str, Any]
    environment: dict[str, str]
    log: str
    start_s: float
    names: tuple[int, ...]
    speed: float
    hold_s: float = 1.0
    claim_only: bool = False


class Zygote:
    """The process that forks them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storms.starters"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, order: Order) -> int:
        """Fork a child for the order; its process id."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it; its children end by themselves."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def zygote() -> Iterator[Zygote]:
    """One for the length of a block."""
    one = Zygote()
    try:
        yield one
    finally:
        one.close()


@dataclass
class History:
    """What one session did, as it wrote it down, and what was done to it."""

    name: int
    lines: list[dict[str, Any]] = field(default_factory=list)
    killed_s: float | None = None
    stops: list[tuple[float, float]] = field(default_factory=list)

    def said(self, what: str) -> list[dict[str, Any]]:
        """Its lines of one kind."""
        return [line for line in self.lines if line["what"] == what]

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.killed_s is not None or (bool(self.lines) and self.lines[-1]["what"] == "end")

    def holdings(self) -> list[tuple[float, float]]:
        """When it held the instrument; see the module's text."""
        moments = [(line["t"], line["what"]) for line in self.lines]
        moments += [(t, what) for stop in self.stops for t, what in zip(stop, ("stopped", "continued"), strict=True)]
        moments += [(self.killed_s, "killed")] if self.killed_s is not None else []
        found: list[tuple[float, float]] = []
        since: float | None = None
        may_go_on, begun, continued = False, 0.0, 0.0
        for t, what in sorted(moments):
            if what == "command":
                begun = t
            elif what == "continued":
                continued = t
            elif what == "claimed":
                since, may_go_on = t, False
            elif what == "done" and may_go_on and begun > continued:
                since, may_go_on = begun, False
            elif what in ("stopped", "killed", "told", "refused", "failed", "releasing", "end"):
                may_go_on = what == "stopped" and (since is not None or may_go_on)
                if since is not None:
                    found.append((since, t))
                since = None
        if since is not None:
            found.append((since, max(moments)[0]))
        return found


def read_log(path: Path) -> dict[int, History]:
    """Histories by session."""
    found: dict[int, History] = {}
    for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
        if not line.endswith("\n"):
            # Its writer is not through with it yet.
            break
        content = json.loads(line)
        found.setdefault(content["name"], History(content["name"])).lines.append(content)
    return found


def overlaps(histories: Iterable[History]) -> list[str]:
    """Moments at which two sessions held the instrument."""
    found = []
    for one, other in combinations(histories, 2):
        for a, b in one.holdings():
            for c, d in other.holdings():
                shared = min(b, d) - max(a, c)
                if shared > 0:
                    found.append(f"{one.name} and {other.name} both held it for {shared:.3f} s")
    return found


def owner_of(value: float) -> int | None:
    """The session whose target this is; None for a position that no session has sent the axis to."""
    number, rest = divmod(value + 1900.0, 100.0)
    steps = (rest - ODD_UM) / STEP_UM
    return int(number) if abs(steps - round(steps)) < 1e-6 and 0 <= steps < 45 else None


def target_of(name: int, step: int) -> float:
    """Where session `name` (0 to 37) sends x at its step; no two sessions share a target."""
    return 100.0 * name - 1900.0 + STEP_UM * (step % 45) + ODD_UM


def _serve() -> None:
    import signal

    import xrm_control.devices.epics.instrument
    import xrm_control.devices.epics.supervision  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        content = json.loads(line)
        order = Order(**{**content, "names": tuple(content["names"])})
        pid = os.fork()
        if pid == 0:
            _child(order)
        print(pid, flush=True)


def _child(order: Order) -> None:
    from xrm_control.devices.epics import access
    from xrm_control.devices.epics.pv_map import PvMap

    os.environ.update(order.environment)
    pv_map = PvMap.model_validate(order.map)
    access.prepare(pv_map)
    threads = [threading.Thread(target=_session, args=(order, pv_map, name)) for name in order.names[1:]]
    for thread in threads:
        thread.start()
    _session(order, pv_map, order.names[0])
    for thread in threads:
        thread.join()
    os._exit(0)


def _session(order: Order, pv_map: Any, name: int) -> None:
    from tests.storms.observer import share_context
    from xrm_control.core.clock import run

    share_context()
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def say(what: str, text: str = "") -> None:
        os.write(log, (json.dumps({"t": now_s(), "name": name, "what": what, "text": text}) + "\n").encode())

    try:
        run(_work(order, pv_map, name, say), order.speed)
    except Exception as error:  # noqa: BLE001  whatever it was is looked at by whoever reads the log
        say("failed", f"{type(error).__name__}: {error}")
    say("end")


async def _work(order: Order, pv_map: Any, name: int, say: Any) -> None:
    from xrm_control.core.clock import Clock, utc_now
    from xrm_control.core.errors import InstrumentLocked, InstrumentUnreachable

    clock = Clock(utc_now())
    session = _Claim(pv_map, clock, name) if order.claim_only else _Whole(pv_map, clock, name)
    try:
        await clock.sleep(clock.wall_s(order.start_s - now_s()))
        say("trying")
        await session.connect()
        say("claimed")
        until_s, step = now_s() + order.hold_s, 0
        while now_s() < until_s:
            say("command")
            try:
                await session.command(step)
                say("done")
            except InstrumentUnreachable as error:
                # As a run does: nothing is believed until everything was looked at again.
                say("told", str(error))
                await session.connect()
                say("claimed")
            step += 1
        say("command")
        await session.make_safe()
        say("done")
        say("releasing")
    except InstrumentLocked as error:
        say("refused", str(error))
    finally:
        await session.disconnect()


class _Whole:
    """A session with the whole instrument."""

    def __init__(self, pv_map: Any, clock: Any, name: int) -> None:
        from xrm_control.devices.epics import EpicsBackend

        self._instrument = EpicsBackend(map=pv_map).open(clock)
        self._name = name
        self.connect = self._instrument.connect
        self.disconnect = self._instrument.disconnect
        self.make_safe = self._instrument.make_safe

    async def command(self, step: int) -> None:
        await self._instrument.axes["x"].move(target_of(self._name, step))


class _Claim:
    """A session that does nothing but claim, on an IOC that decides nothing; as on a machine of its own."""

    def __init__(self, pv_map: Any, clock: Any, name: int) -> None:
        from xrm_control.devices.epics import supervision
        from xrm_control.devices.epics.registry import Registry

        self._target = pv_map.full("$(P)Target")
        names = [*supervision.pvs(pv_map), self._target]
        self._registry = Registry(names, clock, pv_map.channel_access, supervision.urgent_pvs(pv_map))
        self._supervision = supervision.Supervision(pv_map, self._registry, clock, lambda: [f"{os.getpid()}.{name}"])
        self._clock, self._name = clock, name

    async def connect(self) -> None:
        await self._registry.connect()
        await self._supervision.start()

    async def command(self, step: int) -> None:
        await self._registry.write(self._target, target_of(self._name, step))
        await self._clock.sleep(self._clock.wall_s(0.02))

    async def make_safe(self) -> None:
        await self._supervision.look_again()

    async def disconnect(self) -> None:
        await self._supervision.stop(disarm=True)
        self._registry.close()


if __name__ == "__main__":
    _serve()
