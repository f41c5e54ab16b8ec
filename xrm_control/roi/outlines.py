"""Where there may be bodies, from outlines alone: matter that hangs together, and the largest circles that it holds.

Filters (`whitening`) are blind where one body is most of what there is: its own spectrum is then the ground from which
it must stand out, and a few pixels of its rim stand out further. An outline asks nothing about what lies within, so a
shell or a flake as large as the picture is proposed like any other. Lengths in this module are pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import FACTOR, Bodies

Floats = NDArray[np.float64]

_SMOOTH = 1.0
_STANDS_OUT = 5.0
"""Of the smoothed map's noise."""

_LEAST_CHORD = 1.5
"""Thinner matter has no outline."""

_FILLED = 0.85
"""Least share of the ellipse of the same moments that a component must fill (and its inverse the most)."""

_MOST_STRETCH = 0.6


def outlined(residual: Floats, weight: Floats, smallest: float, largest: float) -> Bodies:
    """Ellipses of what hangs together, then circles about the middles of what is left, largest first.

    residual: chords not yet explained, (rows, columns); weight: 1 / variance; smallest, largest: diameters to propose.
    """
    from scipy import ndimage

    seen = weight > 0
    # The noise is the bare map's: beneath a body the weight holds the model's own error.
    noise = float(weight.max(initial=0.0) ** -0.5) if seen.any() else 0.0
    least = max(_LEAST_CHORD, _STANDS_OUT * noise / (2 * np.sqrt(np.pi) * _SMOOTH))
    matter = seen & (ndimage.gaussian_filter(np.where(seen, residual, 0.0), _SMOOTH) > least)
    matter = np.asarray(ndimage.binary_fill_holes(matter), bool)
    labels = np.zeros(matter.shape, np.int32)
    ndimage.label(matter, output=labels)
    windows: list[tuple[slice, slice]] = ndimage.find_objects(labels)
    found = [_ellipse(labels, number, window) for number, window in enumerate(windows, 1)]
    whole = np.array([p for p in found if p is not None]).reshape(-1, 5)
    inside = np.asarray(ndimage.distance_transform_edt(matter), float)
    smooth = ndimage.gaussian_filter(inside, 1.0)
    row, column = np.nonzero((smooth == ndimage.maximum_filter(smooth, size=5)) & (inside >= smallest / 2))
    circles = np.zeros((len(row), 5))
    circles[:, 0], circles[:, 1], circles[:, 2] = column, row, inside[row, column]
    every = np.vstack((whole, circles[np.argsort(-circles[:, 2], kind="stable")]))
    every = every[(2 * every[:, 2] >= smallest) & (2 * every[:, 2] <= largest)]
    form = np.column_stack((every[:, 3:], np.zeros(len(every))))
    bodies = Bodies.spheres(every[:, 0], every[:, 1], every[:, 2], form)
    # How thick they are is seen at their middle.
    for p in bodies.table:
        r, c = (min(max(round(float(at)), 0), size - 1) for at, size in zip(p[[1, 0]], residual.shape, strict=True))
        p[FACTOR] = float(np.clip(residual[r, c] / (2 * np.exp(p[2])), 0.25, 1.7))
    return bodies


def _ellipse(labels: NDArray[np.int32], number: int, window: tuple[slice, slice]) -> tuple[float, ...] | None:
    """The ellipse of a component's moments (column, row, radius, two of elongation); None where it does not fill it."""
    row, column = np.nonzero(labels[window] == number)
    area = len(row)
    if area < 12:
        return None
    y, x = float(row.mean()), float(column.mean())
    xx, yy, xy = float(column.var()), float(row.var()), float(((column - x) * (row - y)).mean())
    minor = (xx + yy) / 2 - float(np.hypot((xx - yy) / 2, xy))
    major = xx + yy - minor
    if minor <= 0:
        return None
    filled = area / (4 * np.pi * np.sqrt(major * minor))
    stretch = 0.25 * float(np.log(major / minor))
    if not _FILLED < filled < 1 / _FILLED or stretch > _MOST_STRETCH:
        return None
    angle = 0.5 * float(np.arctan2(2 * xy, xx - yy))
    form = stretch * np.cos(2 * angle), stretch * np.sin(2 * angle)
    return x + window[1].start, y + window[0].start, float(np.sqrt(area / np.pi)), *(float(value) for value in form)
