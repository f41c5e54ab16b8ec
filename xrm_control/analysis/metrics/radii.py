"""Radii at 8 azimuths in three planes through the centroid."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.crop import Measured, ParticleCrop
from xrm_control.analysis.metric import Metric, columns_with_u, with_u
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import PLANES, Particle


class Radii(Metric):
    """Mean radius by plane and overall, and each one as `radius_<plane>_<azimuth>_um` (xy: azimuth from x to y).

    u of a plane's mean: one radius's noise over sqrt(8), and the voxel size's. The overall mean is the planes' mean.
    """

    kind: Literal["radii"] = "radii"
    columns: ClassVar[tuple[Column, ...]] = (
        *columns_with_u(*Particle.radius_um.values(), Particle.radius_mean_um),
        *(column for radii in Particle.radius_single_um.values() for column in radii),
        *(Particle.radius_single_u_um, Particle.rays_in_contact),
    )

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        radii = particle.radii_um
        row: dict[str, float] = {}
        means = radii.mean(axis=1)
        scale = particle.voxel_relative_u
        for plane, mean in zip(PLANES, means, strict=True):
            u = float(np.hypot(particle.radius_u_um / np.sqrt(8), scale * mean))
            row |= with_u(Particle.radius_um[plane], Measured(float(mean), u))
        mean = float(means.mean())
        # Of 24 rays 18 are distinct: the axes are shared by two planes each.
        u = float(np.hypot(particle.radius_u_um / np.sqrt(18), scale * mean))
        row |= with_u(Particle.radius_mean_um, Measured(mean, u))
        for plane, values in zip(PLANES, radii, strict=True):
            singles = zip(Particle.radius_single_um[plane], values, strict=True)
            row |= {column.name: float(radius) for column, radius in singles}
        row[Particle.radius_single_u_um.name] = particle.radius_u_um
        row[Particle.rays_in_contact.name] = int(particle.radii.contact.sum())
        return row
