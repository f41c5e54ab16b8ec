"""Back-projection as a Fourier sum: the only user of finufft.

By the central slice theorem the spectrum of a filtered view lies on a line through the origin of the slice's Fourier
plane. Their sum over all views, taken at the pixels, is a non-uniform Fourier transform of type 1: two FFTs of
the slice instead of a walk over all pixels for each view (Fessler and Sutton 2003; library: Barnett, Magland and af
Klinteberg 2019).
"""

from __future__ import annotations

from types import TracebackType

import finufft
import numpy as np
from numpy.typing import NDArray

# A slice is real: two of them travel as real and imaginary part of one transform.
_UPSAMPLING = 1.25


class PolarSum:
    """Sums views' spectra at the pixels of slices of `size` x `size`, the rotation axis in the middle.

    theta_deg: (n,) in any order and spacing; frequencies: (k,) cycles per pixel along the detector, those of
    `numpy.fft.fftfreq`; pairs: how many pairs of slices are transformed at once; threads: CPUs used, 0 for all.
    """

    def __init__(
        self,
        theta_deg: NDArray[np.floating],
        frequencies: NDArray[np.floating],
        size: int,
        *,
        pairs: int,
        accuracy: float,
        threads: int,
    ) -> None:
        theta = np.radians(np.asarray(theta_deg, float))[:, None]
        along = 2 * np.pi * np.asarray(frequencies, float)[None, :]
        # A pixel at (x, y) is seen at x cos(theta) - y sin(theta) of the detector, y downwards.
        x, y = along * np.cos(theta), -along * np.sin(theta)
        self.pairs, self.size = pairs, size
        # Whole modes are pixels off the middle; a slice of even size has its middle between two.
        self.phase = np.exp(0.5j * (x + y)).astype(np.complex64) if size % 2 == 0 else np.complex64(1.0)
        self._plan = finufft.Plan(
            1, (size, size), n_trans=pairs, eps=accuracy, isign=1, dtype="complex64", nthreads=threads,
            upsampfac=_UPSAMPLING,
        )  # fmt: skip
        self._plan.setpts(y.ravel().astype(np.float32), x.ravel().astype(np.float32))

    def __enter__(self) -> PolarSum:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The plan holds its FFT work space.
        del self._plan

    def at_pixels(self, spectra: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
        """spectra (pairs, n, k), already times `phase` -> slices (pairs, size, size), rows y and columns x."""
        return self._plan.execute(spectra.reshape(self.pairs, -1)).reshape(self.pairs, self.size, self.size)
