"""Tiles of a mosaic, the mosaic itself, and the step from counts to transmission."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xrm_control.core.errors import DataError

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Tile:
    """One radiograph of the mosaic.

    row, column: place in the plan (0-based); image: transmission (rows, columns), NaN where a pixel is unusable;
    x_um, y_um: stage position of the image's centre, read back while it was exposed.
    """

    row: int
    column: int
    image: Picture
    x_um: float
    y_um: float


@dataclass(frozen=True)
class Mosaic:
    """The stitched map.

    image: transmission (rows, columns), NaN where nothing was seen; x0_um, y0_um: stage coordinate of the centre of
    pixel [0, 0], x to the right, y downwards; offsets_um (tiles, 2): x, y by which registration moved each tile, in
    the order given; residual_um: what the overlaps still disagree by (root mean square), None when not registered.
    """

    image: Picture
    x0_um: float
    y0_um: float
    pixel_size_um: float
    offsets_um: NDArray[np.float64]
    residual_um: float | None


def transmission(raw: ArrayLike, flat: ArrayLike, dark: ArrayLike) -> Picture:
    """(raw - dark) / (flat - dark), float32; NaN where the flat is not above the dark, or the raw is saturated.

    raw: (rows, columns); flat, dark: the same shape, or stacks (n, rows, columns) that are averaged.
    Raises DataError when the shapes differ or the flat holds no light anywhere.
    """
    level, floor = (np.asarray(a, np.float64) for a in (flat, dark))
    level, floor = (a.mean(axis=0) if a.ndim == 3 else a for a in (level, floor))
    counts = np.asarray(raw)
    image = counts.astype(np.float64)
    if image.ndim != 2 or image.shape != level.shape or image.shape != floor.shape:
        raise DataError(
            "frame, flat and dark differ in shape",
            where="mosaic tile",
            value=f"frame {image.shape}, flat {level.shape}, dark {floor.shape}",
            remedy="take the references with the binning of the mosaic",
        )
    light = level - floor
    if not (light > 0).any():
        raise DataError("the flat is no brighter than the dark", where="mosaic tile", remedy="check beam and shutter")
    usable = light > 0.05 * np.median(light[light > 0])
    if counts.dtype.kind == "u":
        usable &= image < np.iinfo(counts.dtype.name).max
    ratio = np.divide(image - floor, light, out=np.full(image.shape, np.nan), where=usable)
    return ratio.astype(np.float32)
