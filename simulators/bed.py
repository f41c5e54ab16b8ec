"""Powder in several layers: each piece falls where, of a few places, it comes to lie lowest."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.groups import Group
from simulators.shapes import SLAB_UM

_PLACES = 24


def pile(
    groups: list[Group],
    width_um: float,
    length_um: float,
    random: np.random.Generator,
    below: NDArray[np.float64] | None = None,
) -> list[tuple[float, float, float] | None]:
    """Places of the groups' first members in a bed on a strip about x = y = 0; None where one is wider than the strip.

    In random order, straight down, until an enclosing sphere meets one that lies there already, or the tape: ballistic
    deposition without rolling (Vold, Journal of Colloid Science 1959), the lowest of a few places for each. below:
    spheres (n, 4) that lie there already, x, y, z above the tape, radius.
    """
    found: list[tuple[float, float, float] | None] = [None] * len(groups)
    members = [group.spheres() for group in groups]
    count = 0 if below is None else len(below)
    laid = np.zeros((count + sum(len(one) for one in members), 4))
    if below is not None:
        laid[:count] = below
    half_um = np.array((0.5 * width_um, 0.5 * length_um))
    for index in random.permutation(len(groups)).tolist():
        own = members[index]
        reach_um = own[:, 3:]
        low = (own[:, :2] - reach_um).min(axis=0) + half_um
        high = half_um - (own[:, :2] + reach_um).max(axis=0)
        if np.any(-low > high):
            continue
        places = random.uniform(-low, high, (_PLACES, 2))
        places[:, 1] = np.rint(places[:, 1] / SLAB_UM) * SLAB_UM
        heights = _heights(places, laid[:count], own)
        chosen = int(np.argmin(heights))
        x, y = places[chosen]
        found[index] = (float(x), float(y), float(heights[chosen] - groups[index].lowest_um))
        laid[count : count + len(own)] = own + np.array((x, y, heights[chosen], 0.0))
        count += len(own)
    return found


@numba.njit(cache=True, nogil=True)
def _heights(places, laid, own):  # type: ignore[no-untyped-def]
    """How far above the tape a piece comes to rest at each place."""
    found = np.zeros(len(places))
    for c in range(len(places)):
        for p in range(len(laid)):
            for n in range(len(own)):
                dx = places[c, 0] + own[n, 0] - laid[p, 0]
                dy = places[c, 1] + own[n, 1] - laid[p, 1]
                apart = own[n, 3] + laid[p, 3]
                free = apart * apart - dx * dx - dy * dy
                if free > 0.0:
                    found[c] = max(found[c], laid[p, 2] + np.sqrt(free) - own[n, 2])
    return found
