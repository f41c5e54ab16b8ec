"""A detector whose rows are not at right angles to the rotation axis: found from opposite views, and put right.

Mirrored, a view and its opposite are the same picture. A detector turned by `tilt` about the beam turns the one forth
and, since it is mirrored, the other back: they differ by twice the tilt. A shift alone cannot be mistaken for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.filters import smoothed

_LEAST_ROWS, _MOST_COLUMNS = 24, 512
_LOW_PX, _HIGH_PX = 1.5, 12.0
_CONTRAST_FLOOR = 0.02
_COARSE_DEG = np.arange(-20.0, 20.5, 2.0)  # between the two views: twice the tilt
_COARSE_COLUMNS = 128
_MOST_DEG = 10.0
_MATTERS_PX = 0.5  # of the axis, in the outermost rows
_SIGMAS, _LIKE, _MOST_PAIRS = 10.0, 0.6, 3
_ROUNDS = 12
_TINY = 1e-300
_CHANCE = 3.0
# Of what the picture says of a turning, over what noise alone would say: from 2 to 5 the tilts of simulated spheres are
# off by up to 0.16 degrees; below, by any angle.
_TELLS, _HINTS = 3.0, 2.0


@dataclass(frozen=True)
class Tilt:
    """How far the detector is turned, in degrees, counted from its rows to its columns; u_deg: one sigma.

    likeness: correlation of the opposite views when it is taken off. matters: it moves the axis by half a pixel from
    the middle row to the outermost. tells: how much more than noise of the same strength the picture says of a turning;
    of a single sphere it says nothing (1). sure: it can be told from nothing, and the views are alike when it is taken
    off.
    """

    deg: float
    u_deg: float
    likeness: float
    matters: bool
    tells: float

    @property
    def told(self) -> bool:
        """Whether the views tell it at all, be it none."""
        return self.likeness >= _LIKE and self.tells >= _TELLS and abs(self.deg) <= _MOST_DEG

    @property
    def sure(self) -> bool:
        """Whether it may be put right."""
        return self.told and abs(self.deg) > _SIGMAS * self.u_deg

    @property
    def doubtful(self) -> bool:
        """Whether it would matter, is more than chance, and cannot be put right."""
        told = self.tells >= _HINTS and abs(self.deg) > _CHANCE * self.u_deg
        return self.matters and told and not self.sure

    @property
    def text(self) -> str:
        """In words."""
        return (
            f"{self.deg:.2f} degrees (standard error {self.u_deg:.2g}, likeness of opposite views {self.likeness:.2f},"
            f" {self.tells:.1f} times what noise would say)"
        )


def find_tilt(transmissions: NDArray[np.float32], pairs: Sequence[tuple[int, int]]) -> Tilt | None:
    """From pairs of opposite views (i, j) among `transmissions` (n, rows, columns); None where either are too few."""
    rows, columns = transmissions.shape[1:]
    if min(rows, columns) < _LEAST_ROWS or not pairs:
        return None
    found = [_between(transmissions[one][:, ::-1], transmissions[other]) for one, other in pairs[:_MOST_PAIRS]]
    best = [one for one in found if one is not None]
    if not best:
        return None
    turned, error, alike, tells = (float(np.median(one)) for one in np.transpose(best))
    spread = float(np.std([one.deg for one in best])) if len(best) > 1 else 0.0
    deg = turned / 2
    return Tilt(deg, math.hypot(error, spread) / 2, alike, matters(deg, rows), tells)


def matters(tilt_deg: float, rows: int) -> bool:
    """Whether it moves the axis by half a pixel from the middle row to the outermost of so many."""
    return math.tan(math.radians(min(abs(tilt_deg), 45.0))) * rows / 2 > _MATTERS_PX


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The best correlation of two transmissions (rows, columns) over shifts along the rows, without noise and what
    varies slowly; 0 where one of them shows nothing.
    """
    first, second = (_prepared(np.asarray(image, np.float64)) for image in (one, other))
    shows = min(first.shape) > 1 and first.std() > 0 and second.std() > 0
    return _correlated(first, second)[0] if shows else 0.0


def levelled(
    images: NDArray[np.float32], tilt_deg: float, *, first_row: int = 0, rows: int | None = None
) -> NDArray[np.float32]:
    """(n, r, columns) turned back about the middle of the detector, cubic, edges continued.

    first_row, rows: where the images' rows are among all `rows` of the detector; by default they are all.
    """
    from scipy.ndimage import affine_transform

    height, columns = images.shape[1:]
    middle = np.array([((height if rows is None else rows) - 1) / 2 - first_row, (columns - 1) / 2])
    turn = _turn(math.radians(tilt_deg))
    offset: Any = middle - turn @ middle
    out = np.empty_like(images)
    for target, image in zip(out, images, strict=True):
        affine_transform(image, turn, offset, output=target, order=3, mode="nearest")
    return out


def reach_px(tilt_deg: float, rows: int, columns: int) -> int:
    """Rows beyond a row from which its pixels come, with what the interpolation looks at."""
    angle = math.radians(abs(tilt_deg))
    return math.ceil(math.sin(angle) * columns / 2 + (1 - math.cos(angle)) * rows / 2) + 8


def edge_rows(tilt_deg: float, columns: int) -> int:
    """Outermost rows that a levelled detector has seen only in part."""
    return math.ceil(math.sin(math.radians(abs(tilt_deg))) * columns / 2)


def _turn(angle: float) -> NDArray[np.float64]:
    """From a place (row, column) to where it is seen."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


class _Turned(NamedTuple):
    """By how many degrees one view is turned against another, standard error, and the likeness when that is taken off;
    tells: see Tilt.
    """

    deg: float
    u_deg: float
    likeness: float
    tells: float


def _between(moving: NDArray[np.float32], fixed: NDArray[np.float32]) -> _Turned | None:
    """How far `fixed` is turned against `moving`."""
    size = max(1, -(-moving.shape[1] // _MOST_COLUMNS))
    one, other = (_prepared(_binned(image, size)) for image in (moving, fixed))
    if not one.std() > 0 or not other.std() > 0:
        return None
    coarse = max(1, one.shape[1] // _COARSE_COLUMNS)
    small, large = (_binned(image, coarse) for image in (one, other))
    turns = {float(deg): _correlated(_warped(small, math.radians(deg), 0.0, 0.0), large) for deg in _COARSE_DEG}
    deg, (_, right) = max(turns.items(), key=lambda turn: turn[1])
    return _refined(one, other, math.radians(deg), right * coarse)


def _refined(moving: NDArray[np.float64], fixed: NDArray[np.float64], angle: float, right: float) -> _Turned | None:
    """By least squares over angle and shift (Lucas and Kanade 1981), where both have seen something."""
    down = 0.0
    rows, columns = fixed.shape
    y, x = np.mgrid[0:rows, 0:columns]
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    covariance = np.full((3, 3), np.inf)
    likeness, tells = -1.0, 0.0
    for _ in range(_ROUNDS):
        here = _warped(moving, angle, down, right)
        side = math.ceil(abs(math.sin(angle)) * rows / 2) + 4
        left, end = side + math.ceil(max(right, 0.0)), columns - side - math.ceil(max(-right, 0.0))
        edge = math.ceil(abs(math.sin(angle)) * columns / 2 + abs(down)) + 4
        inner = np.s_[edge : rows - edge, left : max(left, end)]
        # Beyond the overlap nothing is known; of a narrow one the middle rows stay.
        if here[inner].shape[0] < _LEAST_ROWS / 3 or here[inner].shape[1] < _LEAST_ROWS / 3:
            return None
        a = _pulls_of(here, y, x, inner)
        b = (fixed - here)[inner].ravel()
        normal = a.T @ a
        if not np.linalg.cond(normal) < 1e12:
            return None
        step = np.linalg.solve(normal, a.T @ b)
        pulls = np.array(
            [one.sum(axis=0) for one in np.array_split((b - a @ step)[:, None] * a, min(16, here[inner].shape[0]))]
        )
        inverse = np.linalg.inv(normal)
        covariance = inverse @ (pulls.T @ pulls) @ inverse
        angle, down, right = angle + float(step[0]), down + float(step[1]), right + float(step[2])
        likeness = float(np.corrcoef(here[inner].ravel(), fixed[inner].ravel())[0, 1])
        # What differs is the noise of both.
        tells = 2 * _said_of_turning(a) / max(_said_of_turning(_pulls_of(fixed - here, y, x, inner)), _TINY)
        if abs(step[0]) < 1e-5 and np.abs(step[1:]).max() < 0.005:
            break
    return _Turned(math.degrees(angle), math.degrees(math.sqrt(float(covariance[0, 0]))), likeness, tells)


def _pulls_of(
    image: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64], inner: tuple[slice, slice]
) -> NDArray[np.float64]:
    """How each pixel changes (pixels, 3) when the image is turned, moved down and moved to the right."""
    slope_y, slope_x = (np.asarray(one, np.float64) for one in np.gradient(image))
    turning = slope_x * y - slope_y * x
    return np.stack([turning[inner].ravel(), -slope_y[inner].ravel(), -slope_x[inner].ravel()], axis=1)


def _said_of_turning(pulls: NDArray[np.float64]) -> float:
    """Sum of squares of what turning changes and no shift does as well."""
    normal = pulls.T @ pulls
    shared = np.linalg.lstsq(normal[1:, 1:], normal[1:, 0], rcond=None)[0]
    return float(normal[0, 0] - normal[0, 1:] @ shared)


def _warped(image: NDArray[np.float64], angle: float, down: float, right: float) -> NDArray[np.float64]:
    """Turned about its middle, then moved."""
    from scipy.ndimage import affine_transform

    middle = (np.array(image.shape) - 1) / 2
    turn = _turn(-angle)
    offset: Any = middle - turn @ (middle + np.array([down, right]))
    return np.asarray(affine_transform(image, turn, offset, order=1, mode="nearest"), np.float64)


def _correlated(moving: NDArray[np.float64], fixed: NDArray[np.float64]) -> tuple[float, float]:
    """The best correlation over shifts along the rows, each by its own overlap, and that shift."""
    columns = fixed.shape[1]
    size = 2 * columns
    spectrum = np.conj(np.fft.rfft(moving, size, axis=1)) * np.fft.rfft(fixed, size, axis=1)
    products = np.fft.irfft(spectrum.sum(axis=0), size)
    shifts = np.arange(-(columns - 16), columns - 15)
    first, second = (np.append(0.0, np.cumsum((image**2).sum(axis=0))) for image in (moving, fixed))
    right, left = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    energy = (first[columns - right] - first[left]) * (second[columns - left] - second[right])
    score = products[shifts % size] / np.sqrt(np.maximum(energy, 1e-3 * first[-1] * second[-1]))
    at = int(np.argmax(score))
    return float(score[at]), float(shifts[at])


def _prepared(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bounded logarithm without what is fine or varies slowly."""
    bounded = -np.log(np.maximum(image, 0) + _CONTRAST_FLOOR)
    return smoothed(bounded, _LOW_PX) - smoothed(bounded, _HIGH_PX)


def _binned(image: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """Means of size x size pixels about the same middle as near as can be; an edge that is left over is dropped."""
    if size == 1:
        return np.asarray(image, np.float64)
    rows, columns = (n // size for n in image.shape)
    return (
        np.asarray(image[: rows * size, : columns * size], np.float64)
        .reshape(rows, size, columns, size)
        .mean(axis=(1, 3))
    )
