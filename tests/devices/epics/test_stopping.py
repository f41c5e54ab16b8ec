"""Stopping stops: whatever is pending, on a circuit of its own, and seen by somebody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import epics
import pytest

from tests.devices.benches import EpicsBench, Hands
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentUnreachable, MotionInterrupted
from xrm_control.devices.epics.instrument import EpicsInstrument
from xrm_control.devices.protocols import Instrument

# The wall clock's: a move of 90 degrees takes three seconds, longer than any of this.
SPEED = 1.0


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=SPEED) as found:
        yield found


class Witness:
    """Another client, which writes down when it hears of what."""

    def __init__(self, ioc: IocProcess, clock: Clock, *names: str) -> None:
        self._clock = clock
        self.heard: list[tuple[float, str, float]] = []
        self._pvs = [
            epics.PV(ioc.prefix + name, auto_monitor=True, callback=lambda value, n=name, **_: self._hear(n, value))
            for name in names
        ]
        for pv in self._pvs:
            assert pv.wait_for_connection(10)

    def _hear(self, name: str, value: float) -> None:
        self.heard.append((self._clock.now_s(), name, value))

    def when(self, name: str, value: float, after_s: float) -> float:
        """Seconds from a moment to when it was heard."""
        return next(at - after_s for at, n, v in self.heard if n == name and v == value and at >= after_s)


@pytest.mark.parametrize("moment_s", [0.0, 0.02, 0.6])
def test_an_axis_in_motion_stops_while_its_put_callback_is_pending(ioc: IocProcess, moment_s: float) -> None:
    """Also when the command has hardly gone out: it may come to the server after the STOP."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert isinstance(instrument, EpicsInstrument)
        await instrument.axes["theta"].move(-20.0)
        await instrument.shutter.set(True)
        witness = Witness(ioc, clock, "Sample:Theta.DMOV", "Shutter:Fast_RBV")
        move = asyncio.create_task(instrument.axes["theta"].move(90.0))
        await clock.sleep(moment_s)
        said_s = clock.now_s()
        instrument.halt()
        move.cancel()
        state = await instrument.make_safe()
        assert state.verified, state.problems
        reading = await instrument.axes["theta"].read()
        assert not reading.moving
        assert reading.position < 30.0, "the axis went on"
        await clock.sleep(1.0)
        # What still rings after a stop is a fifth of the tolerance at most.
        position = (await instrument.axes["theta"].read()).position
        assert position == pytest.approx(reading.position, abs=0.002)
        if moment_s:
            assert witness.when("Sample:Theta.DMOV", 1, said_s) < 1.5, "deceleration, settling, and a busy machine"
            assert witness.when("Shutter:Fast_RBV", 0, said_s) < 1.5

    EpicsBench(ioc).run(session)


def test_an_exposure_ends_and_the_camera_can_be_set_at_once(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        await instrument.camera.configure(8, 20.0)
        exposure = asyncio.create_task(instrument.camera.expose())
        await clock.sleep(0.5)
        exposure.cancel()
        began_s = clock.now_s()
        assert (await instrument.camera.configure(8, 0.1)).exposure_s == pytest.approx(0.1)
        assert clock.now_s() - began_s < 10.0, "of twenty"
        frame = await instrument.camera.expose()
        assert frame.disturbances == ()

    EpicsBench(ioc).run(session)


def test_nothing_is_written_to_a_record_that_owes_a_completion(ioc: IocProcess) -> None:
    """A second put-callback would wait in the server, or block the circuit: it is not sent."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        assert isinstance(instrument, EpicsInstrument)
        registry, record = instrument._registry, f"{ioc.prefix}Sample:Theta"
        await instrument.axes["theta"].move(-90.0)
        pending = asyncio.create_task(registry.write(record, 90.0, within_s=60.0))
        await clock.sleep(0.1)
        assert registry.busy(record)
        pending.cancel()
        with pytest.raises(InstrumentUnreachable, match="has not completed the write before"):
            await registry.write(f"{record}.SET", "Use")
        assert not (await registry.read(f"{record}.DMOV"))[0], "it goes on: nobody has stopped it"
        await registry.read(f"{ioc.prefix}Sample:X.RBV")
        await instrument.axes["theta"].stop()
        assert not registry.busy(record)
        await registry.write(f"{record}.SET", "Use")

    changed = {"channel_access__put_s": 0.5}
    EpicsBench(ioc).run(session, **changed)


def test_a_move_that_is_stopped_by_us_ends_as_interrupted(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        await instrument.axes["theta"].move(0.0)
        move = asyncio.create_task(instrument.axes["theta"].move(80.0))
        await clock.sleep(0.6)
        await instrument.axes["theta"].stop()
        with pytest.raises(MotionInterrupted):
            await move

    EpicsBench(ioc).run(session)


def test_an_operators_abort_stops_the_axis_before_the_event_loop_comes_to_it(ioc: IocProcess) -> None:
    """The loop is blocked for as long as nobody waits for anything in it; the move would go on for three seconds."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        asked: list[str] = []
        instrument.on_abort(asked.append)
        await instrument.axes["theta"].move(-20.0)
        witness = Witness(ioc, clock, "Sample:Theta.STOP", "Sample:Theta.DMOV")
        button = epics.PV(ioc.prefix + "Scan:AbortScan")
        assert button.wait_for_connection(10)
        move = asyncio.create_task(instrument.axes["theta"].move(90.0))
        await clock.sleep(0.6)
        pressed_s = clock.now_s()
        button.put(1, wait=False)
        threading.Event().wait(2.0)
        stopped = witness.when("Sample:Theta.STOP", 1, pressed_s)
        assert stopped < 2.0
        assert not asked
        with pytest.raises(MotionInterrupted):
            await move
        assert len(asked) == 1
        assert (await instrument.make_safe()).verified

    EpicsBench(ioc).run(session)
