"""What matter beyond the detector adds to filtered rows, without filtering rows that long.

A filter is linear: matter of unit level from the edge outwards adds the difference of two steps' responses, wherever it
ends; so two look-ups in one table and a transform of the detector's own length stand for a row seven times as wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# From an even length to the filter's response (length // 2 + 1,) at 0, 1 / length ... 1 / 2 cycles per pixel.
Response = Callable[[int], NDArray[np.float64]]


class Tails:
    """Of rows of `columns` pixels, as periodic signals of `period` pixels, period even.

    They are right as far as `reach_px` from the middle of the row, where the slice's pixels are, and fade beyond, so
    that going round makes no step. longest_px: how far matter goes on beyond an edge at most.
    """

    def __init__(self, response: Response, columns: int, period: int, reach_px: float, longest_px: float) -> None:
        self._period, self._columns = period, columns
        self._first = (columns - period) // 2
        place = np.abs(np.arange(period) + self._first - (columns - 1) / 2)
        share = np.clip((place - reach_px) / max(period / 2 - reach_px, 1.0), 0, 1)
        self._fade = (0.5 + 0.5 * np.cos(np.pi * share)).astype(np.float32)
        lags = period + columns + math.ceil(longest_px) + 2
        half = _fast_length(lags)
        kernel = np.fft.irfft(response(2 * half), 2 * half)
        # Of matter at all places before a pixel: from lag -half on.
        self._steps = np.cumsum(np.roll(kernel, half)).astype(np.float32)
        self._windows, self._zero = sliding_window_view(self._steps, period), half

    def spectra(self, length_px: NDArray[np.floating]) -> NDArray[np.complex64]:
        """For matter of unit level and length_px (m,) beyond the left and the right end: (m, 2, period), in the order
        of `numpy.fft.fftfreq(period)`."""
        import scipy.fft

        whole = np.floor(length_px).astype(np.int64)
        part = (length_px - whole).astype(np.float32)[:, None]
        # Beyond the right end all is mirrored.
        last = self._columns - self._first - self._period
        rows = np.empty((len(whole), 2, self._period), np.float32)
        for side, first, forth in ((0, self._first, 1), (1, last, -1)):
            at = self._zero + first
            ends = self._windows[at + whole]
            ends += part * (self._windows[at + whole + 1] - ends)
            rows[:, side] = ((ends - self._windows[at]) * self._fade[::forth])[:, ::forth]
        return np.asarray(scipy.fft.fft(np.roll(rows, self._first, axis=2), axis=2), np.complex64)


def _fast_length(least: int) -> int:
    import scipy.fft

    return int(scipy.fft.next_fast_len(least, real=True) or 0)
