"""Closed surfaces where a field crosses zero, below the size of a voxel, and the level that encloses a given volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.threshold import FloatVolume
from xrm_control.core.triangles import Triangles

_LEAST_SHARE = 2e-3
"""No value is nearer to zero, of a field's greatest: marching cubes would make triangles without area, or a hole."""

_LEVEL_TOLERANCE = 1e-4


def zero_surface(field: FloatVolume, spacing_um: float, first_um: tuple[float, float, float]) -> Triangles | None:
    """The largest closed surface around the voxels of field (z, y, x) above zero, seen from outside; None for none.

    first_um: x, y, z of the middle of the box's first voxel. The outermost voxels must be below zero.
    """
    from skimage.measure import marching_cubes

    least = _LEAST_SHARE * float(np.abs(field).max())
    if not (field > 0).any() or least == 0 or field.min() >= 0:
        return None
    steady = np.where(np.abs(field) < least, np.where(field > 0, least, -least), field).astype(np.float32)
    corners, faces, _, _ = marching_cubes(steady, 0.0, allow_degenerate=False)
    points_um = np.asarray(corners[:, ::-1], np.float64) * spacing_um + np.asarray(first_um)
    found = Triangles(points_um.astype(np.float32), np.asarray(faces, np.int32))
    parts = [part if part.volume_um3 >= 0 else part.turned() for part in _parts(found)]
    return max(parts, key=lambda part: part.volume_um3)


def level_of_volume(
    surface_at: Callable[[float], Triangles | None], volume_um3: float, lowest: float, highest: float
) -> float:
    """The level between two whose surface encloses `volume_um3`; the nearer end where none of them does.

    The higher the level, the less it encloses.
    """
    from scipy.optimize import brentq

    def beyond(level: float) -> float:
        found = surface_at(level)
        return (0.0 if found is None else found.volume_um3) - volume_um3

    if beyond(lowest) <= 0:
        return lowest
    if beyond(highest) >= 0:
        return highest
    found: Any = brentq(beyond, lowest, highest, xtol=_LEVEL_TOLERANCE * (highest - lowest))
    return float(found)


def _parts(whole: Triangles) -> list[Triangles]:
    """Surfaces that share no point."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    faces, count = whole.faces, len(whole.points_um)
    one, other = np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]])
    graph = coo_matrix((np.ones(len(one), np.int8), (one, other)), (count, count))
    number, label = connected_components(graph, directed=False)
    if number == 1:
        return [whole]
    return [_compact(whole.points_um, faces[label[faces[:, 0]] == at]) for at in range(number)]


def _compact(points: NDArray[np.float32], faces: NDArray[np.int32]) -> Triangles:
    used, renumbered = np.unique(faces, return_inverse=True)
    return Triangles(points[used], renumbered.reshape(-1, 3).astype(np.int32))
