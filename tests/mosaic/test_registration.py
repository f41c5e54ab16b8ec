"""Two tiles: what differs between them by more than their noise is seen, and no more than that is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from xrm_control.mosaic.registration import likeness_map, pair_shift
from xrm_control.mosaic.settling import _floored

NOISE, SIDE_PX, APART_PX = 0.1, 96, 64
# Of white noise, what a Gaussian of 1.2 pixels leaves: 1 / (2 sqrt(pi) 1.2); in the difference of two.
LEFT = np.sqrt(2) * NOISE / (2 * np.sqrt(np.pi) * 1.2)


def tiles(change: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of one scene, each with its own noise; the second with waves besides, of so many times what the noise leaves."""
    rng = np.random.default_rng(seed)
    scene = ndimage.gaussian_filter(rng.normal(size=(SIDE_PX, SIDE_PX + APART_PX)), 3)
    scene *= 0.3 / scene.std()
    one, two = (
        1 + scene[:, first : first + SIDE_PX] + rng.normal(0, NOISE, (SIDE_PX, SIDE_PX)) for first in (0, APART_PX)
    )
    waves = np.sqrt(2) * np.sin(2 * np.pi * np.arange(SIDE_PX) / 12)
    return one, two + change * LEFT * waves


@pytest.mark.parametrize(("change", "fit"), [(0.0, True), (1.5, True), (2.6, True), (4.5, False), (8.0, False)])
@pytest.mark.parametrize("seed", range(3))
def test_tiles_fit_up_to_three_times_what_their_noise_leaves(change: float, fit: bool, seed: int) -> None:
    found = pair_shift(0, 1, tiles(change, seed), np.array([float(APART_PX), 0.0]), 4.0)
    assert (found is not None) == fit
    if found is not None:
        assert np.hypot(*found.shift_px) < 0.3


def test_how_alike_two_pictures_are_at_each_shift_is_what_numpy_says_of_the_pixels_in_common() -> None:
    """From 64 such pixels on, as many as two pictures of 8 x 8 have at one shift alone."""
    rng = np.random.default_rng(2)
    for rows, columns, holes in ((8, 8, 0), (12, 9, 5)):
        one, two = rng.normal(3.0, 1.0, (2, rows, columns))
        one.flat[rng.choice(one.size, holes, replace=False)] = np.nan
        likeness, pixels = likeness_map(one, two)
        told = 0
        for down in range(1 - rows, rows):
            for right in range(1 - columns, columns):
                there = np.full((3 * rows, 3 * columns), np.nan)
                there[rows + down : 2 * rows + down, columns + right : 2 * columns + right] = two
                other = there[rows : 2 * rows, columns : 2 * columns]
                both = np.isfinite(one) & np.isfinite(other)
                enough = np.count_nonzero(both) >= 64
                told += enough
                expected = np.corrcoef(one[both], other[both])[0, 1] if enough else -1.0
                at = rows + down - 1, columns + right - 1
                assert (likeness[at], pixels[at]) == (pytest.approx(expected, abs=1e-6), np.count_nonzero(both))
        assert told == 1 if rows == 8 else told > 1


@pytest.mark.parametrize(("known", "u_px"), [(1e12, 0.02), (1 / 0.15**2, np.hypot(0.15, 0.02)), (0.0, np.inf)])
def test_no_pair_is_known_better_than_a_fiftieth_of_a_pixel_nor_less_than_not_at_all(known: float, u_px: float) -> None:
    """In one direction; in the other one much is known of it."""
    floored = _floored(np.diag([known, 100.0]))
    assert floored[0, 0] >= 0
    assert floored[0, 0] == pytest.approx(u_px**-2, rel=1e-3, abs=1e-6)
    assert floored[1, 1] == pytest.approx(1 / (0.1**2 + 0.02**2), rel=1e-6)
