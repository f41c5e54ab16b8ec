"""Whether a lot keeps to its specification: a limit decides when it lies outside of the guard band.

A lot that lies just beyond a limit is accepted in beta of cases, one that lies just within is rejected in alpha of
them: an upper limit accepts when the upper one-sided bound at 1 - beta is below it, and rejects when the lower bound at
1 - alpha is above it. Means, quantiles and spreads are judged as numbers (by variables, as in ISO 3951), which takes
fewer particles than counting those beyond a limit; shares by Wilson's bounds. Particles of one region are not
independent: regions enter as far as they differ, with Student's t of as many as there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.population import QUANTILES, share_of, weigh
from xrm_control.analysis.size_classes import MosaicSizes
from xrm_control.analysis.statistics import effective_count, moments, weighted_mean, weighted_quantile, wilson_bounds
from xrm_control.analysis.table1 import voided_of
from xrm_control.analysis.weighted_rows import WeightedRows
from xrm_control.contracts.lot import LotDecision, LotLine, LotVerdict, together
from xrm_control.contracts.population import Weighting
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.specification import Quantity, SpecificationLine, quantity_of
from xrm_control.contracts.tables import Particle

LEAST_PARTICLES, LEAST_REGIONS = 12, 2
MOST_REGIONS = 200
"""More than so many further regions nobody scans."""

_FULL = "not decided at these error rates"


@dataclass(frozen=True)
class Estimate:
    """value; degrees: of freedom of its standard error. samples: bootstrap ones (draws,), of a quantity
    that is no share; share, count: of one that is, in so many trials."""

    value: float
    degrees: float
    samples: NDArray[np.float64] | None = None
    count: float = 0.0

    def bounds(self, lower: float, upper: float) -> tuple[float, float]:
        """One-sided ones: the truth is below the first in `lower` of cases, above the second in `upper`."""
        from scipy import special

        if self.samples is None:
            low, high = (float(special.stdtrit(self.degrees, 1 - tail)) for tail in (lower, upper))
            return wilson_bounds(self.value, self.count, low)[0], wilson_bounds(self.value, self.count, high)[1]
        known = self.samples[np.isfinite(self.samples)]
        # Efron's bias correction (1981): the samples' median is not the value where a statistic is biased.
        below = (np.count_nonzero(known < self.value) + np.count_nonzero(known <= self.value)) / (2 * len(known))
        shift = 2 * float(special.ndtri(min(max(below, 0.02), 0.98)))
        z = [float(special.ndtri(1 - tail)) for tail in (lower, upper)]
        low, high = np.quantile(known, [float(special.ndtr(shift - z[0])), float(special.ndtr(shift + z[1]))])
        wide = [float(special.stdtrit(self.degrees, 1 - t)) / one for t, one in zip((lower, upper), z, strict=True)]
        return self.value - (self.value - low) * wide[0], self.value + (high - self.value) * wide[1]


def judge_lot(
    particles: Rows,
    lines: Sequence[SpecificationLine],
    *,
    seed: int = 1,
    mosaic: MosaicSizes | None = None,
    doubts: Sequence[str] = (),
    scope: str = "",
) -> LotVerdict:
    """The verdict from rows of particles.csv of all regions of a run.

    doubts: why the numbers as a whole decide nothing; scope: which voids the share of voided particles is of.
    """
    found, weighting = weigh(particles, mosaic, seed)
    regions = len(set(found.rows.texts(Particle.roi)))
    judged = tuple(_line(line, found, weighting, regions, len(lines), scope) for line in lines)
    if doubts:
        judged = tuple(_withheld(line) for line in judged)
    return LotVerdict(decision=together(judged, tuple(doubts)), lines=judged, doubts=tuple(doubts), regions=regions)


def estimate(quantity: Quantity, found: WeightedRows) -> Estimate | None:
    """Of the population; None where it was not measured in enough particles."""
    rows = found.rows
    if quantity.kind == "share":
        voided = voided_of(rows)
        if voided is None or len(rows) < LEAST_PARTICLES:
            return None
        share, count = share_of(voided, found)
        return Estimate(share, _degrees(found, voided.astype(float), np.ones(len(rows), bool)), count=count)
    values = rows.numbers(quantity.column)
    use = np.isfinite(values)
    if quantity.column.statistics == "voided":
        voided = voided_of(rows)
        if voided is None:
            return None
        use &= voided
    if np.count_nonzero(use) < LEAST_PARTICLES:
        return None
    weights = found.weights * use
    volumes = np.nan_to_num(rows.numbers(Particle.volume_um3)) if quantity.kind == "volume" else np.ones(len(rows))
    known = np.where(use, values, 0.0)
    target = _influence_of(quantity, known, weights * volumes)
    drawn = found.drawn(target * volumes, use) * use * volumes
    statistic = _STATISTICS[quantity.statistic] if quantity.statistic in _STATISTICS else _quantile(quantity.statistic)
    value = float(statistic(values[use], (weights * volumes)[None][:, use])[0])
    samples = statistic(values[use], drawn[:, use])
    if quantity.statistic in ("standard_deviation", "sigma_ln"):
        # About their own mean, n values scatter less than about the true one; drawn anew, once more.
        n = effective_count(weights[use])
        value, samples = value * math.sqrt(n / (n - 1)), samples * n / (n - 1)
    return Estimate(value, _degrees(found, target * volumes, use), samples)


def _line(
    line: SpecificationLine, found: WeightedRows, weighting: Weighting | None, regions: int, lines: int, scope: str
) -> LotLine:
    quantity = quantity_of(line.quantity, found.rows.columns)
    told = None if quantity is None else estimate(quantity, found)
    base = LotLine(
        quantity=line.quantity,
        limits=line.words,
        decision=LotDecision.INCONCLUSIVE,
        reason=f"not measured in the {LEAST_PARTICLES} whole particles that it takes",
        alpha=line.alpha,
        beta=line.beta,
        scope=scope if quantity is not None and quantity.kind == "share" else "",
    )
    if quantity is None or told is None or not math.isfinite(told.value):
        return base
    low, high = line.limits
    alpha = line.alpha / lines
    rejecting, accepting = told.bounds(alpha, alpha), told.bounds(line.beta, line.beta)
    decision = LotDecision.INCONCLUSIVE
    if rejecting[0] > high or rejecting[1] < low:
        decision = LotDecision.REJECT
    elif accepting[1] <= high and accepting[0] >= low:
        decision = LotDecision.ACCEPT
    # Against an upper limit the lower bound rejects and the upper one accepts; between two, those that may decide.
    if math.isfinite(low) and math.isfinite(high):
        guard = accepting if low < told.value < high else rejecting
    else:
        guard = (rejecting[0], accepting[1]) if math.isfinite(high) else (accepting[0], rejecting[1])
    guard = (float(guard[0]), float(guard[1]))
    base = base.model_copy(update={"value": told.value, "guard": guard})
    why = _in_doubt(quantity, weighting, regions)
    if why:
        more = LEAST_REGIONS - regions if regions < LEAST_REGIONS else None
        return base.model_copy(update={"reason": why, "more_regions": more})
    if decision is LotDecision.ACCEPT:
        return base.model_copy(update={"decision": decision, "reason": f"within the limits, at {line.beta:.0%}"})
    if decision is LotDecision.REJECT:
        return base.model_copy(update={"decision": decision, "reason": f"beyond a limit, at {line.alpha:.0%}"})
    more = _more(told.value, guard, (low, high), regions)
    needs = f"{more} more regions like these would decide" if more else "it lies too near to a limit for any number"
    return base.model_copy(update={"reason": f"{_FULL}: {needs}", "more_regions": more})


def _in_doubt(quantity: Quantity, weighting: Weighting | None, regions: int) -> str:
    """Why this number decides nothing, "" for nothing."""
    if regions < LEAST_REGIONS:
        return "one region does not tell how far regions differ: scan another"
    if weighting is None:
        return ""
    if weighting.reason:
        return f"the choice of regions may show in it: {weighting.reason}"
    return weighting.volume_reason if quantity.kind == "volume" else ""


def _withheld(line: LotLine) -> LotLine:
    return line.model_copy(
        update={"decision": LotDecision.INCONCLUSIVE, "reason": "the numbers are in doubt", "more_regions": None}
    )


def _more(value: float, guard: tuple[float, float], limits: tuple[float, float], regions: int) -> int | None:
    """How many more regions narrow the guard band, as one over the root of their number, to what decides."""
    low, high = limits
    inside = low < value < high
    needed = 1.0
    for limit, reaches in ((high, guard[1] - value if inside else value - guard[0]), (low, value - guard[0])):
        if math.isinf(limit) or (not inside and (value > high) != (limit == high)):
            continue
        if limit == low and not inside:
            reaches = guard[1] - value
        gap = abs(limit - value)
        needed = max(needed, (reaches / gap) ** 2 if gap > 0 else math.inf)
    if not math.isfinite(needed) or needed * regions - regions > MOST_REGIONS:
        return None
    return max(1, math.ceil(needed * regions) - regions)


def _degrees(found: WeightedRows, values: NDArray[np.float64], use: NDArray[np.bool_]) -> float:
    """Degrees of freedom of a statistic's error (Welch and Satterthwaite): of its particles, and of its regions as far
    as these differ."""
    clusters, n = found.resampling.rois.shape[1], int(np.count_nonzero(use))
    more = found.resampling.disagreement(found.influence(values, use))
    between = 1 - 1 / max(1.0, more)
    return 1 / (between**2 / max(clusters - 1, 1) + (1 - between) ** 2 / max(n - 1, 1))


def _influence_of(quantity: Quantity, values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """A mean of what has the quantity's influence: of a quantile, of what lies below it; of a spread, of squares."""
    if quantity.statistic in ("mean",):
        return values
    if quantity.statistic in ("standard_deviation", "sigma_ln"):
        logs = np.log(np.where(values > 0, values, 1.0)) if quantity.statistic == "sigma_ln" else values
        return (logs - float(weighted_mean(logs, weights))) ** 2
    q = QUANTILES.get(quantity.statistic, 0.5)
    kept = weights > 0
    return (values <= float(weighted_quantile(values[kept], weights[kept], q))).astype(float)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return weighted_mean(values, weights)


def _spread(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return moments(values, weights)[1]


def _log_spread(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return moments(np.log(values), weights)[1] if np.all(values > 0) else np.full(len(weights), np.nan)


_STATISTICS = {"mean": _mean, "standard_deviation": _spread, "sigma_ln": _log_spread}


@dataclass(frozen=True)
class _Quantile:
    q: float

    def __call__(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return weighted_quantile(values, weights, self.q)


def _quantile(statistic: str) -> _Quantile:
    return _Quantile(QUANTILES.get(statistic, 0.5))
