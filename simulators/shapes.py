"""The shape of one body (a particle or a void) as a table: a stack of horizontal slabs, each slab a polygon.

rho[j, k] is the distance of the outline from the body's vertical axis (parallel to stage y, through the body's centre)
in slab j at azimuth 2 pi k / M, with x = rho cos, z = rho sin. Slab j is SLAB_UM thick about
y = (j - (slabs - 1) / 2) SLAB_UM. What is rendered and what the truth is computed from is this table, nothing else.

The table is cut from a star-shaped surface R(u): a sphere made slightly non-spherical by low harmonics, or a
superellipsoid (plates, rods), or fused lobes (dumbbells), cut by planes (fragments), plus roughness whose amplitude and
wavelength in um do not depend on the size. Each meridian is scan-converted, its outermost crossing counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.texture import gradient_noise

SLAB_UM = 0.128
VERTEX_UM = 0.25


@dataclass(frozen=True)
class Pit:
    """A cone-like hole from the surface towards the centre: unit direction, half-angle, radius of its floor (um)."""

    direction: tuple[float, float, float]
    half_angle_rad: float
    floor_um: float


@dataclass(frozen=True)
class ShapeSpec:
    """One star-shaped body of nominal radius radius_um; elongation and skew are relative, roughness is in um.

    random: 13 standard normal numbers that choose orientation, harmonics and the piece of noise; roughness_um scales
    the noise (peak about 0.8 of it, rms 0.27), cell_um is its lattice (wavelengths of one to two cells). lumps_um,
    lump_cell_um: a second, coarser octave. semi: relative semi-axes of a superellipsoid in the body's own frame, whose
    exponent is 2 for an ellipsoid and more for edges. planes: (nx, ny, nz, distance in um) beyond which nothing is.
    lobes: spheres (x, y, z, radius in um), each of which holds the centre.
    """

    radius_um: float
    elongation: float = 0.0
    skew: float = 0.0
    roughness_um: float = 0.0
    cell_um: float = 0.75
    random: NDArray[np.float64] = field(default_factory=lambda: np.zeros(13))
    pit: Pit | None = None
    lumps_um: float = 0.0
    lump_cell_um: float = 2.5
    semi: tuple[float, float, float] | None = None
    exponent: float = 2.0
    planes: tuple[tuple[float, float, float, float], ...] = ()
    lobes: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def reach_um(self) -> float:
        """No part of it is farther from its centre."""
        if self.lobes:
            smooth = max(math.dist(lobe[:3], (0.0, 0.0, 0.0)) + lobe[3] for lobe in self.lobes)
        elif self.semi:
            smooth = self.radius_um * max(self.semi) * 3.0 ** max(0.0, 0.5 - 1.0 / self.exponent)
        else:
            smooth = self.radius_um * (1.0 + self.elongation + self.skew)
        return smooth + self.roughness_um + self.lumps_um

    def scaled(self, factor: float) -> ShapeSpec:
        """The same shape in another size, roughness and all."""
        return replace(
            self,
            radius_um=factor * self.radius_um,
            roughness_um=factor * self.roughness_um,
            cell_um=factor * self.cell_um,
            lumps_um=factor * self.lumps_um,
            lump_cell_um=factor * self.lump_cell_um,
            planes=tuple((*plane[:3], factor * plane[3]) for plane in self.planes),
            lobes=tuple((factor * x, factor * y, factor * z, factor * r) for x, y, z, r in self.lobes),
        )


def shape_table(spec: ShapeSpec) -> NDArray[np.float32]:
    """The table rho (slabs, M) of a shape, in um; M is a multiple of 8, vertices lie about VERTEX_UM apart."""
    widest_um = max(spec.radius_um, spec.reach_um) if spec.semi or spec.lobes else spec.radius_um
    vertices = max(48, 8 * math.ceil(2.0 * math.pi * widest_um / VERTEX_UM / 8.0))
    slabs = 2 * math.ceil(spec.reach_um / SLAB_UM)
    r = spec.random
    frame = np.linalg.qr(r[:9].reshape(3, 3))[0] if np.any(r[:9]) else np.eye(3)
    minor = 0.5 * math.tanh(r[9])
    pit = np.zeros(5)
    if spec.pit:
        pit[:] = (*spec.pit.direction, math.cos(spec.pit.half_angle_rad), spec.pit.floor_um)
    table = _scan_meridians(
        spec.radius_um,
        np.ascontiguousarray(frame),
        spec.elongation * np.array([1.0, minor - 0.5, -minor - 0.5]),
        spec.skew * 3.0 * math.sqrt(3.0),
        spec.roughness_um,
        spec.cell_um,
        100.0 * r[10:13],
        pit,
        vertices,
        slabs,
        spec.lumps_um,
        spec.lump_cell_um,
        np.array(spec.semi or (0.0, 0.0, 0.0)),
        spec.exponent,
        np.array(spec.planes, np.float64).reshape(-1, 4),
        np.array(spec.lobes, np.float64).reshape(-1, 4),
    )
    filled = np.flatnonzero(table.any(axis=1))
    trim = min(int(filled[0]), slabs - 1 - int(filled[-1]))
    return np.ascontiguousarray(table[trim : slabs - trim])


@numba.njit(cache=True, nogil=True)
def _base(radius, a, b, c, semi, exponent, lobes):  # type: ignore[no-untyped-def]
    """Radius of a superellipsoid or of fused lobes in a direction of the body's own frame."""
    r = 0.0
    for n in range(len(lobes)):
        along = a * lobes[n, 0] + b * lobes[n, 1] + c * lobes[n, 2]
        aside = lobes[n, 0] ** 2 + lobes[n, 1] ** 2 + lobes[n, 2] ** 2 - along * along
        r = max(r, along + np.sqrt(max(lobes[n, 3] ** 2 - aside, 0.0)))
    if len(lobes) == 0:
        total = abs(a / semi[0]) ** exponent + abs(b / semi[1]) ** exponent + abs(c / semi[2]) ** exponent
        r = radius * total ** (-1.0 / exponent)
    return r


@numba.njit(cache=True, nogil=True)
def _scan_meridians(  # type: ignore[no-untyped-def]
    radius,
    frame,
    stretch,
    skew,
    roughness,
    cell,
    shift,
    pit,
    vertices,
    slabs,
    lumps,
    lump_cell,
    semi,
    exponent,
    planes,
    lobes,
):
    rho = np.zeros((vertices, slabs), np.float32)
    steps = vertices // 2
    middle = 0.5 * (slabs - 1)
    polar = np.pi * np.arange(steps + 1) / steps
    rings, heights = np.sin(polar), -np.cos(polar)
    rings[0] = rings[steps] = 0.0
    for k in range(vertices):
        phi = 2.0 * np.pi * k / vertices
        cos_phi, sin_phi = np.cos(phi), np.sin(phi)
        last_y = last_rho = 0.0
        for step in range(steps + 1):
            ring = rings[step]
            x, y, z = ring * cos_phi, heights[step], ring * sin_phi
            a = frame[0, 0] * x + frame[1, 0] * y + frame[2, 0] * z
            b = frame[0, 1] * x + frame[1, 1] * y + frame[2, 1] * z
            c = frame[0, 2] * x + frame[1, 2] * y + frame[2, 2] * z
            if len(lobes) > 0 or semi[0] > 0.0:
                r = _base(radius, a, b, c, semi, exponent, lobes)
            else:
                r = radius * (1.0 + stretch[0] * a * a + stretch[1] * b * b + stretch[2] * c * c + skew * a * b * c)
            for n in range(len(planes)):
                towards = a * planes[n, 0] + b * planes[n, 1] + c * planes[n, 2]
                if towards * r > planes[n, 3]:
                    r = planes[n, 3] / towards
            if lumps > 0.0:
                scale = radius / lump_cell
                r += lumps * gradient_noise(scale * a - shift[1], scale * b - shift[2], scale * c - shift[0])
            if roughness > 0.0:
                scale = radius / cell
                r += roughness * gradient_noise(scale * a + shift[0], scale * b + shift[1], scale * c + shift[2])
            if pit[4] > 0.0 and x * pit[0] + y * pit[1] + z * pit[2] > pit[3]:
                r = min(r, pit[4])
            new_y, new_rho = r * y, r * ring
            if step > 0:
                first = int(np.ceil(min(last_y, new_y) / SLAB_UM + middle))
                last = int(np.ceil(max(last_y, new_y) / SLAB_UM + middle))
                for j in range(max(first, 0), min(last, slabs)):
                    crossing = last_rho + (new_rho - last_rho) * ((j - middle) * SLAB_UM - last_y) / (new_y - last_y)
                    if crossing > rho[k, j]:
                        rho[k, j] = crossing
            last_y, last_rho = new_y, new_rho
    return rho.T
