"""Photons are Poisson's, and their noise belongs to the pixel: a little more light does not make another noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simulators.camera import photons_arrived
from simulators.seeding import generator


@pytest.mark.parametrize("expected", [0.0, 0.5, 3.0, 9.9, 10.0, 15.6, 60.0, 1000.0])
def test_the_distribution_is_poissons(expected: float) -> None:
    found = photons_arrived(generator(1, "test", 1), np.full(400_000, expected))
    sigma = max(expected, 0.1) ** 0.5
    assert found.mean() == pytest.approx(expected, abs=5 * sigma / 400_000**0.5)
    assert found.var() == pytest.approx(expected, rel=0.02, abs=1e-9)
    for quantile in (0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999):
        at = stats.poisson.ppf(quantile, expected)
        share = (found <= at + 0.5).mean()
        assert share == pytest.approx(stats.poisson.cdf(at, expected), abs=0.004)


def test_a_thousandth_more_light_is_not_another_noise() -> None:
    light = np.linspace(12.0, 1200.0, 50_000)
    before = photons_arrived(generator(1, "test", 1), light)
    after = photons_arrived(generator(1, "test", 1), 1.001 * light)
    assert np.abs(after - 1.001 * before).max() < 0.1
    assert np.corrcoef(before - light, after - 1.001 * light)[0, 1] > 0.9999
