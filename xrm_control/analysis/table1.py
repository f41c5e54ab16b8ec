"""The paper's Table 1 (Heenan et al. 2020), in its own convention and in the unbiased one.

paper: every whole particle counts once; voxel counts and voxel faces; means of V, SA and d_e; sphericity from mean V
and mean SA; SA:V a mean of ratios; dead volume is mean void volume over mean particle volume (a ratio of means).
unbiased: weights against the loss of large particles at the border and the choice of regions; grey-level volumes,
Crofton areas; means of every particle's own sphericity and ratio; dead volume is the void volume over the volume of the
particles that hold voids.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.rows import Rows
from xrm_control.contracts.table1 import Table1, Table1Cells, Table1Convention
from xrm_control.contracts.tables import Particle, Void


def table1(particles: Rows, voids: Rows | None, weights: NDArray[np.float64]) -> Table1:
    """The table from rows of whole particles (n,), with these weights (n,), and of their internal voids.

    None where a core did not measure what it takes; `voids` is None where it did not look for them.
    """
    voided = voided_of(particles)
    n_particles, n_voids = len(particles), None if voids is None else len(voids)
    internal = Rows((), {}, 0) if voids is None else voids
    weight_of = dict(zip(particle_keys(particles), weights, strict=True))
    void_weights = np.array([weight_of[key] for key in host_keys(internal)], float)
    particle, void = _paper(particles), _paper(internal)
    dead: float | None = None if voids is None else 0.0
    if len(internal) and len(particles):
        dead = _percent(void.volume_um3, particle.volume_um3)
    unbiased = Table1Convention(
        particle=_unbiased(particles, weights),
        void=_unbiased(internal, void_weights),
        dead_volume_percent=_dead_volume(particles, weights, voided),
        voided_particles_percent=_share(voided, weights),
        n_particles=n_particles,
        n_voids=n_voids,
    )
    paper = Table1Convention(
        particle=particle,
        void=void,
        dead_volume_percent=dead,
        voided_particles_percent=_share(voided, np.ones(n_particles)),
        n_particles=n_particles,
        n_voids=n_voids,
    )
    return Table1(unbiased=unbiased, paper=paper)


def particle_keys(particles: Rows) -> list[tuple[str, int]]:
    """Region and number of each particle."""
    return list(zip(particles.texts(Particle.roi), particles.ids(Particle.particle_id), strict=True))


def host_keys(voids: Rows) -> list[tuple[str, int]]:
    """Region and number of the particle that holds each void."""
    return list(zip(voids.texts(Void.roi), voids.ids(Void.particle_id), strict=True))


def voided_of(particles: Rows) -> NDArray[np.bool_] | None:
    """Which particles hold voids (n,); None where that was not counted in each of them."""
    counted = particles.numbers(Particle.void_count)
    return counted > 0 if np.isfinite(counted).all() else None


def _dead_volume(particles: Rows, weights: NDArray[np.float64], voided: NDArray[np.bool_] | None) -> float:
    if voided is None:
        return math.nan
    held = float((weights * particles.numbers(Particle.volume_um3))[voided].sum())
    empty = float((weights * particles.numbers(Particle.void_volume_um3))[voided].sum())
    return 100 * empty / held if held else 0.0


def _share(voided: NDArray[np.bool_] | None, weights: NDArray[np.float64]) -> float:
    return math.nan if voided is None else 100 * _mean(voided.astype(float), weights)


def _unbiased(rows: Rows, weights: NDArray[np.float64]) -> Table1Cells:
    return Table1Cells(
        volume_um3=_mean(rows.numbers(Particle.volume_um3), weights),
        surface_area_um2=_mean(rows.numbers(Particle.surface_area_um2), weights),
        sphericity=_mean(rows.numbers(Particle.sphericity), weights),
        surface_to_volume_per_um=_mean(rows.numbers(Particle.surface_to_volume_per_um), weights),
        equivalent_diameter_um=_mean(rows.numbers(Particle.equivalent_diameter_um), weights),
    )


def _paper(rows: Rows) -> Table1Cells:
    volumes, areas = rows.numbers(Particle.volume_voxels_um3), rows.numbers(Particle.surface_faces_um2)
    ones = np.ones(len(rows))
    volume, area = _mean(volumes, ones), _mean(areas, ones)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = areas / volumes
    sphere_area = float(np.pi ** (1 / 3) * np.cbrt(6 * volume) ** 2)
    return Table1Cells(
        volume_um3=volume,
        surface_area_um2=area,
        sphericity=sphere_area / area if area else math.nan,
        surface_to_volume_per_um=_mean(ratios, ones),
        equivalent_diameter_um=_mean(np.cbrt(6 * volumes / np.pi), ones),
    )


def _percent(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else 100 * part / whole


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total else math.nan
