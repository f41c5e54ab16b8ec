"""Solids as signed sums of intersections of convex bodies, with the lengths of rays within them in closed form.

A convex body cuts a ray in one interval, an intersection of such bodies in the intersection of their intervals; unions
and differences follow by inclusion and exclusion. Lengths in um; points and rays are (n, 3): x, y, z.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FAR = 1e9


class Convex(Protocol):
    """middle and reach: a ball that holds it."""

    @property
    def middle(self) -> Floats: ...

    @property
    def reach(self) -> float: ...

    def cut(self, points: Floats, way: Floats) -> tuple[Floats, Floats]:
        """Where rays from `points` along the unit vector `way` enter and leave; where they miss, after and before."""
        ...

    def holds(self, points: Floats) -> NDArray[np.bool_]:
        """Which points (..., 3) lie in it."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """axes: half lengths along the columns of `turn`."""

    middle: Floats
    axes: Floats
    turn: Floats

    @property
    def reach(self) -> float:
        return float(self.axes.max())

    def cut(self, points: Floats, way: Floats) -> tuple[Floats, Floats]:
        p, d = (points - self.middle) @ self.turn / self.axes, way @ self.turn / self.axes
        return _roots(float(d @ d), p @ d, (p * p).sum(axis=-1) - 1)

    def holds(self, points: Floats) -> NDArray[np.bool_]:
        p = (points - self.middle) @ self.turn / self.axes
        return (p * p).sum(axis=-1) <= 1


@dataclass(frozen=True)
class Polyhedron:
    """What lies within distances (n,) of the middle along outward normals (n, 3)."""

    middle: Floats
    normals: Floats
    distances: Floats
    reach: float

    def cut(self, points: Floats, way: Floats) -> tuple[Floats, Floats]:
        enter, leave = np.full(len(points), -_FAR), np.full(len(points), _FAR)
        for normal, distance in zip(self.normals, self.distances, strict=True):
            slope, left = float(normal @ way), distance - (points - self.middle) @ normal
            if abs(slope) < 1e-12:
                leave = np.where(left < 0, -_FAR, leave)
            elif slope > 0:
                leave = np.minimum(leave, left / slope)
            else:
                enter = np.maximum(enter, left / slope)
        return enter, leave

    def holds(self, points: Floats) -> NDArray[np.bool_]:
        return np.asarray(((points - self.middle) @ self.normals.T <= self.distances).all(axis=-1))


@dataclass(frozen=True)
class Tube:
    """An endless cylinder about `axis`; reach: of what it is cut to."""

    middle: Floats
    axis: Floats
    radius: float
    reach: float

    def cut(self, points: Floats, way: Floats) -> tuple[Floats, Floats]:
        p, d = points - self.middle, way - (way @ self.axis) * self.axis
        p = p - np.outer(p @ self.axis, self.axis)
        over = (p * p).sum(axis=-1) - self.radius**2
        if d @ d < 1e-14:
            return np.where(over <= 0, -_FAR, 1.0), np.where(over <= 0, _FAR, 0.0)
        return _roots(float(d @ d), p @ d, over)

    def holds(self, points: Floats) -> NDArray[np.bool_]:
        p = points - self.middle
        p = p - (p @ self.axis)[..., None] * self.axis
        return (p * p).sum(axis=-1) <= self.radius**2


Solid = tuple[tuple[int, tuple[Convex, ...]], ...]


def _roots(a: float, b: Floats, c: Floats) -> tuple[Floats, Floats]:
    square = b * b - a * c
    root = np.sqrt(np.maximum(square, 0))
    return np.where(square > 0, (-b - root) / a, 1.0), np.where(square > 0, (-b + root) / a, 0.0)


def ball(middle: Floats, radius: float) -> Solid:
    """Of this radius."""
    return ellipsoid(middle, (radius, radius, radius), np.eye(3))


def ellipsoid(middle: Floats, axes: Iterable[float], turn: Floats) -> Solid:
    """Of these half lengths."""
    return ((1, (Ellipsoid(middle, np.array(tuple(axes)), turn),)),)


def box(middle: Floats, halves: Iterable[float], turn: Floats) -> Solid:
    """Of these half lengths."""
    lengths = np.array(tuple(halves))
    normals = np.concatenate([turn.T, -turn.T])
    return ((1, (Polyhedron(middle, normals, np.tile(lengths, 2), float(np.linalg.norm(lengths))),)),)


def octahedron(middle: Floats, radius: float, turn: Floats) -> Solid:
    """Whose corners lie at `radius`."""
    signs = np.array([[i, j, k] for i in (1, -1) for j in (1, -1) for k in (1, -1)]) / np.sqrt(3)
    return ((1, (Polyhedron(middle, signs @ turn.T, np.full(8, radius / np.sqrt(3)), radius),)),)


def rod(middle: Floats, radius: float, half: float, turn: Floats) -> Solid:
    """A cylinder along the third column of `turn`, or a disc."""
    axis, reach = turn[:, 2], float(np.hypot(radius, half))
    ends = Polyhedron(middle, np.stack([axis, -axis]), np.full(2, half), reach)
    return ((1, (Tube(middle, axis, radius, reach), ends)),)


def within(solid: Solid, other: Solid) -> Solid:
    """What both hold."""
    return tuple((a * b, (*p, *q)) for a, p in solid for b, q in other if not _apart((*p, *q)))


def without(solid: Solid, other: Solid) -> Solid:
    """The first less the second."""
    return (*solid, *((-sign, parts) for sign, parts in within(solid, other)))


def _apart(parts: tuple[Convex, ...]) -> bool:
    return any(
        np.linalg.norm(one.middle - two.middle) > one.reach + two.reach
        for n, one in enumerate(parts)
        for two in parts[:n]
    )


def lengths_within(solid: Solid, points: Floats, way: Floats) -> Floats:
    """Of rays (n,) in it."""
    total = np.zeros(len(points))
    for sign, parts in solid:
        enter, leave = parts[0].cut(points, way)
        for part in parts[1:]:
            first, last = part.cut(points, way)
            enter, leave = np.maximum(enter, first), np.minimum(leave, last)
        total += sign * np.maximum(leave - enter, 0)
    return total


def holds(solid: Solid, points: Floats) -> Floats:
    """1 for points (..., 3) in it, else 0."""
    total = np.zeros(points.shape[:-1])
    for sign, parts in solid:
        inside = parts[0].holds(points)
        for part in parts[1:]:
            inside = inside & part.holds(points)
        total += sign * inside
    return total


def bounds(solid: Solid) -> tuple[Floats, Floats]:
    """Two corners of a box about it."""
    boxes = [
        (
            np.max([part.middle - part.reach for part in parts], axis=0),
            np.min([part.middle + part.reach for part in parts], axis=0),
        )
        for sign, parts in solid
        if sign > 0
    ]
    return np.min([low for low, _ in boxes], axis=0), np.max([high for _, high in boxes], axis=0)


def shares(
    solid: Solid, shape: tuple[int, int, int], voxel_um: float, fine: int = 3
) -> tuple[tuple[slice, ...], Floats]:
    """How much of each voxel it fills, by fine^3 points: the box (z, y, x) of a volume centred on 0, and the shares."""
    low, high = (corner[::-1] for corner in bounds(solid))
    origin = -(np.array(shape) - 1) / 2 * voxel_um
    first = np.clip(np.floor((low - origin) / voxel_um).astype(int) - 1, 0, shape)
    end = np.maximum(np.clip(np.ceil((high - origin) / voxel_um).astype(int) + 2, 0, shape), first)
    axes = [
        ((np.arange(a * fine, b * fine) + 0.5) / fine - 0.5) * voxel_um + o
        for a, b, o in zip(first, end, origin, strict=True)
    ]
    part = np.zeros(tuple(end - first))
    for z in range(len(part)):
        planes = axes[0][z * fine : (z + 1) * fine]
        points = np.stack(np.broadcast_arrays(axes[2], axes[1][:, None], planes[:, None, None]), axis=-1)
        ny, nx = int(end[1] - first[1]), int(end[2] - first[2])
        part[z] = holds(solid, points).reshape(fine, ny, fine, nx, fine).mean(axis=(0, 2, 4))
    return tuple(slice(a, b) for a, b in zip(first, end, strict=True)), part


def volume_of(solid: Solid, points: int = 100) -> float:
    """By counting points, to some 0.1 %."""
    low, high = bounds(solid)
    step = float((high - low).max()) / points
    x, y, z = (np.arange(a + step / 2, b + step, step) for a, b in zip(low, high, strict=True))
    plane = np.stack(np.broadcast_arrays(x, y[:, None], 0.0 * x), axis=-1)
    return sum(float(holds(solid, plane + np.array([0, 0, one])).sum()) for one in z) * step**3


def any_turn(random: np.random.Generator) -> Floats:
    """An even draw of rotations."""
    four = random.standard_normal(4)
    a, b, c, d = (float(one) for one in four / np.linalg.norm(four))
    return np.array(
        [
            [1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)],
        ]
    )
