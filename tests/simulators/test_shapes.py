import math

import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.measure import measure, mouth_area
from simulators.seeding import generator
from simulators.shapes import SLAB_UM, Pit, ShapeSpec, shape_table


def _rough(radius_um: float, seed: int) -> ShapeSpec:
    random = generator(seed, "test").standard_normal(13)
    return ShapeSpec(radius_um, roughness_um=0.5, random=random)


def _voxel_volume(table: NDArray[np.float32], step_um: float) -> float:
    """Count of points inside the outlines, by linear interpolation of the polygon's edges: an independent volume."""
    slabs, vertices = table.shape
    half = 0.5 * slabs * SLAB_UM + 1.0
    axis = np.arange(-half, half, step_um) + 0.5 * step_um
    x, z = np.meshgrid(axis, axis)
    angle, radius = np.arctan2(z, x) % (2 * np.pi), np.hypot(x, z)
    at = angle / (2 * np.pi) * vertices
    k = at.astype(int) % vertices
    a, b = 2 * np.pi * k / vertices, 2 * np.pi * (k + 1) / vertices
    inside = 0
    for rho in table.astype(float):
        p, q = rho[k], rho[(k + 1) % vertices]
        # polar equation of the chord between two vertices
        border = p * q * np.sin(b - a) / np.maximum(p * np.sin(angle - a) + q * np.sin(b - angle), 1e-12)
        inside += np.count_nonzero(radius < border)
    return inside * step_um**2 * SLAB_UM


@pytest.mark.parametrize(("radius_um", "coarse"), [(0.6, 0.02), (1.2, 0.01), (4.5, 2e-3), (15.0, 4e-4)])
def test_a_smooth_shape_is_a_sphere(radius_um: float, coarse: float) -> None:
    """As well as inscribed polygons of at least 48 vertices can be one."""
    m = measure(shape_table(ShapeSpec(radius_um)))
    assert m.volume_um3 == pytest.approx(4 / 3 * math.pi * radius_um**3, rel=coarse)
    assert m.surface_area_um2 == pytest.approx(4 * math.pi * radius_um**2, rel=3 * coarse)
    assert m.centroid_um == pytest.approx((0, 0, 0), abs=1e-6)
    assert m.lowest_z_um == pytest.approx(-radius_um, abs=1e-3 * radius_um + 0.004)


@pytest.mark.parametrize("seed", [1, 2])
def test_volume_is_what_counting_points_gives(seed: int) -> None:
    table = shape_table(_rough(3.0, seed))
    assert measure(table).volume_um3 == pytest.approx(_voxel_volume(table, 0.04), rel=2e-3)


def test_surface_of_an_ellipsoid() -> None:
    """Against Knud Thomsen's formula (error below 1.1 %)."""
    table = shape_table(ShapeSpec(10.0, elongation=0.04, random=generator(4, "ellipsoid").standard_normal(13)))
    m = measure(table)
    assert m.surface_area_um2 == pytest.approx(4 * math.pi * (3 * m.volume_um3 / 4 / math.pi) ** (2 / 3), rel=0.011)
    assert 0.03 < (m.radius_max_um - m.radius_min_um) / 10.0 < 0.08


@pytest.mark.parametrize("radius_um", [3.0, 8.0, 14.0])
def test_roughness_is_the_same_for_every_size(radius_um: float) -> None:
    """Amplitude: rms and peak of the radius on the equator; wavelength: where its autocorrelation has fallen."""
    residuals, lags = [], []
    for seed in range(12):
        table = shape_table(_rough(radius_um, seed))
        for row in table[len(table) // 2 - 6 : len(table) // 2 + 6 : 5].astype(float):
            residual = row - row.mean()
            residuals.append(residual)
            correlation = np.fft.ifft(np.abs(np.fft.fft(residual)) ** 2).real
            first_negative = np.argmax(correlation < 0)
            lags.append(first_negative * 2 * math.pi * radius_um / table.shape[1])
    every = np.concatenate(residuals)
    assert 0.10 < every.std() < 0.17
    assert 0.3 < np.abs(every).max() < 0.6
    # noise of wavelength w turns negative about w / 4 to w / 2 away
    assert 0.25 < np.median(lags) < 0.75


def test_a_pit_takes_away_what_its_cone_holds() -> None:
    pit = Pit((1.0, 0.0, 0.0), half_angle_rad=0.2, floor_um=1.0)
    whole, pitted = shape_table(ShapeSpec(5.0)), shape_table(ShapeSpec(5.0, pit=pit))
    removed = measure(whole).volume_um3 - measure(pitted).volume_um3
    cone = 2 * math.pi * (1 - math.cos(0.2)) * (5.0**3 - 1.0**3) / 3
    assert removed == pytest.approx(cone, rel=0.15)
    assert mouth_area(whole, pitted) == pytest.approx(2 * math.pi * (1 - math.cos(0.2)) * 25.0, rel=0.15)


def test_same_numbers_same_table() -> None:
    assert np.array_equal(shape_table(_rough(4.0, 7)), shape_table(_rough(4.0, 7)))
    assert not np.array_equal(shape_table(_rough(4.0, 7))[:40, :96], shape_table(_rough(4.0, 8))[:40, :96])
