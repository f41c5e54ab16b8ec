"""Particles in the mosaic, held against spheres that were put there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from phantoms import MU, mosaic_of, powder
from scipy.optimize import linear_sum_assignment

from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.roi.bodies import Bodies, shadow
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D, _kept, find_particles


def pairs(found: tuple[Particle2D, ...], true: list[tuple[float, float, float]]) -> list[tuple[int, int]]:
    """One to one (found, true): a third of a diameter apart at most, diameters within 30 %."""
    a = np.array([(p.x_um, p.y_um, p.equivalent_diameter_um) for p in found])
    b = np.array(true)
    apart = np.hypot(a[:, None, 0] - b[:, 0], a[:, None, 1] - b[:, 1]) / b[:, 2]
    same = (apart < 1 / 3) & (np.abs(a[:, None, 2] / b[:, 2] - 1) < 0.3)
    i, j = linear_sum_assignment(np.where(same, apart, 1e3))
    return [(int(k), int(m)) for k, m in zip(i, j, strict=True) if same[k, m]]


@pytest.mark.parametrize("diameter_um", [3.5, 5.0, 7.45, 10.0, 13.1, 20.0, 30.0])
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
def test_one_sphere_is_found_where_it_is_and_as_large_as_it_is(diameter_um: float, noise: float) -> None:
    (p,) = find_particles(mosaic_of([(3.17, -4.4, diameter_um)], 80, 70, noise=noise), MU)
    assert np.hypot(p.x_um - 3.17, p.y_um + 4.4) < (0.3 if diameter_um < 5 else 0.1)
    assert p.equivalent_diameter_um == pytest.approx(diameter_um, rel=0.06 if diameter_um < 5 else 0.03)
    assert p.peak_thickness_um == pytest.approx(diameter_um, rel=0.12)
    assert not p.touches_edge


CLOSE = {
    "touching": [(0.0, 0.0, 10.0), (10.0, 0.0, 10.0)],
    "shadows overlap by half": [(0.0, 0.0, 12.0), (0.0, 7.0, 8.0)],
    "small one tucked beneath a large one": [(0.0, 0.0, 22.0), (8.5, 6.5, 5.2)],
    "three in a ring": [(0.0, 0.0, 8.0), (8.0, 0.0, 8.0), (4.0, 6.9, 8.0)],
    "one in the shadow of two": [(-8.0, 0.0, 16.0), (8.0, 0.0, 16.0), (0.0, 9.0, 5.0)],
}


@pytest.mark.parametrize("name", CLOSE)
def test_overlapping_shadows_are_told_apart(name: str) -> None:
    true = CLOSE[name]
    found = find_particles(mosaic_of(true, 80, 80, noise=0.03, seed=4), MU)
    assert len(found) == len(true)
    assert len(pairs(found, true)) == len(true)


@pytest.mark.parametrize("diameter_um", [42.0, 50.0, 60.0])
def test_a_giant_with_others_on_it_is_one(diameter_um: float) -> None:
    """Of a coarse tail, with small ones on its rim and before it, in a layer of others: not two halves of it."""
    turns = np.radians([10, 80, 135, 200, 290])
    beside = [(0.46 * diameter_um * np.cos(t), 0.46 * diameter_um * np.sin(t), 7.0 + n) for n, t in enumerate(turns)]
    layer = [one for one in powder(120, 120, 60, seed=8) if np.hypot(one[0], one[1]) > 0.7 * diameter_um]
    true = [(0.0, 0.0, diameter_um), (5.0, 8.0, 6.0), *beside, *layer]
    found = find_particles(mosaic_of(true, 140, 140, noise=0.03, seed=2), MU)
    (giant,) = (p for p in found if p.equivalent_diameter_um > 35.0)
    assert giant.equivalent_diameter_um == pytest.approx(diameter_um, rel=0.03)
    assert np.hypot(giant.x_um, giant.y_um) < 1.0
    assert len(found) == pytest.approx(len(true), abs=2)


def test_a_dense_layer_is_counted() -> None:
    true = powder(150, 200, 220, seed=3)
    mosaic = mosaic_of(true, 150, 200, noise=0.03, seed=5)
    assert (mosaic.image < np.exp(-0.14) * 0.93).mean() > 0.4  # as densely covered as a real strip
    found = find_particles(mosaic, MU)
    matched = pairs(found, true)
    assert len(matched) >= 0.97 * len(true)
    assert len(matched) >= 0.97 * len(found)
    diameters = np.array([(found[i].equivalent_diameter_um, true[j][2]) for i, j in matched])
    assert abs(np.median(diameters[:, 0] / diameters[:, 1]) - 1) < 0.02


def test_illumination_that_drifts_from_tile_to_tile_and_the_edge_of_the_tape_are_no_particles() -> None:
    true = powder(120, 120, 70, seed=8)
    mosaic = mosaic_of(true, 160, 120, noise=0.03, seed=1)
    columns = np.arange(mosaic.image.shape[1])
    drift = 1 + 0.03 * np.sin(columns / 60)[None, :]
    bare = (columns > 0.93 * columns.size)[None, :] * (np.exp(0.14) - 1) + 1
    found = find_particles(dataclasses.replace(mosaic, image=(mosaic.image * drift * bare).astype(np.float32)), MU)
    matched = len(pairs(found, true))
    assert matched >= 0.97 * len(true)
    assert len(found) - matched <= 0.03 * len(true)


def test_particles_cut_by_the_mosaic_or_by_a_missing_tile_say_so() -> None:
    mosaic = mosaic_of([(-38.0, 0.0, 10.0), (0.0, 0.0, 10.0), (22.0, 10.0, 10.0)], 80, 60, noise=0.02)
    image = mosaic.image.copy()
    image[:, round(63 / 0.512) :] = np.nan  # from x = 23 um on
    found = {round(p.x_um): p.touches_edge for p in find_particles(dataclasses.replace(mosaic, image=image), MU)}
    assert found[0] is False
    assert found[min(found)] is True
    assert found[max(found)] is True


def test_a_line_of_unseen_pixels_neither_hides_nor_cuts_a_particle() -> None:
    mosaic = mosaic_of([(0.3, 0.0, 16.0)], 60, 60, noise=0.02)
    image = mosaic.image.copy()
    image[:, image.shape[1] // 2] = np.nan
    (p,) = find_particles(dataclasses.replace(mosaic, image=image), MU)
    assert p.equivalent_diameter_um == pytest.approx(16.0, rel=0.03)
    assert not p.touches_edge


def test_a_finer_mosaic_gives_the_same_particles() -> None:
    true = [(-10.0, 4.0, 9.0), (8.0, -6.0, 14.0)]
    fine = find_particles(mosaic_of(true, 60, 50, pixel_um=0.128), MU)
    assert len(pairs(fine, true)) == len(fine) == 2
    assert np.allclose([(p.x_um, p.y_um) for p in fine], [(8.0, -6.0), (-10.0, 4.0)], atol=0.1)


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.1])
def test_bare_tape_shows_nothing(noise: float) -> None:
    assert find_particles(mosaic_of([], 120, 120, noise=noise), MU) == ()


def test_the_same_mosaic_gives_the_same_particles() -> None:
    mosaic = mosaic_of(powder(70, 70, 30, seed=1), 70, 70, noise=0.03)
    assert find_particles(mosaic, MU) == find_particles(mosaic, MU)


@pytest.mark.parametrize("mu", [0.0, -1.0, np.nan, np.inf])
def test_a_senseless_attenuation_is_refused(mu: float) -> None:
    with pytest.raises(DataError, match="attenuation"):
        find_particles(mosaic_of([], 20, 20), mu)


def test_a_mosaic_that_saw_nothing_is_refused() -> None:
    with pytest.raises(AnalysisError, match="no usable pixel"):
        find_particles(MosaicMap(np.full((40, 40), np.nan, np.float32), 0.5, 0.0, 0.0), MU)


@pytest.mark.parametrize(
    ("image", "pixel_um"),
    [(np.ones(4), 0.5), (np.ones((0, 4)), 0.5), (np.ones((4, 4)), 0.0), (np.ones((4, 4)), np.nan)],
)
def test_a_map_without_shape_or_scale_is_refused(image: np.ndarray, pixel_um: float) -> None:
    with pytest.raises(DataError):
        MosaicMap(image.astype(np.float32), pixel_um, 0.0, 0.0)


@pytest.mark.parametrize(("of_its_chord", "kept"), [(0.7, False), (0.8, True)])
@pytest.mark.parametrize("beside", [0, 1])
def test_a_body_must_explain_half_of_its_own_squares(of_its_chord: float, kept: bool, beside: int) -> None:
    """Where c of a body's chords s is seen, it takes s (2 c - 1) s off the squares: half of its own from c = 3/4 on."""
    both = Bodies.spheres(np.array([30.0, 66.0]), np.array([24.0, 24.0]), np.array([9.0, 9.0]))
    one, whole = both.where(np.arange(2) == beside), both.where(np.arange(2) != beside)
    shape, blur_px = (48, 96), 0.7
    chords = of_its_chord * shadow(one, shape, blur_px) + shadow(whole, shape, blur_px)
    left = chords - shadow(both, shape, blur_px)
    found, residual = _kept(chords, left, np.full(shape, 4.0), both, blur_px, 3.0)
    assert len(found) == 1 + kept
    assert residual == pytest.approx(chords - shadow(found, shape, blur_px), abs=1e-9)
