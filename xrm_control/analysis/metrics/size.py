"""Place, volume, diameter and attenuation of a particle, and its voids."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xrm_control.analysis.crop import Measured, ParticleCrop
from xrm_control.analysis.metric import Metric, column
from xrm_control.analysis.segmentation import MIN_CORE_VOXELS


class Size(Metric):
    """Volume is the outer envelope (solid and voids) by grey-level integration; `*_voxels_*` columns count voxels.

    Internal voids are closed and ambiguous ones; open ones are counted apart. Dead volume is their share of the
    envelope.
    """

    kind: Literal["size"] = "size"

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        return {
            **_place(particle),
            **column("volume_um3", particle.volume_um3),
            "volume_voxels_um3": particle.voxels * particle.voxel_um**3,
            **column("equivalent_diameter_um", particle.equivalent_diameter_um),
            **_voids(particle),
            **column("mean_attenuation_per_um", _attenuation(particle)),
        }


def _place(particle: ParticleCrop) -> dict[str, float]:
    """Grey-weighted centroid; u: its noise, and the voxel size's share of the distance from the volume's centre."""
    noise = particle.partial_volume.centroid(particle.levels)[1] * particle.voxel_um
    row: dict[str, float] = {}
    for name, value, u in zip(("x_um", "y_um", "z_um"), particle.centre_um, noise[::-1], strict=True):
        row |= column(name, Measured(value, float(np.hypot(u, particle.voxel_relative_u * value))))
    return row


def _voids(particle: ParticleCrop) -> dict[str, float]:
    internal = [void for void in particle.void_measures if void.kind != "open"]
    volume = sum(void.volume_um3.value for void in internal)
    noise = float(np.sqrt(sum(void.volume_um3.u**2 for void in internal)))
    u = float(np.hypot(noise, 3 * particle.voxel_relative_u * volume))
    envelope = particle.volume_um3
    dead = 100 * volume / envelope.value
    relative = np.hypot(noise / volume, envelope.u / envelope.value) if volume else 0.0
    return {
        "void_count": len(internal),
        "void_count_ambiguous": sum(void.kind == "ambiguous" for void in internal),
        "void_count_open": len(particle.void_measures) - len(internal),
        **column("void_volume_um3", Measured(volume, u)),
        "void_voxels_um3": sum(void.voxels for void in internal) * particle.voxel_um**3,
        **column("dead_volume_percent", Measured(dead, float(dead * relative))),
    }


def _attenuation(particle: ParticleCrop) -> Measured:
    """Mean of the interior more than 2.5 voxels deep and its noise; the volume's mode where there is hardly any."""
    levels = particle.levels
    if levels.core_voxels < MIN_CORE_VOXELS:
        return Measured(levels.particle_per_um, levels.particle_u_per_um)
    noise = levels.noise_per_um * np.sqrt(min(levels.correlation_voxels / levels.core_voxels, 1.0))
    return Measured(levels.core_mean_per_um, float(noise))
