"""Weighted statistics of pooled particles, with intervals that know that particles of one scan are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959964


@dataclass(frozen=True)
class Resampling:
    """Bootstrap of n particles from some ROIs. particles (draws, n): how often each is drawn; rois (draws, K): how
    often each ROI would be; member (n,): each one's ROI.

    A handful of ROIs redrawn whole repeats the same few sums, and redrawing both counts the particles' own spread
    twice: the ROIs are redrawn as far as they differ by more than that.
    """

    particles: NDArray[np.float64]
    rois: NDArray[np.float64]
    member: NDArray[np.int64]

    @classmethod
    def of(cls, clusters: Sequence[str], draws: int, seed: int) -> Resampling:
        """clusters: the ROI of each particle."""
        rng = np.random.default_rng(seed)
        names, member = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        n, k = len(member), len(names)
        particles = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(float)
        rois = rng.multinomial(k, np.full(k, 1 / k), size=draws).astype(float)
        return cls(particles, rois, member.astype(np.int64))

    @classmethod
    def none(cls) -> Resampling:
        """Of no particles."""
        return cls(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0, np.int64))

    def disagreement(self, influence: NDArray[np.float64]) -> float:
        """How many times more the ROIs differ, as a variance, than their particles explain: 1 by chance alone.

        influence (n,): what each particle adds to a statistic, less what is expected of it.
        """
        k = self.rois.shape[1]
        within = float((influence**2).sum())
        if k < 2 or within <= 0:
            return 1.0
        sums = np.bincount(self.member, weights=influence, minlength=k)
        return float((sums**2).sum()) / within * k / (k - 1)

    def counts(self, influence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Multiplicities (draws, n) for a statistic with this influence (n,)."""
        k = self.rois.shape[1]
        more = 1 - 1 / max(1.0, self.disagreement(influence))
        if more <= 0:
            return self.particles
        damped = 1 + min(1.0, np.sqrt(more * k / (k - 1))) * (self.rois - 1)
        return self.particles * damped[:, self.member]


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of values (n,) for every row of weights (..., n)."""
    total = weights.sum(-1)
    return np.divide(weights @ values, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def moments(
    values: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (draws,) of values (n,) by weights (draws, n)."""
    mean = weighted_mean(values, weights)
    about = float(values.mean())
    square = weighted_mean((values - about) ** 2, weights) - (mean - about) ** 2
    return mean, np.sqrt(np.maximum(square, 0.0))


def weighted_quantile(values: NDArray[np.float64], weights: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """Quantile q of values (n,) for every row of weights (..., n), interpolated between middles of the weights.

    For equal weights it is Hazen's, whose median is the usual one.
    """
    order = np.argsort(values, kind="stable")
    ordered, rows = values[order], np.atleast_2d(weights)[:, order]
    middle = np.cumsum(rows, axis=1) - rows / 2
    total = rows.sum(axis=1)
    result = _interpolated(q * total, middle, ordered, rows > 0)
    result[~(total > 0)] = np.nan
    return result if np.ndim(weights) > 1 else result[0]


def _interpolated(
    at: NDArray[np.float64], middle: NDArray[np.float64], ordered: NDArray[np.float64], counts: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`np.interp(at, middle, ordered)` of each row (draws, n) by those that count, all rows at once."""
    draws, n = middle.shape
    place, row = np.arange(n), np.arange(draws)
    below = middle <= at[:, None]
    low = np.where(counts & below, place, -1).max(axis=1, initial=-1)
    high = np.where(counts & ~below, place, n).min(axis=1, initial=n)
    # Beyond the outermost middles it is the outermost value.
    low, high = np.where(low < 0, high, low), np.where(high == n, low, high)
    low, high = np.clip(low, 0, n - 1), np.clip(high, 0, n - 1)
    start, end = middle[row, low], middle[row, high]
    apart = end > start
    slope = np.divide(ordered[high] - ordered[low], end - start, out=np.zeros(draws), where=apart)
    return np.where(apart, slope * (at - start) + ordered[low], ordered[low])


def interval(samples: NDArray[np.float64]) -> list[float]:
    """Central 95 % of bootstrap samples (draws,)."""
    low, high = np.nanpercentile(samples, (2.5, 97.5)) if np.isfinite(samples).any() else (np.nan, np.nan)
    return [float(low), float(high)]


def wilson(share: float, count: float) -> list[float]:
    """Wilson's (1927) 95 % interval of a frequency observed in `count` (possibly effective, fractional) trials."""
    return list(wilson_bounds(share, count, Z95))


def wilson_bounds(share: float, count: float, z: float) -> tuple[float, float]:
    """The same, so many standard errors wide."""
    if count <= 0:
        return 0.0, 1.0
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = float(max(centre - half, 0.0)), float(min(centre + half, 1.0))
    return (low if share > 0 else 0.0), (high if share < 1 else 1.0)


def effective_count(weights: NDArray[np.float64]) -> float:
    """Kish's effective number of equally weighted trials, (sum w)^2 / sum w^2."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
