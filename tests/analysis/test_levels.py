"""Modes, noise and SNR of phantoms whose levels are known."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu

from tests.analysis.phantoms import MU, ball, render
from xrm_control.analysis.levels import cylinder, find_levels, fitted_mode, noise_correlation, otsu_level
from xrm_control.core.errors import AnalysisError


@pytest.mark.parametrize("background", [0.0, 0.003, -0.002])
@pytest.mark.parametrize("radii", [(8, 5, 3), (3,)], ids=["three particles", "one small particle"])
def test_modes_snr_and_noise(radii: tuple[float, ...], background: float) -> None:
    bodies = [ball(-6 + 9 * i, 0, -5 + 6 * i, r) for i, r in enumerate(radii)]
    volume = render(bodies, background=background, snr=10)
    levels = find_levels(volume, cylinder(volume.shape))
    assert levels.modes.background_per_um == pytest.approx(background, abs=0.01 * MU)
    assert levels.modes.particle_per_um == pytest.approx(MU + background, rel=0.02)
    assert levels.modes.noise_per_um == pytest.approx(MU / 10, rel=0.05)
    assert levels.snr == pytest.approx(10, rel=0.06)
    assert levels.noise_correlation_voxels == pytest.approx(1, abs=0.3)


def test_noise_alone_is_empty() -> None:
    volume = np.random.default_rng(1).normal(0, 0.01, (48, 48, 48)).astype(np.float32)
    with pytest.raises(AnalysisError, match="empty"):
        find_levels(volume, cylinder(volume.shape))


def test_a_constant_volume_is_empty() -> None:
    volume = np.zeros((32, 32, 32), np.float32)
    with pytest.raises(AnalysisError, match="empty"):
        find_levels(volume, cylinder(volume.shape))


def test_fitted_mode_ignores_a_tail() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate((rng.normal(5, 1, 20000), rng.uniform(6, 20, 4000)))
    assert fitted_mode(values)[0] == pytest.approx(5, abs=0.12)


def test_otsu_agrees_with_scikit_image() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate((rng.normal(0, 1, 9000), rng.normal(10, 1, 1000)))
    assert otsu_level(values) == pytest.approx(threshold_otsu(values), abs=0.2)


def test_correlation_of_blurred_noise() -> None:
    sigma = 0.8
    noise = ndimage.gaussian_filter(np.random.default_rng(4).normal(0, 1, (64, 64, 64)), sigma).astype(np.float32)
    mask = np.random.default_rng(5).random(noise.shape) < 0.7
    total, lag1 = noise_correlation(noise, mask)
    assert total == pytest.approx((4 * np.pi * sigma**2) ** 1.5, rel=0.2)
    assert lag1 == pytest.approx(np.exp(-1 / (4 * sigma**2)), abs=0.05)


def test_cylinder_is_inscribed() -> None:
    inside = cylinder((4, 128, 128))
    assert inside.sum() == pytest.approx(np.pi * 64**2, rel=0.002)
    assert inside[0, 63]
    assert not inside[0, 0]
