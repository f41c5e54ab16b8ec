"""Views on a circle of pictures: how many others look more like a view than its neighbours do is known by counting."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.angle_order import diagnose_order

VIEWS = 41
THETA = np.linspace(-90.0, 90.0, VIEWS)


def seen(steps: np.ndarray) -> np.ndarray:
    """Pictures of two pixels, at so many steps of the 41 around a circle."""
    angle = 2 * np.pi * steps / VIEWS
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None, :]


# Steps from a view to the next -> others that are nearer than that, of 40.
@pytest.mark.parametrize(("step", "nearer"), [(1, 0), (5, 8), (6, 10), (7, 12), (20, 38)])
def test_views_in_order_are_among_the_nearest_quarter(step: int, nearer: int) -> None:
    pictures = seen(step * np.arange(VIEWS))
    apart = np.hypot(*(pictures - pictures[20]).squeeze().T)
    assert np.count_nonzero(apart < min(apart[19], apart[21])) - 1 == nearer
    if nearer <= 10:
        assert diagnose_order(pictures, THETA) == []
    else:
        with pytest.raises(DataError, match="39 of 39 views are unlike those of neighbouring angles"):
            diagnose_order(pictures, THETA)


SWAPPED = [(5, 20), (10, 25), (15, 30), (2, 35)]


@pytest.mark.parametrize(
    ("swapped", "note"),
    [(SWAPPED[:2], None), (SWAPPED, "8 of 39 views are unlike those of neighbouring angles, as 2 (-81 degrees)")],
)
def test_one_view_in_eight_that_fits_nowhere_is_noted(swapped: list[tuple[int, int]], note: str | None) -> None:
    steps = np.arange(VIEWS)
    for one, other in swapped:
        steps[[one, other]] = other, one
    assert [said.partition(":")[0] for said in diagnose_order(seen(steps), THETA)] == ([note] if note else [])
