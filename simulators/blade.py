"""An opaque blade in the plane of the sample, which an actuator brings into the beam."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TILT_DEG = 2.0  # of its edge against the columns; nobody sets it better
_STEPS_PER_PIXEL = math.sqrt(12.0)


def passes(shape: tuple[int, int], pixel_um: float, blur_um: float) -> NDArray[np.float64]:
    """Share of the light that passes (rows, columns) where it is in: none left of the middle, all to its right.

    0.1 mm of tungsten lets e^-500 through at 5.4 keV. blur_um: of the optics, full width at half maximum.
    """
    rows, columns = shape
    down, right = (np.arange(size) - (size - 1) / 2 for size in (rows, columns))
    tilt = math.radians(TILT_DEG)
    beside_um = pixel_um * (right * math.cos(tilt) + down[:, None] * math.sin(tilt))
    sigma_um = math.hypot(blur_um / (2.0 * math.sqrt(2.0 * math.log(2.0))), pixel_um / _STEPS_PER_PIXEL)
    from scipy.special import erf

    return 0.5 * (1.0 + erf(beside_um / (math.sqrt(2.0) * sigma_um)))
