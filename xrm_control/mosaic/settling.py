"""All pairs of tiles together: where each tile lies, how the camera stands against the stage, how bright each tile is.

Of two tiles whose stage positions lie d apart (pixels of the picture), the second lies d + A d + f2 - f1 from the
first: A is what is wrong with the camera's stated pixel and angle, or with the stage's scale, the same for all; f is
the error of the stage at each tile. All are found at once by least squares, reweighted so that false matches fall
out, and held by what the stage and an earlier calibration promise (compare MIST, Chalfoun 2017, and ASHLAR, Muhlich
2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xrm_control.mosaic.registration import PairShift

Floats = NDArray[np.floating]

_BY_LENGTH, _BY_SQUARE = 15, 10
_TAKEN_SERIOUSLY = 3.0
"""Residuals beyond this many standard deviations count less the farther away they are."""
_BELIEVED = 0.25
# No pair is believed to better than that: interpolation and blur differ between tiles.
_FLOOR_PX = 0.02
# A common turn or stretch is believed from that many standard deviations on, and counts from that shift at a tile's
# rim.
_SIGMAS, _COUNTS_PX = 3.0, 0.1
_MANY = 12
# Where the stage may be farther off, one overlap alone may be taken for another place.
_AMBIGUOUS_PX = 8.0
_GAIN_ERROR, _GAIN_PRIOR = 0.003, 0.3


@dataclass(frozen=True)
class Settled:
    """What fits all pairs best.

    offsets_px (tiles, 2): error of the stage at each tile, in pixels right and down of the picture; affine (2, 2): A,
    and affine_u, its standard uncertainty; residual_px: root mean square distance of the tiles from where they are,
    as it must be expected, but for what turns or stretches all of them alike; rejected: pairs that were not believed;
    log_gains (tiles,): brightness; unborne: overlaps of a
    stage that errs by much, without which tiles fall apart.
    """

    offsets_px: Floats
    affine: Floats
    affine_u: Floats
    residual_px: float
    rejected: tuple[tuple[int, int], ...]
    log_gains: Floats
    unborne: int = 0


def settle(
    pairs: Sequence[PairShift], centres_px: Floats, accuracy_px: float, affine_known_to: float, reach_px: float
) -> Settled:
    """Settle the tiles; at least one pair.

    centres_px (tiles, 2): as the stage says, in pixels of the picture; accuracy_px: the farthest that the stage may be
    off; affine_known_to: standard uncertainty of the camera's pixel and angle (relative); reach_px: from the middle
    of a tile to its rim.
    """
    apart = np.array([centres_px[pair.second] - centres_px[pair.first] for pair in pairs])
    found = free = _fit(pairs, apart, len(centres_px), accuracy_px, affine_known_to)
    if not (np.abs(free.affine) > _SIGMAS * free.affine_u).any() or np.abs(free.affine).max() * reach_px < _COUNTS_PX:
        held = _fit(pairs, apart, len(centres_px), accuracy_px, 0.0)
        # What the stage would have to do far more than it promises is the camera's doing, however little is sure.
        if np.hypot(*held.offsets.T).max() <= max(accuracy_px, np.hypot(*free.offsets.T).max()):
            found = held
    believed = [pair for pair, trust in zip(pairs, found.trust, strict=True) if trust >= _BELIEVED]
    rejected = tuple((p.first, p.second) for p, trust in zip(pairs, found.trust, strict=True) if trust < _BELIEVED)
    residual_px = _expected(found.covariance, centres_px)
    unborne = _bridges(believed, len(centres_px)) if 2 * accuracy_px > _AMBIGUOUS_PX else 0
    return Settled(
        found.offsets, found.affine, free.affine_u, residual_px, rejected, _gains(believed, len(centres_px)), unborne
    )


@dataclass(frozen=True)
class _Fit:
    """offsets (n, 2), their covariance (2n, 2n), trust in each pair."""

    offsets: Floats
    affine: Floats
    affine_u: Floats
    covariance: Floats
    trust: Floats


def _fit(pairs: Sequence[PairShift], apart: Floats, tiles: int, accuracy_px: float, affine_known_to: float) -> _Fit:
    """Iteratively reweighted least squares; without uncertainty the affine stays nothing."""
    free = affine_known_to > 0
    size = 2 * tiles + (4 if free else 0)
    shifts = np.array([pair.shift_px for pair in pairs], float)
    information = np.array([_floored(np.asarray(pair.information, float)) for pair in pairs])
    prior = np.full(size, (2 / accuracy_px) ** 2)
    prior[2 * tiles :] = 0.0 if not free else affine_known_to**-2.0
    design = np.zeros((len(pairs), 2, size))
    for k, pair in enumerate(pairs):
        for axis in (0, 1):
            design[k, axis, 2 * pair.second + axis] += 1.0
            design[k, axis, 2 * pair.first + axis] -= 1.0
            if free:
                design[k, axis, 2 * tiles + 2 * axis : 2 * tiles + 2 * axis + 2] = apart[k]
    trust = _first_trust(shifts, apart, information, accuracy_px, free=free)
    scale, normal, answer = 1.0, np.eye(size), np.zeros(size)
    for turn in range(_BY_LENGTH + _BY_SQUARE):
        weighted = trust[:, None, None] * information
        normal = np.einsum("kai,kab,kbj->ij", design, weighted, design, optimize=True) + np.diag(prior)
        answer = np.linalg.solve(normal, np.einsum("kai,kab,kb->i", design, weighted, shifts, optimize=True))
        misfit = design @ answer - shifts
        square = np.einsum("ka,kab,kb->k", misfit, information, misfit)
        if turn < _BY_LENGTH:
            # Least lengths, not squares: a few false matches leave the others alone, and stand out.
            trust = 1.0 / np.maximum(np.sqrt(square / 2), 1.0)
        else:
            scale = _excess(square, trust, design, weighted, normal)
            trust = np.minimum(1.0, _TAKEN_SERIOUSLY**2 / np.maximum(square / 2 / scale, 1e-12))
    covariance = scale * np.linalg.inv(normal)
    affine = answer[2 * tiles :].reshape(2, 2) if free else np.zeros((2, 2))
    affine_u = np.sqrt(np.diag(covariance)[2 * tiles :]).reshape(2, 2) if free else np.zeros((2, 2))
    return _Fit(answer[: 2 * tiles].reshape(tiles, 2), affine, affine_u, covariance[: 2 * tiles, : 2 * tiles], trust)


def _first_trust(shifts: Floats, apart: Floats, information: Floats, accuracy_px: float, *, free: bool) -> Floats:
    """Pairs that no errors of the stage explain begin with little trust: those far from the median of their like."""
    middle = np.zeros_like(shifts)
    if free:
        along = np.abs(apart[:, 0]) > np.abs(apart[:, 1])
        for alike in (along, ~along):
            if alike.any():
                middle[alike] = np.median(shifts[alike], axis=0)
    # Two tiles, each off by about half the accuracy in each direction.
    usual = accuracy_px / np.sqrt(2)
    square = ((shifts - middle) ** 2).sum(axis=1) / 2 / usual**2
    return np.minimum(1.0, _TAKEN_SERIOUSLY**2 / np.maximum(square, 1e-12))


def _excess(square: Floats, trust: Floats, design: Floats, weighted: Floats, normal: Floats) -> float:
    """By how much pairs disagree over what they promise (chi square per degree of freedom), at least 1 where few do.

    From the median, which false matches do not move; 1.386 is that of a pair whose promise holds.
    """
    used = float(np.einsum("kai,kab,kbj,ji->", design, weighted, design, np.linalg.inv(normal), optimize=True))
    promised = 2.0 * float(trust.sum())
    if promised - used <= 1.0:
        return 1.0
    # Many pairs that agree better than they promise are believed, down to half.
    least = 0.5 if promised - used >= _MANY else 1.0
    return max(least, float(np.median(square)) / 1.386 * promised / (promised - used))


def _expected(covariance: Floats, centres_px: Floats) -> float:
    """Root mean square distance of the tiles from their places, but for an affine motion of all of them."""
    tiles = len(centres_px)
    common = np.column_stack((np.ones(tiles), centres_px - centres_px.mean(axis=0)))
    keep = np.eye(tiles) - common @ np.linalg.pinv(common)
    total = 0.0
    for axis in (0, 1):
        own = covariance[axis::2, axis::2]
        total += float(np.trace(keep @ own @ keep))
    return float(np.sqrt(max(total, 0.0) / tiles))


def _bridges(pairs: Sequence[PairShift], tiles: int) -> int:
    """Overlaps without which the tiles fall apart: what such a one says, no loop of others bears out."""

    def parts(some: Sequence[PairShift]) -> int:
        links = np.array([(pair.first, pair.second) for pair in some], int).reshape(-1, 2)
        graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(tiles, tiles))
        return int(connected_components(graph, directed=False, return_labels=False))

    whole = parts(pairs)
    return sum(parts([*pairs[:k], *pairs[k + 1 :]]) > whole for k in range(len(pairs)))


def _gains(pairs: Sequence[PairShift], tiles: int) -> Floats:
    """Logarithms of the tiles' brightness that fit the pairs best; on the whole the flats are believed."""
    normal, right = np.eye(tiles) * _GAIN_PRIOR**-2.0, np.zeros(tiles)
    for pair in pairs:
        step = np.zeros(tiles)
        step[pair.first], step[pair.second] = 1.0, -1.0
        normal += np.outer(step, step) * _GAIN_ERROR**-2.0
        right += step * pair.log_gain * _GAIN_ERROR**-2.0
    return np.asarray(np.linalg.solve(normal, right), np.float64)


def _floored(information: Floats) -> Floats:
    return np.linalg.inv(np.linalg.inv(information + 1e-9 * np.eye(2)) + _FLOOR_PX**2 * np.eye(2))
