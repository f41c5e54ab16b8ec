"""The stated uncertainty of a volume, against the scatter of what noise of a known kind makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from xrm_control.analysis.greyvolume import BoxLevels, particle_shares

SIDE, RADIUS, NOISE = 28, 9.0, 0.08


def box_levels(correlation_voxels: float) -> BoxLevels:
    return BoxLevels(1.0, 0.0, 0.0, 0.0, NOISE, correlation_voxels, 0.0, 0.5, None, 1.0, 1000)


@pytest.mark.parametrize("smoothing_voxels", [0.0, 0.7])
def test_noise_that_hangs_together_widens_the_volume(smoothing_voxels: float) -> None:
    z, y, x = np.indices((SIDE,) * 3) - (SIDE - 1) / 2
    distance = np.sqrt(x * x + y * y + z * z)
    ball = np.asarray(ndimage.gaussian_filter((distance <= RADIUS).astype(np.float32), 0.8))
    envelope = distance <= RADIUS
    everywhere, nothing = np.ones(envelope.shape, bool), np.zeros(envelope.shape, np.uint16)
    random, volumes, stated = np.random.default_rng(4), [], 0.0
    for _ in range(60):
        white = random.normal(size=envelope.shape)
        noise = np.asarray(ndimage.gaussian_filter(white, smoothing_voxels)) if smoothing_voxels else white
        # The variance of a sum of many, in that of as many alone.
        together = 1.0 if not smoothing_voxels else 1.0 / float(np.mean(noise**2))
        grey = (ball + NOISE * noise / noise.std()).astype(np.float32)
        levels = box_levels(together)
        shares = particle_shares(grey, np.zeros_like(grey), envelope, everywhere, nothing > 0, 2.1, levels)
        value, stated = shares.volume(levels)
        volumes.append(value)
    assert np.std(volumes) == pytest.approx(stated, rel=0.35)
    assert np.mean(volumes) == pytest.approx(envelope.sum(), rel=0.01)
