"""Mosaics of powders whose every particle is known: the judge of the finding, made apart from the simulator.

Chords of ellipsoids (any axes, any tilt) and of shells are known in closed form; transmission is averaged over 3 x 3
points of a pixel, blurred, and counted photon by photon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from xrm_control.roi.mosaic_map import MosaicMap

MU_PER_UM, PIXEL_UM, TAPE, PHOTONS = 0.0458, 0.512, 0.14, 1000.0
_BLUR_UM = 0.38
_FINE = 3

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Body:
    """An ellipsoid; lengths in um, origin in the middle of the mosaic.

    semi_um: its three semi-axes, the first along `azimuth_deg` in the picture, the third along the beam before its
    first axis is tilted by `tilt_deg` towards the beam; hollow: inner over outer size of a shell, 0 solid.
    """

    x_um: float
    y_um: float
    semi_um: tuple[float, float, float]
    azimuth_deg: float = 0.0
    tilt_deg: float = 0.0
    hollow: float = 0.0

    @property
    def diameter_um(self) -> float:
        """Of the sphere of the same volume (the envelope's)."""
        return 2 * math.prod(self.semi_um) ** (1 / 3)

    @property
    def reach_um(self) -> float:
        """As far as its shadow goes at most."""
        return max(self.semi_um)

    def chord_um(self, x_um: Floats, y_um: Floats) -> Floats:
        """Path through it along the beam at these places."""
        a, t = math.radians(self.azimuth_deg), math.radians(self.tilt_deg)
        turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
        lean = np.array([[math.cos(t), 0, -math.sin(t)], [0, 1, 0], [math.sin(t), 0, math.cos(t)]])
        axes = turn @ lean
        quadric = axes @ np.diag(np.array(self.semi_um) ** -2.0) @ axes.T
        along = quadric[2, 2]
        flat = quadric[:2, :2] - np.outer(quadric[:2, 2], quadric[:2, 2]) / along
        dx, dy = x_um - self.x_um, y_um - self.y_um
        q2 = flat[0, 0] * dx * dx + 2 * flat[0, 1] * dx * dy + flat[1, 1] * dy * dy
        outer = np.sqrt(np.maximum(1 - q2, 0))
        inner = np.sqrt(np.maximum(self.hollow**2 - q2, 0)) if self.hollow else 0.0
        return 2 / math.sqrt(along) * (outer - inner)


def sphere(x_um: float, y_um: float, diameter_um: float, hollow: float = 0.0) -> Body:
    """A solid or hollow sphere."""
    return Body(x_um, y_um, (diameter_um / 2, diameter_um / 2, diameter_um / 2), hollow=hollow)


Layer = Callable[[Floats, Floats, np.random.Generator], Floats]
"""Places in um (two meshes) -> optical depth of what is no powder."""


@dataclass(frozen=True)
class Scene:
    """What lies under the beam, (width, height) in um; gain: spread of the tiles' gains, relative."""

    bodies: tuple[Body, ...]
    size_um: tuple[float, float] = (200.0, 260.0)
    layers: tuple[Layer, ...] = ()
    gain: float = 0.0
    tile_um: float = 65.536

    def depth(self, random: np.random.Generator) -> Floats:
        """Optical depth on points _FINE times finer than the pixels."""
        step = PIXEL_UM / _FINE
        columns, rows = (round(side / PIXEL_UM) * _FINE for side in self.size_um)
        x, y = ((np.arange(n) - (n - 1) / 2) * step for n in (columns, rows))
        depth = np.full((rows, columns), TAPE)
        for body in self.bodies:
            c = slice(*np.searchsorted(x, (body.x_um - body.reach_um, body.x_um + body.reach_um)))
            r = slice(*np.searchsorted(y, (body.y_um - body.reach_um, body.y_um + body.reach_um)))
            depth[r, c] += MU_PER_UM * body.chord_um(x[None, c], y[r, None])
        for layer in self.layers:
            depth += layer(x[None, :], y[:, None], random)
        return depth

    def mosaic(self, seed: int) -> MosaicMap:
        """As it is seen: blurred, each tile with its gain, counted."""
        random = np.random.default_rng(seed)
        seen = np.exp(-self.depth(random))
        rows, columns = seen.shape[0] // _FINE, seen.shape[1] // _FINE
        seen = ndimage.gaussian_filter(seen.reshape(rows, _FINE, columns, _FINE).mean(axis=(1, 3)), _BLUR_UM / PIXEL_UM)
        if self.gain:
            tile = round(self.tile_um / PIXEL_UM)
            gains = 1 + self.gain * random.uniform(-1, 1, (-(-rows // tile), -(-columns // tile)))
            seen *= np.kron(gains, np.ones((tile, tile)))[:rows, :columns]
        image = random.poisson(seen * PHOTONS) / PHOTONS
        return MosaicMap(image.astype(np.float32), PIXEL_UM, -(columns - 1) / 2 * PIXEL_UM, -(rows - 1) / 2 * PIXEL_UM)


def sizes(random: np.random.Generator, count: int, median_um: float = 9.0, sigma_ln: float = 0.4) -> Floats:
    """Log-normal diameters between 3.5 and 30 um."""
    return np.clip(random.lognormal(np.log(median_um), sigma_ln, count), 3.5, 30.0)


def apart(
    random: np.random.Generator, size_um: tuple[float, float], bodies: Sequence[Body], *, resting: bool = False
) -> tuple[Body, ...]:
    """The bodies, largest first, where there is room: shadows beside each other, or `resting` spheres on a plane."""
    placed: list[Body] = []
    circles = np.empty((0, 3))
    for body in sorted(bodies, key=lambda one: -one.reach_um):
        own = _circles(body)
        for _ in range(400):
            x, y = (random.uniform(-side / 2, side / 2) for side in size_um)
            moved = own + np.array((x, y, 0.0))
            gap = np.hypot(moved[:, None, 0] - circles[:, 0], moved[:, None, 1] - circles[:, 1])
            least = 2 * np.sqrt(moved[:, None, 2] * circles[:, 2]) if resting else moved[:, None, 2] + circles[:, 2]
            if (gap >= 1.01 * least).all():
                placed.append(replace(body, x_um=x, y_um=y))
                circles = np.vstack((circles, moved))
                break
    return tuple(placed)


def _circles(body: Body) -> Floats:
    """Circles that cover its shadow: x, y, radius about its centre."""
    long, short, _ = body.semi_um
    if long <= short * 1.01:
        return np.array([[0.0, 0.0, long]])
    along = np.linspace(-1, 1, 5) * (long - short)
    angle = math.radians(body.azimuth_deg)
    return np.column_stack((along * math.cos(angle), along * math.sin(angle), np.full(5, short)))


def anywhere(
    random: np.random.Generator, size_um: tuple[float, float], transmission: float, median_um: float = 9.0
) -> tuple[Body, ...]:
    """Spheres in any number of layers, until the powder's mean transmission has fallen this low."""
    bodies: list[Body] = []
    step = max(20, int(size_um[0] * size_um[1] / 2500))
    while True:
        for d in sizes(random, step, median_um):
            x, y = (random.uniform(-side / 2, side / 2) for side in size_um)
            bodies.append(sphere(x, y, float(d)))
        mean = float(np.exp(TAPE - Scene(tuple(bodies), size_um).depth(random)[::4, ::4]).mean())
        if mean <= transmission:
            return tuple(bodies)


def lattice(
    random: np.random.Generator, size_um: tuple[float, float], cover: float, diameter_um: float = 12.0
) -> tuple[Body, ...]:
    """A dense single layer: spheres of nearly one size, shaken on a hexagonal lattice, that cover this share."""
    pitch = diameter_um * math.sqrt(math.pi / (2 * math.sqrt(3)) / cover)
    room = (pitch - diameter_um) / 2
    bodies = []
    for k, y in enumerate(np.arange(-size_um[1] / 2, size_um[1] / 2, pitch * math.sqrt(3) / 2)):
        for x in np.arange(-size_um[0] / 2 + (k % 2) * pitch / 2, size_um[0] / 2, pitch):
            d = diameter_um * (1 + random.uniform(-0.06, 0.06))
            bodies.append(sphere(x + random.normal(0, 0.5 * room + 0.1), y + random.normal(0, 0.5 * room + 0.1), d))
    return tuple(bodies)


def wrinkles(count: int, depth: float, width_um: float = 5.0) -> Layer:
    """Ridges across the strip, bent a little."""

    def layer(x_um: Floats, y_um: Floats, random: np.random.Generator) -> Floats:
        total = np.zeros(np.broadcast_shapes(x_um.shape, y_um.shape))
        for _ in range(count):
            angle, at = random.uniform(0, math.pi), random.uniform(-0.4, 0.4) * np.ptp(y_um)
            along = x_um * math.cos(angle) + y_um * math.sin(angle)
            across = -x_um * math.sin(angle) + y_um * math.cos(angle) - at
            bend = 4.0 * np.sin(along / random.uniform(40, 90) + random.uniform(0, 6))
            total += depth * np.exp(-0.5 * ((across - bend) / (width_um / 2.355)) ** 2)
        return total

    return layer


def bubbles(count: int, depth: float = 0.1) -> Layer:
    """Air under the tape: discs with less adhesive, lens-shaped, behind a rim with more of it."""

    def layer(x_um: Floats, y_um: Floats, random: np.random.Generator) -> Floats:
        total = np.zeros(np.broadcast_shapes(x_um.shape, y_um.shape))
        for _ in range(count):
            x, y = (random.uniform(-0.5, 0.5) * np.ptp(at) for at in (x_um, y_um))
            radius, rim = random.uniform(4, 20), random.uniform(0.8, 1.6)
            r = np.hypot(x_um - x, y_um - y)
            total -= depth * np.sqrt(np.clip(1 - (r / radius) ** 2, 0, None))
            total += 0.6 * depth * np.exp(-0.5 * ((r - radius) / rim) ** 2)
        return total

    return layer


def hairs(count: int, width_um: float = 3.0, depth: float = 0.1) -> Layer:
    """Thin threads that wind over the strip."""

    def layer(x_um: Floats, y_um: Floats, random: np.random.Generator) -> Floats:
        total = np.zeros(np.broadcast_shapes(x_um.shape, y_um.shape))
        for _ in range(count):
            steps = 400
            heading = random.uniform(0, 2 * math.pi) + np.cumsum(random.normal(0, 0.03, steps))
            path = np.cumsum(np.column_stack((np.cos(heading), np.sin(heading))), axis=0)
            path += (random.uniform(-0.5, 0.5) * np.ptp(x_um), random.uniform(-0.5, 0.5) * np.ptp(y_um))
            mesh = np.stack(np.broadcast_arrays(x_um, y_um), axis=-1).reshape(-1, 2)
            distance, _ = KDTree(path).query(mesh, distance_upper_bound=width_um / 2)
            depth_here = np.sqrt(np.clip(1 - (2 * distance / width_um) ** 2, 0, None))
            total += depth * np.where(np.isfinite(distance), depth_here, 0).reshape(total.shape)
        return total

    return layer
