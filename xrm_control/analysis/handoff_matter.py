"""What lies in the volume where a core's tables say that bodies are: shares of matter in balls and around them.

For the tables of other cores alone, so limits are wide: how an edge is drawn differs by a voxel, a centre by as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.field import find_field
from xrm_control.analysis.levels import find_levels
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.core.errors import AnalysisError

_LOOKED_AT = 256  # voxels along each side
_SMOOTH = 0.7  # voxels
_POINTS = 96

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Matter:
    """solid (z, y, x): matter, with the hollows in it; grey: in 1/um; ground, contrast: of its levels; voxel_um: of
    what is looked at, which may be coarser than the volume."""

    solid: BoolVolume
    grey: FloatVolume
    ground: float
    contrast: float
    voxel_um: float

    @classmethod
    def of(cls, volume: NDArray[np.number], voxel_um: float) -> Matter | None:
        """Of a volume (z, y, x); None where no matter stands out of the noise."""
        from scipy import ndimage

        step = max(1, -(-max(volume.shape) // _LOOKED_AT))
        grey = _binned(np.asarray(volume, np.float32), step)
        if min(grey.shape) < 8 or not np.isfinite(grey).all():
            return None
        try:
            levels = find_levels(grey, find_field(grey, "auto").inside)
        except AnalysisError:
            return None
        low, high = levels.modes.background_per_um, levels.modes.particle_per_um
        solid: BoolVolume = np.greater(np.asarray(ndimage.gaussian_filter(grey, _SMOOTH)), (low + high) / 2)
        return cls(filled(solid), grey, low, high - low, voxel_um * step)

    def at(self, centres_um: Points, offsets_um: Points) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Matter (n, points), and grey, at `offsets_um` (n or 1, points, 3) from `centres_um` (n, 3), x, y, z from the
        middle; neither matter nor grey outside of the volume."""
        middle = (np.array(self.solid.shape[::-1]) - 1) / 2
        place = np.rint((centres_um[:, None] + offsets_um) / self.voxel_um + middle)
        inside = ((place >= 0) & (place < self.solid.shape[::-1])).all(axis=2)
        x, y, z = np.moveaxis(np.where(np.expand_dims(inside, -1), place, 0).astype(np.intp), 2, 0)
        return self.solid[z, y, x] & inside, np.where(inside, self.grey[z, y, x], np.float32(self.ground))

    def shares(self, centres_um: Points, radii_um: Points, low: float = 0.0, high: float = 0.9) -> Points:
        """Share (n,) of matter in balls, or in shells between `low` and `high` of their radii."""
        solid, _ = self.at(centres_um, radii_um[:, None, None] * ball_points(low, high))
        return solid.mean(axis=1)

    def greys(self, centres_um: Points, radii_um: Points, high: float) -> Points:
        """Median grey (n,) in the inner balls."""
        _, grey = self.at(centres_um, radii_um[:, None, None] * ball_points(0.0, high))
        return np.median(grey, axis=1).astype(np.float64)


def ball_points(low: float, high: float) -> Points:
    """Points (1, n, 3) that fill the shell between two radii evenly, the same each time."""
    n = np.arange(_POINTS) + 0.5
    golden, z = math.pi * (1 + math.sqrt(5)) * n, 1 - 2 * n / _POINTS
    flat = np.sqrt(1 - z**2)
    # Radii in an order of their own, so that none goes with a direction.
    share = (n * (math.sqrt(2) - 1)) % 1.0
    radius = np.cbrt(low**3 + share * (high**3 - low**3))
    return (radius * np.array([flat * np.cos(golden), flat * np.sin(golden), z])).T[None]


def filled(solid: BoolVolume) -> BoolVolume:
    """With the hollows that are closed all around."""
    import cc3d

    hollow = np.asarray(cc3d.connected_components(~solid, connectivity=6))
    faces = [np.unique(np.take(hollow, end, axis=axis)) for axis in range(3) for end in (0, -1)]
    outside = np.zeros(int(hollow.max()) + 1, bool)
    outside[np.concatenate(faces)] = True
    outside[0] = False
    return ~outside[hollow]


def _binned(volume: FloatVolume, step: int) -> FloatVolume:
    if step == 1:
        return volume
    z, y, x = (n // step * step for n in volume.shape)
    low = [(n - kept) // 2 for n, kept in zip(volume.shape, (z, y, x), strict=True)]
    part = volume[low[0] : low[0] + z, low[1] : low[1] + y, low[2] : low[2] + x]
    return part.reshape(z // step, step, y // step, step, x // step, step).mean(axis=(1, 3, 5), dtype=np.float32)
