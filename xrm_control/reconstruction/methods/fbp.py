"""Filtered back-projection by ASTRA."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.astra_session import reconstruct_slices
from xrm_control.reconstruction.reconstructor import (
    Reconstructor,
    check_sinograms,
    padded_and_centred,
    view_weights,
)

SoundFilter = Literal["ram-lak", "shepp-logan", "cosine", "hamming", "hann", "parzen"]


class FilteredBackProjection(Reconstructor):
    """Fast and linear. ASTRA's other filters suppress low frequencies on a CPU and are therefore no choice here."""

    kind: Literal["fbp"] = "fbp"
    filter: SoundFilter = Field(
        default="hann", description="From sharp and noisy to smooth: ram-lak ... parzen; hann is the usual choice."
    )
    padding: Annotated[float, Field(ge=0, le=8)] = Field(
        default=1.0, description="Detector widths added on each side, for matter beyond the field of view."
    )

    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: float,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
        columns = sinograms.shape[2]
        weighted = sinograms * view_weights(theta_deg)[:, None].astype(np.float32)
        wide = padded_and_centred(weighted, axis_px, self.padding)
        volume = reconstruct_slices(
            wide,
            theta_deg,
            algorithm="FBP",
            size=columns,
            axis_px=(wide.shape[2] - 1) / 2,
            options={"FilterType": self.filter},
            threads=self.threads,
        )
        volume /= pixel_size_um
        return volume
