"""The individual radii of particles.csv, and the particles that the paper's Figures 1 and 2 are drawn for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.column import Column
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import AZIMUTHS_DEG, PLANES, Particle

SMALLEST_UM = 5.0


def radii_um(particles: Rows) -> NDArray[np.float64]:
    """Radii (n, 3 planes, 8 azimuths) in um; NaN where the table has none. The one reader of these columns."""
    columns = [[particles.numbers(column) for column in Particle.radius_single_um[plane]] for plane in PLANES]
    return np.moveaxis(np.array(columns, float).reshape(len(PLANES), len(AZIMUTHS_DEG), len(particles)), 2, 0)


def radii_uncertainty_um(particles: Rows, voxel_size_um: float | None) -> NDArray[np.float64]:
    """Standard uncertainty (n,) of one radius in um, as the table states it.

    Where it states none: half a voxel, the paper's way of taking the error from the imaging resolution.
    """
    stated = particles.numbers(Particle.radius_single_u_um)
    return np.where(np.isfinite(stated), stated, np.nan if voxel_size_um is None else voxel_size_um / 2)


def roughness_um(particles: Rows) -> NDArray[np.float64]:
    """Roughness proxy (n, 3 planes), largest minus smallest radius in um, as the table states it."""
    return _by_plane(particles, Particle.roughness_um)


def voxel_roughness_um(particles: Rows) -> NDArray[np.float64]:
    """Roughness proxy (n, 3 planes) in um from rays that step whole voxels, as on the paper's cubic data."""
    return _by_plane(particles, Particle.roughness_voxel_um)


def _by_plane(particles: Rows, columns: Mapping[str, Column]) -> NDArray[np.float64]:
    values = [particles.numbers(columns[plane]) for plane in PLANES]
    return np.array(values, float).T.reshape(-1, len(PLANES))


def local_differences_um(radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences (n, 3, 8) between neighbouring azimuths, 45 degrees apart, of radii (n, 3, 8), in um."""
    return np.abs(radii - np.roll(radii, -1, axis=-1))


def whole(particles: Rows) -> NDArray[np.bool_]:
    """True (n,) for particles that the volume does not cut, and that stayed where they were."""
    return ~particles.flags(Particle.touches_boundary) & np.isnan(particles.numbers(Particle.moved_um))


@dataclass(frozen=True)
class Sample:
    """Particles picked for a closer look: their rows, radii (n, 3, 8) and radii's uncertainty (n,), in um."""

    particles: Rows
    radii_um: NDArray[np.float64]
    uncertainty_um: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.particles)


RULE = (
    "whole particles of at least 5 µm with all 24 radii, none of them ending at a touching neighbour; of these the "
    "nearest to {count} diameters spaced evenly, in the logarithm, from the largest to the smallest"
)


def varied_sizes(particles: Rows, voxel_size_um: float | None, count: int = 4) -> Sample:
    """Up to `count` particles of various sizes, largest first, by `RULE`; fewer where there are fewer."""
    radii = radii_um(particles)
    diameters = particles.numbers(Particle.equivalent_diameter_um)
    free_standing = ~(particles.numbers(Particle.rays_in_contact) > 0)
    fit = whole(particles) & free_standing & np.isfinite(radii).all(axis=(1, 2)) & (diameters >= SMALLEST_UM)
    free = list(np.flatnonzero(fit)[np.argsort(-diameters[fit], kind="stable")])
    chosen: list[int] = []
    if free:
        for target in np.geomspace(diameters[free[0]], diameters[free[-1]], count):
            if not free:
                break
            nearest = min(free, key=lambda row: abs(float(np.log(diameters[row] / target))))
            free.remove(nearest)
            chosen.append(nearest)
    rows = particles.take(sorted(chosen, key=lambda row: -diameters[row]))
    return Sample(rows, radii_um(rows), radii_uncertainty_um(rows, voxel_size_um))
