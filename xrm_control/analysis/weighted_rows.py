"""Whole particles with what they count for, and the same drawn anew: of this every interval is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.size_classes import SizeClasses
from xrm_control.analysis.statistics import Resampling, interval
from xrm_control.contracts.document import Interval
from xrm_control.contracts.rows import Rows


@dataclass(frozen=True)
class WeightedRows:
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

    def unweighted(self) -> WeightedRows:
        """Each counts once: the paper's convention."""
        ones = np.ones(len(self.rows))
        return replace(self, border=ones, weights=ones, classes=None)

    def drawn_for_ratio(self, part: NDArray[np.float64], of: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bootstrap weights (draws, n) for a ratio of two weighted sums, of `part` (n,) over `of` (n,)."""
        whole = float((self.weights * of).sum())
        ratio = float((self.weights * part).sum()) / whole if whole else 0.0
        scale = whole / max(float(self.weights.sum()), 1e-300)
        everyone = np.ones(len(self.rows), bool)
        return self.drawn((part - ratio * of) / scale if scale else part, everyone)


def bootstrap_interval(samples: NDArray[np.float64], value: float, count: int) -> Interval | None:
    """95 % interval of a statistic of `count` items from its bootstrap samples (draws,).

    A bootstrap of few items is too narrow (it draws from what is there, and knows no Student's t): its ends are moved
    away from the value by that; of what is positive as a ratio, since no diameter lies below zero. None of less than
    two items.
    """
    from scipy import special

    if count < 2 or not math.isfinite(value):
        return None
    low, high = interval(samples)
    wider = float(special.stdtrit(count - 1, 0.975)) / 1.959964 * math.sqrt(count / (count - 1))
    if value > 0 and np.nanmin(samples) > 0:
        return value * (low / value) ** wider, value * (high / value) ** wider
    return value - (value - low) * wider, value + (high - value) * wider
