"""Volume by grey-level integration: partial voxels count by their share, so that blur and threshold do not bias it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from edt import edt
from numpy.typing import NDArray

from xrm_control.analysis.threshold import BoolVolume, FloatVolume


@dataclass(frozen=True)
class BoxLevels:
    """Levels of one particle in 1/um: interior and surrounding background with their standard uncertainties, the noise
    of one voxel, and the factor (voxels) by which its correlation raises the variance of a sum; core_voxels: interior
    voxels that were averaged."""

    particle_per_um: float
    background_per_um: float
    particle_u_per_um: float
    background_u_per_um: float
    noise_per_um: float
    correlation_voxels: float
    middle_per_um: float
    core_voxels: int

    @property
    def contrast_per_um(self) -> float:
        """Interior minus background."""
        return self.particle_per_um - self.background_per_um


def particle_volume(
    grey: FloatVolume,
    envelope: BoolVolume,
    zone: BoolVolume,
    voids: NDArray[np.uint16],
    reach_voxels: float,
    levels: BoxLevels,
) -> tuple[float, float]:
    """Volume and standard uncertainty in voxels of the envelope (z, y, x).

    Deep voxels and voids count 1; within `reach_voxels` of the surface, on both sides but inside `zone`, a voxel counts
    (grey - background) / contrast. The uncertainty adds noise of that shell and the errors of the two levels.
    """
    near = zone & (edt(~envelope) <= reach_voxels)
    sure = envelope & ((edt(envelope) > reach_voxels) | (voids > 0))
    shell = (near | envelope) & ~sure
    share = (grey[shell] - levels.background_per_um) / levels.contrast_per_um
    total = float(share.sum(dtype=np.float64))
    value = float(np.count_nonzero(sure)) + total
    count = len(share)
    noise = np.sqrt(count * levels.correlation_voxels) * levels.noise_per_um
    interior = total * levels.particle_u_per_um
    outside = (count - total) * levels.background_u_per_um
    u = float(np.sqrt(noise**2 + interior**2 + outside**2)) / levels.contrast_per_um
    # Grey can only correct a count, not replace it.
    counted = float(np.count_nonzero(envelope))
    return min(max(value, 0.6 * counted), 1.6 * counted), u


def void_volume(grey: NDArray[np.float32], levels: BoxLevels) -> tuple[float, float]:
    """Volume and standard uncertainty in voxels of a void, from the grey values (n,) of the void grown by the blur."""
    missing = (levels.particle_per_um - grey) / levels.contrast_per_um
    value = float(missing.sum(dtype=np.float64))
    count = len(missing)
    noise = np.sqrt(count * levels.correlation_voxels) * levels.noise_per_um
    interior = (count - value) * levels.particle_u_per_um
    outside = value * levels.background_u_per_um
    return value, float(np.sqrt(noise**2 + interior**2 + outside**2)) / levels.contrast_per_um
