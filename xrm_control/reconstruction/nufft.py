"""Back-projection as a Fourier sum: the only user of finufft.

By the central slice theorem the spectrum of a filtered view lies on a line through the origin of the slice's Fourier
plane. Their sum over all views, taken at the pixels, is a non-uniform Fourier transform of type 1: two FFTs of
the slice instead of a walk over all pixels for each view (Fessler and Sutton 2003; library: Barnett, Magland and af
Klinteberg 2019).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

# The small grid is twice as fast; in single precision it cannot keep what is promised beyond four digits, and says so.
_SMALL_GRID, _LARGE_GRID, _SMALL_GRID_TO = 1.25, 2.0, 2e-5
# Batches small enough to stay in the cache and to be shared by many CPUs, whatever their number.
_BATCH_BYTES = 64e6
_MOST_PAIRS = 4


class PolarSum:
    """Sums views' spectra at the pixels of slices of `size` x `size`, the rotation axis in the middle.

    theta_deg: (n,) in any order and spacing; frequencies: (k,) cycles per pixel along the detector, those of
    `numpy.fft.fftfreq`; pairs: how many pairs of slices are transformed at once (a slice is real: two of them travel as
    real and imaginary part). In the calling thread: sums taken by several threads differ in the last digit from run to
    run.
    """

    def __init__(
        self,
        theta_deg: NDArray[np.floating],
        frequencies: NDArray[np.floating],
        size: int,
        *,
        pairs: int,
        accuracy: float,
    ) -> None:
        import finufft

        theta = np.radians(np.asarray(theta_deg, float))[:, None]
        along = 2 * np.pi * np.asarray(frequencies, float)[None, :]
        # A pixel at (x, y) is seen at x cos(theta) - y sin(theta) of the detector, y downwards.
        x, y = along * np.cos(theta), -along * np.sin(theta)
        self.pairs, self.size = pairs, size
        # Whole modes are pixels off the middle; a slice of even size has its middle between two.
        self.phase = np.exp(0.5j * (x + y)).astype(np.complex64) if size % 2 == 0 else np.complex64(1.0)
        self._plan = finufft.Plan(
            1, (size, size), n_trans=pairs, eps=accuracy, isign=1, dtype="complex64", nthreads=1,
            upsampfac=_SMALL_GRID if accuracy > _SMALL_GRID_TO else _LARGE_GRID,
        )  # fmt: skip
        self._plan.setpts(y.ravel().astype(np.float32), x.ravel().astype(np.float32))

    def at_pixels(self, spectra: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
        """spectra (pairs, n, k), already times `phase` -> slices (pairs, size, size), rows y and columns x."""
        return self._plan.execute(spectra.reshape(self.pairs, -1)).reshape(self.pairs, self.size, self.size)


def transform_length(columns: int, size: int) -> int:
    """Of sinograms of that many columns, so long that what a filter spreads does not come round into the slice."""
    import scipy.fft

    return int(scipy.fft.next_fast_len(columns + math.ceil(math.sqrt(2) * size) + 2) or 0)


def polar_sums(
    sinograms: NDArray[np.float32],
    theta_deg: NDArray[np.floating],
    response: NDArray[np.complexfloating],
    size: int,
    *,
    accuracy: float,
    threads: int,
) -> NDArray[np.float32]:
    """Filter sinograms (rows, n, columns) by `response` (n, k) at the frequencies of `numpy.fft.fftfreq(k)`, and sum.

    Returns (rows, size, size). Each thread takes batches of rows; their number does not change a digit.
    """
    import scipy.fft

    rows, views, columns = sinograms.shape
    length = response.shape[1]
    pairs = _pairs(rows, views, length, size)
    volume = np.empty((rows, size, size), np.float32)
    starts = range(0, rows, 2 * pairs)
    threads = min(threads, len(starts))

    def work(share: int) -> None:
        polar = PolarSum(theta_deg, np.fft.fftfreq(length), size, pairs=pairs, accuracy=accuracy)
        factor = polar.phase * response
        batch = np.zeros((pairs, views, columns), np.complex64)
        for first in starts[share::threads]:
            part, target = sinograms[first : first + 2 * pairs], volume[first : first + 2 * pairs]
            if len(part) < 2 * pairs:
                batch[...] = 0
            batch.real[: len(part[0::2])] = part[0::2]
            batch.imag[: len(part[1::2])] = part[1::2]
            spectra = np.asarray(scipy.fft.fft(batch, length, axis=2))
            spectra *= factor
            slices = polar.at_pixels(spectra)
            target[0::2] = slices.real[: len(target[0::2])]
            target[1::2] = slices.imag[: len(target[1::2])]

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, share) for share in range(threads)]:
            done.result()
    return volume


def _pairs(rows: int, views: int, length: int, size: int) -> int:
    """How many pairs of rows go through at once."""
    bytes_each = 8 * (2 * views * length + 3 * size * size)
    return max(1, min(_MOST_PAIRS, (rows + 1) // 2, int(_BATCH_BYTES / bytes_each)))
