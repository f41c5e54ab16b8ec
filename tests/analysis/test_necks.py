"""Pairs of balls, drawn from their equation: those that touch stay two, those that are grown together are one."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.analysis.core import Analysis, analyze_volume
from xrm_control.analysis.necks import too_many_unsure
from xrm_control.analysis.spec import AnalysisSpec
from xrm_control.analysis.splitting import SplitSpec
from xrm_control.contracts.tables import Particle

VOXEL_UM, MU, FINE = 0.5, 0.046, 3
PLACES = np.array(list(itertools.product((33.0, 77.0), repeat=3)))


def drawn(radius: float, alike: float, ratio: float, blur: float, snr: float) -> NDArray[np.float32]:
    """Eight pairs in any direction, in voxels: the smaller ball of `radius`, the larger one of radius / alike, with a
    neck of ratio * radius. What both hold counts once."""
    random = np.random.default_rng(7)
    large, neck = radius / alike, ratio * radius
    fill = np.zeros((110, 110, 110), np.float32)
    step = (np.arange(44 * FINE) + 0.5) / FINE - 0.5
    for place in PLACES:
        way = random.standard_normal(3)
        way /= np.linalg.norm(way)
        to_large, to_small = math.sqrt(large**2 - neck**2), math.sqrt(radius**2 - neck**2)
        about = 21.5 + random.uniform(-0.5, 0.5, 3) - (to_large + large - to_small - radius) / 2 * way
        inside = np.zeros((len(step),) * 3, bool)
        for middle, size in ((about + to_large * way, large), (about - to_small * way, radius)):
            z, y, x = ((step - one) ** 2 for one in middle)
            inside |= z[:, None, None] + y[:, None] + x <= size**2
        low = (place - 22).astype(int)
        box = tuple(slice(one, one + 44) for one in low)
        fill[box] = inside.reshape(44, FINE, 44, FINE, 44, FINE).mean((1, 3, 5))
    noise = ndimage.gaussian_filter(random.standard_normal(fill.shape), 0.6)
    return (MU * (ndimage.gaussian_filter(fill, blur) + noise / noise.std() / snr)).astype(np.float32)


@lru_cache
def found(
    radius: float, alike: float, ratio: float, blur: float = 0.7, snr: float = 9.0, limit: float = 0.5
) -> Analysis:
    spec = AnalysisSpec(min_particle_um=1.5, split=SplitSpec(fused_neck_ratio=limit))
    return analyze_volume(drawn(radius, alike, ratio, blur, snr), VOXEL_UM, spec)


def volume_um3(radius: float, alike: float, ratio: float) -> float:
    """Two balls without what both hold: two caps."""
    total = 0.0
    for size in (radius, radius / alike):
        cap = size - math.sqrt(size**2 - (ratio * radius) ** 2)
        total += 4 / 3 * math.pi * size**3 - math.pi * cap**2 * (3 * size - cap) / 3
    return total * VOXEL_UM**3


@pytest.mark.parametrize("blur", [0.5, 0.9])
@pytest.mark.parametrize("alike", [1.0, 0.7])
@pytest.mark.parametrize("ratio", [0.01, 0.25])
@pytest.mark.parametrize("radius", [4.0, 7.0])
def test_balls_that_touch_are_two(radius: float, alike: float, ratio: float, blur: float) -> None:
    analysis = found(radius, alike, ratio, blur)
    assert len(analysis.particles) == 2 * len(PLACES)
    measured = [row[Particle.neck_ratio.name] for row in analysis.particles]
    assert np.median(measured) == pytest.approx(ratio, abs=0.12 if ratio > 0.1 else 0.25)
    if radius > 4:
        assert too_many_unsure(analysis.quality) is None


@pytest.mark.parametrize("blur", [0.5, 0.9])
@pytest.mark.parametrize("alike", [1.0, 0.7])
@pytest.mark.parametrize("ratio", [0.6, 0.7])
@pytest.mark.parametrize("radius", [4.0, 7.0])
def test_balls_that_are_grown_together_are_one(radius: float, alike: float, ratio: float, blur: float) -> None:
    analysis = found(radius, alike, ratio, blur)
    assert len(analysis.particles) == len(PLACES)
    true = volume_um3(radius, alike, ratio)
    volumes = np.array([row[Particle.volume_um3.name] for row in analysis.particles])
    u = np.array([row["volume_um3_u"] for row in analysis.particles])
    assert np.median(volumes) == pytest.approx(true, rel=0.03 if radius < 5 else 0.015)
    assert np.count_nonzero(abs(volumes - true) < 2.6 * u) >= 6
    assert too_many_unsure(analysis.quality) is None


def test_what_may_be_either_is_told() -> None:
    analysis = found(6.0, 1.0, 0.5)
    unsure = [row for row in analysis.particles if row[Particle.neck_kind.name] == "unsure"]
    assert len(unsure) >= 4
    doubt = too_many_unsure(analysis.quality)
    assert doubt is not None
    assert "may be one" in doubt[0]
    assert "fused_neck_ratio" in doubt[1]


def test_where_contacts_end_is_the_recipes_to_say() -> None:
    assert len(found(6.0, 1.0, 0.6, limit=1.0).particles) == 2 * len(PLACES)
    assert len(found(6.0, 1.0, 0.6, limit=0.75).particles) == 2 * len(PLACES)


def test_a_satellite_is_none_of_its_host() -> None:
    """Half of its section is neck."""
    analysis = found(4.0, 0.45, 0.6)
    assert len(analysis.particles) == 2 * len(PLACES)
    assert too_many_unsure(analysis.quality) is None


def test_the_planes_between_two_are_in_the_uncertainty_of_their_volumes() -> None:
    """A satellite's own ends anywhere within a voxel."""
    row = min(found(4.0, 0.45, 0.6).particles, key=lambda one: one[Particle.volume_um3.name])
    section_um2 = math.pi * (0.6 * 4.0 * VOXEL_UM) ** 2
    assert row["volume_um3_u"] > 0.8 * section_um2 * VOXEL_UM
