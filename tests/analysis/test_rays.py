"""Radii against ellipsoids' own, and the noise floor of the roughness proxies."""

import numpy as np
import pytest

from tests.analysis.phantoms import VOXEL_UM, Body, ball, render
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.rays import AZIMUTHS_DEG, PLANES


@pytest.mark.parametrize(
    "body", [ball(0.1, -0.2, 0.15, 6), Body((0.2, 0.1, -0.1), (7, 6, 5)), Body((0, 0, 0), (4, 5, 6))]
)
def test_radii_of_ellipsoids(body: Body) -> None:
    row = analyze_volume(render([body], snr=None), VOXEL_UM, AnalysisSpec()).particles[0]
    pairs = {"xy": (body.axes[0], body.axes[1]), "xz": (body.axes[0], body.axes[2]), "yz": (body.axes[1], body.axes[2])}
    errors = []
    for plane in PLANES:
        a, b = pairs[plane]
        for azimuth in AZIMUTHS_DEG:
            t = np.radians(azimuth)
            true = 1 / np.hypot(np.cos(t) / a, np.sin(t) / b)
            errors.append(float(row[f"radius_{plane}_{azimuth:03d}_um"]) - true)
        mean = np.mean([row[f"radius_{plane}_{azimuth:03d}_um"] for azimuth in AZIMUTHS_DEG])
        assert row[f"radius_{plane}_um"] == pytest.approx(mean)
        steps = np.diff([row[f"radius_{plane}_{azimuth:03d}_um"] for azimuth in (*AZIMUTHS_DEG, 0)])
        assert row[f"roughness_local_max_{plane}_um"] == pytest.approx(np.abs(steps).max())
        assert row[f"roughness_local_{plane}_um"] == pytest.approx(np.abs(steps).mean())
    assert np.abs(errors).max() < 0.08
    assert abs(np.mean(errors)) < 0.02


def test_the_floor_is_what_a_perfect_sphere_shows() -> None:
    """Facts: at SNR 10 and FWHM 2 voxels, 0.21 to 0.22 um with sub-voxel radii and 0.62 to 0.69 with voxel rays."""
    fine, coarse, floors = [], [], []
    for seed in range(6):
        x, y, z = np.random.default_rng(seed).uniform(-0.25, 0.25, 3)
        volume = render([ball(x, y, z, 5)], fwhm_voxels=2.0, seed=seed)
        row = analyze_volume(volume, VOXEL_UM, AnalysisSpec()).particles[0]
        radii = [[row[f"radius_{plane}_{azimuth:03d}_um"] for azimuth in AZIMUTHS_DEG] for plane in PLANES]
        fine += list(np.ptp(radii, axis=1))
        coarse += [row[f"roughness_voxel_{plane}_um"] for plane in PLANES]
        floors.append((row["roughness_floor_um"], row["roughness_voxel_floor_um"]))
    assert np.mean(fine) == pytest.approx(0.215, abs=0.05)
    assert np.mean(coarse) == pytest.approx(0.65, abs=0.15)
    assert np.mean(floors, axis=0) == pytest.approx([np.mean(fine), np.mean(coarse)], rel=0.25)


@pytest.mark.parametrize("fwhm_voxels", [1.5, 2.0, 3.0])
def test_the_blur_of_edges_is_the_volumes_with_the_voxel_and_the_interpolation(fwhm_voxels: float) -> None:
    """Variances add up: the voxel's is 1/12, that of linear interpolation at any place between two 1/6."""
    volume = render([ball(0.1, 0.2, -0.1, 6)], fwhm_voxels=fwhm_voxels, snr=20)
    found = analyze_volume(volume, VOXEL_UM, AnalysisSpec()).quality.edge_blur_fwhm_um
    to_sigma = 2 * np.sqrt(2 * np.log(2))
    true = to_sigma * np.sqrt((fwhm_voxels / to_sigma) ** 2 + 1 / 12 + 1 / 6) * VOXEL_UM
    assert found == pytest.approx(true, rel=0.05)


def test_a_bump_is_seen() -> None:
    bodies = [ball(0, 0, 0, 6), ball(5.5, 0, 0, 1.5)]
    row = analyze_volume(render(bodies, snr=None).clip(0, 0.046), VOXEL_UM, AnalysisSpec()).particles[0]
    assert row["roughness_xy_um"] == pytest.approx(1.0, abs=0.25)
    assert row["roughness_local_max_xz_um"] == pytest.approx(1.0, abs=0.25)
    assert float(row["roughness_yz_um"]) < 0.25


def test_rays_into_a_neighbour_end_at_the_dividing_plane() -> None:
    result = analyze_volume(render([ball(-5, 0, 0, 5), ball(5, 0, 0, 5)]), VOXEL_UM, AnalysisSpec())
    left = min(result.particles, key=lambda row: row["x_um"])
    assert 1 <= left["rays_in_contact"] <= 4
    assert left["radius_xy_000_um"] == pytest.approx(5, abs=0.5)
