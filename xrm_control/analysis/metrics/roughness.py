"""Roughness proxies from the radii, with the floor below which they say nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.crop import Measured, ParticleCrop
from xrm_control.analysis.metric import Metric, columns_with_u, with_u
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import PLANES, Particle

# Standard deviation of the range of eight equal normal variables, in their sigma.
RANGE_SIGMA_8 = 0.820


class Roughness(Metric):
    """roughness_<plane>: max - min of the 8 sub-voxel radii; roughness_voxel_<plane>: the same with voxel rays;
    roughness_local_<plane>: mean absolute difference of radii 45 degrees apart, and its maximum.

    roughness_floor and roughness_voxel_floor: what a perfect sphere of this size shows at this blur and noise.
    """

    kind: Literal["roughness"] = "roughness"
    columns: ClassVar[tuple[Column, ...]] = (
        *columns_with_u(*Particle.roughness_um.values()),
        *(
            by_plane[plane]
            for plane in PLANES
            for by_plane in (Particle.roughness_voxel_um, Particle.roughness_local_um, Particle.roughness_local_max_um)
        ),
        *(Particle.roughness_floor_um, Particle.roughness_voxel_floor_um),
    )

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        row: dict[str, float] = {}
        fine = particle.radii_um
        coarse = particle.radii.walked * particle.voxel_um
        for index, plane in enumerate(PLANES):
            u = RANGE_SIGMA_8 * particle.radius_u_um
            row |= with_u(Particle.roughness_um[plane], Measured(float(np.ptp(fine[index])), u))
            row[Particle.roughness_voxel_um[plane].name] = float(np.ptp(coarse[index]))
            steps = np.abs(fine[index] - np.roll(fine[index], 1))
            row[Particle.roughness_local_um[plane].name] = float(steps.mean())
            row[Particle.roughness_local_max_um[plane].name] = float(steps.max())
        row[Particle.roughness_floor_um.name] = particle.floor_um
        row[Particle.roughness_voxel_floor_um.name] = particle.voxel_floor_um
        return row
