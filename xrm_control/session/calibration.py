"""Known moves on the sample, looked at: the camera's alignment measured, or held against the one of a recipe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xrm_control.acquisition.engine import Engine
from xrm_control.acquisition.references import clear_pose
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.contracts.alignment import Alignment
from xrm_control.core.errors import CameraMoved, UnusableData
from xrm_control.core.events import (
    AlignmentHeld,
    AlignmentLook,
    AlignmentNotHeld,
    AnyEvent,
    EventStream,
    FrameConfirmed,
    FrameKept,
)
from xrm_control.core.frame_id import MOSAIC, FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraDescription, CameraFrame
from xrm_control.mosaic.calibrating import Look, Measured, measure, shift_px
from xrm_control.mosaic.tiles import transmission
from xrm_control.recipe.document import Recipe
from xrm_control.session import stages
from xrm_control.session.context import RunContext
from xrm_control.storage.frames import encode_frame
from xrm_control.storage.records import Exposure

if TYPE_CHECKING:
    from xrm_control.reconstruction.tilt import Tilt

STAGE = "alignment"
# Of the field of view: far enough for a lever, near enough for a common part, whichever way the camera stands.
_MOVE, _CHECK_MOVE = 0.3, 0.4
# Both axes move each time, so that no two pictures share an error of the stage; each place from both sides.
_CORNERS = ((1, 1), (-1, -1), (1, -1), (-1, 1))
_AROUND = ((0, 0), *(place for corner in 2 * _CORNERS for place in (corner, (0, 0))))
_CHECK = ((0, 0), (1, 0), (0, 1))
# What the stored matrix may be off at the end of a move of the check, besides the stage's own errors.
_ALLOWED = 0.01
_SAME_DEG = 1.0


@dataclass(frozen=True)
class Taken:
    """A frame in memory, and where the stage read back."""

    image: np.ndarray
    pose: Pose


class MemorySink:
    """A sink for frames that are looked at and not kept."""

    def __init__(self) -> None:
        self.frames: dict[FrameId, Taken] = {}
        self.missing: dict[FrameId, str] = {}
        self._attempts = 0

    async def intend(self, step: FrameStep) -> int:
        """See `FrameSink.intend`."""
        self._attempts += 1
        return self._attempts

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        """See `FrameSink.keep`."""
        self.frames[step.frame_id] = Taken(np.asarray(frame.image), actual)

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        """See `FrameSink.retake`."""
        self.frames.pop(step.frame_id, None)

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        """See `FrameSink.declare_missing`."""
        self.missing[step.frame_id] = reason


class _CheckSink(MemorySink):
    """The same for a run: told of before it is exposed, and kept among its checks."""

    def __init__(self, run: RunContext) -> None:
        super().__init__()
        self._run = run

    async def intend(self, step: FrameStep) -> int:
        """See `FrameSink.intend`."""
        attempt, at = await super().intend(step), step.pose
        self._run.events.emit(AlignmentLook(attempt, at.x_um, at.y_um, at.z_um, at.theta_deg, step.shutter_open))
        return attempt

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        """See `FrameSink.keep`."""
        run, exposure = self._run, Exposure(actual, frame.started_s, frame.ended_s, frame.unique_id)
        path = run.folder.checks / f"{STAGE}_{attempt:02d}_at_{frame.started_s:.0f}s.tif"
        data = encode_frame(step.frame_id, attempt, frame.image, exposure)
        await run.on_disk(lambda: run.folder.write_bytes(path, data, replace=True))
        await run.on_disk(stages.record_artifact, run, run.folder.relative(path), "check")
        await super().keep(step, attempt, frame, actual)


def around(recipe: Recipe, camera: CameraDescription, centre: Pose) -> Acquisition:
    """Darks, flats, and pictures of one place after moves by a part of the field, there and back; then two opposite
    views of it, where the recipe's scans have such.
    """
    made = _acquisition(recipe, camera, centre, _AROUND, _MOVE, recipe.mosaic.flats)
    first, last = sorted((recipe.scan.start_deg, recipe.scan.end_deg))
    if last - first < 180.0:
        return made
    poses = [replace(centre, theta_deg=theta_deg) for theta_deg in (first, first + 180.0)]
    views = [FrameStep(FrameId.tile(1, at), FrameKind.TILE, len(_AROUND) + at, pose) for at, pose in enumerate(poses)]
    return replace(made, steps=(*made.steps, *views))


def _acquisition(
    recipe: Recipe,
    camera: CameraDescription,
    centre: Pose,
    moves: Sequence[tuple[int, int]],
    far: float,
    references: int,
) -> Acquisition:
    spec, far_um = recipe.mosaic, far * camera.field_of_view_um
    clear = clear_pose(centre, recipe.sample, 2 * camera.field_of_view_um, spec.clear_margin_um)
    steps = [FrameStep(FrameId.dark(MOSAIC, i), FrameKind.DARK, i, clear, False) for i in range(references)]
    steps += [FrameStep(FrameId.flat(MOSAIC, i), FrameKind.FLAT, i, clear) for i in range(references)]
    for index, (x, y) in enumerate(moves):
        pose = Pose(centre.x_um + x * far_um, centre.y_um + y * far_um, centre.z_um, centre.theta_deg)
        steps.append(FrameStep(FrameId.tile(0, index), FrameKind.TILE, index, pose))
    return Acquisition(STAGE, spec.binning, spec.exposure_s, tuple(steps))


async def take(engine: Engine, sink: MemorySink, acquisition: Acquisition) -> list[Look]:
    """Carry the acquisition out and close the shutter; pictures of the face as transmissions. Raises UnusableData."""
    return (await _taken(engine, sink, acquisition))[0]


async def _taken(engine: Engine, sink: MemorySink, acquisition: Acquisition) -> tuple[list[Look], list[Look]]:
    """Pictures of the face after moves, and views from other angles."""
    await engine.configure(acquisition)
    await engine.run(acquisition.steps)
    await engine.close()
    frames = {
        kind: [sink.frames[step.frame_id] for step in acquisition.of_kind(kind) if step.frame_id in sink.frames]
        for kind in (FrameKind.DARK, FrameKind.FLAT, FrameKind.TILE)
    }
    if not all(frames.values()):
        raise UnusableData(
            "no picture for the alignment could be taken",
            where=STAGE,
            value=next(iter(sink.missing.values()), ""),
            remedy="look at camera, shutter and beam",
        )
    dark, flat = (np.stack([one.image for one in frames[kind]]) for kind in (FrameKind.DARK, FrameKind.FLAT))
    looks: list[Look] = []
    turned: list[Look] = []
    face_deg = next(step.pose.theta_deg for step in acquisition.of_kind(FrameKind.TILE))
    # The flats lie to the right: the first move leads down in x.
    down_x, down_y, before = True, False, None
    for one in frames[FrameKind.TILE]:
        if abs(one.pose.theta_deg - face_deg) > _SAME_DEG:
            turned.append(Look(transmission(one.image, flat, dark), one.pose.x_um, one.pose.y_um))
            continue
        if before is not None:
            down_x = one.pose.x_um < before.x_um - 0.1 if abs(one.pose.x_um - before.x_um) > 0.1 else down_x
            down_y = one.pose.y_um < before.y_um - 0.1 if abs(one.pose.y_um - before.y_um) > 0.1 else down_y
        before = one.pose
        looks.append(Look(transmission(one.image, flat, dark), one.pose.x_um, one.pose.y_um, down_x, down_y))
    return looks, turned


async def measured(engine: Engine, sink: MemorySink, acquisition: Acquisition, pixel_um: float) -> Measured:
    """The camera's affine and the axis's tilt from such an acquisition. Raises DataError, UnusableData."""
    looks, turned = await _taken(engine, sink, acquisition)
    found = measure(looks, pixel_um)
    tilt = _tilt(turned)
    return found if tilt is None else replace(found, tilt_deg=tilt.deg, tilt_u_deg=tilt.u_deg)


def _tilt(views: Sequence[Look]) -> Tilt | None:
    """Of the rotation axis in the picture, from two opposite views; None where they do not tell."""
    from xrm_control.reconstruction.tilt import find_tilt

    if len(views) != 2:
        return None
    seen = np.stack([np.nan_to_num(view.image, nan=1.0) for view in views])
    found = find_tilt(np.clip(seen, 0.0, None).astype(np.float32), ((0, 1),))
    return found if found is not None and found.told else None


async def hold_against(run: RunContext, alignment: Alignment) -> None:
    """Two known moves at the run's beginning. Raises CameraMoved where the picture moves otherwise than is stored."""
    spec, camera = run.recipe.mosaic, run.description.camera
    centre = Pose(spec.centre_x_um, spec.centre_y_um, spec.z_um, 0.0)
    acquisition = _acquisition(run.recipe, camera, centre, _CHECK, _CHECK_MOVE, 1)
    run.guard.check_path((step.frame_id, step.pose) for step in acquisition.steps)
    sink, events = _CheckSink(run), EventStream(run.clock.now_s)
    events.subscribe(lambda event: None if _counts(event) else run.events.emit(event), "the run")
    engine = run.make_engine(sink, events)
    engine.obey(run.gate)
    with stages.told(run, STAGE, len(acquisition.steps)):
        looks = await take(engine, sink, acquisition)
    pixel_um = camera.binned_pixel_um(acquisition.binning)
    off = await run.on_disk(_off_um, looks, alignment, pixel_um)
    if off is None:
        run.events.emit(AlignmentNotHeld("nothing to recognise at the middle of the mosaic"))
        return
    allowed_um = spec.stage_accuracy_um / 2 + _ALLOWED * _CHECK_MOVE * camera.field_of_view_um
    if off > allowed_um:
        raise CameraMoved(
            "the picture does not move with the stage as the recipe's alignment says",
            where=STAGE,
            value=f"{off:.2f} um off after a move of {_CHECK_MOVE * camera.field_of_view_um:.0f} um",
            limit=f"{allowed_um:.2f} um",
            remedy="measure it again with `xrm calibrate RECIPE`, or look at who touched the camera",
        )
    run.events.emit(AlignmentHeld(off, allowed_um))


def _off_um(looks: Sequence[Look], alignment: Alignment, pixel_um: float) -> float | None:
    """The farthest that the picture lies off after a move, on the stage; None where nothing is recognised.

    What the stage's backlash makes is known, and no sign of a camera that was touched.
    """
    off: list[float] = []
    picture_to_stage = np.array(alignment.picture_to_stage)
    backlash_um = np.array([alignment.backlash_x_um or 0.0, alignment.backlash_y_um or 0.0])
    for look in looks[1:]:
        found = shift_px(looks[0], look)
        if found is None:
            continue
        seen_um = picture_to_stage @ found[0] * pixel_um
        told_um = _place_um(look, backlash_um) - _place_um(looks[0], backlash_um)
        off.append(math.hypot(*(seen_um - told_um)))
    return max(off, default=None)


def _place_um(look: Look, backlash_um: np.ndarray) -> np.ndarray:
    """Where the load is, as far as is known: the read-back, and the gap that opens after a move down."""
    return np.array([look.x_um, look.y_um]) + backlash_um * (look.down_x, look.down_y)


def _counts(event: AnyEvent) -> bool:
    return isinstance(event, FrameKept | FrameConfirmed)
