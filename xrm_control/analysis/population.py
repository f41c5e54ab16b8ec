"""Statistics over the whole particles of all ROIs of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.mosaic_scale import rescaled
from xrm_control.analysis.size_classes import MosaicSizes, SizeClasses, size_classes
from xrm_control.analysis.statistics import (
    Resampling,
    effective_count,
    interval,
    weighted_mean,
    weighted_quantile,
    wilson,
)
from xrm_control.analysis.table1 import host_keys, particle_keys, table1, voided_of
from xrm_control.contracts.document import Interval
from xrm_control.contracts.population import Distribution, Population, Share, VolumeWeighted, Weighting
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.table1 import Table1
from xrm_control.contracts.tables import INTERNAL, Particle, Void, quantities

DRAWS = 500
_MOST_GAIN = 1.25
"""Of the effective number of particles of a share, by what the size classes tell of it."""

_FEW = "fewer than 6 particles were measured, or lie in the mosaic"


@dataclass(frozen=True)
class Pooled:
    """What the particles of one or more ROIs say together."""

    table1: Table1
    population: Population


@dataclass(frozen=True)
class _Weighted:
    """Whole particles and what they count for. border (n,): weights without the mosaic; weights (n,): those that
    count; classes: None where that is the same.
    """

    rows: Rows
    border: NDArray[np.float64]
    weights: NDArray[np.float64]
    classes: SizeClasses | None
    resampling: Resampling
    seed: int

    def drawn(self, values: NDArray[np.float64], use: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Bootstrap weights (draws, n) for a mean of values (n,) over those that are of `use` (n,)."""
        base = self.resampling.counts(self.influence(values, use)) * self.border
        return base if self.classes is None else self.classes.redrawn(base, self.seed)

    def influence(self, values: NDArray[np.float64], use: NDArray[np.bool_]) -> NDArray[np.float64]:
        """What each particle (n,) adds to a weighted mean, less the mean of its size class."""
        weights = np.where(use, self.weights, 0.0)
        member = np.zeros(len(values), np.int64) if self.classes is None else self.classes.member
        known = np.where(use, values, 0.0)
        total = np.bincount(member, weights=weights)
        means = np.bincount(member, weights=weights * known) / np.maximum(total, 1e-300)
        return weights * (known - means[member]) / max(float(weights.sum()), 1e-300)


def pool(particles: Rows, voids: Rows | None, *, seed: int = 1, mosaic: MosaicSizes | None = None) -> Pooled:
    """Table 1 and population statistics of particles.csv and voids.csv, of one or more ROIs.

    Only whole particles count, each by its weight: the border's, and what the mosaic holds of its size against what was
    measured of it, where there is a mosaic that can be counted. Which quantities there are, their columns say.
    Intervals are 95 %: bootstrap for means and quantiles (by particle, by ROI as far as ROIs differ, and of the
    mosaic's counts), Wilson's with the effective number for the voided fraction. `voids` is None where nobody looked
    for them. What cannot be computed (a mean of no voids, of a quantity that a core does not measure) is None.
    """
    kept = _counting(particles)
    whole = particles.where(kept)
    border = whole.numbers(Particle.weight)
    classes, weighting = _classes(whole, mosaic)
    weights = border if classes is None else classes.weights(border[None])[0]
    resampling = Resampling.of(whole.texts(Particle.roi), DRAWS, seed) if len(whole) else Resampling.none()
    found = _Weighted(whole, border, weights, classes, resampling, seed)
    internal = None
    if voids is not None:
        known = set(particle_keys(whole))
        held = np.array([key in known for key in host_keys(voids)], bool)
        internal = voids.where(held & np.array([kind in INTERNAL for kind in voids.texts(Void.kind)], bool))
    population = _population(len(particles), found, internal).model_copy(update={"weighting": weighting})
    return Pooled(table1(whole, internal, weights), population)


def population_weights(particles: Rows, mosaic: MosaicSizes) -> NDArray[np.float64]:
    """By what each particle (n,) counts in `pool`; 0 for those that do not."""
    kept = _counting(particles)
    whole = particles.where(kept)
    classes, _ = _classes(whole, mosaic)
    border = whole.numbers(Particle.weight)
    weights = np.zeros(len(particles))
    weights[kept] = border if classes is None else classes.weights(border[None])[0]
    return weights


def _counting(particles: Rows) -> NDArray[np.bool_]:
    return ~particles.flags(Particle.touches_boundary) & (particles.numbers(Particle.weight) > 0)


def _classes(whole: Rows, mosaic: MosaicSizes | None) -> tuple[SizeClasses | None, Weighting | None]:
    if mosaic is None:
        return None, None
    if mosaic.doubt:
        return None, Weighting(kind="border", reason=mosaic.doubt)
    classes = size_classes(whole.numbers(Particle.equivalent_diameter_um), rescaled(whole, mosaic))
    if classes is None:
        return None, Weighting(kind="border", reason=_FEW)
    missing = classes.missing(whole.numbers(Particle.weight))
    return classes, Weighting(
        kind="mosaic", reason=missing, volume_reason=classes.missing_volume(), classes=len(classes.counts)
    )


def _population(n_particles: int, found: _Weighted, internal: Rows | None) -> Population:
    n_voids = None if internal is None else len(internal)
    whole = found.rows
    if not len(whole):
        return Population(n_particles=n_particles, n_whole=0, n_voids=n_voids)
    voided = voided_of(whole)
    everyone = np.ones(len(whole), bool)
    chosen = {"whole": everyone, "voided": voided}
    return Population(
        n_particles=n_particles,
        n_whole=len(whole),
        n_voids=n_voids,
        quantities={
            column.name: _distribution(whole.numbers(column), found, over)
            for column in quantities(whole.columns)
            if (over := chosen[column.statistics]) is not None
        },
        voided_fraction=None if voided is None else _fraction(voided, found),
        volume_weighted_diameter_um=_volume_weighted(found),
    )


def _distribution(values: NDArray[np.float64], found: _Weighted, chosen: NDArray[np.bool_]) -> Distribution:
    use = chosen & np.isfinite(values)
    if not use.any():
        return Distribution(n=0)
    redrawn = found.drawn(values, use)[:, use]
    values, weights = values[use], found.weights[use]
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


def _fraction(voided: NDArray[np.bool_], found: _Weighted) -> Share:
    values, everyone = voided.astype(float), np.ones(len(voided), bool)
    share = float(weighted_mean(values, found.weights))
    count = effective_count(found.weights)
    influence = found.influence(values, everyone)
    if found.classes is not None and 0 < share < 1:
        # Kish's number knows nothing of what the sizes tell of the share; nor of the mosaic's own chance.
        total, free = float(found.classes.counts.sum()), len(voided) - len(found.classes.counts)
        variance = float((influence**2).sum()) * len(voided) / max(free, 1) + share * (1 - share) / total
        count = min(share * (1 - share) / variance, _MOST_GAIN * count)
    count /= max(1.0, found.resampling.disagreement(influence))
    return Share(value=share, interval=_ends(wilson(share, count)), n=len(voided))


def _volume_weighted(found: _Weighted) -> VolumeWeighted:
    """Dv10, Dv50, Dv90 (ISO 9276-2): diameters below which 10, 50, 90 % of the particles' volume lies."""
    diameters = found.rows.numbers(Particle.equivalent_diameter_um)
    volumes = found.rows.numbers(Particle.volume_um3)
    share = found.weights * volumes
    d10, d50, d90 = (float(weighted_quantile(diameters, share, q)) for q in (0.1, 0.5, 0.9))
    redrawn = found.drawn(diameters, np.ones(len(diameters), bool)) * volumes
    ends = _ends(interval(weighted_quantile(diameters, redrawn, 0.5)))
    return VolumeWeighted(n=len(diameters), d10=d10, d50=d50, d90=d90, d50_interval=ends)


def _ends(bounds: list[float]) -> Interval:
    low, high = bounds
    return low, high
