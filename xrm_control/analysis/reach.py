"""What lies within a distance of a body, or so deep in it: the same voxels as by its distance map, without the map.

A ball is a stack of rows. Each row's length is spread along x once, eight voxels are packed into a byte, and the rows
are laid over each other: for reaches of a few voxels ten to forty times less work than the exact distance of all.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.threshold import BoolVolume

_FARTHEST = 12
"""Voxels, beyond which a distance map is as fast."""

_Rows = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
"""Of a ball about the origin, for z = 0, 1, ...: y and the largest x of each row of its positive octant."""


def within(body: BoolVolume, reach: float, *, less: bool = False) -> BoolVolume:
    """Voxels (z, y, x) at most `reach` voxels from `body`, itself included; less: nearer than that.

    Distances are those of `depth_of`, to the middles of voxels, in single precision.
    """
    radius = _radius(float(reach), less)
    if radius > _FARTHEST:
        far = depth_of(~body)
        return far < reach if less else far <= reach
    return _spread(body, radius, _ball(float(reach), less)) if radius > 0 else body.copy()


def deeper(body: BoolVolume, depth: float, *, at_least: bool = False, black_border: bool = False) -> BoolVolume:
    """Voxels of `body` (z, y, x) more than `depth` voxels from all that is outside of it; at_least: or just so many.

    black_border: whether what lies beyond the box is outside.
    """
    near = within(~body, depth, less=at_least)
    if black_border:
        # What is beyond is one voxel from the first.
        rim = _radius(float(depth), at_least)
        if rim:
            near[:rim] = near[-rim:] = True
            near[:, :rim] = near[:, -rim:] = True
            near[..., :rim] = near[..., -rim:] = True
    return ~near


def padded(body: NDArray[np.bool_], margin: int = 1) -> NDArray[np.bool_]:
    """With so many voxels of nothing about it; `numpy.pad` takes longer than what is done with a small box."""
    room = np.zeros([size + 2 * margin for size in body.shape], bool)
    room[(slice(margin, -margin),) * body.ndim] = body
    return room


@lru_cache(maxsize=256)
def _radius(reach: float, less: bool) -> int:
    """Whole voxels along an axis."""
    radius = int(np.floor(reach)) + 1
    while radius > 0 and not _is_near(radius * radius, reach, less):
        radius -= 1
    return radius


def _is_near(squared: int, reach: float, less: bool) -> bool:
    distance, limit = np.sqrt(np.float32(squared)), np.float32(reach)
    return bool(distance < limit if less else distance <= limit)


@lru_cache(maxsize=256)
def _ball(reach: float, less: bool) -> _Rows:
    radius = _radius(reach, less)
    slabs = []
    for z in range(radius + 1):
        rows = []
        for y in range(radius + 1):
            lengths = [x for x in range(radius + 1) if _is_near(z * z + y * y + x * x, reach, less)]
            if lengths:
                rows.append((y, lengths[-1]))
        if rows:
            slabs.append((z, tuple(rows)))
    return tuple(slabs)


def _spread(body: BoolVolume, radius: int, ball: _Rows) -> BoolVolume:
    """Behind each row and each slice there is room for what is shifted beyond its end: all are shifted as one."""
    nz, ny, nx = body.shape
    height, width = ny + radius, -(-(nx + radius) // 8) * 8
    room = np.zeros((nz, height, width), np.uint8)
    room[:, :ny, :nx] = body
    flat = room.reshape(-1)
    row, packed = flat.copy(), [np.packbits(flat)]
    for x in range(1, radius + 1):
        _lay(row, flat, x)
        packed.append(np.packbits(row))
    found = np.zeros_like(packed[0])
    for z, rows in ball[:nz]:
        slab = packed[rows[0][1]].copy()
        for y, x in rows[1:]:
            _lay(slab, packed[x], y * width // 8)
        _lay(found, slab, z * height * width // 8)
    return np.unpackbits(found).reshape(nz, height, width)[:, :ny, :nx].astype(bool)


def _lay(onto: NDArray[np.uint8], bits: NDArray[np.uint8], shift: int) -> None:
    """`bits` over `onto`, shifted to either side."""
    if shift == 0:
        onto |= bits
        return
    ahead, behind = onto[shift:], onto[:-shift]
    np.bitwise_or(ahead, bits[:-shift], out=ahead)
    np.bitwise_or(behind, bits[shift:], out=behind)
