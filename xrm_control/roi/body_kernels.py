"""Inner loops of the fit of bodies to a map of chords, compiled; see `bodies`. Lengths are pixels."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

RING_PX = 3.0
"""How far beyond its rim the ground of a body is looked at."""

_OTHERS = 6.0
"""Most that a pixel beyond the rim adds to chi-squared."""

_ALIKE = 1.0
"""Share of a body's area over which what others leave about it is alike."""

_HELD = (4.0, 4.0, 150.0)
"""Among others a body is held to half a pixel and a twelfth of its radius, each time it is fitted."""

_STEP = np.array([1.5, 1.5, 0.25, 0.2, 0.2, 0.25, 0.15])

_LEAST = np.array([-np.inf, -np.inf, math.log(1.0), -1.0, -1.0, 0.15, 0.0])

_MOST = np.array([np.inf, np.inf, math.log(150.0), 1.0, 1.0, 3.0, 0.9])

_FARTHEST, _FINE = 6.0, 0.02


def _blurred_root() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expectation of sqrt(max(x, 0)) for x normal about s with a standard deviation of 1, and its derivative in s, for
    s from -_FARTHEST to _FARTHEST in steps of _FINE.
    """
    s = np.arange(-_FARTHEST, _FARTHEST + _FINE / 2, _FINE)[:, None]
    # With x = t^2 there is no edge in the integrand.
    step = 5e-3
    t = np.arange(step / 2, math.sqrt(2 * _FARTHEST), step)
    density = np.exp(-0.5 * (t * t - s) ** 2) / math.sqrt(2 * math.pi) * step
    return (2 * t * t * density).sum(axis=1), density.sum(axis=1)


_ROOT, _SLOPE = _blurred_root()


@numba.njit(nogil=True, cache=True, error_model="numpy")
def inverse_of(p):  # type: ignore[no-untyped-def]
    """The matrix that turns a distance from the middle into units of the rim: three numbers, symmetric."""
    m = math.sqrt(p[3] * p[3] + p[4] * p[4])
    ratio = math.sinh(m) / m if m > 1e-9 else 1.0
    scale = math.exp(-p[2])
    return scale * (math.cosh(m) - ratio * p[3]), -scale * ratio * p[4], scale * (math.cosh(m) + ratio * p[3])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _root(power, q2, soft):  # type: ignore[no-untyped-def]
    """sqrt of a power that is positive inside, as blur shows it at q, and its derivative.

    Blur makes of the power, quadratic in the place, a spread of powers about a lower mean: the root's expectation over
    a normal one is exact where the rim is straight.
    """
    mean, spread = power - 0.5 * soft * soft, soft * math.sqrt(q2 + 0.25 * soft * soft)
    s = mean / spread
    if s >= _FARTHEST - _FINE:
        root = math.sqrt(mean)
        return root * (1.0 - 0.125 / (s * s)), 0.5 / root
    if s <= -_FARTHEST:
        return 0.0, 0.0
    at = (s + _FARTHEST) / _FINE
    k = int(at)
    t, unit = at - k, math.sqrt(spread)
    return unit * ((1.0 - t) * _ROOT[k] + t * _ROOT[k + 1]), ((1.0 - t) * _SLOPE[k] + t * _SLOPE[k + 1]) / unit


@numba.njit(nogil=True, cache=True, error_model="numpy")
def softness_of(radius, blur):  # type: ignore[no-untyped-def]
    """Standard deviation of 1 - q^2 on a rim that is blurred by so many pixels."""
    return 2.0 * blur / radius


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _chord(xx, xy, yy, radius, factor, hollow, blur, dx, dy):  # type: ignore[no-untyped-def]
    u, v = xx * dx + xy * dy, xy * dx + yy * dy
    q2 = u * u + v * v
    soft = softness_of(radius, blur)
    chord = _root(1.0 - q2, q2, soft)[0]
    if hollow > 0.0:
        chord -= _root(hollow * hollow - q2, q2, soft)[0]
    return 2.0 * radius * factor * chord


@numba.njit(nogil=True, cache=True, error_model="numpy")
def box_of(p, reach_px, rows, columns):  # type: ignore[no-untyped-def]
    """Pixels of an image of this shape that a body reaches, and so many beyond: first row, end, first column, end."""
    m = math.sqrt(p[3] * p[3] + p[4] * p[4])
    reach = math.exp(p[2] + m) + reach_px
    c0, c1 = max(0, math.ceil(p[0] - reach)), min(columns, math.floor(p[0] + reach) + 1)
    r0, r1 = max(0, math.ceil(p[1] - reach)), min(rows, math.floor(p[1] + reach) + 1)
    return r0, max(r0, r1), c0, max(c0, c1)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def rim_of(p, ring_px):  # type: ignore[no-untyped-def]
    """Square of q at this many pixels beyond the rim."""
    return (1.0 + ring_px / math.exp(p[2])) ** 2


@numba.njit(nogil=True, cache=True, error_model="numpy")
def add(image, p, sign, blur):  # type: ignore[no-untyped-def]
    """Add a body's shadow to the image."""
    rows, columns = image.shape
    r0, r1, c0, c1 = box_of(p, 2.0 + blur, rows, columns)
    xx, xy, yy = inverse_of(p)
    radius, most = math.exp(p[2]), rim_of(p, 1.0 + 2.0 * blur)
    for r in range(r0, r1):
        for c in range(c0, c1):
            dx, dy = c - p[0], r - p[1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            if u * u + v * v < most:
                image[r, c] += sign * _chord(xx, xy, yy, radius, p[5], p[6], blur, dx, dy)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def add_one(image, p):  # type: ignore[no-untyped-def]
    """Add 1 within a body's rim."""
    rows, columns = image.shape
    r0, r1, c0, c1 = box_of(p, 1.0, rows, columns)
    xx, xy, yy = inverse_of(p)
    for r in range(r0, r1):
        for c in range(c0, c1):
            dx, dy = c - p[0], r - p[1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            if u * u + v * v < 1.0:
                image[r, c] += 1.0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def mean_within(image, p):  # type: ignore[no-untyped-def]
    """Mean of the image within a body's rim; 0 where that holds no pixel."""
    rows, columns = image.shape
    r0, r1, c0, c1 = box_of(p, 1.0, rows, columns)
    xx, xy, yy = inverse_of(p)
    total, pixels = 0.0, 0
    for r in range(r0, r1):
        for c in range(c0, c1):
            dx, dy = c - p[0], r - p[1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            if u * u + v * v < 1.0:
                total += image[r, c]
                pixels += 1
    return total / max(pixels, 1)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def solve_into(normal, right, step):  # type: ignore[no-untyped-def]
    """Cholesky's way to normal @ step = right; `normal` (its lower half is used) and `right` are overwritten."""
    n = len(right)
    for k in range(n):
        for m in range(k + 1):
            left = normal[k, m]
            for j in range(m):
                left -= normal[k, j] * normal[m, j]
            normal[k, m] = math.sqrt(max(left, 1e-12)) if k == m else left / normal[m, m]
    for k in range(n):
        for j in range(k):
            right[k] -= normal[k, j] * right[j]
        right[k] /= normal[k, k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            right[k] -= normal[j, k] * right[j]
        right[k] /= normal[k, k]
        step[k] = right[k]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def tangent(xx, xy, yy, scale, factor, hollow, soft, dx, dy, row):  # type: ignore[no-untyped-def]
    """A body's chord at (dx, dy) from its middle, and q^2 there; its derivatives by the seven parameters go into `row`.

    scale: its largest chord; of a solid body row[6] is left as it is.
    """
    u, v = xx * dx + xy * dy, xy * dx + yy * dy
    q2 = u * u + v * v
    here, slope = _root(1.0 - q2, q2, soft)
    here, slope = scale * here, -scale * slope
    if hollow > 0.0:
        inner, steep = _root(hollow * hollow - q2, q2, soft)
        here -= scale * inner
        slope += scale * steep
        row[6] = -2.0 * scale * steep * hollow
    row[0] = -2.0 * slope * (xx * u + xy * v)
    row[1] = -2.0 * slope * (xy * u + yy * v)
    row[2] = here - 2.0 * slope * q2
    row[3] = -2.0 * slope * (u * u - v * v)
    row[4] = -4.0 * slope * u * v
    row[5] = here / factor
    return here, q2


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _equations(residual, weight, at, p, level, crowd, blur, normal, right):  # type: ignore[no-untyped-def]
    """Gauss-Newton's equations of a body p over the pixels about the body `at`. Returns the cost, and chi-squared for
    each pixel within the rim.
    """
    rows, columns = residual.shape
    r0, r1, c0, c1 = box_of(at, RING_PX, rows, columns)
    ox, oxy, oy = inverse_of(at)
    span = rim_of(at, RING_PX)
    xx, xy, yy = inverse_of(p)
    radius, factor, hollow = math.exp(p[2]), p[5], p[6]
    scale, soft = 2.0 * radius * factor, softness_of(radius, blur)
    cost, inside, pixels = 0.0, 0.0, 0
    row = np.zeros(8)
    row[7] = 1.0
    for r in range(r0, r1):
        for c in range(c0, c1):
            w = weight[r, c]
            if w <= 0.0:
                continue
            dx, dy = c - at[0], r - at[1]
            u, v = ox * dx + oxy * dy, oxy * dx + oy * dy
            if u * u + v * v > span:
                continue
            w /= 1.0 + w * crowd
            dx, dy = c - p[0], r - p[1]
            here, q2 = tangent(xx, xy, yy, scale, factor, hollow, soft, dx, dy, row)
            left = residual[r, c] - here - level
            if q2 < 1.0:
                inside += w * left * left
                pixels += 1
            elif left > 0.0 and w * left * left > _OTHERS:
                # A neighbour's: it draws no harder than this.
                w = _OTHERS / (left * left)
            cost += w * left * left
            for k in range(8):
                wk = w * row[k]
                right[k] += wk * left
                for m in range(k + 1):
                    normal[k, m] += wk * row[m]
    return cost, inside / max(pixels, 1)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def fit_one(residual, weight, p, mean, precision, rounds, ground, blur):  # type: ignore[no-untyped-def]
    """Fit one body to a residual that does not hold it yet; p is changed in place. Returns its cost, and
    chi-squared for each pixel within its rim.

    ground: what others, not yet found, leave about it, root mean square. The body is then fitted above a constant that
    is thrown away, with as little weight as its neighbours make it worth, and held near to where it was.
    """
    first, trial, best = p.copy(), p.copy(), p.copy()
    crowd = ground * ground * _ALIKE * math.exp(2.0 * first[2])
    best_cost, kept_left, damping = np.inf, np.inf, 1e-3
    normal, right, step = np.zeros((8, 8)), np.zeros(8), np.zeros(8)
    kept_normal, kept_right = normal.copy(), right.copy()
    level, kept_level = 0.0, 0.0
    for _ in range(rounds):
        normal[:] = 0.0
        right[:] = 0.0
        cost, left = _equations(residual, weight, first, trial, level, crowd, blur, normal, right)
        for k in range(7):
            tight, off = precision[k], trial[k] - mean[k]
            if k < 3:
                tight, off = (_HELD[k] if ground > 0.0 else 0.0), trial[k] - first[k]
            cost += tight * off * off
            right[k] -= tight * off
            normal[k, k] += tight
        if ground > 0.0:
            cost += (level / ground) ** 2
            right[7] -= level / ground**2
            normal[7, 7] += 1.0 / ground**2
        else:
            normal[7, 7] += 1e12
        if cost < best_cost:
            settled = best_cost - cost < 1e-3 * cost + 1e-2
            best_cost, kept_level, kept_left = cost, level, left
            best[:] = trial
            kept_normal[:] = normal
            kept_right[:] = right
            damping = max(damping / 4, 1e-6)
            if settled:
                break
        else:
            damping *= 10
        normal[:] = kept_normal
        right[:] = kept_right
        for k in range(8):
            normal[k, k] += damping * kept_normal[k, k] + 1e-9
        solve_into(normal, right, step)
        for k in range(7):
            move = min(max(step[k], -_STEP[k]), _STEP[k])
            trial[k] = min(max(best[k] + move, _LEAST[k]), _MOST[k])
        level = kept_level + step[7]
    p[:] = best
    return best_cost, kept_left


@numba.njit(nogil=True, cache=True, error_model="numpy")
def ground_of(residual, weight, p):  # type: ignore[no-untyped-def]
    """Root mean square of what the residual, averaged over eighths of the ring, shows around a body."""
    rows, columns = residual.shape
    r0, r1, c0, c1 = box_of(p, RING_PX, rows, columns)
    xx, xy, yy = inverse_of(p)
    inner, outer = rim_of(p, 1.0), rim_of(p, RING_PX)
    total, count = np.zeros(8), np.zeros(8)
    for r in range(r0, r1):
        for c in range(c0, c1):
            if weight[r, c] <= 0.0:
                continue
            dx, dy = c - p[0], r - p[1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            if inner < u * u + v * v < outer:
                k = int((math.atan2(dy, dx) / math.pi + 1.0) * 3.999)
                total[k] += residual[r, c]
                count[k] += 1.0
    power, known = 0.0, 0
    for k in range(8):
        if count[k] > 0:
            power += (total[k] / count[k]) ** 2
            known += 1
    return math.sqrt(power / known) if known else 0.0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def stands_free(residual, weight, p):  # type: ignore[no-untyped-def]
    """Share of the ring about a body, subtracted or not, in which little is left to explain."""
    rows, columns = residual.shape
    r0, r1, c0, c1 = box_of(p, RING_PX, rows, columns)
    xx, xy, yy = inverse_of(p)
    inner, outer = rim_of(p, 1.0), rim_of(p, 2.5)
    little = 0.15 * 2.0 * math.exp(p[2]) * p[5]
    free, every = 0, 0
    for r in range(r0, r1):
        for c in range(c0, c1):
            if weight[r, c] <= 0.0:
                continue
            dx, dy = c - p[0], r - p[1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            if inner < u * u + v * v < outer:
                every += 1
                if residual[r, c] < max(little, 2.0 / math.sqrt(weight[r, c])):
                    free += 1
    return free / max(every, 1)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def worth(residual, weight, p, blur):  # type: ignore[no-untyped-def]
    """Weighted squares beneath a body as the residual stands, less those with it subtracted; and its own squares."""
    rows, columns = residual.shape
    r0, r1, c0, c1 = box_of(p, 2.0 + blur, rows, columns)
    xx, xy, yy = inverse_of(p)
    radius, most = math.exp(p[2]), rim_of(p, 1.0)
    fall, own = 0.0, 0.0
    for r in range(r0, r1):
        for c in range(c0, c1):
            dx, dy = c - p[0], r - p[1]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            if u * u + v * v < most:
                here = _chord(xx, xy, yy, radius, p[5], p[6], blur, dx, dy)
                fall += weight[r, c] * here * (2.0 * residual[r, c] - here)
                own += weight[r, c] * here * here
    return fall, own
