"""Spheres seen in projection: their shadow, the search for them, and the joint least-squares fit of many.

X-rays add up, so overlapping particles are a sum of chords, not a patchwork of areas: a small particle tucked beneath
a large one is found in what the large one's sphere leaves over (matching pursuit, Mallat and Zhang 1993), and all
spheres are then fitted together (Levenberg-Marquardt on the sparse normal equations).
Lengths in this module are pixels; thickness maps are chords in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

Floats = NDArray[np.float64]

_REACH_PX = 1.0
"""How far beyond its radius a sphere's shadow is computed (the rim is smeared over about a pixel)."""

_SMEAR_PX = 0.2
"""Width of that smear; 0.1 to 0.2 px comes nearest to the chord averaged over square pixels."""


@dataclass(frozen=True)
class Spheres:
    """n spheres: column, row (pixels, may be outside the image), radius (pixels), and the factor on the chord.

    The factor takes up what a sphere cannot: a particle taller or flatter than it is wide.
    """

    column: Floats
    row: Floats
    radius: Floats
    factor: Floats

    def __len__(self) -> int:
        return len(self.column)

    def table(self) -> Floats:
        """The parameters as (n, 4)."""
        return np.column_stack((self.column, self.row, self.radius, self.factor))

    @staticmethod
    def of(table: Floats) -> Spheres:
        """Inverse of `table`."""
        table = np.asarray(table, float).reshape(-1, 4)
        return Spheres(*(np.ascontiguousarray(column) for column in table.T))


@dataclass(frozen=True)
class _Shadows:
    """The pixels that the spheres shade, sphere after sphere: flat index, chord at factor 1, how many for each."""

    index: NDArray[np.int64]
    chord: Floats
    gradient: Floats
    """Derivatives of the chord by column, row, radius: (3, pixels)."""
    lengths: NDArray[np.int64]


def _shadows(table: Floats, shape: tuple[int, int]) -> _Shadows:
    column, row, radius = table[:, 0], table[:, 1], table[:, 2]
    reach = radius + _REACH_PX
    c0, c1 = (np.clip(edge, 0, shape[1]).astype(np.int64) for edge in (np.ceil(column - reach), column + reach + 1))
    r0, r1 = (np.clip(edge, 0, shape[0]).astype(np.int64) for edge in (np.ceil(row - reach), row + reach + 1))
    wide, high = np.maximum(c1 - c0, 0), np.maximum(r1 - r0, 0)
    owner = np.repeat(np.arange(len(table)), wide * high)
    local = np.arange(len(owner)) - np.repeat(np.cumsum(wide * high) - wide * high, wide * high)
    x, y = c0[owner] + local % wide[owner], r0[owner] + local // wide[owner]
    dx, dy = x - column[owner], y - row[owner]
    distance2 = dx * dx + dy * dy
    inside = distance2 < reach[owner] ** 2
    owner, index = owner[inside], (y * shape[1] + x)[inside]
    dx, dy, distance2 = dx[inside], dy[inside], distance2[inside]
    r = radius[owner]
    power = r * r - distance2
    # A pixel averages over the rim, where the exact chord 2 sqrt(power) has an infinite slope.
    root = np.sqrt(power * power + (_SMEAR_PX * r) ** 2)
    chord = np.sqrt(2 * (power + root))
    by_power = chord / (2 * root)
    by_smear = _SMEAR_PX**2 * r / (chord * root)
    gradient = np.stack((2 * dx * by_power, 2 * dy * by_power, 2 * r * by_power + by_smear))
    return _Shadows(index, chord, gradient, np.bincount(owner, minlength=len(table)))


def shadow(spheres: Spheres, shape: tuple[int, int]) -> Floats:
    """Sum of the chords of all spheres, shape (rows, columns), in pixels."""
    cast = _shadows(spheres.table(), shape)
    factor = np.repeat(spheres.factor, cast.lengths)
    total = np.bincount(cast.index, factor * cast.chord, minlength=shape[0] * shape[1])
    return total.astype(np.float64).reshape(shape)


def find_spheres(
    residual: Floats, weight: Floats, radii: Floats, *, least_fraction: float, least_fall: float, spacing: float = 0.7
) -> Spheres:
    """Spheres whose subtraction makes `residual` smaller, strongest first, no two closer than `spacing` radii.

    residual: chords not yet explained, (rows, columns) in pixels; weight: same shape, 0 where nothing was seen;
    radii: those to try, ascending. For a sphere s at a place the weighted squares fall by 2<r, s> - <s, s>: a local
    maximum over place and radius is taken when that fall is at least `least_fraction` of <s, s>, and `least_fall`.
    """
    from scipy import ndimage

    correlator = _Correlator((residual * weight, weight, (weight > 0) * 1.0), int(np.ceil(radii[-1] + _REACH_PX)) + 1)
    gains = [_gain(correlator, radius) for radius in radii]
    fractions, falls = (np.stack(part) for part in zip(*gains, strict=True))
    peak = falls == ndimage.maximum_filter(falls, size=(3, 5, 5), mode="nearest")
    peak &= (fractions >= least_fraction) & (falls >= least_fall)
    layer, row, column = np.nonzero(peak)
    order = np.argsort(-falls[layer, row, column], kind="stable")
    taken: list[tuple[float, float, float, float]] = []
    for i in order:
        r = radii[layer[i]]
        if taken:
            others = np.array(taken)
            near = np.hypot(others[:, 0] - column[i], others[:, 1] - row[i])
            if np.any(near < spacing * (others[:, 2] + r)):
                continue
        taken.append((float(column[i]), float(row[i]), float(r), 1.0))
    return Spheres.of(np.array(taken, float).reshape(-1, 4))


def _fast_length(least: int) -> int:
    """The next length whose prime factors are 2, 3 and 5."""
    length = least
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1


class _Correlator:
    """Correlation of images with symmetric templates, zero beyond the edges; transforms the images once."""

    def __init__(self, images: tuple[NDArray[np.floating], ...], reach: int) -> None:
        from scipy import fft

        self._shape = images[0].shape
        self._padded = tuple(_fast_length(n + reach) for n in self._shape)
        self._images = [np.asarray(fft.rfft2(image.astype(np.float32), self._padded)) for image in images]

    def correlate(self, which: int, template: Floats) -> NDArray[np.float32]:
        """Image number `which` with a square template of odd side."""
        from scipy import fft

        half = template.shape[0] // 2
        around = np.zeros(self._padded, np.float32)
        around[: template.shape[0], : template.shape[1]] = template
        product = self._images[which] * np.asarray(fft.rfft2(np.roll(around, (-half, -half), (0, 1))))
        whole = np.asarray(fft.irfft2(product, self._padded), np.float32)
        return whole[: self._shape[0], : self._shape[1]]


def _gain(correlator: _Correlator, radius: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fall of the weighted squares as a fraction of the sphere's own, and the fall itself, each (rows, columns)."""
    half = int(np.ceil(radius + _REACH_PX))
    middle = Spheres(*(np.array([value]) for value in (half, half, radius, 1.0)))
    template = shadow(middle, (2 * half + 1, 2 * half + 1))
    both = correlator.correlate(0, template)
    alone = correlator.correlate(1, template * template)
    fall = 2 * both - alone
    # Where little of the sphere's place was seen, nothing can be said (nor where rounding is all there is).
    known = (correlator.correlate(2, template) > 0.3 * template.sum()) & (alone > 1e-5 * alone.max())
    return np.where(known, fall / np.where(known, alone, 1), -np.inf), np.where(known, fall, -np.inf)


def fit_spheres(
    thickness: Floats,
    weight: Floats,
    start: Spheres,
    *,
    rounds: int = 8,
    factor_spread: float = 0.15,
    least_radius: float = 1.0,
) -> tuple[Spheres, Floats]:
    """Fit all spheres at once to `thickness` (pixels); weight: 1 / variance per pixel, 0 where nothing was seen.

    factor_spread: expected spread of the chord factor about 1 (a prior, so that radius and height stay apart).
    Returns the spheres and thickness minus their shadow.
    """
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    flat, w = thickness.ravel(), weight.ravel()
    table = start.table()
    if not len(table):
        return start, thickness.copy()
    prior = np.tile([0.0, 0.0, 0.0, factor_spread**-2], len(table))
    damping = 1e-2
    cost, gradient, normal, residual = _normal(flat, w, table, thickness.shape, factor_spread)
    for _ in range(rounds):
        diagonal = normal.diagonal() + prior
        damped = (normal + sparse.diags(prior + damping * diagonal + 1e-9)).tocsc()
        step = np.asarray(spsolve(damped, gradient - prior * (table - [0, 0, 0, 1]).ravel())).reshape(-1, 4)
        step = np.clip(step, -2.0, 2.0)
        step[:, 3] = np.clip(step[:, 3], -0.2, 0.2)
        trial = table + step
        trial[:, 2] = np.clip(trial[:, 2], least_radius, None)
        trial[:, 3] = np.clip(trial[:, 3], 0.2, 2.0)
        new = _normal(flat, w, trial, thickness.shape, factor_spread)
        if new[0] > cost:
            damping *= 10
            continue
        settled = cost - new[0] < 1e-4 * cost
        cost, gradient, normal, residual = new
        table, damping = trial, damping / 3
        if settled:
            break
    return Spheres.of(table), residual.reshape(thickness.shape)


def _normal(
    flat: Floats, weight: Floats, table: Floats, shape: tuple[int, int], factor_spread: float
) -> tuple[float, Floats, sparse.csr_matrix, Floats]:
    """Cost, right-hand side, normal matrix and residual at `table`."""
    from scipy import sparse

    cast = _shadows(table, shape)
    factor = np.repeat(table[:, 3], cast.lengths)
    residual = flat - np.bincount(cast.index, factor * cast.chord, minlength=flat.size)
    # Four rows for each sphere, all on the same pixels: gathered sphere by sphere, parameter by parameter.
    ends = np.cumsum(cast.lengths)
    place = np.arange(len(cast.index)) + 3 * np.repeat(ends - cast.lengths, cast.lengths)
    lengths = np.repeat(cast.lengths, 4)
    data, pixel = np.empty(4 * len(place)), np.empty(4 * len(place), np.int64)
    for k, values in enumerate((*(factor * cast.gradient), cast.chord)):
        at = place + k * np.repeat(cast.lengths, cast.lengths)
        data[at], pixel[at] = values, cast.index
    starts = np.concatenate(([0], np.cumsum(lengths)))
    jacobian = sparse.csr_matrix((data, pixel, starts), shape=(len(lengths), flat.size))
    weighted = sparse.csr_matrix((data * weight[pixel], pixel, starts), shape=jacobian.shape)
    cost = float(np.sum(weight * residual**2) + np.sum(((table[:, 3] - 1) / factor_spread) ** 2))
    return cost, weighted @ residual, (weighted @ jacobian.T).tocsr(), residual
