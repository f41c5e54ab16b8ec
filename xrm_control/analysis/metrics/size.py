"""Place, volume, diameter and attenuation of a particle, and its voids."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.measured import Measured
from xrm_control.analysis.metric import Metric, columns_with_u, with_u
from xrm_control.analysis.segmentation import MIN_CORE_VOXELS
from xrm_control.analysis.statistics import Z95
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import INTERNAL, Particle


class Size(Metric):
    """Volume is the outer envelope (solid and voids) by grey-level integration; `*_voxels_*` columns count voxels.

    Internal voids are closed and ambiguous ones; open ones are counted apart. Dead volume is their share of the
    envelope. Ambiguous ones may be open: their volume is in the 95 % interval of both.
    """

    kind: Literal["size"] = "size"
    columns: ClassVar[tuple[Column, ...]] = (
        *columns_with_u(Particle.x_um, Particle.y_um, Particle.z_um, Particle.volume_um3),
        Particle.volume_voxels_um3,
        *columns_with_u(Particle.equivalent_diameter_um),
        *(Particle.void_count, Particle.void_count_ambiguous, Particle.void_count_open),
        *columns_with_u(Particle.void_volume_um3),
        Particle.void_voxels_um3,
        *columns_with_u(Particle.dead_volume_percent, Particle.mean_attenuation_per_um),
    )

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        return {
            **_place(particle),
            **with_u(Particle.volume_um3, particle.volume_um3),
            Particle.volume_voxels_um3.name: particle.voxels * particle.voxel_um**3,
            **with_u(Particle.equivalent_diameter_um, particle.equivalent_diameter_um),
            **_voids(particle),
            **with_u(Particle.mean_attenuation_per_um, _attenuation(particle)),
        }


def _place(particle: ParticleCrop) -> dict[str, float]:
    """Grey-weighted centroid; u: its noise, and the voxel size's share of the distance from the volume's centre."""
    noise = particle.partial_volume.centroid(particle.levels)[1] * particle.voxel_um
    row: dict[str, float] = {}
    place = (Particle.x_um, Particle.y_um, Particle.z_um)
    for column, value, u in zip(place, particle.centre_um, noise[::-1], strict=True):
        row |= with_u(column, Measured(value, float(np.hypot(u, particle.voxel_relative_u * value))))
    return row


def _voids(particle: ParticleCrop) -> dict[str, float]:
    internal = [void for void in particle.void_measures if void.kind in INTERNAL]
    volume = sum(void.volume_um3.value for void in internal)
    noise = float(np.sqrt(sum(void.volume_um3.u**2 for void in internal)))
    noise = float(np.hypot(noise, sum(void.volume_um3.value for void in internal if void.kind == "ambiguous") / Z95))
    u = float(np.hypot(noise, 3 * particle.voxel_relative_u * volume))
    envelope = particle.volume_um3
    dead = 100 * volume / envelope.value
    relative = np.hypot(noise / volume, envelope.u / envelope.value) if volume else 0.0
    return {
        Particle.void_count.name: len(internal),
        Particle.void_count_ambiguous.name: sum(void.kind == "ambiguous" for void in internal),
        Particle.void_count_open.name: len(particle.void_measures) - len(internal),
        **with_u(Particle.void_volume_um3, Measured(volume, u)),
        Particle.void_voxels_um3.name: sum(void.voxels for void in internal) * particle.voxel_um**3,
        **with_u(Particle.dead_volume_percent, Measured(dead, float(dead * relative))),
    }


def _attenuation(particle: ParticleCrop) -> Measured:
    """Mean of the interior more than 2.5 voxels deep and its noise; the volume's mode where there is hardly any."""
    levels = particle.levels
    if levels.core_voxels < MIN_CORE_VOXELS:
        return Measured(levels.particle_per_um, levels.particle_u_per_um)
    noise = levels.noise_per_um * np.sqrt(min(levels.correlation_voxels / levels.core_voxels, 1.0))
    return Measured(levels.core_mean_per_um, float(noise))
