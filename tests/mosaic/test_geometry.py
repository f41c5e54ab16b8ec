"""What stands askew is seen as it is, or refused: a seed or two of the dose (`python -m tests.mosaic.geometry`)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.mosaic.geometry import CASES, judge
from tests.mosaic.made import PIXEL_UM, Making, make
from xrm_control.mosaic.registration import likeness_map
from xrm_control.mosaic.stitching import stitch

SHORT = (
    "as drawn, overlap 5 %",
    "errors 5 um, overlap 20 %",
    "2 deg, 2 %, errors 2 um, overlap 15 %",
    "stage x 1 %, y -1 %, backlash 2 um, overlap 20 %",
    "mirrored, calibrated",
    "gain 10 % from tile to tile",
)


@pytest.mark.parametrize("name", SHORT)
def test_the_tiles_lie_where_they_are_and_the_mosaic_says_how_well(name: str) -> None:
    found = judge(CASES[name], seed=3)
    assert found.stated_um is not None, found.why
    assert found.true_um < 0.15
    assert found.true_um < found.stage_um
    # Of one seed alone; the dose holds each of twenty to a factor of two.
    assert found.stated_um / 3 < found.true_um < 3 * found.stated_um
    assert found.gain_error_percent < 0.6


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.refused])
def test_what_cannot_be_known_is_refused_with_the_cause(name: str) -> None:
    found = judge(CASES[name], seed=3)
    assert found.stated_um is None
    assert found.as_wanted(CASES[name])
    assert any(word in found.why for word in ("overlap", "stage_accuracy_um", "calibrate"))


def test_the_camera_is_found_as_it_stands() -> None:
    case = CASES["turned by 3 deg"]
    found = judge(case, seed=4)
    assert found.edge_um < 0.3  # 100 um away; unseen, three degrees are 5 um
    assert found.affine_sigmas < 4


def test_without_overlap_nothing_is_known_and_that_is_said() -> None:
    made = make(Making(rows=2, columns=2, overlap_percent=0.0), 1)
    mosaic = stitch(made.tiles, PIXEL_UM, stage_accuracy_um=2.0)
    assert mosaic.residual_um is None
    assert mosaic.registration is not None
    assert mosaic.registration.refused == ""
    assert "not known" in mosaic.registration.note
    assert "2 um" in mosaic.registration.note


def test_a_turned_mosaic_shows_the_scene_along_the_stage() -> None:
    """The same seed, straight and turned, is the same scene: both mosaics show it in the same places."""
    straight, turned = (
        stitch(make(Making(rows=2, columns=2, rotation_deg=angle, error_um=0.0), 5).tiles, PIXEL_UM)
        for angle in (0.0, 2.0)
    )
    x, y = (round((getattr(straight, name) - getattr(turned, name)) / PIXEL_UM) for name in ("x0_um", "y0_um"))
    rows, columns = straight.image.shape
    seen = turned.image[y : y + rows, x : x + columns]
    off = (seen - straight.image)[20:-20, 20:-20]
    assert np.nanstd(off) < 0.06  # two times the noise of a tile; two degrees unseen give 0.2
    assert np.nanstd(straight.image) > 0.1


def test_likeness_is_that_of_the_pixels_seen_in_both() -> None:
    """Against the formula, shift by shift, with holes."""
    random = np.random.default_rng(2)
    one, two = random.normal(size=(2, 12, 14))
    one[3, 4:9] = two[:, 0] = np.nan
    likeness, pixels = likeness_map(one, two)
    for down, right in ((0, 0), (2, -1), (-1, 3)):
        a = one[max(down, 0) : 12 + min(down, 0), max(right, 0) : 14 + min(right, 0)]
        b = two[max(-down, 0) : 12 - max(down, 0), max(-right, 0) : 14 - max(right, 0)]
        both = np.isfinite(a) & np.isfinite(b)
        assert pixels[11 + down, 13 + right] == both.sum()
        assert likeness[11 + down, 13 + right] == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], abs=1e-9)
