"""Statistics over the whole particles of all ROIs of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.statistics import (
    effective_count,
    interval,
    resample_counts,
    weighted_mean,
    weighted_quantile,
    wilson,
)
from xrm_control.analysis.table1 import host_keys, particle_keys, table1, voided_of
from xrm_control.contracts.document import Interval
from xrm_control.contracts.population import Distribution, Population, Share, VolumeWeighted
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.table1 import Table1
from xrm_control.contracts.tables import INTERNAL, Particle, Void, quantities

DRAWS = 500


@dataclass(frozen=True)
class Pooled:
    """What the particles of one or more ROIs say together."""

    table1: Table1
    population: Population


def pool(particles: Rows, voids: Rows | None, *, seed: int = 1) -> Pooled:
    """Table 1 and population statistics of particles.csv and voids.csv, of one or more ROIs.

    Only whole particles count, each by its weight. Which quantities there are, their columns say. Intervals are 95 %:
    bootstrap (by ROI, then by particle) for means and quantiles, Wilson's with the effective number for the voided
    fraction. `voids` is None where nobody looked for them. What cannot be computed (a mean of no voids, of a quantity
    that a core does not measure) is None.
    """
    whole = particles.where(~particles.flags(Particle.touches_boundary) & (particles.numbers(Particle.weight) > 0))
    internal = None
    if voids is not None:
        known = set(particle_keys(whole))
        held = np.array([key in known for key in host_keys(voids)], bool)
        internal = voids.where(held & np.array([kind in INTERNAL for kind in voids.texts(Void.kind)], bool))
    return Pooled(table1(whole, internal), _population(particles, whole, internal, seed))


def _population(particles: Rows, whole: Rows, internal: Rows | None, seed: int) -> Population:
    n_voids = None if internal is None else len(internal)
    if not len(whole):
        return Population(n_particles=len(particles), n_whole=0, n_voids=n_voids)
    weights = whole.numbers(Particle.weight)
    counts = resample_counts(whole.texts(Particle.roi), DRAWS, seed)
    voided = voided_of(whole)
    everyone = np.ones(len(whole), bool)
    chosen = {"whole": everyone, "voided": voided}
    return Population(
        n_particles=len(particles),
        n_whole=len(whole),
        n_voids=n_voids,
        quantities={
            column.name: _distribution(whole.numbers(column), weights, counts, over)
            for column in quantities(whole.columns)
            if (over := chosen[column.statistics]) is not None
        },
        voided_fraction=None if voided is None else _fraction(voided, weights),
        volume_weighted_diameter_um=_volume_weighted(whole, weights, counts),
    )


def _distribution(
    values: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> Distribution:
    use = chosen & np.isfinite(values)
    values, weights, counts = values[use], weights[use], counts[:, use]
    if not len(values):
        return Distribution(n=0)
    redrawn = counts * weights
    mean = float(weighted_mean(values, weights))
    d10, d50, d90 = (float(weighted_quantile(values, weights, q)) for q in (0.1, 0.5, 0.9))
    sigma_ln = None
    if np.all(values > 0):
        logs = np.log(values)
        sigma_ln = float(np.sqrt(weighted_mean((logs - weighted_mean(logs, weights)) ** 2, weights)))
    return Distribution(
        n=len(values),
        mean=mean,
        mean_interval=_ends(interval(weighted_mean(values, redrawn))),
        standard_deviation=float(np.sqrt(weighted_mean((values - mean) ** 2, weights))),
        median=d50,
        median_interval=_ends(interval(weighted_quantile(values, redrawn, 0.5))),
        d10=d10,
        d50=d50,
        d90=d90,
        sigma_ln=sigma_ln,
    )


def _fraction(voided: NDArray[np.bool_], weights: NDArray[np.float64]) -> Share:
    share = float(weighted_mean(voided.astype(float), weights))
    return Share(value=share, interval=_ends(wilson(share, effective_count(weights))), n=len(voided))


def _volume_weighted(whole: Rows, weights: NDArray[np.float64], counts: NDArray[np.float64]) -> VolumeWeighted:
    """Dv10, Dv50, Dv90 (ISO 9276-2): diameters below which 10, 50, 90 % of the particles' volume lies."""
    diameters = whole.numbers(Particle.equivalent_diameter_um)
    share = weights * whole.numbers(Particle.volume_um3)
    d10, d50, d90 = (float(weighted_quantile(diameters, share, q)) for q in (0.1, 0.5, 0.9))
    ends = _ends(interval(weighted_quantile(diameters, counts * share, 0.5)))
    return VolumeWeighted(n=len(whole), d10=d10, d50=d50, d90=d90, d50_interval=ends)


def _ends(bounds: list[float]) -> Interval:
    low, high = bounds
    return low, high
