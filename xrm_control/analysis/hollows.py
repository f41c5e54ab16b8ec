"""Hollow bodies whose wall the threshold or the border of the field has opened.

A hollow body with a closed wall is one, because what it encloses is filled before bodies are told apart. Where the
border of the field cuts it, or where blur and noise have pierced a wall of a voxel or two, its hollow is open, and a
watershed of the wall alone makes many particles of it, of which most look whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.label_expansion import Box, bounding_box, boxes_of, grown_box
from xrm_control.analysis.reach import within
from xrm_control.analysis.threshold import BoolVolume

_LEAST_VOXELS = 64
# What reaches both an end of the field and its side may lie beside a bed that parts the field.
_MOST_OF_FIELD, _MOST_AT_EDGE = 0.25, 0.02
# Of a ball a plane opens at most half of what is left of its surface; the field has a plane and a side.
_MOST_OPEN = 0.6
# A hollow is convex; gaps between bodies, and what lies over a bed of them, are not.
_LEAST_SOLIDITY = 0.8
_ONE_BODY = 0.95
# Voxels: as wide as twice the first are holes in a wall at most, and that far beyond a hollow its wall has ended.
_LEAK, _WALL, _RIM, _SEALED = 2.0, 4.5, 1.5, 1.5
_MOST_BEYOND = 0.35


def fill_hollows(filled: BoolVolume, inside: BoolVolume) -> tuple[BoolVolume, BoolVolume]:
    """`filled` (z, y, x), whose enclosed holes are filled, with hollows filled that are open to the border of the
    field, or through holes in a thin wall; and which voxels are of the latter.

    inside (y, x): the field. A hollow is empty, apart from the rest of what is empty, convex, and bounded by one body
    and the border alone.
    """
    result, leaky = filled.copy(), np.zeros_like(filled)
    for box, hollow in _hollows(filled, inside):
        result[box] |= hollow
    box = bounding_box(result, round(_LEAK) + 1)
    if box is None:
        return result, leaky
    # A closing would open holes in a thin wall again.
    grown = within(result[box], _LEAK)
    for part, hollow in _hollows(grown, inside[box[1:]]):
        wide = grown_box(part, grown.shape, round(_LEAK + _WALL + _RIM) + 1)
        own = np.zeros(grown[wide].shape, bool)
        own[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, wide, strict=True))] = hollow
        away = depth_of(~own) - _LEAK
        here = result[box][wide]
        beyond = here[(away > _WALL) & (away <= _WALL + _RIM)]
        if beyond.size and beyond.mean() <= _MOST_BEYOND:
            leaky[box][wide] |= away <= _SEALED
    return result | leaky, leaky


def _hollows(filled: BoolVolume, inside: BoolVolume) -> Iterator[tuple[Box, BoolVolume]]:
    """Boxes, and which of their voxels are of a hollow."""
    import cc3d

    # The cylinder's side, and what lies beyond the first and the last row, lead nowhere.
    empty = np.asarray(cc3d.connected_components(~filled & inside, connectivity=6))
    sizes = np.bincount(empty.ravel())
    sizes[0] = 0
    field = filled.shape[0] * np.count_nonzero(inside)
    chosen = np.flatnonzero((sizes >= _LEAST_VOXELS) & (sizes <= _MOST_OF_FIELD * field))
    chosen = chosen[chosen != int(np.argmax(sizes))]
    if not chosen.size:
        return
    bodies, boxes = np.asarray(cc3d.connected_components(filled, connectivity=6)), boxes_of(empty)
    for one in chosen:
        box, small = boxes[one - 1], bool(sizes[one] <= _MOST_AT_EDGE * field)
        if box is not None and _is_hollow(empty[box] == one, _around(bodies, inside, box), at_edge=small):
            yield box, empty[box] == one


def _around(bodies: NDArray[np.integer], inside: BoolVolume, box: Box) -> NDArray[np.int64]:
    """A box and a voxel about it: 0 what is empty, -1 beyond the field, else the number of a body."""
    low = [part.start - 1 for part in box]
    shape = [part.stop - part.start + 2 for part in box]
    around = np.full(shape, -1, np.int64)
    own = tuple(slice(max(a, 0), min(a + n, size)) for a, n, size in zip(low, shape, bodies.shape, strict=True))
    at = tuple(slice(part.start - a, part.stop - a) for part, a in zip(own, low, strict=True))
    around[at] = np.where(inside[own[1:]], bodies[own].astype(np.int64), -1)
    return around


def _is_hollow(hollow: BoolVolume, around: NDArray[np.int64], *, at_edge: bool) -> bool:
    """hollow (z, y, x); around: of its box and a voxel more; at_edge: whether it may reach an end and the side."""
    wide = np.pad(hollow, 1)
    beside: list[NDArray[np.int64]] = []
    for axis in range(3):
        for low, high in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            here, there = [slice(None)] * 3, [slice(None)] * 3
            here[axis], there[axis] = low, high
            beside.append(around[tuple(there)][wide[tuple(here)] & ~wide[tuple(there)]])
    faces = np.concatenate(beside)
    walls = faces[faces > 0]
    if len(walls) < (1 - _MOST_OPEN) * len(faces) or not len(walls):
        return False
    at_end, at_side = ((np.concatenate(some) < 0).any() for some in (beside[:2], beside[2:]))
    if at_end and at_side and not at_edge:
        return False
    return bool(np.bincount(walls).max() >= _ONE_BODY * len(walls)) and _solidity(hollow) >= _LEAST_SOLIDITY


def _solidity(body: BoolVolume) -> float:
    """Its voxels over the convex hull of the middles of their faces."""
    from scipy import ndimage
    from scipy.spatial import ConvexHull

    deep: BoolVolume = np.asarray(ndimage.binary_erosion(body), bool)
    surface = np.argwhere(body & ~deep)
    middles = np.concatenate([surface + offset for offset in np.vstack([np.eye(3), -np.eye(3)]) / 2])
    return float(np.count_nonzero(body) / ConvexHull(middles).volume)
