"""The truth of one body, computed from the table that is rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.layered import outline_depth
from simulators.shapes import SLAB_UM


@dataclass(frozen=True)
class Measures:
    """Lengths in um about the body's centre; radius_min and radius_max bound its surface, lowest_z its z."""

    volume_um3: float
    surface_area_um2: float
    centroid_um: tuple[float, float, float]
    radius_min_um: float
    radius_max_um: float
    lowest_z_um: float

    @property
    def equivalent_diameter_um(self) -> float:
        """Diameter of the sphere of the same volume."""
        return float((6.0 * self.volume_um3 / np.pi) ** (1.0 / 3.0))


def measure(table: NDArray[np.float32]) -> Measures:
    """Volume (sum of prisms), surface (triangles between neighbouring outlines, cones at the ends), extremes."""
    volume, area, x, y, z, low, high, lowest_z = _measure(table)
    return Measures(volume, area, (x, y, z), low, high, lowest_z)


def mouth_area(envelope: NDArray[np.float32], pitted: NDArray[np.float32]) -> float:
    """Area of the part of the envelope that a pit has removed, in um2; both tables have the same shape."""
    removed = (pitted < envelope - 1e-6).astype(np.float64)
    rho = envelope.astype(np.float64)
    along = 0.5 * (np.roll(rho, -1, 1) - np.roll(rho, 1, 1))
    around = rho * (2.0 * np.pi / rho.shape[1])
    slope = np.gradient(rho, SLAB_UM, axis=0)
    # the surface element of rho(phi, y): sqrt(rho^2 (1 + (d rho/dy)^2) + (d rho/d phi)^2) d phi dy
    element = np.sqrt(around**2 * (1.0 + slope**2) + along**2) * SLAB_UM
    return float((removed * element).sum())


def area_inside(table: NDArray[np.float32], other: NDArray[np.float32], centre_um: tuple[float, float, float]) -> float:
    """Area of a body's surface that lies in another, in um2; centre_um: of the other, from the body's own."""
    shift = round(centre_um[1] / SLAB_UM) + (table.shape[0] - other.shape[0]) // 2
    return float(_area_inside(table, other.ravel(), other.shape[0], other.shape[1], centre_um[0], shift, centre_um[2]))


@numba.njit(cache=True, nogil=True)
def _area_inside(table, flat, other_slabs, other_m, dx, shift, dz):  # type: ignore[no-untyped-def]
    slabs, m = table.shape
    cosines = np.cos(2.0 * np.pi * np.arange(m) / m)
    sines = np.sin(2.0 * np.pi * np.arange(m) / m)
    area = 0.0
    for j in range(slabs - 1):
        for k in range(m):
            n = (k + 1) % m
            p, q, u, v = table[j, k], table[j, n], table[j + 1, k], table[j + 1, n]
            xp, zp, xq, zq = p * cosines[k], p * sines[k], q * cosines[n], q * sines[n]
            xu, zu, xv, zv = u * cosines[k], u * sines[k], v * cosines[n], v * sines[n]
            x, z = (xp + xq + xu) / 3.0 - dx, (zp + zq + zu) / 3.0 - dz
            if outline_depth(flat, 0, other_slabs, other_m, j - shift, x, z) > 0.0:
                area += _triangle(xp, 0.0, zp, xq, 0.0, zq, xu, SLAB_UM, zu)
            x, z = (xv + xq + xu) / 3.0 - dx, (zv + zq + zu) / 3.0 - dz
            if outline_depth(flat, 0, other_slabs, other_m, j + 1 - shift, x, z) > 0.0:
                area += _triangle(xv, SLAB_UM, zv, xq, 0.0, zq, xu, SLAB_UM, zu)
    return area


@numba.njit(cache=True, nogil=True)
def _measure(table):  # type: ignore[no-untyped-def]
    slabs, m = table.shape
    cosines = np.cos(2.0 * np.pi * np.arange(m) / m)
    sines = np.sin(2.0 * np.pi * np.arange(m) / m)
    middle = 0.5 * (slabs - 1)
    volume = area = mx = my = mz = high = lowest_z = 0.0
    low = np.inf
    for j in range(slabs):
        y = (j - middle) * SLAB_UM
        end = j in (0, slabs - 1)
        for k in range(m):
            n = (k + 1) % m
            p, q = table[j, k], table[j, n]
            xp, zp, xq, zq = p * cosines[k], p * sines[k], q * cosines[n], q * sines[n]
            twice = xp * zq - xq * zp
            volume += 0.5 * twice * SLAB_UM
            mx += twice * (xp + xq) / 6.0 * SLAB_UM
            my += 0.5 * twice * SLAB_UM * y
            mz += twice * (zp + zq) / 6.0 * SLAB_UM
            lowest_z = min(lowest_z, zp)
            if p > 0.0:
                low = min(low, p * p + y * y)
                high = max(high, p * p + (abs(y) + 0.5 * SLAB_UM) ** 2)
            if end:
                area += _triangle(xp, y, zp, xq, y, zq, 0.0, y + np.sign(y) * 0.5 * SLAB_UM, 0.0)
            if j < slabs - 1:
                u, v = table[j + 1, k], table[j + 1, n]
                above = y + SLAB_UM
                xu, zu, xv, zv = u * cosines[k], u * sines[k], v * cosines[n], v * sines[n]
                area += _triangle(xp, y, zp, xq, y, zq, xu, above, zu)
                area += _triangle(xv, above, zv, xq, y, zq, xu, above, zu)
    return volume, area, mx / volume, my / volume, mz / volume, np.sqrt(low), np.sqrt(high), lowest_z


@numba.njit(cache=True, nogil=True, inline="always")
def _triangle(ax, ay, az, bx, by, bz, cx, cy, cz):  # type: ignore[no-untyped-def]
    ux, uy, uz = bx - ax, by - ay, bz - az
    vx, vy, vz = cx - ax, cy - ay, cz - az
    return 0.5 * np.sqrt((uy * vz - uz * vy) ** 2 + (uz * vx - ux * vz) ** 2 + (ux * vy - uy * vx) ** 2)
