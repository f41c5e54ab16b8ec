"""The strip as the beam meets it at +-90 degrees: optical depth by row and height."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SideView:
    """Optical depth of the powder at +-90 degrees, (rows, heights): rows as the mosaic's, heights from z = 0 upwards in
    its pixels, NaN in rows of which too little was seen.

    top_um: upper edge of the first row, stage y; least_depth: of a ray that meets powder at all; reach_um: (rows,), how
    high the bodies of a row may reach at most, None where that is not known beside the depth.
    """

    depth: NDArray[np.float64]
    pixel_size_um: float
    top_um: float
    least_depth: float
    reach_um: NDArray[np.float64] | None = None

    def dark_share(self, y_um: float, z_um: float, fov_um: float, transmission: float) -> float | None:
        """Of the rays at +-90 degrees that meet powder in a window (centre y, z), the share of which less than
        `transmission` is left; 0 where there is no powder, None where too little was seen.
        """
        rows, heights = self.depth.shape
        first, end = _span(y_um - self.top_um, fov_um, self.pixel_size_um, rows)
        low, high = _span(z_um, fov_um, self.pixel_size_um, heights)
        seen = self.depth[first:end, low:high]
        known = seen[~np.isnan(seen).any(axis=1)] if seen.size else seen
        if end <= first or len(known) < _LEAST_ROWS * (end - first):
            return None
        met = int(np.count_nonzero(known > self.least_depth))
        return float(np.count_nonzero(known > -math.log(transmission)) / met) if met else 0.0

    def highest_um(self, y_um: float, fov_um: float) -> float:
        """How high powder may reach above z = 0 in the rows of a field about y, wherever on the strip; 0 without it."""
        first, end = _span(y_um - self.top_um, fov_um, self.pixel_size_um, len(self.depth))
        if end <= first:
            return 0.0
        met = np.flatnonzero((self.depth[first:end] > self.least_depth).any(axis=0))
        seen_um = float(met[-1] + 1) * self.pixel_size_um if len(met) else 0.0
        return seen_um if self.reach_um is None else max(seen_um, float(self.reach_um[first:end].max()))


_LEAST_ROWS = 0.8


def _span(middle_um: float, fov_um: float, pixel_um: float, size: int) -> tuple[int, int]:
    """First and end of the pixels within a field about a place, clipped to those there are."""
    first, end = (round((middle_um + sign * fov_um / 2) / pixel_um) for sign in (-1, 1))
    return min(max(first, 0), size), min(max(end, 0), size)
