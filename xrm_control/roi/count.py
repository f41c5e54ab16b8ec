"""How far the particles found in a mosaic account for what it shows: whether they can be counted at all.

One view from above cannot tell many layers apart, nor a bubble from a particle. Two figures tell most of what goes
wrong, on the mosaics of another generator (`python -m benchmarks.finding`) as on the simulator's: what is left over
smoothly, and how much the particles lie over each other. Wrinkles and bubbles among many particles, and hairs, show in
neither. What is left over in units of the noise tells less: it grows with the light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Mosaics whose particles are found reach 0.085 and 1.35, single tiles and 84 % of cover among them.
_MOST_UNEVEN, _MOST_OVERLAP = 0.1, 1.4
_SMOOTH_PX = 3.0
_SHADOW_PX, _MATTER_PX = 0.5, 4.0


@dataclass(frozen=True)
class Count:
    """uneven: mean size of what is left over when it is smoothed, over the mean thickness where there is matter;
    overlap: mean number of particles above each other where there is one.
    """

    uneven: float = 0.0
    overlap: float = 1.0

    @property
    def doubt(self) -> str:
        """Why the particles cannot be counted; "" where nothing speaks against it."""
        if self.uneven > _MOST_UNEVEN:
            share, limit = (f"{100 * value:.0f} %" for value in (self.uneven, _MOST_UNEVEN))
            causes = "many layers, wrinkles, bubbles, uneven tiles?"
            return f"{share} of the thickness goes with no particle, limit {limit}: {causes}"
        if self.overlap > _MOST_OVERLAP:
            return f"{self.overlap:.1f} particles lie above each other on average, limit {_MOST_OVERLAP:g}"
        return ""


def judged(chords: NDArray[np.float64], seen: NDArray[np.bool_], shadow: NDArray[np.float64], area: float) -> Count:
    """chords, shadow (rows, columns): thickness as mapped, and as the particles make it, in pixels; seen: where it was.

    area: of all particles, as far as they lie in the mosaic, in square pixels.
    """
    from scipy import ndimage

    residual = np.where(seen, chords - shadow, 0.0)
    matter = seen & ((shadow > 1.0) | (chords > _MATTER_PX))
    if not matter.any():
        return Count()
    covered = int((seen & (shadow > _SHADOW_PX)).sum())
    thickness = float(chords[matter].mean())
    smooth = float(np.abs(ndimage.gaussian_filter(residual, _SMOOTH_PX)[matter]).mean())
    return Count(
        uneven=smooth / thickness if thickness > 0 else float("inf"),
        overlap=max(1.0, area / covered) if covered else 1.0,
    )
