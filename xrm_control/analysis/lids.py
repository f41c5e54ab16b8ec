"""Pits that may be voids: what a wall thinner than the blur closes does not reach half of the contrast.

A plane wall of thickness t, blurred by a Gaussian of standard deviation s, shows erf(t / (sqrt(8) s)) of the contrast
at most: of 0.2 um at a blur of 0.4 um a fifth. So below 1.35 s it is no wall at the threshold, and the void behind it a
pit. The flood is repeated at a quarter of the contrast; what is enclosed then, and was not before, lies behind such a
wall (of 0.64 s and more) or behind a mouth so narrow that blur fills it: an image of this blur cannot tell which.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.reach import within
from xrm_control.analysis.splitting import fill_enclosed
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.contracts.quality import QualityMetrics

LEAST_VOXELS = 12
"""Of a pit. In nine simulated regions of silicon, LiFePO4 and metal no whole particle has one."""

_LID, _HALF = 0.25, 0.5  # of the contrast
_LEAST_NOISES = 2.0  # above the ground, of a voxel: the whole mouth has to be so bright
_REACH_VOXELS = 3.0
_FEW, _SHARE = 3, 0.10


def behind_lids(share: FloatVolume, own: BoolVolume, zone: BoolVolume, noise: float) -> BoolVolume:
    """Pits of the particle `own` that are closed at the lower level, all (z, y, x), its voids in them.

    share: grey over the ground, of the contrast; zone: voxels nearer to it than to others; noise: standard deviation of
    the share. Nothing is found where a quarter of the contrast is less than twice the noise.
    """
    from scipy import ndimage

    if noise * _LEAST_NOISES > _LID:
        return np.zeros_like(own)
    bright = own | ((share > _LID) & zone & within(own, _REACH_VOXELS))
    seeds = fill_enclosed(bright) & ~bright & zone
    if not seeds.any():
        return seeds
    # What is dark at the lower level is smaller than the pit by about half the blur.
    pits = np.asarray(ndimage.binary_dilation(seeds, iterations=1), bool) & zone & ~own & (share < _HALF)
    return _of_size(pits, LEAST_VOXELS)


def _of_size(mask: BoolVolume, least: int) -> BoolVolume:
    """The connected parts of so many voxels."""
    from scipy import ndimage

    numbers: NDArray[np.int32] = np.empty(mask.shape, np.int32)
    ndimage.label(mask, output=numbers)
    large = np.bincount(numbers.ravel()) >= least
    large[0] = False
    return large[numbers]


def too_many_lids(quality: QualityMetrics) -> tuple[str, str] | None:
    """The reason and the remedy where more than a tenth of the whole particles, and than three, have such pits."""
    lidded, whole = quality.lidded_particles or 0, quality.whole_particles or 0
    if lidded <= max(min(_FEW, whole / 2), _SHARE * whole):
        return None
    return (
        f"lids: in {lidded} of {whole} whole particles a pit is closed at a quarter of the contrast (limit "
        f"{_SHARE:.0%}): a void behind a wall thinner than the blur, or a pore with as narrow a mouth; the dead volume "
        "counts them as voids, with an uncertainty as large",
        "take finer voxels, or sharper views",
    )
