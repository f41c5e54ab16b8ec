"""Particles as the mosaic shows them, each with what its fit says of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import HOLLOW, SKEW, STRETCH, Bodies, Shape
from xrm_control.roi.fit_errors import FitErrors

ALONE = 0.05
"""Others above a particle, mean over its shadow, below which it lies alone."""

_CLEAN = 1.4
"""Chi-squared for each pixel within the rim up to which one body explains what is there."""

_NEAR_SMALLEST = 1.4
"""Times the smallest diameter: below, phantoms are not rare."""


@dataclass(frozen=True)
class Fit2D:
    """What a particle was taken for, and how well that is known; lengths in um, each `_u` a standard uncertainty of the
    fit alone (the mosaic's own places and pixel come on top).

    shape: sphere, ellipsoid or shell; long_um, short_um: axes of its shadow, the long one at azimuth_deg from x towards
    y (0 to 180); hollow: inner over outer size, 0 where it is no shell; overlap: how many others lie over it, mean over
    its shadow; left: chi-squared for each pixel within its rim; certain: counted with certainty, as it lies alone, is
    explained by one body, is not among the smallest, not cut, and where particles can be counted.
    """

    shape: str
    x_u_um: float
    y_u_um: float
    diameter_u_um: float
    long_um: float
    long_u_um: float
    short_um: float
    short_u_um: float
    azimuth_deg: float
    peak_thickness_u_um: float
    hollow: float
    overlap: float
    left: float
    certain: bool


@dataclass(frozen=True)
class Particle2D:
    """One particle of the mosaic, stage um.

    equivalent_diameter_um: of the sphere of the same volume; peak_thickness_um: its own longest chord along the beam,
    without what lies above or beneath it; touches_edge: cut by the mosaic's edge or by a place that was not seen; fit:
    None where none was made; void_score: how far its radiograph speaks for a void in it, in standard deviations
    (`void_scores`), None where that says nothing.
    """

    x_um: float
    y_um: float
    equivalent_diameter_um: float
    peak_thickness_um: float
    touches_edge: bool
    fit: Fit2D | None = None
    void_score: float | None = None

    @property
    def half_um(self) -> tuple[float, float]:
        """How far its shadow reaches from its middle along x and along y: of a needle or a flake another length than
        half of its diameter.
        """
        if self.fit is None:
            return self.equivalent_diameter_um / 2, self.equivalent_diameter_um / 2
        a = np.radians(self.fit.azimuth_deg)
        along, across = self.fit.long_um / 2, self.fit.short_um / 2
        return float(np.hypot(along * np.cos(a), across * np.sin(a))), float(
            np.hypot(along * np.sin(a), across * np.cos(a))
        )


def sightings(
    bodies: Bodies,
    errors: FitErrors,
    crowding: NDArray[np.float64],
    edges: NDArray[np.bool_],
    countable: NDArray[np.bool_],
    voids: NDArray[np.float64],
    pixel_um: float,
    corner_um: tuple[float, float],
    smallest_um: float,
) -> tuple[Particle2D, ...]:
    """From top to bottom. crowding, edges, countable: (n,), how many others lie over each, whether it is cut, and
    whether particles can be counted there; voids: (n,) their void scores, NaN for none; corner_um: centre of the first
    pixel.
    """
    x_um, y_um = bodies.middles_um(corner_um, pixel_um)
    found: list[Particle2D] = []
    for i, p in enumerate(bodies.table):
        m = float(np.hypot(p[STRETCH], p[SKEW]))
        across_um = 2 * float(bodies.radius[i]) * pixel_um
        diameter_um = float(bodies.diameter[i]) * pixel_um
        clean = errors.left[i] < _CLEAN and crowding[i] < ALONE and countable[i]
        fit = Fit2D(
            shape=Shape(int(bodies.shape[i])).name.lower(),
            x_u_um=float(errors.column[i]) * pixel_um,
            y_u_um=float(errors.row[i]) * pixel_um,
            diameter_u_um=float(errors.diameter[i]) * pixel_um,
            long_um=across_um * float(np.exp(m)),
            long_u_um=float(errors.long[i]) * pixel_um,
            short_um=across_um * float(np.exp(-m)),
            short_u_um=float(errors.short[i]) * pixel_um,
            azimuth_deg=float(np.degrees(0.5 * np.arctan2(p[SKEW], p[STRETCH])) % 180.0),
            peak_thickness_u_um=float(errors.chord[i]) * pixel_um,
            hollow=float(p[HOLLOW]) if bodies.shape[i] == Shape.SHELL else 0.0,
            overlap=float(crowding[i]),
            left=float(errors.left[i]),
            certain=bool(clean and not edges[i] and diameter_um >= _NEAR_SMALLEST * smallest_um),
        )
        found.append(
            Particle2D(
                x_um=float(x_um[i]),
                y_um=float(y_um[i]),
                equivalent_diameter_um=diameter_um,
                peak_thickness_um=float(bodies.chord[i]) * pixel_um,
                touches_edge=bool(edges[i]),
                fit=fit,
                void_score=None if edges[i] or not np.isfinite(voids[i]) else float(voids[i]),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.y_um, one.x_um)))
