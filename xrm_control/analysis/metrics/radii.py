"""Radii at 8 azimuths in three planes through the centroid."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.measured import Measured
from xrm_control.analysis.metric import Metric, columns_with_u, with_u
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import PLANES, Particle


class Radii(Metric):
    """Mean radius by plane and overall, and each one as `radius_<plane>_<azimuth>_um` (xy: azimuth from x to y).

    u of a plane's mean: one radius's noise over sqrt(8), the voxel size's, and noise^2 / blur: as far inwards the noise
    moves every crossing of a blurred edge. The overall mean is the planes' mean.
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
        inwards = particle.radius_u_um**2 / (particle.blur_voxels * particle.voxel_um)
        for plane, mean in zip(PLANES, means, strict=True):
            u = math.hypot(particle.radius_u_um / math.sqrt(8), inwards, scale * mean)
            row |= with_u(Particle.radius_um[plane], Measured(float(mean), u))
        mean = float(means.mean())
        # Of 24 rays 12 stand alone, and 6 along the axes, shared by two planes each, count twice: as good as 16 alike.
        u = math.hypot(particle.radius_u_um / math.sqrt(16), inwards, scale * mean)
        row |= with_u(Particle.radius_mean_um, Measured(mean, u))
        for plane, values in zip(PLANES, radii, strict=True):
            singles = zip(Particle.radius_single_um[plane], values, strict=True)
            row |= {column.name: float(radius) for column, radius in singles}
        row[Particle.radius_single_u_um.name] = particle.radius_u_um
        row[Particle.rays_in_contact.name] = int(particle.radii.contact.sum())
        return row
