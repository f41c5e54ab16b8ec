"""Weights against geometry: the paper's figures, and a population thrown at random into a window."""

import math

import numpy as np
import pytest

from xrm_control.analysis.sampling import whole_probability


@pytest.mark.parametrize(("diameter", "share"), [(6.4, 0.81), (20, 0.47), (30, 0.28)])
def test_facts(diameter: float, share: float) -> None:
    assert whole_probability(diameter, 0, 32, 32)[0] == pytest.approx(share, abs=0.006)


def test_slope_and_ends() -> None:
    share, slope = whole_probability(10, 5, 32, 32)
    assert slope == pytest.approx((whole_probability(10.1, 5, 32, 32)[0] - share) / 0.1, rel=0.02)
    assert whole_probability(64, 0, 32, 32)[0] == 0
    assert whole_probability(5, 31, 32, 32)[0] == 0


def test_weights_undo_the_bias() -> None:
    rng = np.random.default_rng(1)
    count = 60000
    diameter = np.exp(rng.normal(math.log(9), 0.45, count)).clip(2, 28)
    x, z = rng.uniform(-60, 60, (2, count))
    y = rng.uniform(-5, 5, count)
    whole = (np.hypot(x, y) + diameter / 2 < 32) & (np.abs(z) + diameter / 2 < 32)
    weight = np.array([1 / whole_probability(d, v, 32, 32)[0] for d, v in zip(diameter[whole], y[whole], strict=True)])
    true = (diameter**3).mean()
    assert (diameter[whole] ** 3).mean() < 0.85 * true
    assert np.average(diameter[whole] ** 3, weights=weight) == pytest.approx(true, rel=0.06)
    assert np.average(diameter[whole], weights=weight) == pytest.approx(diameter.mean(), rel=0.01)
