"""Varied sizes: windows whose particles span the sample's sizes (the paper's choice for NMC811)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.roi.greedy import Gain
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.ranked import RankedStrategy
from xrm_control.roi.strategy import Limits, Windows, whole_inside

# Windows differ little in worth; what counts by halves at the rim and between two classes makes the same choice twice.
_SOFT_UM = 1.5


class VariedSizes(RankedStrategy):
    """Windows that together fill the size classes of the whole mosaic.

    Classes are equally wide in log diameter, between the 1st and the 99th percentile; a particle between the middles of
    two classes counts for both, by its distance. A class with n whole particles
    counts n / (n + 1): the first particle of a size is worth as much as all that follow. That sum is submodular, which
    makes taking the best window each time a good choice (Nemhauser, Wolsey and Fisher 1978).
    """

    kind: Literal["varied_sizes"] = "varied_sizes"
    count: int = Field(default=4, ge=1, le=99, description="how many regions to scan at most, those of `must` included")
    classes: int = Field(default=6, ge=2, le=50, description="size classes, from the smallest particle to the largest")

    def candidates(
        self,
        particles: Sequence[Particle2D],
        mosaic: MosaicMap,
        fov_um: float,
        limits: Limits,
        soft_um: float = _SOFT_UM,
    ) -> Windows:
        """See `RoiStrategy.candidates`."""
        return super().candidates(particles, mosaic, fov_um, limits, soft_um)

    def ranking(self, candidates: Windows, particles: Sequence[Particle2D], named_um: NDArray[np.float64]) -> Gain:
        """See `RankedStrategy.ranking`."""
        share = self._classes(candidates)
        held = np.column_stack([candidates.held(share[:, k]) for k in range(self.classes)])
        named = whole_inside(particles, named_um[:, :2], candidates.fov_um, self.margin_um, z_um=named_um[:, 2]).astype(
            float
        )
        start = (named @ share).sum(axis=0)

        def gain(taken: Sequence[int]) -> NDArray[np.float64]:
            before = start + held[list(taken)].sum(axis=0)
            after = before + held
            return (after / (after + 1)).sum(axis=1) - (before / (before + 1)).sum()

        return gain

    def why(self, candidates: Windows, index: int) -> str:
        """See `RankedStrategy.why`."""
        whole = candidates.whole(index)
        inside = candidates.diameters_um[whole]
        row, column = divmod(int(candidates.place[index]), len(candidates.inside_x))
        counted = candidates.inside_y[row] * candidates.inside_x[column]
        filled = int((counted @ self._classes(candidates) > 0.5).sum())
        return (
            f"varied sizes: {inside.size} whole particles of {inside.min():.1f} to {inside.max():.1f} um, "
            f"{filled} of {self.classes} size classes"
        )

    def _classes(self, candidates: Windows) -> NDArray[np.float64]:
        """(particles, classes): how much each particle counts for each class; rows add up to 1."""
        sizes = np.log(candidates.diameters_um)
        # Particles that no window can hold whole, and the odd extreme, would only stretch the scale.
        reachable = sizes[candidates.inside_x.any(axis=0) & candidates.inside_y.any(axis=0)]
        smallest, largest = np.percentile(reachable, (1, 99))
        return _shares(sizes, smallest, largest, self.classes)


def _shares(sizes: NDArray[np.float64], smallest: float, largest: float, classes: int) -> NDArray[np.float64]:
    """(particles, classes): how much each particle counts for each class; rows add up to 1."""
    width = max(largest - smallest, 1e-12) / classes
    place = np.clip((sizes - smallest) / width - 0.5, 0.0, classes - 1.0)
    return np.clip(1.0 - np.abs(place[:, None] - np.arange(classes)), 0.0, 1.0)
