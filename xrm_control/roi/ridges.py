"""Wrinkles of the tape and hairs: long ridges of even height, told by the median along lines longer than a particle.

A median over a line forgets what covers less than half of it, so single particles vanish; what stays higher along one
direction than along the others is a ridge (median hybrid filters, Nieminen 1987). Lengths are pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMOOTH, _STEP = 1.0, 2
_DIRECTIONS = 24
_FREE_UM, _LEAST_FREE, _REACH_ALONG_UM = 24.0, 0.75, 40.0
"""What is looked at along a line: so much of it that lies beneath no body, or this share of that, within so far to
either side.
"""

_LEAST_PX, _STANDS_OUT = 0.7, 4.5
"""Least height of a ridge, in pixels and in the noise of a median."""

_LEAST_LENGTH_UM, _LEAST_PIECE_UM, _WIDEST_UM = 45.0, 20.0, 12.0
_HIGHEST_UM = 4.5
"""Of wrinkles and hairs, as powder; what is thicker is powder that lies in a row."""

_RIM_UM = 1.5
"""Of powder, in which it is lower."""

_MOST_UNEVEN = 0.5
"""Deviation of a ridge from its median, over that, noise apart: wrinkles, hairs reach 0.37, rows of particles 0.66."""

_LEAST_SEEN, _BENEATH_UM = 0.1, 15.0
"""Share of a ridge that must lie beneath no body for it to be believed; and how far it is followed beneath some."""

_MOSTLY_SEEN, _LOWEST_BENEATH_UM = 0.5, 1.4
"""Share of a ridge beneath no body from which it may be as faint as it is; faint lines in narrow gaps, of 1 um on the
simulator's dense beds, are what the rims of rough particles leave there.
"""

_MEDIAN_OF_NOISE = 0.67
_REACH_UM = 5.0
"""Of a ridge to its sides."""


def ridges(chords: Floats, free: NDArray[np.bool_], noise: float, pixel_um: float) -> Floats:
    """Chords of the ridges, (rows, columns), 0 where there is none: beneath bodies as their lines go on.

    free: what was seen and lies beneath no body that is believed; noise: standard deviation of a bare pixel; pixel_um:
    to know how long ridges are.
    """
    from scipy import ndimage

    # What is higher is powder that nobody has found yet, its rim included.
    powder = ndimage.gaussian_filter(np.where(free, chords, 0.0), _SMOOTH) > _HIGHEST_UM / pixel_um
    free = free & ~np.asarray(ndimage.binary_dilation(powder, iterations=round(_RIM_UM / pixel_um)), bool)
    # What is hidden says nothing of the ridge: means over what is free alone. A ridge is wider than two pixels.
    share = ndimage.gaussian_filter(free.astype(np.float64), _SMOOTH)
    smooth = ndimage.gaussian_filter(np.where(free, chords, 0.0), _SMOOTH)
    smooth = np.divide(smooth, share, out=np.zeros_like(smooth), where=free)
    coarse, open_to_view = smooth[::_STEP, ::_STEP].astype(np.float32), free[::_STEP, ::_STEP]
    noise_of_one = noise / (2 * np.sqrt(np.pi) * _SMOOTH)
    independent = _FREE_UM / pixel_um / (2 * np.sqrt(np.pi) * _SMOOTH)
    least = max(_LEAST_PX, _STANDS_OUT * 1.25 * noise_of_one / np.sqrt(independent))
    # Seen in the gaps between bodies first, and then followed beneath those beside.
    lines = _medians(coarse, open_to_view, open_to_view & (coarse > least / 2), pixel_um * _STEP)
    stands, highest, height = _standing(lines, least)
    if not stands.any():
        return np.zeros(chords.shape)
    near = np.asarray(ndimage.binary_dilation(stands, iterations=round(_BENEATH_UM / pixel_um / _STEP)), bool)
    beneath = _standing(_medians(coarse, open_to_view, near & ~open_to_view, pixel_um * _STEP), least)
    stands, highest, height = (
        np.where(open_to_view, one, other) for one, other in zip((stands, highest, height), beneath, strict=True)
    )
    off_its_median = np.maximum(np.abs(coarse - height) - _MEDIAN_OF_NOISE * noise_of_one, 0.0)
    long = _long(stands, open_to_view, highest, off_its_median, pixel_um * _STEP)
    if not long.any():
        return np.zeros(chords.shape)
    beside = ndimage.binary_dilation(long, iterations=round(_REACH_UM / pixel_um / _STEP))
    foot = np.where(beside, np.maximum(np.where(stands, height, highest), 0.0), 0.0)
    place = np.ix_(*(np.arange(size) / _STEP for size in chords.shape))
    grid = np.stack(np.broadcast_arrays(*place))
    return np.asarray(ndimage.map_coordinates(foot.astype(float), grid, order=1, mode="nearest"))


def _medians(
    image: NDArray[np.float32], free: NDArray[np.bool_], wanted: NDArray[np.bool_], pixel_um: float
) -> NDArray[np.float32]:
    """(2, directions, rows, columns): medians and lower thirds along lines through each pixel that is wanted, NaN
    elsewhere.
    """
    from xrm_control.roi.ridge_kernels import medians_along

    steps = np.arange(int(_REACH_ALONG_UM / pixel_um) + 1)
    angles = np.pi * np.arange(_DIRECTIONS)[:, None] / _DIRECTIONS
    down, right = (np.rint(steps * one(angles)).astype(np.int64) for one in (np.sin, np.cos))
    enough = round(_FREE_UM / pixel_um)
    return np.asarray(medians_along(image, free, wanted, down, right, enough, round(_LEAST_FREE * enough)))


def _standing(
    lines: NDArray[np.float32], least: float
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    """(rows, columns) each: where one direction stands out, the highest median there, and the sum of those that do."""
    from scipy import ndimage

    medians, lower = lines
    known = np.isfinite(medians)
    told = known.sum(axis=0) >= _DIRECTIONS // 2
    base = np.zeros(medians.shape[1:], np.float32)
    base[told] = np.maximum(np.nanmedian(medians[:, told], axis=0), 0.0)
    medians, lower = (np.where(known & told, one, base) for one in (medians, lower))
    # Where two cross, each keeps its height along itself.
    peaks = (medians == ndimage.maximum_filter1d(medians, 7, axis=0, mode="wrap")) & (lower - base > least)
    height = base + np.where(peaks, medians - base, 0.0).sum(axis=0)
    return (lower.max(axis=0) - base > least), medians.max(axis=0), height


def _long(
    stands: NDArray[np.bool_],
    free: NDArray[np.bool_],
    height: NDArray[np.float32],
    off_its_median: NDArray[np.floating],
    pixel_um: float,
) -> NDArray[np.bool_]:
    """What hangs together over a length that no particle has, is slender, and is seen to be even."""
    from scipy import ndimage

    labels = np.zeros(stands.shape, np.int32)
    ndimage.label(stands, np.ones((3, 3)), output=labels)
    count = int(labels.max(initial=0))
    inside = np.asarray(ndimage.distance_transform_edt(stands))
    lengths = np.zeros(count + 1)
    windows: list[tuple[slice, slice]] = ndimage.find_objects(labels)
    for number, window in enumerate(windows, 1):
        length_um = max(part.stop - part.start for part in window) * pixel_um
        own = labels[window] == number
        shown = own & free[window]
        if length_um < _LEAST_PIECE_UM or shown.sum() < _LEAST_SEEN * own.sum():
            continue
        slender = 2 * float(np.percentile(inside[window][own], 90)) * pixel_um < _WIDEST_UM
        high = float(np.median(height[window][shown]))
        even = float(np.median(off_its_median[window][shown])) < _MOST_UNEVEN * high
        high_um = high * pixel_um / _STEP
        lowest_um = 0.0 if shown.sum() > _MOSTLY_SEEN * own.sum() else _LOWEST_BENEATH_UM
        if slender and even and lowest_um < high_um < _HIGHEST_UM:
            lengths[number] = length_um
    # Bodies cut a ridge into pieces: beside a long one a shorter one is one as well.
    kept = lengths >= (_LEAST_PIECE_UM if lengths.max() >= _LEAST_LENGTH_UM else _LEAST_LENGTH_UM)
    return kept[labels]
