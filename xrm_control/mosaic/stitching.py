"""Tiles to mosaic: placing by stage position, registration where tiles overlap, blending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.mosaic.belonging import misplaced
from xrm_control.mosaic.blending import blend
from xrm_control.mosaic.contrast_sense import turned_dark_for_bright
from xrm_control.mosaic.file import write_mosaic
from xrm_control.mosaic.fixed_pattern import FixedPattern, fixed_pattern
from xrm_control.mosaic.placement import UNKNOWN, Placed, neighbours, place
from xrm_control.mosaic.tiles import Mosaic, Tile, transmission

__all__ = ["Mosaic", "Tile", "neighbours", "stitch", "transmission", "write_mosaic"]

_MOST_EMPTY = 64
"""A mosaic may hold this many times the pixels of its tiles; beyond, a stage position must be wrong."""

_REGISTERED_PX = 1.0


def stitch(
    tiles: Sequence[Tile],
    pixel_size_um: float,
    *,
    register: bool | Literal["auto"] = "auto",
    stage_accuracy_um: float = 1.0,
    picture_to_stage: NDArray[np.floating] | None = None,
    known_to: float = UNKNOWN,
    told: Callable[[], None] = lambda: None,
) -> Mosaic:
    """Place all tiles on one grid along the stage's axes, to a fraction of a pixel, and blend what overlaps.

    The grid's pixel is the tiles' stated one, its lengths are those of the stage. register: "auto" registers when
    neighbours share at least 5 % of a tile; stage_accuracy_um: the farthest a tile may lie from its read-back, which
    bounds the registration. picture_to_stage: as calibrated (see `Registration`), None for a camera that stands
    straight as far as anybody knows; known_to: its standard uncertainty. Without usable overlaps the stage positions
    stand. told: called at each step, of a pair or a tile.
    Raises DataError for no tiles, tiles of different shapes, or positions that cannot belong to one mosaic.
    """
    _check(tiles, pixel_size_um, stage_accuracy_um)
    pattern = fixed_pattern(tiles)
    if pattern is not None:
        tiles = pattern.off(tiles)
    placed = place(
        tiles,
        pixel_size_um,
        register=register,
        stage_accuracy_um=stage_accuracy_um,
        picture_to_stage=picture_to_stage,
        known_to=known_to,
        told=told,
    )
    placed = _said(placed, tiles, pixel_size_um, stage_accuracy_um, pattern)
    image, (x0_um, y0_um) = blend(tiles, placed, pixel_size_um, told)
    return Mosaic(
        image=image,
        x0_um=x0_um,
        y0_um=y0_um,
        pixel_size_um=pixel_size_um,
        offsets_um=placed.offsets_um,
        residual_um=placed.residual_um,
        registration=placed.registration,
    )


def reach_px(stage_accuracy_um: float, pixel_size_um: float, *, placed: bool) -> float:
    """How far one tile may lie from where it belongs beside another: where overlaps have `placed` them not beyond the
    next pixel, else each as far as the stage is off.
    """
    return _REGISTERED_PX if placed else 2 * stage_accuracy_um / pixel_size_um


def _said(
    placed: Placed, tiles: Sequence[Tile], pixel_size_um: float, stage_accuracy_um: float, pattern: FixedPattern | None
) -> Placed:
    """With what is to be known of the tiles themselves."""
    found = placed.registration
    centres_px = placed.centres_um @ np.linalg.inv(found.picture_to_stage).T / pixel_size_um
    far_px = reach_px(stage_accuracy_um, pixel_size_um, placed=bool(np.any(placed.offsets_um)))
    wrong = turned_dark_for_bright(tiles) or misplaced(tiles, centres_px, far_px)
    text = "" if pattern is None else pattern.text
    left = text if pattern is not None and pattern.left else ""
    if wrong or left:
        refused = "; ".join(one for one in (left, wrong or found.refused) if one)
        return replace(placed, registration=replace(found, refused=refused), residual_um=None)
    if text:
        found = replace(found, note="; ".join(one for one in (found.note, text) if one))
    return replace(placed, registration=found)


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
