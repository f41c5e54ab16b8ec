"""Weighted statistics against closed forms and against coverage of a known truth."""

import numpy as np
import pytest

from xrm_control.analysis.statistics import (
    Resampling,
    effective_count,
    interval,
    weighted_mean,
    weighted_quantile,
    wilson,
)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(30, 0.36, 0.70), (100, 0.45, 0.64), (160, 0.47, 0.63), (400, 0.50, 0.60), (1000, 0.52, 0.58)],
)
def test_wilson_as_in_the_facts(count: int, low: float, high: float) -> None:
    # 55 % of 30 is no whole number; the table rounds.
    assert wilson(0.55, count) == pytest.approx([low, high], abs=0.018)


def test_wilson_at_the_ends() -> None:
    assert wilson(0.0, 20)[0] == 0
    assert wilson(1.0, 20)[1] == 1
    assert wilson(0.5, 0) == [0, 1]


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantiles(q: float) -> None:
    values = np.random.default_rng(1).normal(0, 1, 301)
    equal = weighted_quantile(values, np.ones(301), q)
    assert equal == pytest.approx(np.quantile(values, q, method="hazen"))
    repeats = np.random.default_rng(2).integers(1, 5, 301)
    assert weighted_quantile(values, repeats.astype(float), q) == pytest.approx(
        np.quantile(np.repeat(values, repeats), q), abs=0.05
    )


@pytest.mark.parametrize("n", [1, 2, 3, 17])
@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 1.0])
def test_quantiles_of_resamples_are_those_of_what_was_drawn(n: int, q: float) -> None:
    """Row by row, without what was not drawn: numpy's interpolation between the middles of the weights."""
    rng = np.random.default_rng(n)
    values = rng.integers(0, 6, n).astype(float)  # equal ones among them
    weights = rng.multinomial(n, np.full(n, 1 / n), size=40) * rng.uniform(0.5, 2.0, n)
    weights[7] = 0
    order = np.argsort(values, kind="stable")
    for row, found in zip(weights[:, order], weighted_quantile(values, weights, q), strict=True):
        drawn = row[row > 0]
        if not len(drawn):
            assert np.isnan(found)
            continue
        right = np.interp(q * row.sum(), drawn.cumsum() - drawn / 2, values[order][row > 0])
        assert found == pytest.approx(right, rel=1e-12)


def test_effective_count() -> None:
    assert effective_count(np.ones(7)) == 7
    assert effective_count(np.array([1.0, 0, 0])) == 1


@pytest.mark.parametrize(("clusters", "spread"), [(1, 0.0), (4, 0.0), (12, 0.0), (4, 0.8), (12, 0.8)])
def test_bootstrap_covers(clusters: int, spread: float) -> None:
    """95 % intervals of a mean hold the truth in most of 200 experiments, also when each ROI has a shift of its own."""
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        names = [f"roi-{i:02d}" for i in range(clusters) for _ in range(60 // clusters)]
        shift = np.repeat(rng.normal(0, spread, clusters), 60 // clusters)
        values = rng.normal(0, 1, 60) + shift
        counts = Resampling.of(names, 300, seed).counts(values - values.mean())
        low, high = interval(weighted_mean(values, counts))
        hits += low <= 0 <= high
    # Four shifts tell little of how far shifts go.
    assert (0.80 if clusters == 4 and spread else 0.90) <= hits / 200 <= 0.99


def test_rois_that_disagree_no_more_than_chance_are_not_redrawn() -> None:
    even = np.tile([1.0, -1.0], 30)
    drawn = Resampling.of([f"roi-{i % 3}" for i in range(60) for _ in range(2)][:60], 20, 1)
    assert drawn.disagreement(np.tile([1.0, 1.0, -1.0, -1.0, 0.0, 0.0], 10)) > 1
    alike = Resampling.of(["a"] * 30 + ["b"] * 30, 20, 1)
    assert alike.disagreement(even) == 0
    assert alike.counts(even) is alike.particles
    assert alike.counts(even).sum(axis=1) == pytest.approx(np.full(20, 60))


def test_bootstrap_is_seeded() -> None:
    names, values = ["a", "a", "b", "c"], np.array([1.0, 1.0, -1.0, -1.0])
    drawn = [Resampling.of(names, 50, seed).counts(values) for seed in (7, 7, 8)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
