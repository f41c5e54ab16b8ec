"""The camera's matrix from known moves: of places cut out of a scene by another maker than the simulator."""

from __future__ import annotations

import numpy as np
import pytest

from tests.mosaic.made import PIXEL_UM, Making, matrix, scene_of, seen_of
from xrm_control.core.errors import DataError
from xrm_control.mosaic.calibrating import Look, measure

FAR_UM = 20.0
PLACES = ((0, 0), (1, 1), (0, 0), (-1, -1), (0, 0), (1, -1), (0, 0), (-1, 1), (0, 0))
STANDS = {
    "straight": Making(),
    "turned": Making(rotation_deg=-3.0),
    "pixel 2 % off": Making(scale=1.02),
    "mirrored": Making(mirrored=True, rotation_deg=1.0),
    "transposed": Making(transposed=True, scale=0.98),
    "upside down": Making(rotation_deg=180.0),
}


def looks_at(making: Making, *, error_um: float = 0.05, backlash_um: float = 0.0, cover: float = 0.35) -> list[Look]:
    random = np.random.default_rng(11)
    extent_um = np.full(2, 160.0)
    scene = scene_of(random, extent_um, cover)
    looks, before, down = [], np.zeros(2), np.zeros(2, bool)
    for place in PLACES:
        at = FAR_UM * np.array(place, float)
        down = np.where(at == before, down, at < before)
        before = at
        true = at + random.normal(0, error_um, 2) + backlash_um * down
        image = random.poisson(1000.0 * seen_of(scene, extent_um, true, matrix(making))) / 1000.0
        looks.append(Look(image.astype(np.float32), *at.tolist(), *down.tolist()))
    return looks


@pytest.mark.parametrize("name", STANDS)
def test_the_matrix_is_found_within_its_uncertainty(name: str) -> None:
    found = measure(looks_at(STANDS[name]), PIXEL_UM)
    off = np.abs(found.picture_to_stage - matrix(STANDS[name]))
    assert off.max() < 0.006
    assert (off < 4 * found.picture_to_stage_u).all()
    assert found.looks == len(PLACES)
    assert max(map(abs, found.backlash_um)) < 0.2


def test_backlash_is_no_scale() -> None:
    """Two um that open after each move down would be five per cent of the moves."""
    found = measure(looks_at(STANDS["turned"], backlash_um=2.0), PIXEL_UM)
    assert found.backlash_um == pytest.approx((2.0, 2.0), abs=0.25)
    assert np.abs(found.picture_to_stage - matrix(STANDS["turned"])).max() < 0.01


def test_an_empty_place_tells_nothing() -> None:
    with pytest.raises(DataError, match="not recognised"):
        measure(looks_at(STANDS["straight"], cover=0.0), PIXEL_UM)


def test_a_stage_that_goes_astray_is_refused() -> None:
    with pytest.raises(DataError, match="not known well enough"):
        measure(looks_at(STANDS["straight"], error_um=3.0), PIXEL_UM)
