"""Band-limited roughness: gradient noise in three dimensions (Perlin, "Improving Noise", SIGGRAPH 2002).

One octave: its wavelengths lie between about one and two cells of its lattice, its values within +-1 (rms about 0.26).
"""

from __future__ import annotations

import numba
import numpy as np

_SCALE = 1.42 / 512.0


@numba.njit(cache=True, nogil=True, inline="always")
def _gradient(i, j, k, x, y, z):  # type: ignore[no-untyped-def]
    """Dot product of (x, y, z) with a lattice point's pseudo-random gradient, uniform in a cube; no branches."""
    h = np.uint32(i) * np.uint32(0x8DA6B343) ^ np.uint32(j) * np.uint32(0xD8163841)
    h = h ^ np.uint32(k) * np.uint32(0xCB1AB31F)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    h = (h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39)
    h = h ^ (h >> np.uint32(15))
    gx = np.int32(h & np.uint32(1023)) - 511.5
    gy = np.int32((h >> np.uint32(10)) & np.uint32(1023)) - 511.5
    gz = np.int32((h >> np.uint32(20)) & np.uint32(1023)) - 511.5
    return (gx * x + gy * y + gz * z) * _SCALE


@numba.njit(cache=True, nogil=True)
def gradient_noise(x, y, z):  # type: ignore[no-untyped-def]
    """Smooth noise of unit cell size at a point; zero on the lattice, mean zero."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = np.int64(fx), np.int64(fy), np.int64(fz)
    x -= fx
    y -= fy
    z -= fz
    u = x * x * x * (x * (x * 6.0 - 15.0) + 10.0)
    v = y * y * y * (y * (y * 6.0 - 15.0) + 10.0)
    w = z * z * z * (z * (z * 6.0 - 15.0) + 10.0)
    a00 = _gradient(i, j, k, x, y, z)
    a01 = _gradient(i + 1, j, k, x - 1.0, y, z)
    a10 = _gradient(i, j + 1, k, x, y - 1.0, z)
    a11 = _gradient(i + 1, j + 1, k, x - 1.0, y - 1.0, z)
    b00 = _gradient(i, j, k + 1, x, y, z - 1.0)
    b01 = _gradient(i + 1, j, k + 1, x - 1.0, y, z - 1.0)
    b10 = _gradient(i, j + 1, k + 1, x, y - 1.0, z - 1.0)
    b11 = _gradient(i + 1, j + 1, k + 1, x - 1.0, y - 1.0, z - 1.0)
    a0 = a00 + u * (a01 - a00)
    a1 = a10 + u * (a11 - a10)
    b0 = b00 + u * (b01 - b00)
    b1 = b10 + u * (b11 - b10)
    a = a0 + v * (a1 - a0)
    b = b0 + v * (b1 - b0)
    return a + w * (b - a)
