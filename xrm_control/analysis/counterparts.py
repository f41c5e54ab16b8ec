"""Which particle of a mosaic each measured one is: one to one, by place and size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NEAR, _FIRST = 0.5, 1.0
"""Of the radius: how far apart the two views of a particle may lie, and before a region's own shift is known."""

_ALIKE = 0.35
"""Of ln d: more is another particle."""

_SHIFTS = 5
"""Pairs from which a region's shift is told."""


def counterparts(
    places_um: Floats, diameters_um: Floats, member: NDArray[np.int64], seen_at_um: Floats, seen_um: Floats
) -> NDArray[np.int64]:
    """Index (n,) among m of a mosaic, -1 for none, of measured particles at places (n, 2), whole or not.

    member (n,): the region of each: the stage does not find each region's place quite alike, so that what all pairs of
    one have in common is no distance. Nearest pairs are taken first.
    """
    from scipy.spatial import KDTree

    found = np.full(len(places_um), -1, np.int64)
    placed = np.isfinite(places_um).all(axis=1) & np.isfinite(diameters_um)
    if not placed.any() or not len(seen_at_um):
        return found
    tree = KDTree(seen_at_um)
    shifted = places_um.copy()
    for roi in np.unique(member[placed]).tolist():
        own = np.flatnonzero((member == roi) & placed)
        away_um, nearest = (np.atleast_1d(one) for one in tree.query(places_um[own]))
        near = away_um <= _FIRST * diameters_um[own] / 2
        near &= np.abs(np.log(diameters_um[own] / seen_um[nearest])) <= _ALIKE
        if near.sum() >= _SHIFTS:
            shifted[own] += np.median(seen_at_um[nearest[near]] - places_um[own[near]], axis=0)
    pairs: list[tuple[float, int, int]] = []
    for i in np.flatnonzero(placed).tolist():
        for j in tree.query_ball_point(shifted[i], _NEAR * diameters_um[i] / 2):
            if abs(np.log(diameters_um[i] / seen_um[j])) <= _ALIKE:
                pairs.append((float(np.hypot(*(shifted[i] - seen_at_um[j]))), i, j))
    taken: set[int] = set()
    for _, i, j in sorted(pairs):
        if found[i] < 0 and j not in taken:
            found[i] = j
            taken.add(j)
    return found
