"""Particles of a volume, each alone in the views of a scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.projecting import Projector

_SLOPE = 0.5  # of the way between the levels: what is taken for neither the one nor the other
_AROUND, _ROOM = 2, 4  # voxels around a label, and pixels around its projection

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """Grey of what is between particles, of particles, and the threshold that parts them."""

    low: float
    high: float
    threshold: float


@dataclass(frozen=True)
class Trace:
    """A particle alone in all views: image (n, rows, w), its first row and (n,) first columns in the views."""

    number: int
    image: NDArray[np.float32]
    row: int
    columns: NDArray[np.int64]

    def flat(self, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """As `place`, as numbers of pixels in the views' memory."""
        (view, row, column), inside = self.place(shape)
        return (view * shape[1] + row) * shape[2] + column, inside

    def place(self, shape: tuple[int, ...]) -> tuple[tuple[NDArray[np.int64], ...], NDArray[np.bool_]]:
        """Indices of its pixels in views (n, rows, columns), and which of them there are."""
        n, rows, columns = self.image.shape
        row = self.row + np.arange(rows)[None, :, None]
        column = self.columns[:, None, None] + np.arange(columns)[None, None]
        inside = (row >= 0) & (row < shape[1]) & (column >= 0) & (column < shape[2])
        view = np.broadcast_to(np.arange(n)[:, None, None], inside.shape)
        row, column = np.clip(row, 0, shape[1] - 1), np.clip(column, 0, shape[2] - 1)
        return (view, *np.broadcast_arrays(row, column)), inside


def traces(
    volume: NDArray[np.float32],
    labels: NDArray[np.int32],
    levels: Levels,
    projector: Projector,
    theta_deg: Array,
    pixel_um: float,
) -> Iterator[Trace]:
    """Of all particles of a volume (z, y, x) with their numbers in `labels`, one after the other: together they would
    be too large. Each as solid as it was segmented, its edge as wide as a voxel.
    """
    from scipy import ndimage

    contrast = np.float32((levels.high - levels.low) * pixel_um)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(
            slice(max(side.start - _AROUND, 0), min(side.stop + _AROUND, end))
            for side, end in zip(box, labels.shape, strict=True)
        )
        own = labels[wide] == number
        near = ndimage.binary_dilation(own) & (own | (labels[wide] == 0))
        soft = (volume[wide] - levels.threshold) / (_SLOPE * (levels.high - levels.low)) + 0.5
        solid = (np.clip(soft, 0, 1) * near * contrast).astype(np.float32)
        if solid.any():
            yield _projected(projector, number, solid, (wide[0].start, wide[1].start, wide[2].start), theta_deg)


def slopes(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of images (n, rows, columns): to the right and down."""
    right, down = np.zeros_like(image), np.zeros_like(image)
    half = np.float32(0.5)
    right[:, :, 1:-1] = half * (image[:, :, 2:] - image[:, :, :-2])
    down[:, 1:-1] = half * (image[:, 2:] - image[:, :-2])
    return right, down


def _projected(
    projector: Projector, number: int, solid: NDArray[np.float32], corner: tuple[int, int, int], theta_deg: Array
) -> Trace:
    """solid (z, y, x) -> its image in each view, along the rays of the projector."""
    from scipy.sparse import csc_array

    theta = np.radians(theta_deg)[:, None]
    height, _, width = solid.shape
    foot = np.flatnonzero(solid.any(axis=0).ravel())
    y, x = np.divmod(foot, width)
    y, x = y + corner[1] - projector.middle_px, x + corner[2] - projector.middle_px
    u = projector.axis_px + x * np.cos(theta) - y * np.sin(theta)
    first = np.floor(u).astype(np.int64)
    share = (u - first).astype(np.float32)
    columns = first.min(axis=1) - _ROOM
    wide = int((first.max(axis=1) - columns).max()) + 2 + _ROOM
    at = np.arange(len(theta))[:, None] * wide + first - columns[:, None]
    # A column of voxels lies in two pixels of each view: they are in order as they are.
    entries, rows = (np.stack(both, axis=-1).transpose(1, 0, 2).ravel() for both in ((1 - share, share), (at, at + 1)))
    ends = 2 * len(theta) * np.arange(len(foot) + 1)
    matrix = csc_array((entries, rows, ends), shape=(len(theta) * wide, len(foot)))
    image = np.asarray(matrix @ np.ascontiguousarray(solid.reshape(height, -1)[:, foot].T), np.float32)
    image = image.reshape(len(theta), wide, height).transpose(0, 2, 1)
    return Trace(number, np.pad(image, ((0, 0), (_ROOM, _ROOM), (0, 0))), corner[0] - _ROOM, columns)
