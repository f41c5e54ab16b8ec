"""Pits that may be voids: what a wall thinner than the blur closes does not reach half of the contrast.

A plane wall of thickness t, blurred by a Gaussian of standard deviation s, shows erf(t / (sqrt(8) s)) of the contrast
at most: of 0.2 um at a blur of 0.4 um a fifth. So below 1.35 s it is no wall at the threshold, and the void behind it a
pit. The flood is repeated at a quarter of the contrast; what is enclosed then, and was not before, lies behind such a
wall (of 0.64 s and more) or behind a mouth so narrow that blur fills it: an image of this blur cannot tell which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.label_expansion import boxes_of, grown_box
from xrm_control.analysis.particle_rows import Row
from xrm_control.analysis.splitting import fill_enclosed
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.tables import Particle

_LID, _HALF = 0.25, 0.5  # of the contrast
_VOID = 2  # of the phases
_LEAST_NOISES = 2.0  # above the ground, of a voxel: the whole mouth has to be so bright
_REACH_VOXELS, _MARGIN = 3.0, 5
_LEAST_VOXELS = 8  # as of voids
_LOOKED_AT, _LARGEST_BOX = 200, 4_000_000
_FEW, _SHARE = 3, 0.10


def behind_lids(
    volume: FloatVolume,
    labels: NDArray[np.integer],
    phases: NDArray[np.integer],
    rows: Sequence[Row],
    quality: QualityMetrics,
) -> tuple[str, ...]:
    """Said where more than a tenth of the whole particles, and than three, have such pits, open voids among them.

    volume, labels, phases: (z, y, x). Nothing is said where a quarter of the contrast is less than twice the noise.
    """
    low, high = quality.background_mode_per_um, quality.particle_mode_per_um
    if low is None or high is None or not high > low:
        return ()
    if _LID * (high - low) < _LEAST_NOISES * (quality.noise_background_per_um or 0.0):
        return ()
    boxes = boxes_of(labels)
    whole = [row for row in rows if not row[Particle.touches_boundary.name]]
    shares: list[float] = []
    for row in whole[:: math.ceil(max(len(whole), 1) / _LOOKED_AT)]:
        number = int(str(row[Particle.particle_id.name]))
        box = boxes[number - 1] if number <= len(boxes) else None
        if box is None:
            continue
        wide = grown_box(box, labels.shape, _MARGIN)
        if math.prod(part.stop - part.start for part in wide) <= _LARGEST_BOX:
            own = np.asarray(labels[wide]) == number
            if _all_open(row):
                own &= np.asarray(phases[wide]) != _VOID
            grey = (np.asarray(volume[wide], np.float32) - np.float32(low)) / np.float32(high - low)
            others = (np.asarray(labels[wide]) > 0) & (np.asarray(labels[wide]) != number)
            shares.append(_enclosed(grey, own, others) / np.count_nonzero(own))
    found = [share for share in shares if share > 0]
    if len(found) <= max(min(_FEW, len(shares) / 2), _SHARE * len(shares)):
        return ()
    return (
        f"lids: in {len(found)} of {len(shares)} whole particles a pit is closed at a quarter of the contrast (limit "
        f"{_SHARE:.0%}): a void behind a wall thinner than the blur, or a pore with as narrow a mouth; nothing of it "
        f"({100 * float(np.median(found)):.1f} % of the particle) is in the dead volume, and the particle may be too "
        "small by it -> take finer voxels, or sharper views",
    )


def _all_open(row: Row) -> bool:
    """Whether it has voids, and none of them counts as dead volume."""
    return not float(str(row[Particle.void_count.name])) and float(str(row[Particle.void_count_open.name])) > 0


def _enclosed(grey: FloatVolume, own: BoolVolume, others: BoolVolume) -> int:
    """Voxels of pits of a particle `own` that are closed at the lower level, all (z, y, x)."""
    from scipy import ndimage

    near = depth_of(~own) <= _REACH_VOXELS
    bright = own | ((grey > _LID) & near & ~others)
    seeds = fill_enclosed(bright) & ~bright & ~others
    if not seeds.any():
        return 0
    # What is dark at the lower level is smaller than the pit by about half the blur.
    pits = np.asarray(ndimage.binary_dilation(seeds, iterations=1), bool) & ~(own | others) & (grey < _HALF)
    numbers: NDArray[np.int32] = np.empty(pits.shape, np.int32)
    ndimage.label(pits, output=numbers)
    sizes = np.bincount(numbers.ravel())[1:]
    return int(sizes[sizes >= _LEAST_VOXELS].sum())
