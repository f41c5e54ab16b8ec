"""Before a run goes on: are its frames still what was committed, and is the sample still what was seen, where it was?

A fresh run has kept nothing yet, and none of this concerns it. Whoever goes on has homed the axes; what was
seen before is looked at once more and held against itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.core.errors import DataError, SampleMoved, UnusableData
from xrm_control.core.events import (
    AnyEvent,
    EventStream,
    FrameConfirmed,
    FrameKept,
    FrameWithdrawn,
    SampleCompared,
    SampleNotCompared,
    ScanBegunAnew,
)
from xrm_control.core.geometry import Pose
from xrm_control.core.states import ROI_ENDS, FrameKind
from xrm_control.devices.protocols import CameraFrame
from xrm_control.mosaic.displacement import Displacement, displacement, stands_out
from xrm_control.mosaic.tiles import Mosaic, Picture, transmission
from xrm_control.session import stages
from xrm_control.session.context import RunContext, step_of
from xrm_control.storage.frames import encode_frame, read_frame
from xrm_control.storage.records import Exposure, PlannedFrame, StoredFrame

_LIT = (FrameKind.TILE, FrameKind.PROJECTION)
AGAIN = "again"
"""The stage in which a view is taken to be compared; the frame's name follows."""
# Views that are looked at, newest first, until one shows something that can be recognised.
_LOOKED_AT = 12
# Light that differs by no more than this from what it was is the same.
_SAME_LIGHT = 0.02

# Sine of the angle between two views from which on the second one adds something.
_ACROSS = 0.5

_Committed = tuple[PlannedFrame, StoredFrame]


@dataclass(frozen=True)
class _View:
    """A kept view: its plan, its counts, and the mean flat and dark that go with it."""

    plan: PlannedFrame
    image: NDArray[np.generic]
    flat: Picture
    dark: Picture


@dataclass(frozen=True)
class Found:
    """What was found where the run had stood. flux_ratio: light now against then; None when nothing was compared."""

    off_um: float = 0.0
    flux_ratio: float | None = None


async def look_again(run: RunContext) -> Found:
    """Hold frames against their hashes, and a view or two against the sample of now. Nothing where nothing was kept.

    Raises SampleMoved, with the figure.
    """
    if not run.journal.stored_frames():
        return Found()
    for plan, reason in await run.on_disk(_damaged, run):
        run.journal.retake(plan.frame_id, reason, t_s=run.clock.now_s())
        run.events.emit(FrameWithdrawn(plan.frame_id, reason))
    return await compare_sample(run)


async def compare_sample(run: RunContext) -> Found:
    """Hold a view or two of those that were kept against the sample of now. Nothing where nothing was, or all is taken.

    Raises SampleMoved, with the figure.
    """
    if run.all_taken() or not run.journal.stored_frames():
        return Found()
    views = await run.on_disk(_telling_views, run)
    if not views:
        run.events.emit(SampleNotCompared("no view was kept that shows anything"))
    found = [await _compare(run, view) for view in views]
    return Found(max((one.off_um for one in found), default=0.0), next((one.flux_ratio for one in found), None))


async def _compare(run: RunContext, view: _View) -> Found:
    """Take a view again and hold it against itself. Raises SampleMoved."""
    plan = view.plan
    with stages.told(run, f"{AGAIN} {plan.frame_id}", 1):
        frame = await _take(run, plan)
    flux_ratio = _light(frame.image, view.dark) / _light(view.image, view.dark)
    seen, known = (transmission(image, view.flat, view.dark) for image in (frame.image, view.image))
    off = await run.on_disk(_displacement, run, plan.binning, seen, known)
    if off is None:
        run.events.emit(SampleNotCompared(f"nothing to recognise in {plan.frame_id}"))
        return Found(flux_ratio=flux_ratio)
    run.events.emit(SampleCompared(str(plan.frame_id), off.x_um, off.y_um, off.likeness, flux_ratio))
    allowed_um = run.recipe.scan.moved_allowed_um
    if not off.recognised:
        raise SampleMoved(
            "what the instrument sees is not what the run had seen there",
            where=plan.frame_id,
            value=f"correlation {off.likeness:.2f}",
            limit="0.6",
            remedy="put the sample of this run back where it was, or start a new run for the one that is there",
        )
    if off.distance_um > allowed_um:
        raise SampleMoved(
            f"the sample has moved since, as seen at {plan.target.theta_deg:.1f} deg",
            where=plan.frame_id,
            value=f"across {off.x_um:+.2f} um, down {off.y_um:+.2f} um",
            limit=f"{allowed_um:g} um (scan.moved_allowed_um)",
            remedy="move it back, or look for an axis that was given another offset; then resume again",
        )
    return Found(off.distance_um, flux_ratio)


def fit_together(run: RunContext, acquisition: Acquisition, found: Found) -> bool:
    """See to it that what is taken from now on goes with what was kept of this acquisition; else all is taken again.
    Whether it is.

    A sample that lies more than a pixel beside where it was blurs the volume. Flats of before and after a step of the
    light, weighted by time, are right for neither side of it.
    """
    kept = run.kept(acquisition)
    if not run.open_steps(acquisition) or not any(step.kind in _LIT for step, _ in kept):
        return False
    pixel_um = run.description.camera.binned_pixel_um(acquisition.binning)
    if found.off_um > pixel_um:
        _begin_anew(run, acquisition, f"the sample lies {found.off_um:.2f} um beside, a pixel is {pixel_um:.2f} um")
        return True
    if found.flux_ratio is not None and abs(found.flux_ratio - 1) > _SAME_LIGHT:
        _begin_anew(run, acquisition, f"the light is {100 * found.flux_ratio:.1f} % of what it was")
        return True
    return False


def _begin_anew(run: RunContext, acquisition: Acquisition, reason: str) -> None:
    kept = run.kept(acquisition)
    for step, _ in kept:
        run.journal.retake(step.frame_id, reason, t_s=run.clock.now_s())
    run.events.emit(ScanBegunAnew(acquisition.stage, len(kept), reason))


def _damaged(run: RunContext) -> list[tuple[PlannedFrame, str]]:
    """Frames whose files are not what was committed, and why; of regions that were measured nothing is taken again."""
    over = {roi for roi, record in run.journal.roi_states().items() if record.state in ROI_ENDS}
    found: list[tuple[PlannedFrame, str]] = []
    for plan, frame in run.journal.stored_frames():
        if plan.roi not in over:
            # Thousands of frames take minutes to be hashed.
            run.instrument.sign_of_life()
            try:
                read_frame(run.folder, frame)
            except DataError as error:
                found.append((plan, error.what))
    return found


def _telling_views(run: RunContext) -> list[_View]:
    """The newest kept view with something to recognise in it, and one that sees what that one does not.

    A view shows nothing of a move along its beam: of a scan, one of those that were turned by the most towards a right
    angle is added.
    """
    kept = sorted(run.journal.stored_frames(), key=lambda one: one[1].exposure.t_end_s)
    lit = [(plan, frame) for plan, frame in reversed(kept) if plan.kind in _LIT]
    newest = next((view for one in lit[:_LOOKED_AT] if (view := _view(run, kept, one)) is not None), None)
    if newest is None:
        return []
    theta_deg, stage = newest.plan.target.theta_deg, newest.plan.stage

    def across(one: _Committed) -> float:
        return abs(math.sin(math.radians(one[0].target.theta_deg - theta_deg)))

    other = max((one for one in lit if one[0].stage == stage), key=across)
    second = _view(run, kept, other) if across(other) >= _ACROSS else None
    return [newest] if second is None else [newest, second]


def _view(run: RunContext, kept: list[_Committed], one: _Committed) -> _View | None:
    """A kept view with its references; None where it has none, shows nothing, or its region's files are gone."""
    plan, frame = one
    try:
        flat, dark = (_mean(run, kept, plan.stage, kind) for kind in (FrameKind.FLAT, FrameKind.DARK))
        image = read_frame(run.folder, frame)
    except DataError:
        # Only of a region that is over: all else was looked at before, and is taken again.
        return None
    if flat is None or dark is None:
        return None
    return _View(plan, image, flat, dark) if stands_out(transmission(image, flat, dark)) else None


def _mean(run: RunContext, kept: list[_Committed], stage: str, kind: FrameKind) -> Picture | None:
    names = [plan.frame_id for plan, _ in kept if plan.stage == stage and plan.kind is kind]
    return run.frames.load_stack(names).mean(axis=0, dtype=np.float32) if names else None


async def _take(run: RunContext, plan: PlannedFrame) -> CameraFrame:
    """One more exposure of a planned frame. It is kept beside the run's frames, and is none of them."""
    step = step_of(plan)
    acquisition = Acquisition(plan.stage, plan.binning, plan.exposure_s, (step,))
    sink, events = _Beside(run), EventStream(run.clock.now_s)
    # It is not one of the frames that screens and preview count.
    events.subscribe(lambda event: None if _counts(event) else run.events.emit(event), "the run")
    engine = run.make_engine(sink, events)
    engine.obey(run.gate)
    await engine.configure(acquisition)
    await engine.run((step,))
    await engine.close()
    if sink.frame is None:
        raise UnusableData(
            "no view could be taken to compare the sample with what was seen before",
            where=plan.frame_id,
            value=sink.reason,
            remedy="look at camera, shutter and beam; then resume again",
        )
    return sink.frame


def _counts(event: AnyEvent) -> bool:
    return isinstance(event, FrameKept | FrameConfirmed)


class _Beside:
    """A sink for a view that is taken again to be compared: a file of the run, and no frame of its plan."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._attempts = 0
        self.frame: CameraFrame | None = None
        self.reason = ""

    async def intend(self, step: FrameStep) -> int:
        """See `FrameSink.intend`."""
        self._attempts += 1
        return self._attempts

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        """See `FrameSink.keep`."""
        run, exposure = self._run, Exposure(actual, frame.started_s, frame.ended_s, frame.unique_id)
        name = f"{step.frame_id.replace('/', '_')}_at_{frame.started_s:.0f}s.tif"
        path = run.folder.checks / name
        data = encode_frame(step.frame_id, attempt, frame.image, exposure)
        await run.on_disk(lambda: run.folder.write_bytes(path, data, replace=True))
        await run.on_disk(stages.record_artifact, run, run.folder.relative(path), "check")
        self.frame = frame

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        """See `FrameSink.retake`."""
        self.frame, self.reason = None, reason

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        """See `FrameSink.declare_missing`."""
        self.reason = reason


def _light(image: NDArray[np.generic], dark: Picture) -> float:
    """Counts above the dark, over the whole frame: the sample takes the same share of them before and after."""
    return float(np.mean(np.asarray(image, np.float64) - dark))


def _displacement(run: RunContext, binning: int, now: Picture, before: Picture) -> Displacement | None:
    """How far what is seen now lies beside what was seen before, in the plane of the detector; transmissions."""
    camera = run.description.camera
    pixel_um = camera.binned_pixel_um(binning)
    rows, columns = before.shape
    left_um, top_um = (-(n - 1) / 2 * pixel_um for n in (columns, rows))
    chart = Mosaic(before, left_um, top_um, pixel_um, np.zeros((1, 2)), None)
    return displacement(now, pixel_um, (0.0, 0.0), chart, camera.field_of_view_um / 2)
