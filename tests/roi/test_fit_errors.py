"""What is stated of each particle holds on mosaics of another maker; the blurred template is the blurred chord."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import mosaic_intervals, powders
from benchmarks.mosaic_intervals import Seen, z_scores
from xrm_control.roi.bodies import Bodies, Shape, averaged_light, bare_level, shadow
from xrm_control.roi.fit_errors import FitErrors, fit_errors
from xrm_control.roi.particles2d import count_particles

SIZE_UM = (90.0, 100.0)


def single(seed: int) -> powders.Scene:
    random = np.random.default_rng(seed)
    bodies = [powders.sphere(0, 0, float(d)) for d in powders.sizes(random, 55)]
    return powders.Scene(powders.apart(random, SIZE_UM, bodies, resting=True), SIZE_UM)


def long_ones(seed: int) -> powders.Scene:
    random = np.random.default_rng(seed)
    bodies = [
        powders.Body(0, 0, (d * 0.7, d / 2, d / 2), random.uniform(0, 180))
        for d in powders.sizes(random, 40, 10.0, 0.3)
    ]
    return powders.Scene(powders.apart(random, SIZE_UM, bodies), SIZE_UM)


def judged(scene: powders.Scene, seed: int) -> Seen:
    found, count = count_particles(scene.mosaic(seed), powders.MU_PER_UM)
    pairs = tuple(mosaic_intervals.finding.pairs(found, scene.bodies))
    return Seen(scene.bodies, found, pairs, count, scene.size_um, 0.0)


@pytest.mark.parametrize("make", [single, long_ones])
def test_the_stated_interval_holds_the_truth_as_often_as_it_says(make: Callable[[int], powders.Scene]) -> None:
    z = np.concatenate([z_scores(judged(make(seed), seed), certain=True) for seed in (21, 22, 23)])
    assert len(z) > 60
    held = (np.abs(z) < 1.96).mean(axis=0)
    # 95 % of 60 to 150 particles each; and no interval is so wide that it says nothing.
    assert (held > 0.88).all(), held
    assert (np.median(np.abs(z), axis=0) > 0.25).all()


def test_none_is_certain_that_is_none_and_none_where_layers_overlap() -> None:
    one = judged(single(24), 24)
    wrong, certain = mosaic_intervals.false_certainties(one)
    assert wrong == 0
    assert certain > 20
    deep = powders.Scene(powders.anywhere(np.random.default_rng(1), SIZE_UM, 0.5), SIZE_UM)
    assert mosaic_intervals.false_certainties(judged(deep, 1))[1] == 0


@pytest.mark.parametrize(("radius", "hollow", "blur_px"), [(8.0, 0.0, 0.8), (20.0, 0.0, 1.2), (10.0, 0.6, 0.8)])
def test_the_shadow_is_that_of_the_blurred_chord(radius: float, hollow: float, blur_px: float) -> None:
    size, fine = 2 * int(radius) + 21, 9
    at = (np.arange(size * fine) - (size * fine - 1) / 2) / fine
    q2 = (at[None, :] ** 2 + at[:, None] ** 2) / radius**2
    chord = 2 * radius * (np.sqrt(np.maximum(1 - q2, 0)) - np.sqrt(np.maximum(hollow**2 - q2, 0)))
    true = ndimage.gaussian_filter(chord, blur_px * fine)[fine // 2 :: fine, fine // 2 :: fine]
    middle = np.array([(size - 1) / 2])
    body = Bodies.spheres(middle, middle, np.array([radius]), np.array([[0.0, 0.0, hollow]]))
    made = shadow(body, (size, size), blur_px)
    assert np.abs(made - true).max() < 0.02 * radius
    assert made.sum() == pytest.approx(true.sum(), rel=2e-3)


def test_light_that_is_averaged_looks_brighter_on_a_steep_rim() -> None:
    body = Bodies.spheres(np.array([20.0]), np.array([20.0]), np.array([12.0]))
    taken = averaged_light(body, (41, 41), 0.03, 0.9)
    assert taken.max() == 0.0
    assert -0.5 < taken.min() < -0.05
    assert abs(taken[20, 20]) < 0.01


def test_the_level_of_the_tape_is_read_beside_the_bodies() -> None:
    body = Bodies.spheres(np.array([30.0]), np.array([30.0]), np.array([9.0]))
    left = np.random.default_rng(0).normal(0.2, 0.7, (60, 60)) + 3.0 * shadow(body, (60, 60), 0.8)
    level = bare_level(left, np.full(left.shape, 2.0), body, 0.5)
    assert level == pytest.approx(0.2, abs=0.1)


def errors(noise_px: float, *, stretch: float = 0.0, skew: float = 0.0, hollow: float = 0.0) -> FitErrors:
    """Of one body of 60 pixels in a map of such noise, alone on bare tape of known level; nothing is left over."""
    at = np.array([50.0])
    one = Bodies.spheres(at, at, np.array([30.0]), np.array([[stretch, skew, hollow]]))
    one.shape[:] = Shape.SHELL if hollow else Shape.ELLIPSOID if stretch or skew else Shape.SPHERE
    nothing, alone, size = np.zeros(1), np.ones(1, bool), (101, 101)
    # Pixels of 4 um: no void that goes unseen in 60 of them matters.
    return fit_errors(
        np.zeros(size), np.full(size, noise_px**-2), one, 0.8, nothing, alone, nothing, nothing, pixel_um=4.0
    )


# What is stated of column, row, diameter, long and short axis and chord, in pixels: the model's own error, that of the
# long axis by the ratio of the axes; of a shell a quarter of the third power of its hollow besides, relative of the
# chord, a third of that of the diameter and a fourth of the long axis.
OWN = (0.01, 0.01, 0.05, 0.05, 0.05, 0.08)
WITHOUT_NOISE = {
    "a sphere": ({}, OWN),
    "half as long again as wide": ({"stretch": np.log(1.5) / 2}, (*OWN[:3], 1.5 * OWN[3], *OWN[4:])),
    "a shell": ({"hollow": 0.4}, (*OWN[:2], *np.hypot((0.32, 0.24), 0.05), OWN[4], np.hypot(0.96, 0.08))),
}


@pytest.mark.parametrize("name", WITHOUT_NOISE)
def test_with_light_enough_the_models_own_error_is_left(name: str) -> None:
    form, own = WITHOUT_NOISE[name]
    *stated, left = (float(one[0]) for one in vars(errors(1e-3, **form)).values())
    assert stated == pytest.approx(own, rel=0.02)
    assert left == 0.0


def test_noise_knows_no_directions() -> None:
    """The axes of a circle are known alike, and a body that lies along the rows as one that lies across them."""
    circle, along, across = errors(9.0), errors(9.0, stretch=0.2), errors(9.0, stretch=-0.2)
    assert circle.long == pytest.approx(circle.short, rel=1e-3)
    assert circle.long > 3 * OWN[3]
    for name in ("diameter", "long", "short", "chord"):
        assert getattr(along, name) == pytest.approx(getattr(across, name), rel=1e-3)
    assert along.column == pytest.approx(across.row, rel=1e-3)
    assert along.row == pytest.approx(across.column, rel=1e-3)
    assert along.column > along.row
