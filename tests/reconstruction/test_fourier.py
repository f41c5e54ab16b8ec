"""Reconstruction by Fourier sum against analytic discs, against a direct sum, and against ASTRA's back-projection."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals
from xrm_control.core.errors import DataError
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.nufft import PolarSum

PIXEL, MU = 0.512, 0.0458
BALLS = [Ball(-9, 4, 0, 8, MU), Ball(12, -10, 0, 5, MU), Ball(6, 14, 0, 3, MU)]
THETA = np.linspace(-90, 90, 141)


def scan(side: int, theta_deg: np.ndarray, rows: int = 1, axis_px: float | None = None) -> tuple[np.ndarray, float]:
    axis = (side - 1) / 2 if axis_px is None else axis_px
    integrals = line_integrals(BALLS, theta_deg, columns=side, axis_px=axis, pixel_um=PIXEL, rows=rows)
    return np.ascontiguousarray(integrals.transpose(1, 0, 2)), axis


def truth(side: int) -> np.ndarray:
    fine = 4
    at_um = ((np.arange(side * fine) + 0.5) / fine - 0.5 - (side - 1) / 2) * PIXEL
    picture = np.zeros((side * fine,) * 2)
    for ball in BALLS:
        picture[np.hypot(at_um - ball.x_um, at_um[:, None] - ball.y_um) <= ball.radius_um] = ball.mu_per_um
    return picture.reshape(side, fine, side, fine).mean(axis=(1, 3))


def error(slice_: np.ndarray, side: int) -> float:
    x, y = coordinates_um(side, PIXEL)
    inside = np.hypot(x, y) < 0.45 * side * PIXEL
    return float(np.sqrt(np.mean((slice_ - truth(side))[inside] ** 2)))


@pytest.mark.parametrize("size", [8, 9])
def test_the_sum_is_the_sum(size: int) -> None:
    """Against the definition, term by term."""
    random = np.random.default_rng(1)
    theta_deg, frequencies = random.uniform(-90, 90, 5), np.fft.fftfreq(12)
    spectra = (random.normal(size=(2, 5, 12)) + 1j * random.normal(size=(2, 5, 12))).astype(np.complex64)
    polar = PolarSum(theta_deg, frequencies, size, pairs=2, accuracy=1e-6)
    found = polar.at_pixels(spectra * polar.phase)
    place = np.arange(size) - (size - 1) / 2
    theta = np.radians(theta_deg)
    at = place[None, None, :] * np.cos(theta)[:, None, None] - place[None, :, None] * np.sin(theta)[:, None, None]
    terms = np.exp(2j * np.pi * frequencies[None, :, None, None] * at[:, None])
    expected = (spectra[..., None, None] * terms).sum(axis=(1, 2))
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["shepp-logan", "cosine", "hamming", "hann", "parzen"])
@pytest.mark.parametrize("side", [128, 127])
def test_it_is_at_least_as_true_as_back_projection(kind, side: int) -> None:
    data, axis = scan(side, THETA)
    ours = FourierReconstruction(filter=kind).reconstruct(data, THETA, axis, PIXEL)[0]
    astra = FilteredBackProjection(filter=kind).reconstruct(data, THETA, axis, PIXEL)[0]
    assert error(ours, side) <= error(astra, side)
    x, y = coordinates_um(side, PIXEL)
    core = np.hypot(x + 9, y - 4) < 6
    assert ours[core].mean() == pytest.approx(MU, rel=0.005)
    assert ours[core].mean() == pytest.approx(astra[core].mean(), rel=0.003)


@pytest.mark.parametrize("kind", ["ram-lak", "shepp-logan", "cosine", "hamming", "hann", "parzen"])
def test_it_is_no_noisier_and_no_less_true_at_a_signal_to_noise_ratio_of_ten(kind) -> None:
    data, axis = scan(128, THETA, rows=6)
    noisy = (data + np.random.default_rng(1).normal(0, 0.085, data.shape)).astype(np.float32)
    sharp, ours, astra = (
        method.reconstruct(noisy, THETA, axis, PIXEL)
        for method in (
            FourierReconstruction(filter=kind, softening=0),
            FourierReconstruction(filter=kind),
            FilteredBackProjection(filter=kind),
        )
    )
    errors = [np.sqrt(np.mean([error(slice_, 128) ** 2 for slice_ in volume])) for volume in (sharp, ours, astra)]
    assert errors[1] <= 1.01 * errors[2]
    x, y = coordinates_um(128, PIXEL)
    if kind == "cosine":
        assert errors[1] <= errors[2] < errors[0]
        assert MU / ours[:, np.hypot(x + 9, y - 4) < 6].std() == pytest.approx(10, rel=0.15)


ANGLES = {
    "from 0 to 180": np.arange(0, 180, 1.5),
    "in any order": np.random.default_rng(2).permutation(THETA),
    "golden": np.arange(140) * 137.508 % 180 - 90,
    "uneven": np.sort(np.random.default_rng(3).uniform(-90, 90, 200)),
    "with a view twice": np.concatenate([THETA, THETA[60:61], THETA[10:14]]),
    "over a full turn": np.arange(0, 360, 1.5),
}


@pytest.mark.parametrize("name", ANGLES)
def test_any_angles_have_the_right_weights(name: str) -> None:
    theta_deg = ANGLES[name]
    data, axis = scan(128, theta_deg)
    volume = FourierReconstruction().reconstruct(data, theta_deg, axis, PIXEL)[0]
    x, y = coordinates_um(128, PIXEL)
    assert volume[np.hypot(x + 9, y - 4) < 6].mean() == pytest.approx(MU, rel=0.015)
    assert abs(volume[(np.hypot(x, y) < 25) & (truth(128) == 0)].mean()) < 0.02 * MU


def test_a_missing_wedge_blurs_but_does_not_scale_what_was_seen() -> None:
    theta_deg = np.linspace(-75, 75, 117)
    data, axis = scan(128, theta_deg)
    ours = FourierReconstruction(padding=0).reconstruct(data, theta_deg, axis, PIXEL)[0]
    astra = FilteredBackProjection(padding=0).reconstruct(data, theta_deg, axis, PIXEL)[0]
    x, y = coordinates_um(128, PIXEL)
    core = np.hypot(x + 9, y - 4) < 6
    assert ours[core].mean() == pytest.approx(astra[core].mean(), rel=0.005)


@pytest.mark.parametrize("rows", [1, 2, 5, 33])
def test_rows_that_travel_together_do_not_mix(rows: int) -> None:
    """Each row is another multiple of the same slice; so are the slices."""
    data, axis = scan(64, THETA)
    factors = np.linspace(0.5, 2.0, rows, dtype=np.float32)
    volume = FourierReconstruction(padding=0).reconstruct(data * factors[:, None, None], THETA, axis, PIXEL)
    alone = FourierReconstruction(padding=0).reconstruct(data, THETA, axis, PIXEL)[0]
    assert volume.shape == (rows, 64, 64)
    assert np.abs(volume - factors[:, None, None] * alone).max() < 4e-3 * MU


@pytest.mark.parametrize("accuracy", [1e-2, 1e-3, 1e-5])
def test_the_transform_is_as_accurate_as_it_says(accuracy: float) -> None:
    data, axis = scan(128, THETA)
    exact = FourierReconstruction(accuracy=1e-6).reconstruct(data, THETA, axis, PIXEL)
    found = FourierReconstruction(accuracy=accuracy).reconstruct(data, THETA, axis, PIXEL)
    assert np.sqrt(np.mean((found - exact) ** 2)) < max(3 * accuracy, 3e-5) * exact.max()


def test_one_view_smears_and_no_view_is_refused() -> None:
    data, axis = scan(32, np.zeros(1))
    volume = FourierReconstruction(padding=0).reconstruct(data, np.zeros(1), axis, PIXEL)[0]
    assert np.abs(volume - volume[:1]).max() < 1e-2 * np.abs(volume).max()  # at 0 degrees rays run along y
    with pytest.raises(DataError, match="rows, views, columns"):
        FourierReconstruction().reconstruct(data[:, :0], np.zeros(0), axis, PIXEL)
