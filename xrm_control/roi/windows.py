"""Windows on a mosaic: where they may lie, what they hold, and what speaks against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.areas import Avoided
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D


@dataclass(frozen=True)
class Limits:
    """How far the stage may go: (low, high) for the centre of a region, um."""

    x_um: tuple[float, float]
    y_um: tuple[float, float]


class Extent(Protocol):
    """What a mosaic covers: (left, right) and (top, bottom) edge, um, and the side of its pixels."""

    @property
    def x_um(self) -> tuple[float, float]: ...

    @property
    def y_um(self) -> tuple[float, float]: ...

    @property
    def pixel_size_um(self) -> float: ...


@dataclass(frozen=True)
class PlannedMosaic:
    """An `Extent` before the mosaic is there."""

    x_um: tuple[float, float]
    y_um: tuple[float, float]
    pixel_size_um: float


@dataclass(frozen=True)
class Windows:
    """Candidate windows on one mosaic, on a lattice.

    centres_um: (n, 2) as x, y; diameters_um: (particles,); inside_x, inside_y: for the lattice's columns and rows,
    (columns, particles) and (rows, particles), how far the particle lies between the window's sides: 0 to 1, wholly;
    place: (n,) index of the window in the lattice, row after row; last: (n,) those to be taken when no others are left.
    """

    centres_um: NDArray[np.float64]
    diameters_um: NDArray[np.float64]
    inside_x: NDArray[np.float32]
    inside_y: NDArray[np.float32]
    place: NDArray[np.int64]
    fov_um: float
    last: NDArray[np.bool_]

    def whole(self, index: int) -> NDArray[np.bool_]:
        """Which particles lie wholly in one window less its margin, (particles,)."""
        row, column = divmod(int(self.place[index]), len(self.inside_x))
        return (self.inside_x[column] >= 0.5) & (self.inside_y[row] >= 0.5)

    def whole_counts(self) -> NDArray[np.int64]:
        """How many particles lie wholly in each window, (n,): half counted at two sides is none."""
        whole = (self.inside_y >= 0.5).astype(np.float32) @ (self.inside_x >= 0.5).astype(np.float32).T
        return np.rint(whole.ravel()[self.place]).astype(np.int64)

    def held(self, weight: NDArray[np.bool_] | NDArray[np.float64]) -> NDArray[np.float64]:
        """How many particles each window holds whole, (n,); each counts with its `weight` (particles,)."""
        counted = (self.inside_y * weight.astype(np.float32)) @ self.inside_x.T
        return counted.ravel()[self.place].astype(float)

    def apart_from(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """True for windows that overlap none of the chosen ones."""
        return self.beside(self.centres_um[list(chosen)])

    def beside(self, places_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """True for windows that overlap none with its centre at these places (m, 2)."""
        free = np.ones(len(self.centres_um), bool)
        for place in places_um:
            free &= np.abs(self.centres_um - place).max(axis=1) >= self.fov_um * (1 - 1e-9)
        return free

    def where(self, chosen: NDArray[np.bool_]) -> Windows:
        """Some of the windows only."""
        return replace(self, centres_um=self.centres_um[chosen], place=self.place[chosen], last=self.last[chosen])


def allowed_um(mosaic: Extent, fov_um: float, limits: Limits) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the centre of a window may lie: (low, high) of x and of y; low > high when nowhere.

    A mosaic as wide as one window within a pixel counts as wide enough.
    """
    result = []
    for (low, high), (least, most) in ((mosaic.x_um, limits.x_um), (mosaic.y_um, limits.y_um)):
        first, last = low + fov_um / 2, high - fov_um / 2
        if first > last and first - last <= mosaic.pixel_size_um:
            first = last = (first + last) / 2
        result.append((max(first, least), min(last, most)))
    return result[0], result[1]


def whole_inside(
    particles: Sequence[Particle2D],
    centres_um: NDArray[np.float64],
    fov_um: float,
    margin_um: float,
    *,
    z_um: NDArray[np.float64] | float,
) -> NDArray[np.bool_]:
    """(centres, particles): True where the particle stays wholly in the window less its margin while the sample turns,
    and was seen whole.

    z_um: height of the rotation axis, one for all or (centres,). A particle rests on the tape (z = 0) and reaches as
    high as it is thick: it stays in the field when its distance from the axis and its reach (`half_um`) do.
    """
    inside = _between(particles, "x_um", centres_um[:, 0], fov_um, margin_um, z_um=z_um)
    return (inside > 0) & (_between(particles, "y_um", centres_um[:, 1], fov_um, margin_um) > 0)


def _between(
    particles: Sequence[Particle2D],
    axis: str,
    centres_um: NDArray[np.float64],
    fov_um: float,
    margin_um: float,
    soft_um: float = 0.0,
    z_um: NDArray[np.float64] | float | None = None,
) -> NDArray[np.float32]:
    """(centres, particles): 1 where wholly between the window's two sides along one axis, and not cut in the mosaic.

    With soft_um it rises to 1 over that length instead of at once. With z_um, the height of the rotation axis, it must
    stay there at all angles.
    """
    at = np.array([getattr(p, axis) for p in particles])
    reach_um = np.array([p.half_um[axis == "y_um"] for p in particles])
    if z_um is not None:
        # Turned by 90 degrees it shows how high it is.
        reach_um = np.maximum(reach_um, [p.peak_thickness_um / 2 for p in particles] if particles else 0.0)
    room = fov_um / 2 - margin_um - reach_um
    room[np.array([p.touches_edge for p in particles], bool)] = -1.0
    apart = np.abs(centres_um[:, None] - at)
    if z_um is not None:
        middle = np.array([p.peak_thickness_um for p in particles]) / 2
        apart = np.hypot(apart, middle - np.reshape(z_um, (-1, 1)))
    spare = room - apart
    if soft_um == 0.0:
        return (spare >= 0).astype(np.float32)
    weight = np.clip(spare / soft_um + 0.5, 0.0, 1.0).astype(np.float32)
    weight[:, room < 0] = 0.0
    return weight


def lattice(
    particles: Sequence[Particle2D],
    mosaic: MosaicMap,
    fov_um: float,
    limits: Limits,
    margin_um: float,
    *,
    z_um: float,
    step_um: float = 2.0,
    soft_um: float = 0.0,
) -> Windows | None:
    """All windows on a lattice of about `step_um` within mosaic and limits; None when none fits.

    z_um: height of the rotation axis; soft_um: the length over which a particle at a window's rim comes to count, so
    that noise in its place or size changes little; 0: it counts or not.
    """
    (x_low, x_high), (y_low, y_high) = allowed_um(mosaic, fov_um, limits)
    if x_low > x_high or y_low > y_high:
        return None
    x, y = (np.linspace(a, b, max(1, round((b - a) / step_um) + 1)) for a, b in ((x_low, x_high), (y_low, y_high)))
    centres = np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
    return Windows(
        centres_um=centres,
        diameters_um=np.array([p.equivalent_diameter_um for p in particles]),
        inside_x=_between(particles, "x_um", x, fov_um, margin_um, soft_um, z_um),
        inside_y=_between(particles, "y_um", y, fov_um, margin_um, soft_um),
        place=np.arange(len(centres)),
        fov_um=fov_um,
        last=np.zeros(len(centres), bool),
    )


def in_avoided(centres_um: NDArray[np.float64], fov_um: float, avoid: Sequence[Avoided]) -> NDArray[np.bool_]:
    """(n,): which windows overlap a place to keep away from."""
    touched = np.zeros(len(centres_um), bool)
    for area in avoid:
        touched |= area.touched_by(centres_um, fov_um)
    return touched


def seen(mosaic: MosaicMap, centres_um: NDArray[np.float64], fov_um: float) -> NDArray[np.bool_]:
    """(n,): which windows the mosaic saw, but for a twentieth."""
    sums = np.pad(np.cumsum(np.cumsum(np.isfinite(mosaic.image), axis=0), axis=1), ((1, 0), (1, 0)))
    rows, columns = mosaic.image.shape
    low = (centres_um - fov_um / 2 - (mosaic.x_um[0], mosaic.y_um[0])) / mosaic.pixel_size_um
    high = low + fov_um / mosaic.pixel_size_um
    c0, r0 = (np.clip(np.rint(low[:, k]).astype(int), 0, n) for k, n in ((0, columns), (1, rows)))
    c1, r1 = (np.clip(np.rint(high[:, k]).astype(int), 0, n) for k, n in ((0, columns), (1, rows)))
    count = sums[r1, c1] - sums[r0, c1] - sums[r1, c0] + sums[r0, c0]
    return count / np.maximum((r1 - r0) * (c1 - c0), 1) >= _LEAST_SEEN


_LEAST_SEEN = 0.95
