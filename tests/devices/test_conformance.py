"""One suite, two backends: whatever stands behind the protocols keeps the same promises."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.devices.benches import SPEED, EpicsBench, Hands, SimulatedBench, ioc_for
from xrm_control.acquisition.checks import FrameChecker
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.clock import Clock
from xrm_control.core.errors import (
    DeviceError,
    FrameLost,
    FrameUnusable,
    InstrumentUnreachable,
    LimitReached,
    MotionInterrupted,
    MotionStalled,
    ShutterStuck,
)
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraFrame, Instrument

Bench = SimulatedBench | EpicsBench


@pytest.fixture(scope="module", params=["simulated", "epics"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with ioc_for(request.param) as ioc:
        yield SimulatedBench() if ioc is None else EpicsBench(ioc)


@pytest.mark.parametrize(("axis", "target"), [("x", 123.4), ("y", -260.0), ("z", 80.0), ("theta", -90.0), ("x", 0.0)])
def test_a_move_ends_where_it_was_told(bench: Bench, axis: str, target: float) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> tuple[float, float, float]:
        started_s = clock.now_s()
        reached = await instrument.axes[axis].move(target)
        took_s = clock.now_s() - started_s
        reading = await instrument.axes[axis].read()
        assert not reading.moving
        assert reading.position == pytest.approx(reached, abs=0.01)
        about = instrument.describe().axes[axis]
        assert abs(reached - target) <= about.tolerance
        return took_s, about.move_duration_s(0.0, target), reached

    took_s, planned_s, _ = bench.run(session)
    assert took_s >= 0.9 * planned_s - 0.1


@pytest.mark.parametrize("target", [1e6, -2000.5, math.nan, math.inf])
def test_a_target_outside_the_limits_is_refused_and_nothing_moves(bench: Bench, target: float) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        with pytest.raises(LimitReached, match=r"axis x.*-2000.*2000"):
            await instrument.axes["x"].move(target)
        assert abs((await instrument.axes["x"].read()).position) <= 0.1

    bench.run(session)


MOTION_FAULTS = [
    ("stall", {"axis": "x"}, MotionStalled, "axis x"),
    ("limit", {"axis": "x"}, LimitReached, "limit switch"),
]


@pytest.mark.parametrize(("kind", "words", "error", "text"), MOTION_FAULTS)
def test_a_motion_that_fails_is_never_a_success(
    bench: Bench, kind: str, words: dict[str, Any], error: type[Exception], text: str
) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        # The record of a motor tries a stalled move again by itself.
        await hands.fault(kind, times=20 if kind == "stall" else 1, **words)
        with pytest.raises(error, match=text):
            await instrument.axes["x"].move(100.0)
        await hands.clear()
        assert await instrument.axes["x"].move(-50.0) == pytest.approx(-50.0, abs=0.1)

    bench.run(session)


def test_a_motion_that_somebody_else_stops_is_no_success(bench: Bench) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        move = asyncio.create_task(instrument.axes["theta"].move(90.0))
        await clock.sleep(0.8)
        await hands.stop_axis("theta")
        with pytest.raises(MotionInterrupted, match="somebody else"):
            await move
        reading = await instrument.axes["theta"].read()
        assert not reading.moving
        assert 0.5 < reading.position < 89.0
        assert await instrument.axes["theta"].move(90.0) == pytest.approx(90.0, abs=0.01)

    bench.run(session)


def test_an_instrument_that_has_lost_its_hardware_is_unreachable_until_it_is_back(bench: Bench) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        await hands.fault("disconnect")
        for attempt in (instrument.axes["x"].move(10.0), instrument.axes["x"].read(), instrument.source.read(),
                        instrument.shutter.is_open(), _frame(instrument)):  # fmt: skip
            with pytest.raises((InstrumentUnreachable, DeviceError)):
                await attempt
        await hands.clear()
        await clock.sleep(1.0)
        await instrument.connect()
        assert await instrument.axes["x"].move(10.0) == pytest.approx(10.0, abs=0.1)

    bench.run(session)


@pytest.mark.parametrize("binning", [1, 2, 4, 8])
def test_a_frame_has_the_shape_that_the_camera_promised(bench: Bench, binning: int) -> None:
    async def session(instrument: Instrument, _: Clock, hands: Hands) -> None:
        settings = await instrument.camera.configure(binning, 0.5)
        frame = await instrument.camera.expose()
        assert settings.binning == binning
        assert settings.exposure_s == pytest.approx(0.5)
        assert frame.image.shape == settings.shape == (1024 // binning, 1024 // binning)
        assert frame.image.dtype == np.uint16
        assert frame.ended_s - frame.started_s == pytest.approx(0.5)

    bench.run(session)


def test_a_binning_that_the_camera_lacks_is_refused(bench: Bench) -> None:
    async def session(instrument: Instrument, _: Clock, hands: Hands) -> None:
        with pytest.raises((DeviceError, ValueError), match=r"binning"):
            await instrument.camera.configure(3, 1.0)

    bench.run(session)


def test_open_beam_is_as_bright_as_the_flux_says_and_dark_is_dark(bench: Bench) -> None:
    """One second at binning 8 with nothing in the beam: 60 % of full scale, within illumination and flux."""

    async def session(instrument: Instrument, _: Clock, hands: Hands) -> tuple[float, float]:
        await instrument.axes["x"].move(300.0)
        await instrument.camera.configure(8, 1.0)
        dark = await instrument.camera.expose()
        await instrument.shutter.set(True)
        bright = await instrument.camera.expose()
        await instrument.shutter.set(False)
        return float(np.median(dark.image.astype(float))), float(np.median(bright.image.astype(float)))

    dark, bright = bench.run(session)
    assert dark == pytest.approx(220.0, abs=10)
    assert 0.5 < (bright - dark) / 65535 < 0.66


def test_unique_ids_follow_and_a_dropped_frame_is_lost(bench: Bench) -> None:
    async def session(instrument: Instrument, _: Clock, hands: Hands) -> list[int]:
        await instrument.camera.configure(8, 0.5)
        ids = [(await instrument.camera.expose()).unique_id for _ in range(2)]
        await hands.fault("dropped_frame")
        with pytest.raises(FrameLost):
            await instrument.camera.expose()
        return [*ids, (await instrument.camera.expose()).unique_id]

    first, second, third = bench.run(session)
    assert first < second < third


@pytest.mark.parametrize("kind", ["repeated_frame", "wrong_shape_frame", "dark_frame"])
def test_a_frame_that_is_none_is_never_kept(bench: Bench, kind: str) -> None:
    """The camera or the frame check refuses it, and the next frame is good again."""

    async def session(instrument: Instrument, _: Clock, hands: Hands) -> None:
        settings = await instrument.camera.configure(8, 0.5)
        checker = FrameChecker(settings.shape)
        checker.check(step(FrameKind.DARK, 0), await instrument.camera.expose())
        await instrument.shutter.set(True)
        checker.check(step(FrameKind.PROJECTION, 1), await instrument.camera.expose())
        await hands.fault(kind)

        async def take() -> CameraFrame:
            checker.ordered()
            frame = await instrument.camera.expose()
            checker.check(step(FrameKind.PROJECTION, 2), frame)
            return frame

        with pytest.raises((FrameLost, FrameUnusable)):
            await take()
        await take()

    bench.run(session)


def test_a_shutter_that_does_not_follow_is_stuck(bench: Bench) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        await instrument.shutter.set(True)
        assert await instrument.shutter.is_open()
        await hands.fault("stuck_shutter")
        with pytest.raises(ShutterStuck, match="shutter"):
            await instrument.shutter.set(False)
        state = await instrument.make_safe()
        assert not state.verified
        assert any("shutter" in problem for problem in state.problems)
        await hands.clear()
        assert (await instrument.make_safe()).verified

    bench.run(session)


@pytest.mark.parametrize(("kind", "permit"), [("beam_loss", True), ("interlock", False)])
def test_lost_beam_and_a_lost_permit_are_told_apart(bench: Bench, kind: str, permit: bool) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        before = await instrument.source.read()
        assert before.available
        assert before.permit
        assert before.flux_relative == pytest.approx(1.0, abs=0.05)
        await hands.fault(kind)
        await clock.sleep(0.01)
        during = await instrument.source.read()
        assert not during.available
        assert during.permit == permit
        assert during.flux_relative == 0.0
        await hands.clear()
        await clock.sleep(0.01)
        assert (await instrument.source.read()).available

    bench.run(session)


def test_the_safe_state_is_reached_in_mid_move_and_read_back(bench: Bench) -> None:
    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        await instrument.shutter.set(True)
        move = asyncio.create_task(instrument.axes["theta"].move(90.0))
        await clock.sleep(0.8)
        assert (await instrument.axes["theta"].read()).moving
        move.cancel()
        state = await instrument.make_safe()
        assert state.verified
        assert not await instrument.shutter.is_open()
        position = (await instrument.axes["theta"].read()).position
        assert position < 60.0
        await clock.sleep(SPEED * 0.1)
        assert (await instrument.axes["theta"].read()).position == pytest.approx(position, abs=0.01)

    bench.run(session)


@pytest.mark.parametrize(("axis", "target"), [("x", 1500.0), ("y", -1500.0), ("theta", 90.0)])
def test_a_command_to_halt_is_enough_to_stop_axes_and_to_close_the_shutter(
    bench: Bench, axis: str, target: float
) -> None:
    """As a signal's handler gives it: whoever has ordered the move still waits for its end."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        # The moves are seconds of the instrument, tenths of the wall: on a busy machine one may end first.
        for tries_left in (4, 3, 2, 1, 0):
            await instrument.axes[axis].move(-target)
            await instrument.shutter.set(True)
            move = asyncio.create_task(instrument.axes[axis].move(target))
            await clock.sleep(0.8)
            was_moving = (await instrument.axes[axis].read()).moving
            await asyncio.to_thread(instrument.halt)
            (ended,) = await asyncio.gather(move, return_exceptions=True)
            reading = await instrument.axes[axis].read()
            assert not reading.moving
            assert not await instrument.shutter.is_open()
            on_the_way = was_moving and abs(reading.position - target) > 0.02 * abs(target)
            if on_the_way or not tries_left:
                assert on_the_way
                assert isinstance(ended, DeviceError)
                break

    bench.run(session)


async def _frame(instrument: Instrument) -> CameraFrame:
    await instrument.camera.configure(8, 1.0)
    return await instrument.camera.expose()


def step(kind: FrameKind, index: int) -> FrameStep:
    return FrameStep(
        FrameId.numbered("roi-01", kind, index), kind, index, Pose(0, 0, 0, 0), shutter_open=kind != FrameKind.DARK
    )
