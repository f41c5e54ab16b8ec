"""The inner loop over lines through a map, compiled; see `ridges`. Lengths are pixels."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True, error_model="numpy")
def medians_along(image, free, wanted, rows_off, columns_off, enough, least):  # type: ignore[no-untyped-def]
    """(2, directions, rows, columns): median and lower third of the `enough` free pixels that come next along lines
    through each pixel that is wanted, NaN where a line holds fewer than `least`, and where nothing is wanted.

    image, free, wanted: (rows, columns); rows_off, columns_off: (directions, n) steps to one side of a line's middle,
    the nearest first; the other side mirrors them.
    """
    rows, columns = image.shape
    directions, n = rows_off.shape
    found = np.full((2, directions, rows, columns), np.nan, np.float32)
    values = np.empty(enough + 1, np.float32)
    for k in range(directions):
        for r in range(rows):
            for c in range(columns):
                if not wanted[r, c]:
                    continue
                count = 0
                for i in range(n):
                    for side in range(-1, 2, 2):
                        if i == 0 and side < 0:
                            continue
                        y, x = r + side * rows_off[k, i], c + side * columns_off[k, i]
                        if 0 <= y < rows and 0 <= x < columns and free[y, x]:
                            value = image[y, x]
                            at = count
                            while at > 0 and values[at - 1] > value:
                                values[at] = values[at - 1]
                                at -= 1
                            values[at] = value
                            count += 1
                    if count >= enough:
                        break
                if count >= least:
                    middle = count // 2
                    found[0, k, r, c] = (
                        values[middle] if count % 2 else np.float32(0.5) * (values[middle - 1] + values[middle])
                    )
                    found[1, k, r, c] = values[count // 3]
    return found
