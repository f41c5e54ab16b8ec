"""Whether the outline of one piece goes on as that of another, across the gap between the two.

In half planes through the gap's middle the outline of each piece is drawn on, straight, from two depths behind its face
to the other's face. Of a convex body that was parted no piece reaches beyond the other's line; where two bodies lie
face to face, one stands out beside the other, or both flare away from a neck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HALF_PLANES = 16
_NEAR, _FAR = (0.5, 2.5), (2.5, 5.5)
"""Depths behind a face in voxels between which its outline is taken, twice; blur rounds the first half voxel."""

_STEP = 0.5 * (sum(_FAR) - sum(_NEAR))
_LEAST_SIDES = 0.75
_LEAST_VOXELS, _OUTERMOST = 3, 12


@dataclass(frozen=True)
class Gap:
    """Between two pieces. middles (n, 3): half way between each voxel of one and the nearest of the other; width (n,):
    between the middles of the two voxels, in voxels; normal: unit vector across."""

    middles: Floats
    width: Floats
    normal: Floats

    @property
    def across(self) -> Floats:
        """Two unit vectors along the gap, (2, 3)."""
        first = np.cross(self.normal, np.eye(3)[int(np.argmin(np.abs(self.normal)))])
        first /= np.linalg.norm(first)
        return np.array([first, np.cross(self.normal, first)], np.float64)


@dataclass(frozen=True)
class Step:
    """How far one piece stands out beyond the other's line; how far it lies from where both lines together lead; means
    over all sides, in voxels; and the radius of the faces."""

    out: float
    aside: float
    radius: float


def step_between(one: NDArray[np.int64], other: NDArray[np.int64], gap: Gap) -> Step | None:
    """Of the voxels (n, 3) on either side of the gap; None where they are too small to tell."""
    centre = gap.middles.mean(axis=0)
    lines: list[Floats] = []
    for voxels in (one, other):
        points = voxels - centre
        side = float(np.sign(points.mean(axis=0) @ gap.normal))
        lines.append(_outline(points, side * (points @ gap.normal) - gap.width.mean() / 2, gap.across))
    run = float(gap.width.mean()) + sum(_NEAR)
    beyond: list[Floats] = []
    slopes: list[Floats] = []
    for (near, far), (there, _) in ((lines[0], lines[1]), (lines[1], lines[0])):
        # A plate may be no thicker than the first depth: it is drawn on as it is.
        slope = np.nan_to_num((near - far) / _STEP)
        slopes.append(slope)
        beyond.append(there - (near + slope * run))
    known = np.isfinite(beyond[0])
    if np.mean(known) < _LEAST_SIDES:
        return None
    out = np.maximum(np.fmax(*beyond), 0)[known]
    # Exact for what is bent evenly.
    aside = np.abs(lines[1][0] - lines[0][0] - (slopes[0] - slopes[1]) / 2 * run)[known]
    return Step(float(out.mean()), float(aside.mean()), float((lines[0][0] + lines[1][0])[known].mean() / 2))


def _outline(points: Floats, depth: Floats, across: Floats) -> Floats:
    """Radius of the outermost points (n, 3) about the origin in each half plane, (2 depths, half planes)."""
    flat = points @ across.T
    radius = np.hypot(flat[:, 0], flat[:, 1])
    side = ((np.arctan2(flat[:, 1], flat[:, 0]) / (2 * np.pi) + 0.5) * _HALF_PLANES).astype(int) % _HALF_PLANES
    found = np.full((2, _HALF_PLANES), np.nan)
    for row, (low, high) in enumerate((_NEAR, _FAR)):
        within = (depth >= low) & (depth < high)
        order = np.lexsort((radius[within], side[within]))
        sides, radii = side[within][order], radius[within][order]
        ends = np.searchsorted(sides, np.arange(_HALF_PLANES + 1))
        for half_plane in range(_HALF_PLANES):
            own = radii[ends[half_plane] : ends[half_plane + 1]]
            if len(own) >= _LEAST_VOXELS:
                found[row, half_plane] = own[-max(2, len(own) // _OUTERMOST) :].mean()
    return found
