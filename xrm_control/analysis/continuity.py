"""Whether the slices of a volume continue, and its noise is that of a reconstruction: what was lost or bent on the way.

Both look at differences of neighbouring voxels, in units that the volume itself gives.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.field import VolumeField
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
        return ()
    moved, z = max(found)
    return (
        f"slices lost: what slices {z} and {z + 1} show differs {moved:.1f} times as much, in squares, as before and "
        f"after (limit {_LEFT:g}): slices are missing between them, or in another order -> bring all of them, in order",
    )


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
    ratio = inside / max(outside, 1e-30)
    if ratio >= _QUIETER and (ratio <= _LOUDER or cut):
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
