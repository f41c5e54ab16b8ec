"""How well the fit of a body to the map of chords knows it: standard uncertainties from Fisher's information.

To what noise leaves open are added: what the shape assumed beforehand draws the fit by, what is not known of the tape's
level, the model's own error, and that of a body which shares its shadow. `python -m benchmarks.mosaic_intervals` holds
them against mosaics of known truth. Lengths are pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import FACTOR, HOLLOW, SIZE, SKEW, STRETCH, Bodies, Shape, beforehand

Floats = NDArray[np.float64]

_FLOORS = np.array([0.01, 0.01, 0.05, 0.05, 0.05, 0.08])
"""The model's own error, whatever the light: of column, row, diameter, axes and chord."""

_OF_LEVEL = 0.45
"""What is left of an error of the tape's level that was put right, relative."""

_OF_GROUND = 0.7
"""What is left of a ridge or a bubble's floor that was taken off, relative, and of its slope over a body."""

_SHELL = 0.25
"""Of a shell's height, relative, times the third power of its hollow: wall and height are told apart by little."""

_VOID_UM = 2.0
"""Size of a void that goes unseen in what is taken for solid: the shadow is as much lighter."""

_SHARED_PLACE, _SHARED_SIZE = 0.08, 0.2
"""Of a body wholly beneath others: error of its middle over its radius, and of its lengths, relative."""


@dataclass(frozen=True)
class FitErrors:
    """Standard uncertainties of n bodies, each (n,): of the middle's column and row, the diameter of the same volume,
    the long and the short axis of the shadow and the longest chord. left: chi-squared for each pixel within the rim.
    """

    column: Floats
    row: Floats
    diameter: Floats
    long: Floats
    short: Floats
    chord: Floats
    left: Floats


def fit_errors(
    residual: Floats,
    weight: Floats,
    bodies: Bodies,
    blur_px: float,
    crowding: Floats,
    alone: NDArray[np.bool_],
    level: Floats,
    ground: Floats,
    pixel_um: float,
) -> FitErrors:
    """residual: what all bodies leave over, (rows, columns); weight: 1 / variance; crowding (n,): how many others lie
    over each; alone (n,): as of `measured`; level (n,): by how much the tape's level was put right there; ground
    (n,): by how much the ridge or bubble beneath it was.
    """
    from xrm_control.roi import fit_kernels as kernels

    found = np.zeros((len(bodies), 7))
    for i, p in enumerate(bodies.table):
        normal, shift = np.zeros((7, 7)), np.zeros((3, 7))
        mean, precision = beforehand(Shape(bodies.shape[i]), alone=bool(alone[i]))
        found[i, 6] = kernels.information(residual, weight, p, blur_px, normal, shift)
        covariance = np.linalg.inv(normal + np.diag(precision) + 1e-9 * np.eye(7))
        # A body is drawn to what was known beforehand of its form (not of its place and size).
        drawn = covariance @ (precision * (p - mean))
        level_off = covariance @ shift[0] * (_OF_LEVEL * level[i])
        # Of a ridge or a bubble beneath it neither height nor place is known well.
        ground_off = covariance @ shift.T * (_OF_GROUND * ground[i])
        form = float(np.sqrt(covariance[[STRETCH, SKEW], [STRETCH, SKEW]].mean()))
        longer = float(np.hypot(p[STRETCH], p[SKEW]))
        # Noise makes of a circle an ellipse: the longer axis is then too long, the shorter one too short.
        ordered = form * min(1.0, form / max(2 * longer, 1e-9))
        hollow = _SHELL * p[HOLLOW] ** 3 if bodies.shape[i] == Shape.SHELL else 0.0
        wide = hollow / 4
        if bodies.shape[i] != Shape.SHELL:
            hollow = (_VOID_UM / pixel_um / float(bodies.diameter[i])) ** 3
        own = np.array([0, 0, hollow / 3, np.hypot(ordered, wide), ordered, hollow])
        floors = _FLOORS * np.array([1, 1, 1, np.exp(2 * longer), 1, 1])
        for k, of in enumerate(_gradients(p)):
            size = float(np.exp(p[SIZE])) if k < 2 else abs(of[SIZE])
            shared = min(crowding[i], 1.0) * (_SHARED_PLACE if k < 2 else _SHARED_SIZE)
            found[i, k] = np.sqrt(
                of @ covariance @ of
                + (of @ drawn) ** 2
                + (of @ level_off) ** 2
                + ((of @ ground_off) ** 2).sum()
                + (size * shared) ** 2
                + (size * own[k]) ** 2
                + floors[k] ** 2
            )
    return FitErrors(*found.T)


def _gradients(p: Floats) -> tuple[Floats, ...]:
    """Of column, row, diameter, long and short axis, and chord, by the body's parameters."""
    radius, factor = float(np.exp(p[SIZE])), p[FACTOR]
    m = float(np.hypot(p[STRETCH], p[SKEW]))
    along = p[[STRETCH, SKEW]] / m if m > 1e-9 else np.array([1.0, 0.0])
    diameter, chord = 2 * radius * float(np.cbrt(factor)), 2 * radius * factor
    long, short = 2 * radius * np.exp(m), 2 * radius * np.exp(-m)
    rows = np.zeros((6, 7))
    rows[0, 0] = rows[1, 1] = 1.0
    rows[2, [SIZE, FACTOR]] = diameter, diameter / (3 * factor)
    rows[3, SIZE], rows[3, [STRETCH, SKEW]] = long, long * along
    rows[4, SIZE], rows[4, [STRETCH, SKEW]] = short, -short * along
    rows[5, [SIZE, FACTOR]] = chord, chord / factor
    return tuple(rows)
