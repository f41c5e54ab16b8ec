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

_SECTION, _FEWEST, _MOST = 30, 3, 0.7  # voxels of one in a slice; sections, and the share of them
_OF_BOTH = 2  # sections that both slices show: ends of bodies alone may be flat
_LEFT, _STAYS = 1.75, 0.2  # times the differences beside; of the area, in four slices
_CLEAR = 4.0  # standard errors of what noise gives
_COPY = 0.25  # of the variance of differences of slices in the ground
_AWAY, _DEEP, _ENOUGH = 5, 3.5, 300  # voxels
_LAG = 2  # voxels: of neighbours a part of the noise is the same
_QUIETER, _LOUDER = 0.8, 1.5  # noise in particles over that around
_STEPS, _LEAST_NOISE = 1.5, 0.003  # of the smallest step between values; of the contrast
_PILED_UP = 0.05
_SAMPLE = 400_000


def lost_slices(volume: NDArray[np.number], phases: NDArray[np.number], field: VolumeField) -> tuple[str, ...]:
    """Said where all that two neighbouring slices (y, x) show changes from one to the other far more than before and
    after, and goes on: slices between them are lost, or in another order. Or far less, noise included: a copy.

    volume, phases: (z, y, x), phases above 0 in particles.
    """
    shown = phases > 0
    ground = ~shown.any(axis=0) & field.inside
    if np.count_nonzero(ground) < _ENOUGH:
        ground = field.inside & (np.mean(shown, axis=0) < np.quantile(np.mean(shown, axis=0)[field.inside], 0.3))
    steps = [np.asarray(b, np.float32) - np.asarray(a, np.float32) for a, b in pairwise(volume)]
    noise = np.array([float(np.median(np.abs(step[ground]))) / 0.6745 for step in steps]) ** 2
    usual = float(np.median(noise))
    found: list[tuple[float, int, float]] = []
    for z in range(1, len(steps) - 1):
        if usual > 0 and noise[z] < _COPY * min(noise[z - 1], noise[z + 1]) and noise[z] < _COPY * usual:
            return (
                f"a copy: slices {z} and {z + 1} differ by {np.sqrt(noise[z] / usual):.0%} of what others do by noise "
                f"(limit {np.sqrt(_COPY):.0%}): one was put in the place of another -> bring all slices as they were "
                "reconstructed",
            )
        found += _jump(steps, shown, usual, z)
    if not found:
        return ()
    ratio, z, share = max(found)
    return (
        f"slices lost: from slice {z} to {z + 1} outlines of {share:.0%} of the particles move {ratio:.1f} times as "
        f"far as before and after (limit {_LEFT:g} times, of {_MOST:.0%}): slices are missing there, or in another "
        "order -> bring all of them, in order",
    )


def _jump(steps: list[NDArray[np.float32]], shown: BoolVolume, noise: float, z: int) -> list[tuple[float, int, float]]:
    """How much more than beside it most sections change behind slice z, that slice, and their share; or nothing."""
    from scipy import ndimage

    near = np.asarray(ndimage.binary_dilation(shown[z] | shown[z + 1], iterations=2), np.uint8)
    sections: NDArray[np.int32] = np.empty(near.shape, np.int32)
    ndimage.label(near, output=sections)
    count = int(sections.max())
    if count < _FEWEST:
        return []
    areas = np.array([np.bincount(sections[shown[n]], minlength=count + 1)[1:] for n in range(z - 1, z + 3)])
    most = areas.max(axis=0)
    both = areas.min(axis=0) >= np.maximum(_SECTION, _STAYS * most)
    begins = (areas[:2].max(axis=0) == 0) & (areas[2] >= _SECTION)
    ends = (areas[2:].max(axis=0) == 0) & (areas[1] >= _SECTION)
    size = np.bincount(sections.ravel())[1:]
    energy = [np.bincount(sections.ravel(), (steps[n] ** 2).ravel())[1:] / size - noise for n in (z - 1, z, z + 1)]
    error = _CLEAR * noise * np.sqrt(2 / size)
    beside = np.maximum(np.maximum(energy[0], energy[2]), error)
    # Near the equator of a body neither slice tells.
    told = np.maximum(energy[1], beside) > 2 * error
    if np.count_nonzero(told & both) < _OF_BOTH or np.count_nonzero(told & (both | begins | ends)) < _FEWEST:
        return []
    moved = np.sqrt(np.maximum(energy[1], 0) / beside)
    share = float(np.mean(moved[told & (both | begins | ends)] > _LEFT))
    of_both = float(np.mean(moved[told & both] > _LEFT))
    return [(float(np.median(moved[told & both])), z, min(share, of_both))] if min(share, of_both) >= _MOST else []


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
