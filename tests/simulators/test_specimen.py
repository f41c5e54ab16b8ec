"""The presets against the figures that they were made for, and the geometry against an independent look at it."""

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.powder import make_specimen
from simulators.render import Grid
from simulators.shapes import SLAB_UM
from simulators.specimen import Specimen, SpecimenConfig, Sphere


def _column(records: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    return np.array([record[key] for record in records])


def _surface(table: NDArray[np.float32], centre_um: tuple[float, float, float]) -> NDArray[np.float64]:
    """The vertices (n, 3) of a table in the stage frame."""
    slabs, vertices = table.shape
    phi = 2 * np.pi * np.arange(vertices) / vertices
    y = np.repeat((np.arange(slabs) - 0.5 * (slabs - 1)) * SLAB_UM, vertices)
    points = np.column_stack(((table * np.cos(phi)).ravel(), y, (table * np.sin(phi)).ravel()))
    return points[table.ravel() > 0] + centre_um


def _inside(points: NDArray[np.float64], table: NDArray[np.float32], centre_um: tuple[float, float, float]) -> bool:
    """Whether all points lie inside a body, by its outlines' smaller neighbouring vertex."""
    x, y, z = (points - centre_um).T
    slabs, vertices = table.shape
    j = np.rint(y / SLAB_UM + 0.5 * (slabs - 1)).astype(int)
    k = np.floor(np.arctan2(z, x) / (2 * np.pi) * vertices).astype(int) % vertices
    border = np.minimum(table[j, k], table[j, (k + 1) % vertices])
    return bool(np.all((j >= 0) & (j < slabs)) and np.all(np.hypot(x, z) < border))


def test_nmc811_is_solid_5_to_30_um_with_median_about_9(nmc811: Specimen) -> None:
    truth = nmc811.truth()
    diameter = _column(truth["particles"], "equivalent_diameter_um")
    assert truth["voids"] == []
    assert diameter.min() > 4.9
    assert diameter.max() < 30.5
    assert diameter.max() > 24
    assert np.median(diameter) == pytest.approx(9.0, abs=0.3)


def test_nmc622_has_the_published_sizes(nmc622: Specimen) -> None:
    diameter = _column(nmc622.truth()["particles"], "equivalent_diameter_um")
    assert diameter.mean() == pytest.approx(6.4, rel=0.01)
    assert np.log(diameter).std() == pytest.approx(0.43, abs=0.015)
    assert _column(nmc622.truth()["particles"], "volume_um3").mean() == pytest.approx(238, rel=0.04)


def test_nmc622_has_the_published_voids(nmc622: Specimen) -> None:
    truth = nmc622.truth()
    voids, particles = truth["voids"], truth["particles"]
    voided = [particle for particle in particles if particle["void_ids"]]
    volume = _column(voids, "volume_um3").sum()
    assert len(voided) / len(particles) == pytest.approx(0.55, abs=0.01)
    assert _column(voids, "equivalent_diameter_um").mean() == pytest.approx(2.4, rel=0.03)
    assert 100 * volume / _column(voided, "volume_um3").sum() == pytest.approx(3.8, abs=0.4)
    assert 0.02 < np.mean(_column(voids, "open")) < 0.06
    outer, solid = _column(voided, "volume_um3").sum(), _column(voided, "solid_volume_um3").sum()
    assert outer - solid == pytest.approx(volume)


def test_both_powders_fill_the_mosaic_and_the_strip(nmc811: Specimen, nmc622: Specimen) -> None:
    for specimen in (nmc811, nmc622):
        particles = specimen.truth()["particles"]
        x, y = np.abs(_column(particles, "x_um")), np.abs(_column(particles, "y_um"))
        assert 1100 <= np.count_nonzero((x < 163.8) & (y < 262.1)) <= 1250
        assert y.max() > 270
        assert x.max() > 150
        tiles = np.histogram2d(
            _column(particles, "x_um"), _column(particles, "y_um"), bins=(4, 8), range=((-131, 131), (-262, 262))
        )[0]
        assert 25 < tiles.mean() < 35


def test_no_two_particles_overlap(nmc811: Specimen, nmc622: Specimen) -> None:
    """All enclosing spheres apart; and for the closest pairs, no vertex of one within the inner sphere of the other."""
    for specimen in (nmc811, nmc622):
        particles = specimen.particles
        centres = np.array([particle.centre_um for particle in particles])
        reach = np.array([particle.envelope.radius_max_um for particle in particles])
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) - reach[:, None] - reach[None]
        np.fill_diagonal(gaps, np.inf)
        assert gaps.min() >= 0.0
        for a, b in np.argwhere(gaps < 0.02)[:20]:
            p, q = particles[a], particles[b]
            apart = np.linalg.norm(_surface(p.table, p.centre_um) - q.centre_um, axis=1)
            assert apart.min() > q.envelope.radius_max_um


def test_particles_rest_on_the_tape_and_stay_on_it(nmc811: Specimen) -> None:
    for particle in nmc811.particles[::5]:
        points = _surface(particle.table, particle.centre_um)
        assert points[:, 2].min() == pytest.approx(0.0, abs=1e-4)
        assert np.abs(points[:, 0]).max() <= 160.0
        assert np.abs(points[:, 1]).max() <= 290.0


def test_closed_voids_lie_inside_their_particle_and_apart(nmc622: Specimen) -> None:
    for particle in nmc622.particles:
        closed = [void for void in particle.voids if void.table is not None]
        for void in closed:
            assert void.table is not None
            assert _inside(_surface(void.table, void.centre_um), particle.table, particle.centre_um)
        for one, other in pairwise(closed):
            assert math.dist(one.centre_um, other.centre_um) > one.reach_um + other.reach_um


def test_open_voids_reach_the_surface_through_a_narrow_mouth(nmc622: Specimen) -> None:
    open_voids = [(p, v) for p in nmc622.particles for v in p.voids if v.open]
    assert len(open_voids) > 10
    for particle, void in open_voids:
        missing = _surface(particle.table, particle.centre_um) - particle.centre_um
        assert np.linalg.norm(missing, axis=1).min() < 0.3 * particle.envelope.radius_max_um
        assert 2 * void.reach_um < 0.35 * 2 * particle.envelope.radius_max_um


def test_what_is_rendered_is_the_solid_volume_of_the_truth() -> None:
    config = SpecimenConfig("nmc622", tape=False, strip_width_um=60.0, strip_height_um=60.0)
    specimen = make_specimen(config, seed=3)
    truth = specimen.truth()
    assert any(void["open"] for void in truth["voids"])
    solid = _column(truth["particles"], "solid_volume_um3").sum()
    for theta_deg in (-90.0, 10.0, 63.0):
        grid = Grid(800, 600, 0.128, 0.128, -51.2, -38.4)
        image = specimen.path_length((0.0, 0.0, 0.0), theta_deg, grid)
        assert image.sum(dtype=float) * 0.128**2 == pytest.approx(solid, rel=5e-4)


def test_particles_are_slightly_non_spherical(nmc811: Specimen) -> None:
    large = [p.envelope for p in nmc811.particles if p.envelope.equivalent_diameter_um > 15]
    spread = np.array([(m.radius_max_um - m.radius_min_um) / m.equivalent_diameter_um for m in large])
    assert 0.03 < np.median(spread) < 0.12


def test_truth_is_json_and_the_same_for_the_same_seed() -> None:
    config = SpecimenConfig("nmc622", strip_width_um=50.0, strip_height_um=50.0)
    first, again, other = (json.dumps(make_specimen(config, seed).truth()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_listed_spheres_and_nothing_else() -> None:
    config = SpecimenConfig("spheres", tape=False, spheres=(Sphere(1.0, 2.0, 3.0, 10.0),), mu_per_um=0.02)
    truth = make_specimen(config, seed=1).truth()
    assert truth["tape"] is None
    assert truth["material"]["mu_per_um"] == 0.02
    (particle,) = truth["particles"]
    assert (particle["x_um"], particle["y_um"], particle["z_um"]) == pytest.approx((1, 2, 3), abs=1e-5)
    assert particle["equivalent_diameter_um"] == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SpecimenConfig("nmc999"), "nmc999.*nmc811"),
        (SpecimenConfig("nmc811", spheres=(Sphere(0, 0, 0, 1),)), "spheres"),
        (SpecimenConfig("spheres", spheres=(Sphere(0, 0, 0, -1),)), "positive"),
    ],
)
def test_an_impossible_specimen_is_refused(config: SpecimenConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_specimen(config, seed=1)


def test_tape_alone() -> None:
    specimen = make_specimen(SpecimenConfig("empty"), seed=1)
    image = specimen.attenuation((0.0, 0.0, 0.0), 0.0, Grid(8, 8, 0.1, 0.1, -0.4, -0.4))
    assert np.exp(-image) == pytest.approx(math.exp(-25 * 28.7e-4), rel=1e-3)
