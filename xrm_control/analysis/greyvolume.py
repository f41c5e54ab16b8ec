"""Volume by grey-level integration: partial voxels count by their share, so that blur and threshold do not bias it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import squared_depth_of
from xrm_control.analysis.reach import deeper, within
from xrm_control.analysis.threshold import BoolVolume, FloatVolume


@dataclass(frozen=True)
class BoxLevels:
    """Levels of one particle in 1/um: interior and the background at its surface with their standard uncertainties, and
    the threshold between them; threshold_share: where between them, None for a threshold that is the same everywhere.
    noise: of one voxel; correlation_voxels: the factor by which its correlation raises the variance of a sum; lag1: its
    autocorrelation one voxel away; core_mean: of the interior voxels, core_voxels of them, without regard to the rest
    of the volume."""

    particle_per_um: float
    background_per_um: float
    particle_u_per_um: float
    background_u_per_um: float
    noise_per_um: float
    correlation_voxels: float
    lag1: float
    middle_per_um: float
    threshold_share: float | None
    core_mean_per_um: float
    core_voxels: int

    @property
    def contrast_per_um(self) -> float:
        """Interior minus background."""
        return self.particle_per_um - self.background_per_um

    def middle_of(self, ground: FloatVolume) -> float | FloatVolume:
        """The threshold in each voxel of a box whose grey would be `ground` without the particle."""
        if self.threshold_share is None:
            return self.middle_per_um
        share = np.float32(self.threshold_share)
        return (1 - share) * ground + share * np.float32(self.particle_per_um)


@dataclass(frozen=True)
class PartialVolume:
    """share (z, y, x) float32: how much of each voxel the particle fills; shell: where grey, and so noise, decides."""

    fraction: NDArray[np.float32]
    shell: BoolVolume

    def volume(self, levels: BoxLevels) -> tuple[float, float]:
        """Volume and standard uncertainty in voxels: noise of the shell and the errors of the two levels."""
        count = int(np.count_nonzero(self.shell))
        total = float(self.fraction[self.shell].sum(dtype=np.float64))
        noise = np.sqrt(count * levels.correlation_voxels) * levels.noise_per_um
        interior = total * levels.particle_u_per_um
        outside = (count - total) * levels.background_u_per_um
        u = float(np.sqrt(noise**2 + interior**2 + outside**2)) / levels.contrast_per_um
        return float(self.fraction.sum(dtype=np.float64)), u

    def centroid(self, levels: BoxLevels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centre of mass (z, y, x) in voxels and its uncertainty, sigma sqrt(c sum over the shell (x - x0)^2) / V."""
        total = float(self.fraction.sum(dtype=np.float64))
        centre, u = np.zeros(3), np.zeros(3)
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            place = np.arange(self.fraction.shape[axis])
            centre[axis] = (self.fraction.sum(others, dtype=np.float64) * place).sum() / total
            lever = (self.shell.sum(others) * (place - centre[axis]) ** 2).sum()
            noise = levels.noise_per_um * np.sqrt(levels.correlation_voxels * float(lever))
            u[axis] = noise / (levels.contrast_per_um * total)
        return centre, u


def particle_shares(
    grey: FloatVolume,
    ground: FloatVolume,
    envelope: BoolVolume,
    zone: BoolVolume,
    counted: BoolVolume,
    reach_voxels: float,
    levels: BoxLevels,
) -> PartialVolume:
    """Fractions of the voxels of a box (z, y, x) in the particle `envelope`.

    Deep voxels count 1, and those of `counted`, whose grey voids or cracks have changed, 1 or 0 as the mask has them;
    within `reach_voxels` of the surface, on both sides but inside `zone`, a voxel counts
    (grey - ground) / (interior - ground), ground being what it would show without the particle.
    """
    near = zone & within(envelope, reach_voxels) & ~counted
    sure = envelope & (deeper(envelope, reach_voxels) | counted)
    shell = (near | envelope) & ~sure
    fraction = sure.astype(np.float32)
    # Nothing is told from a ground that is nearly as dense as the particle.
    under = np.minimum(ground[shell], np.float32(levels.particle_per_um - 0.5 * levels.contrast_per_um))
    fraction[shell] = (grey[shell] - under) / (np.float32(levels.particle_per_um) - under)
    return PartialVolume(fraction, shell)


def expected_share(envelope: BoolVolume, blur_voxels: float) -> NDArray[np.float32]:
    """Share that a voxel of `envelope` (z, y, x) would show without voids: the blurred edge at its depth."""
    from scipy import special

    # Squares of distances are whole numbers: few shares, and one look-up for each voxel.
    squared = squared_depth_of(envelope)
    depth = np.sqrt(np.arange(squared.max(initial=0) + 1, dtype=np.float32)) - 0.5
    shares = (0.5 * special.erfc(-depth / (np.sqrt(2) * max(blur_voxels, 0.3)))).astype(np.float32)
    return shares[squared]


def void_volume(grey: NDArray[np.float32], expected: NDArray[np.float32], levels: BoxLevels) -> tuple[float, float]:
    """Volume and standard uncertainty in voxels of a void: what is missing of the share `expected` (n,) without it.

    grey (n,): the voxels of the void grown by the blur.
    """
    missing = expected - (grey - levels.background_per_um) / levels.contrast_per_um
    value = float(missing.sum(dtype=np.float64))
    count = len(missing)
    noise = np.sqrt(count * levels.correlation_voxels) * levels.noise_per_um
    interior = (count - value) * levels.particle_u_per_um
    outside = value * levels.background_u_per_um
    return value, float(np.sqrt(noise**2 + interior**2 + outside**2)) / levels.contrast_per_um
