"""Balls that rest on a slab of tape or glue, in closed form: their volume is theirs, whatever carries them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.analysis.core import analyze_volume
from xrm_control.analysis.levels import Levels, find_levels
from xrm_control.analysis.spec import AnalysisSpec
from xrm_control.analysis.threshold import Modes
from xrm_control.analysis.underlay import Underlay, find_underlay

SIDE, FINE, MU, BLUR, NOISE = 80, 4, 0.045, 0.8, 0.001
SLAB_TOP = 46.0  # along the slab's normal, in voxels; it reaches down to the end
RADII = (6.5, 7.0, 8.0, 9.0, 6.5, 7.0, 8.0, 6.5, 7.5)
PLACES = [(z, x) for z in (16.0, 40.0, 63.0) for x in (20.0, 40.0, 60.0)]


def balls_on_slab(of_contrast: float, tilted: float = 0.0) -> NDArray[np.float32]:
    """Balls side by side on a slab whose normal is the volume's second axis; tilted: its rise from end to end."""
    fine = (np.arange(SIDE * FINE) + 0.5) / FINE
    solid = np.zeros((SIDE, SIDE, SIDE), np.float32)
    for radius, (z, x) in zip(RADII, PLACES, strict=True):
        top = SLAB_TOP + tilted * (x / SIDE - 0.5)
        y = top - radius
        box = [slice(int((c - radius - 1) * FINE), int((c + radius + 1) * FINE)) for c in (z, y, x)]
        dz, dy, dx = (fine[part] - c for part, c in zip(box, (z, y, x), strict=True))
        ball = dz[:, None, None] ** 2 + dy[:, None] ** 2 + dx**2 < radius**2
        start = [part.start // FINE for part in box]
        whole = np.zeros([n // FINE * FINE + 2 * FINE for n in ball.shape], np.float32)
        whole[
            tuple(slice(part.start % FINE, part.start % FINE + n) for part, n in zip(box, ball.shape, strict=True))
        ] = ball
        nz, ny, nx = (n // FINE for n in whole.shape)
        coarse = whole.reshape(nz, FINE, ny, FINE, nx, FINE).mean(axis=(1, 3, 5))
        at = tuple(slice(first, first + n) for first, n in zip(start, coarse.shape, strict=True))
        solid[at] += coarse
    y, x = np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5
    slab = np.clip(y[:, None] - (SLAB_TOP + tilted * (x / SIDE - 0.5)) + 0.5, 0, 1)
    grey = MU * np.maximum(solid, of_contrast * slab * (1 - solid))
    noise = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal(grey.shape), 0.8)
    return (ndimage.gaussian_filter(grey, BLUR) + NOISE / noise.std() * noise).astype(np.float32)


def errors_percent(volume: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each ball's volume, in the order of RADII."""
    found = analyze_volume(volume, 1.0, AnalysisSpec())
    volumes = sorted(row["volume_um3"] for row in found.particles)
    true = sorted(4 / 3 * np.pi * radius**3 for radius in RADII)
    assert len(volumes) == len(true)
    return 100 * (np.array(volumes) / np.array(true) - 1)


@pytest.mark.parametrize("turned", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
@pytest.mark.parametrize("of_contrast", [0.0, 0.05, 0.2])
def test_the_volume_of_a_ball_is_its_own_on_tape_and_on_glue(of_contrast: float, turned: tuple[int, int, int]) -> None:
    errors = errors_percent(balls_on_slab(of_contrast).transpose(turned))
    assert abs(np.median(errors)) < 0.6
    assert np.abs(errors).max() < 2.0


def test_a_slab_that_lies_askew_in_the_slices_is_followed() -> None:
    assert abs(np.median(errors_percent(balls_on_slab(0.2, tilted=8.0)))) < 0.8


@pytest.mark.parametrize(("rise", "limit"), [(4.0, 1.1), (8.0, 1.9)])
def test_askew_along_both_it_is_put_right_in_part(rise: float, limit: float) -> None:
    """3 and 6 degrees along each axis; without it the glue takes 2.2 %."""
    volume = balls_on_slab(0.2, tilted=rise)
    slices = [ndimage.shift(one, (rise * (z / SIDE - 0.5), 0), order=3, mode="nearest") for z, one in enumerate(volume)]
    assert abs(np.median(errors_percent(np.stack(slices).astype(np.float32)))) < limit


def test_the_mean_of_the_surroundings_would_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is for: without it the glue takes several per cent, all with the same sign."""
    none = Underlay(0, np.zeros((SIDE, SIDE), np.float32), 0.0)
    monkeypatch.setattr("xrm_control.analysis.segmentation.find_underlay", lambda *_: none)
    errors = errors_percent(balls_on_slab(0.2))
    assert np.median(errors) < -2.0
    assert (errors < 0).all()


def levels_of(volume: NDArray[np.float32]) -> Levels:
    return find_levels(volume, np.ones(volume.shape[1:], bool))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_noise_alone_next_to_nothing_is_made(seed: int) -> None:
    noise = (0.003 * np.random.default_rng(seed).standard_normal((40, 50, 60))).astype(np.float32)
    nothing = np.zeros(noise.shape, bool)
    levels = Levels(Modes(MU, 0.0, 0.003), nothing, (slice(0, 40), slice(0, 50), slice(0, 60)), 0.003, 1.0, 0.0, 15.0)
    found = find_underlay(noise, ~nothing, levels)
    # What smoothed means over 40 voxels scatter by: 0.003 / sqrt(40 x 4 pi).
    assert float(np.abs(found.above_per_um).max()) < 2 * 0.003 / np.sqrt(40 * 4 * np.pi)
    assert found.under((slice(5, 9), slice(5, 9), slice(5, 9)), np.zeros((4, 4, 4), bool)) == (0.0, 0.0)


def test_a_column_that_nobody_saw_adds_nothing() -> None:
    volume = balls_on_slab(0.2)
    away = np.ones(volume.shape, bool)
    away[:, 60:, :20] = False
    found = find_underlay(volume, away, levels_of(volume))
    assert found.axis in (0, 2)
    seen = found.at((slice(0, 4), slice(50, 80), slice(0, 80)))
    assert seen.shape == (4, 30, 80)
    if found.axis == 0:
        assert not found.above_per_um[66:, :14].any()
