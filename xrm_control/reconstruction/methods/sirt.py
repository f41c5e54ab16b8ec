"""Simultaneous iterative reconstruction (SIRT) by ASTRA."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.iterative import iterate
from xrm_control.reconstruction.reconstructor import Reconstructor


class Sirt(Reconstructor):
    """Slow, quiet, and at ease with few views."""

    kind: Literal["sirt"] = "sirt"
    iterations: Annotated[int, Field(ge=1, le=10_000)] = 150
    non_negative: bool = Field(default=False, description="Hold attenuation at zero or above; biases the background.")
    surround: Annotated[float, Field(ge=0, le=4)] = Field(
        default=0.75, description="Slice widths reconstructed beyond each side, where outside matter may go."
    )

    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: float,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """See `Reconstructor.reconstruct`."""
        return iterate(
            "SIRT",
            sinograms,
            theta_deg,
            axis_px,
            pixel_size_um,
            iterations=self.iterations,
            surround=self.surround,
            non_negative=self.non_negative,
            threads=self.threads,
        )
