"""Shapes of particles by their habit, for a diameter of the sphere of the same volume (before planes cut it)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simulators.powders.base import Habit, Powder
from simulators.shapes import ShapeSpec

FINE_CELL_UM = 0.75


def shape_of(
    habit: Habit, powder: Powder, difficulty: float, diameter_um: float, draw: np.random.Generator
) -> ShapeSpec:
    """A particle of that habit; its coarser roughness and departure from a sphere grow with difficulty."""
    random, defects = draw.standard_normal(13), powder.defects
    stray = draw.uniform(0.0, 0.04 + difficulty * defects.elongation)
    skew = draw.uniform(-1.0, 1.0) * (0.015 + difficulty * defects.skew)
    # Of small particles less than the whole: their surface stays about their centre.
    small = min(1.0, diameter_um / 5.0)
    base = ShapeSpec(
        0.5 * diameter_um,
        stray,
        skew,
        small * powder.roughness_um,
        FINE_CELL_UM,
        random,
        lumps_um=small * min(difficulty, 1.0 + 0.5 * (difficulty - 1.0)) * defects.lumps_um,
        lump_cell_um=defects.lump_cell_um,
    )
    return _HABITS[habit](base, draw)


def _sphere(base: ShapeSpec, draw: np.random.Generator) -> ShapeSpec:
    return base


def _superellipsoid(base: ShapeSpec, semi: tuple[float, float, float], exponent: float) -> ShapeSpec:
    """With the volume of the sphere: 8 a b c Gamma(1 + 1/p)^3 / Gamma(1 + 3/p)."""
    volume = 8.0 * math.prod(semi) * math.gamma(1.0 + 1.0 / exponent) ** 3 / math.gamma(1.0 + 3.0 / exponent)
    factor = (4.0 / 3.0 * math.pi / volume) ** (1.0 / 3.0)
    return replace(base, semi=(factor * semi[0], factor * semi[1], factor * semi[2]), exponent=exponent)


def _plate(base: ShapeSpec, draw: np.random.Generator) -> ShapeSpec:
    return _superellipsoid(base, (1.0, draw.uniform(0.6, 1.0), draw.uniform(0.25, 0.45)), draw.uniform(3.0, 6.0))


def _rod(base: ShapeSpec, draw: np.random.Generator) -> ShapeSpec:
    thin = draw.uniform(0.33, 0.55)
    return _superellipsoid(base, (1.0, thin, thin * draw.uniform(0.8, 1.0)), draw.uniform(2.2, 4.0))


def _dumbbell(base: ShapeSpec, draw: np.random.Generator) -> ShapeSpec:
    """Two fused spheres; where they meet is the centre, so that both hold it."""
    ratio, apart = draw.uniform(0.7, 1.0), draw.uniform(0.75, 0.92)
    radius_um = base.radius_um * (2.0 / (1.0 + ratio**3)) ** (1.0 / 3.0) * 0.82
    lobes = ((apart * radius_um, 0.0, 0.0, radius_um), (-apart * ratio * radius_um, 0.0, 0.0, ratio * radius_um))
    return replace(base, lobes=lobes)


def _fragment(base: ShapeSpec, draw: np.random.Generator) -> ShapeSpec:
    """A body cut by some planes; enlarged, so that what is left is about as large as was asked for."""
    normals = draw.standard_normal((int(draw.integers(2, 6)), 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    larger = 1.0 + 0.06 * len(normals)
    at_um = base.radius_um * larger * draw.uniform(0.3, 0.8, len(normals))
    planes = tuple(
        (float(n[0]), float(n[1]), float(n[2]), float(distance)) for n, distance in zip(normals, at_um, strict=True)
    )
    return replace(base, radius_um=larger * base.radius_um, planes=planes)


_HABITS: dict[Habit, Callable[[ShapeSpec, np.random.Generator], ShapeSpec]] = {
    "sphere": _sphere,
    "plate": _plate,
    "rod": _rod,
    "dumbbell": _dumbbell,
    "fragment": _fragment,
}
