"""Filtered back-projection by non-uniform FFT: the same answer as `fbp`, many times faster on a CPU."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.cpus import cpus
from xrm_control.reconstruction.gridding import ACCURACY, filtered_sums, plane_bytes
from xrm_control.reconstruction.nufft import polar_sums, transform_length
from xrm_control.reconstruction.ramp import RampWindow, ramp, window
from xrm_control.reconstruction.reconstructor import AxisPx, Reconstructor, check_sinograms, view_weights
from xrm_control.reconstruction.truncation import Padding, continuation, extended


class FourierReconstruction(Reconstructor):
    """Ramp, window, the rotation axis and the views' weights are one factor in Fourier space.

    Nothing is interpolated along the detector. Linear interpolation would blur, as a window of sinc squared does, and
    so take noise away; by default part of that window is put in, so that the slices are as quiet as those of
    back-projection with linear interpolation and a filter of the same name, and still sharper.
    """

    kind: Literal["fourier"] = "fourier"
    filter: RampWindow = Field(default="cosine", description="From sharp and noisy to smooth: ram-lak ... parzen.")
    softening: float = Field(
        default=4 / 3,
        ge=0,
        le=4,
        description="Power of the sinc in the window: 2 blurs as linear interpolation, 0 not at all, and is noisier.",
    )
    padding: Padding = "auto"
    accuracy: float = Field(
        default=1e-3, ge=1e-6, le=1e-2, description="Relative error of the transform, far below that of any scan."
    )

    @property
    def bytes_per_pixel(self) -> int:
        """See `Reconstructor.bytes_per_pixel`; rows are not extended in memory."""
        return 40 if self.accuracy >= ACCURACY else 80

    def working_bytes(self, rows: int, columns: int) -> int:
        """See `Reconstructor.working_bytes`."""
        return plane_bytes(rows, columns, self.threads or cpus()) if self.accuracy >= ACCURACY else 0

    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: AxisPx,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """See `Reconstructor.reconstruct`; corners beyond the inscribed circle rest on the continuation."""
        check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
        side = sinograms.shape[2]
        threads, beyond = self.threads or cpus(), continuation(sinograms, self.padding)
        weights = view_weights(theta_deg) * (np.pi / (len(theta_deg) * pixel_size_um))
        if self.accuracy >= ACCURACY:
            return filtered_sums(sinograms, theta_deg, axis_px, weights, self._response, beyond, threads)
        wide, margin = extended(sinograms, self.padding)
        # A view that is shifted far must not come round either.
        axis = margin + np.reshape(axis_px, (-1, 1))
        length = transform_length(wide.shape[2] + 2 * math.ceil(np.ptp(axis)), side)
        frequencies = np.fft.fftfreq(length)
        half = self._response(length)
        response = np.concatenate([half, half[1 : (length + 1) // 2][::-1]]) * np.exp(2j * np.pi * frequencies * axis)
        weighted = (weights[:, None] / length * response).astype(np.complex64)
        return polar_sums(wide, theta_deg, weighted, side, accuracy=self.accuracy, threads=threads)

    def _response(self, length: int) -> NDArray[np.float64]:
        """The windowed ramp, (length // 2 + 1,)."""
        frequencies = np.fft.rfftfreq(length)
        return ramp(length) * window(self.filter, frequencies) * np.sinc(frequencies) ** self.softening
