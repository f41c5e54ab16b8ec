"""Simultaneous iterative reconstruction (SIRT)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.iterative import IterativeReconstructor
from xrm_control.reconstruction.least_squares import simultaneous
from xrm_control.reconstruction.reconstructor import AxisPx
from xrm_control.reconstruction.warnings import warn


class Sirt(IterativeReconstructor):
    """Slow, quiet, and at ease with few views and with a bound at zero."""

    astra_name: ClassVar[Literal["SIRT", "CGLS"]] = "SIRT"

    kind: Literal["sirt"] = "sirt"
    iterations: int = Field(default=150, ge=1, le=10_000)
    non_negative: bool = Field(default=False, description="Hold attenuation at zero or above; biases the background.")
    momentum: bool = Field(
        default=False, description="engine gram: go on in the direction gained; 25 rounds do the work of a hundred."
    )

    @property
    def bounded(self) -> bool:
        """See `IterativeReconstructor.bounded`."""
        return self.non_negative

    def _solve(
        self, gram: Gram, target: NDArray[np.float32], tolerance: NDArray[np.floating], threads: int
    ) -> NDArray[np.float32]:
        return simultaneous(
            gram, target, self.iterations, tolerance, threads, non_negative=self.non_negative, momentum=self.momentum
        )

    def _by_astra(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: AxisPx,
        tolerance: NDArray[np.floating] | None,
    ) -> NDArray[np.float32]:
        if self.momentum:
            warn(f"ASTRA's SIRT has no momentum: {self.iterations} rounds were done without")
        return super()._by_astra(sinograms, theta_deg, axis_px, tolerance)
