"""The rotation axis of scans in which it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, line_integrals
from xrm_control.core.errors import DataError
from xrm_control.reconstruction.rotation_axis import _significance, find_rotation_axis, opposite_pairs, views_for_axis

PIXEL = 0.512
HALF_TURN = np.linspace(-90, 90, 61)


def powder(seed: int = 5, count: int = 60) -> list[Ball]:
    """A layer of balls on a strip 320 um wide, most of them beyond the field of view."""
    random = np.random.default_rng(seed)
    return [
        Ball(x, y, z, r, 0.0458)
        for x, y, z, r in zip(
            random.uniform(-150, 150, count),
            random.uniform(-4, 4, count),
            random.uniform(-25, 25, count),
            random.uniform(2, 5, count),
            strict=True,
        )
    ]


def transmissions(theta: np.ndarray, axis_px: float, *, photons: float | None = None, **more) -> np.ndarray:
    balls = more.pop("balls", powder())
    integrals = line_integrals(balls, theta, columns=128, axis_px=axis_px, pixel_um=PIXEL, **more)
    seen = np.exp(-integrals)
    if photons is not None:
        seen = np.random.default_rng(11).poisson(seen * photons) / photons
    return seen.astype(np.float32)


@pytest.mark.parametrize("offset_px", [-12.0, -5.27, -0.5, 0.0, 0.13, 3.3, 9.75])
@pytest.mark.parametrize("photons", [None, 1500.0])
def test_edge_on_views_of_a_truncated_strip(offset_px: float, photons: float | None) -> None:
    ends = np.array([-90.0, 90.0])
    views = transmissions(ends, 63.5 + offset_px, rows=100, strip=(320.0, 10.0, 0.003), photons=photons)
    found = find_rotation_axis(views, ends)
    assert found.column_px == pytest.approx(63.5 + offset_px, abs=0.05)
    assert found.uncertainty_px < 0.05
    assert found.pairs == ((0, 1),)


def test_the_error_is_about_as_large_as_it_says() -> None:
    ends = np.array([-90.0, 90.0])
    clean = transmissions(ends, 61.3, rows=60).astype(float)
    pulls = []
    for seed in range(12):
        noisy = np.random.default_rng(seed).poisson(clean * 300) / 300
        found = find_rotation_axis(noisy.astype(np.float32), ends)
        pulls.append((found.column_px - 61.3) / found.uncertainty_px)
    assert 0.3 < np.sqrt(np.mean(np.square(pulls))) < 3


def test_the_beam_may_change_between_the_two_views() -> None:
    ends = np.array([-90.0, 90.0])
    views = transmissions(ends, 60.4, rows=60)
    views[1] *= np.linspace(0.9, 1.05, 128, dtype=np.float32)
    assert find_rotation_axis(views, ends).column_px == pytest.approx(60.4, abs=0.05)


def test_any_pair_will_do_and_more_are_better() -> None:
    theta = np.arange(0.0, 360.0, 15.0)
    found = find_rotation_axis(transmissions(theta, 65.2, rows=40), theta)
    assert len(found.pairs) == 8
    assert all(theta[j] - theta[i] == 180 for i, j in found.pairs)
    assert found.column_px == pytest.approx(65.2, abs=0.03)


@pytest.mark.parametrize("axis_px", [58.1, 63.5, 66.9])
def test_a_scan_that_stops_one_step_short_of_half_a_turn(axis_px: float) -> None:
    theta = np.arange(180) * 1.0
    views = views_for_axis(theta)
    seen = transmissions(theta[views], axis_px, rows=30, balls=[Ball(8, 5, 0, 6, 0.05), Ball(-7, -9, 2, 5, 0.05)])
    found = find_rotation_axis(seen, theta[views])
    assert found.column_px == pytest.approx(axis_px, abs=0.15)


def test_one_row_and_two_rows_are_enough() -> None:
    ends = np.array([0.0, 180.0])
    for rows in (1, 2):
        views = transmissions(ends, 64.9, rows=rows, balls=[Ball(3, 9, 0, 8, 0.05)])
        assert find_rotation_axis(views, ends).column_px == pytest.approx(64.9, abs=0.1)


@pytest.mark.parametrize(
    ("theta", "pair"),
    [
        ([-90.0, 0.0, 90.0], (0, 2)),
        ([90.0, 0.0, -90.0], (2, 0)),
        ([0.0, 60, 120, 180.02], (0, 3)),
        ([0.0, 1.0, 2.0, 179.9, 180.3], (0, 3)),
    ],
)
def test_the_best_pair_is_taken(theta: list[float], pair: tuple[int, int]) -> None:
    assert opposite_pairs(np.array(theta))[0] == pair


@pytest.mark.parametrize("theta", [np.linspace(-45, 45, 7), np.linspace(0, 150, 151), np.array([3.0])])
def test_without_a_pair_the_user_is_asked(theta: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"half a turn apart.*give rotation_axis"):
        opposite_pairs(theta)


@pytest.mark.parametrize("columns", [10, 64])
def test_views_without_contrast_are_refused(columns: int) -> None:
    with pytest.raises(DataError, match="rotation axis"):
        find_rotation_axis(np.ones((2, 20, columns), np.float32), np.array([0.0, 180.0]))


@pytest.mark.parametrize(
    ("rows", "columns", "grains"), [(1, 1000, 282.1), (3, 1000, 846.3), (40, 50, 159.2), (2, 4, 2.3)]
)
def test_a_correlation_is_as_significant_as_its_independent_pixels_make_it(
    rows: int, columns: int, grains: float
) -> None:
    """After Fisher: atanh of one of n pairs scatters by 1 / sqrt(n - 3). Noise smoothed by a Gaussian of one pixel is
    alike over 2 sqrt(pi) pixels; along rows alone where there are no more than three.
    """
    assert _significance(0.5, rows, columns) == pytest.approx(math.atanh(0.5) * math.sqrt(max(grains - 3, 0)), rel=1e-3)
