"""Who is in control over Channel Access: claimed once, watched all the time, and given up without touching anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import epics
import pytest

from tests.devices.benches import EpicsBench, Hands, connect_again, epics_map
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentLocked, InstrumentUnreachable
from xrm_control.devices.epics import EpicsBackend, supervision
from xrm_control.devices.epics.instrument import EpicsInstrument
from xrm_control.devices.protocols import Instrument

WATCHDOG = ("Armed_RBV", "Tripped_RBV", "Stroke")


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20) as found:
        yield found


async def seen(ioc: IocProcess, name: str) -> str:
    """By a foreign client."""

    def get() -> str:
        epics.ca.use_initial_context()
        return str(epics.caget(ioc.prefix + name, as_string=True, use_monitor=False))

    return await asyncio.get_running_loop().run_in_executor(None, get)


async def put(ioc: IocProcess, name: str, value: str | int) -> None:
    def change() -> None:
        epics.ca.use_initial_context()
        assert epics.caput(ioc.prefix + name, value, wait=True, timeout=120) == 1

    await asyncio.get_running_loop().run_in_executor(None, change)


async def until(ioc: IocProcess, clock: Clock, name: str, value: str) -> None:
    async with asyncio.timeout(clock.wall_s(30)):
        while await seen(ioc, name) != value:
            await clock.sleep(clock.wall_s(0.05))


async def ask_for_ever(instrument: Instrument, clock: Clock) -> None:
    async with asyncio.timeout(clock.wall_s(60)):
        while True:
            await instrument.source.read()
            await clock.sleep(clock.wall_s(0.01))


async def take_away(ioc: IocProcess, clock: Clock, name: str) -> None:
    """A dead-man that is armed refuses another name, and the session may kick it between the two writes."""
    async with asyncio.timeout(clock.wall_s(60)):
        while await seen(ioc, "Owner") != name:
            if name:
                await put(ioc, "Watchdog:Stroke", 0)
            await put(ioc, "Owner", name)


def elsewhere(ioc: IocProcess, clock: Clock) -> EpicsInstrument:
    """A session as on another machine, which this one's kernel does not know."""
    found = EpicsBackend(map=epics_map(ioc.prefix)).open(clock)
    found._supervision._lock_names = list
    return found


def test_nothing_is_commanded_before_control_is_taken(ioc: IocProcess) -> None:
    """A session that never came to own the instrument must not stop another one's axes on its way out."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        other = elsewhere(ioc, clock)
        with pytest.raises(InstrumentLocked):
            await other.connect()
        assert not other.in_control
        await instrument.shutter.set(True)
        move = asyncio.create_task(instrument.axes["theta"].move(60.0))
        await clock.sleep(0.5)
        other.halt()
        with pytest.raises(InstrumentLocked):
            await other.make_safe()
        await other.disconnect()
        assert await move == pytest.approx(60.0, abs=0.01)
        assert await instrument.shutter.is_open()

    EpicsBench(ioc).run(session)


@pytest.mark.parametrize("name", ["thief@elsewhere:1", ""])
def test_a_change_of_owner_suspends_everything(ioc: IocProcess, name: str) -> None:
    """Taken away: the session commands nothing any more. Freed, as by a dead-man: it may claim again."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        await instrument.shutter.set(True)
        await take_away(ioc, clock, name)
        with pytest.raises(InstrumentUnreachable, match="not in control any more"):
            await ask_for_ever(instrument, clock)
        if name == "":
            await connect_again(instrument, clock)
            assert instrument.in_control
            assert "@" in await seen(ioc, "Owner")
            return
        assert not instrument.in_control
        with pytest.raises(InstrumentLocked):
            await instrument.make_safe()
        await instrument.disconnect()
        assert await seen(ioc, "Owner") == name
        assert await seen(ioc, "Shutter:Fast_RBV") == "Open"
        await put(ioc, "Owner", "")
        await put(ioc, "Shutter:Fast", "Closed")

    EpicsBench(ioc).run(session)


def test_of_two_who_claim_at_once_one_is_in_control(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> list[bool]:
        await instrument.make_safe()
        await instrument.disconnect()
        starters = [elsewhere(ioc, clock) for _ in range(4)]
        found = await asyncio.gather(*(one.connect() for one in starters), return_exceptions=True)
        owners = [error is None for error in found]
        assert all(error is None or isinstance(error, InstrumentLocked) for error in found), found
        for one in starters:
            if one.in_control:
                await one.make_safe()
            await one.disconnect()
        return owners

    assert sum(EpicsBench(ioc).run(session)) == 1


def test_a_session_that_is_not_safe_leaves_the_dead_man_to_do_its_work(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        await instrument.shutter.set(True)
        await instrument.disconnect()
        assert await seen(ioc, "Watchdog:Armed_RBV") == "Yes"
        await until(ioc, clock, "Shutter:Fast_RBV", "Closed")
        assert await seen(ioc, "Watchdog:Tripped_RBV") == "Yes"
        assert await seen(ioc, "Owner") == ""

    EpicsBench(ioc).run(session)


def test_a_session_that_is_safe_disarms_it(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        await instrument.shutter.set(True)
        assert (await instrument.make_safe()).verified
        await instrument.disconnect()
        assert await seen(ioc, "Watchdog:Armed_RBV") == "No"
        assert await seen(ioc, "Owner") == ""

    EpicsBench(ioc).run(session)


def test_what_is_commanded_after_the_safe_state_makes_it_unsafe_again(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert (await instrument.make_safe()).verified
        await instrument.axes["x"].move(12.0)
        await instrument.disconnect()
        assert await seen(ioc, "Watchdog:Armed_RBV") == "Yes"
        await until(ioc, clock, "Owner", "")

    EpicsBench(ioc).run(session)


def test_a_session_that_stood_still_looks_again_before_it_writes(ioc: IocProcess) -> None:
    """As one that was stopped and continued: what it knew is old, and no command goes out on the strength of it."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert isinstance(instrument, EpicsInstrument)
        before = await instrument.axes["x"].move(5.0)
        instrument._supervision._struck_s = clock.now_s() - clock.wall_s(60.0)
        with pytest.raises(InstrumentUnreachable, match="stood still"):
            await instrument.axes["x"].move(50.0)
        assert float(await seen(ioc, "Sample:X.RBV")) == pytest.approx(before, abs=0.1)
        await connect_again(instrument, clock)
        assert await instrument.axes["x"].move(50.0) == pytest.approx(50.0, abs=0.1)

    EpicsBench(ioc).run(session)


def test_what_is_computed_after_the_safe_state_is_no_hanging_session(
    ioc: IocProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked of the instrument for much longer than a hanging session is given, and no dead-man falls."""
    monkeypatch.setattr(supervision, "_HUNG_AFTER_S", 0.5)

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert (await instrument.make_safe()).verified
        await instrument.stand_down()
        owner = await seen(ioc, "Owner")
        for _look in range(8):
            assert [await seen(ioc, f"Watchdog:{name}") for name in WATCHDOG] == ["No", "No", "0"]
            assert await seen(ioc, "Owner") == owner != ""
            await clock.sleep(clock.wall_s(0.5))
        assert instrument.in_control
        assert (await instrument.make_safe()).verified
        assert await seen(ioc, "Watchdog:Armed_RBV") == "No"
        await instrument.disconnect()
        assert [await seen(ioc, name) for name in ("Owner", "Watchdog:Tripped_RBV")] == ["", "No"]

    EpicsBench(ioc).run(session)


def test_who_stands_down_gives_way_and_then_touches_nothing(ioc: IocProcess) -> None:
    """From another machine the instrument may be had; the one that computes still leaves it alone at its end."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert (await instrument.make_safe()).verified
        await instrument.stand_down()
        other = elsewhere(ioc, clock)
        await other.connect()
        owner = await seen(ioc, "Owner")
        await other.shutter.set(True)
        assert not instrument.in_control
        instrument.halt()
        await instrument.stand_down()
        await instrument.disconnect()
        found = [await seen(ioc, name) for name in ("Owner", "Watchdog:Armed_RBV", "Shutter:Fast_RBV")]
        assert found == [owner, "Yes", "Open"]
        assert (await other.make_safe()).verified
        await other.disconnect()

    EpicsBench(ioc).run(session)


def test_no_dead_man_is_disarmed_but_after_a_verified_safe_state(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert (await instrument.make_safe()).verified
        await instrument.shutter.set(True)
        await instrument.stand_down()
        assert await seen(ioc, "Watchdog:Armed_RBV") == "Yes"

    EpicsBench(ioc).run(session)


def test_what_is_commanded_after_standing_down_arms_it_first(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert (await instrument.make_safe()).verified
        await instrument.stand_down()
        await instrument.axes["x"].move(7.0)
        before = int(await seen(ioc, "Watchdog:Stroke"))
        assert await seen(ioc, "Watchdog:Armed_RBV") == "Yes"
        await clock.sleep(clock.wall_s(2.0))
        assert int(await seen(ioc, "Watchdog:Stroke")) > before
        await instrument.disconnect()
        await until(ioc, clock, "Watchdog:Tripped_RBV", "Yes")

    EpicsBench(ioc).run(session)


def test_a_computation_between_two_frames_is_work_for_as_long_as_it_gets_on(
    ioc: IocProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its steps keep the dead-man up; when they end, and the event loop lives on, the session counts as hung."""
    monkeypatch.setattr(supervision, "_HUNG_AFTER_S", 1.0)

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        steps = asyncio.Event()

        async def compute() -> None:
            while not steps.is_set():
                await asyncio.get_running_loop().run_in_executor(None, instrument.sign_of_life)
                await clock.sleep(clock.wall_s(0.1))

        computing = asyncio.create_task(compute())
        for _look in range(8):
            assert await seen(ioc, "Watchdog:Tripped_RBV") == "No"
            await clock.sleep(clock.wall_s(0.5))
        assert await seen(ioc, "Watchdog:Armed_RBV") == "Yes"
        steps.set()
        await computing
        await until(ioc, clock, "Watchdog:Tripped_RBV", "Yes")

    EpicsBench(ioc).run(session)
