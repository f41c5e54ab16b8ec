"""Tiles at their places become one picture: resampled where they must be, and blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.mosaic.placement import Placed
from xrm_control.mosaic.tiles import Picture, Tile

# Gains that differ by less are left alone: the beam's own drift, and the noise of the comparison.
_GAINS_DIFFER = 0.005


def blend(
    tiles: Sequence[Tile], placed: Placed, pixel_size_um: float, told: Callable[[], None] = lambda: None
) -> tuple[Picture, tuple[float, float]]:
    """Weighted mean of the tiles at their places, and the stage position of the middle of its pixel [0, 0].

    The weight falls towards a tile's edge, so that seams fade. A camera that stands straight keeps its pixels.
    """
    rows, columns = tiles[0].image.shape
    to_stage = placed.registration.picture_to_stage
    straight = bool(np.array_equal(to_stage, np.eye(2)))
    half = np.abs(to_stage) @ np.array([(columns - 1) / 2, (rows - 1) / 2])
    # In pixels of the mosaic, x and y.
    corners = placed.centres_um / pixel_size_um - half
    origin = corners.min(axis=0)
    corners = corners - origin
    extent = 2 * half + 1
    width, height = (int(np.floor(corners[:, k].max() + extent[k] - 0.5)) + 1 for k in (0, 1))
    total, weights = np.zeros((height, width)), np.zeros((height, width))
    depth = np.minimum.outer(_from_edge(rows), _from_edge(columns)).astype(float)
    gains = placed.gains if np.std(placed.gains) > _GAINS_DIFFER else np.ones(len(tiles))
    for tile, gain, (left, top) in zip(tiles, gains, corners, strict=True):
        # The mosaic's pixels whose centres the tile may cover, and where they lie in the tile.
        c = np.arange(max(int(np.ceil(left - 0.5)), 0), min(int(np.floor(left + extent[0] - 0.5)) + 1, width))
        r = np.arange(max(int(np.ceil(top - 0.5)), 0), min(int(np.floor(top + extent[1] - 0.5)) + 1, height))
        image = tile.image.astype(np.float64) / gain
        if straight:
            seen, value, deep = _straight(image, depth, r - top, c - left)
        else:
            seen, value, deep = _turned(image, depth, r - top - half[1], c - left - half[0], np.linalg.inv(to_stage))
        place = np.ix_(r, c)
        weight = deep * seen
        total[place] += weight * np.where(seen, value, 0.0)
        weights[place] += weight
        told()
    image = np.divide(total, weights, out=np.full(total.shape, np.nan), where=weights > 0).astype(np.float32)
    x0_um, y0_um = (origin * pixel_size_um).tolist()
    return image, (x0_um, y0_um)


def straightened(image: Picture, picture_to_stage: NDArray[np.floating]) -> Picture:
    """A picture along the stage's axes about the same middle, in the same pixels; NaN where it showed nothing.

    One of a camera that stands straight is returned as it is.
    """
    if np.array_equal(picture_to_stage, np.eye(2)):
        return image
    rows, columns = image.shape
    half = np.abs(picture_to_stage) @ np.array([columns / 2, rows / 2])
    # As many on each side of the middle as there were: between two pixels, or on one.
    right, down = (
        np.arange(2 * int(np.ceil(reach - size / 2)) + size) - (2 * int(np.ceil(reach - size / 2)) + size - 1) / 2
        for reach, size in zip(half, (columns, rows), strict=True)
    )
    flat = np.ones(image.shape)
    seen, value, _ = _turned(image.astype(np.float64), flat, down, right, np.linalg.inv(picture_to_stage))
    return np.where(seen, value, np.nan).astype(np.float32)


Parts = tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]
"""Of each pixel: whether the tile shows it, its transmission there, and how deep inside the tile it lies."""


def _straight(
    image: NDArray[np.float64],
    depth: NDArray[np.float64],
    rows: NDArray[np.floating],
    columns: NDArray[np.floating],
) -> Parts:
    """Of a tile whose pixels run along the mosaic's, at fractional rows and columns."""
    nearest = np.ix_(_nearest(rows, image.shape[0]), _nearest(columns, image.shape[1]))
    return np.isfinite(image)[nearest], _sample(image, rows, columns), depth[nearest]


def _turned(
    image: NDArray[np.float64],
    depth: NDArray[np.float64],
    down: NDArray[np.floating],
    right: NDArray[np.floating],
    to_picture: NDArray[np.floating],
) -> Parts:
    """Of a tile whose pixels run otherwise; `down` and `right` of its middle, in pixels of the mosaic."""
    y, x = np.meshgrid(down, right, indexing="ij")
    middle_row, middle_column = ((n - 1) / 2 for n in image.shape)
    column = to_picture[0, 0] * x + to_picture[0, 1] * y + middle_column
    row = to_picture[1, 0] * x + to_picture[1, 1] * y + middle_row
    inside = (np.abs(row - middle_row) <= middle_row + 0.5) & (np.abs(column - middle_column) <= middle_column + 0.5)
    nearest = (_nearest(row, image.shape[0]), _nearest(column, image.shape[1]))
    seen = inside & np.isfinite(image)[nearest]
    value = ndimage.map_coordinates(_filled(image), (row, column), order=3, mode="nearest")
    return seen, np.asarray(value, np.float64), depth[nearest]


def _from_edge(n: int) -> NDArray[np.int64]:
    """1, 2, ... 2, 1: how deep each of n pixels lies inside."""
    return np.minimum(np.arange(n), np.arange(n)[::-1]) + 1


def _nearest(position: NDArray[np.floating], n: int) -> NDArray[np.int64]:
    return np.clip(np.rint(position), 0, n - 1).astype(np.int64)


def _sample(
    image: NDArray[np.float64], rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The image at fractional rows and columns: as it is on whole pixels, cubic in between."""
    whole = [np.abs(p - np.rint(p)).max(initial=0.0) < 0.01 for p in (rows, columns)]
    image = _filled(image)
    if all(whole):
        return image[np.ix_(_nearest(rows, image.shape[0]), _nearest(columns, image.shape[1]))]
    grid = np.meshgrid(rows, columns, indexing="ij")
    return ndimage.map_coordinates(image, grid, order=3, mode="nearest")


def _filled(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """A bad pixel must not ring through the spline; it is left out of the mosaic itself by its weight."""
    seen = np.isfinite(image)
    if seen.all():
        return image
    near = ndimage.gaussian_filter(np.where(seen, image, 0.0), 1.5)
    share = ndimage.gaussian_filter(seen.astype(float), 1.5)
    return np.where(seen, image, np.divide(near, share, out=np.ones_like(near), where=share > 1e-6))
