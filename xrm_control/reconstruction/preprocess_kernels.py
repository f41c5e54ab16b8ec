"""Inner loops of the way from counts to line integrals; imported when they are needed, for numba takes its time."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True, fastmath=True)
def stands_out(
    frames: NDArray[np.float32],
    beam: NDArray[np.float32],
    noise: tuple[np.float32, np.float32],
    sigmas: np.float32,
    excess: np.float32,
    found: NDArray[np.bool_],
) -> int:
    """Mark in `found` the pixels of frames (n, rows, columns) that are far brighter than all their eight neighbours.

    By more than `excess`, and by `sigmas` of the noise that their brightest neighbour has: noise is (gain, variance
    without beam) in counts, beam (rows, columns) in counts. Beyond the border the frames go on as in a mirror; at least
    two rows and columns. Returns how many.
    """
    views, rows, columns = frames.shape
    last, count = columns - 1, 0
    gain, dark = noise
    for view in range(views):
        for row in range(rows):
            above = frames[view, row - 1 if row else 1]
            own = frames[view, row]
            below = frames[view, row + 1 if row < rows - 1 else rows - 2]
            left = max(max(above[0], above[1]), own[1], max(below[0], below[1]))
            right = max(max(above[last], above[last - 1]), own[last - 1], max(below[last], below[last - 1]))
            most = max(own[0] - left, own[last] - right)
            for column in range(1, last):
                over = max(max(above[column - 1], above[column]), above[column + 1])
                under = max(max(below[column - 1], below[column]), below[column + 1])
                beside = max(own[column - 1], own[column + 1])
                most = max(most, own[column] - max(max(over, under), beside))
            # Rows without any are nearly all; what is looked for is told exactly in the others alone.
            if most <= np.float32(0.99) * excess:
                continue
            for column in range(columns):
                before = column - 1 if column else 1
                after = column + 1 if column < last else last - 1
                near = max(max(above[before], above[column]), above[after])
                near = max(near, max(max(below[before], below[column]), below[after]))
                near = max(near, max(own[before], own[after]))
                sigma = np.sqrt(gain * max(near, np.float32(0)) * beam[row, column] + dark) / beam[row, column]
                if own[column] > near + max(sigmas * sigma, excess):
                    found[view, row, column] = True
                    count += 1
    return count
