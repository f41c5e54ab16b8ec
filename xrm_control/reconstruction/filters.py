"""Filters of single images, by scipy; edges are continued with their last value. And a transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TOGETHER = 16  # images


def smoothed(image: NDArray[np.floating], sigma_px: float) -> NDArray[np.float64]:
    """(r, c) -> (r, c): by a Gaussian of standard deviation `sigma_px`."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(np.asarray(image, np.float64), sigma_px, mode="nearest"), np.float64)


def medians_of_nine(images: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, r, c) -> (n, r, c): of each pixel and its neighbours in its own image."""
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(np.asarray(images, np.float32), (1, 3, 3), mode="nearest"), np.float32)


def all_banded(images: NDArray[np.floating], low_px: float, high_px: float) -> NDArray[np.float32]:
    """(n, r, c) -> (n, r, c): each of them banded."""
    from scipy.ndimage import gaussian_filter

    found = np.empty(images.shape, np.float32)
    for first in range(0, len(images), _TOGETHER):
        part = np.asarray(images[first : first + _TOGETHER], np.float64)
        fine, coarse = (gaussian_filter(part, size, mode="nearest", axes=(1, 2)) for size in (low_px, high_px))
        found[first : first + _TOGETHER] = fine - coarse
    return found


def banded(image: NDArray[np.floating], low_px: float, high_px: float) -> NDArray[np.float64]:
    """(r, c) -> (r, c): without what is finer than `low_px`, and without what is coarser than `high_px`."""
    return smoothed(image, low_px) - smoothed(image, high_px)


def moved(image: NDArray[np.floating], down_px: float, right_px: float) -> NDArray[np.float64]:
    """(r, c) -> (r, c): its content so far down and right, linearly interpolated."""
    from scipy.ndimage import shift

    return np.asarray(shift(image, (down_px, right_px), order=1, mode="nearest"), np.float64)


def median_of_neighbours(lines: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """(m, n) -> (m, n): of `size` values around each, line by line."""
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(np.asarray(lines, np.float64), (1, size), mode="nearest"), np.float64)


def medians(values: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """(n, ...) -> (n, ...): of `size` values around each, along the first axis."""
    from scipy.ndimage import median_filter

    sizes = (size, *(1,) * (values.ndim - 1))
    return np.asarray(median_filter(np.asarray(values, np.float64), sizes, mode="nearest"), np.float64)


def local_means(image: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """(r, c) -> (r, c): of `size` x `size` pixels around each."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(np.asarray(image, np.float32), size, mode="nearest"), np.float32)


def steepness(image: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """(r, c) -> (r, c): the largest slope within `size` x `size` pixels around each, per pixel."""
    from scipy.ndimage import maximum_filter

    along = [np.gradient(np.asarray(image, np.float32), axis=axis) for axis in (0, 1) if image.shape[axis] > 1]
    slope = np.sqrt(np.sum(np.square(along), axis=0))
    return np.asarray(maximum_filter(slope, size, mode="nearest"), np.float32)


def transformed(volume: NDArray[np.float32]) -> NDArray[np.complex64]:
    """(z, y, x) -> (z, y, x // 2 + 1): its Fourier transform, of which the other half follows."""
    import scipy.fft

    return np.asarray(scipy.fft.rfftn(volume), np.complex64)
