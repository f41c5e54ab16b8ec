"""Projecting and back-projecting at once, as one convolution.

In a parallel beam on a detector that sees the whole slice, A^T W A depends only on how two pixels lie to each other: it
is a Toeplitz operator, two FFTs of a slice padded to twice its size, however many views there are (Fessler and Booth
1999; Fessler, Lee, Olafsson, Shi and Noll 2005). Here A interpolates by the sinc of the detector's pitch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.nufft import PolarSum

_ACCURACY = 1e-5


class Gram:
    """A^T W A on slices of `size` x `size` pixels, lengths in pixels.

    theta_deg (n,) in any order and spacing; weights (n,), the diagonal of W, one per view.
    """

    def __init__(self, theta_deg: NDArray[np.floating], weights: NDArray[np.floating], size: int) -> None:
        import scipy.fft

        self.size = size
        self.padded = int(scipy.fft.next_fast_len(2 * size - 1, real=True) or 0)
        # The detector goes round too; it is long enough for the longest way across the kernel.
        length = int(scipy.fft.next_fast_len(math.ceil(math.sqrt(2) * self.padded) + 2) or 0)
        back_projection = PolarSum(theta_deg, np.fft.fftfreq(length), self.padded, pairs=1, accuracy=_ACCURACY)
        # Without the phase of even sizes modes are whole lags.
        shares = np.asarray(weights, np.float32)[:, None] / np.float32(length)
        spectra = np.broadcast_to(shares, (len(theta_deg), length)).astype(np.complex64)
        kernel = back_projection.at_pixels(spectra[None])[0].real
        self._kernel = np.fft.ifftshift(kernel)
        # A whole lag of half the padded size stands for two ways round; slices never use it.
        self._response = np.fft.rfft2(self._kernel).real.astype(np.float32)

    def __call__(self, slices: NDArray[np.float32]) -> NDArray[np.float32]:
        """slices (k, size, size) -> the same shape; scipy's transforms, in the calling thread."""
        import scipy.fft

        spectrum = np.asarray(scipy.fft.rfft2(slices, (self.padded, self.padded), axes=(1, 2)))
        spectrum *= self._response
        # Rows beyond the slice are not worth their second transform.
        lines = np.asarray(scipy.fft.ifft(spectrum, axis=1, overwrite_x=True))[:, : self.size]
        return np.asarray(scipy.fft.irfft(lines, self.padded, axis=2))[:, :, : self.size]

    def circulant(self) -> NDArray[np.float32]:
        """Response (size, size // 2 + 1) of the periodic convolution nearest to this one. Chan 1988."""
        lag: NDArray[np.int64] = np.arange(self.size)
        share = 1 - lag / self.size
        # Lag j and lag j - size fall together.
        along = [(lag, share), (lag - self.size, lag / self.size)]
        wrapped = sum(
            np.outer(down_share, across_share) * self._kernel[np.ix_(down % self.padded, across % self.padded)]
            for down, down_share in along
            for across, across_share in along
        )
        return np.maximum(np.fft.rfft2(wrapped).real, 0).astype(np.float32)
