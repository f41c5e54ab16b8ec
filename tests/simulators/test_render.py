import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.optics import sampling_grid
from simulators.powder import make_specimen
from simulators.render import BodyStore, Grid, path_length
from simulators.seeding import generator
from simulators.shapes import SLAB_UM, ShapeSpec, shape_table
from simulators.specimen import Specimen, SpecimenConfig, Sphere
from simulators.tape import Tape

ANGLES = [-90.0, -37.3, 0.0, 12.0, 45.0, 90.0]


def _spheres(*spheres: Sphere) -> Specimen:
    return make_specimen(SpecimenConfig("spheres", tape=False, spheres=spheres), seed=1)


def _columns(grid: Grid) -> NDArray[np.floating]:
    return grid.first_column_um + grid.column_um * np.arange(grid.columns, dtype=float)


def _rows(grid: Grid) -> NDArray[np.floating]:
    return grid.first_row_edge_um + grid.row_um * (np.arange(grid.rows, dtype=float) + 0.5)


def _chord_by_intersection(outline: NDArray[np.float64], lateral_um: float) -> float:
    """Length of a polygon (n, 2: lateral, depth) along a line, by sorting its intersections."""
    depths = []
    for (s0, d0), (s1, d1) in zip(outline, np.roll(outline, -1, 0), strict=True):
        if (s0 <= lateral_um) != (s1 <= lateral_um):
            depths.append(d0 + (d1 - d0) * (lateral_um - s0) / (s1 - s0))
    depths.sort()
    return sum(depths[1::2]) - sum(depths[0::2])


@pytest.mark.parametrize("theta_deg", ANGLES)
@pytest.mark.parametrize("binning", [1, 8])
def test_chords_of_a_sphere(theta_deg: float, binning: int) -> None:
    """2 sqrt(r^2 - s^2) within the sphere, at the place that the rotation puts it."""
    x, y, z, r = 3.0, -4.0, 5.0, 8.0
    grid = sampling_grid(binning)
    image = _spheres(Sphere(x, y, z, 2 * r)).path_length((0.0, 0.0, 0.0), theta_deg, grid)
    lateral = x * math.cos(math.radians(theta_deg)) + z * math.sin(math.radians(theta_deg))
    distance = np.hypot(_columns(grid)[None, :] - lateral, _rows(grid)[:, None] - y)
    inner = distance < r - 0.3
    expected = 2 * np.sqrt(np.maximum(r**2 - distance**2, 0))
    assert np.abs(image - expected)[inner].max() < 0.05
    assert np.abs(image - expected)[inner].mean() < 0.01
    assert np.all(image[distance > r + 0.2] == 0)


@pytest.mark.parametrize("theta_deg", ANGLES)
def test_no_matter_is_lost_or_made(theta_deg: float) -> None:
    """The integral of the line integrals is the volume of the table, at every angle."""
    spheres = (Sphere(0.0, 0.0, 0.0, 12.0), Sphere(10.03, 9.0, -2.0, 5.0), Sphere(-11.0, -7.77, 3.0, 9.0))
    specimen = _spheres(*spheres)
    truth = sum(particle["volume_um3"] for particle in specimen.truth()["particles"])
    for binning in (1, 4, 8):
        grid = sampling_grid(binning)
        image = specimen.path_length((0.01, 0.02, 0.0), theta_deg, grid)
        assert image.sum(dtype=float) * grid.column_um * grid.row_um == pytest.approx(truth, rel=3e-4)


@pytest.mark.parametrize("theta_deg", [0.0, 33.0, 90.0])
def test_a_row_through_a_rough_body_equals_its_intersections(theta_deg: float) -> None:
    table = shape_table(ShapeSpec(4.0, 0.04, 0.01, 0.5, random=generator(3, "row").standard_normal(13)))
    slabs, vertices = table.shape
    store = BodyStore.of([table], np.zeros((1, 3)), np.array([6.0]), np.ones(1))
    grid = Grid(200, slabs, 0.0613, SLAB_UM, -6.1, -0.5 * slabs * SLAB_UM)
    image = path_length(store, (0.0, 0.0, 0.0), theta_deg, grid)
    phi = 2 * np.pi * np.arange(vertices) / vertices - math.radians(theta_deg)
    for j in (3, slabs // 2, slabs - 9):
        rho = table[j].astype(float)
        outline = np.column_stack((rho * np.cos(phi), rho * np.sin(phi)))
        expected = [_chord_by_intersection(outline, s) for s in _columns(grid)]
        # a line through a vertex may fall on either side of it in single precision
        assert np.median(np.abs(image[j] - expected)) < 1e-4
        assert np.sum(np.abs(image[j] - expected) > 0.01) <= 2


def test_a_void_is_taken_away() -> None:
    outer, inner = shape_table(ShapeSpec(6.0)), shape_table(ShapeSpec(2.0))
    store = BodyStore.of([outer, inner], np.zeros((2, 3)), np.array([6.1, 2.1]), np.array([1.0, -1.0]))
    grid = sampling_grid(8)
    image = path_length(store, (0.0, 0.0, 0.0), 20.0, grid)
    assert image[256, 256] == pytest.approx(2 * (6.0 - 2.0), abs=0.05)


def test_a_body_cut_by_the_edge_of_the_field_is_seen_as_from_a_wider_field() -> None:
    specimen = _spheres(Sphere(-32.0, 30.0, 0.0, 10.0))
    grid = sampling_grid(8)
    wide = replace(
        grid,
        columns=grid.columns + 100,
        rows=grid.rows + 100,
        first_column_um=grid.first_column_um - 50 * grid.column_um,
        first_row_edge_um=grid.first_row_edge_um - 50 * grid.row_um,
    )
    narrow = specimen.path_length((0.0, 0.0, 0.0), 0.0, grid)
    whole = specimen.path_length((0.0, 0.0, 0.0), 0.0, wide)
    assert narrow.max() > 9.0
    assert np.abs(narrow - whole[50:-50, 50:-50]).max() < 1e-3


def test_positive_theta_brings_what_lies_behind_to_the_right() -> None:
    grid = sampling_grid(8)
    image = _spheres(Sphere(0.0, 0.0, 10.0, 4.0)).path_length((0.0, 0.0, 0.0), 90.0, grid)
    assert _columns(grid)[image.sum(0).argmax()] == pytest.approx(10.0, abs=0.2)


@pytest.mark.parametrize(("theta_deg", "chord_um"), [(0.0, 25.0), (60.0, 50.0), (90.0, 320.0), (-90.0, 320.0)])
def test_the_tapes_chord_is_that_of_a_turned_slab(theta_deg: float, chord_um: float) -> None:
    tape, grid = Tape(320.0, 580.0, 25.0, 0.003), sampling_grid(8)
    image = tape.path_length((0.0, 0.0, -12.5), theta_deg, grid)
    assert image[256, 256] == pytest.approx(chord_um, rel=1e-5)


def test_the_tapes_shadow_holds_its_volume_at_every_angle() -> None:
    tape = Tape(20.0, 8.0, 5.0, 0.003)
    grid = sampling_grid(8)
    for theta_deg in ANGLES:
        image = tape.path_length((0.0, 0.0, -2.5), theta_deg, grid)
        assert image.sum(dtype=float) * grid.column_um * grid.row_um == pytest.approx(20 * 8 * 5, rel=1e-4)


def test_the_tape_lies_under_the_particles() -> None:
    """At 90 degrees z is seen to the right: the tape fills z from -25 to 0."""
    grid = sampling_grid(8)
    profile = Tape(320.0, 580.0, 25.0, 0.003).path_length((0.0, 0.0, 0.0), 90.0, grid)[256]
    covered = _columns(grid)[profile > 100]
    assert covered.min() == pytest.approx(-25.0, abs=0.13)
    assert covered.max() == pytest.approx(0.0, abs=0.13)
