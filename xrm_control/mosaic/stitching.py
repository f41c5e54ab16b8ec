"""Tiles to mosaic: placing by stage position, registration where tiles overlap, blending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.core.errors import DataError
from xrm_control.mosaic.file import write_mosaic
from xrm_control.mosaic.registration import PairShift, pair_shift, settle
from xrm_control.mosaic.tiles import Mosaic, Picture, Tile, transmission

__all__ = ["LEAST_OVERLAP", "Mosaic", "Tile", "neighbours", "stitch", "transmission", "write_mosaic"]

LEAST_OVERLAP = 0.05
"""Overlap (share of a tile's width) from which `register="auto"` registers."""

_MOST_EMPTY = 64
"""A mosaic may hold this many times the pixels of its tiles; beyond, a stage position must be wrong."""


def stitch(
    tiles: Sequence[Tile],
    pixel_size_um: float,
    *,
    register: bool | Literal["auto"] = "auto",
    stage_accuracy_um: float = 1.0,
    told: Callable[[], None] = lambda: None,
) -> Mosaic:
    """Place all tiles on one grid of the tiles' own pixel size, to a fraction of a pixel, and blend what overlaps.

    register: "auto" registers when neighbours share at least 5 % of a tile; stage_accuracy_um: the farthest a tile
    may lie from its read-back, which bounds the registration. Without usable overlaps the stage positions stand.
    told: called at each step, of a pair or a tile.
    Raises DataError for no tiles, tiles of different shapes, or positions that cannot belong to one mosaic.
    """
    _check(tiles, pixel_size_um, stage_accuracy_um)
    centres = np.array([(tile.x_um, tile.y_um) for tile in tiles]) / pixel_size_um
    rows, columns = tiles[0].image.shape
    half = np.array([(columns - 1) / 2, (rows - 1) / 2])
    offsets, residual = np.zeros_like(centres), None
    pairs = neighbours(centres, (columns, rows)) if register else []
    if pairs and (register is True or _shared(centres, pairs, (columns, rows)) >= LEAST_OVERLAP):
        offsets, residual = _register(tiles, centres, pairs, stage_accuracy_um / pixel_size_um, told)
    corners = centres + offsets - half
    origin = corners.min(axis=0)
    image = _blend(tiles, corners - origin, told)
    x0_um, y0_um = (origin * pixel_size_um).tolist()
    return Mosaic(
        image=image,
        x0_um=x0_um,
        y0_um=y0_um,
        pixel_size_um=pixel_size_um,
        offsets_um=np.asarray(offsets * pixel_size_um, np.float64),
        residual_um=None if residual is None else residual * pixel_size_um,
    )


def _check(tiles: Sequence[Tile], pixel_size_um: float, stage_accuracy_um: float) -> None:
    if not tiles:
        raise DataError("there are no tiles to stitch", where="mosaic", remedy="acquire the mosaic first")
    for name, length in (("pixel size", pixel_size_um), ("stage accuracy", stage_accuracy_um)):
        if not (np.isfinite(length) and length > 0):
            raise DataError(f"the {name} must be a positive length in um", where="mosaic", value=length)
    shape = tiles[0].image.shape
    for tile in tiles:
        where = f"mosaic tile row {tile.row}, column {tile.column}"
        if tile.image.ndim != 2 or tile.image.size == 0 or tile.image.shape != shape:
            raise DataError("the tiles differ in shape", where=where, value=tile.image.shape, limit=shape)
        if not (np.isfinite(tile.x_um) and np.isfinite(tile.y_um)):
            raise DataError("the tile has no stage position", where=where, value=(tile.x_um, tile.y_um))
    extent = np.ptp([(tile.x_um, tile.y_um) for tile in tiles], axis=0) / pixel_size_um + shape[::-1]
    limit = _MOST_EMPTY * len(tiles) * shape[0] * shape[1]
    if extent.prod() > limit:
        raise DataError(
            "the tiles lie too far apart to be one mosaic",
            where="mosaic",
            value=f"{extent[0] * pixel_size_um:.0f} x {extent[1] * pixel_size_um:.0f} um",
            limit=f"{limit} pixels",
            remedy="check the stage positions and their units (um)",
        )


def neighbours(centres_px: NDArray[np.float64], tile_px: tuple[int, int]) -> list[tuple[int, int]]:
    """Pairs of tiles (indices, first < second) that share an edge: at least half of it, and any depth.

    centres_px: (tiles, 2) x, y; tile_px: columns, rows of a tile.
    """
    shared = np.array(tile_px)[None, None, :] - np.abs(centres_px[:, None] - centres_px[None, :])
    share = shared / np.array(tile_px)
    touching = (share.min(axis=2) > 0) & (share.max(axis=2) >= 0.5)
    first, second = np.nonzero(np.triu(touching, 1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _shared(centres: NDArray[np.float64], pairs: list[tuple[int, int]], tile_px: tuple[int, int]) -> float:
    """Median depth of the overlaps as a share of the tile."""
    shares = [np.min(1 - np.abs(centres[i] - centres[j]) / np.array(tile_px)) for i, j in pairs]
    return float(np.median(shares))


def _register(
    tiles: Sequence[Tile],
    centres: NDArray[np.float64],
    pairs: list[tuple[int, int]],
    accuracy_px: float,
    told: Callable[[], None],
) -> tuple[NDArray[np.floating], float | None]:
    """Offsets of the tiles (pixels) and the residual of the overlaps."""
    images = [tile.image.astype(np.float64) for tile in tiles]
    found: list[PairShift] = []
    for i, j in pairs:
        # Both ends may be off by the stage's accuracy, in opposite directions.
        shift = pair_shift(i, j, (images[i], images[j]), centres[j] - centres[i], 2 * accuracy_px)
        if shift is not None:
            found.append(shift)
        told()
    return settle(found, len(tiles), accuracy_px)


def _blend(tiles: Sequence[Tile], corners: NDArray[np.floating], told: Callable[[], None]) -> Picture:
    """Weighted mean of the shifted tiles; the weight falls towards a tile's edge, so that seams fade."""
    rows, columns = tiles[0].image.shape
    width, height = (int(np.floor(corners[:, k].max() + n - 0.5)) + 1 for k, n in ((0, columns), (1, rows)))
    total, weights = np.zeros((height, width)), np.zeros((height, width))
    depth = np.minimum.outer(_from_edge(rows), _from_edge(columns)).astype(float)
    for tile, (left, top) in zip(tiles, corners, strict=True):
        # The mosaic's pixels whose centres the tile covers, and where they lie in the tile.
        c = np.arange(max(int(np.ceil(left - 0.5)), 0), min(int(np.floor(left + columns - 0.5)) + 1, width))
        r = np.arange(max(int(np.ceil(top - 0.5)), 0), min(int(np.floor(top + rows - 0.5)) + 1, height))
        image = tile.image.astype(np.float64)
        place = np.ix_(r, c)
        nearest = np.ix_(_nearest(r - top, rows), _nearest(c - left, columns))
        seen = np.isfinite(image)[nearest]
        weight = depth[nearest] * seen
        total[place] += weight * np.where(seen, _sample(image, r - top, c - left), 0.0)
        weights[place] += weight
        told()
    return np.divide(total, weights, out=np.full(total.shape, np.nan), where=weights > 0).astype(np.float32)


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
    seen = np.isfinite(image)
    if not seen.all():
        # A bad pixel must not ring through the spline; it is left out of the mosaic itself by its weight.
        near = ndimage.gaussian_filter(np.where(seen, image, 0.0), 1.5)
        share = ndimage.gaussian_filter(seen.astype(float), 1.5)
        image = np.where(seen, image, np.divide(near, share, out=np.ones_like(near), where=share > 1e-6))
    if all(whole):
        return image[np.ix_(_nearest(rows, image.shape[0]), _nearest(columns, image.shape[1]))]
    grid = np.meshgrid(rows, columns, indexing="ij")
    return ndimage.map_coordinates(image, grid, order=3, mode="nearest")
