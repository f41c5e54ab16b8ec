"""Voids against the noise of sound solid: streaks in place of voids, and voids in streaks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tests.analysis.phantoms import MU, VOXEL_UM, Body, ball, render
from xrm_control.analysis.core import analyze_volume
from xrm_control.analysis.spec import AnalysisSpec
from xrm_control.analysis.void_significance import SolidNoise, noise_limit_voxels

SHAPE = (80, 96, 96)
PLACES = [(x, y, z) for z, y, x in itertools.product((-10, 10), (-13, 0, 13), (-13, 0, 13))]


def grain(shape: tuple[int, ...], along: int | None, seed: int) -> NDArray[np.float64]:
    """Noise of standard deviation 1; three quarters of its variance hang together along an axis, if one is given."""
    rng = np.random.default_rng(seed)
    fine = ndimage.gaussian_filter(rng.standard_normal(shape), 0.5)
    fine /= fine.std()
    if along is None:
        return fine
    sigmas = [0.6] * 3
    sigmas[along] = 12.0
    long = ndimage.gaussian_filter(rng.standard_normal(shape), sigmas)
    return np.sqrt(0.25) * fine + np.sqrt(0.75) * long / long.std()


def bed(void_um: float) -> list[Body]:
    """18 balls; every third holds a void of this diameter, 0: none."""
    bodies = [ball(*place, 5.0) for place in PLACES]
    if void_um:
        bodies += [ball(x + 1, y - 1, z + 0.5, void_um / 2, -1.0) for x, y, z in PLACES[::3]]
    return bodies


def measured(void_um: float, noise: float, along: int | None, seed: int) -> tuple[int, int, int, float]:
    """Voids found where voids are, of so many; voids found elsewhere; what was held for noise; the limit in um."""
    grey = render(bed(void_um), SHAPE, snr=None) + MU * noise * grain(SHAPE, along, seed)
    found = analyze_volume(grey.astype(np.float32), VOXEL_UM, AnalysisSpec(seed=1))
    true = np.array([(x + 1, y - 1, z + 0.5) for x, y, z in PLACES[::3]])
    places = np.array([[row["x_um"], row["y_um"], row["z_um"]] for row in found.voids]).reshape(-1, 3)
    near = [bool((np.linalg.norm(true - place, axis=1) < 0.7).any()) for place in places] if void_um else []
    right = sum(near)
    quality = found.quality
    return right, len(places) - right, quality.voids_in_noise or 0, quality.void_detection_limit_um or 0.0


@pytest.mark.parametrize("along", [0, 1, 2])
def test_streaks_make_no_voids(along: int) -> None:
    """They would have: else this would say nothing."""
    _, wrong, dismissed, _ = measured(0, 0.27, along, 3 + along)
    assert wrong == 0
    assert dismissed >= 3


@pytest.mark.parametrize(
    ("void_um", "noise", "along"),
    [(1.8, 0.10, None), (2.0, 0.15, 2), (2.5, 0.2, 0), (2.5, 0.2, 1), (2.5, 0.2, 2), (4.0, 0.25, 2)],
)
def test_voids_in_noise_stay(void_um: float, noise: float, along: int | None) -> None:
    right, wrong, _, limit_um = measured(void_um, noise, along, 11)
    assert (right, wrong) == (6, 0)
    assert limit_um < void_um


def test_without_noise_every_void_stays() -> None:
    assert measured(1.8, 0.0, None, 0)[:3] == (6, 0, 0)


def white(deviation: float) -> SolidNoise:
    rng = np.random.default_rng(5)
    missing = (deviation * rng.standard_normal((60, 60, 60))).astype(np.float32)
    covariance = np.zeros((15, 15, 15))
    covariance[7, 7, 7] = deviation**2
    places = np.argwhere(np.ones((40, 40, 40), bool))[rng.permutation(64000)[:2000]] + 10
    return SolidNoise(missing, np.ones(missing.shape, bool), places, covariance)


@pytest.mark.parametrize("deviation", [0.1, 0.3])
def test_in_white_noise_the_filter_is_the_template(deviation: float) -> None:
    """Of white noise: amplitude (t m) / (t t), its standard deviation s / sqrt(t t)."""
    offsets = np.argwhere(np.ones((5, 5, 5), bool)) - 2
    template = np.exp(-(offsets**2).sum(1) / 4.0)
    weights, promised = white(deviation).filter_of(offsets, template)
    assert weights == pytest.approx(template / (template @ template))
    seen = white(deviation).spread_of(offsets, weights)
    assert seen == pytest.approx(deviation / np.sqrt(template @ template), rel=0.08)
    assert promised == pytest.approx(np.sqrt(1.2) * deviation / np.sqrt(template @ template))


def test_the_spread_is_that_of_sums_taken_one_place_after_the_other() -> None:
    """In a volume of three different sides, with places so near its ends that the filter does not fit."""
    rng = np.random.default_rng(3)
    missing = rng.standard_normal((30, 21, 26)).astype(np.float32)
    sound = rng.random(missing.shape) > 0.04
    places = np.argwhere(sound)[rng.permutation(np.count_nonzero(sound))[:1500]]
    offsets = np.array([(0, 0, 0), (3, -1, 0), (0, 2, -2), (-1, 0, 4), (1, 1, 1)])
    weights = np.array([0.3, -0.2, 0.5, 0.1, 0.4])
    answers = []
    for place in places:
        voxels = [tuple(place + offset) for offset in offsets]
        if all(0 <= i < n for voxel in voxels for i, n in zip(voxel, missing.shape, strict=True)):
            held = sum(abs(w) for w, voxel in zip(weights, voxels, strict=True) if sound[voxel])
            if held >= 0.9 * abs(weights).sum():
                answers.append(sum(w * missing[voxel] for w, voxel in zip(weights, voxels, strict=True)))
    assert 500 < len(answers) < 1200
    found = SolidNoise(missing, sound, places, np.zeros((15, 15, 15))).spread_of(offsets, weights)
    assert found == pytest.approx(np.sqrt(np.mean(np.square(answers))), rel=1e-6)


def test_the_limit_grows_with_noise_and_is_told_to_be_none_beyond_all() -> None:
    limits = [noise_limit_voxels(white(deviation), 0.8) for deviation in (0.1, 0.3, 0.6)]
    assert all(limit is not None for limit in limits)
    assert limits == sorted(limits, key=lambda limit: limit or 0)
    assert len(set(limits)) == 3
    assert noise_limit_voxels(white(50.0), 0.8) is None
