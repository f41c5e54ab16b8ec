"""Storms are drawn from a seed: the same again for the same, and half of the kinds of a swarm are off."""

from __future__ import annotations

import pytest

from simulators.storms import STORMS, storm


@pytest.mark.parametrize("name", STORMS)
def test_a_storm_is_the_same_for_its_seed_and_lies_in_its_night(name: str) -> None:
    found = storm(name, 1, 20_000.0)
    assert found == storm(name, 1, 20_000.0) != storm(name, 2, 20_000.0)
    times = [fault.at_s or 0.0 for fault in found]
    assert times == sorted(times)
    assert 0 < times[0] <= times[-1] < 20_000
    assert {fault.kind for fault in found} <= set(STORMS[name])


def test_a_swarm_leaves_half_of_the_kinds_out() -> None:
    kinds = [{fault.kind for fault in storm("swarm", seed, 40_000.0)} for seed in range(100)]
    assert 0.4 < sum(map(len, kinds)) / len(STORMS["swarm"]) / len(kinds) < 0.6


def test_longer_nights_have_more_of_it() -> None:
    short, long = (sum(len(storm("camera", seed, hours * 3600.0)) for seed in range(20)) for hours in (2, 20))
    assert long > 3 * short
