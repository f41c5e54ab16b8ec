"""Shutters as sites have them: several, by pulses, with several statuses or none; on EPICS base itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.devices.epics.soft_bench import Other, running_site, site_map, with_registry
from tests.ioc_process import IocProcess
from xrm_control.core.clock import Clock, pause, stopwatch
from xrm_control.core.errors import BlockerStuck, ShutterStuck
from xrm_control.devices.epics.blocker import EpicsBlocker, pvs
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.epics.shutter import EpicsShutter, urgent_pvs


@pytest.fixture(scope="module")
def soft() -> Iterator[IocProcess]:
    with running_site() as process:
        yield process


@pytest.fixture
def other(soft: IocProcess) -> Iterator[Other]:
    found = Other(soft.prefix)
    found.put("Stuck", 0)
    for name in ("Fast", "Front"):
        found.put(f"{name}:Close", 1)
    until(lambda: found.get("Fast:Status") == found.get("Front:Status") == "Closed")
    yield found
    found.put("Stuck", 0)


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, for at most 20 s."""
    for _ in range(400):
        if condition():
            return
        pause(0.05)
    raise AssertionError("it never came")


def blade(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "open": {"pv": f"$(P){name}:Open", "value": 1},
        "close": {"pv": f"$(P){name}:Close", "value": 1},
        "is_open": {"pv": f"$(P){name}:Status", "good": [1]},
        "is_closed": {"pv": f"$(P){name}:Status", "good": ["Closed"]},
        "travel_s": 0.1,
        **changes,
    }


def with_shutter(soft: IocProcess, shutter: dict[str, Any], session: Any, speed: float = 1.0) -> Any:
    pv_map = site_map(soft, shutter=shutter)

    async def inside(registry: Registry, clock: Clock) -> Any:
        return await session(EpicsShutter(pv_map, registry, clock), clock)

    return with_registry(pv_map, urgent_pvs(pv_map), inside, speed)


async def open_and_close(shutter: EpicsShutter, clock: Clock) -> None:
    await shutter.set(True)
    assert await shutter.is_open()
    assert not await shutter.is_closed()
    await shutter.set(False)
    assert not await shutter.is_open()
    assert await shutter.is_closed()


BLADE = {"pv": "$(P)Fast:Blade", "above": 4.9}
# the shutter of the map, and the commands that the IOC saw while it was opened and closed
ONCE = ["Fast:Open=1", "Fast:Close=1"]
SHUTTERS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("pulses", blade("Fast"), ONCE),
    ("two statuses", blade("Fast", is_open=[{"pv": "$(P)Fast:Status", "good": [1]}, BLADE]), ONCE),
    ("a number as status", blade("Fast", is_open=BLADE, is_closed={**BLADE, "above": None, "below": 0.1}), ONCE),
    ("only a status of closed", blade("Fast", is_open=None, is_closed={"pv": "$(P)Fast:Status", "good": [0]}), ONCE),
    ("dwell", blade("Fast", dwell_s=0.2), ONCE),
    (
        "front end first, all closed at once",
        blade("Fast", upstream=[blade("Front")]),
        ["Front:Open=1", "Fast:Open=1", "Front:Close=1", "Fast:Close=1"],
    ),
    (
        "front end first, closed in reverse",
        blade("Fast", upstream=[blade("Front")], closing="reverse"),
        ["Front:Open=1", "Fast:Open=1", "Fast:Close=1", "Front:Close=1"],
    ),
    (
        "a pulse that we end",
        blade("Fast", close={"pv": "$(P)Blind", "value": 1, "pulse_s": 0.1}, is_open=None, is_closed=None,
              without_status=True),
        ["Fast:Open=1", "Blind=1", "Blind=0"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "shutter", "commands"), SHUTTERS, ids=[one[0] for one in SHUTTERS])
def test_a_shutter_opens_and_closes_as_its_map_says(
    soft: IocProcess, other: Other, what: str, shutter: dict[str, Any], commands: list[str]
) -> None:
    before = len(other.trace())
    with_shutter(soft, {"without_status": False, **shutter}, open_and_close)
    told = other.trace()[before:]
    # What the shutter of the test before was told at its end may arrive on a busy machine as late as now.
    told = told[told.index(commands[0]) :]
    if what.endswith("at once"):
        # Those that go out at once may arrive in either order.
        assert (told[:2], sorted(told[2:])) == (commands[:2], sorted(commands[2:]))
    else:
        assert told == commands
    assert other.get("Fast:Open") in ("0", "0.0")


STATUS = {"pv": "$(P)Fast:Status", "good": [1]}
STUCK = [
    (blade("Fast"), "closed", "open"),
    (blade("Fast", is_open=STATUS, is_closed=None), "closed", "open"),
    (blade("Fast", is_open=[STATUS, {"pv": "$(P)Gap", "above": 0}]), "neither open nor closed", "open"),
    (blade("Fast", is_open={"pv": "$(P)Ring", "good": ["Open"]}, is_closed=None), "closed", "open"),
]


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_a_shutter_that_sticks_is_told_and_never_before_five_wall_seconds(
    soft: IocProcess, other: Other, speed: float
) -> None:
    """All of them at once, as each is waited for."""
    maps = [site_map(soft, shutter=shutter) for shutter, _, _ in STUCK]
    names = list(dict.fromkeys(name for pv_map in maps for name in urgent_pvs(pv_map)))
    other.put("Stuck", 1)

    async def waited_s(shutter: EpicsShutter, value: str, limit: str) -> float:
        passed_s = stopwatch()
        with pytest.raises(ShutterStuck, match=f"value {value}, limit {limit}"):
            await shutter.set(True)
        return passed_s()

    async def session(registry: Registry, clock: Clock) -> list[float]:
        shutters = [EpicsShutter(pv_map, registry, clock) for pv_map in maps]
        cases = zip(shutters, STUCK, strict=True)
        return await asyncio.gather(*(waited_s(shutter, value, limit) for shutter, (_, value, limit) in cases))

    assert min(with_registry(maps[0], names, session, speed)) >= 4.9


def test_a_late_blade_is_no_stuck_one(soft: IocProcess, other: Other) -> None:
    """Two wall seconds are twenty of an instrument at ten times the speed."""

    async def session(shutter: EpicsShutter, clock: Clock) -> None:
        other.put("Stuck", 1)
        opening = asyncio.create_task(shutter.set(True))
        await clock.sleep(clock.wall_s(2.0))
        assert not opening.done()
        await other.soon("Stuck", 0)
        await other.soon("Fast:Open", 1)
        await opening
        await shutter.set(False)

    with_shutter(soft, blade("Fast"), session, 10.0)


def test_all_are_told_to_close_although_one_sticks(soft: IocProcess, other: Other) -> None:
    for closing in ("together", "reverse"):
        before = len(other.trace())

        async def session(shutter: EpicsShutter, clock: Clock) -> None:
            await shutter.set(True)
            await other.soon("Stuck", 1)
            with pytest.raises(ShutterStuck):
                await shutter.set(False)
            assert not await shutter.is_closed()
            await other.soon("Stuck", 0)
            await shutter.set(False)

        with_shutter(soft, blade("Fast", upstream=[blade("Front")], closing=closing), session)
        assert {"Fast:Close=1", "Front:Close=1"} <= set(other.trace()[before:])


def test_a_state_between_is_waited_for_and_one_without_a_status_is_not_guessed(soft: IocProcess, other: Other) -> None:
    async def unknown(shutter: EpicsShutter, clock: Clock) -> None:
        with pytest.raises(ShutterStuck, match="nothing says"):
            await shutter.is_open()
        await shutter.set(False)
        assert not await shutter.is_open()

    with_shutter(soft, blade("Fast", is_open=None, is_closed=None, without_status=True), unknown)

    async def moving(shutter: EpicsShutter, clock: Clock) -> bool:
        await other.soon("Fast:Open", 1)
        return await shutter.is_open()

    with_shutter(soft, blade("Fast"), moving)
    other.put("Fast:Close", 1)


def with_blocker(soft: IocProcess, session: Any) -> Any:
    """The fast shutter's blade stands in for the opaque one."""
    pv_map = site_map(soft, blocker=blade("Fast"))
    assert pv_map.blocker is not None
    about = pv_map.blocker

    async def inside(registry: Registry, clock: Clock) -> Any:
        return await session(EpicsBlocker(about, pv_map, registry, clock))

    return with_registry(pv_map, pvs(pv_map), inside)


def test_an_opaque_blade_is_out_where_it_is_open(soft: IocProcess, other: Other) -> None:
    async def session(blocker: EpicsBlocker) -> list[bool]:
        found = [await blocker.is_in()]
        for in_ in (False, True):
            await blocker.set(in_)
            found.append(await blocker.is_in())
        return found

    assert with_blocker(soft, session) == [True, False, True]


def test_an_opaque_blade_that_sticks_is_told_of(soft: IocProcess, other: Other) -> None:
    other.put("Stuck", 1)

    async def session(blocker: EpicsBlocker) -> None:
        await blocker.set(False)

    with pytest.raises(BlockerStuck, match=r"blade \(.*value in, limit out") as caught:
        with_blocker(soft, session)
    assert caught.value.remedy == "look at the blade before anything moves"
