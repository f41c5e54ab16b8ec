"""Transmissions of another maker, counted photon by photon, as they are and bent: told by their noise alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, line_integrals
from xrm_control.processing.trust.transmission_noise import noise_note, steeper
from xrm_control.reconstruction.scan import ScanData

THETA = np.linspace(-90, 90, 121)
Made = Callable[[np.ndarray], np.ndarray]


def bed(seed: int, photons: float = 6000) -> np.ndarray:
    random = np.random.default_rng(seed)
    low, high = np.array([-12, -12, -9, 2]), np.array([12, 12, 9, 5])
    balls = [Ball(*map(float, random.uniform(low, high)), mu_per_um=0.06) for _ in range(14)]
    integrals = line_integrals(balls, THETA, columns=96, rows=56, axis_px=46.4, pixel_um=0.5)
    return np.asarray(random.poisson(photons * np.exp(-integrals)) / photons, np.float32)


def scan_of(seen: np.ndarray) -> ScanData:
    none = np.empty((0, *seen.shape[1:]), np.float32)
    time_s = np.arange(len(seen), dtype=float)
    return ScanData(
        projections=seen, theta_deg=THETA, time_s=time_s, flats=none, flat_time_s=np.empty(0), darks=none,
        pixel_size_um=0.5, normalised=True,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_what_was_counted_is_not_doubted(seed: int) -> None:
    scan = scan_of(bed(seed))
    assert steeper(scan) == ""
    assert not any("does not grow" in note for note in noise_note(scan))


@pytest.mark.parametrize("gamma", [2.0, 2.2, 3.0])
def test_a_gamma_is_doubted(gamma: float) -> None:
    assert "attenuation is then wrong by as much" in steeper(scan_of(bed(1) ** np.float32(gamma)))


def test_roots_and_even_noise_are_noted_and_what_has_none_is_not() -> None:
    seen = bed(1)
    even = np.exp(-line_integrals([Ball(0, 0, 0, 8, 0.1)], THETA, columns=96, rows=56, axis_px=47.5, pixel_um=0.5))
    assert steeper(scan_of(np.sqrt(seen))) == ""
    assert noise_note(scan_of(np.sqrt(seen)))[0].startswith(("the noise of these transmissions", "noise does not tell"))
    noisy = (even + np.random.default_rng(1).normal(0, 0.01, even.shape)).astype(np.float32)
    assert noise_note(scan_of(noisy))
    assert noise_note(scan_of(even.astype(np.float32))) == ()
