"""Conjugate gradients on the least-squares problem (CGLS) by ASTRA."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.iterative import iterate
from xrm_control.reconstruction.reconstructor import Reconstructor


class Cgls(Reconstructor):
    """Reaches in some ten steps what SIRT does in a hundred; stop early, since later steps fit the noise."""

    kind: Literal["cgls"] = "cgls"
    iterations: Annotated[int, Field(ge=1, le=1_000)] = 8
    surround: Annotated[float, Field(ge=0, le=4)] = Field(
        default=1.0, description="Slice widths reconstructed beyond each side, where outside matter may go."
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
            "CGLS",
            sinograms,
            theta_deg,
            axis_px,
            pixel_size_um,
            iterations=self.iterations,
            surround=self.surround,
            threads=self.threads,
        )
