"""Filtered back-projection as a Fourier sum, sixteen slices at once, by gridding.

A filtered view's spectrum is shared out to a grid of 11/8 the slice's size by a kernel of five cells, whose transform
is then taken off the slices (O'Sullivan 1985, doi 10.1109/TMI.1985.4307723; kernel: Kaiser and Bessel's, Jackson et al.
1991, doi 10.1109/42.97598). Cells and weights are those of all slices, so they are found once for sixteen of them.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.gridding_layout import DEGREE, MARGIN, ROWS, SLOTS, WIDTH
from xrm_control.reconstruction.tails import Response, Tails
from xrm_control.reconstruction.truncation import Continuation, blend

# Relative error of the transform, root mean square.
ACCURACY = 1e-3
_OVERSAMPLING = 1.375
_POINTS = 16384  # of views that are worked on together: their spectra stay in the cache
_LINES = 16  # of the grid, likewise
_BLEND_PX = 64  # within which the value at the edge is forgotten


class FourierPlane:
    """The spectra of `ROWS` slices of `size` x `size` pixels, on one grid."""

    def __init__(self, size: int) -> None:
        self._size, self._kernel = size, _kernel(size)
        padded = self._kernel.side + 2 * MARGIN
        self._grid = np.zeros((padded, padded, ROWS), np.float32)

    def clear(self) -> None:
        self._grid[...] = 0

    def add(
        self,
        spectra: NDArray[np.complex64],
        levels: NDArray[np.float32],
        factors: NDArray[np.complex64],
        tails: NDArray[np.complex64],
        which: NDArray[np.int64],
        theta: NDArray[np.floating],
    ) -> None:
        """See `gridding_kernels.add_views`; theta (v,) in radians."""
        from xrm_control.reconstruction import gridding_kernels as kernels

        # A pixel at (x, y) is seen at x cos(theta) - y sin(theta) of the detector, y downwards.
        cells = np.stack([np.cos(theta), -np.sin(theta)], axis=1) * (self._kernel.side / spectra.shape[1])
        values = spectra.view(np.float32)
        kernels.add_views(self._grid, values, levels, factors, tails, which, cells, self._kernel.polynomials)

    def slices(self, out: NDArray[np.float32]) -> None:
        """out (r, size, size), r at most `ROWS`: rows y and columns x; leaves the plane in disorder."""
        import scipy.fft

        from xrm_control.reconstruction import gridding_kernels as kernels

        edge, side, weights = MARGIN, self._kernel.side, self._kernel.weights
        for grid in (self._grid, self._grid.swapaxes(0, 1)):
            grid[side : side + edge] += grid[:edge]
            grid[edge : 2 * edge] += grid[side + edge :]
        inner = self._grid.view(np.complex64)[edge : edge + side, edge : edge + side]
        columns = np.asarray(scipy.fft.ifft(inner, axis=0, norm="forward", overwrite_x=True))
        first = -(self._size // 2) % side
        for start in range(0, self._size, _LINES):
            here = slice(start, min(start + _LINES, self._size))
            places = (first + np.arange(here.start, here.stop)) % side
            lines = np.asarray(scipy.fft.ifft(columns[places], axis=1, norm="forward", overwrite_x=True))
            kernels.one_by_one(lines.view(np.float32), weights[here], weights, first, out[:, here])


@dataclass(frozen=True)
class _Kernel:
    """Of slices of one size. side: of the grid; polynomials (DEGREE + 1, SLOTS): each cell's weight, by the powers of
    the point's place between cells, -1/2 to 1/2; weights (size,): what takes the kernel off the slices again."""

    side: int
    polynomials: NDArray[np.float32]
    weights: NDArray[np.float32]


@lru_cache(maxsize=4)
def _kernel(size: int) -> _Kernel:
    side, width = max(_even_length(_OVERSAMPLING * size), 16), WIDTH
    # Beatty et al. 2005, doi 10.1109/TMI.2005.848376, equation 5.
    ratio = side / size
    beta = math.pi * math.sqrt((width / ratio * (ratio - 0.5)) ** 2 - 0.8)
    place = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2
    found = np.zeros((DEGREE + 1, SLOTS))
    for cell in range(width):
        away = (cell - (width - 1) / 2 + place) / (width / 2)
        values = np.i0(beta * np.sqrt(np.maximum(1 - away**2, 0))) / np.i0(beta)
        found[:, cell] = np.polynomial.polynomial.polyfit(place, values, DEGREE)
    pixel = np.arange(size) - size // 2
    inside = np.sqrt(beta**2 - (np.pi * width * pixel / side) ** 2)
    transform = width * np.sinh(inside) / inside / np.i0(beta)
    # The sign is for frequency 0 in the middle of the grid.
    return _Kernel(side, found.astype(np.float32), ((1 - 2 * (pixel % 2)) / transform).astype(np.float32))


def plane_bytes(rows: int, size: int, threads: int) -> int:
    """What the planes of so many slices take at once, at most; scipy, which knows the length, is not needed for it."""
    longest = 1.05 * _OVERSAMPLING * size + 16
    return int(min(threads, -(-rows // ROWS)) * 4 * ROWS * (longest + 2 * MARGIN) ** 2)


def filtered_sums(
    sinograms: NDArray[np.float32],
    theta_deg: NDArray[np.floating],
    axis_px: float | NDArray[np.floating],
    weights: NDArray[np.floating],
    response: Response,
    beyond: Continuation,
    threads: int,
) -> NDArray[np.float32]:
    """Filter sinograms (rows, n, columns), which go on as `beyond` says, and sum the views, weighed, at the pixels.

    weights (n,); axis_px: for all views or for each. Returns (rows, columns, columns), the axis in the middle. Each
    thread takes blocks of rows; their number does not change a digit.
    """
    rows, _, columns = sinograms.shape
    volume = np.empty((rows, columns, columns), np.float32)
    plan = _Plan(theta_deg, axis_px, weights, columns, response, float(beyond.length_px.max()))
    starts = range(0, rows, ROWS)
    threads = min(threads, len(starts))

    def work(share: int) -> None:
        plane = FourierPlane(columns)
        for first in starts[share::threads]:
            plan.add(plane, sinograms, beyond, slice(first, first + ROWS))
            plane.slices(volume[first : first + ROWS])
            plane.clear()

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, share) for share in range(threads)]:
            done.result()
    return volume


class _Plan:
    """What all blocks of rows share."""

    def __init__(
        self,
        theta_deg: NDArray[np.floating],
        axis_px: float | NDArray[np.floating],
        weights: NDArray[np.floating],
        columns: int,
        response: Response,
        longest_px: float,
    ) -> None:
        theta = np.radians(np.asarray(theta_deg, float))
        axis = np.broadcast_to(np.asarray(axis_px, float), theta.shape)
        off_px = float(np.abs(axis - (columns - 1) / 2).max())
        # Neighbours share cells.
        self._order = np.argsort(np.asarray(theta_deg, float) % 180.0, kind="stable")
        # A row and as much again, so that what a filter spreads does not come round; but for a few of the last pixels
        # at the weakest lags.
        self.period = _even_length(max(2 * columns + 2 * max(off_px - 8, 0), columns + 2 * _BLEND_PX))
        self._theta, self._columns = theta, columns
        half = response(self.period)
        self._response = np.concatenate([half, half[1:-1][::-1]]).astype(np.float32)
        # Slices of even size have their middle between two pixels.
        middle = 0.5 * (np.cos(theta) - np.sin(theta)) if columns % 2 == 0 else 0.0
        self._phases = (
            _phases(axis + middle, self.period) * (np.asarray(weights, np.float32) / np.float32(self.period))[:, None]
        )
        reach_px = min(columns / math.sqrt(2) + off_px + 2, 0.9 * self.period / 2)
        self._tails = Tails(response, columns, self.period, reach_px, longest_px)

    def add(self, plane: FourierPlane, sinograms: NDArray[np.float32], beyond: Continuation, rows: slice) -> None:
        """Add the views of a block of rows to their Fourier plane."""
        import scipy.fft

        from xrm_control.reconstruction import gridding_kernels as kernels

        block, columns = np.ascontiguousarray(sinograms[rows], np.float32), self._columns
        near, count = blend(_BLEND_PX), len(block)
        step = max(1, _POINTS // self.period)
        for start in range(0, len(self._order), step):
            views = self._order[start : start + step]
            signal = np.zeros((len(views), self.period, ROWS), np.float32)
            kernels.side_by_side(block, views, signal)
            levels = np.zeros((len(views), 2, ROWS), np.float32)
            fading = near * beyond.cover(_BLEND_PX, views)
            for side, place in ((0, slice(-1, -_BLEND_PX - 1, -1)), (1, slice(columns, columns + _BLEND_PX))):
                level = beyond.levels[side][rows, views].T
                levels[:, side, :count] = level
                fall = beyond.sides[side][rows, views].T - level
                signal[:, place, :count] += fading[:, :, None] * fall[:, None, :]
            length, which = np.unique(beyond.length_px[views], return_inverse=True)
            phases = self._phases[views]
            plane.add(
                np.asarray(scipy.fft.fft(signal.view(np.complex64), axis=1, overwrite_x=True)),
                levels,
                np.stack([phases * self._response, phases]),
                self._tails.spectra(length),
                which,
                self._theta[views],
            )


def _phases(shift_px: NDArray[np.float64], period: int) -> NDArray[np.complex64]:
    """(n, period): exp(2 pi i f shift) for `numpy.fft.fftfreq(period)`, as products of few exponentials."""
    step, half = 64, period // 2
    turn = 2j * np.pi / period * shift_px[:, None]
    fine, coarse = np.exp(turn * np.arange(step)), np.exp(turn * np.arange(0, half + 1, step))
    whole = coarse.astype(np.complex64)[:, :, None] * fine.astype(np.complex64)[:, None, :]
    positive = whole.reshape(len(shift_px), -1)[:, : half + 1]
    return np.concatenate([positive[:, :half], positive[:, :0:-1].conj()], axis=1)


def _even_length(least: float) -> int:
    """At least so long, even, and fast to transform."""
    import scipy.fft

    return 2 * int(scipy.fft.next_fast_len(math.ceil(least / 2)) or 0)
