"""What a radiograph says of voids, held against spheres that hold one or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from phantoms import MU, PIXEL_UM, mosaic_of

from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D, find_particles

PITCH_UM, SIDE = 22.0, 8
PLACES = [(x * PITCH_UM, y * PITCH_UM) for y in np.arange(SIDE) - 3.5 for x in np.arange(SIDE) - 3.5]


def radiograph(diameters: np.ndarray, voids: np.ndarray, seed: int, photons: float = 1000.0) -> MosaicMap:
    """A lattice of spheres, a void of this diameter (0: none) in each, off its middle; counted photon by photon."""
    spheres = [(x, y, float(d)) for (x, y), d in zip(PLACES, diameters, strict=True)]
    side = SIDE * PITCH_UM + 12
    solid = mosaic_of(spheres, side, side)
    rows, columns = solid.image.shape
    x, y = (solid.x0_um + np.arange(columns) * PIXEL_UM, solid.y0_um + np.arange(rows) * PIXEL_UM)
    missing = np.zeros((rows, columns))
    for (at_x, at_y), d, void in zip(PLACES, diameters, voids, strict=True):
        off = 0.35 * (d - void) / 2
        square = (void / 2) ** 2 - (x[None, :] - at_x - off) ** 2 - (y[:, None] - at_y + off) ** 2
        missing += 2 * np.sqrt(np.maximum(square, 0))
    image = np.random.default_rng(seed).poisson(solid.image * np.exp(MU * missing) * photons) / photons
    return replace(solid, image=image.astype(np.float32))


def found(diameters: np.ndarray, voids: np.ndarray, seed: int, photons: float = 1000.0) -> list[Particle2D]:
    """The particle found at each place."""
    every = find_particles(radiograph(diameters, voids, seed, photons), MU)
    away = np.array([[np.hypot(p.x_um - x, p.y_um - y) for p in every] for x, y in PLACES])
    assert (away.min(axis=1) < 1.0).all()
    return [every[k] for k in away.argmin(axis=1)]


def test_voids_stand_out_from_sound_particles_of_every_size() -> None:
    random = np.random.default_rng(1)
    diameters = random.uniform(5, 14, len(PLACES))
    voids = np.where(np.arange(len(PLACES)) % 2 == 0, np.clip(0.3 * diameters, 2.2, 3.5), 0.0)
    scores = np.array([p.void_score for p in found(diameters, voids, 2)], float)
    empty, sound = scores[voids > 0], scores[voids == 0]
    assert (empty[:, None] > sound[None, :]).mean() > 0.97
    # The highest of some hundred places, in standard deviations of each.
    assert np.median(sound) == pytest.approx(2.2, abs=0.7)
    assert np.corrcoef(diameters[voids == 0], sound)[0, 1] < 0.6


def test_with_few_photons_less_is_said() -> None:
    diameters, voids = np.full(len(PLACES), 9.0), np.full(len(PLACES), 3.0)
    bright, dim = (np.array([p.void_score for p in found(diameters, voids, 3, n)], float) for n in (1000.0, 250.0))
    assert np.median(dim) == pytest.approx(np.median(bright) / 2, rel=0.35)


def test_a_shell_is_no_solid_body() -> None:
    """A void in the very middle of a small particle is taken for a shell by the fit, and yet is a void."""
    from benchmarks.powders import Scene, sphere

    places = [(x, y) for x in (-40.0, 0.0, 40.0) for y in (-40.0, 0.0, 40.0)]
    scores = {}
    for hollow in (0.0, 0.45):
        scene = Scene(tuple(sphere(x, y, 9.0, hollow) for x, y in places), (120.0, 120.0))
        scores[hollow] = [p.void_score or 0.0 for p in find_particles(scene.mosaic(4), MU)]
    assert min(scores[0.45]) > max(scores[0.0]) + 2


def test_nothing_is_said_of_what_is_covered_or_cut() -> None:
    mosaic = mosaic_of([(0, 0, 12), (3, 0, 7), (28, 0, 9), (-38, 0, 10)], 80, 60, noise=0.03, seed=5)
    said = {round(p.x_um): p.void_score for p in find_particles(mosaic, MU) if p.equivalent_diameter_um > 5}
    assert said[28] is not None
    assert [said[x] for x in said if x < 10] == [None] * (len(said) - 1)
