"""What is lighter than the particles and lies among them: balls in closed form, on tape and off it."""

from __future__ import annotations

from functools import cache
from math import pi
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import xrm_control as xrm
from benchmarks.convex_bodies import ball, shares
from tests.analysis.test_matter import BLUR_VOXELS, MU, PLACES_UM, SIDE, VOXEL_UM, Specimen, balls
from xrm_control.analysis.core import Analysis, analyze_volume
from xrm_control.analysis.field import find_field
from xrm_control.analysis.light_phase import LIGHT, may_be_particles
from xrm_control.analysis.spec import AnalysisSpec
from xrm_control.contracts.quality import QualityMetrics

TAPE_FROM = 60
Light = tuple[float, float, float, float]


@cache
def volume(light: Light, seed: int) -> NDArray[np.float32]:
    """Eight balls of 11 um among six of (share, radius_um) at this SNR, and a tape of so much of the contrast."""
    share, radius_um, snr, tape = light
    random = np.random.default_rng(seed)
    places = [np.array([0.3, y, z]) + random.uniform(-0.5, 0.5, 3) for y in (-12.5, 0.2) for z in (-12.5, 0.4, 12.5)]
    parts: Specimen = [*balls(), *((ball(place, radius_um), share) for place in places if share)]
    grey = np.zeros((SIDE, SIDE, SIDE))
    for solid, part in parts:
        where, inside = shares(solid, grey.shape, VOXEL_UM)
        grey[where] += part * MU * inside
    grey[:, TAPE_FROM:] += tape * MU
    noise = ndimage.gaussian_filter(random.standard_normal(grey.shape), 0.6)
    return (ndimage.gaussian_filter(grey, BLUR_VOXELS) + MU / snr * noise / noise.std()).astype(np.float32)


@cache
def analysed(light: Light, seed: int = 0) -> Analysis:
    grey = volume(light, seed)
    return analyze_volume(grey, VOXEL_UM, AnalysisSpec(), field=find_field(grey, "auto"))


SEEN: tuple[Light, ...] = (
    (0.3, 2.5, 15, 0.0),
    (0.15, 3.0, 15, 0.0),
    (0.15, 3.0, 25, 0.1),
    (0.08, 4.0, 25, 0.0),
    (0.4, 2.0, 12, 0.1),
    (0.2, 3.5, 10, 0.07),
    (0.1, 4.0, 40, 0.15),
)


@pytest.mark.parametrize("light", SEEN)
def test_light_bodies_are_counted_and_their_volume_is_held_by_what_is_stated(light: Light) -> None:
    off: list[float] = []
    for seed in range(3):
        found = analysed(light, seed)
        quality, true_um3 = found.quality, 6 * 4 / 3 * pi * light[1] ** 3
        assert quality.light_bodies == 6
        assert quality.whole_particles == len(PLACES_UM)
        assert quality.light_volume_um3 is not None
        assert quality.light_volume_um3_u is not None
        assert abs(quality.light_volume_um3 - true_um3) < 2.5 * quality.light_volume_um3_u
        assert quality.light_volume_um3_u < 0.3 * true_um3
        off.append((quality.light_per_um or 0.0) / MU - light[0])
    assert abs(np.mean(off)) < 0.15 * light[0]


@pytest.mark.parametrize("light", SEEN[1:4])
def test_their_voxels_are_where_they_are(light: Light) -> None:
    found, without = analysed(light), volume((0.0, *light[1:]), 0)
    assert found.light is not None
    inside = (volume(light, 0).astype(float) - without) / MU > 0.5 * light[0]
    both = np.count_nonzero(ndimage.uniform_filter(inside.astype(float), 3)[found.light.mask] > 0.3)
    assert both > 0.9 * np.count_nonzero(found.light.mask)
    assert np.array_equal(np.unique(found.light.painted(found.phases)), [0, 1, LIGHT])
    assert np.array_equal(found.light.painted(found.phases) == 1, found.phases == 1)


@pytest.mark.parametrize("snr", [8, 15, 40])
@pytest.mark.parametrize("tape", [0.0, 0.07, 0.2])
def test_there_is_none_where_none_is(snr: float, tape: float) -> None:
    quality = analysed((0.0, 3.0, snr, tape)).quality
    assert quality.light_bodies == 0
    assert quality.light_volume_um3 is None
    # The less noise, the fainter is what would be seen.
    assert 0.04 < (quality.light_seen_from or 0.0) < 5.0 / snr
    assert 0.04 < (quality.light_seen_from_large or 0.0) <= (quality.light_seen_from or 0.0)


def streaked(grey: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """With bands across some slices, as bright as dark."""
    found = grey.copy()
    for n, z in enumerate((8, 20, 33, 46, 58)):
        rows = slice(6 + 9 * n, 12 + 9 * n)
        found[z : z + 4, rows, 4:34] += share * MU
        found[z : z + 4, rows, 38:68] -= share * MU
    return found


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_streaks_are_not_taken_for_matter(share: float) -> None:
    grey = streaked(volume((0.0, 3.0, 15, 0.0), 0), share)
    quality = analyze_volume(grey, VOXEL_UM, AnalysisSpec(), field=find_field(grey, "auto")).quality
    assert quality.light_bodies == 0
    assert (quality.light_seen_from_large or 0.0) > 0.8 * share


@pytest.mark.parametrize(("share", "doubted"), [(0.4, True), (0.15, False)])
def test_what_may_be_particles_is_doubted(share: float, doubted: bool) -> None:
    quality = analysed((share, 3.0, 15, 0.0)).quality
    said = may_be_particles(quality)
    assert (said is not None) == doubted
    if said is not None:
        assert "6 beside 8 whole particles" in said[0]
    assert may_be_particles(quality.joined(QualityMetrics(light_bodies=1))) is None


def test_they_are_a_phase_of_the_file(tmp_path: Path) -> None:
    found = xrm.analyze(volume(SEEN[0], 0), voxel_size_um=VOXEL_UM, out=tmp_path / "analysis")
    assert set(np.unique(found.phases)) == {0, 1, LIGHT}
    assert np.array_equal(found.phases == LIGHT, found.phases * (found.labels == 0) == LIGHT)
