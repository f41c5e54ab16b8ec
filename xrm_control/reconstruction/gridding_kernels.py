"""The loops of `gridding`, compiled: sixteen slices side by side in memory, so that one instruction serves them all.

Compilers make poor code of short loops, so the innermost step is written out for them in vectors.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from xrm_control.reconstruction.gridding_layout import DEGREE, MARGIN, ROWS, SLOTS, WIDTH

_TILE = 64  # columns that stay in the cache
_PARTS = 3  # of a value: the row's own, and what goes on beyond its two ends


@intrinsic
def _share_out(
    typing_context: Any, grid: Any, cell: Any, stride: Any, values: Any, point: Any, levels: Any, numbers: Any, at: Any
) -> Any:
    """Add one point's value, in all rows, to WIDTH x WIDTH cells of the grid.

    All arrays are float32 and one-dimensional. numbers: at `at` SLOTS weights along x, as many along y, and the real
    and imaginary parts of the factors of values[point:], levels[0:] and levels[ROWS:]; their sum is the value.
    """
    vector, places = ir.VectorType(ir.FloatType(), ROWS), ir.VectorType(ir.IntType(32), ROWS)
    nothing = ir.Constant(vector, ir.Undefined)
    swap = ir.Constant(places, [lane ^ 1 for lane in range(ROWS)])
    signs = ir.Constant(vector, [-1.0, 1.0] * (ROWS // 2))
    fast = ("fast",)

    def made(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        _, cell, stride, _, point, _, _, at = arguments

        def data(place: int) -> Any:
            return context.make_array(signature.args[place])(context, build, value=arguments[place]).data

        def lanes(start: Any, offset: Any) -> Any:
            return build.bitcast(build.gep(start, [offset]), vector.as_pointer())

        def beyond(offset: Any, count: int) -> Any:
            return build.add(offset, ir.Constant(offset.type, count))

        def number(slot: int) -> Any:
            value = build.load(build.gep(data(6), [beyond(at, slot)]))
            first = build.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
            return build.shuffle_vector(first, nothing, ir.Constant(places, [0] * ROWS))

        def times(one: Any, other: Any) -> Any:
            return build.fmul(one, other, flags=fast)

        def plus(one: Any, other: Any) -> Any:
            return build.fadd(one, other, flags=fast)

        zero = ir.Constant(at.type, 0)
        starts = [lanes(data(3), point)]
        starts += [lanes(data(5), beyond(zero, part * ROWS)) for part in range(_PARTS - 1)]
        total = None
        for part, start in enumerate(starts):
            pairs = build.load(start, align=4)
            real, imaginary = number(2 * SLOTS + 2 * part), number(2 * SLOTS + 2 * part + 1)
            swapped = build.shuffle_vector(pairs, nothing, swap)
            product = plus(times(real, pairs), times(times(imaginary, signs), swapped))
            total = product if total is None else plus(total, product)
        along = [times(number(column), total) for column in range(WIDTH)]
        for row in range(WIDTH):
            share = number(SLOTS + row)
            for column, value in enumerate(along):
                place = lanes(data(0), beyond(cell, column * ROWS))
                build.store(plus(build.load(place, align=4), times(share, value)), place, align=4)
            cell = build.add(cell, stride)
        return context.get_dummy_value()

    return types.void(grid, cell, stride, values, point, levels, numbers, at), made


@numba.njit(nogil=True, cache=True, fastmath=True)
def add_views(
    grid: NDArray[np.float32],
    spectra: NDArray[np.float32],
    levels: NDArray[np.float32],
    factors: NDArray[np.complex64],
    tails: NDArray[np.complex64],
    which: NDArray[np.int64],
    cells: NDArray[np.float64],
    kernel: NDArray[np.float32],
) -> None:
    """Add views' spectra to the cells of the slices' Fourier plane, in place.

    grid (n + 2 MARGIN, n + 2 MARGIN, ROWS), frequency 0 at n / 2 beyond the margin; spectra (v, k, ROWS), in the order
    of `numpy.fft.fftfreq(k)`; levels (v, 2, ROWS): of what goes on beyond the left and the right end, whose spectra
    are tails (m, 2, k), view v's at which[v]. factors (2, v, k): of the spectra and of the tails. cells (v, 2): from
    one frequency to the next, along x and y. kernel (DEGREE + 1, 8): polynomials, one for each cell.
    """
    views, frequencies = spectra.shape[:2]
    side = grid.shape[0]
    middle = np.float32((side - 2 * MARGIN) // 2)
    flat, values = grid.reshape(-1), spectra.reshape(-1)
    numbers = np.empty((frequencies, 3 * SLOTS), np.float32)
    listed = numbers.reshape(-1)
    cell = np.empty(frequencies, np.int64)
    before, half = np.float32(WIDTH / 2), np.float32(0.5)
    for view in range(views):
        along_x, along_y, tail = np.float32(cells[view, 0]), np.float32(cells[view, 1]), which[view]
        ends = levels[view].reshape(-1)
        for f in range(frequencies):
            frequency = np.float32(f if 2 * f < frequencies else f - frequencies)
            x, y = middle + frequency * along_x - before, middle + frequency * along_y - before
            first_x, first_y = np.ceil(x), np.ceil(y)
            cell[f] = ((np.int64(first_y) + MARGIN) * side + np.int64(first_x) + MARGIN) * ROWS
            off_x, off_y = first_x - x - half, first_y - y - half
            for slot in range(SLOTS):
                weight_x, weight_y = kernel[DEGREE, slot], kernel[DEGREE, slot]
                for power in range(DEGREE):
                    weight_x = weight_x * off_x + kernel[DEGREE - 1 - power, slot]
                    weight_y = weight_y * off_y + kernel[DEGREE - 1 - power, slot]
                numbers[f, slot], numbers[f, SLOTS + slot] = weight_x, weight_y
            own, outer = factors[0, view, f], factors[1, view, f]
            left, right = outer * tails[tail, 0, f], outer * tails[tail, 1, f]
            at = 2 * SLOTS
            numbers[f, at], numbers[f, at + 1] = own.real, own.imag
            numbers[f, at + 2], numbers[f, at + 3] = left.real, left.imag
            numbers[f, at + 4], numbers[f, at + 5] = right.real, right.imag
        for f in range(frequencies):
            point = (view * frequencies + f) * ROWS
            _share_out(flat, cell[f], side * ROWS, values, point, ends, listed, f * 3 * SLOTS)  # pyright: ignore[reportCallIssue]


@numba.njit(nogil=True, cache=True)
def side_by_side(rows: NDArray[np.float32], views: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """rows (r, n, columns), the views chosen -> out (v, k, ROWS), k and ROWS at least as many; the rest is left."""
    count, _, columns = rows.shape
    for place in range(len(views)):
        for column in range(columns):
            for row in range(count):
                out[place, column, row] = rows[row, views[place], column]


@numba.njit(nogil=True, cache=True)
def one_by_one(
    lines: NDArray[np.float32],
    down: NDArray[np.float32],
    across: NDArray[np.float32],
    first: int,
    slices: NDArray[np.float32],
) -> None:
    """lines (l, n, ROWS) of slices side by side, their columns going round -> slices (r, l, size), weighed.

    down (l,), across (size,): weights; first: column of the slices' first pixel.
    """
    count, height, size = slices.shape
    turn = min(size, lines.shape[1] - first)
    for y in range(height):
        for start, end, column in ((0, turn, first), (turn, size, 0)):
            for low in range(start, end, _TILE):
                high = min(low + _TILE, end)
                for row in range(count):
                    for x in range(low, high):
                        slices[row, y, x] = lines[y, column + x - start, row] * (down[y] * across[x])
