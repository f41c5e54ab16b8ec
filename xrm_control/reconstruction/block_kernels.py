"""The inner loop of a first look at frames; imported when it is needed, for numba takes its time."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True, fastmath=True)
def looked_at(
    frames: NDArray[Any],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    sums: NDArray[np.float64],
    least: NDArray[np.float64],
    most: NDArray[np.float64],
    full: NDArray[np.int64],
) -> None:
    """Of frames (n, r, c), finite: sum, least and most of the pixels of each block, (n, y, x) each.

    full (n,): how many pixels of a frame are at its most; rows (y + 1,), columns (x + 1,): where blocks begin, and the
    last one ends.
    """
    for view in range(len(frames)):
        for y in range(len(rows) - 1):
            for x in range(len(columns) - 1):
                first, end = columns[x], columns[x + 1]
                low = high = frames[view, rows[y], first]
                total = 0.0
                for row in range(rows[y], rows[y + 1]):
                    line = frames[view, row, first:end]
                    for value in line:
                        total += value
                        low, high = min(low, value), max(high, value)
                sums[view, y, x], least[view, y, x], most[view, y, x] = total, low, high
        highest, count = most[view].max(), 0
        for row in range(frames.shape[1]):
            for value in frames[view, row]:
                count += value == highest
        full[view] = count


@numba.njit(nogil=True, cache=True, fastmath=True)
def block_means(images: NDArray[np.float32], down: int, across: int, out: NDArray[np.float32]) -> None:
    """Of images (n, rows, columns), means of `down` x `across` pixels into out (n, rows // down, columns // across).

    What is left over at the ends is dropped.
    """
    count, rows, columns = out.shape
    line = np.empty(columns * across, np.float32)
    share = np.float32(1.0 / (down * across))
    for image in range(count):
        for row in range(rows):
            line[:] = images[image, row * down, : columns * across]
            for below in range(1, down):
                other = images[image, row * down + below]
                for column in range(columns * across):
                    line[column] += other[column]
            target = out[image, row]
            for column in range(columns):
                total = line[column * across]
                for beside in range(1, across):
                    total += line[column * across + beside]
                target[column] = total * share
