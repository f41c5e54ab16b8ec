"""A mosaic of before on a sample that was moved, turned, changed or exchanged: another maker's scenes, so the truth of
each move is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.mosaic.made import PIXEL_UM, SIDE, Making, make
from xrm_control.core.errors import DataError, UnusableData
from xrm_control.mosaic.earlier import find_again
from xrm_control.mosaic.file import read_mosaic, write_mosaic
from xrm_control.mosaic.stitching import stitch
from xrm_control.mosaic.tiles import Mosaic, Tile

MAKING = Making(rows=4, columns=3)
# One in the middle, four corners, another inside.
LOOKS = (0, 2, 4, 7, 9, 11)
FIELD_UM = SIDE * PIXEL_UM


@pytest.fixture(scope="module")
def tiles() -> tuple[Tile, ...]:
    return make(MAKING, 3).tiles


@pytest.fixture(scope="module")
def mosaic(tiles: tuple[Tile, ...]) -> Mosaic:
    return stitch(tiles, PIXEL_UM)


def looked_at(
    tiles: Sequence[Tile], moved_um: tuple[float, float], turned_deg: float = 0.0, stage_um: float = 0.1
) -> list[Tile]:
    """Some tiles of a sample that was moved and turned about the stage's origin since, on a stage with errors."""
    random, turn = np.random.default_rng(5), np.radians(turned_deg)
    found = []
    for at in LOOKS:
        tile = tiles[at]
        x, y = tile.x_um, tile.y_um
        # Only where the tile lies; its picture would turn by half a pixel at its rim.
        x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        x, y = np.array([x, y]) + moved_um + random.uniform(-stage_um, stage_um, 2)
        image = tile.image + 0.03 * random.standard_normal(tile.image.shape).astype(np.float32)
        found.append(replace(tile, image=image, x_um=float(x), y_um=float(y)))
    return found


def found(mosaic: Mosaic, looks: Sequence[Tile], allowed_um: float = 1.0) -> Mosaic:
    return find_again(mosaic, looks, PIXEL_UM, reach_um=FIELD_UM / 2, allowed_um=allowed_um)


@pytest.mark.parametrize("moved_um", [(0.0, 0.0), (3.3, -7.1), (-12.25, 0.4), (20.0, 14.0)])
def test_a_sample_that_was_moved_is_where_it_is_now(
    mosaic: Mosaic, tiles: tuple[Tile, ...], moved_um: tuple[float, float]
) -> None:
    again = found(mosaic, looked_at(tiles, moved_um))
    told = again.earlier
    assert told is not None
    assert (told.looks, told.recognised, told.unlike) == (6, 6, ())
    assert (told.x_um, told.y_um) == pytest.approx(moved_um, abs=0.2)
    moved = (again.x0_um - mosaic.x0_um, again.y0_um - mosaic.y0_um)
    assert moved == pytest.approx((told.x_um, told.y_um), abs=1e-9)
    np.testing.assert_array_equal(again.image, mosaic.image)
    # The stage's errors, and those with which the tiles had been placed: told, and on top of the mosaic's own.
    assert told.scatter_um is not None
    assert 0.03 < told.scatter_um < 0.3
    assert again.residual_um is not None
    assert mosaic.residual_um is not None
    assert again.residual_um == pytest.approx(np.hypot(mosaic.residual_um, told.scatter_um))


def test_a_camera_that_stands_askew_is_known_from_the_mosaic(tiles: tuple[Tile, ...]) -> None:
    askew = make(replace(MAKING, rotation_deg=2.0, scale=1.01), 3).tiles
    again = found(stitch(askew, PIXEL_UM, picture_to_stage=None), looked_at(askew, (5.0, -4.0)))
    assert again.earlier is not None
    assert (again.earlier.x_um, again.earlier.y_um) == pytest.approx((5.0, -4.0), abs=0.2)


@pytest.mark.parametrize("turned_deg", [1.5, -3.0])
def test_a_sample_that_was_turned_is_refused_with_the_angle(
    mosaic: Mosaic, tiles: tuple[Tile, ...], turned_deg: float
) -> None:
    with pytest.raises(UnusableData, match="does not lie as in the earlier mosaic") as refused:
        found(mosaic, looked_at(tiles, (2.0, 0.0), turned_deg))
    told = float(str(refused.value.value).split("as a turn ")[1].split()[0])
    assert told == pytest.approx(turned_deg, abs=0.2)


def test_another_sample_is_refused(mosaic: Mosaic) -> None:
    with pytest.raises(UnusableData, match="another one, or lies elsewhere"):
        found(mosaic, looked_at(make(MAKING, 4).tiles, (0.0, 0.0)))


def test_one_place_that_changed_is_named_and_two_of_six_are_too_many_of_five(
    mosaic: Mosaic, tiles: tuple[Tile, ...]
) -> None:
    looks, others = looked_at(tiles, (1.0, 1.0)), looked_at(make(MAKING, 4).tiles, (1.0, 1.0))
    changed = [others[0], *looks[1:]]
    again = found(mosaic, changed).earlier
    assert again is not None
    assert (again.recognised, again.unlike) == (5, ((0, 0),))
    assert (again.x_um, again.y_um) == pytest.approx((1.0, 1.0), abs=0.2)
    with pytest.raises(UnusableData, match="another one"):
        found(mosaic, [*others[:2], *looks[2:5]])


def test_where_nothing_stands_out_nothing_is_known(mosaic: Mosaic, tiles: tuple[Tile, ...]) -> None:
    blank = [replace(tile, image=np.full_like(tile.image, 0.9)) for tile in looked_at(tiles, (0.0, 0.0))]
    looks = [*looked_at(tiles, (0.0, 0.0))[:2], *blank[2:]]
    with pytest.raises(UnusableData, match="too little of the earlier mosaic") as refused:
        found(mosaic, looks)
    assert refused.value.value == "2 of 6 places"


def test_a_mosaic_is_read_back_as_it_was_written(mosaic: Mosaic, tmp_path: Path) -> None:
    path = tmp_path / "mosaic.ome.tif"
    write_mosaic(mosaic, path)
    back = read_mosaic(path)
    np.testing.assert_array_equal(back.image, mosaic.image)
    assert (back.x0_um, back.y0_um, back.pixel_size_um) == (mosaic.x0_um, mosaic.y0_um, mosaic.pixel_size_um)
    assert back.residual_um == mosaic.residual_um
    assert back.registration is not None
    assert mosaic.registration is not None
    np.testing.assert_array_equal(back.registration.picture_to_stage, mosaic.registration.picture_to_stage)
    assert back.registration.rejected == mosaic.registration.rejected


@pytest.mark.parametrize("what", ["text", "another picture", "folder", "nothing"])
def test_what_is_no_mosaic_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "mosaic.ome.tif"
    if what == "text":
        path.write_text("no picture")
    elif what == "another picture":
        tifffile.imwrite(path, np.zeros((4, 4), np.float32), ome=True, metadata={"axes": "YX"})
    elif what == "folder":
        path.mkdir()
    with pytest.raises(DataError, match="is no mosaic of a run"):
        read_mosaic(path)
