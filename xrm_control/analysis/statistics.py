"""Weighted statistics of pooled particles, with intervals that know that particles of one scan are not independent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959964


def resample_counts(clusters: Sequence[str], draws: int, seed: int) -> NDArray[np.float64]:
    """Bootstrap multiplicities (draws, n) of n particles; clusters: each one's ROI.

    One ROI: particles are drawn. Several: ROIs are drawn, then particles within them, because a handful of ROIs
    redrawn whole would repeat the same few sums.
    """
    rng = np.random.default_rng(seed)
    names, member = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    size = np.bincount(member)
    counts = np.zeros((draws, len(member)))
    picks = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    for cluster, count in enumerate(size):
        columns = np.flatnonzero(member == cluster)
        counts[:, columns] = rng.multinomial(picks[:, cluster] * count, np.full(count, 1 / count))
    return counts


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of values (n,) for every row of weights (..., n)."""
    total = weights.sum(-1)
    return np.divide(weights @ values, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def weighted_quantile(values: NDArray[np.float64], weights: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """Quantile q of values (n,) for every row of weights (..., n), interpolated between middles of the weights.

    For equal weights it is Hazen's, whose median is the usual one.
    """
    order = np.argsort(values, kind="stable")
    ordered, rows = values[order], np.atleast_2d(weights)[:, order]
    middle = np.cumsum(rows, axis=1) - rows / 2
    total = rows.sum(axis=1)
    result = np.array(
        [
            np.interp(q * t, m[w > 0], ordered[w > 0]) if t > 0 else np.nan
            for m, w, t in zip(middle, rows, total, strict=True)
        ]
    )
    return result if np.ndim(weights) > 1 else result[0]


def interval(samples: NDArray[np.float64]) -> list[float]:
    """Central 95 % of bootstrap samples (draws,)."""
    low, high = np.nanpercentile(samples, (2.5, 97.5)) if np.isfinite(samples).any() else (np.nan, np.nan)
    return [float(low), float(high)]


def wilson(share: float, count: float) -> list[float]:
    """Wilson's (1927) 95 % interval of a frequency observed in `count` (possibly effective, fractional) trials."""
    if count <= 0:
        return [0.0, 1.0]
    centre = (share + Z95**2 / (2 * count)) / (1 + Z95**2 / count)
    half = Z95 / (1 + Z95**2 / count) * np.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    return [float(max(centre - half, 0.0)), float(min(centre + half, 1.0))]


def effective_count(weights: NDArray[np.float64]) -> float:
    """Kish's effective number of equally weighted trials, (sum w)^2 / sum w^2."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
