"""PVs of another kind, or with other words, than the shipped map has: right, or refused with what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.devices.benches import EpicsBench, Hands, connect_again, epics_map
from tests.devices.epics.soft_bench import Other, site_map, with_registry
from tests.devices.epics.test_control import ask_for_ever
from tests.devices.epics.test_site import RECIPE, bad
from tests.ioc_process import IocProcess, running_ioc, running_soft_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, InstrumentUnreachable, SafetyRefusal
from xrm_control.devices.epics import EpicsBackend
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.epics.watched import WatchedValues
from xrm_control.devices.protocols import Instrument

SITE = Path(__file__).with_name("odd_site.py")


@pytest.fixture(scope="module")
def soft() -> Iterator[IocProcess]:
    """Its arrays may not be larger than 16 kB."""
    with running_soft_ioc(SITE, EPICS_CA_AUTO_ARRAY_BYTES="NO", EPICS_CA_MAX_ARRAY_BYTES="16384") as process:
        yield process


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20) as process:
        yield process


def changes(soft: IocProcess, **parts: Any) -> dict[str, str]:
    """Changes of the map; SOFT stands for the prefix of the site on EPICS base."""
    return {name: json.dumps(part).replace("SOFT", soft.prefix) for name, part in parts.items()}


OWNER = {"supervision__owner": "SOFTOwner", "supervision__kick": "SOFTKick"}


@pytest.mark.parametrize("name", ["thief@elsewhere:1", ""])
def test_an_owner_may_be_a_waveform_of_characters(ioc: IocProcess, soft: IocProcess, name: str) -> None:
    other = Other(soft.prefix)

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert instrument.in_control
        assert "@" in str(await asyncio.get_running_loop().run_in_executor(None, other.get, "Owner"))
        await instrument.axes["x"].move(10.0)
        await other.soon("Owner", name)
        with pytest.raises(InstrumentUnreachable, match=f"the owner is now {name or 'nobody'}"):
            await ask_for_ever(instrument, clock)
        await other.soon("Owner", "")
        await connect_again(instrument, clock)
        assert instrument.in_control

    EpicsBench(ioc).run(session, **changes(soft, **OWNER))


# A padded text is the same text; a text that is longer, another state.
SAID = [("Open", True), ("Closed", False), ("Open ", True), ("Opened", False)]


@pytest.mark.parametrize("record", ["Text", "Long"])
def test_a_status_may_be_a_text(ioc: IocProcess, soft: IocProcess, record: str) -> None:
    other = Other(soft.prefix)
    parts = changes(soft, shutter__is_open={"pv": f"SOFT{record}", "good": ["Open"]})

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> list[bool]:
        found = []
        for text, _open in SAID:
            await other.soon(record, text)
            found.append(await instrument.shutter.is_open())
        await other.soon(record, "Closed")
        return found

    assert EpicsBench(ioc).run(session, **parts) == [open_ for _, open_ in SAID]
    found = EpicsBackend(map=epics_map(ioc.prefix, **parts)).examine(RECIPE)
    assert not bad(found), bad(found)
    assert "give is_closed" in next(one.remedy for one in found if one.what == "shutter")


def test_a_state_that_was_renamed_makes_no_open_shutter_a_closed_one(ioc: IocProcess, soft: IocProcess) -> None:
    other = Other(soft.prefix)
    parts = changes(soft, shutter__is_open={"pv": "SOFTState", "good": ["Open"]})

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> bool:
        return await instrument.shutter.is_open()

    assert EpicsBench(ioc).run(session, **parts) is False
    other.put("State.ONST", "OPENED")
    try:
        with pytest.raises(SafetyRefusal, match=r"'Closed', 'OPENED', 'Moving'; good is \['Open'\]"):
            EpicsBench(ioc).run(session, **parts)
        wrong = {one.what: one for one in bad(EpicsBackend(map=epics_map(ioc.prefix, **parts)).examine(RECIPE))}
    finally:
        other.put("State.ONST", "Open")
    assert "OPENED" in wrong["shutter: values"].found


def test_a_status_that_is_its_own_command_is_a_note(ioc: IocProcess) -> None:
    parts = {"shutter__is_open__pv": "$(P)Shutter:Fast"}
    found = {one.what: one for one in EpicsBackend(map=epics_map(ioc.prefix, **parts)).examine(RECIPE)}
    assert found["shutter"].ok
    assert "its own command" in found["shutter"].remedy


def test_an_array_that_its_own_ioc_does_not_send_is_not_put_down_to_this_side(soft: IocProcess) -> None:
    async def session(registry: Registry, clock: Clock) -> None:
        assert len((await registry.read(f"{soft.prefix}Numbers"))[0]) == 5
        with pytest.raises(DeviceError, match="the Channel Access setting of the IOC") as told:
            await registry.read(f"{soft.prefix}Big")
        assert "start the IOC" in str(told.value.remedy)

    with_registry(site_map(soft), [f"{soft.prefix}{name}" for name in ("Numbers", "Big")], session)


def test_a_pv_that_is_optional_is_not_waited_for(soft: IocProcess) -> None:
    there, nowhere = f"{soft.prefix}Kick", f"{soft.prefix}Nowhere"

    async def session(first: Registry, clock: Clock) -> tuple[bool, bool, tuple[str, ...]]:
        registry = Registry([f"{soft.prefix}Text"], clock, site_map(soft).channel_access, (), [there, nowhere])
        try:
            await registry.connect()
            assert (await registry.read(there))[0] is not None
            return registry.has(there), registry.has(nowhere), registry.missing
        finally:
            registry.close()

    assert with_registry(site_map(soft), [there], session) == (True, False, ())


def test_a_watched_value_that_is_invalid_for_a_moment_is_remembered_so(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> list[str]:
        values = WatchedValues(epics_map(ioc.prefix), clock)
        values.watch(["$(P)Source:Energy_RBV"])
        try:
            await values.connect()
            began_s = clock.now_s()
            await hands.fault("invalid", pv="Source:Energy_RBV")
            await hands.clear()
            await clock.sleep(clock.wall_s(0.3))
            return [seen.problem for seen in values.observed("$(P)Source:Energy_RBV", began_s, clock.now_s())]
        finally:
            values.close()

    assert any("INVALID" in problem for problem in EpicsBench(ioc).run(session))
