"""Two tiles: what differs between them by more than their noise is seen, and no more than that is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from xrm_control.mosaic.registration import pair_shift

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
