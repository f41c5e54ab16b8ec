"""Filtered back-projection by non-uniform FFT: the same answer as `fbp`, many times faster on a CPU."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.nufft import PolarSum
from xrm_control.reconstruction.ramp import SoundFilter, ramp, window
from xrm_control.reconstruction.reconstructor import Reconstructor, check_sinograms, view_weights
from xrm_control.reconstruction.truncation import extended

# Work space of one batch: large enough that threads have something to share, small enough for the cache and the memory.
_BATCH_BYTES = 64e6
_MOST_PAIRS = 16


class FourierReconstruction(Reconstructor):
    """Ramp, window, the rotation axis and the views' weights are one factor in Fourier space; nothing is interpolated
    along the detector, so it is a little sharper than back-projection with linear interpolation.
    """

    kind: Literal["fourier"] = "fourier"
    filter: SoundFilter = Field(default="cosine", description="From sharp and noisy to smooth: ram-lak ... parzen.")
    padding: Annotated[float, Field(ge=0, le=8)] | Literal["auto"] = Field(
        default="auto",
        description="How far matter goes on beyond the field of view, in detector widths; auto: as the mass tells.",
    )
    accuracy: float = Field(
        default=1e-3, ge=1e-6, le=1e-2, description="Relative error of the transform, far below that of any scan."
    )

    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: float,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """See `Reconstructor.reconstruct`; corners beyond the inscribed circle rest on the continuation."""
        check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
        rows, views, side = sinograms.shape
        wide, margin = extended(sinograms, None if self.padding == "auto" else self.padding)
        columns = wide.shape[2]
        # As long as data and slice together: the tails of the ramp do not come round into the slice.
        length = int(scipy.fft.next_fast_len(columns + math.ceil(math.sqrt(2) * side) + 2) or 0)
        frequencies = np.fft.fftfreq(length)
        response = _response(self.filter, frequencies) * np.exp(2j * np.pi * frequencies * (margin + axis_px))
        response *= np.pi / (views * length * pixel_size_um)
        threads = self.threads or len(os.sched_getaffinity(0))
        pairs = _pairs(rows, views, length, side)
        volume = np.empty((rows, side, side), np.float32)
        weighted = (view_weights(theta_deg)[:, None] * response).astype(np.complex64)
        starts = range(0, rows, 2 * pairs)

        def work(share: int) -> None:
            # One thread to a transform: sums taken by several threads differ in the last digit from run to run.
            with PolarSum(theta_deg, frequencies, side, pairs=pairs, accuracy=self.accuracy, threads=1) as polar:
                factor = polar.phase * weighted
                batch = np.empty((pairs, views, length), np.complex64)
                for first in starts[share::threads]:
                    _pair_up(batch, wide[first : first + 2 * pairs])
                    spectra = scipy.fft.fft(batch, axis=2)
                    spectra *= factor
                    slices = polar.at_pixels(spectra)
                    target = volume[first : first + 2 * pairs]
                    target[0::2] = slices.real[: len(target[0::2])]
                    target[1::2] = slices.imag[: len(target[1::2])]

        threads = min(threads, len(starts))
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        return volume


def _response(kind: SoundFilter, frequencies: NDArray[np.floating]) -> NDArray[np.float64]:
    """The windowed ramp at all frequencies of a complex transform."""
    half = ramp(len(frequencies))
    whole = np.concatenate([half, half[1 : (len(frequencies) + 1) // 2][::-1]])
    return whole * window(kind, np.abs(frequencies))


def _pair_up(batch: NDArray[np.complex64], sinograms: NDArray[np.float32]) -> None:
    """Rows two by two as real and imaginary part, zeros behind and in what is left of the batch."""
    columns = sinograms.shape[2]
    batch[...] = 0
    batch.real[: len(sinograms[0::2]), :, :columns] = sinograms[0::2]
    batch.imag[: len(sinograms[1::2]), :, :columns] = sinograms[1::2]


def _pairs(rows: int, views: int, length: int, side: int) -> int:
    """How many pairs of rows go through at once."""
    bytes_each = 8 * (2 * views * length + 3 * side * side)
    return max(1, min(_MOST_PAIRS, (rows + 1) // 2, int(_BATCH_BYTES / bytes_each)))
