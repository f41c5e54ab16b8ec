"""How far each tile lies from its stage position, from what neighbouring tiles both saw.

Overlaps are strips of a few pixels, where the periodic picture behind phase correlation does not hold. Each pair is
therefore compared over the pixels that both really saw: normalised cross-correlation at every whole-pixel shift that
the stage's accuracy allows, then Gauss-Newton on the grey values (Lucas and Kanade 1981), which also says how well
each direction is known. All pairs together give the tiles' offsets by weighted, reweighted least squares (Huber),
held by the stage's own accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]

_LEAST_PIXELS = 64
_LEAST_LIKENESS = 0.3
_TAKEN_SERIOUSLY = 3.0
"""Residuals beyond this many standard deviations count linearly, not squared."""


@dataclass(frozen=True)
class PairShift:
    """Tile `second` lies `shift_px` (x, y) further from tile `first` than the stage said.

    information: inverse covariance of the shift, (2, 2), 1 / px2.
    """

    first: int
    second: int
    shift_px: Floats
    information: Floats


def pair_shift(
    first: int, second: int, images: tuple[Floats, Floats], apart_px: Floats, reach_px: float
) -> PairShift | None:
    """Compare two tiles; None when their overlap cannot tell.

    images: both (rows, columns), NaN where unseen; apart_px: nominal distance (x, y) of the second's upper left pixel
    from the first's; reach_px: how far the truth may lie from it.
    """
    one, two = images
    whole = np.rint(apart_px).astype(int)
    steps = range(-int(np.ceil(reach_px)), int(np.ceil(reach_px)) + 1)
    best, likeness = (0, 0), -1.0
    for dy in steps:
        for dx in steps:
            here = _likeness(*_overlap(one, two, whole[0] + dx, whole[1] + dy))
            if here > likeness:
                best, likeness = (dx, dy), here
    if likeness < _LEAST_LIKENESS:
        return None
    start = whole + np.array(best)
    refined = _refine(*_overlap(one, two, int(start[0]), int(start[1])))
    if refined is None:
        return None
    fraction, information = refined
    shift = start + fraction - apart_px
    if np.hypot(*shift) > reach_px or np.abs(fraction).max() > 1.0:
        return None
    return PairShift(first, second, shift, information)


def _overlap(one: Floats, two: Floats, right: int, down: int) -> tuple[Floats, Floats]:
    """The parts of both images that coincide when the second lies (right, down) pixels from the first."""
    rows, columns = one.shape
    r0, r1 = max(down, 0), min(rows, rows + down)
    c0, c1 = max(right, 0), min(columns, columns + right)
    if r1 <= r0 or c1 <= c0:
        return one[:0, :0], two[:0, :0]
    return one[r0:r1, c0:c1], two[r0 - down : r1 - down, c0 - right : c1 - right]


def _likeness(a: Floats, b: Floats) -> float:
    """Normalised cross-correlation over the pixels seen in both; -1 where there are too few, or no contrast."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < _LEAST_PIXELS:
        return -1.0
    x, y = a[both] - a[both].mean(), b[both] - b[both].mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else -1.0


def _refine(a: Floats, b: Floats) -> tuple[Floats, Floats] | None:
    """Sub-pixel part of the shift: a(p) = b(p - shift), with its information matrix; None where nothing holds it."""
    both = np.isfinite(a) & np.isfinite(b)
    if min(a.shape) < 4 or both.sum() < _LEAST_PIXELS:
        return None
    level = float(np.mean(a[both]))
    # Both are smoothed alike: noise in the gradient would pull the shift towards zero.
    left, right = (ndimage.gaussian_filter(np.where(both, image, level), 0.8) for image in (a, b))
    inner = np.asarray(ndimage.binary_erosion(both, iterations=1, border_value=0), bool)
    if inner.sum() < _LEAST_PIXELS // 2:
        return None
    shift = np.zeros(2)
    information = np.zeros((2, 2))
    for _ in range(6):
        moved = np.asarray(ndimage.shift(right, (shift[1], shift[0]), order=3, mode="nearest"))
        mean = (left + moved) / 2
        slope_y, slope_x = _slope(mean, 0), _slope(mean, 1)
        # Brightness may differ between tiles (the illumination drifts): level and gain are fitted along.
        design = np.column_stack((-slope_x[inner], -slope_y[inner], moved[inner], np.ones(int(inner.sum()))))
        target = (left - moved)[inner]
        normal = np.asarray(design.T @ design, np.float64)
        if np.linalg.cond(normal[:2, :2]) > 1e6:
            return None
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        spread = float(np.mean((target - design @ solution) ** 2)) + 1e-12
        shape, mixed, light = normal[:2, :2], normal[:2, 2:], normal[2:, 2:]
        held = shape - mixed @ np.linalg.pinv(light) @ mixed.T
        # Smoothing made neighbours alike: about one pixel in eight is independent.
        information = held / spread / 8
        shift = shift + np.clip(solution[:2], -0.7, 0.7)
        if np.abs(solution[:2]).max() < 1e-3:
            break
    return shift, information


def _slope(image: Floats, axis: int) -> Floats:
    return np.asarray(np.gradient(image, axis=axis), np.float64)


def settle(pairs: list[PairShift], tiles: int, accuracy_px: float, *, rounds: int = 12) -> tuple[Floats, float | None]:
    """Offsets (tiles, 2) in pixels x, y that fit all pairs best, none beyond `accuracy_px`; and the residual.

    The residual is the root mean square (pixels, per direction) of the pairs that were believed; None without pairs.
    """
    if not pairs:
        return np.zeros((tiles, 2)), None
    trust = np.ones(len(pairs))
    offsets = np.zeros((tiles, 2))
    misfits = np.zeros((len(pairs), 2))
    for _ in range(rounds):
        normal = np.eye(2 * tiles) * (2 / accuracy_px) ** 2
        right = np.zeros(2 * tiles)
        for pair, share in zip(pairs, trust, strict=True):
            information = share * _floored(pair.information)
            i, j = slice(2 * pair.first, 2 * pair.first + 2), slice(2 * pair.second, 2 * pair.second + 2)
            normal[i, i] += information
            normal[j, j] += information
            normal[i, j] -= information
            normal[j, i] -= information
            right[j] += information @ pair.shift_px
            right[i] -= information @ pair.shift_px
        offsets = np.linalg.solve(normal, right).reshape(tiles, 2)
        misfits = np.array([offsets[p.second] - offsets[p.first] - p.shift_px for p in pairs])
        sigmas = np.array([np.sqrt(m @ _floored(p.information) @ m) for m, p in zip(misfits, pairs, strict=True)])
        sigmas /= max(1.0, float(np.median(sigmas)))
        # Huber's weight near, and falling off faster far away: a false match must not bend its neighbours.
        trust = np.minimum(1.0, (_TAKEN_SERIOUSLY / np.maximum(sigmas, 1e-9)) ** 2)
    length = np.hypot(offsets[:, 0], offsets[:, 1])
    offsets = offsets * np.minimum(1.0, accuracy_px / np.maximum(length, 1e-12))[:, None]
    believed = trust > 0.25
    if not believed.any():
        return offsets, None
    return offsets, float(np.sqrt(np.mean(misfits[believed] ** 2)))


def _floored(information: Floats) -> Floats:
    """No pair is believed to better than 0.02 px: interpolation and blur differ between tiles."""
    return np.linalg.inv(np.linalg.inv(information + 1e-9 * np.eye(2)) + 0.02**2 * np.eye(2))
