"""Heartbeat, watchdog, owner and scan status: who is at the wheel, and what happens when nobody is."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator

import pytest

from simulators.ioc.pv import Refused
from simulators.ioc.supervision import TIMEOUT_S, Watchdog
from tests.ioc_process import IocProcess, running_ioc
from tests.simulators.ioc.client import Client


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=1) as process:
        yield process


@pytest.fixture
def client(ioc: IocProcess) -> Iterator[Client]:
    found = Client(ioc)
    yield found
    found.put("Sim:Clear", 1)
    found.put("Watchdog:Stroke", 0)
    found.put("Owner", "")
    found.put("Shutter:Fast", 0)


class Clock:
    """Time in the hand of the test."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall_s(self) -> float:
        return self.now


class Bench:
    """A watchdog without a network."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.secured = 0
        self.watchdog = Watchdog("P:", self.clock, self._make_safe)  # type: ignore[arg-type]
        self.pvs = self.watchdog.pvs()

    async def _make_safe(self) -> bool:
        self.secured += 1
        return True

    def put(self, name: str, value: object) -> object:
        on_put = self.pvs[f"P:{name}"].on_put
        assert on_put is not None

        async def write() -> object:
            kept = await on_put(value)
            await self.pvs[f"P:{name}"].post(kept)
            return kept

        return asyncio.run(write())

    @property
    def state(self) -> tuple[str, str, str]:
        """Armed, tripped, owner."""
        armed, tripped = (self.pvs[f"P:Watchdog:{name}_RBV"].now for name in ("Armed", "Tripped"))
        return armed, tripped, self.pvs["P:Owner"].now


# What is written, after how many seconds, and armed, tripped, owner, times made safe afterwards.
STORIES = [
    ("kicks keep it quiet", [(0, 1), (2.9, 2), (2.9, 3), (2.9, 4)], ("Yes", "No", "Ada", 0)),
    ("a kick too late finds it tripped, and arms it again", [(0, 1), (3.1, 2)], ("Yes", "No", "", 1)),
    ("zero disarms", [(0, 1), (1, 0), (9, 0)], ("No", "No", "Ada", 0)),
    ("without a kick nothing is armed", [(9, 0)], ("No", "No", "Ada", 0)),
    ("a number that does not rise is no kick", [(0, 5), (2, 5), (2, 5)], ("Yes", "No", "", 1)),
    ("a new client may count from one", [(0, 500), (1, 0), (1, 1), (2.9, 2)], ("Yes", "No", "Ada", 0)),
    ("a client that counts anew without disarming", [(0, 500), (1, 1), (1, 2), (2.9, 3)], ("Yes", "No", "Ada", 0)),
]


@pytest.mark.parametrize(("story", "kicks", "end"), STORIES, ids=[story for story, *_ in STORIES])
def test_what_the_watchdog_does(story: str, kicks: list[tuple[float, int]], end: tuple[str, str, str, int]) -> None:
    bench = Bench()
    bench.put("Owner", "Ada")
    for wait_s, number in kicks:
        bench.clock.now += wait_s
        bench.put("Watchdog:Stroke", number)
    assert (*bench.state, bench.secured) == end


def test_who_may_become_owner() -> None:
    bench = Bench()
    assert bench.put("Owner", "Ada") == "Ada"
    assert bench.put("Owner", "Bob") == "Bob"  # nobody kicks: Ada is not there
    bench.put("Watchdog:Stroke", 1)
    with pytest.raises(Refused, match="Bob is in control"):
        bench.put("Owner", "Ada")
    assert bench.put("Owner", "Bob") == "Bob"
    assert bench.put("Owner", "") == ""
    assert bench.put("Owner", "Ada") == "Ada"
    bench.clock.now += TIMEOUT_S + 0.1
    assert bench.put("Owner", "Bob") == "Bob"
    assert bench.state == ("No", "Yes", "Bob")


def test_a_negative_kick_is_refused() -> None:
    with pytest.raises(Refused, match="-1"):
        Bench().put("Watchdog:Stroke", -1)


def test_the_beat_counts_and_the_speed_is_told(client: Client) -> None:
    first = client.get("IOC:Beat_RBV")
    client.until(lambda: client.get("IOC:Beat_RBV") >= first + 3)
    assert client.get("IOC:Speed_RBV") == 1.0
    assert client.get("Watchdog:Timeout_RBV") == 3.0
    assert client.refusal("IOC:Beat_RBV", 5) is not None


def test_a_silent_client_loses_shutter_axes_and_ownership(client: Client) -> None:
    client.put("Shutter:Fast", 1)
    client.put("Owner", "session")
    client.put("Watchdog:Stroke", 1)
    client.pv("Sample:Theta").put(90.0, wait=False)  # three seconds of motion at least
    client.until(lambda: client.get("Sample:Theta.MOVN") == 1)
    assert client.get("Watchdog:Armed_RBV") == "Yes"
    client.until(lambda: client.get("Watchdog:Tripped_RBV") == "Yes")
    client.until(lambda: client.get("Shutter:Fast_RBV") == "Closed")
    assert (client.get("Watchdog:Armed_RBV"), client.get("Owner")) == ("No", "")
    client.until(lambda: client.get("Sample:Theta.DMOV") == 1)
    client.put("Watchdog:Stroke", 2)
    assert (client.get("Watchdog:Armed_RBV"), client.get("Watchdog:Tripped_RBV")) == ("Yes", "No")


def test_a_trip_stops_a_long_motion_short_of_its_target(client: Client) -> None:
    client.put("Sample:Theta", -90.0)
    client.put("Sample:Theta.VELO", 10.0)
    client.put("Watchdog:Stroke", 1)
    client.pv("Sample:Theta").put(90.0, wait=False)
    client.until(lambda: client.get("Watchdog:Tripped_RBV") == "Yes")
    client.until(lambda: client.get("Sample:Theta.DMOV") == 1)
    stood = client.get("Sample:Theta.RBV")
    assert -89.0 < stood < 0.0
    assert client.get("Sample:Theta.VAL") == pytest.approx(stood, abs=0.02)
    client.put("Sample:Theta.VELO", 30.0)


def test_a_stuck_shutter_is_closed_as_soon_as_it_can_be(client: Client) -> None:
    client.put("Shutter:Fast", 1)
    client.put("Sim:Fault", '{"kind": "stuck_shutter"}')
    client.put("Watchdog:Stroke", 1)
    client.until(lambda: client.get("Watchdog:Tripped_RBV") == "Yes")
    assert client.get("Shutter:Fast_RBV") == "Open"
    client.put("Sim:Clear", 1)
    client.until(lambda: client.get("Shutter:Fast_RBV") == "Closed")


def test_kicks_keep_the_shutter_open(client: Client) -> None:
    client.put("Shutter:Fast", 1)
    beat = client.get("IOC:Beat_RBV")
    for number in itertools.count(1):
        client.put("Watchdog:Stroke", number)
        threading.Event().wait(0.5)
        if client.get("IOC:Beat_RBV") > beat + 2.0 * TIMEOUT_S + 2.0:  # two beats a second: more than the time-out
            break
    assert client.get("Shutter:Fast_RBV") == "Open"
    assert client.get("Watchdog:Tripped_RBV") == "No"


def test_an_ioc_that_hung_trips_before_it_believes_what_came_meanwhile(ioc: IocProcess, client: Client) -> None:
    client.put("Owner", "session")
    client.put("Watchdog:Stroke", 1)
    client.put("Shutter:Fast", 1)
    told: list[int] = []
    client.pv("Watchdog:Tripped_RBV").add_callback(lambda value, **_: told.append(value))
    ioc.stop()
    client.pv("Watchdog:Stroke").put(2, wait=False)
    client.pv("Owner").put("somebody else", wait=False)
    threading.Event().wait(TIMEOUT_S + 1.0)
    ioc.cont()
    client.until(lambda: told[-2:] == [1, 0])
    client.until(lambda: client.get("Owner") == "somebody else")
    client.until(lambda: client.get("Shutter:Fast_RBV") == "Closed")
    client.pv("Watchdog:Tripped_RBV").clear_callbacks()


SCAN = [
    ("StartScan", "Busy", "Busy"),
    ("StartScan", 0, "Done"),
    ("AbortScan", 1, "Yes"),
    ("AbortScan", 0, "No"),
    ("ScanStatus", "roi-02: scanning", "roi-02: scanning"),
    ("RunName", "20260705T101500Z_nmc811_1a2b", "20260705T101500Z_nmc811_1a2b"),
    ("ImagesCollected", 17, 17),
    ("ImagesTotal", 141, 141),
    ("ElapsedTime", 12.5, 12.5),
    ("RemainingTime", 270.0, 270.0),
]


@pytest.mark.parametrize(("name", "written", "read"), SCAN)
def test_scan_status_is_kept_as_written(client: Client, name: str, written: object, read: object) -> None:
    client.put(f"Scan:{name}", written)
    assert client.get(f"Scan:{name}") == read
