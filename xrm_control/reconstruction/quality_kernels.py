"""The inner loop of the figures of quality; imported when it is needed, for numba takes its time."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

_SAMPLE = 512
_BELOW = 0.02


@numba.njit(nogil=True, cache=True, fastmath=True)
def looked_over(
    values: NDArray[np.float32],
    floor: NDArray[np.float32],
    quantile: float,
    sums: NDArray[np.float64],
    opaque: NDArray[np.int64],
    bright: NDArray[np.float64],
) -> None:
    """Of each view of values (n, rows, columns): its sum, its pixels at or below floor (rows, columns), a quantile.

    The quantile, a high one, is numpy's, linear between two pixels: only what is brighter than a quantile of a sample,
    a little lower, is sorted.
    """
    views, rows, columns = values.shape
    pixels = rows * columns
    step = max(1, pixels // _SAMPLE)
    place = quantile * (pixels - 1)
    rank = int(place)
    needed = pixels - rank
    sample = np.empty(-(-pixels // step), np.float32)
    brightest = np.empty(pixels, np.float32)
    for view in range(views):
        total, dark = 0.0, 0
        for row in range(rows):
            for column in range(columns):
                value = values[view, row, column]
                total += value
                dark += value <= floor[row, column]
        sums[view], opaque[view] = total, dark
        for number in range(len(sample)):
            sample[number] = values[view, number * step // columns, number * step % columns]
        sample.sort()
        least = sample[int(max(quantile - _BELOW, 0.0) * (len(sample) - 1))]
        count = 0
        for attempt in range(2):
            count = 0
            for row in range(rows):
                for column in range(columns):
                    value = values[view, row, column]
                    if value >= least or attempt:
                        brightest[count] = value
                        count += 1
            # A sample can mislead: then all are sorted.
            if count >= needed:
                break
        found = np.sort(brightest[:count])
        low = found[count - needed]
        high = found[min(count - needed + 1, count - 1)]
        bright[view] = low + (place - rank) * (high - low)
