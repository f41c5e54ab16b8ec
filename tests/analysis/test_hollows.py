"""Hollow balls in closed form, cut by the border of the field or with a wall that blur and noise have pierced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.hollows import fill_hollows
from xrm_control.analysis.splitting import fill_enclosed

SIDE, RADIUS, CONTRAST = 96, 18.0, 0.05
WHOLE = ((20, 30, 30, 9), (20, 60, 60, 10), (25, 30, 64, 8), (45, 28, 40, 7))
FIELD = np.hypot(*np.ogrid[-47.5:48, -47.5:48]) < 47

Volume = NDArray[np.float32]


def distance(place: tuple[float, float, float]) -> Volume:
    z, y, x = (axis - middle for axis, middle in zip(np.ogrid[:SIDE, :SIDE, :SIDE], place, strict=True))
    return np.sqrt(z * z + y * y + x * x).astype(np.float32)


def shell(place: tuple[float, float, float], wall: float) -> Volume:
    """Share of each voxel that the wall fills."""
    away = distance(place)
    return np.asarray(np.clip(RADIUS - away + 0.5, 0, 1) - np.clip(RADIUS - wall - away + 0.5, 0, 1), np.float32)


def volume(hollow: Volume, seed: int = 1) -> Volume:
    """With four sound balls; blurred by 0.8 voxels, at SNR 10."""
    made = hollow
    for *place, radius in WHOLE:
        made = np.maximum(made, np.clip(radius - distance((place[0], place[1], place[2])) + 0.5, 0, 1))
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(made.shape), 0.6)
    return (CONTRAST * (gaussian_filter(made, 0.8) + noise / noise.std() / 10)).astype(np.float32)


@pytest.mark.parametrize("wall", [1.5, 2.0, 2.5, 5.0])
@pytest.mark.parametrize(("row", "column"), [(79, 48), (86, 48), (95, 48), (104, 48), (48, 82), (48, 91), (109, 60)])
def test_a_hollow_that_the_border_cuts_is_one_body(row: float, column: float, wall: float) -> None:
    solid = shell((row, 48.0, column), wall) > 0.5
    filled, _ = fill_hollows(fill_enclosed(solid & FIELD), FIELD)
    # Filled but for the rim of the cut.
    hollow = (distance((row, 48.0, column)) < RADIUS - wall - 1) & FIELD
    assert np.count_nonzero(hollow & ~filled) <= 0.01 * np.count_nonzero(hollow) + 30


@pytest.mark.parametrize(("row", "wall"), [(86.0, 5.0), (79.0, 1.5)])
def test_its_wall_is_not_counted_as_particles(row: float, wall: float) -> None:
    found = analyze_volume(volume(shell((row, 48.0, 48.0), wall)), 0.5, AnalysisSpec()).particles
    assert sum(not one["touches_boundary"] for one in found) == len(WHOLE)


@pytest.mark.parametrize("wall", [1.5, 2.0])
def test_a_pierced_wall_is_one_particle_with_an_open_void(wall: float) -> None:
    """The wall's voxels alone make 23 % of the volume, and a sphericity of 0.18."""
    found = analyze_volume(volume(shell((66.0, 48.0, 48.0), wall)), 0.5, AnalysisSpec()).particles
    assert len(found) == len(WHOLE) + 1
    (one,) = (row for row in found if row["z_um"] > 1)
    assert one["equivalent_diameter_um"] == pytest.approx(RADIUS, rel=0.02)
    assert one["sphericity"] > 0.95
    assert (one["void_count_open"], one["void_volume_um3"]) == (1, 0)


def touching() -> NDArray[np.bool_]:
    """Balls side by side in a cubic grid: their gaps, too, are cut by the border."""
    z, y, x = np.ogrid[:SIDE, :SIDE, :SIDE]
    return np.sqrt((z % 20 - 9.5) ** 2 + (y % 20 - 9.5) ** 2 + (x % 20 - 9.5) ** 2) < 10.3


def bed() -> NDArray[np.bool_]:
    """A layer across the field, with a bumpy face: what lies beyond it is no hollow."""
    z, y, x = np.ogrid[:SIDE, :SIDE, :SIDE]
    return (np.abs(z - 80) < 5 + 2 * np.sin(y / 5) * np.cos(x / 7)) & np.ones((SIDE, SIDE, SIDE), bool)


def strip() -> NDArray[np.bool_]:
    """A bed that stands in the field, along the axis: two halves, each at both ends and at the side."""
    return bed().transpose(1, 0, 2)


def plates() -> NDArray[np.bool_]:
    """Two thick plates face to face, in contact at their rims."""
    z, y, x = np.ogrid[:SIDE, :SIDE, :SIDE]
    beside = (np.abs(y - 48) < 20) & (np.abs(x - 48) < 20)
    rim = beside & ~((np.abs(y - 48) < 17) & (np.abs(x - 48) < 15))
    return beside & (np.abs(z - 48) < 18) & ((np.abs(z - 48) > 5) | (rim & (y > 32)))


@pytest.mark.parametrize("made", [touching, bed, strip, plates])
def test_gaps_between_bodies_stay(made: Callable[[], NDArray[np.bool_]]) -> None:
    filled = fill_enclosed(made() & FIELD)
    found, leaky = fill_hollows(filled, FIELD)
    assert not leaky.any()
    assert np.array_equal(found, filled)
