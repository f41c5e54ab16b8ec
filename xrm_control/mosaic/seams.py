"""How much brighter one tile is than the next where they meet, or nearly: gains without registration.

Tiles that do not overlap show nothing twice, but on both sides of a seam the sample goes on. The median over a seam of
the ratio of what lies on either side is that of the tiles' light; all seams together give each tile's gain (least
squares, as in Brown and Lowe, IJCV 74, 59, 2007).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.mosaic.tiles import Picture, Tile

Floats = NDArray[np.floating]

_MOST_APART_PX, _LEAST_SHARED = 4.0, 0.5
"""Tiles that leave a wider gap show different things; a seam is at least that share of a side."""

_DEEP_PX, _LEAST_PIXELS = 3, 24
"""Lines on either side of a seam that are looked at, and places along it at least."""

_OF_MEDIAN = 1.2533 * 1.4826
"""Standard error of a median over the median deviation, times the root of the number."""

_SIGMAS = 4.0
"""Gains that spread by less than this times what they are known to are left alone."""


def seam_gains(tiles: Sequence[Tile], centres_px: Floats) -> Floats:
    """(tiles,): by what each transmission is to be divided, 1 on average (of the logarithm), and 1 where no seam tells.

    centres_px: (tiles, 2) middles in pixels, right and down.
    """
    count = len(tiles)
    first, second, logs, errors = [], [], [], []
    for i in range(count):
        for j in range(i + 1, count):
            found = _ratio(tiles[i].image, tiles[j].image, centres_px[j] - centres_px[i])
            if found is not None:
                first.append(i)
                second.append(j)
                logs.append(found[0])
                errors.append(found[1])
    if not logs:
        return np.ones(count)
    seams = np.arange(len(logs))
    design = np.zeros((len(logs), count))
    design[seams, second], design[seams, first] = 1.0, -1.0
    weight = 1.0 / np.array(errors)
    # What no seam ties to the rest stays as it is: a faint pull towards no gain.
    faint = 1e-3 * float(weight.min()) * np.eye(count)
    system = np.vstack((design * weight[:, None], faint))
    gains, *_ = np.linalg.lstsq(system, np.concatenate((np.array(logs) * weight, np.zeros(count))), rcond=None)
    if float(np.sqrt(np.mean(np.square(logs)))) < _SIGMAS * float(np.sqrt(np.mean(np.square(errors)))):
        return np.ones(count)
    return np.exp(gains - gains.mean())


def seam(one: Picture, other: Picture, apart_px: Floats) -> tuple[Picture, Picture, int] | None:
    """The lines on either side of the seam of two pictures, each (lines, along it), and by how much the other's begin
    later along it; None where they do not meet.

    apart_px: (2,) from the middle of the one to that of the other, right and down.
    """
    size = np.array(one.shape[::-1], float)
    shared = size - np.abs(apart_px)
    axis = int(np.argmin(shared / size))
    along = 1 - axis
    if not (-_MOST_APART_PX <= shared[axis] < size[axis] / 2 and shared[along] >= _LEAST_SHARED * size[along]):
        return None
    # Along x the seam is a column: both pictures turned so that it is their rows' end.
    a, b = (one.T, other.T) if axis == 0 else (one, other)
    if apart_px[axis] < 0:
        a, b = a[::-1], b[::-1]
    depth = int(max(shared[axis], 0.0) / 2)
    near, far = a[a.shape[0] - depth - _DEEP_PX : a.shape[0] - depth], b[depth : depth + _DEEP_PX]
    return near, far, int(np.rint(apart_px[along]))


def _ratio(one: Picture, other: Picture, apart_px: Floats) -> tuple[float, float] | None:
    """Logarithm of the other's light over the first's along their seam, and its standard error; None without one."""
    sides = seam(one, other, apart_px)
    if sides is None:
        return None
    near, far, shift = sides
    near, far = near[:, max(shift, 0) :], far[:, max(-shift, 0) :]
    width = min(near.shape[1], far.shape[1])
    before, after = _at_seam(near[::-1, :width]), _at_seam(far[:, :width])
    good = np.isfinite(before) & np.isfinite(after) & (before > 0) & (after > 0)
    if good.sum() < _LEAST_PIXELS:
        return None
    logs = np.log(after[good] / before[good])
    middle = float(np.median(logs))
    spread = float(np.median(np.abs(logs - middle)))
    return middle, max(_OF_MEDIAN * spread / np.sqrt(_independent(logs - middle)), 1e-4)


def _independent(logs: Floats) -> float:
    """As how many independent places these along a seam (n,) count: a particle on the seam is many pixels wide."""
    # Clipped, as the median sees them.
    signs = np.clip(logs / max(float(np.median(np.abs(logs))), 1e-12), -1, 1)
    variance, count = float(np.mean(signs**2)), len(signs)
    together = 1.0
    for lag in range(1, count // 4):
        alike = float(np.mean(signs[lag:] * signs[:-lag])) / variance
        if alike <= 0:
            break
        together += 2 * alike
    return max(count / together, 1.0)


def _at_seam(lines: NDArray[np.floating]) -> Floats:
    """Mean over the lines next to the seam, (width,)."""
    return np.asarray(lines, np.float64).mean(axis=0)
