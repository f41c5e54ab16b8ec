"""Measured particles and those of the mosaic, one to one, by place and size."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from xrm_control.analysis.counterparts import counterparts

RANDOM = np.random.default_rng(3)
PLACES: NDArray[np.float64] = np.array([(x, y) for y in range(0, 96, 12) for x in range(0, 96, 12)], np.float64)
SIZES = RANDOM.uniform(4, 10, 64)
ONE = np.zeros(64, np.int64)


@pytest.mark.parametrize("shift_um", [(0.0, 0.0), (1.2, -0.9)])
def test_each_finds_itself_though_the_stage_was_off(shift_um: tuple[float, float]) -> None:
    order = RANDOM.permutation(64)
    measured = PLACES[order] + shift_um + RANDOM.normal(0, 0.1, (64, 2))
    found = counterparts(measured, SIZES[order] * 1.02, ONE, PLACES, SIZES)
    assert (found == order).all()


def test_each_region_has_its_own_shift() -> None:
    member = (PLACES[:, 0] > 40).astype(np.int64)
    measured = PLACES + np.where(member[:, None] == 1, 1.3, -1.3)
    assert (counterparts(measured, SIZES, member, PLACES, SIZES) == np.arange(64)).all()


def test_two_pieces_have_one_counterpart_the_nearer() -> None:
    measured = np.array([(0.2, 0.0), (0.9, 0.0), (np.nan, 0.0)])
    found = counterparts(measured, np.full(3, 6.0), np.zeros(3, np.int64), np.zeros((1, 2)), np.array([6.0]))
    assert found.tolist() == [0, -1, -1]


def test_another_size_is_another_particle() -> None:
    one = np.zeros((1, 2))
    assert counterparts(one, np.array([4.0]), np.zeros(1, np.int64), one, np.array([7.0])).tolist() == [-1]
    assert counterparts(one, np.array([4.0]), np.zeros(1, np.int64), np.zeros((0, 2)), np.zeros(0)).tolist() == [-1]
