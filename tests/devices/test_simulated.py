"""The simulated backend keeps the promises of the protocols: verified moves, typed errors, a safe state read back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from simulators.realism import PRESETS, Realism
from simulators.specimen import SpecimenConfig
from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.core.errors import (
    FrameLost,
    InstrumentUnreachable,
    LimitReached,
    MotionInterrupted,
    MotionStalled,
    ShutterStuck,
)
from xrm_control.devices.scripted_faults import FaultSpec
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument

Session = Callable[[SimulatedInstrument, Clock], Coroutine[Any, Any, Any]]


def on(session: Session, *faults: dict[str, Any], **settings: Any) -> Any:
    backend = SimulatedBackend(specimen="empty", faults=tuple(FaultSpec(**f) for f in faults), **settings)

    async def main() -> Any:
        clock = Clock(utc_now())
        return await session(backend.open(clock), clock)

    return run(main(), VIRTUAL)


@pytest.mark.parametrize("offset_um", [-20.0, 20.0])
def test_the_rotation_axis_stays_on_the_detector(offset_um: float) -> None:
    assert SimulatedBackend(axis_offset_um=offset_um).axis_offset_um == offset_um
    with pytest.raises(ValidationError, match="axis_offset_um"):
        SimulatedBackend(axis_offset_um=1.01 * offset_um)


@pytest.mark.parametrize(("axis", "target"), [("x", 123.4), ("y", -260.0), ("z", 80.0), ("theta", -90.0)])
def test_a_move_ends_where_it_was_told(axis: str, target: float) -> None:
    async def session(instrument: SimulatedInstrument, clock: Clock) -> tuple[float, float, float]:
        reached = await instrument.axes[axis].move(target)
        return reached, (await instrument.axes[axis].read()).position, clock.now_s()

    reached, read, took_s = on(session)
    about = SimulatedBackend().describe().axes[axis]
    assert abs(reached - target) <= about.tolerance
    assert read == pytest.approx(reached)
    assert took_s == pytest.approx(about.move_duration_s(0.0, target), rel=0.05)


def test_a_soft_limit_refuses_and_names_everything() -> None:
    async def session(instrument: SimulatedInstrument, _: Clock) -> None:
        await instrument.axes["x"].move(1e6)

    with pytest.raises(LimitReached, match=r"axis x.*1000000.*-2000.*2000"):
        on(session)


FAULTS = [
    ({"kind": "stall", "axis": "x", "move": 1}, MotionStalled, "axis x"),
    ({"kind": "limit", "axis": "x", "move": 1}, LimitReached, "limit switch"),
    ({"kind": "disconnect", "at_s": 0.0, "duration_s": 10.0}, InstrumentUnreachable, "does not answer"),
]


@pytest.mark.parametrize(("fault", "error", "text"), FAULTS)
def test_a_move_that_fails_is_never_a_success(fault: dict[str, Any], error: type[Exception], text: str) -> None:
    async def session(instrument: SimulatedInstrument, _: Clock) -> None:
        await instrument.axes["x"].move(100.0)

    with pytest.raises(error, match=text):
        on(session, fault)


# x goes to 300 um in 0.29 s, settling included.
@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda microscope, t_s: microscope.stop("x", t_s), r"axis x: somebody else .* its way to 300.000 um"),
        (lambda microscope, t_s: microscope.move("x", 40.0, t_s), r"now sent to 40.000 um"),
        (lambda microscope, t_s: microscope.move("x", 1900.0, t_s), r"moving, limit now sent to 1900.000 um"),
    ],
)
def test_a_motion_that_somebody_else_ends_or_redirects_is_told(act: Callable[[Any, float], Any], told: str) -> None:
    async def session(instrument: SimulatedInstrument, clock: Clock) -> None:
        move = asyncio.ensure_future(instrument.axes["x"].move(300.0))
        await clock.sleep(0.1)
        act(instrument.microscope, clock.now_s())
        await move

    with pytest.raises(MotionInterrupted, match=told):
        on(session)


def test_another_axis_that_somebody_moves_does_not_matter() -> None:
    async def session(instrument: SimulatedInstrument, clock: Clock) -> float:
        move = asyncio.ensure_future(instrument.axes["x"].move(300.0))
        await clock.sleep(0.1)
        instrument.microscope.stop("y", clock.now_s())
        return await move

    assert on(session) == pytest.approx(300.0, abs=0.1)


def test_a_dropped_frame_is_an_error() -> None:
    async def session(instrument: SimulatedInstrument, _: Clock) -> int:
        await instrument.camera.configure(8, 1.0)
        await instrument.camera.expose()
        with pytest.raises(FrameLost):
            await instrument.camera.expose()
        return (await instrument.camera.expose()).unique_id

    assert on(session, {"kind": "dropped_frame", "frames": [2]}) > 2


def test_a_stuck_shutter_is_noticed() -> None:
    async def session(instrument: SimulatedInstrument, _: Clock) -> None:
        await instrument.shutter.set(True)

    with pytest.raises(ShutterStuck):
        on(session, {"kind": "stuck_shutter", "at_s": 0.0, "duration_s": 5.0})


@pytest.mark.parametrize("binning", [1, 2, 4, 8])
def test_a_frame_has_the_shape_that_the_camera_promised(binning: int) -> None:
    async def session(instrument: SimulatedInstrument, _: Clock) -> None:
        settings = await instrument.camera.configure(binning, 0.5)
        frame = await instrument.camera.expose()
        assert frame.image.shape == settings.shape == (1024 // binning, 1024 // binning)
        assert frame.ended_s - frame.started_s == pytest.approx(0.5)

    on(session)


def test_the_safe_state_is_reached_in_mid_move_and_read_back() -> None:
    async def session(instrument: SimulatedInstrument, clock: Clock) -> None:
        await instrument.shutter.set(True)
        move = asyncio.create_task(instrument.axes["theta"].move(90.0))
        await clock.sleep(0.7)
        assert (await instrument.axes["theta"].read()).moving
        move.cancel()
        state = await instrument.make_safe()
        assert state.verified
        assert not await instrument.shutter.is_open()
        readings = [await axis.read() for axis in instrument.axes.values()]
        assert not any(reading.moving for reading in readings)

    on(session)


def test_a_safe_state_that_is_not_reached_says_so() -> None:
    async def session(instrument: SimulatedInstrument, clock: Clock) -> None:
        await instrument.shutter.set(True)
        await clock.sleep(2.0)
        state = await instrument.make_safe()
        assert not state.verified
        assert not state.shutter_closed
        assert any("shutter" in problem for problem in state.problems)

    on(session, {"kind": "stuck_shutter", "at_s": 1.0})


@pytest.mark.parametrize("fault", [{"kind": "earthquake", "at_s": 1}, {"kind": "stall", "axis": "w", "move": 1}])
def test_a_fault_that_does_not_exist_is_refused_in_the_recipe(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fault|earthquake"):
        FaultSpec(**fault)


def test_what_is_as_drawn_is_not_told_and_keeps_the_hash() -> None:
    assert "geometry" not in SimulatedBackend().model_dump()
    turned = SimulatedBackend.model_validate({"geometry": {"camera": {"rotation_deg": 2.0}, "x": {"backlash_um": 1.0}}})
    assert turned.model_dump()["geometry"]["camera"]["rotation_deg"] == 2.0
    assert SimulatedBackend.model_validate(turned.model_dump()) == turned
    assert turned.describe().axes["x"].backlash == 0.0
    assert SimulatedBackend().describe().axes["x"].backlash > 0.0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("lab", PRESETS["lab"]),
        ({"stray_share": 0.02}, Realism(stray_share=0.02)),
        ({"preset": "bad", "stray_share": 0.0, "movers": 0.5}, replace(PRESETS["bad"], stray_share=0.0, movers=0.5)),
    ],
)
def test_realism_is_what_the_recipe_says(said: Any, expected: Realism) -> None:
    async def built(instrument: SimulatedInstrument, _: Clock) -> Realism:
        return instrument.microscope.config.realism

    assert on(built, realism=said) == expected
    backend = SimulatedBackend(realism=said)
    assert SimulatedBackend.model_validate(backend.model_dump()) == backend
    assert "realism" not in SimulatedBackend().model_dump()


@pytest.mark.parametrize("said", ["perfect", {"stray": 0.1}, {"stray_share": 2}, {"preset": "good"}])
def test_realism_that_is_none_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        SimulatedBackend.model_validate({"realism": said})


def test_a_recipes_difficulty_reaches_the_specimen_and_drops_out_where_it_is_none() -> None:
    assert "difficulty" not in SimulatedBackend().model_dump()
    hard = SimulatedBackend(specimen="lfp", difficulty=1.5)
    assert hard.model_dump()["difficulty"] == 1.5
    assert hard._config(0.0).specimen == SpecimenConfig("lfp", difficulty=1.5)


@pytest.mark.parametrize("said", [-0.1, 2.5, "hard", float("nan")])
def test_a_difficulty_beyond_its_limits_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        SimulatedBackend.model_validate({"difficulty": said})
