"""What lies under the particles, the same all along one axis of the volume: the tape and the glue that carry them.

A particle that rests on a tape has much of it within a few voxels, and hardly any at its own surface. The mean of what
surrounds it, taken for what its surface borders on, takes volume away: several per cent of a small one's.

A tape that lies askew along one axis is followed along the other. Askew along both it is found blurred, and what it
takes is put right in part: most of it where it rises by 3 degrees along each, a third by 6 (`tests/analysis`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.label_expansion import Box
from xrm_control.analysis.levels import Levels
from xrm_control.analysis.threshold import BoolVolume, FloatVolume

# Across the axis neighbours are averaged over so much: a tape's edge is as sharp as the volume's blur.
_SMOOTHING_VOXELS = 1.0


@dataclass(frozen=True)
class Underlay:
    """axis: of the volume (z, y, x), along which it is the same; above_per_um: what it adds to the background's mode,
    over the other two axes; u_per_um: standard uncertainty of one of its values.
    """

    axis: int
    above_per_um: NDArray[np.float32]
    u_per_um: float

    def at(self, box: Box, beside_per_um: float = 0.0) -> FloatVolume:
        """Its values in a box of the volume, (z, y, x), above `beside_per_um`."""
        across = tuple(one for axis, one in enumerate(box) if axis != self.axis)
        shape = tuple(one.stop - one.start for one in box)
        values = self.above_per_um[across] + np.float32(beside_per_um)
        return np.broadcast_to(np.expand_dims(values, self.axis), shape)

    def under(self, box: Box, rim: BoolVolume) -> tuple[float, float]:
        """Its mean over the voxels of a particle's rim in a box, and the standard uncertainty of that."""
        if not rim.any():
            return 0.0, 0.0
        seen = max(1.0, float(np.count_nonzero(rim.any(axis=self.axis))) / _alike())
        return float(self.at(box)[rim].mean(dtype=np.float64)), self.u_per_um / math.sqrt(seen)


def find_underlay(volume: FloatVolume, away: BoolVolume, levels: Levels) -> Underlay:
    """Of a volume (z, y, x) in 1/um; away: its voxels that no particle's blur reaches.

    Means along each axis in turn, drawn towards nothing by as much as noise alone would make of them; the axis that
    explains most.
    """
    sums, counts = _along(volume, away, levels.modes.background_per_um)
    found = [_drawn(axis, *pair, levels) for axis, pair in enumerate(zip(sums, counts, strict=True))]
    return max(found, key=lambda one: one[0])[1]


def _along(
    volume: FloatVolume, away: BoolVolume, background: float
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Sums of what is above the background, and numbers of voxels, along z, y and x; one pass, a slice at a time."""
    nz, ny, nx = volume.shape
    sums = [np.zeros(shape) for shape in ((ny, nx), (nz, nx), (nz, ny))]
    counts = [np.zeros(shape) for shape in ((ny, nx), (nz, nx), (nz, ny))]
    for z in range(nz):
        mask = away[z]
        above = np.where(mask, volume[z] - np.float32(background), np.float32(0))
        for total, part in ((sums, above), (counts, mask)):
            total[0] += part
            total[1][z], total[2][z] = part.sum(axis=0, dtype=np.float64), part.sum(axis=1, dtype=np.float64)
    return sums, counts


def _drawn(axis: int, total: NDArray[np.float64], count: NDArray[np.float64], levels: Levels) -> tuple[float, Underlay]:
    """How much of the variance between the particles this axis explains, and its underlay."""
    from scipy import ndimage

    total, count = (ndimage.gaussian_filter(one, _SMOOTHING_VOXELS, truncate=3) for one in (total, count))
    seen = count > 0.5
    mean = np.divide(total, count, out=np.zeros_like(total), where=seen)
    noise = levels.modes.noise_per_um**2 * levels.noise_correlation_voxels
    variance = np.divide(noise, count * _alike(), out=np.zeros_like(total), where=seen)
    weight = float(count[seen].sum()) or 1.0
    signal = max(float((count * (mean**2 - variance))[seen].sum()) / weight, 0.0)
    drawn = np.divide(signal, signal + variance, out=np.zeros_like(mean), where=seen & (signal + variance > 0)) * mean
    u = math.sqrt(float((count * variance)[seen].sum()) / weight)
    return float((count * drawn**2).sum()) / weight, Underlay(axis, drawn.astype(np.float32), min(u, math.sqrt(signal)))


def _alike() -> float:
    """Pixels over which the smoothing averages."""
    return 4 * math.pi * _SMOOTHING_VOXELS**2
