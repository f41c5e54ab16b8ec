"""From what is seen of each particle to the probability that it is voided: logistic regression, with a prior."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PRIOR = 0.1
"""Precision of the slopes: some particles that can be told apart without fail teach no infinite one."""

_ROUNDS = 25
_MOST_LOGIT = 8.0
_MOST_SPREADS = 4.0
"""From the median, in standard deviations as the quartiles have them: beyond that a feature tells no more."""


def scaled(values: Floats, like: Floats) -> Floats:
    """Values in units of the spread of `like`, from its median, cut at both ends."""
    low, middle, high = np.percentile(like, (25, 50, 75))
    spread = max(float(high - low) / 1.349, 1e-9)
    return np.clip((values - middle) / spread, -_MOST_SPREADS, _MOST_SPREADS)


def fitted(features: Floats, voided: NDArray[np.bool_], weights: Floats) -> Floats:
    """Intercept and slopes (1 + k,) for features (n, k); Newton's method (McCullagh and Nelder 1989)."""
    design = np.column_stack((np.ones(len(features)), features))
    weights = weights * len(weights) / weights.sum()
    slopes = np.zeros(design.shape[1])
    prior = np.full(len(slopes), _PRIOR)
    prior[0] = 1e-6
    for _ in range(_ROUNDS):
        probability = predicted(features, slopes)
        curve = weights * np.maximum(probability * (1 - probability), 1e-6)
        gradient = design.T @ (weights * (voided - probability)) - prior * slopes
        step = np.linalg.solve((design * curve[:, None]).T @ design + np.diag(prior), gradient)
        slopes = slopes + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-6:
            break
    return slopes


def predicted(features: Floats, slopes: Floats) -> Floats:
    """Probability (n,) for features (n, k)."""
    logit = slopes[0] + features @ slopes[1:]
    return 1 / (1 + np.exp(-np.clip(logit, -_MOST_LOGIT, _MOST_LOGIT)))
