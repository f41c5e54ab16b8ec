"""What is wrong with the tiles themselves: a pattern of the camera, a picture of another place, one taken twice.

The strips are of `benchmarks.strips`, a maker that shares nothing with the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import strips
from benchmarks.strip_maker import MU_PER_UM, Made, Shot, Strip, made
from benchmarks.strips import CASES
from xrm_control.mosaic.fixed_pattern import fixed_pattern
from xrm_control.mosaic.tiles import Tile
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import count_particles

ONE = CASES["one layer"]
DENSE = replace(ONE, layers=(strips.powder(9e-3, 10.0, 0.15),))


def refused(strip: Strip, seed: int = 0) -> str:
    found = made(strip, seed).mosaic.registration
    assert found is not None
    return found.refused


@pytest.mark.parametrize("overlap", [0.1, 0.0])
@pytest.mark.parametrize("strip", [ONE, DENSE, replace(ONE, side=5)])
def test_tiles_that_are_as_they_should_be_are_taken_as_they_are(strip: Strip, overlap: float) -> None:
    assert refused(replace(strip, overlap=overlap)) == ""


WRONG = {
    "out of place": "goes on in none of its neighbours",
    "out of place, overlap 0": "goes on in none of its neighbours",
    "repeated": "show the same",
    "repeated, overlap 0": "show the same",
    "scratched": "all tiles show the same pattern",
    "inverted": "turned dark for bright",
}


@pytest.mark.parametrize("seed", [2, 4])
@pytest.mark.parametrize("name", WRONG)
def test_tiles_that_are_not_are_told(name: str, seed: int) -> None:
    assert WRONG[name] in refused(CASES[name], seed)


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_a_tile_of_another_place_is_told_without_overlap_too(seed: int) -> None:
    """Its seams are alike to 0.2 to 0.57 by chance; these three were silent."""
    assert "goes on in none of its neighbours" in refused(CASES["out of place, overlap 0"], seed)


COARSE = replace(ONE, layers=(strips.powder(1.5e-3, 18.0, 0.3),), overlap=0.0)


@pytest.mark.parametrize("seed", [23, 24])
def test_a_cap_that_just_reaches_a_seam_is_no_other_place(seed: int) -> None:
    assert refused(COARSE, seed) == ""


@pytest.mark.parametrize("name", ["two layers", "four layers", "empty"])
def test_many_layers_and_none_are_not_taken_for_turned(name: str) -> None:
    """Layers are dark for the most part, as a turned picture is."""
    assert "turned" not in refused(CASES[name])
    turned = replace(CASES[name], after=CASES["inverted"].after)
    assert name == "empty" or "turned dark for bright" in refused(turned)


def test_one_tile_of_twenty_five_that_lies_elsewhere_is_named() -> None:
    """The residual of so many overlaps hides the few that say something else."""

    def slipped(shot: Shot, random: np.random.Generator) -> None:
        del random
        shot.light[12] = np.roll(shot.light[12], (60, 50), (0, 1))

    assert "row 2, column 2" in refused(replace(ONE, side=5, tiles=slipped))


def test_what_all_tiles_show_is_taken_off_where_there_are_many() -> None:
    seen = made(CASES["scratched, 5 x 5 tiles"], 1)
    found, count = count_particles(_map(seen), MU_PER_UM)
    assert seen.mosaic.registration is not None
    assert (seen.mosaic.registration.refused, count.doubt) == ("", "")
    assert "was taken off" in seen.mosaic.registration.note
    there = strips.seen_of(seen.grains, seen.mosaic)
    assert count.between is not None
    assert count.between[0] <= len(there) <= count.between[1]
    assert strips.f1(found, there) > 0.98


@pytest.mark.parametrize("count", [9, 25])
def test_pixels_gone_bad_are_left_out_and_are_no_pattern(count: int) -> None:
    random = np.random.default_rng(3)
    images = [1 + 0.03 * random.standard_normal((64, 64)) for _ in range(count)]
    for image in images:
        image[10, 20], image[30:32, 40:42] = 3.0, 0.0
    found = fixed_pattern(_tiles(images))
    assert found is not None
    assert found.text == ""
    assert sorted(map(tuple, np.argwhere(found.bad).tolist())) == [(10, 20), (30, 40), (30, 41), (31, 40), (31, 41)]


@pytest.mark.parametrize("make", [lambda r: 1 + 0.03 * r.standard_normal((64, 64)), lambda _: np.ones((64, 64))])
def test_noise_alone_has_nothing_in_common(make: Callable[[np.random.Generator], np.ndarray]) -> None:
    random = np.random.default_rng(4)
    assert fixed_pattern(_tiles([make(random) for _ in range(12)])) is None


def _tiles(images: list[np.ndarray]) -> list[Tile]:
    return [Tile(0, k, image.astype(np.float32), 30.0 * k, 0.0) for k, image in enumerate(images)]


def _map(seen: Made) -> MosaicMap:
    mosaic = seen.mosaic
    return MosaicMap(mosaic.image, mosaic.pixel_size_um, mosaic.x0_um, mosaic.y0_um)
