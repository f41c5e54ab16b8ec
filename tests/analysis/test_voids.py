"""Ternary flooding: closed, open and ambiguous voids, and their volume by grey-level integration."""

import numpy as np
import pytest

from tests.analysis.phantoms import VOXEL_UM, ball, render
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.voids import VoidSpec, find_voids


def solid_ball(radius: float = 10) -> np.ndarray:
    z, y, x = np.ogrid[(slice(-16, 17),) * 3]
    return z**2 + y**2 + x**2 <= radius**2


def cavity(solid: np.ndarray, radius: float, tunnel: int = 0) -> np.ndarray:
    """`solid` with a ball cut out of its middle and a square tunnel of that many voxels from it to the outside."""
    z, y, x = np.ogrid[(slice(-16, 17),) * 3]
    cut = z**2 + y**2 + x**2 <= radius**2
    low = 16 - tunnel // 2
    if tunnel:
        cut[low : low + tunnel, low : low + tunnel, 16:] = True
    return solid & ~cut


@pytest.mark.parametrize(
    ("tunnel", "kinds"), [(0, ("closed",)), (1, ("ambiguous",)), (2, ("ambiguous",)), (3, ("open",)), (7, ())]
)
def test_kinds(tunnel: int, kinds: tuple[str, ...]) -> None:
    found = find_voids(cavity(solid_ball(), 4, tunnel), VoidSpec())
    assert found.kinds == kinds
    if kinds:
        ball_voxels = int(np.count_nonzero(solid_ball(4)))
        assert np.count_nonzero(found.labels == 1) == pytest.approx(ball_voxels, rel=0.25)
        assert found.envelope[16, 16, 16]


@pytest.mark.parametrize(("voxels", "count"), [(7, 0), (8, 1)])
def test_size_filter(voxels: int, count: int) -> None:
    solid = solid_ball()
    solid[14:16, 14:16, 14:16] = False
    if voxels == 7:
        solid[14, 14, 14] = True
    found = find_voids(solid, VoidSpec(min_voxels=8))
    assert len(found.kinds) == count
    assert found.envelope[15, 15, 15], "what is too small to be a void belongs to the particle"


def test_a_sound_convex_particle_has_none() -> None:
    for radius in (2, 3.5, 6, 10):
        assert find_voids(solid_ball(radius), VoidSpec()).kinds == ()


@pytest.mark.parametrize(
    ("diameter", "fwhm", "low", "high"),
    [(2.0, 2.0, 0.9, 1.12), (2.5, 2.0, 0.92, 1.1), (3.5, 2.5, 0.92, 1.08), (2.5, 3.0, 0.8, 1.1)],
)
def test_grey_volume_recovers_what_blur_hides(diameter: float, fwhm: float, low: float, high: float) -> None:
    true = np.pi / 6 * diameter**3
    ratios = []
    for seed in range(3):
        x, y, z = np.random.default_rng(seed).uniform(-0.25, 0.25, 3)
        particle = [ball(0, 0, 0, 5), ball(x, y, z, diameter / 2, -1)]
        result = analyze_volume(render(particle, fwhm_voxels=fwhm, seed=seed), VOXEL_UM, AnalysisSpec())
        assert [void["kind"] for void in result.voids] == ["closed"]
        ratios.append(float(result.voids[0]["volume_um3"]) / true)
        assert result.particles[0]["volume_um3"] == pytest.approx(4 / 3 * np.pi * 5**3, rel=0.02)
        assert result.particles[0]["dead_volume_percent"] == pytest.approx(100 * true / (4 / 3 * np.pi * 125), rel=0.25)
    assert low < np.mean(ratios) < high


def test_no_false_voids_in_sound_particles() -> None:
    bodies = [ball(x, 0, z, 4) for x in (-8.5, 0, 8.5) for z in (-8.5, 0, 8.5)]
    for seed in range(2):
        result = analyze_volume(render(bodies, seed=seed), VOXEL_UM, AnalysisSpec())
        assert len(result.particles) == 9
        assert sum(row["void_count"] for row in result.particles) == 0


def test_a_gap_between_particles_is_no_void() -> None:
    """Four touching spheres wall in a gap; the flood of each alone reaches it."""
    r = 5.0
    a = 0.97 * r / np.sqrt(2)
    bodies = [ball(a, a, a, r), ball(a, -a, -a, r), ball(-a, a, -a, r), ball(-a, -a, a, r)]
    result = analyze_volume(render(bodies), VOXEL_UM, AnalysisSpec())
    assert len(result.particles) == 4
    assert all(row["void_count"] == 0 for row in result.particles)
