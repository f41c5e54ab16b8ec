"""Volumes of star-shaped particles whose every number is known: the judge of the uncertainties of the analysis.

A body is r(u), its distance from its middle to its surface in direction u: an ellipsoid with bumps and pits upon it.
Its volume, area, centroid and radii are integrals over the sphere, done on 20000 points. Voids are ellipsoids. The grey
is the share of 4 x 4 x 4 points of each voxel, blurred, with noise: made apart from the simulator and from the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]

VOXEL_UM, MU_PER_UM = 0.512, 0.046
FWHM = 2.3548
_POINTS = 20_000
_FINE = 4
_STEP = 1e-3


def sphere_points(count: int = _POINTS) -> Floats:
    """Directions (count, 3), spread evenly (Fibonacci's lattice)."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, math.pi * (1 + math.sqrt(5)) * k
    across = np.sqrt(1 - z**2)
    return np.column_stack((across * np.cos(turn), across * np.sin(turn), z))


@dataclass(frozen=True)
class StarBody:
    """middle, semi (x, y, z) in um: of the ellipsoid; places (k, 3), heights_um (k,): of bumps, pits below 0, each
    exp(sharpness (u . place - 1)) wide."""

    middle: Floats
    semi: Floats
    places: Floats
    heights_um: Floats
    sharpness: float = 12.0

    def reach_um(self, u: Floats) -> Floats:
        """From the middle to the surface in directions u (..., 3)."""
        bare = 1 / np.sqrt(((u / self.semi) ** 2).sum(-1))
        if not len(self.heights_um):
            return bare
        return bare + np.exp(self.sharpness * (u @ self.places.T - 1)) @ self.heights_um

    @property
    def most_um(self) -> float:
        """No part of it is farther from its middle."""
        return float(self.semi.max() + np.maximum(self.heights_um, 0).sum())


@dataclass(frozen=True)
class Truth:
    """In um: of the envelope, or of a void."""

    volume_um3: float
    surface_area_um2: float
    centroid_um: Floats

    @property
    def diameter_um(self) -> float:
        """Of the sphere of the same volume."""
        return (6 * self.volume_um3 / math.pi) ** (1 / 3)

    @property
    def sphericity(self) -> float:
        """Wadell's."""
        return math.pi * self.diameter_um**2 / self.surface_area_um2


def truth_of(body: StarBody) -> Truth:
    """Volume, area and centroid by integrals over the sphere."""
    u = sphere_points()
    r = body.reach_um(u)
    solid_angle = 4 * math.pi / len(u)
    volume = float((r**3).sum()) / 3 * solid_angle
    centroid = body.middle + (r[:, None] ** 4 * u).sum(0) / 4 * solid_angle / volume
    side = np.cross(u, np.where(np.abs(u[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]))
    side = (side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float64)
    other = np.cross(u, side).astype(np.float64)
    slopes = [
        (body.reach_um(_turned(u, way, _STEP)) - body.reach_um(_turned(u, way, -_STEP))) / (2 * _STEP)
        for way in (side, other)
    ]
    area = float((r * np.sqrt(r**2 + slopes[0] ** 2 + slopes[1] ** 2)).sum()) * solid_angle
    return Truth(volume, area, centroid)


def radii_of(body: StarBody, centroid_um: Floats, directions: Floats) -> Floats:
    """From the centroid to the surface along directions (..., 3) in um."""
    offset = centroid_um - body.middle
    low, high = np.zeros(directions.shape[:-1]), np.full(directions.shape[:-1], 2 * body.most_um)
    for _ in range(50):
        t = (low + high) / 2
        at = offset + t[..., None] * directions
        inside = np.linalg.norm(at, axis=-1) < body.reach_um(at / np.linalg.norm(at, axis=-1, keepdims=True))
        low, high = np.where(inside, t, low), np.where(inside, high, t)
    return (low + high) / 2


@dataclass(frozen=True)
class Scene:
    """Bodies (solid) and voids in them, hosts: the body's index of each void; grey, clean (z, y, x) in 1/um, the latter
    without noise."""

    bodies: tuple[StarBody, ...]
    voids: tuple[StarBody, ...]
    hosts: tuple[int, ...]
    grey: NDArray[np.float32]
    clean: NDArray[np.float32]


def draw(
    seed: int,
    *,
    side: int = 96,
    count: int = 14,
    rough_um: float = 0.0,
    elongation: float = 0.06,
    snr: float = 10.0,
    fwhm_voxels: float = 2.0,
) -> Scene:
    """A volume of `side` voxels with up to `count` bodies of 4 to 12 um that do not touch, most with a void.

    rough_um: mean height of 30 bumps and pits; elongation: standard deviation of ln of the semi-axes.
    """
    rng = np.random.default_rng(seed)
    half_um = side * VOXEL_UM / 2
    bodies: list[StarBody] = []
    for radius in np.sort(np.exp(rng.normal(math.log(3.4), 0.35, count)).clip(2.0, 6.0))[::-1]:
        bumps = 30 if rough_um else 0
        body = StarBody(
            np.zeros(3),
            radius * np.exp(rng.normal(0, elongation, 3)),
            _directions(rng, bumps),
            rng.normal(0, rough_um * 1.2, bumps),
        )
        for _ in range(300):
            middle = rng.uniform(-half_um, half_um, 3)
            far = max(math.hypot(middle[0], middle[1]), abs(middle[2])) + body.most_um
            gaps = [np.linalg.norm(middle - one.middle) - one.most_um - body.most_um for one in bodies]
            if far < half_um - 2 and min(gaps, default=9.0) > 1.2:
                bodies.append(StarBody(middle, body.semi, body.places, body.heights_um, body.sharpness))
                break
    voids, hosts = [], []
    for number, body in enumerate(bodies):
        room = float(body.semi.min() + np.minimum(body.heights_um, 0).sum() / 4) - 1.0
        size = rng.uniform(0.85, 1.9)
        if room > 1.1 * size and rng.random() < 0.8:
            semi = size * np.exp(rng.normal(0, 0.15, 3))
            offset = _directions(rng, 1)[0] * rng.uniform(0, 1) * max(room - semi.max(), 0)
            voids.append(StarBody(body.middle + offset, semi, np.zeros((0, 3)), np.zeros(0)))
            hosts.append(number)
    clean = render(bodies, voids, side, fwhm_voxels)
    grey = (clean + rng.normal(0, MU_PER_UM / snr, clean.shape)).astype(np.float32)
    return Scene(tuple(bodies), tuple(voids), tuple(hosts), grey, clean)


def blurred_radii(clean: NDArray[np.float32], centroid_um: Floats, radii_um: Floats, directions: Floats) -> Floats:
    """From the centroid to the half-way level of a volume without noise, near the radii of the bodies themselves."""
    along = np.linspace(-1.5, 1.5, 121)
    reach = np.maximum(radii_um[..., None] + along, 0.0)
    at = centroid_um + reach[..., None] * directions[..., None, :]
    places = at[..., ::-1] / VOXEL_UM + (np.array(clean.shape) - 1) / 2
    grey = ndimage.map_coordinates(clean, np.moveaxis(places, -1, 0), order=3, mode="nearest")
    falls = (grey[..., :-1] >= MU_PER_UM / 2) & (grey[..., 1:] < MU_PER_UM / 2)
    far = np.where(falls, np.abs(along[:-1]), np.inf)
    k = far.argmin(-1)[..., None]
    high, low, r = (np.take_along_axis(one, k, -1)[..., 0] for one in (grey[..., :-1], grey[..., 1:], reach))
    step = along[1] - along[0]
    return np.where(np.isfinite(far.min(-1)), r + step * (high - MU_PER_UM / 2) / (high - low), radii_um)


def render(
    bodies: Sequence[StarBody],
    voids: Sequence[StarBody],
    side: int,
    fwhm_voxels: float,
) -> NDArray[np.float32]:
    """Grey (z, y, x) in 1/um, without noise."""
    fill = np.zeros((side, side, side))
    for share, group in ((1.0, bodies), (-1.0, voids)):
        for body in group:
            centre = body.middle[::-1] / VOXEL_UM + (side - 1) / 2
            reach = body.most_um / VOXEL_UM + 1
            low = np.maximum(np.floor(centre - reach).astype(int), 0)
            high = np.minimum(np.ceil(centre + reach).astype(int) + 1, side)
            sub = (np.arange(_FINE) + 0.5) / _FINE - 0.5
            z, y, x = (
                ((np.arange(a, b)[:, None] + sub).ravel() - c) * VOXEL_UM
                for a, b, c in zip(low, high, centre, strict=True)
            )
            at = np.stack(np.broadcast_arrays(x[None, None], y[None, :, None], z[:, None, None]), axis=-1)
            far = np.linalg.norm(at, axis=-1)
            near = far < body.most_um
            inside = np.zeros(far.shape, bool)
            inside[near] = far[near] < body.reach_um(at[near] / np.maximum(far[near], 1e-9)[:, None])
            n = _FINE
            box = inside.reshape(len(z) // n, n, len(y) // n, n, len(x) // n, n).mean((1, 3, 5))
            fill[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += share * box
    return (ndimage.gaussian_filter(fill, fwhm_voxels / FWHM) * MU_PER_UM).astype(np.float32)


def _directions(rng: np.random.Generator, count: int) -> Floats:
    drawn = rng.normal(size=(count, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _turned(u: Floats, way: Floats, angle: float) -> Floats:
    return u * math.cos(angle) + way * math.sin(angle)
