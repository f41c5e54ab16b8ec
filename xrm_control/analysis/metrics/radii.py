"""Radii at 8 azimuths in three planes through the centroid."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xrm_control.analysis.crop import Measured, ParticleCrop
from xrm_control.analysis.metric import Metric, column
from xrm_control.analysis.rays import AZIMUTHS_DEG, PLANES


class Radii(Metric):
    """Mean radius by plane and overall, and each one as `radius_<plane>_<azimuth>_um` (xy: azimuth from x to y).

    u of a plane's mean: one radius's noise over sqrt(8), and the voxel size's. The overall mean is the planes' mean.
    """

    kind: Literal["radii"] = "radii"

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        radii = particle.radii_um
        row: dict[str, float] = {}
        means = radii.mean(axis=1)
        scale = particle.voxel_relative_u
        for plane, mean in zip(PLANES, means, strict=True):
            u = float(np.hypot(particle.radius_u_um / np.sqrt(8), scale * mean))
            row |= column(f"radius_{plane}_um", Measured(float(mean), u))
        mean = float(means.mean())
        # Of 24 rays 18 are distinct: the axes are shared by two planes each.
        u = float(np.hypot(particle.radius_u_um / np.sqrt(18), scale * mean))
        row |= column("radius_mean_um", Measured(mean, u))
        for plane, values in zip(PLANES, radii, strict=True):
            row |= {f"radius_{plane}_{a:03d}_um": float(r) for a, r in zip(AZIMUTHS_DEG, values, strict=True)}
        row["radius_single_u_um"] = particle.radius_u_um
        row["rays_in_contact"] = int(particle.radii.contact.sum())
        return row
