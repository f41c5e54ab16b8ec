"""Strips of a maker of its own, for `benchmarks.strips`: ellipsoids as quadrics, line integrals in closed form.

Laid down layer by layer by random sequential deposition, seen tile by tile, counted photon by photon, stitched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.mosaic.stitching import Mosaic, Tile, stitch

Floats = NDArray[np.floating]

PIXEL_UM, SIDE_PX, MU_PER_UM, TAPE, PHOTONS = 0.512, 128, 0.0458, 0.14, 1000.0
_FINE, _BLUR_UM, _AROUND_UM = 3, 0.35, 12.0


@dataclass(frozen=True)
class Grain:
    """An ellipsoid x' Q x = 1 about (x_um, y_um), Q (3, 3) in 1 / um2; inner: scale of its hollow, 0 for none."""

    x_um: float
    y_um: float
    quadric: Floats
    inner: float = 0.0

    @property
    def diameter_um(self) -> float:
        """Of the sphere of the same volume as the envelope."""
        return 2 * float(np.linalg.det(self.quadric)) ** (-1 / 6)

    @property
    def shadow(self) -> Floats:
        """(2, 2): its outline in projection is u' S u = 1."""
        q = self.quadric
        return q[:2, :2] - np.outer(q[:2, 2], q[:2, 2]) / q[2, 2]

    @property
    def reach_um(self) -> float:
        """Of its shadow, at most."""
        return float(np.linalg.eigvalsh(self.shadow)[0]) ** -0.5

    def chord_um(self, x_um: Floats, y_um: Floats) -> Floats:
        """Of the line through (x, y) along the beam: between the roots of its quadric, less those of the hollow."""
        s, dx, dy = self.shadow, x_um - self.x_um, y_um - self.y_um
        inside = 1 - (s[0, 0] * dx * dx + 2 * s[0, 1] * dx * dy + s[1, 1] * dy * dy)
        outer = np.sqrt(np.maximum(inside, 0.0))
        hole = np.sqrt(np.maximum(inside - 1 + self.inner**2, 0.0)) if self.inner else 0.0
        return 2 / math.sqrt(self.quadric[2, 2]) * (outer - hole)


def grain(random: np.random.Generator, diameter_um: float, aspect: float = 1.0, inner: float = 0.0) -> Grain:
    """One of this volume, long axis `aspect` times the others, lying within 15 degrees of the strip."""
    short = diameter_um / 2 * aspect ** (-1 / 3)
    a, t = random.uniform(0, math.pi), random.uniform(-0.26, 0.26) if aspect > 1 else 0.0
    long = np.array([math.cos(a) * math.cos(t), math.sin(a) * math.cos(t), math.sin(t)])
    quadric = (np.eye(3) - np.outer(long, long)) / short**2 + np.outer(long, long) / (aspect * short) ** 2
    return Grain(0.0, 0.0, quadric, inner)


def laid(random: np.random.Generator, size_um: tuple[float, float], grains: Sequence[Grain]) -> list[Grain]:
    """One layer: random sequential deposition, the largest first, shadows beside each other; what finds no room stays
    away. Long ones are told apart by discs along them.
    """
    placed: list[Grain] = []
    discs = np.empty((0, 3))
    for one in sorted(grains, key=lambda g: -g.reach_um):
        own = _discs(one)
        for _ in range(300):
            at = random.uniform(-0.5, 0.5, 2) * size_um
            moved = own + np.array((*at, 0.0))
            apart = np.hypot(moved[:, None, 0] - discs[:, 0], moved[:, None, 1] - discs[:, 1])
            if (apart >= 1.01 * (moved[:, None, 2] + discs[:, 2])).all():
                placed.append(replace(one, x_um=float(at[0]), y_um=float(at[1])))
                discs = np.vstack((discs, moved))
                break
    return placed


def _discs(one: Grain) -> Floats:
    values, axes = np.linalg.eigh(one.shadow)
    long, short = values**-0.5
    n = 1 if long < 1.05 * short else 7
    along = np.linspace(-1, 1, n)[:, None] * max(long - short, 0.0) * axes[:, 0]
    return np.column_stack((along, np.full(n, short)))


Bed = Callable[[np.random.Generator, tuple[float, float]], list[Grain]]
"""Width and height in um -> grains that lie where they are, whatever lies there besides."""

Over = Callable[[Floats, Floats, np.random.Generator], Floats]
"""Places in um (two meshes) -> optical depth on top of tape and powder."""


@dataclass
class Shot:
    """What of the tiles a flaw may change: images (transmission before photons), places, rows and columns."""

    light: list[Floats]
    at_um: list[tuple[float, float]]
    cells: list[tuple[int, int]]


@dataclass(frozen=True)
class Strip:
    """layers: of grains, each with its number per um2 and its sizes; beds: of grains that have their places; over:
    flaws of tape; tiles: of the exposures; overlap: of the tiles, as a share.
    """

    layers: tuple[Callable[[np.random.Generator, float], list[Grain]], ...] = ()
    over: tuple[Over, ...] = ()
    tiles: Callable[[Shot, np.random.Generator], None] = lambda _, __: None
    after: Callable[[list[Floats], np.random.Generator], None] = lambda _, __: None
    within: Callable[[Floats], Floats] = lambda at: np.ones(len(at), bool)
    overlap: float = 0.1
    side: int = 3
    beds: tuple[Bed, ...] = ()


@dataclass(frozen=True)
class Made:
    """The mosaic, and what was there."""

    mosaic: Mosaic
    grains: tuple[Grain, ...]


def made(strip: Strip, seed: int) -> Made:
    """One strip, seen tile by tile and stitched."""
    random = np.random.default_rng([seed, 14])
    pitch = round(SIDE_PX * (1 - strip.overlap))
    extent_um = ((strip.side - 1) * pitch + SIDE_PX) * PIXEL_UM
    whole_um = extent_um + 2 * _AROUND_UM
    grains: list[Grain] = []
    for draw in strip.layers:
        grains += laid(random, (whole_um, whole_um), draw(random, whole_um**2))
    for bed in strip.beds:
        grains += bed(random, (whole_um, whole_um))
    keep = strip.within(np.array([(g.x_um, g.y_um) for g in grains]).reshape(-1, 2))
    grains = [g for g, kept in zip(grains, keep.tolist(), strict=True) if kept]
    step = PIXEL_UM / _FINE
    n = round(whole_um / PIXEL_UM) * _FINE
    at = (np.arange(n) - (n - 1) / 2) * step
    depth = np.full((n, n), TAPE)
    for g in grains:
        c = slice(*np.searchsorted(at, (g.x_um - g.reach_um, g.x_um + g.reach_um)))
        r = slice(*np.searchsorted(at, (g.y_um - g.reach_um, g.y_um + g.reach_um)))
        depth[r, c] += MU_PER_UM * g.chord_um(at[None, c], at[r, None])
    for layer in strip.over:
        depth += layer(at[None, :], at[:, None], random)
    passed = np.exp(-depth)
    shot = Shot([], [], [])
    for row in range(strip.side):
        for column in range(strip.side):
            x, y = ((k - (strip.side - 1) / 2) * pitch * PIXEL_UM for k in (column, row))
            off = np.rint(random.uniform(-0.4, 0.4, 2) / step)
            left, top = np.rint(np.array((x, y)) / step + (n - SIDE_PX * _FINE) / 2 + off).astype(int)
            part = passed[top : top + SIDE_PX * _FINE, left : left + SIDE_PX * _FINE]
            part = part.reshape(SIDE_PX, _FINE, SIDE_PX, _FINE).mean(axis=(1, 3))
            shot.light.append(ndimage.gaussian_filter(part, _BLUR_UM / PIXEL_UM))
            shot.at_um.append((x, y))
            shot.cells.append((row, column))
    strip.tiles(shot, random)
    images: list[Floats] = [random.poisson(light * PHOTONS) / PHOTONS for light in shot.light]
    strip.after(images, random)
    tiles = [
        Tile(*cell, image.astype(np.float32), *at_um)
        for cell, image, at_um in zip(shot.cells, images, shot.at_um, strict=True)
    ]
    return Made(stitch(tiles, PIXEL_UM, stage_accuracy_um=1.0), tuple(grains))
