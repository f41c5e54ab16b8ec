"""Stated uncertainties against the scatter over noise draws: the same sphere, the same place, other noise."""

from collections import Counter

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


def test_the_noise_of_the_mean_radius_is_that_of_its_rays_each_as_often_as_it_counts(rows: list[dict]) -> None:
    """Rays at multiples of 45 degrees in three planes; what noise moves inwards is the same in planes and overall."""
    ways = 45 * np.arange(8)
    around = np.rint(2 * np.stack([np.cos(np.radians(ways)), np.sin(np.radians(ways))], axis=1)).astype(int)
    planes = ((0, 1), (0, 2), (1, 2))
    rays = Counter(tuple(np.insert(ray, 3 - sum(plane), 0).tolist()) for plane in planes for ray in around)
    of_all = sum(times**2 for times in rays.values()) / rays.total() ** 2
    for row in rows[:5]:
        squares = {name: row[f"radius_{name}_um_u"] ** 2 for name in ("mean", "xy", "xz", "yz")}
        assert squares["xy"] == pytest.approx(squares["xz"], rel=1e-9)
        noise = row["radius_single_u_um"] ** 2
        assert squares["xy"] - squares["mean"] == pytest.approx(noise * (1 / 8 - of_all), rel=1e-6)


def test_surface_to_volume_is_as_uncertain_as_size_and_form_make_it(rows: list[dict]) -> None:
    """A body that is larger by a share in each direction has as much less of it; at a given volume it goes with the
    area, as sphericity does.
    """
    for row in rows[:5]:
        size, form, found = (
            row[f"{name}_u"] / row[name]
            for name in ("equivalent_diameter_um", "sphericity", "surface_to_volume_per_um")
        )
        assert found == pytest.approx(np.hypot(size, form), rel=1e-6)
