"""The engine on the simulated microscope: every frame ends with one outcome, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from xrm_control.acquisition.engine import Engine, RetryPolicy
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.core.errors import (
    BeamLost,
    DeviceError,
    InstrumentUnreachable,
    MotionInterrupted,
    MotionStalled,
    SafetyRefusal,
    StorageError,
)
from xrm_control.core.events import EventStream
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.devices.protocols import CameraFrame
from xrm_control.devices.safety import Guard, SafetySpec
from xrm_control.devices.simulated import FaultSpec, SimulatedBackend, SimulatedInstrument


class MemorySink:
    """Keeps what a run folder would keep, in memory, and the order in which it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int]] = []
        self.kept: dict[str, CameraFrame] = {}
        self.reasons: list[str] = []

    async def intend(self, step: FrameStep) -> int:
        attempt = 1 + sum(call[:2] == ("intend", step.frame_id) for call in self.calls)
        self.calls.append(("intend", step.frame_id, attempt))
        return attempt

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        self.calls.append(("keep", step.frame_id, attempt))
        self.kept[step.frame_id] = frame

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        self.calls.append(("retake", step.frame_id, attempt))
        self.reasons.append(reason)

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        self.calls.append(("missing", step.frame_id, 0))
        self.reasons.append(reason)


class Bench:
    """One acquisition of a dark and five views on an empty tape, with faults."""

    def __init__(
        self,
        *faults: dict[str, Any],
        policy: RetryPolicy | None = None,
        change: Callable[[SimulatedInstrument], SimulatedInstrument] = lambda instrument: instrument,
        limits_now: Callable[[], Guard] | None = None,
        beside: Callable[[SimulatedInstrument, Clock], Awaitable[None]] | None = None,
        sink: MemorySink | None = None,
        cancel_at_s: float | None = None,
    ) -> None:
        self.cancel_at_s = cancel_at_s
        self.change, self.limits_now, self.beside = change, limits_now, beside
        self.backend = SimulatedBackend(specimen="empty", faults=tuple(FaultSpec(**f) for f in faults))
        self.policy = policy or RetryPolicy()
        self.sink = sink or MemorySink()
        self.holds: list[tuple[str, float, float]] = []
        self.seen: list[str] = []

    def run(self, steps: tuple[FrameStep, ...]) -> float:
        async def main() -> float:
            clock = Clock(utc_now())
            events = EventStream(clock.now_s)
            events.subscribe(lambda event: self.seen.append(event.kind))
            instrument = self.change(self.backend.open(clock))
            somebody = asyncio.ensure_future(self.beside(instrument, clock)) if self.beside else None
            guard = Guard(instrument.describe().axes, SafetySpec(), SampleSpec())

            @asynccontextmanager
            async def hold(reason: str) -> AsyncIterator[None]:
                begun_s = clock.now_s()
                yield
                self.holds.append((reason, begun_s, clock.now_s()))

            engine = Engine(instrument, self.sink, guard, clock, events, self.policy, hold, self.limits_now)
            acquisition = Acquisition("roi-01", 8, 1.0, steps)
            task = asyncio.current_task()
            if self.cancel_at_s is not None and task is not None:
                asyncio.get_running_loop().call_at(self.cancel_at_s, task.cancel)
            try:
                await engine.configure(acquisition)
                await engine.run(acquisition.steps)
            finally:
                if somebody is not None:
                    somebody.cancel()
            return clock.now_s()

        return run(main(), VIRTUAL)

    def outcomes(self) -> dict[str, str]:
        return {frame: what for what, frame, _ in self.sink.calls if what in ("keep", "missing")}


STEPS = (
    FrameStep("roi-01/dark_0000", "dark", 0, Pose(200, 0, 0, 0), shutter_open=False),
    *(FrameStep(f"roi-01/proj_{i:04d}", "projection", i, Pose(0, 0, 0, -90.0 + i)) for i in range(5)),
)
ALL_KEPT = dict.fromkeys((step.frame_id for step in STEPS), "keep")


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


def test_a_frame_that_never_comes_is_declared_missing_and_the_rest_goes_on() -> None:
    bench = Bench({"kind": "dropped_frame", "frames": [3, 4, 5, 6]})
    bench.run(STEPS)
    assert bench.outcomes() == {**ALL_KEPT, "roi-01/proj_0001": "missing"}
    assert "frame.missing" in bench.seen


def test_a_stall_is_tried_again() -> None:
    bench = Bench({"kind": "stall", "axis": "theta", "move": 2})
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert bench.seen.count("move.stalled") == 1


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
        bench.run((FrameStep("roi-01/proj_0000", "projection", 0, Pose(9e9, 0, 0, 0)),))
    assert bench.sink.calls == []


def test_frames_are_the_same_to_the_bit_for_the_same_seed() -> None:
    first, second = Bench(), Bench()
    first.run(STEPS)
    second.run(STEPS)
    for frame_id, frame in first.sink.kept.items():
        np.testing.assert_array_equal(frame.image, second.sink.kept[frame_id].image)


def exposures(bench: Bench) -> list[str]:
    """Frame ids in the order in which they were exposed."""
    return [frame for what, frame, _ in bench.sink.calls if what == "intend"]


# On a calm day the exposures begin at 0.2, 5.0, 6.5, 8.0, 9.5 and 11.0 s and take 1 s: these hit every kind of moment.
@pytest.mark.parametrize("at_s", [0.2, 0.9, 1.6, 2.4, 3.0, 4.0, 5.0, 5.3, 5.6, 6.0, 6.5, 7.0, 8.0, 9.0])
@pytest.mark.parametrize("duration_s", [0.7, 300.0])
def test_a_lost_instrument_is_waited_for_and_the_frame_in_flight_is_taken_again(at_s: float, duration_s: float) -> None:
    bench = Bench({"kind": "disconnect", "at_s": at_s, "duration_s": duration_s})
    end_s = bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert list(bench.sink.kept) == list(ALL_KEPT)
    away = (at_s, at_s + duration_s)
    for verb in ("keep", "missing"):
        told = [frame for what, frame, _ in bench.sink.calls if what == verb]
        assert len(told) == len(set(told))
    for frame in bench.sink.kept.values():
        assert not away[0] <= frame.ended_s < away[1]
    assert len(bench.holds) == bench.seen.count("instrument.lost") <= 1
    if duration_s > 1:
        (reason, begun_s, ended_s) = bench.holds[0]
        assert "instrument lost at" in reason
        assert away[0] <= begun_s < away[1] <= ended_s <= away[1] + bench.policy.instrument_poll_s + 0.1
        assert end_s > away[1]
    retaken = [frame for what, frame, _ in bench.sink.calls if what == "retake"]
    assert len(retaken) == len(exposures(bench)) - len(STEPS) <= 1


def test_an_instrument_that_does_not_come_back_ends_the_run() -> None:
    bench = Bench({"kind": "disconnect", "at_s": 6.0}, policy=RetryPolicy(instrument_wait_s=60.0))
    with pytest.raises(InstrumentUnreachable, match=r"did not come back.*limit 60 s"):
        bench.run(STEPS)
    intended, retaken = exposures(bench)[-1], [frame for what, frame, _ in bench.sink.calls if what == "retake"]
    assert bench.outcomes().get(intended) == "keep" or retaken == [intended]


def test_an_instrument_that_comes_and_goes_loses_nothing() -> None:
    faults = [{"kind": "disconnect", "at_s": 3.0 * i, "duration_s": 1.7} for i in range(1, 9)]
    bench = Bench(*faults)
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT


def test_an_instrument_lost_while_waiting_for_beam_is_waited_for_too() -> None:
    bench = Bench(
        {"kind": "beam_loss", "at_s": 4.0, "duration_s": 100.0},
        {"kind": "disconnect", "at_s": 30.0, "duration_s": 30.0},
    )
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    kept = [frame for name, frame in bench.sink.kept.items() if "proj" in name]
    assert all(frame.ended_s <= 4.0 or frame.started_s >= 104.0 for frame in kept)


def test_the_camera_may_count_anew_after_it_was_lost() -> None:
    """A camera that was switched off and on begins at 1 again, at another binning; that is no repeated frame."""

    class Rebooted(SimulatedInstrument):
        async def connect(self) -> None:
            await super().connect()
            await self.camera.configure(1, 0.5)
            self._first = None

    class Counting:
        def __init__(self, camera: Any) -> None:
            self._camera, self._since = camera, 0
            self.configured: list[tuple[int, float]] = []

        async def configure(self, binning: int, exposure_s: float) -> Any:
            self.configured.append((binning, exposure_s))
            self._since = 0
            return await self._camera.configure(binning, exposure_s)

        async def expose(self) -> CameraFrame:
            frame = await self._camera.expose()
            self._since += 1
            return replace(frame, unique_id=self._since)

    def make(instrument: SimulatedInstrument) -> SimulatedInstrument:
        instrument.__class__ = Rebooted
        cameras.append(Counting(instrument.camera))
        instrument.camera = cameras[0]  # type: ignore[assignment]
        return instrument

    cameras: list[Counting] = []
    bench = Bench({"kind": "disconnect", "at_s": 8.0, "duration_s": 5.0}, change=make)
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert cameras[0].configured == [(8, 1.0), (1, 0.5), (8, 1.0)]
    assert {frame.image.shape for frame in bench.sink.kept.values()} == {(128, 128)}


def test_limits_are_looked_at_again_when_the_instrument_is_back() -> None:
    narrow = Guard(SimulatedBackend().describe().axes, SafetySpec(theta_deg=(-88.5, 90)), SampleSpec())
    bench = Bench({"kind": "disconnect", "at_s": 6.0, "duration_s": 5.0}, limits_now=lambda: narrow)
    with pytest.raises(SafetyRefusal, match="axis theta would leave its limits"):
        bench.run((*STEPS, FrameStep("roi-01/proj_0005", "projection", 5, Pose(0, 0, 0, -89.0))))


def test_a_refusal_at_the_reconnection_ends_the_run() -> None:
    class Narrowed(SimulatedInstrument):
        async def connect(self) -> None:
            await super().connect()
            raise SafetyRefusal("the controller's limits have changed", where="axis x")

    def make(instrument: SimulatedInstrument) -> SimulatedInstrument:
        instrument.__class__ = Narrowed
        return instrument

    bench = Bench({"kind": "disconnect", "at_s": 6.0, "duration_s": 5.0}, change=make)
    with pytest.raises(SafetyRefusal, match="have changed"):
        bench.run(STEPS)


def hands(*moments_s: float, target: float | None = None) -> Callable[[SimulatedInstrument, Clock], Awaitable[None]]:
    """Somebody at the microscope itself who stops theta at these times, or sends it elsewhere."""

    async def act(instrument: SimulatedInstrument, clock: Clock) -> None:
        for moment_s in moments_s:
            await clock.sleep_until(moment_s)
            microscope = instrument.microscope
            if target is None:
                microscope.stop("theta", clock.now_s())
            else:
                microscope.move("theta", target, clock.now_s())

    return act


# Theta goes from 0 to -90 between 1.5 and 5 s.
@pytest.mark.parametrize("target", [None, -30.0])
def test_a_motion_that_somebody_ended_is_tried_again_after_a_while(target: float | None) -> None:
    calm_s = Bench().run(STEPS)
    bench = Bench(beside=hands(4.5, target=target), policy=RetryPolicy(interrupted_wait_s=45.0))
    late_s = bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    ((reason, begun_s, ended_s),) = bench.holds
    assert "axis theta, on the way to roi-01/proj_0000: somebody else stopped or moved the axis" in reason
    assert ended_s - begun_s == pytest.approx(45.0, abs=0.2)  # and the shutter's travel
    assert late_s > calm_s + 44
    assert bench.seen.count("move.interrupted") == 1
    assert not [call for call in bench.sink.calls if call[0] == "retake"]


def test_somebody_who_goes_on_ending_motions_ends_the_run() -> None:
    bench = Bench(beside=hands(*(1.5 + 0.2 * i for i in range(900))))
    with pytest.raises(MotionInterrupted, match="axis theta: somebody else"):
        bench.run(STEPS)
    assert bench.seen.count("move.interrupted") == bench.policy.move_attempts == 3
    assert len(bench.holds) == 2
    assert bench.outcomes() == {"roi-01/dark_0000": "keep"}


class SlowSink(MemorySink):
    """A disk that takes 0.2 s for each frame, as long as a step of a degree; one frame may fail on it."""

    KEEP_S = 0.2

    def __init__(self, fails: str = "") -> None:
        super().__init__()
        self.fails = fails
        self.begun: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.intended: dict[str, float] = {}

    async def intend(self, step: FrameStep) -> int:
        self.intended[step.frame_id] = asyncio.get_running_loop().time()
        return await super().intend(step)

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        self.begun[step.frame_id] = asyncio.get_running_loop().time()
        await Clock(utc_now()).sleep(self.KEEP_S)
        if step.frame_id == self.fails:
            raise StorageError("the disk is full", where=step.frame_id)
        self.ended[step.frame_id] = asyncio.get_running_loop().time()
        await super().keep(step, attempt, frame, actual)


def test_a_frame_is_kept_while_the_stage_moves_on_and_nothing_is_exposed_before() -> None:
    calm_s = Bench().run(STEPS)
    sink = SlowSink()
    late_s = Bench(sink=sink).run(STEPS)
    names = [step.frame_id for step in STEPS]
    assert sink.calls == [(verb, name, 1) for name in names for verb in ("intend", "keep")]
    assert all(sink.ended[before] <= sink.intended[after] for before, after in pairwise(names))
    # Every move but the one that follows the last frame takes longer than the disk: only the last write is seen.
    assert late_s == pytest.approx(calm_s + SlowSink.KEEP_S, abs=0.05)


def test_a_write_that_fails_ends_the_run_before_the_next_exposure() -> None:
    sink = SlowSink(fails="roi-01/proj_0002")
    bench = Bench(sink=sink)
    with pytest.raises(StorageError, match="disk is full"):
        bench.run(STEPS)
    assert exposures(bench)[-1] == "roi-01/proj_0002"
    assert list(bench.outcomes()) == [step.frame_id for step in STEPS[:3]]


def test_the_last_write_that_fails_is_not_overlooked() -> None:
    with pytest.raises(StorageError, match="disk is full"):
        Bench(sink=SlowSink(fails=STEPS[-1].frame_id)).run(STEPS)


def test_a_write_that_fails_while_the_run_ends_for_another_reason_is_told() -> None:
    stall = {"kind": "stall", "axis": "theta", "move": 2, "times": 10}
    with pytest.raises(StorageError, match="disk is full"):
        Bench(stall, sink=SlowSink(fails="roi-01/proj_0000"), policy=RetryPolicy(move_attempts=1)).run(STEPS)


@pytest.mark.parametrize("fault", [{"kind": "limit", "axis": "theta", "move": 2}])
def test_what_was_good_is_durable_when_an_error_ends_the_run(fault: dict[str, Any]) -> None:
    bench = Bench(fault, sink=SlowSink())
    with pytest.raises(DeviceError):
        bench.run(STEPS)
    assert list(bench.outcomes()) == ["roi-01/dark_0000", "roi-01/proj_0000"]


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_what_was_good_is_durable_when_the_run_is_ended_in_mid_write(number: int) -> None:
    """The operator ends the run while a frame is being written: that frame is kept, and no other is begun."""
    sink = SlowSink()
    Bench(sink=sink).run(STEPS)
    moment_s = sink.begun[STEPS[number].frame_id] + SlowSink.KEEP_S / 2
    ended = SlowSink()
    bench = Bench(sink=ended, cancel_at_s=moment_s)
    with pytest.raises(asyncio.CancelledError):
        bench.run(STEPS)
    assert list(bench.outcomes()) == exposures(bench) == [step.frame_id for step in STEPS[: number + 1]]


def test_a_frame_that_is_being_written_when_the_instrument_is_lost_is_kept_once() -> None:
    sink = SlowSink()
    Bench(sink=sink).run(STEPS)
    lost_s = sink.begun["roi-01/proj_0001"] + 0.1
    bench = Bench({"kind": "disconnect", "at_s": lost_s, "duration_s": 60.0}, sink=SlowSink())
    bench.run(STEPS)
    assert [frame for what, frame, _ in bench.sink.calls if what == "keep"] == list(ALL_KEPT)
    assert not [call for call in bench.sink.calls if call[0] == "retake"]
