"""What a radiograph says of voids in each particle: how much of it is missing somewhere within its own outline.

A solid ellipsoid of the particle's outline is fitted, and what is left over searched for the shadow of a sphere that is
not there: a matched filter (Turin 1960) over places and sizes, made blind to whatever height, place and form of the
body could explain (generalised least squares), in units of the noise. That is the photons', and the texture of rough
surfaces, as strong as the bodies of this mosaic show it.

A score is no finding: a small void in a large particle has none, a dent looks like one. It is of use beside particles
of which the truth is known (`analysis.double_sampling`). Lengths are pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import Bodies

Floats = NDArray[np.float64]

_DIAMETERS_UM = (1.5, 2.0, 2.6, 3.4, 4.4, 5.8)
"""Voids that are looked for; a filter of a third more or less loses little."""

_ROUGH = 0.03
"""How far a solid particle's chord is from an ellipsoid's over large parts of it, relative."""

_LEAST_TEXTURE = 0.02
"""Square of pixels: less is not to be told from the error of the model."""

_SOFT_PX2 = 0.1
_LEAST_SEEN = 0.75
"""Share of a body under no other, below which nothing is said of it."""


def void_scores(residual: Floats, variance: Floats, above: Floats, bodies: Bodies, pixel_um: float) -> Floats:
    """(n,) for bodies, in standard deviations; NaN for those that lie under others, and where too little was seen.

    residual: chords less the shadows of all bodies, (rows, columns); variance: of the photons' noise, infinite where
    nothing was seen; above: how many bodies lie over each pixel.
    """
    from xrm_control.roi import void_kernels as kernels

    if not len(bodies):
        return np.zeros(0)
    found = np.array([kernels.excess(residual, variance, above, p, _ROUGH) for p in bodies.table])
    known = found[np.isfinite(found)]
    texture = max(_LEAST_TEXTURE, float(np.median(known)) if len(known) else 0.0)
    radii = np.array(_DIAMETERS_UM) / 2 / pixel_um
    return np.array(
        [
            kernels.score(residual, variance, above, p, radii, texture, _ROUGH, _SOFT_PX2, _LEAST_SEEN)
            for p in bodies.table
        ]
    )
