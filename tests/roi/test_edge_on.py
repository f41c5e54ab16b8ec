"""The strip from its side, foretold from the mosaic and held against the simulator's own projection at 90 degrees."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from phantoms import MU, mosaic_of

from simulators.powder import make_specimen
from simulators.render import Grid
from simulators.specimen import SpecimenConfig
from xrm_control.core.errors import DataError
from xrm_control.roi.areas import EdgeOnSpec
from xrm_control.roi.candidates import edge_on_of, too_thick
from xrm_control.roi.edge_on import edge_on
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D, find_particles
from xrm_control.roi.side_view import SideView

PIXEL_UM, STRIP_UM, LENGTH_UM, WIDE_UM = 0.512, 320.0, 120.0, 330.0
FOV = 64.0
SEEDS = [("nmc811", 1), ("nmc811", 2), ("nmc622", 3)]


@cache
def both(preset: str, seed: int) -> tuple[SideView, NDArray[np.float64]]:
    """As foretold from a mosaic of 1000 photons a pixel, and the optical depth that the simulator projects."""
    specimen = make_specimen(SpecimenConfig(preset=preset, strip_height_um=LENGTH_UM), seed)
    columns, rows = round(WIDE_UM / PIXEL_UM), round(LENGTH_UM / PIXEL_UM)
    first_um, top_um = -(columns - 1) / 2 * PIXEL_UM, -rows / 2 * PIXEL_UM
    face = specimen.attenuation((0, 0, 0), 0.0, Grid(columns, rows, PIXEL_UM, PIXEL_UM, first_um, top_um))
    counts = np.random.default_rng(seed).poisson(1000 * np.exp(-face)) / 1000
    mosaic = MosaicMap(counts.astype(np.float32), PIXEL_UM, first_um, top_um + PIXEL_UM / 2)
    found = edge_on(mosaic, find_particles(mosaic, specimen.mu_per_um), specimen.mu_per_um, STRIP_UM)
    # At 90 degrees the detector's columns are heights, and the tape's shadow lies below the first one.
    grid = Grid(found.depth.shape[1], rows, PIXEL_UM, PIXEL_UM, PIXEL_UM / 2, top_um)
    return found, specimen.attenuation((0, 0, 0), 90.0, grid).astype(float)


@pytest.mark.parametrize(("preset", "seed"), SEEDS)
def test_optical_depth_is_foretold_within_a_tenth(preset: str, seed: int) -> None:
    found, true = both(preset, seed)
    met = true > 1.0
    off = found.depth[met] / true[met] - 1
    assert abs(np.median(off)) < 0.03
    assert np.quantile(np.abs(off), 0.68) < 0.10
    assert found.depth.sum() == pytest.approx(true.sum(), rel=0.04)


@pytest.mark.parametrize(("preset", "seed"), SEEDS)
def test_so_is_the_share_of_dark_rays(preset: str, seed: int) -> None:
    found, true = both(preset, seed)
    for y_um in (-20.0, 20.0):
        rows = slice(*(round((y_um + side * FOV / 2 + LENGTH_UM / 2) / PIXEL_UM) for side in (-1, 1)))
        seen = true[rows]
        share = np.count_nonzero(seen > -math.log(0.02)) / np.count_nonzero(seen > MU)
        assert found.dark_share(y_um, 10.0, FOV, 0.02) == pytest.approx(share, abs=0.03)


def test_one_sphere_has_the_chords_of_a_sphere_that_rests_on_the_tape() -> None:
    mosaic = mosaic_of([(10.0, 0.0, 24.0)], 100, 80)
    found = edge_on(mosaic, [Particle2D(10.0, 0.0, 24.0, 24.0, False)], MU, 100.0)
    rows, heights = found.depth.shape
    y = found.top_um + (np.arange(rows) + 0.5) * PIXEL_UM
    z = (np.arange(heights) + 0.5) * PIXEL_UM
    true = 2 * MU * np.sqrt(np.maximum(12.0**2 - y[:, None] ** 2 - (z - 12.0) ** 2, 0))
    inner = true > 0.5
    assert found.depth[inner] == pytest.approx(true[inner], rel=0.08, abs=0.05)
    assert found.depth.sum() == pytest.approx(true.sum(), rel=0.02)


def test_what_the_mosaic_did_not_see_of_the_strip_counts_as_the_rest_of_the_row() -> None:
    spheres = [(x, 0.0, 20.0) for x in (-60.0, -20.0, 20.0, 60.0)]
    wide = mosaic_of(spheres, 160, 60)
    half = MosaicMap(wide.image.copy(), wide.pixel_size_um, wide.x0_um, wide.y0_um)
    half.image[:, half.image.shape[1] // 2 :] = np.nan
    particles = [Particle2D(x, y, d, d, False) for x, y, d in spheres]
    whole = edge_on(wide, particles, MU, 160.0).depth
    assert edge_on(half, particles[:2], MU, 160.0).depth.sum() == pytest.approx(whole.sum(), rel=0.02)
    assert edge_on(wide, particles, MU, 320.0).depth.sum() == pytest.approx(2 * whole.sum(), rel=0.01)


def test_where_nothing_was_seen_nothing_is_foretold() -> None:
    mosaic = mosaic_of([(0.0, 20.0, 20.0)], 100, 120)
    mosaic.image[: mosaic.image.shape[0] // 2] = np.nan
    found = edge_on(mosaic, [Particle2D(0.0, 20.0, 20.0, 20.0, False)], MU, 100.0)
    assert found.dark_share(-30.0, 10.0, 50.0, 0.02) is None
    assert found.dark_share(30.0, 10.0, 50.0, 0.02) == 0.0
    assert found.dark_share(300.0, 10.0, 50.0, 0.02) is None


@pytest.mark.parametrize(("mu", "width"), [(0.0, 320.0), (math.nan, 320.0), (MU, 0.0), (MU, math.inf)])
def test_senseless_attenuation_or_width_is_refused(mu: float, width: float) -> None:
    with pytest.raises(DataError, match="must be positive"):
        edge_on(mosaic_of([], 40, 40), [], mu, width)


def row_of(depths: list[float]) -> SideView:
    """A view of 1 um pixels, 64 high, of which 20 um are powder, about y = 0: each depth over 64 um of y."""
    depth = np.zeros((64 * len(depths), 64))
    for number, value in enumerate(depths):
        depth[64 * number : 64 * number + 64, :20] = value
    return SideView(depth, 1.0, -32.0 * len(depths), 0.05)


def test_how_high_the_powder_reaches_beside_a_window() -> None:
    """Two windows of 64 um with 20 um of powder, and one ray at 50 um that hardly meets anything."""
    view = row_of([3.0, 3.0])
    view.depth[10, 50] = 0.04
    assert view.highest_um(-32.0, FOV) == view.highest_um(32.0, FOV) == 20.0
    view.depth[100, 58] = 1.0
    assert (view.highest_um(-32.0, FOV), view.highest_um(32.0, FOV)) == (20.0, 59.0)
    assert row_of([0.0]).highest_um(0.0, FOV) == 0.0
    # A slab of which the mosaic sees no more than its length may stand on end.
    reach = np.zeros(128)
    reach[90:110] = 61.5
    tall = replace(view, reach_um=reach)
    assert (tall.highest_um(-32.0, FOV), tall.highest_um(32.0, FOV)) == (20.0, 61.5)
    assert view.highest_um(500.0, FOV) == 0.0


@pytest.mark.parametrize(
    ("depth", "limit", "percent", "thick"),
    [(3.0, 80.0, 0.0, False), (5.0, 80.0, 100.0, True), (5.0, 100.0, 100.0, False), (0.0, 0.0, 0.0, False)],
)
def test_the_figure_and_its_limit(depth: float, limit: float, percent: float, thick: bool) -> None:
    blank = MosaicMap(np.ones((128, 128), np.float32), 1.0, -63.5, -63.5, row_of([depth, depth]))
    spec = EdgeOnSpec(most_dark_percent=limit)
    found = edge_on_of(blank, 0.0, 10.0, FOV, spec)
    assert found is not None
    assert (found.dark_percent, found.limit_percent, found.transmission_percent) == (percent, limit, 2.0)
    assert found.too_thick is thick
    assert too_thick(blank, np.zeros(3), 10.0, FOV, spec).tolist() == [thick] * 3


@pytest.mark.parametrize(("layers", "seed"), [(1, 1), (3, 1), (3, 2), (6, 1)])
def test_a_bed_of_several_layers_is_as_high_as_it_is(layers: int, seed: int) -> None:
    """References beside it would see what stands out; a lone layer is no higher than before."""
    config = SpecimenConfig("nmc622", tape=False, strip_width_um=100.0, strip_height_um=100.0, layers=layers)
    specimen = make_specimen(config, seed)
    optical = specimen.attenuation((0.0, 0.0, 0.0), 0.0, Grid(160, 160, 0.5, 0.5, -40.0, -40.0)) + 0.14
    noise = np.random.default_rng(seed).normal(0.0, 0.02, optical.shape)
    mosaic = MosaicMap((np.exp(-optical) + noise).astype(np.float32), 0.5, -40.0, -40.0)
    found = find_particles(mosaic, specimen.mu_per_um)
    told_um = edge_on(mosaic, found, specimen.mu_per_um, 80.0).highest_um(0.0, 60.0)
    tops = [p.centre_um[2] + p.envelope.radius_max_um for p in specimen.particles if abs(p.centre_um[1]) < 30.0]
    # A thin bed tells of itself by its particles; a thick one by how much of it there is.
    assert (0.7 if layers < 6 else 0.9) * max(tops) < told_um < 1.6 * max(tops) + 5.0
