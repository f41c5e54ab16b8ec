"""Most particles: the best statistics from the least scanning (the paper's choice for NMC622)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.greedy import Gain
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.ranked import RankedStrategy
from xrm_control.roi.strategy import Windows


class MostParticles(RankedStrategy):
    """The windows that hold the most whole particles, one after the other."""

    kind: Literal["most_particles"] = "most_particles"

    def ranking(self, candidates: Windows, particles: Sequence[Particle2D], named_um: NDArray[np.float64]) -> Gain:
        """See `RankedStrategy.ranking`."""
        held = candidates.whole_counts().astype(float)
        return lambda _: held

    def why(self, candidates: Windows, index: int) -> str:
        """See `RankedStrategy.why`."""
        held = int(candidates.whole(index).sum())
        return f"most particles: {held} whole one{'' if held == 1 else 's'} in the window"
