"""Spheres seen in projection: their shadow, the search for them, and the joint least-squares fit of many.

X-rays add up, so overlapping particles are a sum of chords, not a patchwork of areas: a small particle tucked beneath
a large one is found in what the large one's sphere leaves over (matching pursuit, Mallat and Zhang 1993), and all
spheres are then fitted together (Levenberg-Marquardt on the sparse normal equations).
Lengths in this module are pixels; thickness maps are chords in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, sparse
from scipy.sparse.linalg import spsolve

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
class _Patch:
    """The pixels that one sphere shades: flat indices, chord at factor 1, derivatives by column, row, radius."""

    index: NDArray[np.int64]
    chord: Floats
    gradient: Floats


def _patch(shape: tuple[int, int], column: float, row: float, radius: float) -> _Patch:
    reach = radius + _REACH_PX
    c0, c1 = max(int(np.ceil(column - reach)), 0), min(int(np.floor(column + reach)) + 1, shape[1])
    r0, r1 = max(int(np.ceil(row - reach)), 0), min(int(np.floor(row + reach)) + 1, shape[0])
    dx = np.arange(c0, c1)[None, :] - column
    dy = np.arange(r0, r1)[:, None] - row
    inside = dx * dx + dy * dy < reach * reach
    power = radius * radius - dx * dx - dy * dy
    # A pixel averages over the rim, where the exact chord 2 sqrt(power) has an infinite slope.
    root = np.sqrt(power * power + (_SMEAR_PX * radius) ** 2)
    chord = np.sqrt(2 * (power + root))
    with np.errstate(divide="ignore", invalid="ignore"):
        by_power = chord / (2 * root)
        by_smear = _SMEAR_PX**2 * radius / (chord * root)
    index = (np.arange(r0, r1)[:, None] * shape[1] + np.arange(c0, c1)[None, :])[inside]
    gradient = np.stack((2 * dx * by_power, 2 * dy * by_power, 2 * radius * by_power + by_smear), axis=-1)[inside]
    return _Patch(index, chord[inside], gradient)


def shadow(spheres: Spheres, shape: tuple[int, int]) -> Floats:
    """Sum of the chords of all spheres, shape (rows, columns), in pixels."""
    total = np.zeros(shape[0] * shape[1])
    for column, row, radius, factor in spheres.table():
        patch = _patch(shape, column, row, radius)
        total[patch.index] += factor * patch.chord
    return total.reshape(shape)


def find_spheres(
    residual: Floats, weight: Floats, radii: Floats, *, least_fraction: float, least_fall: float, spacing: float = 0.7
) -> Spheres:
    """Spheres whose subtraction makes `residual` smaller, strongest first, no two closer than `spacing` radii.

    residual: chords not yet explained, (rows, columns) in pixels; weight: same shape, 0 where nothing was seen;
    radii: those to try, ascending. For a sphere s at a place the weighted squares fall by 2<r, s> - <s, s>: a local
    maximum over place and radius is taken when that fall is at least `least_fraction` of <s, s>, and `least_fall`.
    """
    gains = [_gain(residual, weight, radius) for radius in radii]
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


def _gain(residual: Floats, weight: Floats, radius: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fall of the weighted squares as a fraction of the sphere's own, and the fall itself, each (rows, columns)."""
    half = int(np.ceil(radius + _REACH_PX))
    size = 2 * half + 1
    patch = _patch((size, size), half, half, radius)
    template = np.zeros(size * size)
    template[patch.index] = patch.chord
    template = template.reshape(size, size).astype(np.float32)
    together = _correlate((residual * weight).astype(np.float32), template)
    alone = _correlate(weight.astype(np.float32), template * template)
    fall = 2 * together - alone
    # Where little of the sphere's place was seen, nothing can be said.
    known = alone > 0.3 * np.median(alone)
    return np.where(known, fall / np.where(known, alone, 1), -np.inf), np.where(known, fall, -np.inf)


def _correlate(image: NDArray[np.float32], template: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlation with a symmetric template, zero beyond the edges, same shape as the image."""
    half = template.shape[0] // 2
    shape = tuple(fft.next_fast_len(n + 2 * half, real=True) for n in image.shape)
    product = fft.rfft2(image, shape) * fft.rfft2(template, shape)
    return fft.irfft2(product, shape)[half : half + image.shape[0], half : half + image.shape[1]]


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
    flat, w = thickness.ravel(), weight.ravel()
    table = start.table()
    if not len(table):
        return start, thickness.copy()
    prior = np.tile([0.0, 0.0, 0.0, factor_spread**-2], len(table))
    damping = 1e-2
    cost, gradient, normal, residual = _normal(flat, w, table, thickness.shape, factor_spread)
    for _ in range(rounds):
        diagonal = normal.diagonal() + prior
        step = spsolve(
            (normal + sparse.diags(prior + damping * diagonal + 1e-9)).tocsc(),
            gradient - prior * (table - [0, 0, 0, 1]).ravel(),
        ).reshape(-1, 4)
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
    residual = flat.copy()
    rows, values, ends = [], [], []
    for column, row, radius, factor in table:
        patch = _patch(shape, column, row, radius)
        residual[patch.index] -= factor * patch.chord
        rows.append(patch.index)
        values.append(np.column_stack((factor * patch.gradient, patch.chord)))
        ends.append(len(patch.index))
    lengths = np.array(ends)
    pixel = np.concatenate([np.tile(r, 4) for r in rows])
    data = np.concatenate([v.T.ravel() for v in values])
    parameter = np.repeat(np.arange(4 * len(table)), np.repeat(lengths, 4))
    jacobian = sparse.csr_matrix((data, (parameter, pixel)), shape=(4 * len(table), flat.size))
    weighted = jacobian.multiply(weight[None, :]).tocsr()
    cost = float(np.sum(weight * residual**2) + np.sum(((table[:, 3] - 1) / factor_spread) ** 2))
    return cost, weighted @ residual, (weighted @ jacobian.T).tocsr(), residual
