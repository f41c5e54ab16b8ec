"""Stopping stops: whatever is pending, on a circuit of its own, and seen by somebody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import epics
import pytest

from tests.devices.benches import EpicsBench, Hands
from tests.devices.epics.soft_bench import Other
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentUnreachable, MotionInterrupted, MotionStalled
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


# what becomes of STOP; words of what is told
UNHEARD = [("deaf", "only after SPMG was set to Stop"), ("read_only", "only after SPMG was set to Stop")]


@pytest.mark.parametrize(("kind", "words"), UNHEARD)
def test_an_axis_that_does_not_hear_stop_is_stopped_by_spmg_while_it_travels(
    ioc: IocProcess, kind: str, words: str
) -> None:
    """It goes 4 degrees in a second, and is not let go on for all of the time that stopping may take."""

    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        other = Other(ioc.prefix)
        await instrument.axes["theta"].move(-90.0)
        await other.soon("Sample:Theta.VELO", 4.0)
        try:
            await hands.fault(kind, pv="Sample:Theta.STOP")
            move = asyncio.create_task(instrument.axes["theta"].move(90.0))
            await clock.sleep(2.0)
            move.cancel()
            with pytest.raises(MotionStalled, match=words):
                await instrument.axes["theta"].stop()
            reading = await instrument.axes["theta"].read()
            assert not reading.moving
            # Five seconds are given to one that slows down.
            assert reading.position < -90.0 + 4.0 * (2.0 + 4.5)
        finally:
            await hands.clear()
            await other.soon("Sample:Theta.SPMG", "Go")
            await other.soon("Sample:Theta.VELO", 30.0)

    EpicsBench(ioc).run(session)


def test_an_axis_that_flickers_done_is_not_at_rest(ioc: IocProcess) -> None:
    """DMOV says 1 although it travels; STOP is not heard."""

    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        other = Other(ioc.prefix)
        await instrument.axes["theta"].move(-90.0)
        for pv, words in (
            ("Sample:Theta.STOP", {"kind": "deaf"}),
            ("Sample:Theta.DMOV", {"kind": "shows", "value": 1}),
        ):
            await hands.fault(**words, pv=pv)
        try:
            await other.soon("Sample:Theta.TWV", 90.0)
            await asyncio.get_running_loop().run_in_executor(None, lambda: other.go("Sample:Theta.TWF", 1))
            await clock.sleep(1.0)
            with pytest.raises(MotionStalled):
                await instrument.axes["theta"].stop()
        finally:
            await hands.clear()
            await other.soon("Sample:Theta.SPMG", "Go")

    EpicsBench(ioc).run(session)


def test_an_axis_that_somebody_holds_is_waited_for_and_says_so(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        other = Other(ioc.prefix)
        await instrument.axes["x"].move(0.0)
        await other.soon("Sample:X.SPMG", "Pause")
        try:
            await clock.sleep(0.5)
            with pytest.raises(MotionInterrupted, match=r"SPMG is not Go \(value Pause, limit Go\)"):
                await instrument.axes["x"].move(50.0)
        finally:
            await other.soon("Sample:X.SPMG", "Go")
        await clock.sleep(0.5)
        assert await instrument.axes["x"].move(50.0) == pytest.approx(50.0, abs=0.1)

    EpicsBench(ioc).run(session)


@pytest.mark.parametrize(("pv", "error"), [("Sample:X.RBV", InstrumentUnreachable), ("Sample:X", MotionInterrupted)])
def test_what_is_no_number_is_no_success(ioc: IocProcess, pv: str, error: type[Exception]) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        await hands.fault("shows", pv=pv, value="nan")
        with pytest.raises(error, match="nan"):
            await instrument.axes["x"].move(10.0)

    EpicsBench(ioc).run(session)
