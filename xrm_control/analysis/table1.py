"""The paper's Table 1 (Heenan et al. 2020), in its own convention and in the unbiased one.

paper: every whole particle counts once; voxel counts and voxel faces; means of V, SA and d_e; sphericity from mean V
and mean SA; SA:V a mean of ratios; dead volume is mean void volume over mean particle volume (a ratio of means).
unbiased: weights against the loss of large particles at the border and the choice of regions; grey-level volumes,
Crofton areas; means of every particle's own sphericity and ratio; dead volume is the void volume over the volume of the
particles that hold voids.

Intervals are 95 % bootstrap ones of particles, drawn with the voids that they hold, and of regions as far as these
differ; of what was measured, so that they know nothing of a bias of the convention itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.statistics import effective_count, weighted_mean, wilson
from xrm_control.analysis.weighted_rows import WeightedRows, bootstrap_interval
from xrm_control.contracts.column import Column
from xrm_control.contracts.document import Interval
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.table1 import Table1, Table1Cells, Table1Convention, Table1Intervals
from xrm_control.contracts.tables import Particle, Void

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Items:
    """Particles, or voids: rows (m,), the particle of each (m,), and the particles that they are drawn with."""

    rows: Rows
    host: NDArray[np.int64]
    found: WeightedRows

    @property
    def weights(self) -> Floats:
        """Of each (m,)."""
        return self.found.weights[self.host]

    def summed(self, values: Floats) -> Floats:
        """Sum (n,) over what each particle holds."""
        return np.bincount(self.host, weights=values, minlength=len(self.found.rows)).astype(float)

    def drawn(self, values: Floats) -> Floats:
        """Bootstrap weights (draws, m) for a mean of values (m,)."""
        per_particle = self.summed(np.nan_to_num(values)), self.summed(np.ones(len(self.rows)))
        return self.found.drawn_for_ratio(*per_particle)[:, self.host]

    def mean(self, values: Floats) -> float:
        """Weighted."""
        return float(weighted_mean(values, self.weights))

    def interval(self, values: Floats) -> Interval | None:
        """Of that mean."""
        return bootstrap_interval(weighted_mean(values, self.drawn(values)), self.mean(values), len(set(self.host)))


def table1(found: WeightedRows, voids: Rows | None) -> Table1:
    """The table from rows of whole particles (n,), and of their internal voids.

    None where a core did not measure what it takes; `voids` is None where it did not look for them.
    """
    internal = Rows((), {}, 0) if voids is None else voids
    at = {key: number for number, key in enumerate(particle_keys(found.rows))}
    host = np.array([at[key] for key in host_keys(internal)], np.int64)
    return Table1(
        unbiased=_convention(found, internal, host, voids is not None, _unbiased, _dead_volume),
        paper=_convention(found.unweighted(), internal, host, voids is not None, _paper, _paper_dead_volume),
    )


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


_Cells = Callable[[_Items], tuple[Table1Cells, Table1Intervals]]
_Dead = Callable[[_Items, _Items], tuple[float, Interval | None]]


def _convention(
    found: WeightedRows, internal: Rows, host: NDArray[np.int64], looked: bool, cells: _Cells, dead: _Dead
) -> Table1Convention:
    n = len(found.rows)
    particles, voids = _Items(found.rows, np.arange(n), found), _Items(internal, host, found)
    particle, particle_ends = cells(particles)
    void, void_ends = cells(voids)
    dead_percent, dead_ends = dead(particles, voids) if looked or dead is _dead_volume else (math.nan, None)
    share, share_ends = _share(particles)
    return Table1Convention(
        particle=particle,
        void=void,
        dead_volume_percent=dead_percent,
        voided_particles_percent=share,
        n_particles=n,
        n_voids=len(internal) if looked else None,
        particle_intervals=particle_ends,
        void_intervals=void_ends,
        dead_volume_percent_interval=dead_ends,
        voided_particles_percent_interval=share_ends,
    )


def _dead_volume(particles: _Items, _: _Items) -> tuple[float, Interval | None]:
    voided = voided_of(particles.rows)
    if voided is None or not len(particles.rows):
        return math.nan, None
    held = np.where(voided, particles.rows.numbers(Particle.volume_um3), 0.0)
    empty = np.where(voided, particles.rows.numbers(Particle.void_volume_um3), 0.0)
    return _percent_of(particles, empty, held, int(voided.sum()))


def _paper_dead_volume(particles: _Items, voids: _Items) -> tuple[float, Interval | None]:
    """Mean void volume over mean particle volume."""
    if not len(particles.rows):
        return math.nan, None
    if not len(voids.rows):
        return 0.0, None
    empty, held = voids.rows.numbers(Particle.volume_voxels_um3), particles.rows.numbers(Particle.volume_voxels_um3)
    value = 100 * voids.mean(empty) / particles.mean(held)
    drawn = voids.found.drawn_for_ratio(voids.summed(empty), voids.summed(np.ones(len(empty))))
    samples = 100 * weighted_mean(empty, drawn[:, voids.host]) / weighted_mean(held, drawn)
    return value, bootstrap_interval(samples, value, len(set(voids.host)))


def _percent_of(items: _Items, part: Floats, of: Floats, count: int) -> tuple[float, Interval | None]:
    whole = float((items.weights * of).sum())
    if not whole:
        return 0.0, None
    value = 100 * float((items.weights * part).sum()) / whole
    drawn = items.found.drawn_for_ratio(part, of)
    totals = drawn @ of
    samples = 100 * np.divide(drawn @ part, totals, out=np.full(len(totals), np.nan), where=totals > 0)
    return value, bootstrap_interval(samples, value, count)


def _share(particles: _Items) -> tuple[float, Interval | None]:
    """Of voided particles, per cent, with Wilson's interval."""
    voided = voided_of(particles.rows)
    if voided is None or not len(particles.rows):
        return math.nan, None
    share = particles.mean(voided.astype(float))
    influence = particles.found.influence(voided.astype(float), np.ones(len(voided), bool))
    count = effective_count(particles.weights) / max(1.0, particles.found.resampling.disagreement(influence))
    low, high = wilson(share, count)
    return 100 * share, (100 * low, 100 * high)


_MEANS: dict[str, Column] = {
    column.name: column
    for column in (
        *(Particle.volume_um3, Particle.surface_area_um2, Particle.sphericity),
        *(Particle.surface_to_volume_per_um, Particle.equivalent_diameter_um),
    )
}


def _unbiased(items: _Items) -> tuple[Table1Cells, Table1Intervals]:
    values = {name: items.rows.numbers(column) for name, column in _MEANS.items()}
    return (
        Table1Cells.model_validate({name: items.mean(one) for name, one in values.items()}),
        Table1Intervals.model_validate({name: items.interval(one) for name, one in values.items()}),
    )


def _paper(items: _Items) -> tuple[Table1Cells, Table1Intervals]:
    volumes, areas = items.rows.numbers(Particle.volume_voxels_um3), items.rows.numbers(Particle.surface_faces_um2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = areas / volumes
    means = {
        Particle.volume_um3.name: volumes,
        Particle.surface_area_um2.name: areas,
        Particle.surface_to_volume_per_um.name: ratios,
        Particle.equivalent_diameter_um.name: np.cbrt(6 * volumes / np.pi),
    }
    drawn = items.drawn(areas)
    sphericity = float(_of_means(items.mean(volumes), items.mean(areas)))
    samples = _of_means(weighted_mean(volumes, drawn), weighted_mean(areas, drawn))
    ends = bootstrap_interval(samples, sphericity, len(set(items.host)))
    name = Particle.sphericity.name
    return (
        Table1Cells.model_validate({**{n: items.mean(one) for n, one in means.items()}, name: sphericity}),
        Table1Intervals.model_validate({**{n: items.interval(one) for n, one in means.items()}, name: ends}),
    )


def _of_means(volume: Floats | float, area: Floats | float) -> Floats:
    """Sphericity of a body of this volume and area."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.pi ** (1 / 3) * np.cbrt(6 * np.asarray(volume)) ** 2 / np.asarray(area))
