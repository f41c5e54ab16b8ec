"""Conjugate gradients on the least-squares problem (CGLS) by ASTRA."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.astra_session import reconstruct_slices
from xrm_control.reconstruction.reconstructor import Reconstructor, check_sinograms, middle


class Cgls(Reconstructor):
    """Reaches in some ten steps what SIRT does in a hundred; stop early, since later steps fit the noise."""

    kind: Literal["cgls"] = "cgls"
    iterations: Annotated[int, Field(ge=1, le=1_000)] = 15
    surround: Annotated[float, Field(ge=0, le=4)] = Field(
        default=0.25, description="Slice widths reconstructed beyond each side, where outside matter may go."
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
        volume = reconstruct_slices(
            sinograms,
            theta_deg,
            algorithm="CGLS",
            size=columns + 2 * math.ceil(self.surround * columns),
            axis_px=axis_px,
            iterations=self.iterations,
            threads=self.threads,
        )
        return np.ascontiguousarray(middle(volume, columns)) / np.float32(pixel_size_um)
