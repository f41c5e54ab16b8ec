"""What is looked at before an instrument is believed: every PV, limits, readiness, life, owner."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import epics
import pytest

from tests.devices.benches import EpicsBench, Hands, connect_again, epics_map
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock, run, utc_now
from xrm_control.core.errors import DeviceError, InstrumentLocked, InstrumentUnreachable, SafetyRefusal, XrmError
from xrm_control.devices.backend import Needs
from xrm_control.devices.epics import EpicsBackend, axis, libca
from xrm_control.devices.epics.instrument import EpicsInstrument
from xrm_control.devices.protocols import Instrument


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20) as process:
        yield process


def connect(ioc: IocProcess, **changes: Any) -> XrmError | None:
    """Why the instrument is not believed; None when it is."""
    backend = EpicsBackend(map=epics_map(ioc.prefix, **changes))

    async def main() -> XrmError | None:
        instrument = backend.open(Clock(utc_now()))
        try:
            await instrument.connect()
        except XrmError as error:
            return error
        finally:
            await instrument.disconnect()
        return None

    return run(main(), 1.0)


@pytest.fixture
def put(ioc: IocProcess) -> Iterator[Any]:
    """Write a PV for one test; what stood there before is put back."""
    before: dict[str, Any] = {}

    def write(name: str, value: Any) -> None:
        before.setdefault(name, epics.caget(ioc.prefix + name, use_monitor=False))
        assert epics.caput(ioc.prefix + name, value, wait=True, timeout=120) == 1

    yield write
    for name, value in reversed(before.items()):
        epics.caput(ioc.prefix + name, value, wait=True, timeout=120)


def test_a_sound_instrument_is_believed(ioc: IocProcess) -> None:
    assert connect(ioc) is None


def test_all_pvs_that_are_missing_are_named_at_once(ioc: IocProcess) -> None:
    changes = {"axes__x__record": "$(P)Sample:Q", "source__flux": "$(P)Source:Nothing", "channel_access__connect_s": 2}
    error = connect(ioc, **changes)
    assert isinstance(error, InstrumentUnreachable)
    # Every field of the record, and the flux.
    assert f"{len(axis.pvs('X')) + 1} of" in str(error)
    assert f"{ioc.prefix}Sample:Q" in str(error)


# what somebody did to the IOC, and the words of the refusal
UNFIT = [
    ({"Sample:X.SPMG": 0}, SafetyRefusal, ["Sample:X", "SPMG", "Stop", "Go"]),
    ({"Sample:Y.SET": 1}, SafetyRefusal, ["Sample:Y", "SET", "redefine"]),
    ({"Sample:Z.DHLM": 0, "Sample:Z.DLLM": 0}, SafetyRefusal, ["Sample:Z", "DHLM", "none at all"]),
    ({"Sample:Theta.HLM": 45.0}, SafetyRefusal, ["Sample:Theta", "[-95, 95]", "[-95, 45]"]),
    ({"Sample:X.EGU": "mm"}, SafetyRefusal, ["Sample:X", "EGU", "mm", "um"]),
]


@pytest.mark.parametrize(("writes", "error", "words"), UNFIT, ids=[next(iter(unfit[0])) for unfit in UNFIT])
def test_a_motor_record_that_is_not_ready_is_refused(
    ioc: IocProcess, put: Any, writes: dict[str, Any], error: type[Exception], words: list[str]
) -> None:
    for name, value in writes.items():
        put(name, value)
    found = connect(ioc)
    assert isinstance(found, error)
    assert all(word in str(found) for word in words), found


# the map; the fault of the IOC, the write that comes before it; and the words of the refusal
COMMAND = {"pv": "$(P)Shutter:Fast", "value": "Close"}
STATUS = {"pv": "$(P)Shutter:State_RBV", "good": ["OPEN"]}
NO_ACCESS = "read-only for us"
CANNOT_BE: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]] = [
    ({"shutter__close": COMMAND}, {}, {}, ["Shutter:Fast", "'Closed', 'Open'", "written would be 'Close'"]),
    ({"shutter__close": {**COMMAND, "value": 2}}, {}, {}, ["written would be 2"]),
    ({"shutter__open": {**COMMAND, "value": 0.5}}, {}, {}, ["written would be 0.5"]),
    ({"shutter__close": {**COMMAND, "value": 0, "pulse_s": 0.1, "rest": 5}}, {}, {}, ["written would be 5"]),
    ({"shutter__is_open": STATUS}, {}, {}, ["Shutter:State_RBV", "'Open'", "good is ['OPEN']"]),
    ({"shutter__is_closed": STATUS}, {}, {}, ["good is ['OPEN']"]),
    ({"source__permits": [{"pv": "$(P)Safety:Permit_RBV", "good": [2]}]}, {}, {}, ["Permit_RBV", "good is [2]"]),
    ({"axes__x__motor_units": ""}, {"Sample:X.EGU": "mm"}, {}, ["Sample:X, EGU", "1000 um", "per_motor_unit 1 um"]),
    ({}, {}, {"kind": "no_access", "pv": "Sample:Y.STOP"}, ["Sample:Y.STOP", NO_ACCESS]),
    ({}, {}, {"kind": "no_access", "pv": "Shutter:Fast"}, ["Shutter:Fast", NO_ACCESS]),
    ({}, {}, {"kind": "no_access", "pv": "Det:cam1:Acquire"}, ["Det:cam1:Acquire", NO_ACCESS]),
    ({}, {}, {"kind": "no_access", "pv": "Watchdog:Stroke"}, ["Watchdog:Stroke", NO_ACCESS]),
    ({}, {}, {"kind": "shows", "pv": "Det:cam1:ColorMode_RBV", "value": "RGB1"}, ["ColorMode_RBV", "RGB1", "Mono"]),
    ({}, {}, {"kind": "shows", "pv": "Sample:Z.HLM", "value": "nan"}, ["Sample:Z", "HLM", "nan"]),
]


@pytest.mark.parametrize(("changes", "writes", "fault", "words"), CANNOT_BE, ids=[one[3][-1] for one in CANNOT_BE])
def test_what_can_never_work_is_refused_before_anything_is_exposed(
    ioc: IocProcess, put: Any, changes: dict[str, Any], writes: dict[str, Any], fault: dict[str, Any], words: list[str]
) -> None:
    for name, value in writes.items():
        put(name, value)
    if fault:
        epics.caput(f"{ioc.prefix}Sim:Fault", json.dumps(fault), wait=True, timeout=120)
    try:
        found = connect(ioc, **{name: json.dumps(value) for name, value in changes.items()})
    finally:
        epics.caput(f"{ioc.prefix}Sim:Clear", 1, wait=True, timeout=120)
    assert isinstance(found, SafetyRefusal | DeviceError)
    assert all(word in str(found) for word in words), found
    assert found.remedy


def test_signs_for_operators_that_cannot_be_written_hold_nothing_up(ioc: IocProcess) -> None:
    epics.caput(f"{ioc.prefix}Sim:Fault", '{"kind": "no_access", "pv": "Scan:RunName"}', wait=True, timeout=120)
    try:
        assert connect(ioc) is None
    finally:
        epics.caput(f"{ioc.prefix}Sim:Clear", 1, wait=True, timeout=120)


def test_pvs_that_two_servers_have_are_refused_and_the_doctor_names_them(ioc: IocProcess) -> None:
    """A test IOC that somebody left running: which of the two a run would command is chance."""
    with running_ioc(speed=20, prefix=ioc.prefix):
        found = connect(ioc)
        told = {one.what: one for one in EpicsBackend(map=epics_map(ioc.prefix)).examine(Needs({}, {}))}
    assert isinstance(found, SafetyRefusal)
    assert "two servers" in str(found)
    assert f"{ioc.prefix}Sample:" in str(found)
    assert str(ioc.port) in str(found)
    assert not told["servers"].ok
    assert "EPICS_CA_ADDR_LIST" in told["servers"].remedy


def test_all_records_that_are_not_ready_are_named_at_once(ioc: IocProcess, put: Any) -> None:
    put("Sample:X.SPMG", 0)
    put("Sample:Theta.SET", 1)
    found = connect(ioc)
    assert isinstance(found, SafetyRefusal)
    assert "Sample:X" in str(found)
    assert "Sample:Theta" in str(found)


def test_another_detector_than_the_maps_is_refused(ioc: IocProcess) -> None:
    found = connect(ioc, camera__width_px=2048)
    assert isinstance(found, DeviceError)
    assert "1024 x 1024" in str(found)
    assert "2048" in str(found)


def test_an_ioc_without_a_beat_is_not_believed(ioc: IocProcess) -> None:
    """The energy never changes: as a beat it is dead."""
    found = connect(ioc, supervision__heartbeat="$(P)Source:Energy_RBV")
    assert isinstance(found, InstrumentUnreachable)
    assert "sign of life" in str(found)


def test_an_owner_who_is_alive_is_respected_and_one_who_is_dead_is_not(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> str:
        """While this one is in control, a second one from another place comes."""
        other = EpicsBackend(map=epics_map(ioc.prefix)).open(clock)
        other._supervision.owner = "somebody@elsewhere:1"
        other._supervision._lock_names = list  # this machine's lock does not reach there
        with pytest.raises(InstrumentLocked, match="controlled by"):
            await other.connect()
        await other.disconnect()
        (owner,) = await instrument._registry.read(f"{ioc.prefix}Owner")  # type: ignore[attr-defined]
        return owner

    assert "@" in EpicsBench(ioc).run(session)
    assert epics.caget(f"{ioc.prefix}Owner", use_monitor=False) == ""
    # Nobody kicks for this one.
    assert epics.caput(f"{ioc.prefix}Owner", "ghost@nowhere:7", wait=True) == 1
    assert connect(ioc) is None


def test_the_speed_of_a_simulation_is_asked_for(ioc: IocProcess) -> None:
    assert EpicsBackend(map=epics_map(ioc.prefix)).speed() == pytest.approx(20)
    no_such_pv = epics_map(ioc.prefix).model_dump()
    no_such_pv["supervision"]["speed"] = None
    assert EpicsBackend.model_validate({"map": no_such_pv}).speed() == 1.0


def test_a_dead_man_that_fell_while_nothing_was_asked_is_noticed_and_the_owner_claimed_again(
    ioc: IocProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is busy elsewhere for long; its instrument is looked at again before it is used."""
    monkeypatch.setattr("xrm_control.devices.epics.supervision._HUNG_AFTER_S", 0.5)

    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        async def seen(name: str) -> str:
            """By a foreign client."""

            def get() -> str:
                epics.ca.use_initial_context()
                return str(epics.caget(ioc.prefix + name, as_string=True, use_monitor=False))

            return await asyncio.get_running_loop().run_in_executor(None, get)

        async def ask_for_a_while() -> None:
            for _ in range(100):
                await instrument.source.read()
                await clock.sleep(clock.wall_s(0.05))

        async with asyncio.timeout(clock.wall_s(30)):
            while await seen("Watchdog:Tripped_RBV") != "Yes":
                await clock.sleep(clock.wall_s(0.1))
        with pytest.raises(InstrumentUnreachable, match=r"not in control any more|stood still"):
            await ask_for_a_while()
        await connect_again(instrument, clock)
        assert "@" in await seen("Owner")
        await instrument.axes["x"].move(3.0)

    EpicsBench(ioc).run(session)


def test_what_is_lost_and_not_heard_of_yet_is_no_unfit_map() -> None:
    """The library knows before the loop does; then a choice is no number, and nothing is read-only."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert isinstance(instrument, EpicsInstrument)
        registry, pv = instrument._registry, f"{ioc.prefix}Shutter:Fast"
        ioc.kill()
        # The loop stands still meanwhile.
        while libca.library().field_type(registry._channels[pv].handle) >= 0:
            threading.Event().wait(0.01)
        assert not registry.missing
        for ask in (registry.kind, registry.elements, registry.may_write):
            with pytest.raises(InstrumentUnreachable, match="the connection is lost"):
                ask(pv)
        with pytest.raises(InstrumentUnreachable):
            await instrument.connect()
        ioc.restart()
        await connect_again(instrument, clock)
        await instrument.shutter.set(True)

    with running_ioc(speed=20) as ioc:
        EpicsBench(ioc).run(session)
