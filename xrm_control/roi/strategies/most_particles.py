"""Most particles: the best statistics from the least scanning (the paper's choice for NMC622)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.roi.greedy import as_rois, take
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.strategy import Limits, Roi, RoiStrategy, windows


class MostParticles(RoiStrategy):
    """The windows that hold the most whole particles, one after the other."""

    kind: Literal["most_particles"] = "most_particles"
    count: int = Field(default=1, ge=1, le=99, description="how many regions to scan")

    def choose(
        self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits
    ) -> tuple[Roi, ...]:
        """See `RoiStrategy.choose`."""
        self.check(limits, fov_um)
        candidates = windows(particles, mosaic, fov_um, limits, self.margin_um)
        held = candidates.held(np.ones(len(particles), bool))

        def gain(taken: Sequence[int]) -> NDArray[np.float64]:
            return held

        def why(index: int) -> str:
            return f"most particles: {int(held[index])} whole ones in the window"

        return as_rois(candidates, take(candidates, self.count, gain), self.count, self.z_um, why)
