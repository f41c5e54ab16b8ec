"""From transmission to thickness, against Beer and Lambert's own numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xrm_control.core.errors import AnalysisError
from xrm_control.roi.thickness import _within, thickness_map

MU_PER_UM, PIXEL_UM, TAPE = 0.05, 0.5, 0.9
PLACE = (slice(40, 60), slice(30, 50))


def image(transmission: float) -> np.ndarray:
    """Bare tape with a little noise, and a square of one transmission."""
    found = TAPE * (1 + np.random.default_rng(1).normal(0, 1e-3, (96, 96)))
    found[PLACE] = TAPE * transmission
    return found


@pytest.mark.parametrize("thickness_um", [5.0, 20.0, 60.0])
def test_the_powder_is_as_thick_as_it_is(thickness_um: float) -> None:
    found = thickness_map(image(math.exp(-MU_PER_UM * thickness_um)), PIXEL_UM, MU_PER_UM)
    assert np.median(found.thickness_um[PLACE]) == pytest.approx(thickness_um, abs=0.1)
    assert np.median(found.thickness_um[:20]) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("transmission", [1e-9, 0.0, -0.01])
def test_what_lets_nothing_through_is_as_thick_as_can_be_read(transmission: float) -> None:
    """A thousandth of the open beam is the least that tells anything."""
    found = thickness_map(image(transmission), PIXEL_UM, MU_PER_UM)
    most_um = (math.log(1000) + math.log(TAPE)) / MU_PER_UM
    assert np.median(found.thickness_um[PLACE]) == pytest.approx(most_um, abs=0.1)


def test_where_nothing_was_seen_nothing_is_known() -> None:
    unseen = image(0.5)
    unseen[:10] = np.nan
    found = thickness_map(unseen, PIXEL_UM, MU_PER_UM)
    assert (found.thickness_um[:10] == 0).all()
    assert np.isinf(found.variance_um2[:10]).all()
    assert np.isfinite(found.variance_um2[10:]).all()
    with pytest.raises(AnalysisError, match="no usable pixel"):
        thickness_map(np.full((9, 9), np.nan), PIXEL_UM, MU_PER_UM)


# Columns and rows of something bright -> whether it is kept where nothing may reach a side, and where 30 % of one may.
WITHIN = [
    ("in the middle", (slice(10, 40), slice(10, 40)), True, True),
    ("next to the left side", (slice(10, 40), slice(1, 9)), True, True),
    ("next to the right side", (slice(10, 40), slice(40, 49)), True, True),
    ("at the left side", (slice(10, 14), slice(0, 1)), False, True),
    ("at the right side", (slice(10, 14), slice(49, 50)), False, True),
    ("along much of the left side", (slice(10, 40), slice(0, 3)), False, False),
    ("along much of the right side", (slice(10, 40), slice(30, 50)), False, False),
    ("across all of it", (slice(20, 24), slice(0, 50)), False, True),
]


@pytest.mark.parametrize(("place", "within", "mostly"), [case[1:] for case in WITHIN], ids=[case[0] for case in WITHIN])
def test_what_reaches_a_side_is_the_open_beam_beside_the_strip(
    place: tuple[slice, slice], within: bool, mostly: bool
) -> None:
    bright = np.zeros((50, 50), bool)
    bright[place] = True
    assert (_within(bright).any(), _within(bright, 0.3).any()) == (within, mostly)
    bright[44:48, 20:24] = True
    assert _within(bright)[44:48, 20:24].all()
