"""Taking windows one by one, each the best that is left, until enough are taken or no more fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.strategy import Roi, Windows, name_of

Gain = Callable[[Sequence[int]], NDArray[np.float64]]
"""Indices taken so far -> what each window would add, shape (windows,)."""

_AS_GOOD = 1e-9


def take(candidates: Windows, count: int, gain: Gain) -> list[int]:
    """Indices of up to `count` windows that do not overlap, in the order taken.

    Of equally good windows the one nearest to the middle of their group is taken, so that particles do not lie at
    its rim by accident of the lattice.
    """
    taken: list[int] = []
    while len(taken) < count:
        free = candidates.apart_from(taken)
        if not free.any():
            break
        value = np.where(free, gain(taken), -np.inf)
        best = float(value.max())
        tied = np.nonzero(value >= best - _AS_GOOD * max(1.0, abs(best)))[0]
        places = candidates.centres_um[tied]
        middle = places.mean(axis=0)
        taken.append(int(tied[np.argmin(((places - middle) ** 2).sum(axis=1))]))
    return taken


def as_rois(
    candidates: Windows, taken: Sequence[int], asked: int, z_um: float, why: Callable[[int], str]
) -> tuple[Roi, ...]:
    """The windows taken as named regions; when there are fewer than asked, each says so."""
    short = "" if len(taken) >= asked else f"; {len(taken)} of {asked} asked for, no more fit without overlap"
    return tuple(
        Roi(
            name=name_of(number),
            x_um=float(candidates.centres_um[index, 0]),
            y_um=float(candidates.centres_um[index, 1]),
            z_um=z_um,
            width_um=candidates.fov_um,
            height_um=candidates.fov_um,
            reason=why(index) + short,
            expected_particles=int(candidates.whole(index).sum()),
        )
        for number, index in enumerate(taken, start=1)
    )
