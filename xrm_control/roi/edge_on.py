"""What the beam meets at +-90 degrees, foretold from the mosaic: there it runs along x through the whole strip.

The mosaic gives the path through the powder at every place, and the particles how high it lies: a particle rests on
the tape (z = 0) and reaches as high as it is thick, so that the chord of a sphere lies about the height of its centre.
Of the tape nothing is counted: it lies below z = 0, and the rays through the powder pass over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import SMALLEST_UM, Particle2D
from xrm_control.roi.side_view import SideView
from xrm_control.roi.thickness import thickness_map

Floats = NDArray[np.float64]

_PAD_PX = 1.0
"""The blur carries so much of a particle's shadow beyond its rim."""

_HIGHEST_UM = 500.0
"""A particle that is said to be higher rests on no strip that a microscope turns."""

_LOOSE, _LAYERS, _BED_ROWS_UM = 0.3, 2.0, 20.0
"""Share of a loose bed that is powder (by ballistic deposition 0.28 to 0.37); times as high as most particles are from
which on it is one; and over how many rows it is taken together.
"""

_LEAST_SEEN = 0.1
"""A row of which less was seen tells nothing of the rest."""

_MEETS_UM = 1.0
"""A ray through less powder passes beside it."""


def edge_on(mosaic: MosaicMap, particles: Sequence[Particle2D], mu_per_um: float, strip_width_um: float) -> SideView:
    """The view of the strip from its side. mu_per_um: attenuation of the solid; the strip's middle is at x = 0, unless
    the mosaic lies wholly beside it: then all of the mosaic counts as strip.

    What the mosaic did not see of the strip's width counts as the rest of the same row. Raises DataError for a
    senseless attenuation or width, AnalysisError for a mosaic without a usable pixel.
    """
    for name, value in (("attenuation", mu_per_um), ("strip's width", strip_width_um)):
        if not (math.isfinite(value) and value > 0):
            raise DataError(f"the {name} must be positive", where="mosaic", value=value)
    from scipy import ndimage

    pixel_um = mosaic.pixel_size_um
    image = mosaic.image.astype(np.float64)
    rows, columns = image.shape
    seen = np.isfinite(image)
    chord_um = thickness_map(image, pixel_um, mu_per_um).thickness_um
    found = [p for p in particles if p.peak_thickness_um <= _HIGHEST_UM]
    patches = [_patch(mosaic, particle) for particle in found]
    model = np.zeros(image.shape)
    for place, chords in patches:
        model[place] += chords
    highest_um = max((p.peak_thickness_um for p in found), default=0.0)
    row_of, middle_um, own_um = [], [], []
    for particle, (place, chords) in zip(found, patches, strict=True):
        share = np.divide(chords, model[place], out=np.zeros_like(chords), where=chords > 0)
        part = share * np.maximum(chord_um[place], 0.0)
        at, _ = np.nonzero(part)
        row_of.append(at + place[0].start)
        own_um.append(part[part > 0])
        middle_um.append(np.full(len(at), particle.peak_thickness_um / 2))
    # What goes with no particle lies on the tape.
    rest = (model == 0) & (ndimage.gaussian_filter(chord_um, 2.0) > SMALLEST_UM) & (chord_um > 0)
    rest_um = np.minimum(chord_um[rest], _HIGHEST_UM)
    row_of.append(np.nonzero(rest)[0])
    own_um.append(rest_um)
    middle_um.append(rest_um / 2)
    row, middle, own = (np.concatenate(parts) for parts in (row_of, middle_um, own_um))
    low = np.maximum(middle - own / 2, 0.0) / pixel_um
    high = low + own / pixel_um
    heights = math.ceil(max(highest_um / pixel_um, float(high.max(initial=0.0)))) + 2
    covered = np.zeros(rows * heights)
    # Each chord covers its heights: a step up and a step down, each split between the two heights it lies between.
    for edge, sign in ((low, 1.0), (high, -1.0)):
        whole = np.floor(edge).astype(int)
        part = edge - whole
        for step, weight in ((0, 1 - part), (1, part)):
            covered += np.bincount(row * heights + whole + step, sign * weight, rows * heights)
    path_um = np.cumsum(covered.reshape(rows, heights), axis=1) * pixel_um
    on_strip = np.abs(mosaic.x0_um + np.arange(columns) * pixel_um) <= strip_width_um / 2
    if not on_strip.any():  # a strip beside others on a holder
        on_strip[:] = True
    share = np.minimum((seen & on_strip).sum(axis=1) * pixel_um / strip_width_um, 1.0)
    scale = np.divide(1.0, share, out=np.full(rows, np.nan), where=share >= _LEAST_SEEN)
    reach_um = np.zeros(rows)
    for particle, (place, _) in zip(found, patches, strict=True):
        reach_um[place[0]] = np.maximum(reach_um[place[0]], _tall_um(particle))
    reach_um = np.maximum(reach_um, _bed_um(chord_um, seen & on_strip, pixel_um, found))
    return SideView(mu_per_um * path_um * scale[:, None], pixel_um, mosaic.y_um[0], mu_per_um * _MEETS_UM, reach_um)


def _bed_um(chord_um: Floats, seen: NDArray[np.bool_], pixel_um: float, found: Sequence[Particle2D]) -> Floats:
    """(rows,): how high powder that lies in several layers may reach, 0 where it lies in one: as high as a loose bed
    of as much of it."""
    from scipy import ndimage

    if not found:
        return np.zeros(len(chord_um))
    rows = _BED_ROWS_UM / pixel_um
    sums, counts = (
        ndimage.gaussian_filter1d(np.where(seen, one, 0.0).sum(axis=1), rows)
        for one in (np.maximum(chord_um, 0.0), np.ones_like(chord_um))
    )
    loose_um = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0) / _LOOSE
    usual_um = float(np.percentile([one.peak_thickness_um for one in found], 90))
    return np.where(loose_um > _LAYERS * usual_um, loose_um + 2.0 * usual_um, 0.0)


def _tall_um(particle: Particle2D) -> float:
    """How high it may reach: what one view does not show of it is taken to be no longer than what it shows."""
    long_um = 0.0 if particle.fit is None else particle.fit.long_um
    return max(particle.peak_thickness_um, particle.equivalent_diameter_um, long_um)


def _patch(mosaic: MosaicMap, particle: Particle2D) -> tuple[tuple[slice, slice], Floats]:
    """Where a particle's shadow lies in the mosaic, and the chords of a sphere of its size there, um."""
    pixel_um, (rows, columns) = mosaic.pixel_size_um, mosaic.image.shape
    reach_um = particle.equivalent_diameter_um / 2 + _PAD_PX * pixel_um
    column, row = (particle.x_um - mosaic.x0_um) / pixel_um, (particle.y_um - mosaic.y0_um) / pixel_um
    reach = reach_um / pixel_um
    r, c = (
        slice(max(0, math.ceil(at - reach)), max(0, min(size, math.floor(at + reach) + 1)))
        for at, size in ((row, rows), (column, columns))
    )
    y, x = np.ogrid[r, c]
    return (r, c), 2 * np.sqrt(np.maximum(reach_um**2 - ((x - column) ** 2 + (y - row) ** 2) * pixel_um**2, 0.0))
