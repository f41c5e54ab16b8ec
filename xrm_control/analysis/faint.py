"""Particles too small to have a grey of their own, and fainter than a particle of their size: noise, or other matter.

A body of the particles' grey fills its voxels as far as blur lets it. What noise and streaks lift over the threshold,
most of all on tape and glue, hardly passes it. A streak of the rays that hardly any photon passes is a line, thinner
than a particle can look, and somewhat brighter. The limit of the grey was set on four simulated runs, of ideal to bad
instruments, that of the thickness on nine of five powders (of 283 small particles one was taken for a streak, of 22
phantoms 17 were found); balls and lines in closed form are held against them in `tests/analysis/test_faint.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.greyvolume import expected_share
from xrm_control.contracts.quality import QualityMetrics

LEAST_FILLED = 0.875
LEAST_FILLED_THIN = 1.0
THIN_VOXELS = 2.0
MOST_VOXELS = 500  # larger ones have a core, whose grey is looked at as such
_SHARE, _FEW = 0.05, 1.0


def faint_particles_um(crops: Sequence[ParticleCrop]) -> tuple[float, ...]:
    """Diameters in um of the whole particles that are fainter than their size makes them, ascending."""
    found = [
        (6 / np.pi * crop.voxels) ** (1 / 3) * crop.voxel_um
        for crop in crops
        if crop.voxels < MOST_VOXELS and not (crop.touches_rows or crop.touches_cylinder) and _is_faint(crop)
    ]
    return tuple(sorted(map(float, found)))


def _is_faint(crop: ParticleCrop) -> bool:
    own = crop.solid & crop.envelope
    if not own.any() or crop.voids.labels.any():
        return False
    share = (crop.grey - crop.ground)[own].mean(dtype=np.float64) / crop.levels.contrast_per_um
    least = LEAST_FILLED_THIN if _is_thin(own) else LEAST_FILLED
    return bool(share < least * expected_share(crop.envelope, crop.blur_voxels)[own].mean(dtype=np.float64))


def _is_thin(own: NDArray[np.bool_]) -> bool:
    """Whether the slab of the body's least second moment is thinner than THIN_VOXELS."""
    places = np.argwhere(own) - np.argwhere(own).mean(axis=0)
    least = np.linalg.eigvalsh(places.T @ places / len(places))[0]
    return bool(12.0 * least < THIN_VOXELS**2)


def too_many_faint(quality: QualityMetrics) -> tuple[str, str] | None:
    """The reason and the remedy where such particles are more than one in twenty of the whole ones, and than one."""
    faint, whole = quality.faint_particles or 0, quality.whole_particles or 0
    if faint <= max(_FEW, _SHARE * whole):
        return None
    largest_um = quality.faint_up_to_um or 0.0
    return (
        f"faint bodies: {faint} of {whole} whole particles, up to {largest_um:.1f} um, are too faint for their size "
        f"(limit {_SHARE:.0%}): noise and streaks lift such bodies over the threshold, and so does lighter matter",
        f"leave them out with analysis.min_particle_um={np.ceil(10 * largest_um + 1) / 10:.1f}, or take more light",
    )
