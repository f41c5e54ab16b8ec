"""Taking windows one by one, each the best that is left, until enough are taken or no more fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.windows import Windows

Gain = Callable[[Sequence[int]], NDArray[np.float64]]
"""Indices taken so far -> what each window would add, shape (windows,)."""

_AS_GOOD = 1e-9


def take(candidates: Windows, count: int, gain: Gain, allowed: NDArray[np.bool_] | None = None) -> list[int]:
    """Indices of up to `count` windows that do not overlap, in the order taken; of the `allowed` ones (n,) only.

    Of equally good windows the one nearest to the middle of their group is taken, so that particles do not lie at
    its rim by accident of the lattice. Those marked as last are taken when no others are left.
    """
    taken: list[int] = []
    while len(taken) < count:
        free = candidates.apart_from(taken)
        if allowed is not None:
            free &= allowed
        first = free & ~candidates.last
        free = first if first.any() else free
        if not free.any():
            break
        value = np.where(free, gain(taken), -np.inf)
        best = float(value.max())
        tied = np.nonzero(value >= best - _AS_GOOD * max(1.0, abs(best)))[0]
        places = candidates.centres_um[tied]
        middle = places.mean(axis=0)
        taken.append(int(tied[np.argmin(((places - middle) ** 2).sum(axis=1))]))
    return taken
