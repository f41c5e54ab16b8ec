"""What lies within a reach of a body, and so deep in it, held against scipy's exact distance map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.analysis.reach import deeper, padded, within

REACHES = [0.0, 0.5, 1.0, 1.25, math.sqrt(2), 1.6, math.sqrt(3), 2.0, 2.1, 2.5, 3.0, 3.5, 5.0, 6.0, 7.07, 12.0, 14.5]
BODIES = {
    "nothing": ((6, 7, 8), 0.0),
    "all": ((6, 7, 8), 1.0),
    "one voxel thick": ((1, 9, 20), 0.1),
    "a line": ((1, 1, 40), 0.1),
    "less than its reach": ((3, 2, 4), 0.2),
    "specks": ((20, 13, 33), 0.002),
    "holes": ((20, 13, 33), 0.995),
    "noise": ((11, 24, 17), 0.3),
}


def body_of(name: str) -> NDArray[np.bool_]:
    shape, share = BODIES[name]
    return np.random.default_rng(5).random(shape) < share


def distance_from(outside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each voxel from the next of `outside`, without an end where there is none."""
    if not outside.any():
        return np.full(outside.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~outside), float)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("reach", REACHES)
def test_within(name: str, reach: float) -> None:
    body = body_of(name)
    # Of equal squares: the map's own roots are of another precision.
    squared, limit = np.round(distance_from(body) ** 2), round(reach**2, 9)
    assert np.array_equal(within(body, reach), squared <= limit)
    if reach:
        assert np.array_equal(within(body, reach, less=True), squared < limit)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("depth", REACHES)
@pytest.mark.parametrize("black_border", [False, True])
def test_deeper(name: str, depth: float, black_border: bool) -> None:
    body = body_of(name)
    wide = np.pad(body, 1, constant_values=not black_border)
    inner = distance_from(~wide)[1:-1, 1:-1, 1:-1]
    squared, limit = np.round(inner**2), round(depth**2, 9)
    assert np.array_equal(deeper(body, depth, black_border=black_border), body & (squared > limit))
    if depth:
        at_least = deeper(body, depth, at_least=True, black_border=black_border)
        assert np.array_equal(at_least, body & (squared >= limit))


def test_nothing_is_laid_about_a_body() -> None:
    body = body_of("noise")
    assert np.array_equal(padded(body, 2), np.pad(body, 2))
    assert np.array_equal(padded(body[0]), np.pad(body[0], 1))
