"""Servers on which the rules of puts are looked at: ours, EPICS base's own, and a site's.

Each has a record that a put keeps busy until it is released, and another record that is done at once. A motor is
busy while it moves, and released by STOP.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.ioc_process import client_environment, running_ioc, running_soft_ioc
from tests.simulators.ioc.circuit import CaReply, Channel

# Priorities, so circuits: the client's, another client's, and those of who looks on and of who ends what goes on.
OWN, OTHER, WITNESS, KEEPER = 0, 10, 20, 30
# Longer than a server lets a circuit be blocked.
BUSY_S = 90.0
_ATTEMPTS = 60


@dataclass
class Bench:
    """Records `busy` and `other`; a put to `busy` is a distance from `home`; `undefined` never had a value."""

    busy: str
    other: str
    release: str
    undefined: str = ""
    home: float = 0.0
    distance: float = 1.0
    _channels: list[Channel] = field(default_factory=list)
    _by_name: dict[tuple[str, int], Channel] = field(default_factory=dict)
    _count: int = 0

    def channel(self, name: str, circuit: int = OWN) -> Channel:
        """The one that a circuit has to a PV."""
        if (name, circuit) not in self._by_name:
            self._by_name[name, circuit] = self.new_channel(name, circuit)
        return self._by_name[name, circuit]

    def new_channel(self, name: str, circuit: int = OWN) -> Channel:
        """One more."""
        found = Channel(name, circuit)
        self._channels.append(found)
        return found

    def new_value(self, name: str) -> float | str:
        """One that it does not have: for `busy` to either side in turn, and a text for its descriptions."""
        self._count += 1
        if name == self.busy:
            return self.home + (self.distance if self._count % 2 else -self.distance)
        return f"text {self._count}"

    def has(self, name: str, value: float | str) -> bool:
        """What somebody sees who looks on."""
        seen = self.channel(name, WITNESS).get()
        return seen == value if isinstance(value, str) else float(seen) == pytest.approx(value, abs=1e-3)

    def gets(self, name: str, value: float | str, within_s: float = 20.0) -> bool:
        """Whether it has or gets a value."""
        for _ in range(int(within_s / 0.02)):
            if self.has(name, value):
                return True
            CaReply().comes(0.02)
        return False

    def occupy(self) -> CaReply:
        """Put to `busy` with completion, and see that it is under way."""
        value = self.new_value(self.busy)
        pending = self.channel(self.busy).put_callback(value)
        assert self.gets(self.busy, value)
        assert not pending.comes(0.0)
        return pending

    def end(self, *pending: CaReply) -> None:
        """Release the record until all that is waited for has come."""
        for _ in range(_ATTEMPTS):
            self.channel(self.release, KEEPER).put(1)
            if all(answer.comes(0.5) for answer in pending):
                return
        raise AssertionError("what was waited for never came")

    def leave(self) -> None:
        """Give up all channels."""
        for channel in self._channels:
            channel.clear()
        self._channels.clear()
        self._by_name.clear()


@contextmanager
def caproto() -> Iterator[Bench]:
    """The simulated IOC."""
    with running_ioc(speed=1) as ioc, _motors(ioc.prefix, "Sample:X", "Sample:Y", 90.0) as bench:
        bench.undefined = f"{ioc.prefix}Det:HDF1:FullFileName_RBV"
        yield bench


@contextmanager
def softioc() -> Iterator[Bench]:
    """EPICS base. Imported here, its library would come between libca and its environment: it is only looked for."""
    if importlib.util.find_spec("softioc") is None:
        pytest.skip("softioc is not installed")
    with running_soft_ioc(Path(__file__).with_name("soft_ioc.py")) as ioc:
        busy, other, release, undefined = (f"{ioc.prefix}{name}" for name in ("Busy", "Other", "Release", "Undefined"))
        yield Bench(busy, other, release, undefined)


@contextmanager
def site() -> Iterator[Bench]:
    """An IOC named by XRM_TEST_IOC_PREFIX; its motor, XRM_TEST_IOC_MOTOR, is moved within XRM_TEST_IOC_TRAVEL."""
    prefix, told = os.environ.get("XRM_TEST_IOC_PREFIX"), os.environ.get
    if prefix is None:
        pytest.skip("XRM_TEST_IOC_PREFIX names no IOC")
    client_environment()
    names = told("XRM_TEST_IOC_MOTOR", "Sample:X"), told("XRM_TEST_IOC_OTHER", "Sample:Y")
    with _motors(prefix, *names, float(told("XRM_TEST_IOC_TRAVEL", "1.0"))) as bench:
        yield bench


@contextmanager
def _motors(prefix: str, busy: str, other: str, distance: float) -> Iterator[Bench]:
    """A motor slow enough to be busy for a while; speed, place and descriptions are afterwards as they were."""
    bench = Bench(f"{prefix}{busy}", f"{prefix}{other}", f"{prefix}{busy}.STOP", distance=distance)
    bench.home = float(bench.channel(bench.busy).get())
    texts = [f"{bench.busy}.DESC", f"{bench.other}.DESC"]
    before = {name: bench.channel(name).get() for name in texts}
    speed = float(bench.channel(f"{bench.busy}.VELO").get())
    bench.channel(f"{bench.busy}.VELO").put(distance / BUSY_S)
    bench.leave()
    try:
        yield bench
    finally:
        bench.channel(f"{bench.busy}.VELO").put(speed)
        for name, text in before.items():
            bench.channel(name).put(text)
        assert bench.channel(bench.busy).put_callback(bench.home).comes(60.0)
        bench.leave()
