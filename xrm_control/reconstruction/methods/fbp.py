"""Filtered back-projection: filtered here, back-projected by ASTRA."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.device import Device
from xrm_control.reconstruction.ramp import RampWindow, filtered
from xrm_control.reconstruction.reconstructor import AxisPx, Reconstructor, check_sinograms, view_weights
from xrm_control.reconstruction.truncation import Padding, extended


class FilteredBackProjection(Reconstructor):
    """Fast and linear. The filters are the six that keep low frequencies.

    ASTRA's own FBP would back-project the continuation beyond the field of view too, at three times the cost, and
    takes no rotation axis off the centre; its result is the same otherwise.
    """

    kind: Literal["fbp"] = "fbp"
    filter: RampWindow = Field(default="cosine", description="From sharp and noisy to smooth: ram-lak ... parzen.")
    padding: Padding = "auto"
    device: Device = Field(default="auto", description="auto: a GPU where there is one, otherwise the CPU.")

    def check_machine(self) -> None:
        """See `Reconstructor.check_machine`."""
        from xrm_control.reconstruction.astra_session import wants_gpu

        wants_gpu(self.device)

    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: AxisPx,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """See `Reconstructor.reconstruct`; corners beyond the inscribed circle rest on the continuation."""
        from xrm_control.reconstruction.astra_session import reconstruct_slices

        check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
        columns = sinograms.shape[2]
        wide, margin = extended(sinograms, self.padding)
        width = math.ceil(math.sqrt(2) * columns) + 2
        ready = filtered(wide, self.filter, view_weights(theta_deg), margin + axis_px, width)
        volume = reconstruct_slices(
            ready,
            theta_deg,
            algorithm="BP",
            size=columns,
            axis_px=(width - 1) / 2,
            device=self.device,
            threads=self.threads,
        )
        volume /= pixel_size_um
        return volume
