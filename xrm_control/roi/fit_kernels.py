"""What a map of chords tells of one body, compiled; see `fit_errors`. Lengths are pixels."""

from __future__ import annotations

import math

import numba
import numpy as np

from xrm_control.roi.body_kernels import _box, _inverse, _rim, _root, _softness

_RING_PX = 3.0
"""How far beyond its rim a body is looked at, as where it is fitted."""


@numba.njit(nogil=True, cache=True, error_model="numpy")
def information(residual, weight, p, blur, normal, shift):  # type: ignore[no-untyped-def]
    """Fisher's information about a body p (7,), added to `normal` (7, 7); what a constant would add to the right side,
    to `shift` (7,). residual: what all bodies leave over. Returns chi-squared for each pixel within the rim.
    """
    rows, columns = residual.shape
    r0, r1, c0, c1 = _box(p, _RING_PX, rows, columns)
    xx, xy, yy = _inverse(p)
    radius, factor, hollow = math.exp(p[2]), p[5], p[6]
    scale, soft, span = 2.0 * radius * factor, _softness(radius, blur), _rim(p, _RING_PX)
    inside, pixels = 0.0, 0
    row = np.zeros(7)
    for r in range(r0, r1):
        for c in range(c0, c1):
            w = weight[r, c]
            dx, dy = c - p[0], r - p[1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            q2 = u * u + v * v
            if w <= 0.0 or q2 > span:
                continue
            here, slope = _root(1.0 - q2, q2, soft)
            here, slope = scale * here, -scale * slope
            if hollow > 0.0:
                inner, steep = _root(hollow * hollow - q2, q2, soft)
                here -= scale * inner
                slope += scale * steep
                row[6] = -2.0 * scale * steep * hollow
            if q2 < 1.0:
                inside += w * residual[r, c] ** 2
                pixels += 1
            row[0] = -2.0 * slope * (xx * u + xy * v)
            row[1] = -2.0 * slope * (xy * u + yy * v)
            row[2] = here - 2.0 * slope * q2
            row[3] = -2.0 * slope * (u * u - v * v)
            row[4] = -4.0 * slope * u * v
            row[5] = here / factor
            for k in range(7):
                shift[k] += w * row[k]
                for m in range(7):
                    normal[k, m] += w * row[k] * row[m]
    return inside / max(pixels, 1)
