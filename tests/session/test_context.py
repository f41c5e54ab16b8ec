"""What the stages of a run share: planning, holding, limits, and the way of a frame to the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.session.bench import Stand
from xrm_control.core.errors import SafetyRefusal, StorageError
from xrm_control.core.events import RoiStateEntered, RunHeld, RunReleased, StagePlanned, StateEntered
from xrm_control.core.geometry import Pose
from xrm_control.core.states import RoiState, RunState
from xrm_control.devices.protocols import CameraFrame
from xrm_control.session.context import JournalSink, RunContext
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure

TO_PICKING = ("connect", "home", "map", "pick")


def mosaic_of(run: RunContext) -> Any:
    return run.recipe.mosaic.acquisition(run.recipe.sample, run.description.camera)


def scan_of(run: RunContext, roi: str = "roi-01") -> Any:
    return run.recipe.scan.acquisition(roi, Pose(0, 0, 10, 0), run.recipe.sample, run.description.camera)


def test_what_is_planned_is_what_the_steps_say(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        for acquisition, roi in ((mosaic_of(run), ""), (scan_of(run), "roi-01")):
            run.plan_frames(acquisition)
            assert [
                (plan.frame_id, plan.kind, plan.number, plan.target, plan.exposure_s, plan.binning, plan.stage)
                for plan in run.journal.planned_frames(roi)
            ] == [
                (step.frame_id, step.kind, step.index, step.pose, acquisition.exposure_s, acquisition.binning,
                 acquisition.stage)
                for step in acquisition.steps
            ]  # fmt: skip

    stand.act(act)
    assert stand.events(StagePlanned) == [StagePlanned("mosaic", 6, t_s=0.0), StagePlanned("roi-01", 10, t_s=0.0)]


def test_a_hold_returns_to_where_it_came_from(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        for trigger in TO_PICKING:
            run.states.go(trigger)
        async with run.hold("no beam"):
            assert run.states.state is RunState.HELD
            await run.clock.sleep(60.0)
        assert run.states.state is RunState.PICKING
        assert [record.state for record in run.journal.states()[-3:]] == [
            RunState.PICKING,
            RunState.HELD,
            RunState.PICKING,
        ]

    stand.act(act)
    assert stand.events(RunHeld) == [RunHeld("no beam", t_s=0.0)]
    assert stand.events(RunReleased) == [RunReleased("no beam", t_s=60.0)]


def test_an_error_in_a_hold_leaves_the_way_out_to_whoever_holds_next(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        for trigger in TO_PICKING:
            run.states.go(trigger)
        with pytest.raises(OSError, match="worse"):
            async with run.hold("no beam"):
                raise OSError("worse")
        assert run.states.state is RunState.HELD
        async with run.hold("no instrument"):
            pass
        assert run.states.state is RunState.PICKING

    stand.act(act)
    assert len(stand.events(RunReleased)) == 1


def test_a_state_that_cannot_be_recorded_is_still_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise StorageError("disk I/O error")

    async def act(run: RunContext) -> None:
        monkeypatch.setattr(Journal, "set_state", refuse)
        with pytest.raises(StorageError):
            run.states.go("connect")

    stand.act(act)
    assert stand.events(StateEntered) == [StateEntered(RunState.CONNECTING, t_s=0.0)]


def test_the_life_of_a_region_is_recorded_and_told(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        run.set_roi_state("roi-01", RoiState.SCANNED)
        run.set_roi_state("roi-01", RoiState.QUARANTINED, "empty")
        record = run.journal.roi_states()["roi-01"]
        assert (record.state, record.reason) == (RoiState.QUARANTINED, "empty")

    stand.act(act)
    assert [event.text for event in stand.events(RoiStateEntered)] == ["roi-01: scanned", "roi-01: quarantined: empty"]


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("side", [0, 1])
def test_limits_that_shrank_are_held_against_what_is_still_ahead(tmp_path: Path, axis: str, side: int) -> None:
    """Both ends of each axis: a scan at +-100 um, and an instrument that comes back with 90."""
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        place = 100.0 if side else -100.0
        at = replace(Pose(0, 0, 10, 0), **{f"{axis}_um": place})
        scan = run.recipe.scan.acquisition("roi-01", at, run.recipe.sample, run.description.camera)
        run.ahead["roi-01"] = replace(scan, steps=tuple(step for step in scan.steps if step.pose.theta_deg == 0.0))
        assert run.ahead["roi-01"].steps
        before = run.renew_guard()
        described = run.description
        narrower = replace(described.axes[axis], **{"high_limit" if side else "low_limit": 0.9 * place})
        narrow = replace(described, axes={**described.axes, axis: narrower})
        run.instrument.describe = lambda: narrow  # type: ignore[method-assign]
        with pytest.raises(SafetyRefusal, match="roi-01/proj"):
            run.renew_guard()
        assert run.guard is before

    stand.act(act)


def test_a_frame_is_on_the_disk_with_its_own_time_and_pose_before_it_counts(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        scan = scan_of(run)
        run.plan_frames(scan)
        sink, step = JournalSink(run), scan.steps[-3]
        assert await sink.intend(step) == 1
        assert run.journal.open_attempts() == [(step.frame_id, 1)]
        await sink.retake(step, 1, "odd")
        await run.clock.sleep(5.0)
        assert await sink.intend(step) == 2
        image = np.arange(12, dtype=np.uint16).reshape(3, 4)
        actual = Pose(1.0, 2.0, 3.0, 4.5)
        await sink.keep(step, 2, CameraFrame(image, 77, 5.25, 6.25), actual)
        kept = run.journal.kept_frame(step.frame_id)
        assert kept is not None
        assert kept.exposure == Exposure(actual, 5.25, 6.25, 77)
        assert (run.folder.path / kept.path).name.endswith(".a2.tif")
        np.testing.assert_array_equal(run.frames.load(step.frame_id), image)
        await sink.declare_missing(scan.steps[-1], "never came")
        assert run.journal.missing_frames() == {scan.steps[-1].frame_id: "never came"}
        assert run.journal.rejections(step.frame_id) == {1: "odd"}

    stand.act(act)
