"""The level of the bare tape in a map of paths: which of the peaks of its histogram it is.

The lowest sharp peak is the tape's, but for two cases: open beam beside the strip fills whole columns, and the floors
of air bubbles are islands in a tape that goes on between them, farther than any particle does, and as flat.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_THICKEST_TAPE = 7.0
"""Of the thickest tape with its adhesive, in drifts: 0.5 of optical depth, 80 um of Kapton and 30 um of silicone at 5.4
keV.
"""

_LEAST_PEAK = 0.1
"""Height over the highest peak's of one that counts: in a dense layer there is little bare tape."""

_GOES_ON_UM, _GOES_ON_SHARE = 75.0, 0.9
"""What is as wide as this, or as this share of the map's shorter side, is no particle."""

_LEAST_AREA = 0.05
"""Of the map, that such a level covers."""

_FLAT_PX, _FLAT, _MEDIAN_OF_NOISE = 4, 1.5, 0.6745
"""Flat is what differs over so many pixels by no more than so many times the noise."""


def tape_level(smooth: Floats, seen: Mask, drift_um: float, noise: float, pixel_size_um: float) -> float:
    """smooth: path in um (rows, columns), averaged a little; drift_um: by how much the light may be off, as path;
    noise: standard deviation of a pixel of `smooth`.

    In a dense layer of like particles their longest chord makes a sharp peak as well, and a higher one: the flats say
    how much the tape can hold back, and that is no tape.
    """
    from scipy import ndimage

    values = smooth[seen]
    thickest = _THICKEST_TAPE * drift_um
    low, high = np.percentile(values, (0.1, 80))
    if high - low < 1e-6:
        return min(float(np.median(values)), thickest)
    counts, edges = np.histogram(values, bins=200, range=(low, high))
    counts = ndimage.gaussian_filter1d(counts.astype(float), 2.0)
    peaks = (counts == ndimage.maximum_filter1d(counts, 15)) & (counts >= _LEAST_PEAK * counts.max())
    levels = (edges[:-1] + (edges[1] - edges[0]))[peaks]
    levels = levels[levels <= thickest]
    if not len(levels):
        return float(min(np.percentile(values, 1), thickest))
    if len(levels) > 1 and abs(levels[0]) < drift_um and _beside(np.abs(smooth - levels[0]) < drift_um, seen):
        levels = levels[1:]
    # Bubbles that run into each other go on as well; what there is most of is the tape.
    areas = [_going_on(smooth, seen, float(level), drift_um / 2, noise, pixel_size_um) for level in levels]
    return float(levels[int(np.argmax(areas))])


def _beside(bare: Mask, seen: Mask) -> bool:
    """Whether these pixels fill whole columns, as beside a strip, and not the gaps between particles."""
    bare = bare & seen
    share = bare.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return bool(bare[:, share > 0.8].sum() > 0.8 * bare.sum())


def _going_on(smooth: Floats, seen: Mask, level: float, reach: float, noise: float, pixel_size_um: float) -> int:
    """Pixels at this level that hang together over more than a particle's width, and are flat; 0 where none are."""
    from scipy import ndimage

    at = seen & (np.abs(smooth - level) < reach)
    labels = np.zeros(at.shape, np.int32)
    ndimage.label(at, np.ones((3, 3)), output=labels)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    widest = int(sizes.argmax())
    if sizes[widest] < _LEAST_AREA * seen.sum():
        return 0
    rows, columns = ndimage.find_objects(labels)[widest - 1]
    extent_um = max(rows.stop - rows.start, columns.stop - columns.start) * pixel_size_um
    if extent_um < min(_GOES_ON_UM, _GOES_ON_SHARE * min(at.shape) * pixel_size_um):
        return 0
    own = labels == widest
    differences = np.concatenate([
        np.abs(smooth[_FLAT_PX:] - smooth[:-_FLAT_PX])[own[_FLAT_PX:] & own[:-_FLAT_PX]],
        np.abs(smooth[:, _FLAT_PX:] - smooth[:, :-_FLAT_PX])[own[:, _FLAT_PX:] & own[:, :-_FLAT_PX]],
    ])  # fmt: skip
    flat = np.median(differences) < _FLAT * _MEDIAN_OF_NOISE * np.sqrt(2) * noise
    return int(sizes[widest]) if flat else 0
