"""Stated uncertainties against the scatter over noise draws: the same sphere, the same place, other noise."""

import numpy as np
import pytest
from scipy import ndimage

from tests.analysis.phantoms import VOXEL_UM, ball, render
from xrm_control.analysis.core import AnalysisSpec, analyze_volume

DRAWS = 20
COLUMNS = (
    "volume_um3",
    "equivalent_diameter_um",
    "x_um",
    "y_um",
    "radius_mean_um",
    "radius_xy_um",
    "void_volume_um3",
    "mean_attenuation_per_um",
    "roughness_xy_um",
)


@pytest.fixture(scope="module", params=[0.0, 0.7], ids=["white noise", "correlated noise"])
def rows(request: pytest.FixtureRequest) -> list[dict]:
    clean = render([ball(-2.9, 0, 0, 4.5), ball(-3, 0.2, 0, 1.4, -1), ball(8, 0, 0, 3)], (32, 40, 56), snr=None)
    spec = AnalysisSpec(voxel_relative_u=0)
    found = []
    for seed in range(DRAWS):
        noise = np.random.default_rng(seed).normal(0, 1, clean.shape)
        if request.param:
            noise = ndimage.gaussian_filter(noise, request.param)
        volume = (clean + noise / noise.std() * 0.0046).astype(np.float32)
        particles = analyze_volume(volume, VOXEL_UM, spec).particles
        found.append(min(particles, key=lambda row: row["x_um"]))
    return found


@pytest.mark.parametrize("column", COLUMNS)
def test_stated_matches_scatter(rows: list[dict], column: str) -> None:
    scatter = np.std([row[column] for row in rows], ddof=1)
    stated = np.sqrt(np.mean([row[f"{column}_u"] ** 2 for row in rows]))
    assert 0.5 < stated / scatter < 2.5


@pytest.mark.parametrize("column", ["surface_area_um2", "sphericity", "surface_to_volume_per_um"])
def test_stated_covers_scatter(rows: list[dict], column: str) -> None:
    """Crofton's dependence on the grid is stated but does not show when only the noise is drawn anew."""
    assert np.mean([row[f"{column}_u"] for row in rows]) > 0.7 * np.std([row[column] for row in rows], ddof=1)


def test_voxel_size_enters_by_its_power() -> None:
    volume = render([ball(0, 0, 0, 5)], snr=100)
    row = analyze_volume(volume, VOXEL_UM, AnalysisSpec(voxel_relative_u=0.01)).particles[0]
    for column, power in (("radius_mean_um", 1), ("equivalent_diameter_um", 1), ("volume_um3", 3)):
        assert row[f"{column}_u"] / row[column] == pytest.approx(0.01 * power, rel=0.1)
