"""Tiles that do not overlap, of another maker: how the camera stands is told by what goes on beyond the seams."""

from __future__ import annotations

import numpy as np
import pytest

from tests.mosaic.made import PIXEL_UM, Made, Making, make
from xrm_control.mosaic.standing import Standing, standing
from xrm_control.mosaic.stitching import stitch


def told(made: Made) -> Standing:
    middles_px = np.array([(tile.x_um, tile.y_um) for tile in made.tiles]) / PIXEL_UM
    return standing(made.tiles, middles_px, 1.0 / PIXEL_UM)


@pytest.mark.parametrize(("turn_deg", "error_um"), [(0.0, 0.2), (0.0, 1.0), (1.0, 0.2), (-2.0, 0.2), (3.0, 1.0)])
def test_the_turn_of_the_camera_lies_within_what_is_stated(turn_deg: float, error_um: float) -> None:
    found = told(make(Making(overlap_percent=0.0, rotation_deg=turn_deg, error_um=error_um), 4))
    assert found.otherwise == ""
    assert found.turn_rad is not None
    assert abs(np.degrees(found.turn_rad) - turn_deg) < 3 * np.degrees(found.turn_u_rad)
    assert np.degrees(found.turn_u_rad) < 0.4
    assert found.goes_on


@pytest.mark.parametrize(
    ("making", "name"),
    [
        (Making(overlap_percent=0.0, mirrored=True), "mirrored left to right"),
        (Making(overlap_percent=0.0, mirrored=True, rotation_deg=180.0), "mirrored upside down"),
        (Making(overlap_percent=0.0, rotation_deg=180.0), "turned by 180 degrees"),
        (Making(overlap_percent=0.0, transposed=True), "transposed"),
        (Making(overlap_percent=0.0, rotation_deg=90.0), "turned by 90 degrees"),
    ],
)
def test_a_picture_that_stands_otherwise_is_named(making: Making, name: str) -> None:
    assert told(make(making, 1)).otherwise == name


def test_where_hardly_anything_lies_on_a_seam_nothing_is_told_of_the_camera() -> None:
    made = make(Making(overlap_percent=0.0, cover=0.02), 1)
    assert told(made).otherwise == ""
    assert not told(made).goes_on
    found = stitch(made.tiles, PIXEL_UM).registration
    assert found is not None
    assert found.note.endswith("no seam shows it")


def test_a_turned_camera_is_refused_and_named_where_corners_lie_farther_off_than_the_stage() -> None:
    found = stitch(make(Making(overlap_percent=0.0, rotation_deg=3.0), 2).tiles, PIXEL_UM).registration
    assert found is not None
    assert "turned by 3." in found.refused
    assert found.note == ""


def test_what_was_calibrated_is_not_said_to_be_unknown() -> None:
    made = make(Making(overlap_percent=0.0), 2)
    found = stitch(made.tiles, PIXEL_UM, picture_to_stage=np.eye(2), known_to=0.003).registration
    assert found is not None
    assert found.refused == ""
    assert "nobody" not in found.note
