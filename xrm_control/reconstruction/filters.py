"""Filters of single images, by scipy; edges are continued with their last value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smoothed(image: NDArray[np.floating], sigma_px: float) -> NDArray[np.float64]:
    """(r, c) -> (r, c): by a Gaussian of standard deviation `sigma_px`."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(np.asarray(image, np.float64), sigma_px, mode="nearest"), np.float64)


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
