"""The inner loops against the same formulas written with scipy's filters."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from tests.reconstruction.phantoms import scan_of
from xrm_control.reconstruction import preprocess
from xrm_control.reconstruction.preprocess import PreprocessSpec, transmission
from xrm_control.reconstruction.preprocess_kernels import stands_out

RING = np.array([[[1, 1, 1], [1, 0, 1], [1, 1, 1]]], bool)
SIGMAS, EXCESS = np.float32(8), np.float32(0.1)


def speckled(shape: tuple[int, int, int], level: float) -> NDArray[np.float32]:
    """Noise about a level, with bright pixels anywhere, on the border and in corners too."""
    random = np.random.default_rng(shape[1])
    frames = (level + 0.05 * random.standard_normal(shape)).astype(np.float32)
    frames[random.random(shape) < 0.02] += 0.4
    frames[0, 0, 0] += 1
    frames[-1, -1, -1] += 1
    return frames


@pytest.mark.parametrize("level", [0.05, 0.9])
@pytest.mark.parametrize("shape", [(3, 2, 2), (2, 3, 7), (4, 20, 33), (1, 2, 40)])
@pytest.mark.parametrize("noise", [(0.0, 0.0), (7.0, 9.0)])
def test_what_stands_out_of_its_neighbours(
    shape: tuple[int, int, int], level: float, noise: tuple[float, float]
) -> None:
    frames = speckled(shape, level)
    beam = np.random.default_rng(1).uniform(500, 900, shape[1:]).astype(np.float32)
    found = np.zeros(shape, bool)
    count = stands_out(frames, beam, (np.float32(noise[0]), np.float32(noise[1])), SIGMAS, EXCESS, found)
    brightest = maximum_filter(frames, footprint=RING, mode="mirror")
    sigma = np.sqrt(np.float32(noise[0]) * np.maximum(brightest, 0) * beam + np.float32(noise[1])) / beam
    margin = frames - brightest - np.maximum(SIGMAS * sigma, EXCESS)
    assert np.array_equal(found[np.abs(margin) > 1e-6], margin[np.abs(margin) > 1e-6] > 0)
    assert count == np.count_nonzero(found) > 0


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_number_of_threads_changes_no_digit(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    theta = np.linspace(-90, 90, 200)
    random = np.random.default_rng(7)
    scan = scan_of(random.uniform(0, 6, (200, 6, 16)).astype(np.float32), theta, 0.5)
    spec, made = PreprocessSpec(), []
    for number in ("2", threads):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        seen = transmission(scan, spec)
        made.append((preprocess.line_integrals(seen, spec).sinograms, seen.zingers, seen.saturated))
    assert np.array_equal(made[0][0], made[1][0])
    assert made[0][1:] == made[1][1:]
