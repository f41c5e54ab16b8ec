"""Surfaces made of triangles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Triangles:
    """points_um (n, 3) float32: x, y, z; faces (m, 3) int32: indices of points, counter-clockwise as seen from outside
    of the matter that the surface bounds. An inner wall's volume so is negative.
    """

    points_um: NDArray[np.float32]
    faces: NDArray[np.int32]

    @cached_property
    def corners_um(self) -> NDArray[np.float64]:
        """(m, 3 corners, 3)."""
        return self.points_um.astype(np.float64)[self.faces]

    @cached_property
    def volume_um3(self) -> float:
        """Signed; of a closed surface."""
        if not len(self.faces):
            return 0.0
        # About its own middle, so that far from the origin no digits are lost.
        a, b, c = (self.corners_um - self.points_um.mean(axis=0, dtype=np.float64)).transpose(1, 0, 2)
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)

    @property
    def centre_um(self) -> tuple[float, float, float]:
        """Centre of mass of what it encloses; it must be closed."""
        middle = self.points_um.mean(axis=0, dtype=np.float64)
        a, b, c = (self.corners_um - middle).transpose(1, 0, 2)
        sixfold = np.einsum("ij,ij->i", a, np.cross(b, c))
        x, y, z = middle + (sixfold[:, None] * (a + b + c)).sum(axis=0) / (4 * sixfold.sum())
        return float(x), float(y), float(z)

    @cached_property
    def areas_um2(self) -> NDArray[np.float64]:
        """Of each triangle, (m,)."""
        a, b, c = self.corners_um.transpose(1, 0, 2)
        return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2, np.float64)

    @property
    def area_um2(self) -> float:
        """Of all of them."""
        return float(self.areas_um2.sum())

    @property
    def closed(self) -> bool:
        """Whether each edge belongs to two triangles that run along it in opposite senses, and none is degenerate."""
        if not len(self.faces) or bool((self.areas_um2 <= 0).any()):
            return False
        edges = np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]).astype(np.int64)
        count = np.int64(len(self.points_um))
        there = np.sort(edges[:, 0] * count + edges[:, 1])
        back = np.sort(edges[:, 1] * count + edges[:, 0])
        return bool((np.diff(there) > 0).all() and np.array_equal(there, back))

    def turned(self) -> Triangles:
        """The same with inside and outside exchanged."""
        return Triangles(self.points_um, np.ascontiguousarray(self.faces[:, ::-1]))
