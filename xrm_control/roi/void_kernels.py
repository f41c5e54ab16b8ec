"""Inner loops of the search for voids in the shadows of bodies, compiled; see `void_scores`. Lengths are pixels."""

from __future__ import annotations

import math

import numba
import numpy as np

from xrm_control.roi.body_kernels import box_of, inverse_of, solve_into

_NUISANCES = 6
"""Height, place (2), size, two of elongation: what a fit of the solid body may have got wrong."""

_HEIGHT_SPREAD, _OTHER_PRECISION = 0.08, 0.02
"""How far a body's height is from its fit, relative; what holds the others, which the rim settles."""

_STEEP = 0.05
"""Least of 1 - q^2 in the slope of the shadow: a rim has no infinite one, as blur shows it."""

_LARGEST, _WITHIN = 0.75, 0.8
"""Radius of a void over the body's, at most; how much of it must lie within the rim."""

_MOST_PLACES = 80


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _patch(residual, variance, above, p, texture, rough):  # type: ignore[no-untyped-def]
    """Of a body: distance from its middle in units of the rim, weight (0 beside it, and under others), what is left
    over of it as a solid one, slopes by each nuisance; (rows, columns) each.
    """
    rows, columns = residual.shape
    r0, r1, c0, c1 = box_of(p, 1.0, rows, columns)
    xx, xy, yy = inverse_of(p)
    radius, scale = math.exp(p[2]), 2.0 * math.exp(p[2]) * p[5]
    shape = (r1 - r0, c1 - c0)
    q, weight, left = np.ones(shape), np.zeros(shape), np.zeros(shape)
    slopes = np.zeros((*shape, _NUISANCES))
    for r in range(r0, r1):
        for c in range(c0, c1):
            i, j = r - r0, c - c0
            x, y = c - p[0], r - p[1]
            u, v = xx * x + xy * y, xy * x + yy * y
            q2 = u * u + v * v
            q[i, j] = math.sqrt(q2)
            if q2 >= 1.0 or not np.isfinite(variance[r, c]) or above[r, c] > 1.0:
                continue
            own, falling = scale * math.sqrt(1.0 - q2), 1.0 / math.sqrt(max(1.0 - q2, _STEEP))
            noise = variance[r, c] + texture * (1.0 + (q[i, j] * falling) ** 2) + (rough * own) ** 2
            weight[i, j] = 1.0 / noise
            left[i, j] = residual[r, c]
            if p[6] > 0.0:
                # Taken for a shell: as a solid body it lacks what is hollow.
                left[i, j] -= scale * math.sqrt(max(p[6] * p[6] - q2, 0.0))
            x, y = x / radius, y / radius
            slopes[i, j, 0] = own
            slopes[i, j, 1], slopes[i, j, 2] = x * falling, y * falling
            slopes[i, j, 3] = falling
            slopes[i, j, 4], slopes[i, j, 5] = (x * x - y * y) * falling, x * y * falling
    return q, weight, left, slopes


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _settled(weight, left, slopes):  # type: ignore[no-untyped-def]
    """What is left over when the solid body is fitted anew, and the normal matrix of that fit."""
    normal, right, step = np.zeros((_NUISANCES, _NUISANCES)), np.zeros(_NUISANCES), np.zeros(_NUISANCES)
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            w = weight[i, j]
            if w > 0.0:
                for k in range(_NUISANCES):
                    right[k] += w * slopes[i, j, k] * left[i, j]
                    for m in range(_NUISANCES):
                        normal[k, m] += w * slopes[i, j, k] * slopes[i, j, m]
    normal[0, 0] += _HEIGHT_SPREAD**-2
    for k in range(1, _NUISANCES):
        normal[k, k] += _OTHER_PRECISION
    solve_into(normal.copy(), right, step)
    other = left.copy()
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            if weight[i, j] > 0.0:
                for k in range(_NUISANCES):
                    other[i, j] -= slopes[i, j, k] * step[k]
    return other, normal


@numba.njit(nogil=True, cache=True, error_model="numpy")
def excess(residual, variance, above, p, rough):  # type: ignore[no-untyped-def]
    """Mean square that the texture of the surface adds within a body, per unit of `1 + slope^2`; NaN where unseen."""
    q, weight, left, slopes = _patch(residual, variance, above, p, 0.1, rough)
    other, _ = _settled(weight, left, slopes)
    total, expected, steep = 0.0, 0.0, 0.0
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            if weight[i, j] > 0.0:
                shape = 1.0 + q[i, j] ** 2 / max(1.0 - q[i, j] ** 2, _STEEP)
                total += weight[i, j] * other[i, j] ** 2
                expected += 1.0 - 0.1 * shape * weight[i, j]
                steep += weight[i, j] * shape
    return (total - expected) / steep if steep > 0.0 else np.nan


@numba.njit(nogil=True, cache=True, error_model="numpy")
def score(residual, variance, above, p, radii, texture, rough, soft, least_seen):  # type: ignore[no-untyped-def]
    """Highest significance of a spherical void of any of the radii, anywhere in a body, in standard deviations of what
    noise and texture do there; NaN where less than `least_seen` of the body is under no other.
    """
    q, weight, left, slopes = _patch(residual, variance, above, p, texture, rough)
    within, seen = 0, 0
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            if q[i, j] < 1.0:
                within += 1
                seen += 1 if weight[i, j] > 0.0 else 0
    if seen < 2 * _NUISANCES or seen < least_seen * within:
        return np.nan
    other, normal = _settled(weight, left, slopes)
    radius = math.exp(p[2])
    best = -np.inf
    cross, step = np.zeros(_NUISANCES), np.zeros(_NUISANCES)
    for n in range(len(radii)):
        own = radii[n]
        if own > _LARGEST * radius and n > 0:
            break
        inside = max(1.0 - _WITHIN * own / radius, 0.15)
        stride = max(1, int(math.sqrt(math.pi) * radius * inside / math.sqrt(_MOST_PLACES)))
        reach = math.ceil(math.sqrt(own * own + soft))
        for i in range(0, weight.shape[0], stride):
            for j in range(0, weight.shape[1], stride):
                if q[i, j] > inside:
                    continue
                along, power = 0.0, 0.0
                cross[:] = 0.0
                for r in range(max(0, i - reach), min(weight.shape[0], i + reach + 1)):
                    for c in range(max(0, j - reach), min(weight.shape[1], j + reach + 1)):
                        chord2 = own * own + soft - (r - i) ** 2 - (c - j) ** 2
                        if chord2 <= 0.0 or weight[r, c] <= 0.0:
                            continue
                        chord = 2.0 * math.sqrt(chord2)
                        along -= weight[r, c] * chord * other[r, c]
                        power += weight[r, c] * chord * chord
                        for k in range(_NUISANCES):
                            cross[k] += weight[r, c] * chord * slopes[r, c, k]
                solve_into(normal.copy(), cross.copy(), step)
                for k in range(_NUISANCES):
                    power -= cross[k] * step[k]
                if power > 1e-6:
                    best = max(best, along / math.sqrt(power))
    return best if np.isfinite(best) else np.nan
