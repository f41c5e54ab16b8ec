"""The shape of one body (a particle or a void) as a table: a stack of horizontal slabs, each slab a polygon.

rho[j, k] is the distance of the outline from the body's vertical axis (parallel to stage y, through the body's centre)
in slab j at azimuth 2 pi k / M, with x = rho cos, z = rho sin. Slab j is SLAB_UM thick about
y = (j - (slabs - 1) / 2) SLAB_UM. What is rendered and what the truth is computed from is this table, nothing else.

The table is cut from a star-shaped surface R(u): a sphere made slightly non-spherical by low harmonics, plus roughness
whose amplitude and wavelength in um do not depend on the size. Each meridian is scan-converted, its outermost crossing
counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

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
    the noise (peak about 0.8 of it, rms 0.27), cell_um is its lattice (wavelengths of one to two cells).
    """

    radius_um: float
    elongation: float = 0.0
    skew: float = 0.0
    roughness_um: float = 0.0
    cell_um: float = 0.75
    random: NDArray[np.float64] = field(default_factory=lambda: np.zeros(13))
    pit: Pit | None = None


def shape_table(spec: ShapeSpec) -> NDArray[np.float32]:
    """The table rho (slabs, M) of a shape, in um; M is a multiple of 8, vertices lie about VERTEX_UM apart."""
    vertices = max(48, 8 * math.ceil(2.0 * math.pi * spec.radius_um / VERTEX_UM / 8.0))
    reach = spec.radius_um * (1.0 + spec.elongation + spec.skew) + spec.roughness_um
    slabs = 2 * math.ceil(reach / SLAB_UM)
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
    )
    filled = np.flatnonzero(table.any(axis=1))
    trim = min(int(filled[0]), slabs - 1 - int(filled[-1]))
    return np.ascontiguousarray(table[trim : slabs - trim])


@numba.njit(cache=True, nogil=True)
def _scan_meridians(radius, frame, stretch, skew, roughness, cell, shift, pit, vertices, slabs):  # type: ignore[no-untyped-def]
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
            r = radius * (1.0 + stretch[0] * a * a + stretch[1] * b * b + stretch[2] * c * c + skew * a * b * c)
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
