"""An instrument that is lost and an axis that somebody else moves: waited for, and no frame lost or taken twice."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.acquisition.bench import ALL_KEPT, STEPS, Bench, exposures
from xrm_control.acquisition.engine import RetryPolicy
from xrm_control.acquisition.recovery import gather_or_cancel
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.core.errors import (
    DeviceError,
    InstrumentUnreachable,
    MotionInterrupted,
    SafetyRefusal,
)
from xrm_control.core.events import InstrumentAwaited, InstrumentLost, MoveInterrupted
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraFrame
from xrm_control.devices.safety import Guard, SafetySpec
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument


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
    assert len(bench.holds) == bench.seen.count(InstrumentLost.kind) <= 1
    if duration_s > 1:
        (reason, begun_s, ended_s) = bench.holds[0]
        assert "instrument lost at" in reason
        assert away[0] <= begun_s < away[1] <= ended_s <= away[1] + bench.policy.instrument_poll_s + 0.1
        assert end_s > away[1]
    retaken = [frame for what, frame, _ in bench.sink.calls if what == "retake"]
    assert len(retaken) == len(exposures(bench)) - len(STEPS) <= 1


def test_what_still_keeps_an_instrument_away_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers again, but for one channel: who looks at the hold must read which."""
    bench = Bench({"kind": "disconnect", "at_s": 6.0, "duration_s": 300.0})
    connect, tries = SimulatedInstrument.connect, list[float]()

    async def all_but_one(instrument: SimulatedInstrument) -> None:
        tries.append(instrument._clock.now_s())
        if 1 < len(tries) < 6:
            raise InstrumentUnreachable("1 of 57 PVs do not answer: Det:cam1:BinX", where="Channel Access")
        await connect(instrument)

    monkeypatch.setattr(SimulatedInstrument, "connect", all_but_one)
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert len(tries) > 5
    assert bench.seen.count(InstrumentLost.kind) == 1
    # The line that is cut, which is no more than was lost, and then the channel, of four tries.
    assert bench.seen.count(InstrumentAwaited.kind) == 2


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


def test_a_camera_that_comes_back_with_another_size_ends_the_run() -> None:
    """Somebody has set its region meanwhile: its frames would not fit those before."""

    class Cropped:
        def __init__(self, camera: Any) -> None:
            self._camera, self._times = camera, 0

        async def configure(self, binning: int, exposure_s: float) -> Any:
            self._times += 1
            settings = await self._camera.configure(binning, exposure_s)
            return settings if self._times == 1 else replace(settings, shape=(128, 120))

        async def expose(self) -> CameraFrame:
            return await self._camera.expose()

    def make(instrument: SimulatedInstrument) -> SimulatedInstrument:
        instrument.camera = Cropped(instrument.camera)  # type: ignore[assignment]
        return instrument

    bench = Bench({"kind": "disconnect", "at_s": 8.0, "duration_s": 5.0}, change=make)
    with pytest.raises(DeviceError, match=r"another size of its frames \(value \(128, 120\), limit \(128, 128\)\)"):
        bench.run(STEPS)
    assert bench.sink.kept


def test_limits_are_looked_at_again_when_the_instrument_is_back() -> None:
    narrow = Guard(SimulatedBackend().describe().axes, SafetySpec(theta_deg=(-88.5, 90)), SampleSpec())
    bench = Bench({"kind": "disconnect", "at_s": 6.0, "duration_s": 5.0}, limits_now=lambda: narrow)
    with pytest.raises(SafetyRefusal, match="axis theta would leave its limits"):
        bench.run((*STEPS, FrameStep(FrameId("roi-01/proj_0005"), FrameKind.PROJECTION, 5, Pose(0, 0, 0, -89.0))))


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
    assert bench.seen.count(MoveInterrupted.kind) == 1
    assert not [call for call in bench.sink.calls if call[0] == "retake"]


def test_somebody_who_goes_on_ending_motions_ends_the_run() -> None:
    bench = Bench(beside=hands(*(1.5 + 0.2 * i for i in range(900))))
    with pytest.raises(MotionInterrupted, match="axis theta: somebody else"):
        bench.run(STEPS)
    assert bench.seen.count(MoveInterrupted.kind) == bench.policy.move_attempts == 3
    assert len(bench.holds) == 2
    assert bench.outcomes() == {"roi-01/dark_0000": "keep"}


@pytest.mark.parametrize("others", [0, 1, 2])
def test_what_fails_as_the_run_is_ended_is_no_traceback(others: int) -> None:
    """An action fails in the very turn of the loop in which whoever waits for it is cancelled."""
    told: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, about: told.append(about))
        ended, never = asyncio.Event(), asyncio.Event()

        async def fail() -> None:
            await ended.wait()
            raise InstrumentUnreachable("no answer to a read within 2 s", where="Sample:Theta.RBV")

        async def wait() -> None:
            await gather_or_cancel(fail(), *(never.wait() for _ in range(others)))

        waiting = asyncio.create_task(wait())
        await Clock(utc_now()).sleep(0.01)
        ended.set()
        asyncio.get_running_loop().call_soon(waiting.cancel)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(main(), VIRTUAL)
    gc.collect()
    assert told == []
