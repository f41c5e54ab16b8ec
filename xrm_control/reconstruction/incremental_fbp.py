"""Reconstruction as the scan runs: three orthogonal slices, to which each view is added when its frame is there.

A slice costs one interpolation a pixel and view, so three of them keep up with any camera where a volume would not.
After Buurlage et al. 2018, doi 10.1088/1361-6501/aab754 (arbitrary slices at once) and 2019,
doi 10.1038/s41598-019-54647-4 (while the scan runs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.ramp import RampWindow, filtered
from xrm_control.reconstruction.reconstructor import check_sinograms, view_weights
from xrm_control.reconstruction.scan import refuse_bad_frames
from xrm_control.reconstruction.truncation import EDGE_PX, extended

_FARTHEST_DEG = 1.0  # from where a view was planned; the weights are those of the plan


@dataclass(frozen=True)
class OrthogonalSlices:
    """Three slices of a growing volume [z, y, x], float32 in 1/um, through its voxel `at` (z, y, x).

    yx (columns, columns); zx and zy (rows, columns). They rest on `views` of the `planned` ones.
    """

    yx: NDArray[np.float32]
    zx: NDArray[np.float32]
    zy: NDArray[np.float32]
    at: tuple[int, int, int]
    views: int
    planned: int


class IncrementalFBP:
    """Filtered back-projection of a parallel-beam scan into three slices, view by view, in any order.

    theta_deg (n,): all angles of the plan. rows, columns: of the detector. axis_px: the column of the rotation axis,
    which is assumed (that of the region before, for instance): the pair of views that shows it ends the scan. kind:
    the filter. held_widths: how far the sample is taken to go on beyond the field of view, in detector widths. at:
    the voxel (z, y, x) the slices pass through; by default the middle row and the rotation axis.

    Once all views are there the slices equal those of `fbp` with the same padding. Until then they are a mean of the
    views so far, each weighing as in the whole scan: a ball has its attenuation from the first view on, blurred along
    the directions that are missing; a layer seen along its length alone looks too dense.

    Raises DataError for a plan that makes no sense. One caller at a time.
    """

    def __init__(
        self,
        theta_deg: NDArray[np.floating],
        rows: int,
        columns: int,
        axis_px: float,
        pixel_size_um: float,
        *,
        kind: RampWindow = "cosine",
        held_widths: float = 0.75,
        at: tuple[int, int, int] | None = None,
    ) -> None:
        if rows < 1 or columns < 1:
            raise DataError("the detector has no pixels", where="rows, columns", value=(rows, columns))
        self._theta_deg = np.asarray(theta_deg, float)
        check_sinograms(np.zeros((1, self._theta_deg.size, columns)), self._theta_deg, axis_px, pixel_size_um)
        self._at = at or (rows // 2, columns // 2, columns // 2)
        if not all(0 <= place < size for place, size in zip(self._at, (rows, columns, columns), strict=True)):
            raise DataError("the slices do not meet in the volume", where="at", value=self._at)
        self._shape, self._axis_px, self._pixel_size_um = (rows, columns), axis_px, pixel_size_um
        self._kind: RampWindow = kind
        # The slices' diagonal; even or odd as the detector, so that pixels meet samples in views along x and y.
        self._width = columns + 2 * math.ceil((math.sqrt(2) - 1) / 2 * columns + 1)
        self._shares = view_weights(self._theta_deg) / self._theta_deg.size
        self._tails = self._tails_of(held_widths)
        self._seen = np.zeros(self._theta_deg.size, bool)
        self._yx = np.zeros((columns, columns), np.float32)
        self._zx, self._zy = np.zeros((2, rows, columns), np.float32)

    def add(self, view: int, integrals: NDArray[np.floating], theta_deg: float | None = None) -> None:
        """Add the line integrals (rows, columns) of one view of the plan. theta_deg: measured, where known.

        Raises DataError, and leaves the slices as they are, for a view that is not in the plan, was added before (what
        is in the sum cannot be told apart any more) or does not fit.
        """
        angle_deg = self._angle(view, theta_deg)
        if np.shape(integrals) != self._shape:
            raise DataError(
                "the view has not the detector's shape",
                where=f"view {view}",
                value=np.shape(integrals),
                limit=self._shape,
            )
        integrals = np.asarray(integrals, np.float32)
        refuse_bad_frames(integrals[None], "line integrals", np.array([view]))
        profiles = self._filtered(integrals[None], self._shares[view], self._axis_px)[0]
        edge = min(EDGE_PX, self._shape[1])
        sides = np.stack([integrals[:, :edge].mean(axis=1), integrals[:, -edge:].mean(axis=1)], axis=1)
        profiles += sides @ (np.float32(self._shares[view]) * self._tails)
        self._back_project(profiles, math.radians(angle_deg))
        self._seen[view] = True

    def slices(self) -> OrthogonalSlices:
        """The slices as they are now; all zero before the first view."""
        seen = float(self._shares[self._seen].sum())
        scale = np.float32(self._shares.sum() / seen / self._pixel_size_um if seen > 0 else 0)
        return OrthogonalSlices(
            yx=self._yx * scale,
            zx=self._zx * scale,
            zy=self._zy * scale,
            at=self._at,
            views=int(np.count_nonzero(self._seen)),
            planned=self._seen.size,
        )

    def _angle(self, view: int, theta_deg: float | None) -> float:
        if not 0 <= view < self._seen.size:
            raise DataError("no such view is planned", where="view", value=view, limit=f"0 to {self._seen.size - 1}")
        if self._seen[view]:
            raise DataError("the view was added before", where=f"view {view}", remedy="add each view once")
        planned_deg = float(self._theta_deg[view])
        angle_deg = planned_deg if theta_deg is None else float(theta_deg)
        if not abs(angle_deg - planned_deg) <= _FARTHEST_DEG:
            raise DataError(
                "the view was not taken where it was planned",
                where=f"view {view}, theta_deg",
                value=angle_deg,
                limit=f"{planned_deg} +- {_FARTHEST_DEG}",
            )
        return angle_deg

    def _filtered(self, lines: NDArray[np.float32], share: float, axis_px: float) -> NDArray[np.float32]:
        """lines (any, rows, columns) of one view that is `share` of the half circle; (any, rows, width), centred."""
        rows = lines.shape[1]
        return filtered(lines, self._kind, np.full(rows, rows * share), axis_px, self._width)

    def _tails_of(self, held_widths: float) -> NDArray[np.float32]:
        """(2, width): what matter beyond the left and the right side adds to a filtered row, per level at that edge.

        Filtering is linear, so rows need not be continued one by one.
        """
        columns = self._shape[1]
        wide, margin = extended(np.ones((1, 2, columns), np.float32), held_widths)
        wide[0, 0, margin:] = 0
        wide[0, 1, : margin + columns] = 0
        return self._filtered(wide, 1.0, margin + self._axis_px)[0]

    def _back_project(self, profiles: NDArray[np.float32], theta: float) -> None:
        """Detector place of a voxel: x cos - y sin, from the axis, as in `core.geometry`."""
        cos, sin, (rows, columns) = math.cos(theta), math.sin(theta), self._shape
        centre, half = (self._width - 1) / 2, (columns - 1) / 2
        row, y, x = self._at[0], self._at[1] - half, self._at[2] - half
        lines = np.broadcast_to(profiles[row], (columns, self._width))
        _add(self._yx, lines, centre - half * cos + (half - np.arange(columns, dtype=float)) * sin, cos)
        _add(self._zx, profiles, np.full(rows, centre - half * cos - y * sin), cos)
        _add(self._zy, profiles, np.full(rows, centre + x * cos + half * sin), -sin)


@numba.njit(nogil=True, cache=True, fastmath=True)
def _add(plane: NDArray[np.float32], profiles: NDArray[np.float32], starts: NDArray[np.float64], step: float) -> None:
    """Add to each row of the plane its profile, linearly interpolated at start, start + step, start + 2 step ..."""
    rows, columns = plane.shape
    for row in range(rows):
        for column in range(columns):
            place = starts[row] + column * step
            left = int(place)
            share = np.float32(place - left)
            here = profiles[row, left]
            plane[row, column] += here + share * (profiles[row, left + 1] - here)
