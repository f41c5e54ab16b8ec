"""Medians along lines, held against numpy's over pixels that are looked up one by one."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.roi.ridge_kernels import medians_along

ROWS, COLUMNS, REACH = 9, 12, 6
# Steps to the right, downwards and aslant: (down, right).
WAYS = ((0, 1), (1, 0), (1, 1), (2, 1))


def along(
    image: np.ndarray, free: np.ndarray, place: tuple[int, int], way: tuple[int, int], enough: int
) -> list[float]:
    """The free pixels of a line through a place, the nearest first and on both sides; both of the last two."""
    found: list[float] = []
    for step in range(REACH):
        for side in (-1, 1) if step else (1,):
            y, x = (at + side * step * one for at, one in zip(place, way, strict=True))
            if y in range(ROWS) and x in range(COLUMNS) and free[y, x]:
                found.append(float(image[y, x]))
        if len(found) >= enough:
            break
    return found


@pytest.mark.parametrize(("enough", "least"), [(5, 4), (8, 5), (4, 1)])
def test_medians_and_lower_thirds_are_those_of_the_nearest_free_pixels(enough: int, least: int) -> None:
    random = np.random.default_rng(enough)
    image = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    free, wanted = random.random((2, ROWS, COLUMNS)) < 0.7
    off = np.array(WAYS)[:, :, None] * np.arange(REACH)
    found = medians_along(image, free, wanted, off[:, 0], off[:, 1], enough, least)
    for n, way in enumerate(WAYS):
        for place in np.ndindex(ROWS, COLUMNS):
            values = sorted(along(image, free, place, way, enough))
            told = bool(wanted[place]) and len(values) >= least
            expected = (np.median(values), values[len(values) // 3]) if told else (np.nan, np.nan)
            assert found[(slice(None), n, *place)] == pytest.approx(expected, abs=1e-6, nan_ok=True)
