"""Sizes: how large the particles and voids of a powder are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LogNormal:
    """Diameters with log-normal distribution about `median_um`, cut at both ends."""

    median_um: float
    sigma_ln: float
    smallest_um: float
    largest_um: float

    def sample(self, count: int, random: np.random.Generator, *, stratified: bool = True) -> NDArray[np.float64]:
        """`count` diameters in random order, one from each of `count` equally likely classes.

        Stratified, so that a population of a thousand has its intended mean and tails for every seed; otherwise each
        is drawn by itself.
        """
        from scipy.special import ndtr, ndtri

        if stratified:
            quantile = random.permutation((np.arange(count) + random.uniform(size=count)) / max(count, 1))
        else:
            quantile = random.uniform(size=count)
        ends = ndtr(np.log(np.array([self.smallest_um, self.largest_um]) / self.median_um) / self.sigma_ln)
        normal = ndtri(ends[0] + quantile * (ends[1] - ends[0]))
        return self.median_um * np.exp(self.sigma_ln * normal)


@dataclass(frozen=True)
class VoidPopulation:
    """Which particles hold voids, and how large these are; diameters in um.

    voided_fraction of the particles hold at least one, larger ones a little more often. A void's diameter is
    log-normal with mean mean_um, correlated with the particle's, at most largest_relative of it (which brings the mean
    of those that are made down to 2.4 um); open_fraction of the voided particles have a pit instead. Some large
    particles hold a second void.
    """

    voided_fraction: float = 0.55
    mean_um: float = 2.5
    sigma_ln: float = 0.29
    correlation: float = 0.75
    size_preference: float = 0.2
    second_fraction: float = 0.08
    open_fraction: float = 0.04
    largest_relative: float = 0.5

    def counts(self, diameter_um: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
        """The number of voids of each particle."""
        rank = _normal_scores(diameter_um)
        count = len(diameter_um)
        order = np.argsort(-(self.size_preference * rank + random.standard_normal(count)), kind="stable")
        voids = np.zeros(count, np.int64)
        voided = order[: round(self.voided_fraction * count)]
        voids[voided] = 1
        large = voided[np.argsort(-(rank[voided] + random.standard_normal(len(voided))), kind="stable")]
        voids[large[: round(self.second_fraction * len(voided))]] = 2
        return voids

    def diameters(self, host_um: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Void diameters for voids in particles of these diameters (one entry a void)."""
        rank = _normal_scores(host_um)
        own = random.permutation(_normal_scores(np.arange(len(host_um), dtype=float)))
        normal = self.correlation * rank + np.sqrt(1.0 - self.correlation**2) * own
        diameters = self.mean_um * np.exp(self.sigma_ln * normal - 0.5 * self.sigma_ln**2)
        return np.minimum(diameters, self.largest_relative * host_um)


def _normal_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks turned into standard normal quantiles."""
    from scipy.special import ndtri

    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return ndtri((rank + 0.5) / max(len(values), 1))
