"""What a map of chords tells of one body, compiled; see `fit_errors`. Lengths are pixels."""

from __future__ import annotations

import math

import numba
import numpy as np

from xrm_control.roi.body_kernels import RING_PX, box_of, inverse_of, rim_of, softness_of, tangent


@numba.njit(nogil=True, cache=True, error_model="numpy")
def information(residual, weight, p, blur, normal, shift):  # type: ignore[no-untyped-def]
    """Fisher's information about a body p (7,), added to `normal` (7, 7); what a constant, a slope to the right and one
    downwards (1 at the rim of a circle of the same area) would add to the right side, to `shift` (3, 7). residual: what
    all bodies leave over. Returns chi-squared for each pixel within the rim.
    """
    rows, columns = residual.shape
    r0, r1, c0, c1 = box_of(p, RING_PX, rows, columns)
    xx, xy, yy = inverse_of(p)
    radius, factor, hollow = math.exp(p[2]), p[5], p[6]
    scale, soft, span = 2.0 * radius * factor, softness_of(radius, blur), rim_of(p, RING_PX)
    inside, pixels = 0.0, 0
    row = np.zeros(7)
    for r in range(r0, r1):
        for c in range(c0, c1):
            w = weight[r, c]
            dx, dy = c - p[0], r - p[1]
            _, q2 = tangent(xx, xy, yy, scale, factor, hollow, soft, dx, dy, row)
            if w <= 0.0 or q2 > span:
                continue
            if q2 < 1.0:
                inside += w * residual[r, c] ** 2
                pixels += 1
            for k in range(7):
                shift[0, k] += w * row[k]
                shift[1, k] += w * row[k] * dx / radius
                shift[2, k] += w * row[k] * dy / radius
                for m in range(7):
                    normal[k, m] += w * row[k] * row[m]
    return inside / max(pixels, 1)
