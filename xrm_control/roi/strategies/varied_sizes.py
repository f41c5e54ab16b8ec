"""Varied sizes: windows whose particles span the sample's sizes (the paper's choice for NMC811)."""

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


class VariedSizes(RoiStrategy):
    """Windows that together fill the size classes of the whole mosaic.

    Classes are equally wide in log diameter, between the 1st and the 99th percentile. A class with n whole particles
    counts n / (n + 1): the first particle of a size is worth as much as all that follow. That sum is submodular, which
    makes taking the best window each time a good choice (Nemhauser, Wolsey and Fisher 1978).
    """

    kind: Literal["varied_sizes"] = "varied_sizes"
    count: int = Field(default=4, ge=1, le=99, description="how many regions to scan")
    classes: int = Field(default=6, ge=2, le=50, description="size classes, from the smallest particle to the largest")

    def choose(
        self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits
    ) -> tuple[Roi, ...]:
        """See `RoiStrategy.choose`."""
        self.check(limits, fov_um)
        candidates = windows(particles, mosaic, fov_um, limits, self.margin_um)
        sizes = np.log(candidates.diameters_um)
        # Particles that no window can hold whole, and the odd extreme, would only stretch the scale.
        reachable = sizes[candidates.inside_x.any(axis=0) & candidates.inside_y.any(axis=0)]
        smallest, largest = np.percentile(reachable, (1, 99))
        edges = np.linspace(smallest, largest, self.classes + 1)
        classes = np.clip(np.searchsorted(edges, sizes, side="right") - 1, 0, self.classes - 1)
        held = np.column_stack([candidates.held(classes == k) for k in range(self.classes)])

        def gain(taken: Sequence[int]) -> NDArray[np.float64]:
            before = held[list(taken)].sum(axis=0)
            after = before + held
            return (after / (after + 1)).sum(axis=1) - (before / (before + 1)).sum()

        def why(index: int) -> str:
            inside = candidates.diameters_um[candidates.whole(index)]
            filled = int((held[index] > 0).sum())
            return (
                f"varied sizes: {inside.size} whole particles of {inside.min():.1f} to {inside.max():.1f} um, "
                f"{filled} of {self.classes} size classes"
            )

        return as_rois(candidates, take(candidates, self.count, gain), self.count, self.z_um, why)
