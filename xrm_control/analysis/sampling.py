"""How likely a particle of this size is whole in the reconstructed cylinder, and the weight that undoes it.

Miles (1974) and Lantuejoul (1980): a window sees a large particle whole less often than a small one. In the powder
layer (plane x, z of the volume frame) the window at depth y is a rectangle; a particle is whole when its centre lies
in the rectangle drawn in by its radius.
"""

from __future__ import annotations

import math


def whole_probability(
    diameter_um: float, y_um: float, half_width_um: float, half_height_um: float
) -> tuple[float, float]:
    """Share of the field of view (2 half_width x 2 half_height) where its centre may lie, and the share's derivative.

    The derivative is by the diameter, in 1/um; for y_um = 0 the share is (1 - d / FOV)^2. Zero where nothing fits.
    """
    share = _share(diameter_um, y_um, half_width_um, half_height_um)
    step = 1e-3 * diameter_um
    slope = (_share(diameter_um + step, y_um, half_width_um, half_height_um) - share) / step
    return share, slope


def _share(diameter_um: float, y_um: float, half_width_um: float, half_height_um: float) -> float:
    radius = diameter_um / 2
    across = (half_width_um - radius) ** 2 - y_um**2
    if across <= 0 or half_width_um <= radius or half_height_um <= radius:
        return 0.0
    return math.sqrt(across) / half_width_um * (half_height_um - radius) / half_height_um


def whole_in_box(diameter_um: float, halves_um: tuple[float, float, float]) -> tuple[float, float]:
    """The same for a box of these half widths along x, y and z, in which centres may lie but for the radius."""

    def share(diameter: float) -> float:
        return math.prod(max(0.0, (half - diameter / 2) / half) if half > 0 else 0.0 for half in halves_um)

    step = 1e-3 * diameter_um
    return share(diameter_um), (share(diameter_um + step) - share(diameter_um)) / step
