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
