"""One function per stage: what a run does between two states. Each knows its own rooms; the runner says when."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.contracts.handoff import HANDOFF
from xrm_control.core.errors import DataError, DeviceError, FrameLost, FrameUnusable, UnusableData
from xrm_control.core.events import (
    FrameConfirmed,
    FrameKept,
    InstrumentBegun,
    InstrumentReached,
    LimitsDiffer,
    LimitsKnown,
    RotationPairLost,
    SourceDown,
    StageBegun,
    StageEnded,
)
from xrm_control.core.frame_id import MOSAIC
from xrm_control.core.states import REFERENCES, FrameKind, RunState
from xrm_control.mosaic.file import write_mosaic
from xrm_control.mosaic.placement import LEAST_KNOWN, UNKNOWN
from xrm_control.mosaic.stitching import Mosaic, Tile, stitch, transmission
from xrm_control.processing.achieved import achieved
from xrm_control.processing.live import LivePreview
from xrm_control.recipe.planning import make_plan
from xrm_control.roi.strategy import Roi
from xrm_control.session import earlier, registered
from xrm_control.session.context import RunContext, aside
from xrm_control.storage.artifacts import record_file
from xrm_control.storage.frames import read_frame
from xrm_control.storage.records import ArtifactKind

# Of each kind, the newest: as many as tell one that is odd from the others.
_REFERENCES_RECALLED = 10


async def connect(run: RunContext) -> None:
    """Reach every device, and write down what it says of itself."""
    run.events.emit(InstrumentBegun(run.description.name))
    await run.instrument.connect()
    run.events.emit(InstrumentReached(run.description.name))
    run.renew_guard()
    _compare_limits(run)
    # The plan was made from what was known without the instrument; its positions must suit what was found. Of a run
    # that goes on, each stage holds what is still ahead against it.
    if not run.decided():
        make_plan(run.recipe, run.description)
    source = await run.instrument.source.read()
    if not source.available:
        run.events.emit(SourceDown())
    # A powder takes seconds to make: the way to stop stays open.
    truth = await aside(run.instrument.truth)
    if truth is not None and not run.recorded(run.folder.truth.name):
        await run.on_disk(lambda: run.folder.write_json(run.folder.truth, truth, replace=True))
        record_artifact(run, run.folder.truth.name, ArtifactKind.TRUTH)


def _compare_limits(run: RunContext) -> None:
    """Hold the limits of now against those of the run's beginning, and tell what differs."""
    now = {axis: list(bounds) for axis, bounds in run.guard.limits.items()}
    first = next(iter(run.journal.events_of(LimitsKnown.kind)), None)
    if first is None:
        run.events.emit(LimitsKnown(now))
        return
    for axis, was in first.data["limits"].items():
        if axis in now and now[axis] != was:
            run.events.emit(LimitsDiffer(axis, was, now[axis]))


async def home(run: RunContext) -> None:
    """Bring the axes to a known position and verify it."""
    await run.engine.recovering(lambda: _home(run), RunState.HOMING)


async def _home(run: RunContext) -> None:
    if run.instrument.blocker is not None:
        await run.instrument.blocker.set(False)
    await run.instrument.home()
    for name, axis in run.instrument.axes.items():
        reading = await axis.read()
        tolerance = run.description.axes[name].tolerance
        if reading.moving or abs(reading.position) > tolerance:
            raise DeviceError(
                "the axis is not where homing should have left it",
                where=f"axis {name}",
                value=f"{reading.position:g}",
                limit=f"0 +- {tolerance:g}",
                remedy="home it by hand and look for an obstacle",
            )


async def map_sample(run: RunContext, planned: Callable[[Acquisition], None] = lambda _: None) -> Mosaic:
    """Take the mosaic, or look at parts of an earlier one, stitch it, and keep it as a calibrated OME-TIFF.

    `planned` is called when its frames are.
    """
    spec, camera = run.recipe.mosaic, run.description.camera
    if spec.earlier is not None:
        await run.on_disk(earlier.bring, run, spec.earlier)
    acquisition = spec.acquisition(run.recipe.sample, camera)
    require_reach(run, acquisition)
    run.ahead[acquisition.stage] = acquisition
    run.plan_frames(acquisition)
    planned(acquisition)
    steps = run.open_steps(acquisition)
    if steps:
        with told(run, MOSAIC, len(steps)):
            await run.engine.configure(acquisition)
            await recall(run, acquisition)
            references, rest = split(run.open_steps(acquisition), FrameKind.TILE)
            # Without references no tile can be used: that is known before the first of them is exposed.
            with _needing_one_of_each_kind(run, acquisition):
                await run.engine.run(references)
                _require_references(run, split(acquisition.steps, FrameKind.TILE)[0])
                await run.engine.run(rest)
            await run.engine.close()
    del run.ahead[acquisition.stage]
    mosaic = await run.on_disk(_stitch, run, acquisition)
    if spec.earlier is not None:
        earlier.tell(run, spec.earlier, mosaic)
    elif run.shows_sample:
        registered.tell(run, mosaic)
    if not await run.on_disk(run.recorded, "mosaic.ome.tif"):
        await run.on_disk(write_mosaic, mosaic, run.folder.mosaic_tiff)
        await run.on_disk(record_artifact, run, "mosaic.ome.tif", "mosaic")
        run.instrument.sign_of_life()
    return mosaic


async def recall(
    run: RunContext, acquisition: Acquisition, hear: Callable[[FrameKept], Awaitable[None]] | None = None
) -> None:
    """Know again what is kept of an acquisition that was begun before; `hear` is told of each frame, as if it came.

    Whoever began it may have died between knowing that a frame does not fit its fellows and putting that on record: it
    is withdrawn then, and open.
    """
    if not run.engine.knows_references:
        await _recall_references(run, acquisition)
    confirmed_s = {str(event.data["frame"]): event.t_s for event in run.journal.events_of(FrameConfirmed.kind)}
    for step, frame in run.kept(acquisition):
        image = await run.on_disk(read_frame, run.folder, frame)
        sure = confirmed_s.get(step.frame_id, -math.inf) >= frame.exposure.t_start_s
        run.engine.recall(step, frame.attempt, image, confirmed=sure)
        if hear is not None:
            await hear(FrameKept(step.frame_id, step.kind, step.index, frame.exposure.actual.theta_deg, image))
    if run.kept(acquisition):
        await run.engine.second_look.doubt({step.frame_id for step in run.open_steps(acquisition)})


async def _recall_references(run: RunContext, acquisition: Acquisition) -> None:
    """Whoever goes on with a run knows the darks and flats of the acquisitions before it, as whoever began it did."""
    setting = (acquisition.binning, acquisition.exposure_s)
    for kind in REFERENCES:
        alike = [
            frame
            for plan, frame in run.journal.stored_frames()
            if plan.kind == kind and plan.stage != acquisition.stage and (plan.binning, plan.exposure_s) == setting
        ]
        known: list[NDArray[Any]] = []
        for frame in reversed(alike):
            # Of a region that is over nothing is taken again: a file that is gone is no reason not to go on.
            with contextlib.suppress(DataError):
                known.append(await run.on_disk(read_frame, run.folder, frame))
            if len(known) == _REFERENCES_RECALLED:
                break
        for image in reversed(known):
            run.engine.recall_reference(kind, image)


def require_reach(run: RunContext, acquisition: Acquisition) -> None:
    """Hold what is ahead of an acquisition against the limits in force now. Raises SafetyRefusal."""
    over = run.decided()
    run.guard.check_path((step.frame_id, step.pose) for step in acquisition.steps if step.frame_id not in over)


@contextlib.contextmanager
def _needing_one_of_each_kind(run: RunContext, acquisition: Acquisition) -> Generator[None, None, None]:
    """A frame without which there is no mosaic is not given up. Raises UnusableData for it."""
    try:
        yield
    except (FrameLost, FrameUnusable) as error:
        raise UnusableData(
            "no mosaic without this frame, the last of its kind",
            where=run.open_steps(acquisition)[0].frame_id,
            value=error.what,
            remedy="look at camera, shutter and beam; then `xrm resume` the run, which takes it again",
        ) from error


def _require_references(run: RunContext, steps: tuple[FrameStep, ...]) -> None:
    """Raise UnusableData when all darks, or all flats, among `steps` are missing."""
    missing = run.journal.missing_frames()
    for kind in REFERENCES:
        taken = [step.frame_id for step in steps if step.kind == kind]
        if taken and all(name in missing for name in taken):
            raise UnusableData(
                f"all {kind}s of the mosaic are missing",
                where="mosaic",
                value=f"{taken[0]}: {missing[taken[0]]}",
                remedy="look at camera, shutter and beam, then start the recipe again",
            )


def _stitch(run: RunContext, acquisition: Acquisition) -> Mosaic:
    stored = {frame.frame_id: frame for _, frame in run.journal.stored_frames("")}

    def stack(kind: FrameKind) -> np.ndarray:
        names = [step.frame_id for step in acquisition.steps if step.kind == kind and step.frame_id in stored]
        if not names:
            raise UnusableData(f"no {kind} of the mosaic was kept", where="mosaic", remedy="see log.jsonl for why")
        return run.frames.load_stack(names)

    flat, dark = stack(FrameKind.FLAT), stack(FrameKind.DARK)
    tiles: list[Tile] = []
    for step in acquisition.of_kind(FrameKind.TILE):
        if step.frame_id in stored:
            row, column = run.recipe.mosaic.tile_of(step.index)
            pose = stored[step.frame_id].exposure.actual
            image = transmission(run.frames.load(step.frame_id), flat, dark)
            tiles.append(Tile(row, column, image, pose.x_um, pose.y_um))
            run.instrument.sign_of_life()
    pixel_um = run.description.camera.binned_pixel_um(acquisition.binning)
    if run.recipe.mosaic.earlier is not None:
        return earlier.found_again(run, tiles, pixel_um)
    alignment = run.recipe.alignment
    return stitch(
        tiles,
        pixel_um,
        stage_accuracy_um=run.recipe.mosaic.stage_accuracy_um,
        picture_to_stage=None if alignment is None else np.array(alignment.picture_to_stage),
        known_to=UNKNOWN if alignment is None else max(alignment.known_to, LEAST_KNOWN),
        told=run.instrument.sign_of_life,
    )


def split(
    steps: tuple[FrameStep, ...], kind: FrameKind = FrameKind.PROJECTION
) -> tuple[tuple[FrameStep, ...], tuple[FrameStep, ...]]:
    """The frames before the first of `kind` (darks, references), and the rest."""
    first = next((at for at, step in enumerate(steps) if step.kind == kind), 0)
    return steps[:first], steps[first:]


async def align(run: RunContext, acquisition: Acquisition, steps: tuple[FrameStep, ...]) -> None:
    """Bring the ROI to the rotation axis at the first angle of `steps`, camera configured."""
    await run.engine.configure(acquisition)
    first = next((step for step in steps if step.kind == FrameKind.PROJECTION), None)
    if first is not None:
        await run.engine.move(first.pose, f"{acquisition.stage}, first angle")


async def take(run: RunContext, acquisition: Acquisition, steps: tuple[FrameStep, ...], name: str) -> None:
    """Carry out a part of a scan; after it the shutter is closed."""
    if not steps:
        return
    with told(run, f"{acquisition.stage} {name}", len(steps)):
        await run.engine.run(steps)
        await run.engine.close()


@contextlib.asynccontextmanager
async def preview(run: RunContext, acquisition: Acquisition) -> AsyncGenerator[LivePreview, None]:
    """While the block runs, slices of what is scanned grow in the ROI's folder."""
    roi = acquisition.stage
    spec = run.recipe.reconstruction
    # The axis of this scan shows at its end; that of the region before is the best guess.
    guess = spec.rotation_axis if spec.rotation_axis != "auto" else await run.on_disk(_known_axis_px, run)
    live = LivePreview(
        acquisition,
        run.description.camera.binned_pixel_um(acquisition.binning),
        spec.preprocess,
        guess,
        run.folder.roi(roi).preview,
        run.events,
    )
    # Of half views alone, slices would show half of the region.
    if not run.shows_sample or run.recipe.scan.axis_offset_um:
        live.close()
    try:
        with run.events.listening(live.hear, "the preview"):
            yield live
        await live.finish()
    finally:
        live.close()


def _known_axis_px(run: RunContext) -> float | None:
    """The rotation axis as a region measured before has it; None before the first."""
    for roi in achieved(run.folder, run.journal).reported:
        return HANDOFF.read(run.folder.roi(roi).handoff).rotation_axis_px
    return None


def check(run: RunContext, roi: Roi) -> str | None:
    """Account for every frame of a finished scan; None when it can be reconstructed, else why not."""
    del run.ahead[roi.name]
    plans = {plan.frame_id: plan.kind for plan in run.journal.planned_frames(roi.name)}
    _tell_of_lost_pair(run, roi)
    missing = [plans[name] for name in run.journal.missing_frames() if name in plans]
    projections = sum(kind == FrameKind.PROJECTION for kind in plans.values())
    lost = missing.count(FrameKind.PROJECTION)
    allowed = run.recipe.scan.missing_allowed_percent
    if lost > projections * allowed / 100:
        return f"{lost} of {projections} projections are missing, more than {allowed:g} %"
    for kind in (FrameKind.FLAT, FrameKind.DARK):
        taken = sum(k == kind for k in plans.values())
        if missing.count(kind) == taken:
            return f"all {taken} {kind}s are missing"
    return None


def _tell_of_lost_pair(run: RunContext, roi: Roi) -> None:
    """An automatic rotation axis is less exact when the views half a turn apart are not all there."""
    if run.recipe.reconstruction.rotation_axis != "auto":
        return
    planned = [p.target.theta_deg for p in run.journal.planned_frames(roi.name) if p.kind == FrameKind.PROJECTION]
    kept = [p.target.theta_deg for p, _ in run.journal.stored_frames(roi.name) if p.kind == FrameKind.PROJECTION]
    best, left = (min((abs(b - a - 180) for a in thetas for b in thetas), default=180.0) for thetas in (planned, kept))
    if left > best + 0.01:
        run.events.emit(RotationPairLost(roi.name, left))


def record_artifact(run: RunContext, name: str, kind: str, roi: str = "") -> None:
    """Commit a durable file of the run folder to the journal."""
    record_file(run.folder, run.journal, run.folder.path / name, kind, run.clock.now_s(), roi)


@contextlib.contextmanager
def told(run: RunContext, name: str, total: int) -> Generator[None, None, None]:
    """The block is a stage of `total` steps, for whoever listens."""
    run.events.emit(StageBegun(name, total))
    yield
    run.events.emit(StageEnded(name))
