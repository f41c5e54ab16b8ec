"""Projections of a volume along the rays of a scan, to be compared with what was recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Projector:
    """For slices of side x side pixels, their middle on the rotation axis, which is in detector column `axis_px`.

    Pixels within the inscribed circle count; each is shared out linearly between two columns. columns: of the detector,
    fewer than the slices' where opposite views were put together; middle_px: of the slices.
    """

    side: int
    axis_px: float
    columns: int
    middle_px: float

    def inner(self, share: float) -> tuple[int, int]:
        """First and end column within a share of the radius to which slices are known, on both sides of the axis."""
        beyond = self.columns - 1 - self.axis_px
        reach = min(self.axis_px, beyond) if self.side == self.columns else max(self.axis_px, beyond)
        low, high = (round(self.axis_px + sign * share * reach) for sign in (-1, 1))
        return max(low, 0), min(high, self.columns)

    def project(self, volume: NDArray[np.float32], theta_deg: NDArray[np.floating]) -> NDArray[np.float32]:
        """volume (z, side, side) -> (n, z, columns): sums along the rays, in units of the volume times a pixel."""
        from scipy.sparse import csc_array

        line = np.arange(self.side) - self.middle_px
        y, x = np.meshgrid(line, line, indexing="ij")
        inside = np.flatnonzero((x**2 + y**2 <= (self.side / 2) ** 2).ravel())
        x, y = x.ravel()[inside], y.ravel()[inside]
        values = np.ascontiguousarray(volume.reshape(len(volume), -1)[:, inside].T, np.float32)
        out = np.empty((len(theta_deg), len(volume), self.columns), np.float32)
        # Each pixel has two entries, in its own column of the matrix: nothing is to be sorted. Rows beyond both edges
        # of the detector take what misses it.
        ends = 2 * np.arange(len(inside) + 1, dtype=np.int32)
        rows, shares = np.empty((len(inside), 2), np.int32), np.empty((len(inside), 2), np.float32)
        shape = (self.columns + 2, len(inside))
        for target, theta in zip(out, np.radians(theta_deg), strict=True):
            u = self.axis_px + x * np.cos(theta) - y * np.sin(theta)
            first = np.floor(u)
            shares[:, 1] = u - first
            shares[:, 0] = 1 - shares[:, 1]
            rows[:, 0] = np.clip(first + 1, 0, self.columns + 1)
            rows[:, 1] = np.clip(first + 2, 0, self.columns + 1)
            matrix = csc_array((shares.ravel(), rows.ravel(), ends), shape=shape)
            target[...] = (matrix @ values)[1:-1].T
        return out
