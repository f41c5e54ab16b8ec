"""How far each view lies from where it should, found from the views themselves by joint reprojection.

A volume is made, its particles told from the rest, and projected along the rays of every view; views are registered
against that and against their neighbours, moved, and the volume is made again (after Gursoy and others 2017, doi
10.1038/s41598-017-12141-9). Projected as it is, a volume agrees with each view wherever that has moved: only what is
known of the sample besides, that it is of two phases, tells. What is found is put right where it can be told from
nothing, would matter, and lets views foretell others better that had no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.motion_images import MotionImages, images_of, shifted
from xrm_control.reconstruction.motion_model import Told, along_axis, along_rows
from xrm_control.reconstruction.preprocess import PreprocessSpec
from xrm_control.reconstruction.projecting import Projector
from xrm_control.reconstruction.references import References
from xrm_control.reconstruction.registering import Steps, from_neighbours, profiles_registered, registered
from xrm_control.reconstruction.rotation_axis import RotationAxis
from xrm_control.reconstruction.scan import ScanData

_LEAST_VIEWS, _LEAST_SPAN_DEG, _LEAST_ROWS = 48, 150.0, 24
_SEEN = 0.75  # of the half width: beyond, rays pass little of the cylinder
_MATTERS_PX = 0.1  # root mean square over the views
_SIGMAS = 3.0
_COARSE_ROUNDS = 2
_LEAST_ALIKE = 5
_STEP = 0.35
_SIDEWAYS = 2.0
_BETTER = 0.99  # what may be left of the mean square of views that had no part in the volume
_MOST = 0.1  # of the field's width: farther, neighbours have little in common


@dataclass(frozen=True)
class Motion:
    """Of n views, in pixels of the detector, to the right and downwards.

    shifts_px (n, 2): how far each lies from where it should; u_px (n, 2): one sigma. middle_px: by how much the axis
    lies right of where it was looked for, and one sigma. jitter_px: root mean square from view to view, along the rows.
    applied: whether it was put right. foretold: mean square of
    views that had no part in a volume against it, over what it is when nothing is put right; 1 where not looked.
    """

    shifts_px: NDArray[np.float64]
    u_px: NDArray[np.float64]
    middle_px: tuple[float, float]
    jitter_px: float
    applied: bool
    foretold: float = 1.0

    @classmethod
    def from_arrays(cls, content: Mapping[str, NDArray[Any]]) -> Motion:
        """Of its fields by name, each with `motion_` before. Raises KeyError for anything else."""
        middle_px, u_px = map(float, content["motion_middle_px"])
        return cls(
            content["motion_shifts_px"],
            content["motion_u_px"],
            (middle_px, u_px),
            float(content["motion_jitter_px"]),
            bool(content["motion_applied"]),
            float(content["motion_foretold"]),
        )

    @property
    def rms_px(self) -> float:
        """How far views lie off, root mean square of the distance."""
        return math.sqrt(float(np.mean(np.sum(self.shifts_px**2, axis=1))))

    @property
    def u_rms_px(self) -> float:
        """Root mean square of the standard uncertainty of a view's place."""
        return math.sqrt(float(np.mean(np.sum(self.u_px**2, axis=1))))

    @property
    def figures(self) -> dict[str, float]:
        """For the figures of quality."""
        return {"view_motion_px": self.rms_px, "view_motion_u_px": self.u_rms_px, "view_motion_left_px": self.left_px}

    @property
    def to_apply_px(self) -> NDArray[np.float64] | None:
        """(n, 2): how far each view is to be moved, as `ScanData.shifts_px`; None where nothing is."""
        return -self.shifts_px if self.applied else None

    def axis(self, found: RotationAxis) -> RotationAxis:
        """The axis that opposite views have, put right where they are: what moves them moves it by half of that."""
        if self.applied:
            return replace(
                found,
                column_px=found.column_px + self.middle_px[0],
                uncertainty_px=math.hypot(found.noise_px, self.middle_px[1]),
            )
        jitter = self.jitter_px / math.sqrt(2 * max(len(found.pairs), 1))
        return replace(found, uncertainty_px=math.hypot(found.uncertainty_px, jitter))

    @property
    def left_px(self) -> float:
        """What is left in the views that were reconstructed, root mean square."""
        return self.u_rms_px if self.applied else max(self.rms_px, self.u_rms_px)


def motion_of(scan: ScanData, spec: PreprocessSpec, references: References | None, axis: RotationAxis) -> Motion | None:
    """`find_motion` of a scan, in the order of its views; None also where they are too few to be looked at."""
    theta = np.asarray(scan.theta_deg, float)
    if not _enough(theta, scan.projections.shape[1]):
        return None
    order = np.argsort(theta, kind="stable")
    found = find_motion(images_of(scan, spec, references, order, axis.tilt_deg), axis.column_px)
    if found is None:
        return None
    back = np.argsort(order)
    return replace(found, shifts_px=found.shifts_px[back], u_px=found.u_px[back])


def _enough(theta_deg: NDArray[np.float64], rows: int) -> bool:
    return len(theta_deg) >= _LEAST_VIEWS and float(np.ptp(theta_deg)) >= _LEAST_SPAN_DEG and rows >= _LEAST_ROWS


def find_motion(images: MotionImages, axis_px: float) -> Motion | None:
    """Motion of the views, the axis in column `axis_px` of the detector; None where too little is seen of a turn."""
    if not _enough(images.theta_deg, images.shape[1]):
        return None
    coarse = images.coarse()
    state = _State(np.zeros((len(images.theta_deg), 2)), np.zeros((len(images.theta_deg), 2)), (0.0, 0.0))
    found = _round(coarse, axis_px, state)
    if found is None:
        return None
    if not _matters(found):
        return found.motion(applied=False)
    for _ in range(_COARSE_ROUNDS - 1):
        found = _round(coarse, axis_px, found) or found
    found = _round(images, axis_px, found) or found
    if not _matters(found) or np.abs(found.shifts_px).max() > _MOST * images.shape[2]:
        return found.motion(applied=False)
    foretold = _left_over(coarse, axis_px, found) / _left_over(coarse, axis_px, state)
    return replace(found.motion(applied=foretold < _BETTER), foretold=foretold)


@dataclass(frozen=True)
class _State:
    shifts_px: NDArray[np.float64]
    u_px: NDArray[np.float64]
    middle_px: tuple[float, float]
    jitter_px: float = 0.0

    def motion(self, *, applied: bool) -> Motion:
        return Motion(self.shifts_px, self.u_px, self.middle_px, self.jitter_px, applied)


def _matters(found: _State) -> bool:
    """Whether views lie off by more than is harmless, and than their own uncertainty explains."""
    rms = np.sqrt(np.mean(found.shifts_px**2, axis=0))
    u = np.sqrt(np.median(found.u_px**2, axis=0))
    return bool(np.any((rms > _MATTERS_PX) & (rms > _SIGMAS * u)))


def _round(images: MotionImages, axis_px: float, before: _State) -> _State | None:
    """Shifts from a volume of views that were moved by those `before`; None where nothing can be told from the rest."""
    size = np.array(images.bin, float)
    moved = before.shifts_px / size[::-1]
    axis = (axis_px + before.middle_px[0] + 0.5) / size[1] - 0.5
    projector = _projector(images, axis)
    expected = images.expected(moved, axis, projector)
    if expected is None:
        return None
    recorded = images.moved(images.banded, moved)
    off = expected - recorded
    columns = projector.inner(_SEEN)
    pairs = images.half_turn
    ends = np.array([0, 1, 2, -3, -2, -1])
    other, other_expected = (images.mirrored(some[ends], axis) for some in (recorded, expected))
    beyond = other_expected - other
    none = np.zeros_like(beyond[:2])
    around = from_neighbours(off, beyond[3:5] if pairs else none, beyond[1:3] if pairs else none)
    volume, near = registered(expected, off, columns), registered(expected, off - around, columns)
    opposite = registered(other_expected[:1], other[:1] - recorded[-1:], columns) if pairs else None
    if not all(np.isfinite(one.px).all() for one in (volume, near)):
        return None
    told = _with_profiles(_told(moved, volume, near, opposite, 1, 0.0), images, moved)
    down = along_axis(told, images.time_s)
    # A drift goes sideways about as far as along the axis, where it can be told.
    drift_px = _SIDEWAYS * down.drift_px * size[0] / size[1]
    told = _told(moved, volume, near, opposite, 0, before.middle_px[0] / size[1])
    right = along_rows(told, images.theta_deg, images.time_s, drift_px)
    # Whole steps go beyond, and back again: a volume made about a wrong axis answers with more than its error.
    step = right.middle_px * size[1] - before.middle_px[0]
    shifts = np.stack([right.shifts_px * size[1], down.shifts_px * size[0]], axis=1)
    if opposite is not None:
        # What the axis does not take is the first and the last view's, which stay each other's mirror image.
        shifts[[0, -1], 0] += (1 - _STEP) * step
    return _State(
        shifts,
        np.stack([right.u_px * size[1], down.u_px * size[0]], axis=1),
        (before.middle_px[0] + _STEP * step, right.u_middle_px * size[1]),
        right.jitter_px * size[1],
    )


def _told(
    moved: NDArray[np.float64], volume: Steps, near: Steps, opposite: Steps | None, way: int, middle_px: float
) -> Told:
    ends = None if opposite is None else (float(opposite.px[0, way]), float(opposite.u_px[0, way]))
    of = (volume.px[:, way], volume.u_px[:, way], near.px[:, way], near.u_px[:, way])
    return Told(moved[:, way] + middle_px, *of, ends)


def _with_profiles(told: Told, images: MotionImages, moved: NDArray[np.float64]) -> Told:
    """Along the axis: with what the rows' sums of the views that see next to all say."""
    alike = images.whole
    if np.count_nonzero(alike) < _LEAST_ALIKE:
        return told
    profiles = shifted(images.profiles[:, :, None], -moved[:, 1], 1)[:, :, 0]
    found = profiles_registered(profiles, alike)
    return replace(told, profiles=found.px[:, 0], u_profiles=found.u_px[:, 0])


def _projector(images: MotionImages, axis: float) -> Projector:
    columns = images.banded.shape[2]
    return Projector(columns, axis, columns, (columns - 1) / 2)


def _left_over(images: MotionImages, axis_px: float, state: _State) -> float:
    """Mean square of every second view against a volume of the others, of the half of the views that fit best."""
    size = np.array(images.bin, float)
    moved = state.shifts_px / size[::-1]
    axis = (axis_px + state.middle_px[0] + 0.5) / size[1] - 0.5
    projector = _projector(images, axis)
    expected = images.expected(moved, axis, projector, every_second=True)
    if expected is None:
        return math.inf
    low, high = projector.inner(_SEEN)
    off = (expected - images.moved(images.banded, moved)[1::2])[:, 1:-1, low:high]
    each = np.mean(off**2, axis=(1, 2))
    return float(np.mean(np.sort(each)[: (len(each) + 1) // 2]))
