"""Roughness proxies from the radii, with the floor below which they say nothing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xrm_control.analysis.crop import Measured, ParticleCrop
from xrm_control.analysis.metric import Metric, column
from xrm_control.analysis.rays import PLANES

# Standard deviation of the range of eight equal normal variables, in their sigma.
RANGE_SIGMA_8 = 0.820


class Roughness(Metric):
    """roughness_<plane>: max - min of the 8 sub-voxel radii; roughness_voxel_<plane>: the same with voxel rays;
    roughness_local_<plane>: mean absolute difference of radii 45 degrees apart, and its maximum.

    roughness_floor and roughness_voxel_floor: what a perfect sphere of this size shows at this blur and noise.
    """

    kind: Literal["roughness"] = "roughness"

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        row: dict[str, float] = {}
        fine = particle.radii_um
        coarse = particle.radii.walked * particle.voxel_um
        for index, plane in enumerate(PLANES):
            u = RANGE_SIGMA_8 * particle.radius_u_um
            row |= column(f"roughness_{plane}_um", Measured(float(np.ptp(fine[index])), u))
            row[f"roughness_voxel_{plane}_um"] = float(np.ptp(coarse[index]))
            steps = np.abs(fine[index] - np.roll(fine[index], 1))
            row[f"roughness_local_{plane}_um"] = float(steps.mean())
            row[f"roughness_local_max_{plane}_um"] = float(steps.max())
        row["roughness_floor_um"] = particle.floor_um
        row["roughness_voxel_floor_um"] = particle.voxel_floor_um
        return row
