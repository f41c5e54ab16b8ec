"""Probabilities that are learned, held against those that were drawn from."""

from __future__ import annotations

import numpy as np

from xrm_control.analysis.prediction import fitted, predicted, scaled

TRUE = np.array([-0.5, 1.2, -0.7])


def test_the_law_is_found_again() -> None:
    random = np.random.default_rng(1)
    features = random.normal(size=(20_000, 2))
    voided = random.random(20_000) < 1 / (1 + np.exp(-(TRUE[0] + features @ TRUE[1:])))
    assert np.abs(fitted(features, voided, np.ones(20_000)) - TRUE).max() < 0.07


def test_weights_stand_for_repetitions() -> None:
    random = np.random.default_rng(2)
    features, voided = random.normal(size=(60, 2)), random.random(60) < 0.4
    times = random.integers(1, 4, 60)
    repeated = fitted(np.repeat(features, times, axis=0), np.repeat(voided, times), np.ones(times.sum()))
    # The prior weighs less beside more particles.
    assert np.abs(fitted(features, voided, times.astype(float)) - repeated).max() < 0.05


def test_what_can_be_told_without_fail_teaches_no_certainty() -> None:
    voided = np.arange(40) >= 20
    slopes = fitted(np.column_stack((np.where(voided, 1.0, -1.0), np.zeros(40))), voided, np.ones(40))
    assert np.isfinite(slopes).all()
    assert 0 < predicted(np.array([[1.0, 0.0]]), slopes)[0] < 1


def test_outliers_are_cut() -> None:
    values = np.append(np.random.default_rng(3).normal(5, 2, 999), 1e6)
    found = scaled(values, values)
    assert abs(found.mean()) < 0.1
    assert found.max() == 4.0
