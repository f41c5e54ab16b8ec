"""Tiles that only touch, each in a light of its own: their gains from what lies on either side of a seam."""

from __future__ import annotations

import numpy as np
import pytest

from tests.mosaic.made import PIXEL_UM, Making, make
from xrm_control.mosaic.seams import seam_gains
from xrm_control.mosaic.stitching import stitch


def places_px(making: Making, tiles: tuple) -> np.ndarray:
    return np.array([(tile.x_um, tile.y_um) for tile in tiles]) / PIXEL_UM


@pytest.mark.parametrize("overlap_percent", [0.0, 2.0])
@pytest.mark.parametrize("error_um", [0.2, 1.0])
def test_the_light_of_each_tile_is_told_by_its_seams(overlap_percent: float, error_um: float) -> None:
    making = Making(rows=3, columns=3, overlap_percent=overlap_percent, gain=0.1, error_um=error_um)
    made = make(making, 3)
    off = np.log(seam_gains(made.tiles, places_px(making, made.tiles)) / made.gains)
    assert np.std(np.log(made.gains)) > 0.05
    assert np.std(off) < 0.015


def test_tiles_in_one_light_are_left_as_they_are() -> None:
    made = make(Making(rows=3, columns=3, overlap_percent=0.0), 4)
    assert np.array_equal(seam_gains(made.tiles, places_px(Making(), made.tiles)), np.ones(9))


@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (3, 3)])
def test_particles_on_a_seam_are_no_light(shape: tuple[int, int]) -> None:
    """In a dense layer hardly a dozen places along a seam are independent of each other."""
    making = Making(rows=shape[0], columns=shape[1], overlap_percent=0.0, cover=0.7)
    made = [make(making, seed) for seed in range(20, 32)]
    gains = [seam_gains(one.tiles, places_px(making, one.tiles)) for one in made]
    assert sum(bool((one != 1).any()) for one in gains) <= 1


def test_tiles_that_are_far_apart_say_nothing_of_each_other() -> None:
    making = Making(rows=3, columns=3, overlap_percent=-10.0, gain=0.2)
    made = make(making, 5)
    assert np.array_equal(seam_gains(made.tiles, places_px(making, made.tiles)), np.ones(9))


def test_a_mosaic_without_overlap_is_even_and_says_how_uneven_its_tiles_were() -> None:
    made = make(Making(rows=3, columns=3, overlap_percent=0.0, gain=0.1, cover=0.02), 6)
    mosaic = stitch(made.tiles, PIXEL_UM)
    tiles = mosaic.image.reshape(3, 128, 3, 128).swapaxes(1, 2).reshape(9, -1)
    levels = np.nanpercentile(tiles, 60, axis=1)
    assert np.std(levels) / np.mean(levels) < 0.01
    assert mosaic.registration is not None
    assert mosaic.registration.gain_percent == pytest.approx(100 * np.std(np.log(made.gains)), rel=0.15)
    assert "not registered" in mosaic.registration.note
