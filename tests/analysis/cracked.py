"""Balls with a slab cut out, in closed form: points drawn within every voxel, blur, noise with a seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.analysis.phantoms import MU, VOXEL_UM

Floats = NDArray[np.float64]
Inside = Callable[[Floats, Floats, Floats], NDArray[np.bool_]]
"""Places u, v, n in um in a frame that is turned at random -> whether they are solid."""


@dataclass(frozen=True)
class Cut:
    """A ball of `radius_um`, a slab `opening_um` thick `aside_um` from its middle.

    kind: none; through; edge: the half of the slab beyond `tip_um`; inner: its disc of radius `disc_um`.
    """

    kind: str
    opening_um: float = 1.0
    radius_um: float = 5.0
    aside_um: float = 0.0
    tip_um: float = 0.0
    disc_um: float = 2.5

    def inside(self, u: Floats, v: Floats, n: Floats) -> NDArray[np.bool_]:
        ball = u * u + v * v + n * n <= self.radius_um**2
        slab = np.abs(n - self.aside_um) <= self.opening_um / 2
        where = {"none": False, "through": True, "edge": u > self.tip_um, "inner": u * u + v * v <= self.disc_um**2}
        return ball & ~(slab & where[self.kind])

    @property
    def volume_um3(self) -> float:
        return 4 / 3 * math.pi * self.radius_um**3

    @property
    def crack_um3(self) -> float:
        heights = self.aside_um + self.opening_um * ((np.arange(200) + 0.5) / 200 - 0.5)
        rim = np.sqrt(self.radius_um**2 - heights**2)
        segment = rim**2 * np.arccos(self.tip_um / rim) - self.tip_um * np.sqrt(rim**2 - self.tip_um**2)
        area = {"through": math.pi * rim**2, "edge": segment, "inner": math.pi * self.disc_um**2}[self.kind]
        return float(np.mean(area) * self.opening_um)

    @property
    def depth_um(self) -> float:
        rim = math.sqrt(self.radius_um**2 - self.aside_um**2)
        return {"through": 2 * rim, "edge": rim - self.tip_um, "inner": 2 * self.disc_um}[self.kind]


def rendered(inside: Inside, seed: int, side: int = 36, points: int = 4) -> NDArray[np.float32]:
    """Volume (z, y, x) in 1/um, `points`^3 places a voxel; blur 1.9 voxels FWHM, SNR 10."""
    random = np.random.default_rng(seed)
    frame = np.linalg.qr(random.standard_normal((3, 3)))[0]
    middle = random.uniform(-0.3, 0.3, 3)
    line = (np.arange(side) - (side - 1) / 2) * VOXEL_UM
    fill = np.zeros((side, side, side))
    for corner in np.ndindex(points, points, points):
        offset = ((np.array(corner) + random.uniform(0, 1, 3)) / points - 0.5) * VOXEL_UM - middle
        z, y, x = np.meshgrid(*(line + one for one in offset), indexing="ij", sparse=True)
        u, v, n = (row[0] * x + row[1] * y + row[2] * z for row in frame)
        fill += inside(u, v, n)
    grey = ndimage.gaussian_filter(fill / points**3, 1.9 / 2.3548) + random.normal(0, 0.1, fill.shape)
    return (grey * MU).astype(np.float32)


def ball_at(n_um: float, radius_um: float) -> Inside:
    return lambda u, v, n: u * u + v * v + (n - n_um) ** 2 <= radius_um**2


def plate(low_um: float, thick_um: float, width_um: float, aside_um: float) -> Inside:
    """A disc across n."""
    return lambda u, v, n: ((u - aside_um) ** 2 + v * v <= width_um**2 / 4) & (n >= low_um) & (n <= low_um + thick_um)


def block(low_um: float, side_um: float, aside_um: float) -> Inside:
    half = side_um / 2
    return lambda u, v, n: (np.abs(u - aside_um) <= half) & (np.abs(v) <= half) & (np.abs(n - low_um - half) <= half)


def voided(radius_um: float, void_um: float, aside_um: float) -> Inside:
    """A ball with a round void of that radius, its middle so far from the ball's."""
    return lambda u, v, n: (u * u + v * v + n * n <= radius_um**2) & (u * u + v * v + (n - aside_um) ** 2 > void_um**2)


def both(one: Inside, other: Inside) -> Inside:
    return lambda u, v, n: one(u, v, n) | other(u, v, n)
