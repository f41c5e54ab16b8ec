"""Bodies of known volume and area, drawn without the product: partial voxels by supersampling, then blur and noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, ndimage

VOXEL_UM, MU, BLUR_VOXELS, NOISE = 0.5, 0.05, 0.8, 0.003
_FINE = 4

Points = NDArray[np.float64]
Inside = Callable[[Points, Points, Points], NDArray[np.bool_]]


@dataclass(frozen=True)
class Body:
    """inside(x, y, z) in um; volume and area of its outer surface; pores: volumes of its voids, largest first."""

    inside: Inside
    volume_um3: float
    area_um2: float
    bounds_um: tuple[float, ...]
    pores: tuple[float, ...] = ()


def ball(x: float, y: float, z: float, radius: float) -> Body:
    """A sphere."""
    return Body(
        lambda u, v, w: (u - x) ** 2 + (v - y) ** 2 + (w - z) ** 2 <= radius**2,
        4 / 3 * np.pi * radius**3,
        4 * np.pi * radius**2,
        (x - radius, y - radius, z - radius, x + radius, y + radius, z + radius),
    )


def ellipsoid(a: float, b: float, c: float) -> Body:
    """Half axes along x, y, z; its area by integration over the sphere's parameters."""

    def element(v: float, u: float) -> float:
        su, cu, sv, cv = np.sin(u), np.cos(u), np.sin(v), np.cos(v)
        return float(su * np.sqrt((b * c * su * cv) ** 2 + (a * c * su * sv) ** 2 + (a * b * cu) ** 2))

    area = integrate.dblquad(element, 0, np.pi, 0, 2 * np.pi)[0]
    return Body(
        lambda x, y, z: (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1,
        4 / 3 * np.pi * a * b * c,
        area,
        (-a, -b, -c, a, b, c),
    )


def dumbbell(radius: float, apart: float) -> Body:
    """Two balls that overlap, along x: lens and caps subtracted."""
    cap = radius - apart / 2
    lens = 2 * np.pi * cap**2 * (3 * radius - cap) / 3
    one, other = ball(-apart / 2, 0, 0, radius), ball(apart / 2, 0, 0, radius)
    return Body(
        lambda x, y, z: one.inside(x, y, z) | other.inside(x, y, z),
        2 * one.volume_um3 - lens,
        2 * (one.area_um2 - 2 * np.pi * radius * cap),
        (-apart / 2 - radius, -radius, -radius, apart / 2 + radius, radius, radius),
    )


def hollow(outer: Body, *pores: Body) -> Body:
    """With voids in it."""
    return Body(
        lambda x, y, z: outer.inside(x, y, z) & ~np.any([pore.inside(x, y, z) for pore in pores], axis=0),
        outer.volume_um3,
        outer.area_um2,
        outer.bounds_um,
        tuple(sorted((pore.volume_um3 for pore in pores), reverse=True)),
    )


def drawn(bodies: Sequence[Body], shape: tuple[int, int, int] = (56, 64, 64), seed: int = 5) -> NDArray[np.float32]:
    """The volume (z, y, x) in 1/um; x, y, z are 0 at its middle."""
    steps = (np.arange(_FINE) + 0.5) / _FINE - 0.5
    axes = [((np.arange(size)[:, None] + steps).ravel() - (size - 1) / 2) * VOXEL_UM for size in shape]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    fine = np.any([body.inside(x, y, z) for body in bodies], axis=0)
    sizes = [part for size in shape for part in (size, _FINE)]
    grey = MU * fine.reshape(sizes).mean(axis=(1, 3, 5))
    noise = np.random.default_rng(seed).normal(0, NOISE, shape)
    return (ndimage.gaussian_filter(grey, BLUR_VOXELS) + noise).astype(np.float32)
