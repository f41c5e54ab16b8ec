"""Statistics over the whole particles of all ROIs of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.double_sampling import double_sampled
from xrm_control.analysis.mosaic_scale import rescaled
from xrm_control.analysis.size_classes import MosaicSizes, SizeClasses, size_classes
from xrm_control.analysis.statistics import (
    Resampling,
    effective_count,
    moments,
    weighted_mean,
    weighted_quantile,
    wilson,
)
from xrm_control.analysis.table1 import host_keys, particle_keys, table1, voided_of
from xrm_control.analysis.weighted_rows import WeightedRows, bootstrap_interval
from xrm_control.contracts.document import Interval
from xrm_control.contracts.population import Distribution, Population, Share, VolumeWeighted, Weighting
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.table1 import Table1
from xrm_control.contracts.tables import INTERNAL, Particle, Void, quantities

DRAWS = 500
QUANTILES = {"d10": 0.1, "d50": 0.5, "d90": 0.9}
_MOST_GAIN = 1.25
"""Of the effective number of particles of a share, by what the size classes tell of it."""

_FEW = "fewer than 6 particles were measured, or lie in the mosaic"


@dataclass(frozen=True)
class Pooled:
    """What the particles of one or more ROIs say together."""

    table1: Table1
    population: Population


def pool(particles: Rows, voids: Rows | None, *, seed: int = 1, mosaic: MosaicSizes | None = None) -> Pooled:
    """Table 1 and population statistics of particles.csv and voids.csv, of one or more ROIs.

    Only whole particles that stayed where they were count, each by its weight: the border's, and what the mosaic holds
    of its size against what was measured of it, where there is a mosaic that can be counted. Which quantities there
    are, their columns say.
    Intervals are 95 %: bootstrap for means and quantiles (by particle, by ROI as far as ROIs differ, and of the
    mosaic's counts), Wilson's with the effective number for the voided fraction. `voids` is None where nobody looked
    for them. What cannot be computed (a mean of no voids, of a quantity that a core does not measure) is None.
    """
    found, weighting = weigh(particles, mosaic, seed)
    whole = found.rows
    internal = None
    if voids is not None:
        known = set(particle_keys(whole))
        held = np.array([key in known for key in host_keys(voids)], bool)
        internal = voids.where(held & np.array([kind in INTERNAL for kind in voids.texts(Void.kind)], bool))
    population = _population(len(particles), found, internal).model_copy(update={"weighting": weighting})
    if mosaic is not None:
        voided = voided_of(found.rows)
        plain = share_of(voided, found) if voided is not None and len(voided) else None
        doubled = double_sampled(particles, found, voided, plain, mosaic)
        population = population.model_copy(update={"voided_fraction_by_mosaic": doubled})
    return Pooled(table1(found, internal), population)


def weigh(particles: Rows, mosaic: MosaicSizes | None, seed: int) -> tuple[WeightedRows, Weighting | None]:
    """The whole particles with what they count for, and how that came about."""
    whole = particles.where(_counting(particles))
    border = whole.numbers(Particle.weight)
    classes, weighting = _classes(whole, mosaic)
    weights = border if classes is None else classes.weights(border[None])[0]
    resampling = Resampling.of(whole.texts(Particle.roi), DRAWS, seed) if len(whole) else Resampling.none()
    return WeightedRows(whole, border, weights, classes, resampling, seed), weighting


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
    stayed = np.isnan(particles.numbers(Particle.moved_um))
    return ~particles.flags(Particle.touches_boundary) & (particles.numbers(Particle.weight) > 0) & stayed


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


def _population(n_particles: int, found: WeightedRows, internal: Rows | None) -> Population:
    n_voids = None if internal is None else len(internal)
    whole = found.rows
    if not len(whole):
        return Population(n_particles=n_particles, n_whole=0, n_voids=n_voids)
    voided = voided_of(whole)
    kinds = whole.texts(Particle.crack_kind)
    cracked = np.array([kind != "none" for kind in kinds], bool) if all(kinds) else None
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
        cracked_fraction=None if cracked is None else _fraction(cracked, found),
        volume_weighted_diameter_um=_volume_weighted(found),
    )


def _distribution(values: NDArray[np.float64], found: WeightedRows, chosen: NDArray[np.bool_]) -> Distribution:
    use = chosen & np.isfinite(values)
    if not use.any():
        return Distribution(n=0)
    redrawn = found.drawn(values, use)[:, use]
    values, weights = values[use], found.weights[use]
    n = len(values)
    mean, spread = moments(values, weights[None])
    quantiles = {name: float(weighted_quantile(values, weights, q)) for name, q in QUANTILES.items()}
    ends = {
        f"{name}_interval": bootstrap_interval(weighted_quantile(values, redrawn, QUANTILES[name]), quantile, n)
        for name, quantile in quantiles.items()
    }
    means, spreads = moments(values, redrawn)
    logs: dict[str, float | Interval | None] = {}
    if np.all(values > 0):
        sigma_ln = float(moments(np.log(values), weights[None])[1][0])
        redrawn_ln = moments(np.log(values), redrawn)[1]
        logs = {"sigma_ln": sigma_ln, "sigma_ln_interval": bootstrap_interval(redrawn_ln, sigma_ln, n)}
    return Distribution.model_validate(
        {
            "n": n,
            "mean": float(mean[0]),
            "mean_interval": bootstrap_interval(means, float(mean[0]), n),
            "standard_deviation": float(spread[0]),
            "standard_deviation_interval": bootstrap_interval(spreads, float(spread[0]), n),
            "median": quantiles["d50"],
            "median_interval": ends.pop("d50_interval"),
            **quantiles,
            **ends,
            **logs,
        }
    )


def _fraction(voided: NDArray[np.bool_], found: WeightedRows) -> Share:
    share, count = share_of(voided, found)
    return Share(value=share, interval=_ends(wilson(share, count)), n=len(voided))


def share_of(voided: NDArray[np.bool_], found: WeightedRows) -> tuple[float, float]:
    """The weighted share, and the number of independent trials that it is worth."""
    values, everyone = voided.astype(float), np.ones(len(voided), bool)
    share = float(weighted_mean(values, found.weights))
    count = effective_count(found.weights)
    influence = found.influence(values, everyone)
    if found.classes is not None and 0 < share < 1:
        # Kish's number knows nothing of what the sizes tell of the share; nor of the mosaic's own chance.
        total, free = float(found.classes.counts.sum()), len(voided) - len(found.classes.counts)
        variance = float((influence**2).sum()) * len(voided) / max(free, 1) + share * (1 - share) / total
        count = min(share * (1 - share) / variance, _MOST_GAIN * count)
    return share, count / max(1.0, found.resampling.disagreement(influence))


def _volume_weighted(found: WeightedRows) -> VolumeWeighted:
    """Dv10, Dv50, Dv90 (ISO 9276-2): diameters below which 10, 50, 90 % of the particles' volume lies."""
    diameters = found.rows.numbers(Particle.equivalent_diameter_um)
    volumes = found.rows.numbers(Particle.volume_um3)
    share = found.weights * volumes
    redrawn = found.drawn(diameters, np.ones(len(diameters), bool)) * volumes
    told: dict[str, float | Interval | None] = {}
    # The volume is in few particles: as many as count, and not as many as there are.
    count = max(2, int(effective_count(share)))
    for name, q in QUANTILES.items():
        told[name] = value = float(weighted_quantile(diameters, share, q))
        told[f"{name}_interval"] = bootstrap_interval(weighted_quantile(diameters, redrawn, q), value, count)
    return VolumeWeighted.model_validate({"n": len(diameters), **told})


def _ends(bounds: list[float]) -> Interval:
    low, high = bounds
    return low, high
