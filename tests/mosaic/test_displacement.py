"""How far a frame lies beside its place in the mosaic: made of one picture, cut and shifted, so the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from xrm_control.mosaic.displacement import displacement
from xrm_control.mosaic.tiles import Mosaic, Picture

MOSAIC_PX_UM = 0.5
SIDE = 64


def scene(fine: int = 1, contrast: float = 0.3) -> Picture:
    """A field of blobs, 400 x 400 mosaic pixels, each `fine` x `fine` pixels large."""
    random = np.random.default_rng(7)
    points = (random.random((400, 400)) < 0.004).astype(float)
    blobs = ndimage.gaussian_filter(points, 6.0)
    return np.kron(1.0 - contrast * blobs / blobs.max(), np.ones((fine, fine))).astype(np.float32)


def mosaic(image: Picture) -> Mosaic:
    return Mosaic(image, -100.0, 40.0, MOSAIC_PX_UM, np.zeros((1, 2)), None)


def cut(image: Picture, left: int, top: int, side: int, noise: float = 0.02) -> Picture:
    part = image[top : top + side, left : left + side]
    return (part + noise * np.random.default_rng(1).standard_normal(part.shape)).astype(np.float32)


def middle_um(left: int, top: int) -> tuple[float, float]:
    """The stage position of the middle of a cut of mosaic pixels."""
    return -100.0 + MOSAIC_PX_UM * (left + (SIDE - 1) / 2), 40.0 + MOSAIC_PX_UM * (top + (SIDE - 1) / 2)


@pytest.mark.parametrize("moved_um", [(0.0, 0.0), (3.0, 0.0), (-7.25, 11.5), (0.2, -0.3), (14.0, 15.0)])
@pytest.mark.parametrize("fine", [1, 2, 4])
def test_the_displacement_is_found_at_any_binning(moved_um: tuple[float, float], fine: int) -> None:
    seen = cut(scene(fine), 150 * fine, 170 * fine, SIDE * fine)
    x_um, y_um = middle_um(150, 170)
    off = displacement(
        seen, MOSAIC_PX_UM / fine, (x_um - moved_um[0], y_um - moved_um[1]), mosaic(scene()), reach_um=16.0
    )
    assert off is not None
    assert off.recognised
    assert (off.x_um, off.y_um) == pytest.approx(moved_um, abs=0.15)


def test_a_mosaic_finer_than_the_frame_is_coarsened() -> None:
    seen = scene()[100 : 100 + 2 * SIDE, 100 : 100 + 2 * SIDE].reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    centre = (-100.0 + 0.5 * (100 + SIDE - 0.5), 40.0 + 0.5 * (100 + SIDE - 0.5))
    off = displacement(seen.astype(np.float32), 1.0, (centre[0] + 4.0, centre[1]), mosaic(scene()), reach_um=16.0)
    assert off is not None
    assert (off.x_um, off.y_um) == pytest.approx((-4.0, 0.0), abs=0.15)


@pytest.mark.parametrize("what", ["featureless", "off the map", "unseen"])
def test_where_nothing_can_be_said_nothing_is(what: str) -> None:
    image = scene(contrast=0.0 if what == "featureless" else 0.3)
    seen = cut(image, 150, 170, SIDE)
    if what == "unseen":
        image[:] = np.nan
    at = (900.0, 900.0) if what == "off the map" else middle_um(150, 170)
    assert displacement(seen, MOSAIC_PX_UM, at, mosaic(image), reach_um=16.0) is None


def test_another_place_is_not_recognised() -> None:
    off = displacement(cut(scene(), 300, 20, SIDE), MOSAIC_PX_UM, middle_um(100, 250), mosaic(scene()), reach_um=16.0)
    assert off is not None
    assert not off.recognised


def test_a_region_at_the_edge_of_the_map_is_compared_where_it_lies_on_it() -> None:
    whole = scene()
    narrow = Mosaic(whole[:, 180:], -100.0 + 90.0, 40.0, MOSAIC_PX_UM, np.zeros((1, 2)), None)
    off = displacement(cut(whole, 150, 170, SIDE), MOSAIC_PX_UM, middle_um(150, 170), narrow, reach_um=16.0)
    assert off is not None
    assert (off.x_um, off.y_um) == pytest.approx((0.0, 0.0), abs=0.15)
