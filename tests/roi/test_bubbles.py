"""Air beneath the tape: its floor is not the tape, its edge is no particle, and an empty strip has nothing to scan."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from phantoms import MU, mosaic_of

from benchmarks.seeing import CASES, judged
from xrm_control.roi.bodies import HOLLOW, STRETCH, Bodies, shadow
from xrm_control.roi.particles2d import find_particles
from xrm_control.roi.rims import menisci
from xrm_control.roi.tape_level import tape_level
from xrm_control.roi.thickness import thickness_map

NOISE_UM, DRIFT_UM, PIXEL_UM = 0.2, 1.5, 0.512
Y, X = np.ogrid[:300, :260]


def levels(*discs: tuple[float, int, int, int], ground: float = 3.0) -> np.ndarray:
    """A noisy map at `ground`, with discs (level, row, column, radius)."""
    image = np.full((300, 260), ground)
    for level, row, column, radius in discs:
        image[(Y - row) ** 2 + (X - column) ** 2 < radius**2] = level
    return image + np.random.default_rng(1).normal(0, NOISE_UM, image.shape)


MAPS = {
    "bare": (levels(), 3.0),
    "bubbles on a third of it": (levels((0.8, 60, 60, 50), (0.8, 200, 60, 50), (0.8, 130, 190, 60)), 3.0),
    "tops of particles on more than half, and little tape": (
        levels(*((11.0, r, c, 14) for r in range(0, 300, 30) for c in range(0, 260, 30))),
        3.0,
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_the_tape_is_what_goes_on_farther_than_a_particle(name: str) -> None:
    image, true = MAPS[name]
    level = tape_level(image, np.ones(image.shape, bool), DRIFT_UM, NOISE_UM, PIXEL_UM)
    assert level == pytest.approx(true, abs=0.15)


@pytest.mark.parametrize(("name", "seed"), [("rough empty, odd bubbles", 0), ("smooth empty, bubbles", 2)])
def test_an_empty_strip_with_bubbles_has_nothing_to_scan(name: str, seed: int) -> None:
    mosaic, bodies = CASES[name].make(seed)
    assert not bodies
    assert find_particles(mosaic, MU) == ()


def test_particles_beside_bubbles_are_found() -> None:
    one = judged("smooth bubbles", 0)
    assert one.score.recall > 0.95
    assert one.score.precision > 0.98
    assert one.doubt


def test_only_what_is_thin_and_beside_a_bubble_is_its_edge() -> None:
    brighter = np.zeros((80, 80))
    brighter[:, :30] = 4.0
    table = Bodies.spheres(np.array([35.0, 35.0, 60.0]), np.array([20.0, 55.0, 40.0]), np.array([4.0, 4.0, 4.0])).table
    table[:, 5] = 0.5, 1.5, 0.5  # heights of 4, 12 and 4 pixels
    bodies = Bodies.of(table, np.ones(3, np.int64))
    assert menisci(bodies, brighter, 11.7, PIXEL_UM).tolist() == [True, False, False]
    assert not menisci(bodies, np.zeros((80, 80)), 11.7, PIXEL_UM).any()


def test_what_is_thin_and_long_beside_a_bubble_is_its_edge_however_high() -> None:
    brighter = np.zeros((80, 80))
    brighter[:, :30] = 2.0
    table = Bodies.spheres(np.array([38.0, 38.0, 60.0]), np.array([20.0, 55.0, 40.0]), np.array([4.0, 4.0, 4.0])).table
    table[:, STRETCH] = 0.4, 0.0, 0.4
    bodies = Bodies.of(table, np.ones(3, np.int64))
    assert menisci(bodies, brighter, 11.7, PIXEL_UM).tolist() == [True, False, False]


@pytest.mark.parametrize("offset_um", [0.0, 8.0, 16.0])
def test_beneath_a_ball_over_a_bubble_its_floor_is_the_ground(offset_um: float) -> None:
    """Chords of a ball in closed form, upon a disc with less adhesive: over its middle, within its edge, beyond."""
    x, y = (np.arange(200) - 99.5) * PIXEL_UM, (np.arange(200)[:, None] - 99.5) * PIXEL_UM
    ball = 2 * np.sqrt(np.maximum(16.0 - (x - offset_um) ** 2 - y**2, 0.0))
    depth = 0.14 + MU * ball - 0.1 * (np.hypot(x, y) < 10.0)
    image = np.random.default_rng(3).poisson(2000 * np.exp(-depth)) / 2000
    found = thickness_map(image, PIXEL_UM, MU)
    inner = np.hypot(x - offset_um, y) < 2.0
    assert found.bright_share > 0.005
    assert found.thickness_um[inner].mean() == pytest.approx(ball[inner].mean(), abs=0.5 if offset_um != 8.0 else 1.2)
    rim = (ball > 0) & (np.hypot(x - offset_um, y) > 3.0)
    assert found.thickness_um[rim].mean() == pytest.approx(ball[rim].mean(), abs=0.6 if offset_um != 8.0 else 1.2)


@pytest.mark.parametrize("hollow", [0.0, 0.5, 0.8])
def test_a_shell_is_as_high_as_its_shadow(hollow: float) -> None:
    bodies = Bodies.spheres(np.array([40.0]), np.array([40.0]), np.array([25.0]), np.array([[0.0, 0.0, hollow]]))
    assert bodies.table[0, HOLLOW] == hollow
    assert bodies.height[0] == pytest.approx(shadow(bodies, (81, 81), 0.3).max(), rel=0.1)


def test_small_particles_at_the_edge_of_the_tape_are_no_edge_of_a_bubble() -> None:
    """Beside the strip it is brighter than the tape as well."""
    true = [(x, y, 4.5) for x in (-46.5, 0.0, 46.5) for y in np.arange(-50.0, 55.0, 10.0)]
    mosaic = mosaic_of(true, 120, 120, noise=0.03, seed=3)
    aside = np.abs(np.linspace(-60, 60, mosaic.image.shape[1])) > 50
    image = mosaic.image * np.where(aside, np.exp(0.14), 1.0)[None, :]
    found = find_particles(dataclasses.replace(mosaic, image=image.astype(np.float32)), MU)
    beside = [p for p in found if abs(abs(p.x_um) - 46.5) < 1.5]
    assert len(beside) >= 20
    assert len(found) - len(beside) <= 11
