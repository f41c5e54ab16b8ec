"""A frame is made durable while the stage moves on: nothing is exposed before, and nothing good is lost."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.acquisition.bench import ALL_KEPT, STEPS, Bench, MemorySink, exposures
from xrm_control.acquisition.engine import RetryPolicy
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.errors import (
    DeviceError,
    StorageError,
)
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.devices.protocols import CameraFrame


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


class Disk(SlowSink):
    """A disk that is slower than the stage, and does one thing after the other, as a run's own does."""

    KEEP_S = 5.0

    def __init__(self, fails: str = "") -> None:
        super().__init__(fails)
        self._thread = asyncio.Lock()
        self.asked_for: list[float] = []

    async def intend(self, step: FrameStep) -> int:
        self.asked_for.append(asyncio.get_running_loop().time())
        async with self._thread:
            return await super().intend(step)

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        async with self._thread:
            await super().keep(step, attempt, frame, actual)


def test_on_a_slow_disk_the_next_intent_is_asked_for_and_nothing_exposed_before_the_frame_is_kept() -> None:
    sink = Disk()
    bench = Bench(sink=sink)
    bench.run(STEPS)
    names = [step.frame_id for step in STEPS]
    assert sink.calls == [(verb, name, 1) for name in names for verb in ("intend", "keep")]
    ended = list(sink.ended.values())
    assert all(asked < before for asked, before in zip(sink.asked_for[1:], ended, strict=False))
    started = [sink.kept[FrameId(name)].started_s for name in names]
    assert all(before <= begin for before, begin in zip(ended, started[1:], strict=False))
    assert bench.violations() == []


def test_a_write_that_fails_while_the_next_is_intended_ends_the_run_before_it_is_exposed() -> None:
    bench = Bench(sink=Disk(fails="roi-01/proj_0002"))
    with pytest.raises(StorageError, match="disk is full"):
        bench.run(STEPS)
    assert list(bench.outcomes()) == [step.frame_id for step in STEPS[:3]]
    assert bench.instrument is not None
    assert len(bench.instrument.microscope.trace(1e9).exposures) == 4


@pytest.mark.parametrize("fails", ["", "roi-01/proj_0002"])
def test_a_run_that_is_ended_while_the_next_is_intended_tells_of_the_disk(fails: str) -> None:
    sink = Disk()
    Bench(sink=sink).run(STEPS)
    ended = Bench(sink=Disk(fails), cancel_at_s=sink.ended["roi-01/proj_0002"] - 1.0)
    with pytest.raises(StorageError if fails else asyncio.CancelledError):
        ended.run(STEPS)
    assert list(ended.outcomes()) == [step.frame_id for step in STEPS[: 3 if fails else 4]]
