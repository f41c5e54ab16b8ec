"""Simultaneous iterative reconstruction (SIRT) by ASTRA."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.astra_session import reconstruct_slices
from xrm_control.reconstruction.reconstructor import Reconstructor, check_sinograms, middle


class Sirt(Reconstructor):
    """Slow, quiet, and at ease with few views."""

    kind: Literal["sirt"] = "sirt"
    iterations: Annotated[int, Field(ge=1, le=10_000)] = 100
    non_negative: bool = Field(default=False, description="Hold attenuation at zero or above; biases the background.")
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
        options: dict[str, Any] = {"MinConstraint": 0.0} if self.non_negative else {}
        volume = reconstruct_slices(
            sinograms,
            theta_deg,
            algorithm="SIRT",
            size=columns + 2 * math.ceil(self.surround * columns),
            axis_px=axis_px,
            iterations=self.iterations,
            options=options,
            threads=self.threads,
        )
        return np.ascontiguousarray(middle(volume, columns)) / np.float32(pixel_size_um)
