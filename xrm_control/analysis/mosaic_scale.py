"""Sizes of a mosaic's particles put right by those that were measured: a shadow reads a little small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xrm_control.analysis.size_classes import MosaicSizes
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle

_PAIRS = 12
"""Fewer say less of the mosaic's sizes than is known without."""

_NEAR = 0.5
"""Of the radius: as far apart may the two views of one particle lie."""

_OUTLIER = 0.2
"""Of ln d: two particles that were taken for one are no error of size."""


def rescaled(whole: Rows, mosaic: MosaicSizes) -> MosaicSizes:
    """The mosaic with its sizes on the scale of whole particles (n,), by a line in ln d through the pairs of both.

    Unchanged where there are too few pairs: places are not on record, or the core tells none on the stage.
    """
    from scipy.spatial import KDTree

    if not len(whole) or len(mosaic.places_um) != len(mosaic.diameters_um) or not mosaic.places_um:
        return mosaic
    own_um = whole.numbers(Particle.equivalent_diameter_um)
    places_um = np.column_stack([whole.numbers(Particle.stage_um[axis]) for axis in "xy"])
    known = np.isfinite(places_um).all(axis=1) & (own_um >= mosaic.smallest_um)
    if not known.any():
        return mosaic
    seen_um = np.array(mosaic.diameters_um)
    away_um, nearest = KDTree(mosaic.places_um).query(places_um[known])
    own, seen = np.log(own_um[known]), np.log(seen_um[nearest])
    close = (away_um <= _NEAR * own_um[known] / 2) & (np.abs(own - seen - np.median(own - seen)) <= _OUTLIER)
    if close.sum() < _PAIRS:
        return mosaic
    slope, level = np.polyfit(seen[close] - seen[close].mean(), (own - seen)[close], 1)
    off = level + slope * (np.log(seen_um) - seen[close].mean())
    # What lies beyond the pairs is put right as their extremes are.
    ends = level + slope * (np.array([seen[close].min(), seen[close].max()]) - seen[close].mean())
    return replace(mosaic, diameters_um=tuple((seen_um * np.exp(np.clip(off, ends.min(), ends.max()))).tolist()))
