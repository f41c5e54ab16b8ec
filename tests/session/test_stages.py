"""Single stages of a run: what the instrument did on the way, and what of the recipe reaches it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.session.bench import Stand
from tests.session.scripted import FEW, with_faults
from xrm_control.core.errors import DataError, DeviceError, DiskFull, UnusableData
from xrm_control.core.events import (
    InstrumentBegun,
    InstrumentReached,
    LimitsKnown,
    RoiChosen,
    RotationPairLost,
    RunReplanned,
    SourceDown,
    StageBegun,
    StageEnded,
)
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.devices.simulated import SimulatedInstrument
from xrm_control.roi.strategy import Roi
from xrm_control.session import region_scan, regions, stages
from xrm_control.session.context import RunContext

ROI = Roi("roi-01", 0.0, 0.0, 10.0, 65.5, 65.5, "here", 1)


async def ready(run: RunContext) -> None:
    """Connected and homed, as far as the states go."""
    run.states.go("connect")
    await stages.connect(run)
    run.states.go("home")
    await stages.home(run)
    run.states.go("map")


def test_connecting_says_so_and_writes_down_what_a_simulated_sample_is(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.act(stages.connect)
    assert [type(event) for event in stand.heard] == [InstrumentBegun, InstrumentReached, LimitsKnown]
    assert stand.folder.truth.is_file()


def test_a_source_that_is_down_is_told_and_waited_for_later(tmp_path: Path) -> None:
    stand = Stand(tmp_path, **with_faults({"kind": "beam_loss", "at_s": 0.0, "duration_s": 60.0}))
    stand.act(stages.connect)
    assert len(stand.events(SourceDown)) == 1


@pytest.mark.parametrize("axis", ["x", "y", "z", "theta"])
@pytest.mark.parametrize("off", [-1.0, 1.0])
def test_homing_is_believed_only_when_every_axis_reads_zero(tmp_path: Path, axis: str, off: float) -> None:
    class Displaced(SimulatedInstrument):
        async def home(self) -> None:
            await super().home()
            await self.axes[axis].move(off)

    stand = Stand(tmp_path, lambda microscope, clock: Displaced(microscope, clock))

    async def act(run: RunContext) -> None:
        run.states.go("connect")
        await stages.connect(run)
        run.states.go("home")
        with pytest.raises(DeviceError, match=f"axis {axis}: .*homing"):
            await stages.home(run)

    stand.act(act)


def test_the_mosaic_is_taken_as_planned_and_leaves_the_shutter_closed(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> float:
        await ready(run)
        await stages.map_sample(run)
        assert not run.ahead
        return run.clock.now_s()

    ended_s = stand.act(act)
    assert not stand.shutter_open(ended_s)
    (begun,), (ended,) = stand.events(StageBegun), stand.events(StageEnded)
    assert (begun.stage, begun.total, ended.stage) == ("mosaic", 6, "mosaic")
    assert stand.instrument is not None
    seen = stand.instrument.microscope.trace(ended_s).exposures
    # A dark, a flat beside the strip, and four tiles: the shutter as each wants it, by the microscope's own trace.
    assert [round(one.open_fraction) for one in seen] == [0, 1, 1, 1, 1, 1]
    assert ended.t_s - begun.t_s < ended_s - seen[0].begin_s + 60


def test_without_references_no_tile_is_exposed(tmp_path: Path) -> None:
    lost = with_faults({"kind": "dropped_frame", "frames": [*range(1, 40)]})
    stand = Stand(tmp_path, **lost)

    async def act(run: RunContext) -> None:
        await ready(run)
        with pytest.raises(UnusableData, match="mosaic/dark_0000: no mosaic without this frame"):
            await stages.map_sample(run)
        assert not missing(run)

    stand.act(act)


def missing(run: RunContext) -> dict[Any, str]:
    return dict(run.journal.missing_frames())


def test_regions_are_told_and_the_screens_know_of_as_many_frames_as_will_come(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        await ready(run)
        mosaic = await stages.map_sample(run)
        run.states.go("pick")
        (roi,) = await regions.pick(run, mosaic)
        assert list(run.ahead) == [roi.name]
        assert run.folder.rois.is_file()

    stand.act(act)
    (chosen,) = stand.events(RoiChosen)
    assert (chosen.roi, chosen.x_um, chosen.y_um) == ("roi-01", 0.0, 0.0)
    (plan,) = stand.events(RunReplanned)
    assert plan.images == (4 + 1 + 1) + (7 + 2 + 1)
    assert plan.planned_s == pytest.approx(stand.plan.total_s)


def test_choosing_regions_gives_a_sign_of_life_after_what_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watchdog that hears nothing for minutes takes the run for one that hangs."""
    done: list[str] = []

    class Heard(SimulatedInstrument):
        def sign_of_life(self) -> None:
            done.append("a sign of life")

    stand = Stand(tmp_path, lambda microscope, clock: Heard(microscope, clock))

    async def act(run: RunContext) -> None:
        await ready(run)
        mosaic = await stages.map_sample(run)
        run.states.go("pick")
        carry_out = run.on_disk

        async def noted(function: Any, *arguments: Any) -> Any:
            done.append(function.__name__.strip("_"))
            return await carry_out(function, *arguments)

        done.clear()
        monkeypatch.setattr(run, "on_disk", noted)
        await regions.pick(run, mosaic)

    stand.act(act)
    after = dict(itertools.pairwise(done))
    assert (after["particles"], after["chosen"]) == ("a sign of life", "a sign of life")


@pytest.mark.parametrize(
    ("regions_to_scan", "short_bytes", "fits"),
    [(1, 0, True), (1, 1, False), (3, 0, True), (3, 1, False), (0, 0, True), (0, 1, False)],
)
def test_what_a_place_adds_must_leave_the_room_that_is_to_stay_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, regions_to_scan: int, short_bytes: int, fits: bool
) -> None:
    """Of a disk with room for these scans and 2 GB beside them, or for a byte less."""
    stand = Stand(tmp_path, output={"keep_free_gb": 2.0})
    (scan,) = (stage.bytes for stage in stand.plan.stages if stage.name == "roi-01")
    free = regions_to_scan * scan + 2_000_000_000 - short_bytes
    monkeypatch.setattr(regions, "free_bytes", lambda _: free)
    rois = [dataclasses.replace(ROI, name=f"roi-{number:02d}") for number in range(1, 1 + regions_to_scan)]

    async def act(run: RunContext) -> None:
        if fits:
            regions._require_room(run, rois)
            return
        with pytest.raises(DiskFull, match=r"regions still to be scanned \+ 2 GB to stay free"):
            regions._require_room(run, rois)

    stand.act(act)


# Frames that are missing of 40 views, 2 flats, 1 dark; allowed percent -> why the region is set aside.
CHECKS = [
    ((0, 0, 0), 2.0, None),
    ((1, 0, 0), 2.5, None),
    ((1, 0, 0), 2.0, "1 of 40 projections are missing, more than 2 %"),
    ((2, 0, 0), 2.5, "2 of 40 projections"),
    ((2, 0, 0), 5.0, None),
    ((0, 1, 0), 0.0, None),
    ((0, 2, 0), 50.0, "all 2 flats are missing"),
    ((0, 0, 1), 50.0, "all 1 darks are missing"),
]


@pytest.mark.parametrize(("lost", "allowed", "said"), CHECKS)
def test_a_scan_is_accounted_for_before_it_is_reconstructed(
    tmp_path: Path, lost: tuple[int, int, int], allowed: float, said: str | None
) -> None:
    stand = Stand(tmp_path, scan={**FEW, "projections": 40, "missing_allowed_percent": allowed})

    async def act(run: RunContext) -> str | None:
        acquisition = regions.scan_of(run, ROI)
        run.plan_frames(acquisition)
        run.ahead[ROI.name] = acquisition
        for kind, count in zip((FrameKind.PROJECTION, FrameKind.FLAT, FrameKind.DARK), lost, strict=True):
            names = [step.frame_id for step in acquisition.of_kind(kind)[:count]]
            run.journal.declare_missing(names, "lost", t_s=0.0)
        why = stages.check(run, ROI)
        assert ROI.name not in run.ahead
        return why

    why = stand.act(act)
    assert (why is None) if said is None else (why is not None and said in why)


@pytest.mark.parametrize(
    ("views_lost", "axis", "missed_deg"),
    # Half a turn is that of the first view and the last; 7 views are 30 degrees apart.
    [((), "auto", None), ((6,), "auto", 30.0), ((0,), "auto", 30.0), ((0, 6), "auto", 60.0), ((3,), "auto", None),
     ((6,), 63.5, None)],
)  # fmt: skip
def test_the_loss_of_the_pair_that_shows_the_rotation_axis_is_told(
    tmp_path: Path, views_lost: tuple[int, ...], axis: float | str, missed_deg: float | None
) -> None:
    stand = Stand(tmp_path, scan={**FEW, "missing_allowed_percent": 50}, reconstruction={"rotation_axis": axis})

    async def act(run: RunContext) -> None:
        await ready(run)
        acquisition = regions.scan_of(run, ROI)
        run.plan_frames(acquisition)
        run.ahead[ROI.name] = acquisition
        await run.engine.configure(acquisition)
        await run.engine.run(step for step in acquisition.of_kind(FrameKind.PROJECTION) if step.index not in views_lost)
        assert stages.check(run, ROI) is None

    stand.act(act)
    told = [event.missed_deg for event in stand.events(RotationPairLost)]
    assert told == ([] if missed_deg is None else [pytest.approx(missed_deg, abs=0.05)])


def test_what_comes_before_the_first_view_is_apart_from_the_rest(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        acquisition = regions.scan_of(run, ROI)
        before, rest = stages.split(acquisition.steps)
        assert [step.kind for step in before] == [FrameKind.DARK, FrameKind.FLAT]
        assert rest[0].kind is FrameKind.PROJECTION
        assert (*before, *rest) == acquisition.steps
        assert region_scan.centre_of(ROI) == Pose(0.0, 0.0, 10.0, 0.0)

    stand.act(act)


def test_aligning_brings_the_region_to_its_first_angle_with_the_camera_set(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        await ready(run)
        scan = regions.scan_of(run, ROI)
        await stages.align(run, scan, scan.steps)
        readings = {name: (await axis.read()).position for name, axis in run.instrument.axes.items()}
        assert readings == pytest.approx({"x": 0.0, "y": 0.0, "z": 10.0, "theta": -90.0}, abs=0.05)
        assert not stand.shutter_open(run.clock.now_s())

    stand.act(act)


def test_frames_are_planned_once_and_never_otherwise(tmp_path: Path) -> None:
    """Who goes on with a run plans the same frames; another exposure or place is another run."""
    stand = Stand(tmp_path)

    async def act(run: RunContext) -> None:
        scan = regions.scan_of(run, ROI)
        run.plan_frames(scan)
        run.plan_frames(scan)
        assert len(run.journal.planned_frames(ROI.name)) == len(scan.steps)
        first, *others = scan.steps
        moved = dataclasses.replace(first, pose=dataclasses.replace(first.pose, x_um=first.pose.x_um + 1.0))
        for other in (dataclasses.replace(scan, exposure_s=2.0), dataclasses.replace(scan, steps=(moved, *others))):
            with pytest.raises(DataError, match="planned otherwise"):
                run.plan_frames(other)

    stand.act(act)
