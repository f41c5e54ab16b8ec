"""Bodies seen in projection: their shadows, and the fit of many of them to one map of chords.

The shadow of any ellipsoid is an ellipse in which the chord falls as sqrt(1 - q^2), q the distance from its middle in
units of its rim; a shell's is the difference of two. X-rays add up, so overlapping bodies are a sum of shadows: each is
fitted to what all others leave over, in turn, until all are at rest (Gauss-Seidel on Gauss-Newton's equations).
The compiled loops are loaded when something is fitted. Lengths are pixels, thickness maps chords in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.resting import Resting
from xrm_control.roi.thickness import SPREAD_UM, mean_over

Floats = NDArray[np.float64]

COLUMN, ROW, SIZE, STRETCH, SKEW, FACTOR, HOLLOW = range(7)
"""Columns of a table of bodies: middle, logarithm of the radius (of the circle of the same area), two components of the
elongation (logarithm of the axes' ratio over 2, along the pixels and across them), longest chord over that of the
sphere of this radius, inner over outer size."""

BLURS_PX = (0.3, 0.5, 0.7, 0.9, 1.2, 1.6)
"""Blur of a mosaic, standard deviations; the least of them is the pixel's own."""


_CLEAN = 1.4
"""Chi-squared for each pixel within the rim below which a fit has explained what is there."""

_FREE = 0.4
"""Least share of the ring about a body that must be free for its shape to be believed."""


_BESIDE_PX, _NOISE = 2.0, 3.0
"""Beyond the rims by so much the tape is bare, where it differs from its median by no more than so much noise."""


class Shape(IntEnum):
    """What a body is taken for."""

    SPHERE = 0
    ELLIPSOID = 1
    SHELL = 2


_MEAN = np.array([
    [0, 0, 0, 0.0, 0.0, 1.0, 0.0],
    [0, 0, 0, 0.0, 0.0, 0.9, 0.0],
    [0, 0, 0, 0.0, 0.0, 1.0, 0.55],
])  # fmt: skip
_SPREAD = np.array([
    [np.inf, np.inf, np.inf, 0.03, 0.03, 0.12, 1e-6],
    [np.inf, np.inf, np.inf, 0.35, 0.35, 0.35, 1e-6],
    [np.inf, np.inf, np.inf, 0.03, 0.03, 0.10, 0.2],
])  # fmt: skip
_PRECISION = _SPREAD**-2.0
"""What is known of a shape beforehand, so that radius and height stay apart."""

_FAINTLY = 0.04
"""Of what is known of a shape beforehand (1 / variance), for a body that is only measured."""

_PRICE = np.array([0.0, 16.0, 16.0])
"""Fall of chi-squared that a shape must bring to be taken in place of a sphere: three ln(n) for some 200 pixels."""


def beforehand(shape: Shape, *, alone: bool = False) -> tuple[Floats, Floats]:
    """What is known of a body's parameters before it is fitted: mean (7,) and 1 / variance (7,), 0 for nothing.

    alone: of one that shares its shadow with no other, and is measured as it shows itself.
    """
    held = _PRECISION[shape]
    return _MEAN[shape], np.where(held < 1e6, _FAINTLY * held, held) if alone else held


@dataclass(frozen=True)
class Bodies:
    """n bodies: their parameters (n, 7), what they are taken for (n,), and (n, 2) when each was fitted last, as what
    it is taken for and with that decided anew (see `resting`; 0: never).
    """

    table: Floats
    shape: NDArray[np.int64]
    fitted: NDArray[np.int64]

    @staticmethod
    def of(table: Floats, shape: NDArray[np.int64]) -> Bodies:
        """Bodies that are still to be fitted."""
        return Bodies(table, shape, np.zeros((len(table), 2), np.int64))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def radius(self) -> Floats:
        """Of the circle of the same area, pixels."""
        return np.exp(self.table[:, SIZE])

    @property
    def diameter(self) -> Floats:
        """Of the sphere of the same volume (the envelope's), pixels."""
        return 2 * self.radius * np.cbrt(self.table[:, FACTOR])

    @property
    def chord(self) -> Floats:
        """The envelope's longest, along the beam, pixels."""
        return 2 * self.radius * self.table[:, FACTOR]

    @property
    def height(self) -> Floats:
        """The most that lies above one place of the shadow, pixels: of a shell's, where the beam grazes its hollow."""
        return self.chord * np.sqrt(1.0 - self.table[:, HOLLOW] ** 2)

    @property
    def elongation(self) -> Floats:
        """Long over short axis of the shadow."""
        return np.exp(2 * np.hypot(self.table[:, STRETCH], self.table[:, SKEW]))

    def middles_um(self, corner_um: tuple[float, float], pixel_um: float) -> tuple[Floats, Floats]:
        """x and y of their middles, (n,) each; corner_um: the centre of the first pixel there."""
        left, top = corner_um
        return left + self.table[:, COLUMN] * pixel_um, top + self.table[:, ROW] * pixel_um

    def where(self, kept: NDArray[np.bool_]) -> Bodies:
        """Those that are kept."""
        return Bodies(self.table[kept], self.shape[kept], self.fitted[kept])

    def and_also(self, more: Bodies) -> Bodies:
        """These and others."""
        return Bodies(
            np.vstack((self.table, more.table)),
            np.concatenate((self.shape, more.shape)),
            np.vstack((self.fitted, more.fitted)),
        )

    @staticmethod
    def none() -> Bodies:
        """No body."""
        return Bodies.of(np.empty((0, 7)), np.empty(0, np.int64))

    @staticmethod
    def spheres(column: Floats, row: Floats, radius: Floats, form: Floats | None = None) -> Bodies:
        """Spheres there, or bodies with this (n, 3) for STRETCH, SKEW and HOLLOW."""
        table = np.zeros((len(column), 7))
        table[:, COLUMN], table[:, ROW], table[:, SIZE], table[:, FACTOR] = column, row, np.log(radius), 1.0
        if form is not None:
            table[:, [STRETCH, SKEW, HOLLOW]] = form
        return Bodies.of(table, np.zeros(len(column), np.int64))


def shadow(bodies: Bodies, shape: tuple[int, int], blur_px: float) -> Floats:
    """Sum of the chords of all bodies, (rows, columns), in pixels."""
    from xrm_control.roi import body_kernels as kernels

    total = np.zeros(shape)
    for p in bodies.table:
        kernels.add(total, p, 1.0, blur_px)
    return total


def number_above(bodies: Bodies, shape: tuple[int, int]) -> Floats:
    """How many bodies lie over each pixel, (rows, columns)."""
    from xrm_control.roi import body_kernels as kernels

    total = np.zeros(shape)
    for p in bodies.table:
        kernels.add_one(total, p)
    return total


def beneath(bodies: Bodies, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels (rows, columns) lie beneath a body or its blurred rim."""
    grown = bodies.table.copy()
    grown[:, SIZE] = np.log(np.exp(grown[:, SIZE]) + _BESIDE_PX)
    return number_above(Bodies.of(grown, bodies.shape), shape) > 0


def means_within(image: Floats, bodies: Bodies) -> Floats:
    """(n,): mean of an image over each body and its blurred rim."""
    from xrm_control.roi import body_kernels as kernels

    grown = bodies.table.copy()
    grown[:, SIZE] = np.log(np.exp(grown[:, SIZE]) + _BESIDE_PX)
    return np.array([kernels.mean_within(image, p) for p in grown]).reshape(-1)


def crowding(bodies: Bodies, above: Floats) -> Floats:
    """(n,): how many others lie over each body, mean over its shadow; above: as of `number_above`."""
    from xrm_control.roi import body_kernels as kernels

    return np.array([max(kernels.mean_within(above, p) - 1.0, 0.0) for p in bodies.table]).reshape(-1)


def take(
    residual: Floats,
    weight: Floats,
    wanted: Bodies,
    blur_px: float,
    *,
    fraction: float,
    least_fall: float,
    crowded: bool,
) -> Bodies:
    """Those candidates, each fitted, that explain at least `fraction` of their own squares and `least_fall` of
    chi-squared, strongest first; `residual` is changed in place. weight: 1 / variance per pixel, 0 where nothing was
    seen; crowded: those too that do not stand free and explain their place, as among others that are not found yet.
    """
    from xrm_control.roi import body_kernels as kernels

    table, shape = wanted.table.copy(), wanted.shape.copy()
    kept = np.zeros(len(table), bool)
    for i, p in enumerate(table):
        # What a candidate is, is settled when its neighbours are there.
        for kind in (Shape.ELLIPSOID, Shape.SHELL):
            free = p.copy()
            if kind is Shape.SHELL:
                free[[STRETCH, SKEW, FACTOR, HOLLOW]] = 0.0, 0.0, 1.0, max(p[HOLLOW], 0.5)
            else:
                free[HOLLOW] = 0.0
            _fit(residual, weight, free, kind, 4, 0.0, blur_px)
            _, left = _fit(residual, weight, free, kind, 6, 0.0, blur_px)
            if left < _CLEAN and kernels.stands_free(residual, weight, free) > _FREE:
                p[:], shape[i] = free, kind
                break
        else:
            if not crowded:
                continue
            p[HOLLOW] = 0.0
            _fit(residual, weight, p, Shape.SPHERE, 4, kernels.ground_of(residual, weight, p), blur_px)
        fall, own = kernels.worth(residual, weight, p, blur_px)
        if fall > least_fall and fall > fraction * own:
            kept[i] = True
            kernels.add(residual, p, -1.0, blur_px)
    return Bodies.of(table[kept], shape[kept])


def settle(
    residual: Floats,
    weight: Floats,
    bodies: Bodies,
    blur_px: float,
    *,
    rounds: int,
    resting: Resting,
    choose: bool = False,
) -> Bodies:
    """All bodies that are not at rest fitted to what the others leave over, `rounds` times; `residual` is changed in
    place.

    choose: what each one is (`Shape`) is decided anew, by chi-squared and the price of its parameters.
    """
    from xrm_control.roi import body_kernels as kernels

    table, shape, fitted = bodies.table.copy(), bodies.shape.copy(), bodies.fitted.copy()
    resting.look(residual)
    for _ in range(rounds):
        for i, p in enumerate(table):
            if resting.at_rest(p, int(fitted[i, int(choose)])):
                continue
            before = p.copy()
            kernels.add(residual, p, 1.0, blur_px)
            chosen = _best_shape(residual, weight, p, blur_px) if choose else None
            if chosen is None:
                ground = kernels.ground_of(residual, weight, p)
                _fit(residual, weight, p, Shape(shape[i]), 3, ground, blur_px)
            else:
                p[:], shape[i] = chosen
            kernels.add(residual, p, -1.0, blur_px)
            fitted[i, int(choose)] = resting.fitted(before, p)
    resting.leave(residual)
    return Bodies(table, shape, fitted)


def _fit(residual: Floats, weight: Floats, p: Floats, kind: Shape, rounds: int, ground: float, blur_px: float):  # type: ignore[no-untyped-def]
    from xrm_control.roi import body_kernels as kernels

    return kernels.fit_one(residual, weight, p, _MEAN[kind], _PRECISION[kind], rounds, ground, blur_px)


def measured(residual: Floats, weight: Floats, bodies: Bodies, blur_px: float, alone: NDArray[np.bool_]) -> Bodies:
    """The bodies that lie `alone`, (n,), fitted by what is seen of them, with hardly any regard to what is usual of
    their shape: what they are is settled. `residual` is changed in place.
    """
    from xrm_control.roi import body_kernels as kernels

    table = bodies.table.copy()
    for i in np.flatnonzero(alone):
        mean, precision = beforehand(Shape(bodies.shape[i]), alone=True)
        kernels.add(residual, table[i], 1.0, blur_px)
        kernels.fit_one(residual, weight, table[i], mean, precision, 6, 0.0, blur_px)
        kernels.add(residual, table[i], -1.0, blur_px)
    return Bodies(table, bodies.shape, bodies.fitted)


def _best_shape(residual: Floats, weight: Floats, p: Floats, blur_px: float) -> tuple[Floats, Shape] | None:
    """The cheapest shape of those that explain the place; None where none does."""
    best: tuple[float, Floats, Shape] | None = None
    for kind in Shape:
        trial = p.copy()
        if kind is Shape.SPHERE:
            trial[[STRETCH, SKEW, HOLLOW]] = 0.0
            trial[FACTOR] = np.clip(trial[FACTOR], 0.8, 1.2)
        elif kind is Shape.ELLIPSOID:
            trial[HOLLOW] = 0.0
        else:
            trial[[STRETCH, SKEW, FACTOR, HOLLOW]] = 0.0, 0.0, 1.0, max(trial[HOLLOW], 0.5)
        cost, left = _fit(residual, weight, trial, kind, 7, 0.0, blur_px)
        if left < _CLEAN and (best is None or cost + _PRICE[kind] < best[0]):
            best = cost + _PRICE[kind], trial, kind
    return None if best is None else best[1:]


def fit_alone(residual: Floats, weight: Floats, body: Bodies, blur_px: float) -> Bodies | None:
    """One ellipsoid or shell fitted to a residual that does not hold it; None where that leaves more than noise."""
    best: tuple[float, Floats, Shape] | None = None
    for kind in (Shape.ELLIPSOID, Shape.SHELL):
        p = body.table[0].copy()
        if kind is Shape.SHELL:
            p[[STRETCH, SKEW, FACTOR, HOLLOW]] = 0.0, 0.0, 1.0, 0.5
        _fit(residual, weight, p, kind, 8, 0.0, blur_px)
        cost, left = _fit(residual, weight, p, kind, 8, 0.0, blur_px)
        if left < _CLEAN and (best is None or cost < best[0]):
            best = cost, p, kind
    return None if best is None else Bodies.of(best[1][None], np.array([int(best[2])]))


def worths(residual: Floats, weight: Floats, bodies: Bodies, blur_px: float) -> tuple[Floats, Floats]:
    """How much chi-squared would rise without each body, (n,), and the body's own weighted squares, (n,)."""
    from xrm_control.roi import body_kernels as kernels

    found = np.zeros((len(bodies), 2))
    for i, p in enumerate(bodies.table):
        kernels.add(residual, p, 1.0, blur_px)
        found[i] = kernels.worth(residual, weight, p, blur_px)
        kernels.add(residual, p, -1.0, blur_px)
    return found[:, 0], found[:, 1]


def blur_of(chords: Floats, weight: Floats, bodies: Bodies) -> float:
    """The blur in pixels with which these bodies leave least over: of BLURS_PX, and between those by a parabola."""

    def left(blur_px: float) -> float:
        # What nobody explains yet says nothing.
        squares = weight * (chords - shadow(bodies, chords.shape, blur_px)) ** 2
        return float(np.minimum(squares, 4.0).sum())

    squares = [left(blur_px) for blur_px in BLURS_PX]
    best = int(np.argmin(squares))
    if best in (0, len(BLURS_PX) - 1):
        return BLURS_PX[best]
    near = slice(best - 1, best + 2)
    curve, slope, _ = np.polyfit(BLURS_PX[near], squares[near], 2)
    if curve <= 0:
        return BLURS_PX[best]
    return min(max(float(-slope / (2 * curve)), BLURS_PX[best - 1]), BLURS_PX[best + 1])


def bare_level(residual: Floats, weight: Floats, bodies: Bodies, pixel_um: float) -> Floats:
    """What is left over beside the bodies, as the tape's level shows it, (rows, columns) in pixels.

    The level was read from what is dark by little, rims among it, before anybody knew of bodies; in a dense layer there
    is not much else.
    """
    bare = (weight > 0) & ~beneath(bodies, residual.shape)
    noise = float(weight.max(initial=0.0)) ** -0.5
    for _ in range(2):
        if not bare.any():
            return np.zeros(residual.shape)
        bare &= np.abs(residual - float(np.median(residual[bare]))) < _NOISE * noise
    return mean_over(residual, bare, SPREAD_UM / pixel_um)


def averaged_light(bodies: Bodies, shape: tuple[int, int], mu_per_px: float, blur_px: float) -> Floats:
    """What blur takes away from the chords besides, (rows, columns) in pixels, not above 0: it is the light that is
    averaged, and the logarithm taken then, so that a steep rim looks brighter than its mean chord would be.
    """
    from scipy import ndimage

    own_px = BLURS_PX[0]
    further_px = float(np.sqrt(max(blur_px**2 - own_px**2, 0.0)))
    chords = shadow(bodies, shape, own_px)
    light = ndimage.gaussian_filter(np.exp(-mu_per_px * chords), further_px)
    return np.minimum(-np.log(light) / mu_per_px - ndimage.gaussian_filter(chords, further_px), 0.0)
