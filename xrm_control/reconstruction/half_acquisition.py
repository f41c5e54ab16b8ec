"""A full turn with the rotation axis near an edge of the detector: opposite views side by side make a wider one.

In a parallel beam p(theta + 180, u) = p(theta, 2 axis - u): what a view lacks beyond the near edge, its opposite has
seen mirrored. So a full turn of half views becomes half a turn of whole ones, which any method takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

_FULL_TURN_DEG = 350.0  # with the last step, of 10 degrees at most
_OFF_CENTRE = 0.1  # of the columns: below, opposite views show much the same
_LEAST_OVERLAP_PX = 2.0
_LARGEST_STEP_DEG = 10.0


@dataclass(frozen=True)
class HalfAcquisition:
    """How the views of a full turn are put together.

    first (m,): views of the first half turn, theta_deg (m,) their angles; below, above (m,): the views on both sides of
    the opposite angle, and share (m,) of the one above. columns: of the detector; axis_px: where the axis is on it.
    """

    first: NDArray[np.int64]
    theta_deg: NDArray[np.float64]
    below: NDArray[np.int64]
    above: NDArray[np.int64]
    share: NDArray[np.float32]
    columns: int
    axis_px: float

    @property
    def reach_px(self) -> tuple[float, float]:
        """From the axis to the first and to the last pixel."""
        return self.axis_px, self.columns - 1 - self.axis_px

    @property
    def width(self) -> int:
        """Columns of a whole view, the axis in their middle."""
        return 2 * math.floor(max(self.reach_px)) + 1

    @property
    def overlap_px(self) -> float:
        """Columns that both of two opposite views see."""
        return 2 * min(self.reach_px)

    def widened(self, sinograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, n, columns) -> (rows, m, width), the axis in column (width - 1) / 2.

        Where both have seen, the one goes over linearly into the other.
        """
        from scipy.ndimage import map_coordinates

        middle = (self.width - 1) / 2
        u = np.arange(self.width) - middle
        left, right = self.reach_px
        near = min(left, right)
        # Of a view itself: 1 on its long side, falling to 0 at its near edge; its opposite has the rest.
        rise = np.clip((u + near) / (2 * near), 0, 1)
        own = 1 - rise if left > right else rise
        at, opposite = self.axis_px + u, self.axis_px - u
        out = np.empty((len(sinograms), len(self.first), self.width), np.float32)
        number = np.arange(len(self.first))
        for target, sinogram in zip(out, sinograms, strict=True):
            straight = sinogram[self.first]
            facing = sinogram[self.below] * (1 - self.share[:, None]) + sinogram[self.above] * self.share[:, None]
            target[...] = sum(
                weight
                * map_coordinates(
                    image,
                    np.meshgrid(number, np.clip(place, 0, self.columns - 1), indexing="ij"),
                    order=3,
                    mode="nearest",
                )
                for image, place, weight in ((straight, at, own), (facing, opposite, 1 - own))
            )
        return out


def is_full_turn(theta_deg: NDArray[np.floating]) -> bool:
    """Whether the views go all the way round, in steps of at most 10 degrees."""
    ordered = np.unique(np.asarray(theta_deg, float) % 360.0)
    if len(ordered) < 2:
        return False
    gaps = np.diff(ordered, append=ordered[0] + 360.0)
    return float(gaps.max()) <= _LARGEST_STEP_DEG


def is_half_acquisition(theta_deg: NDArray[np.floating], columns: int, axis_px: float) -> bool:
    """Whether a scan can only mean that: a full turn, and an axis so far off the middle that one side sees twice."""
    off = abs(axis_px - (columns - 1) / 2)
    return is_full_turn(theta_deg) and off > _OFF_CENTRE * columns


def half_acquisition(theta_deg: NDArray[np.floating], columns: int, axis_px: float) -> HalfAcquisition:
    """Raises DataError for views that do not go all the way round, and for an axis at the very edge or off it."""
    theta = np.asarray(theta_deg, float)
    if not is_full_turn(theta):
        raise DataError(
            "half acquisition needs a full turn",
            where="theta_deg",
            value=f"{np.ptp(theta):.4g} degrees covered",
            limit=f"{_FULL_TURN_DEG:g} degrees, in steps of {_LARGEST_STEP_DEG:g} at most",
            remedy="leave --half-acquisition out",
        )
    if not min(axis_px, columns - 1 - axis_px) >= _LEAST_OVERLAP_PX / 2:
        raise DataError(
            "opposite views do not overlap, so nothing joins them",
            where="rotation axis",
            value=f"column {axis_px:.2f} of {columns}",
            limit=f"{_LEAST_OVERLAP_PX:g} columns seen twice",
            remedy="move the axis into the field",
        )
    turn = theta % 360.0
    order = np.argsort(turn, kind="stable")
    start = turn[order[0]]
    # The first view of each angle; one of 360 beside one of 0 shows the same again.
    first = order[(turn[order] - start < 180.0 - 1e-6) & np.append(True, np.diff(turn[order]) > 1e-6)]
    ordered = turn[order]
    wanted = (turn[first] + 180.0) % 360.0
    after = np.searchsorted(ordered, wanted - 1e-6)
    above, below = order[after % len(order)], order[after - 1]
    span = (turn[above] - turn[below]) % 360.0
    share = np.where(span > 0, ((wanted - turn[below]) % 360.0) / np.maximum(span, 1e-9), 1.0)
    return HalfAcquisition(
        first, turn[first], below, above, np.clip(share, 0, 1).astype(np.float32), columns, float(axis_px)
    )
