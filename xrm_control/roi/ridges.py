"""Wrinkles of the tape and hairs: long ridges of even height, told by the median along lines longer than a particle.

A median over a line forgets what covers less than half of it, so single particles vanish; what stays higher along one
direction than along the others is a ridge (median hybrid filters, Nieminen 1987). Lengths are pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMOOTH, _STEP = 1.0, 2
_LINE_UM, _DIRECTIONS = 26.0, 16
_LEAST_PX, _STANDS_OUT = 0.7, 4.5
"""Least height of a ridge, in pixels and in the noise of a median."""

_LEAST_LENGTH_UM, _WIDEST_UM = 45.0, 12.0
_HIGHEST_UM = 4.5
"""Of wrinkles and hairs, as powder; what is thicker is powder that lies in a row."""

_MOST_UNEVEN = 0.5
"""Deviation of a ridge from its median, over that, noise apart: wrinkles, hairs reach 0.37, rows of particles 0.66."""

_MEDIAN_OF_NOISE = 0.67
_REACH_UM = 5.0
"""Of a ridge to its sides."""


def ridges(chords: Floats, seen: NDArray[np.bool_], noise: float, pixel_um: float) -> Floats:
    """Chords of the ridges, (rows, columns), 0 elsewhere. noise: standard deviation of a bare pixel; pixel_um: to know
    how long they are.
    """
    from scipy import ndimage

    # A ridge is wider than two pixels, and the median over its length is smooth anyway.
    smooth = ndimage.gaussian_filter(np.where(seen, chords, 0.0), _SMOOTH)
    coarse = smooth[::_STEP, ::_STEP].astype(np.float32)
    lines = np.stack([_median_along(coarse, k, int(_LINE_UM / pixel_um / _STEP / 2)) for k in range(_DIRECTIONS)])
    noise_of_one = noise / (2 * np.sqrt(np.pi) * _SMOOTH)
    independent = _LINE_UM / pixel_um / (2 * np.sqrt(np.pi) * _SMOOTH)
    least = max(_LEAST_PX, _STANDS_OUT * 1.25 * noise_of_one / np.sqrt(independent))
    base = np.maximum(np.median(lines, axis=0), 0.0)
    highest = lines.max(axis=0)
    # Where two cross, each keeps its height along itself.
    peaks = (lines == ndimage.maximum_filter1d(lines, 7, axis=0, mode="wrap")) & (lines - base > least)
    height = base + np.where(peaks, lines - base, 0.0).sum(axis=0)
    off_its_median = np.maximum(np.abs(coarse - height) - _MEDIAN_OF_NOISE * noise_of_one, 0.0)
    stands = seen[::_STEP, ::_STEP] & (highest - base > least)
    long = _long(stands, highest, off_its_median, pixel_um * _STEP)
    if not long.any():
        return np.zeros(chords.shape)
    beside = ndimage.binary_dilation(long, iterations=round(_REACH_UM / pixel_um / _STEP))
    foot = np.where(beside, np.maximum(np.where(stands, height, highest), 0.0), 0.0)
    place = np.ix_(*(np.arange(size) / _STEP for size in chords.shape))
    grid = np.stack(np.broadcast_arrays(*place))
    return np.where(seen, ndimage.map_coordinates(foot.astype(float), grid, order=1, mode="nearest"), 0.0)


def _median_along(image: NDArray[np.float32], direction: int, half: int) -> NDArray[np.float32]:
    from scipy import ndimage

    angle = np.pi * direction / _DIRECTIONS
    steps = np.arange(-half, half + 1)
    foot = np.zeros((2 * half + 1, 2 * half + 1), bool)
    foot[np.rint(steps * np.sin(angle)).astype(int) + half, np.rint(steps * np.cos(angle)).astype(int) + half] = True
    return np.asarray(ndimage.median_filter(image, footprint=foot, mode="reflect"))


def _long(
    stands: NDArray[np.bool_], height: NDArray[np.float32], off_its_median: NDArray[np.floating], pixel_um: float
) -> NDArray[np.bool_]:
    """What hangs together over a length that no particle has, fills little of the square about it, and is even."""
    from scipy import ndimage

    labels = np.zeros(stands.shape, np.int32)
    ndimage.label(stands, np.ones((3, 3)), output=labels)
    count = int(labels.max(initial=0))
    inside = np.asarray(ndimage.distance_transform_edt(stands))
    kept = np.zeros(count + 1, bool)
    windows: list[tuple[slice, slice]] = ndimage.find_objects(labels)
    for number, window in enumerate(windows, 1):
        length = max(part.stop - part.start for part in window)
        if length * pixel_um < _LEAST_LENGTH_UM:
            continue
        own = labels[window] == number
        slender = 2 * float(np.percentile(inside[window][own], 90)) * pixel_um < _WIDEST_UM
        high = float(np.median(height[window][own]))
        even = float(np.median(off_its_median[window][own])) < _MOST_UNEVEN * high
        kept[number] = slender and even and high * pixel_um / _STEP < _HIGHEST_UM
    return kept[labels]
