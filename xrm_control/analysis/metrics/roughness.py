"""Roughness proxies from the radii, with the floor below which they say nothing."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.measured import Measured
from xrm_control.analysis.metric import Metric, columns_with_u, with_u
from xrm_control.analysis.statistics import Z95
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import PLANES, Particle

# Standard deviation of the range of eight equal normal variables, in their sigma.
RANGE_SIGMA_8 = 0.820
# Of the floor: drawn, from a blur and a noise that are measured themselves, and with the grid where it lies.
FLOOR_RELATIVE_U = 0.2


class Roughness(Metric):
    """roughness_<plane>: max - min of the 8 sub-voxel radii, less its floor in quadrature; roughness_voxel_<plane>:
    max - min with voxel rays, as it is; roughness_local_<plane>: mean absolute difference of radii 45 degrees apart,
    and its maximum, as they are.

    roughness_floor and roughness_voxel_floor: what a perfect sphere of this size shows at this blur and noise. Of many
    perfect spheres one half shows less: there the root of what is left has a minus sign, so that means are true.
    Texture finer than the blur is in none of them.
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
            u = math.hypot(RANGE_SIGMA_8 * particle.radius_u_um, FLOOR_RELATIVE_U * particle.floor_um)
            row |= with_u(Particle.roughness_um[plane], above_floor(float(np.ptp(fine[index])), particle.floor_um, u))
            row[Particle.roughness_voxel_um[plane].name] = float(np.ptp(coarse[index]))
            steps = np.abs(fine[index] - np.roll(fine[index], 1))
            row[Particle.roughness_local_um[plane].name] = float(steps.mean())
            row[Particle.roughness_local_max_um[plane].name] = float(steps.max())
        row[Particle.roughness_floor_um.name] = particle.floor_um
        row[Particle.roughness_voxel_floor_um.name] = particle.voxel_floor_um
        return row


def above_floor(shown: float, floor: float, u: float) -> Measured:
    """What a range (max - min) of standard uncertainty `u` holds besides its floor, in quadrature, with its sign.

    u: half of the 95 % interval over 1.96, from that of the square; near the floor the root makes it wide.
    """
    square, half = shown**2 - floor**2, 2 * Z95 * shown * u
    value = math.copysign(math.sqrt(abs(square)), square)
    high, low = math.sqrt(max(square + half, 0.0)), math.sqrt(max(square - half, 0.0))
    return Measured(value, max(high - value, value - low) / Z95)
