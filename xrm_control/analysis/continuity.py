"""Whether the slices of a volume continue, and its noise is that of a reconstruction: what was lost or bent on the way.

Both look at differences of neighbouring voxels, in units that the volume itself gives.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.field import VolumeField
from xrm_control.analysis.label_expansion import boxes_of
from xrm_control.analysis.threshold import BoolVolume

_FEWEST, _MANY = 3, 6  # sections of bodies that a slice shows
_LEFT, _LEFT_OF_FEW = 2.0, 2.5  # times the differences before and after
_OF_USUAL, _STAYS = 0.3, 0.4  # of the median difference; of the area, in four slices
_COPY = 0.25  # of the variance of differences of slices in the ground
_AWAY, _DEEP, _ENOUGH = 5, 3.5, 300  # voxels
_NEAR = 2  # voxels around what is shown
_LAG = 2  # voxels: of neighbours a part of the noise is the same
_QUIETER, _LOUDER = 0.8, 1.6  # noise in particles over that around
_STEPS, _LEAST_NOISE = 1.5, 0.003  # of the smallest step between values; of the contrast
_PILED_UP = 0.05
_SAMPLE = 400_000
_STEP_SIGMAS, _LONG = 4.5, 7  # of the noise; slices
# Of three bodies steps of 1.85 are met in sound powder. Of the mean step beside; medians, lower quartiles.
_TELLING, _TWICE, _STEPS_OF_FEW, _OF_MOST, _OF_FEW = 4, 1.65, 1.75, 1.45, 1.6
_LEAST_SHOWN, _LEAST_TURNS, _TURNS = 200, 10, 0.35  # voxels; slices; voxels
_BEYOND = (0.841, 0.977)  # one and two standard deviations


def lost_slices(volume: NDArray[np.number], labels: NDArray[np.integer], field: VolumeField) -> tuple[str, ...]:
    """Said where what slices (y, x) show changes from one to the next far more than before and after: slices between
    them are lost, or in another order. Or far less, noise included: a copy.

    volume, labels: (z, y, x), labels above 0 in particles.
    """
    shown = labels > 0
    often = np.mean(shown, axis=0)
    ground = field.inside & (often <= np.quantile(often[field.inside], 0.2))
    steps = [np.asarray(b, np.float32) - np.asarray(a, np.float32) for a, b in pairwise(volume)]
    noise = np.array([float(np.median(np.abs(step[ground]))) / 0.6745 for step in steps]) ** 2
    usual = float(np.median(noise))
    for z in range(1, len(steps) - 1):
        if usual > 0 and noise[z] < _COPY * min(noise[z - 1], noise[z + 1], usual):
            return (
                f"a copy: slices {z} and {z + 1} differ by {np.sqrt(noise[z] / usual):.0%} of what others do by noise "
                f"(limit {np.sqrt(_COPY):.0%}): one was put in the place of another -> bring all slices as they were "
                "reconstructed",
            )
    squares = [step**2 - np.float32(usual) for step in steps]
    area = np.count_nonzero(shown, axis=(1, 2))
    level = _OF_USUAL * float(
        np.median([square[one & field.inside].sum() for square, one in zip(squares, shown, strict=False)])
    )
    if not level > 0:
        return ()  # of one grey within, without noise
    found = [
        (moved, z)
        for z in range(1, len(steps) - 1)
        if area[z - 1 : z + 3].min() > _STAYS * area[z - 1 : z + 3].max()
        and (
            moved := _moved(squares[z - 1 : z + 2], np.where(field.inside, labels[z - 1 : z + 3].max(axis=0), 0), level)
        )
        is not None
    ]
    if not found:
        return _one_lost(volume, labels, field, ground)
    moved, z = max(found)
    return (
        f"slices lost: what slices {z} and {z + 1} show differs {moved:.1f} times as much, in squares, as before and "
        f"after (limit {_LEFT:g}): slices are missing between them, or in another order -> bring all of them, in order",
    )


def _one_lost(
    volume: NDArray[np.number], labels: NDArray[np.integer], field: VolumeField, ground: BoolVolume
) -> tuple[str, ...]:
    """Said where what bodies hold in a slice changes at one step, in all of them, as in two steps before and after.

    What a body holds goes as a parabola along z, so that a step is the mean of those beside it, whatever its form is
    across; two steps in one are twice as much. ground (y, x): where hardly any body is.
    """
    from scipy import ndimage

    level = float(np.median(volume[:, ground]))
    noise = float(np.median(np.std(volume[:, ground], axis=1)))
    bodies = int(labels.max()) + 1
    # Of short ones the ends are in each step.
    long = np.array([box is not None and box[0].stop - box[0].start >= _LONG for box in boxes_of(labels)])
    found: list[tuple[float, int, int]] = []
    for z in range(1, len(volume) - 2):
        beside = ndimage.maximum_filter(labels[z - 1 : z + 3].max(axis=0), 2 * _NEAR + 1)
        near = np.where(field.inside, beside, 0).ravel()
        area = np.bincount(near, minlength=bodies)[1:]
        held = [np.bincount(near, np.ravel(one), minlength=bodies)[1:] - level * area for one in volume[z - 1 : z + 3]]
        before, own, after = np.diff(held, axis=0)
        usual = (before + after) / 2
        both = np.all([np.bincount(one.ravel(), minlength=bodies)[1:] > 0 for one in labels[z : z + 2]], axis=0)
        tell = both & long & (np.abs(usual) > _STEP_SIGMAS * noise * np.sqrt(area)) & (np.abs(usual) > 0)
        if np.count_nonzero(tell) < _TELLING:
            continue
        steps, weight = own[tell] / usual[tell], np.abs(usual[tell])
        quarter, middle = _weighted(steps, weight, 0.25), _weighted(steps, weight, 0.5)
        few = len(steps) == _TELLING
        if middle > (_STEPS_OF_FEW if few else _TWICE) and quarter > (_OF_FEW if few else _OF_MOST):
            found.append((middle, len(steps), z))
    if not found or len(found) > _MANY:
        return ()  # more than were lost: a texture along z
    middle, many, z = max(found, key=lambda one: one[1] * (one[0] - 1))
    return (
        f"slices lost: from slice {z} to {z + 1} what {many} bodies hold changes {middle:.1f} times as much as before "
        f"and after (limit {_TWICE:g}): slices are missing between them -> bring all of them, in order",
    )


def _weighted(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """The quantile of weighted values."""
    order = np.argsort(values)
    up_to = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(up_to, share)), len(values) - 1)])


def jittering(volume: NDArray[np.number], labels: NDArray[np.integer], field: VolumeField) -> tuple[str, ...]:
    """Said where what slices (y, x) show moves to and fro from each to the next, all bodies together, as none of one
    piece does."""
    shown = labels > 0
    moves: list[tuple[float, float]] = []
    for one, other, either in zip(volume, volume[1:], shown[1:] | shown[:-1], strict=False):
        if np.count_nonzero(either) < _LEAST_SHOWN:
            moves.append((math.nan, math.nan))
            continue
        mean = (np.asarray(one, np.float32) + np.asarray(other, np.float32)) / 2
        step = np.asarray(other, np.float32) - np.asarray(one, np.float32)
        down, right = (np.gradient(mean, axis=axis)[field.inside] for axis in (0, 1))
        moves.append((_move(down, step[field.inside]), _move(right, step[field.inside])))
    path = np.array(moves)
    turns = np.diff(path, axis=0)
    turns = turns[np.isfinite(turns).all(axis=1)]
    if len(turns) < _LEAST_TURNS:
        return ()
    typical = float(np.median(np.abs(turns), axis=0).max())
    if typical <= _TURNS:
        return ()
    return (
        f"slices jitter: from slice to slice what they show moves to and fro by {typical:.1f} voxels more and less "
        f"(median; limit {_TURNS:g}): slices were taken, or put together, beside each other; areas and shapes are "
        "wrong -> register the slices, or bring them as they were reconstructed",
    )


def _move(slope: NDArray[np.floating], step: NDArray[np.floating]) -> float:
    """By least squares: -step = slope x move."""
    return -float((slope * step).sum() / (slope**2).sum())


def _moved(squares: list[NDArray[np.float32]], bodies: NDArray[np.integer], level: float) -> float | None:
    """How many times as large the middle one of three squared differences of slices is; None if not far larger, or but
    for one or two bodies, which may end in flat faces. bodies (y, x): their numbers; level: of less nothing is told.
    """
    from scipy import ndimage

    # Their rims, too: there they move.
    numbers, near = np.unique(ndimage.maximum_filter(bodies, 2 * _NEAR + 1), return_inverse=True)
    before, own, after = (np.bincount(near.ravel(), square.ravel())[numbers > 0] for square in squares)
    if len(own) < _FEWEST:
        return None
    dropped, limit = (2, _LEFT) if len(own) >= _MANY else (1, _LEFT_OF_FEW)
    kept = np.argsort(own - np.maximum(before, after))[:-dropped]
    least = level * len(kept) / len(own)
    without = own[kept].sum() / max(before[kept].sum(), after[kept].sum(), least)
    ratio = own.sum() / max(before.sum(), after.sum(), level)
    return float(ratio) if min(ratio, without) > limit else None


def bent_greys(
    volume: NDArray[np.number], phases: NDArray[np.number], field: VolumeField, low: float | None, high: float | None
) -> tuple[str, ...]:
    """Said where noise within the particles is far from that around them: greys were bent (a gamma, a root, a square),
    so half of the contrast is not half of a voxel. low, high: grey around and within.
    """
    if low is None or high is None or not high > low:
        return ()
    shown = phases > 0
    around = depth_of(~shown) > _AWAY if shown.any() else ~shown
    around &= field.inside
    within = (phases == 1) & (depth_of(phases == 1) > _DEEP)
    outside, inside = (_noise(volume, where) for where in (around, within))
    if outside is None or inside is None:
        return ()
    floor = max(_LEAST_NOISE * (high - low), _STEPS * _step(volume))
    if min(outside, inside) < floor and max(outside, inside) < 2 * floor:
        return ()
    ground = np.asarray(volume[around])
    # Nothing below zero: there noise was cut off, and its width tells nothing.
    cut = float(np.mean(ground == ground.min())) > _PILED_UP
    if cut:
        # Of what is left above: a gamma above 1 draws it together near zero, and apart further up.
        one, two = np.quantile(ground, _BEYOND)
        outside = float(two - one)
    ratio = inside / max(outside, 1e-30)
    if _QUIETER <= ratio <= _LOUDER:
        return ()
    return (
        f"greys bent: noise within the particles is {ratio:.2f} times that around them (limits {_QUIETER:g} to "
        f"{_LOUDER:g}): a gamma or another curve was laid over the greys, a part was smoothed, or a texture is within "
        "that is too fine to be seen; then half-way between the greys is not where the surface is -> give the volume "
        "as it was reconstructed",
    )


def _noise(volume: NDArray[np.number], where: BoolVolume) -> float | None:
    """Standard deviation of the noise, from the median of differences along x; None of too few voxels."""
    both = where[..., _LAG:] & where[..., :-_LAG]
    if np.count_nonzero(both) < _ENOUGH:
        return None
    step = np.asarray(volume[..., _LAG:][both], np.float64) - np.asarray(volume[..., :-_LAG][both], np.float64)
    return float(np.median(np.abs(step))) / 0.6745 / np.sqrt(2)


def _step(volume: NDArray[np.number]) -> float:
    """The smallest step between values that are there."""
    values = np.unique(volume.ravel()[:: max(1, volume.size // _SAMPLE)])
    return float(np.median(np.diff(values.astype(np.float64)))) if len(values) > 1 else 0.0
