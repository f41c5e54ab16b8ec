"""The poses of an acquisition as arrays, for planning: the same steps in the same order as `steps.Acquisition`, many at
a time. What is carried out is the `Acquisition`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.acquisition.mosaic import MosaicSpec
from xrm_control.acquisition.references import clear_poses
from xrm_control.acquisition.steps import TimeState
from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.core.frame_id import MOSAIC, FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import AxisDescription, CameraDescription, InstrumentDescription

KINDS = (
    FrameKind.DARK,
    FrameKind.FLAT,
    FrameKind.BLOCKER,
    FrameKind.TILE,
    FrameKind.PROJECTION,
    FrameKind.REPEAT,
)
_DARK, _FLAT, _BLOCKER, _TILE, _PROJECTION, _REPEAT = range(len(KINDS))
_AXES = ("x", "y", "z", "theta")


@dataclass(frozen=True)
class Outline:
    """poses (n, 4): x, y, z in um, theta in degrees; kinds (n,): places in `KINDS`; numbers (n,): of each frame among
    its kind, of a tile in snake order.
    """

    stage: str
    binning: int
    exposure_s: float
    poses: NDArray[np.float64]
    kinds: NDArray[np.int8]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.poses)

    def pose(self, index: int) -> Pose:
        """One of the poses."""
        return Pose(*map(float, self.poses[index]))

    def kind(self, index: int) -> FrameKind:
        """What one of the frames shows."""
        return KINDS[int(self.kinds[index])]

    def name(self, index: int, mosaic: MosaicSpec) -> FrameId:
        """The name of one of the frames."""
        kind, number = self.kind(index), int(self.numbers[index])
        if kind == FrameKind.TILE:
            return FrameId.tile(*mosaic.tile_of(number))
        return FrameId.numbered(self.stage, kind, number)

    @property
    def sample(self) -> NDArray[np.bool_]:
        """Which frames show the sample."""
        return self.kinds >= _TILE

    @property
    def first_projection(self) -> Pose:
        """Where the first frame of the sample is taken."""
        return self.pose(int(np.argmax(self.sample)))


def scan_outline(
    spec: TomographySpec, roi: str, centre: Pose, sample: SampleSpec, camera: CameraDescription, *, blockers: int = 0
) -> Outline:
    """See `TomographySpec.acquisition`."""
    angles = np.array(spec.theta_deg(camera))
    count = len(angles)
    order = np.array(spec.order.order(count), np.int64)
    # Before which projection each flat is taken; those after the last go to its place.
    sets = np.array(sorted({after for after in spec.references.after(count) if 0 <= after <= count}), np.int64)
    before = np.repeat(sets, spec.references.count)
    again = spec.repeated(angles.tolist(), order.tolist())
    repeats = 0 if again is None else 1
    # A repeated view comes after the last projection, before the flats there.
    at = np.concatenate(
        (np.zeros(spec.darks), before, np.zeros(blockers), np.arange(count), np.full(repeats, count - 0.5))
    )
    every = np.array((_DARK, _FLAT, _BLOCKER, _PROJECTION, _REPEAT), np.int8)
    kinds = np.repeat(every, (spec.darks, len(before), blockers, count, repeats))
    numbers = np.concatenate(
        (np.arange(spec.darks), np.arange(len(before)), np.arange(blockers), order, np.arange(repeats))
    )
    sequence = np.argsort(at, kind="stable")
    at, kinds, numbers = at[sequence], kinds[sequence], numbers[sequence]
    poses = np.tile(np.array((centre.x_um, centre.y_um, centre.z_um, 0.0)), (len(at), 1))
    poses[:, 3] = angles[order[np.minimum(at, count - 1).astype(np.int64)]]
    if again is not None:
        poses[kinds == _REPEAT, 3] = angles[again]
    poses[:, 0] -= spec.axis_offset_um * np.cos(np.radians(poses[:, 3]))
    poses[:, 2] -= spec.axis_offset_um * np.sin(np.radians(poses[:, 3]))
    aside = kinds < _TILE
    poses[aside] = clear_poses(poses[aside], sample, camera.field_of_view_um, spec.clear_margin_um)
    return Outline(roi, spec.binning, spec.exposure_s, poses, kinds, numbers)


def mosaic_outline(spec: MosaicSpec, sample: SampleSpec, camera: CameraDescription) -> Outline:
    """See `MosaicSpec.acquisition`."""
    tiles = np.array(spec.taken(), np.int64)
    row, along = np.divmod(tiles, spec.columns)
    column = np.where(row % 2 == 0, along, spec.columns - 1 - along)
    pitch = spec.pitch_um(camera)
    poses = np.zeros((len(tiles), 4))
    poses[:, 0] = spec.centre_x_um + (column - (spec.columns - 1) / 2) * pitch
    poses[:, 1] = spec.centre_y_um + (row - (spec.rows - 1) / 2) * pitch
    poses[:, 2] = spec.z_um
    corner = spec.centre_of(0, 0, camera)
    first = np.array([(corner.x_um, corner.y_um, corner.z_um, corner.theta_deg)])
    clear = clear_poses(first, sample, camera.field_of_view_um, spec.clear_margin_um)
    references = spec.darks + spec.flats
    kinds = np.repeat(np.array((_DARK, _FLAT, _TILE), np.int8), (spec.darks, spec.flats, len(tiles)))
    numbers = np.concatenate((np.arange(spec.darks), np.arange(spec.flats), tiles))
    whole = np.concatenate((np.repeat(clear, references, axis=0), poses))
    return Outline(MOSAIC, spec.binning, spec.exposure_s, whole, kinds, numbers)


def outline_end(outline: Outline, start: TimeState, instrument: InstrumentDescription) -> TimeState:
    """See `steps.duration`."""
    here = np.array([start.pose.x_um, start.pose.y_um, start.pose.z_um, start.pose.theta_deg])
    before = np.vstack((here, outline.poses[:-1]))
    moves_s = np.zeros(len(outline))
    for place, name in enumerate(_AXES):
        moves_s = np.maximum(moves_s, _moves_s(instrument.axes[name], before[:, place], outline.poses[:, place]))
    lit = outline.kinds != _DARK
    turns = int(np.count_nonzero(np.diff(lit, prepend=start.shutter_open)))
    blocked = outline.kinds == _BLOCKER
    blades_s = int(np.count_nonzero(np.diff(blocked, prepend=start.blocked))) * (instrument.blocker_s or 0.0)
    frame_s = outline.exposure_s + instrument.camera.readout_s[outline.binning]
    elapsed_s = start.elapsed_s + float(moves_s.sum()) + turns * instrument.shutter_s + len(outline) * frame_s
    return TimeState(outline.pose(-1), bool(lit[-1]), elapsed_s + blades_s, bool(blocked[-1]))


def _moves_s(axis: AxisDescription, start: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """See `AxisDescription.move_duration_s`; 0 where nothing moves."""
    down = (target < start) & (axis.backlash > 0)
    travel = _travel_s(axis, np.abs(target - start) + np.where(down, axis.backlash, 0.0))
    travel += np.where(down, _travel_s(axis, np.full(1, axis.backlash)), 0.0)
    return np.where(target == start, 0.0, travel + axis.settle_s)


def _travel_s(axis: AxisDescription, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    ramp = axis.speed**2 / axis.acceleration
    short = 2 * np.sqrt(distance / axis.acceleration)
    return np.where(distance < ramp, short, distance / axis.speed + axis.speed / axis.acceleration)
