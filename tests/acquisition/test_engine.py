"""The engine on the simulated microscope: every frame ends with one outcome, whatever goes wrong on the way."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.acquisition.bench import ALL_KEPT, STEPS, Bench
from xrm_control.acquisition.engine import RetryPolicy
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.clock import Clock
from xrm_control.core.errors import (
    BeamLost,
    DeviceError,
    FrameLost,
    MotionStalled,
    SafetyRefusal,
)
from xrm_control.core.events import FrameMissing, FramePostponed, MoveStalled
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraFrame
from xrm_control.devices.simulated import SimulatedInstrument


def test_without_faults_each_frame_is_intended_then_kept() -> None:
    bench = Bench()
    bench.run(STEPS)
    assert bench.sink.calls == [(verb, step.frame_id, 1) for step in STEPS for verb in ("intend", "keep")]
    images = [frame.image.tobytes() for frame in bench.sink.kept.values()]
    assert len(set(images)) == len(STEPS)


RETAKEN = [
    ({"kind": "dropped_frame", "frames": [3]}, "dropped"),
    ({"kind": "dark_frame", "frames": [3]}, "no light"),
    ({"kind": "nan_frame", "frames": [3]}, "not a number"),
    ({"kind": "repeated_frame", "frames": [3]}, "unique id"),
]


@pytest.mark.parametrize(("fault", "reason"), RETAKEN)
def test_a_bad_frame_is_retaken(fault: dict[str, Any], reason: str) -> None:
    bench = Bench(fault)
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert len(bench.sink.reasons) == 1
    assert reason in bench.sink.reasons[0]
    assert ("keep", "roi-01/proj_0001", 2) in bench.sink.calls


@pytest.mark.parametrize("times", [2, 3, 5, 9, 40])
def test_no_frame_is_taken_for_the_next_one(times: int) -> None:
    """A camera that is one exposure behind delivers sharp pictures, each with the next number, of the pose before."""
    bench = Bench({"kind": "repeated_frame", "at_s": 3.0, "times": times})
    bench.run(STEPS)
    assert all("unique id" in reason for reason in bench.sink.reasons)
    assert bench.violations() == []
    assert bench.outcomes() == ALL_KEPT


@pytest.mark.parametrize("lost", [2, 3, 4])
@pytest.mark.parametrize("late", [1, 2, 3])
def test_a_picture_that_was_lost_and_comes_late_is_not_taken_for_the_next_one(lost: int, late: int) -> None:
    bench = Bench(
        *({"kind": "dropped_frame", "frames": [lost]}, {"kind": "repeated_frame", "at_s": 3.0, "times": late})
    )
    behind = Bench(
        {"kind": "dropped_frame", "frames": [lost]}, {"kind": "repeated_frame", "frames": [lost + 1, lost + 2]}
    )
    for one in (bench, behind):
        one.run(STEPS)
        assert one.violations() == []
        assert one.outcomes() == ALL_KEPT
    assert any("is behind" in reason for reason in behind.sink.reasons)


@pytest.mark.parametrize("lost", [(1,), (1, 2), (1, 3)])
@pytest.mark.parametrize("late", [1, 2, 5])
def test_nor_where_no_number_was_known_before(lost: tuple[int, ...], late: int) -> None:
    """The first exposure of all, or after the camera came back, is lost; its picture comes with its own number."""
    bench = Bench(
        {"kind": "dropped_frame", "frames": list(lost)},
        {"kind": "repeated_frame", "at_s": 0.0, "times": late},
    )
    bench.run(STEPS)
    assert bench.violations() == []
    assert bench.outcomes() == ALL_KEPT


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_camera_that_does_not_count_what_it_lost_costs_one_frame_more(attempts: int) -> None:
    """Its next picture has the number of the one that was lost: nobody can tell it from that one come late."""

    def uncounted(instrument: SimulatedInstrument) -> SimulatedInstrument:
        expose, lost = instrument.camera.expose, 0

        async def exposed() -> CameraFrame:
            nonlocal lost
            try:
                frame = await expose()
            except FrameLost:
                lost += 1
                raise
            return dataclasses.replace(frame, unique_id=frame.unique_id - lost)

        instrument.camera.expose = exposed  # type: ignore[method-assign]
        return instrument

    bench = Bench(
        {"kind": "dropped_frame", "frames": [3]}, change=uncounted, policy=RetryPolicy(frame_attempts=attempts)
    )
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert len(bench.sink.reasons) == 2


def test_a_frame_that_never_comes_is_declared_missing_and_the_rest_goes_on() -> None:
    bench = Bench({"kind": "dropped_frame", "frames": [3, 4, 5, 6, *range(10, 14)]})
    bench.run(STEPS)
    assert bench.outcomes() == {**ALL_KEPT, "roi-01/proj_0001": "missing"}
    assert bench.seen.count(FramePostponed.kind) == bench.seen.count(FrameMissing.kind) == 1


@pytest.mark.parametrize("index", [0, 2, 4])
def test_a_projection_that_failed_is_taken_again_at_the_end(index: int) -> None:
    """The views at both ends, which show the rotation axis, as any other."""
    first = 2 + index
    bench = Bench({"kind": "dropped_frame", "frames": list(range(first, first + 4))})
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert bench.sink.calls[-1] == ("keep", f"roi-01/proj_{index:04d}", 5)
    assert FrameMissing.kind not in bench.seen


def test_a_stall_is_tried_again() -> None:
    bench = Bench({"kind": "stall", "axis": "theta", "move": 2})
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert bench.seen.count(MoveStalled.kind) == 1


def test_a_stall_that_stays_ends_the_run() -> None:
    bench = Bench({"kind": "stall", "axis": "theta", "move": 2, "times": 10})
    with pytest.raises(MotionStalled, match="theta"):
        bench.run(STEPS)
    assert "roi-01/proj_0001" not in bench.outcomes()


def test_a_hard_limit_is_not_tried_again() -> None:
    bench = Bench({"kind": "limit", "axis": "theta", "move": 2})
    with pytest.raises(DeviceError, match="limit switch"):
        bench.run(STEPS)


def test_beam_loss_is_waited_for_and_the_frame_in_flight_is_discarded() -> None:
    calm = Bench()
    end_s = calm.run(STEPS)
    bench = Bench({"kind": "beam_loss", "at_s": 6.0, "duration_s": 300.0})
    late_s = bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    (reason, begun_s, ended_s) = bench.holds[0]
    assert "beam lost" in reason
    assert ended_s >= 306.0 > begun_s
    assert late_s > end_s + 295
    # A frame that was exposed while the beam went must never be kept.
    lost = (6.0, 306.0)
    for frame_id, frame in bench.sink.kept.items():
        assert frame.ended_s <= lost[0] or frame.started_s >= lost[1] or "dark" in frame_id
    # The shutter was closed meanwhile.
    assert bench.violations() == []


@pytest.mark.parametrize(("floor", "waits"), [(0.8, True), (0.5, False)])
def test_beam_below_the_floor_of_the_policy_is_lost(floor: float, waits: bool) -> None:
    dim = {"kind": "flux", "at_s": 6.0, "duration_s": 300.0, "factor": 0.65}
    bench = Bench(dim, policy=RetryPolicy(flux_floor=floor))
    bench.run(STEPS)
    assert any("beam lost" in reason and ended_s >= 306.0 for reason, _, ended_s in bench.holds) is waits


def test_beam_that_does_not_come_back_ends_the_run() -> None:
    bench = Bench({"kind": "beam_loss", "at_s": 6.0}, policy=RetryPolicy(beam_wait_s=600))
    with pytest.raises(BeamLost, match="did not come back"):
        bench.run(STEPS)


def test_a_shutter_that_sticks_open_ends_the_run() -> None:
    """Darks behind a shutter that does not close would be light."""
    steps = (STEPS[1], STEPS[0])
    with pytest.raises(DeviceError, match="shutter"):
        Bench({"kind": "stuck_shutter", "at_s": 3.0}).run(steps)


def test_a_pose_outside_the_limits_is_refused_before_moving() -> None:
    bench = Bench()
    with pytest.raises(SafetyRefusal):
        bench.run((FrameStep(FrameId("roi-01/proj_0000"), FrameKind.PROJECTION, 0, Pose(9e9, 0, 0, 0)),))
    assert bench.sink.calls == []


def test_frames_are_the_same_to_the_bit_for_the_same_seed() -> None:
    first, second = Bench(), Bench()
    first.run(STEPS)
    second.run(STEPS)
    for frame_id, frame in first.sink.kept.items():
        np.testing.assert_array_equal(frame.image, second.sink.kept[frame_id].image)


def test_an_axis_that_creeps_within_its_tolerance_has_not_arrived() -> None:
    """It is near enough for twelve seconds, and not at rest: it is brought to rest before anything is exposed."""

    async def creep(instrument: SimulatedInstrument, clock: Clock) -> None:
        instrument.microscope.move("x", 0.05, clock.now_s(), speed=0.005)

    bench = Bench(beside=creep)
    bench.run(STEPS[1:])
    assert bench.violations() == []
    assert bench.sink.reasons == []


def test_beam_that_goes_in_every_exposure_uses_up_none_of_a_frames_attempts() -> None:
    losses = [{"kind": "beam_loss", "at_s": at_s, "duration_s": 3.0} for at_s in (6.0, 10.5, 15.0, 19.5)]
    bench = Bench(*losses, policy=RetryPolicy(frame_attempts=2, beam_poll_s=1.0))
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert [reason for reason in bench.sink.reasons if "beam" not in reason] == []
    # More than a frame may fail, had it been its own doing.
    assert len(bench.sink.reasons) >= 3
    assert FramePostponed.kind not in bench.seen
