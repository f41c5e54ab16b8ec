"""An independent renderer: bodies from their equations, 4x4x4 samples a voxel, blur, noise with a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

VOXEL_UM = 0.512
MU = 0.046
OVERSAMPLE = 4


@dataclass(frozen=True)
class Body:
    """An ellipsoid: centre and semi-axes (x, y, z) in um in the volume frame; share: +1 adds, -1 is a void."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    share: float = 1.0

    @property
    def volume(self) -> float:
        return float(4 / 3 * np.pi * np.prod(self.axes))


def ball(x: float, y: float, z: float, radius: float, share: float = 1.0) -> Body:
    return Body((x, y, z), (radius, radius, radius), share)


def render(
    bodies: Sequence[Body],
    shape: tuple[int, int, int] = (64, 64, 64),
    *,
    fwhm_voxels: float = 1.5,
    snr: float | None = 10,
    seed: int = 0,
    background: float = 0.0,
    slope: float = 0.0,
) -> NDArray[np.float32]:
    """Volume (z, y, x) in 1/um of bodies of attenuation MU; slope: relative change of the grey along x."""
    fill = np.zeros(shape)
    middle = (np.array(shape) - 1) / 2
    for body in bodies:
        centre = np.array(body.centre)[::-1] / VOXEL_UM + middle
        axes = np.array(body.axes)[::-1] / VOXEL_UM
        low = np.maximum(np.floor(centre - axes - 1).astype(int), 0)
        high = np.minimum(np.ceil(centre + axes + 2).astype(int), shape)
        sub = (np.arange(OVERSAMPLE) + 0.5) / OVERSAMPLE - 0.5
        grids = [(np.arange(a, b)[:, None] + sub).ravel() for a, b in zip(low, high, strict=True)]
        parts = [((g - c) / s) ** 2 for g, c, s in zip(grids, centre, axes, strict=True)]
        hit = parts[0][:, None, None] + parts[1][:, None] + parts[2] <= 1
        n = OVERSAMPLE
        counts = hit.reshape(high[0] - low[0], n, high[1] - low[1], n, high[2] - low[2], n).mean((1, 3, 5))
        fill[low[0] : high[0], low[1] : high[1], low[2] : high[2]] += body.share * counts
    grey = ndimage.gaussian_filter(fill, fwhm_voxels / 2.3548) * MU + background
    grey *= 1 + slope * np.linspace(-0.5, 0.5, shape[2])
    if snr is not None:
        grey += np.random.default_rng(seed).normal(0, MU / snr, shape)
    return grey.astype(np.float32)


def powder() -> list[Body]:
    """50 ellipsoids of 4 to 14 um in a layer (x, z wide, y thin), none overlapping, many near touching."""
    rng = np.random.default_rng(3)
    bodies: list[Body] = []
    while len(bodies) < 50:
        radius = float(np.clip(np.exp(rng.normal(np.log(3.4), 0.35)), 2, 7))
        x, y, z = rng.uniform(-1, 1, 3) * (30, 4.5, 30)
        gaps = [math.dist((x, y, z), body.centre) - max(body.axes) - 1.06 * radius for body in bodies]
        if min(gaps, default=1) > 0.1:
            a, b, c = radius * rng.uniform(0.94, 1.06, 3)
            bodies.append(Body((x, y, z), (a, b, c)))
    return bodies
