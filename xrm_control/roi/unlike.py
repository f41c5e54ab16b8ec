"""What the powder as a whole says of its bodies: which are not of its kind, and which hide others.

Crumbs of other matter lie among particles, and are fitted like these. A crumb is flatter or higher for its width than
the powder is, or has an outline that no ellipsoid has. What a powder is like its own bodies say, whatever their form:
flakes are all flat.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import COLUMN, FACTOR, HOLLOW, ROW, Bodies, Shape

_SPREAD, _SIGMAS = 0.4, 4.0
"""Logarithm of height over width, off the median: so much, and so many robust deviations of the powder's own."""

_LEFT, _TIMES = 1.6, 2.0
"""Chi-squared for each pixel within the rim, and over the powder's median: rough particles reach 1.3 in 98 of 100."""

_LEAST_BODIES = 12

_TOUCH_PX, _THIN = 2.0, 0.6
"""Gap between rims that touch, as far as is seen; inner over outer size of a thin shell, as fitted."""


def unlike_others(bodies: Bodies, left: NDArray[np.float64], plain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,): which bodies are not like most. left (n,): as of `FitErrors`; plain (n,): whose form can be told, neither
    cut nor among the smallest; of others it is never said.
    """
    if plain.sum() < _LEAST_BODIES:
        return np.zeros(len(bodies), bool)
    flat = np.log(bodies.table[:, FACTOR])
    off = np.abs(flat - np.median(flat[plain]))
    spread = 1.4826 * float(np.median(off[plain]))
    odd = off > max(_SPREAD, _SIGMAS * spread)
    odd |= left > max(_LEFT, _TIMES * float(np.median(left[plain])))
    return odd & plain


def shells_that_touch(bodies: Bodies) -> int:
    """In a powder of thin shells, how many touch another one, or lie over it; 0 in other powders."""
    shells = bodies.shape == Shape.SHELL
    if 2 * shells.sum() <= len(bodies) or float(np.median(bodies.table[shells, HOLLOW])) < _THIN:
        return 0
    column, row = bodies.table[:, COLUMN], bodies.table[:, ROW]
    gap = np.hypot(column[:, None] - column, row[:, None] - row) - bodies.radius[:, None] - bodies.radius
    np.fill_diagonal(gap, np.inf)
    return int((gap.min(axis=1, initial=np.inf) < _TOUCH_PX).sum())
