"""Inner loops of the averaging of few photons; imported when they are needed, for numba takes its time."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def smoothed(
    values: NDArray[np.float32], step: int, first: int, end: int, halfway: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """values (rows, columns) -> out, in rows first to below end: weights 1, 2, 1 at `step` pixels, down and across.

    Beyond the border the view goes on as it ends. halfway (rows, columns): room to work in.
    """
    rows, columns = values.shape
    quarter, half = np.float32(0.25), np.float32(0.5)
    inner, outer = min(step, columns), max(columns - step, 0)
    for row in range(first, end):
        above, own, below = values[max(row - step, 0)], values[row], values[min(row + step, rows - 1)]
        line, target = halfway[row], out[row]
        for column in range(columns):
            line[column] = quarter * (above[column] + below[column]) + half * own[column]
        for column in range(inner, outer):
            target[column] = quarter * (line[column - step] + line[column + step]) + half * line[column]
        for column in range(inner):
            right = line[min(column + step, columns - 1)]
            target[column] = quarter * (line[0] + right) + half * line[column]
        for column in range(max(outer, inner), columns):
            left = line[max(column - step, 0)]
            target[column] = quarter * (left + line[columns - 1]) + half * line[column]


@numba.njit(nogil=True, cache=True)
def averaged_where_few(
    values: NDArray[np.float32],
    beam: NDArray[np.float32],
    floor: NDArray[np.float32],
    noise: tuple[np.float32, np.float32],
    quanta: tuple[np.float32, np.float32],
    areas: NDArray[np.float32],
    out: NDArray[np.float32],
    told: NDArray[np.float64],
) -> None:
    """values (n, rows, columns) -> out (rows, n, columns): averaged where they hold few quanta, at least the floor.

    beam (rows, columns): counts of the open beam; floor (rows, columns): least transmission of one. noise: (variance
    per count, variance without beam). quanta: (those wanted, counts of one pixel that holds so many). areas (3,):
    pixels that each window stands for, the first 1. told (n, rows, 2): how many pixels were averaged, and the sum of
    their windows' full widths at half maximum, in pixels.
    """
    views, rows, columns = values.shape
    gain, dark = noise
    wanted, enough = quanta
    half, one, zero = np.float32(0.5), np.float32(1), np.float32(0)
    levels = np.empty((2, rows, columns), np.float32)
    room = np.empty((rows, columns), np.float32)
    for view in range(views):
        first, last = rows, -1
        for row in range(rows):
            few = False
            for column in range(columns):
                value = values[view, row, column]
                few |= value * beam[row, column] < enough
                out[row, view, column] = max(value, floor[row, column])
            told[view, row] = zero
            if few:
                first, last = min(first, row), row
        if last < 0:
            continue
        # How many quanta are to be expected is told by a window that reaches three pixels: what it may show as few lies
        # near a pixel that holds few.
        first, end = max(first - 3, 0), min(last + 4, rows)
        smoothed(values[view], 1, max(first - 2, 0), min(end + 2, rows), room, levels[0])
        smoothed(levels[0], 2, first, end, room, levels[1])
        for row in range(first, end):
            count, width = 0, 0.0
            for column in range(columns):
                expected = levels[1, row, column] * beam[row, column]
                if expected >= enough:
                    continue
                expected = max(expected, np.float32(0.1) * gain, np.float32(1e-6))
                area = min(wanted * (gain * expected + dark) / (expected * expected), areas[2])
                if area <= one:
                    continue
                level = 1 if area > areas[1] else 0
                share = (area - areas[level]) / (areas[level + 1] - areas[level])
                finer = values[view, row, column] if level == 0 else levels[level - 1, row, column]
                mean = finer + share * (levels[level, row, column] - finer)
                least = half * max(gain / area, np.sqrt(dark / area)) / beam[row, column]
                out[row, view, column] = max(mean, least)
                count += 1
                width += (one + share) * (1 << level)
            told[view, row, 0], told[view, row, 1] = count, width
