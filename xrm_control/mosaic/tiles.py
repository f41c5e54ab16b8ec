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
class Registration:
    """What the overlaps say of the tiles, the camera and the stage.

    picture_to_stage (2, 2): from (right, down) in a picture to (x, y) on the stage, a length over the same by the
    stated pixel; picture_to_stage_u: its standard uncertainty. pairs: neighbours that overlap; rejected: those whose
    overlap says nothing, or something that the others do not bear out; clipped: tiles that would have to lie farther
    from their read-back than the stage's stated accuracy; gain_percent: spread of the tiles' brightness, root mean
    square. refused: why the stated residual must not be relied on, "" where it may; note: what is worth knowing
    besides.
    """

    picture_to_stage: NDArray[np.floating]
    picture_to_stage_u: NDArray[np.floating]
    pairs: int = 0
    rejected: int = 0
    clipped: int = 0
    gain_percent: float = 0.0
    refused: str = ""
    note: str = ""

    @property
    def rotation_deg(self) -> float:
        """Of the picture's columns, from stage x towards stage y; of a mirror image, of the picture mirrored back."""
        across = self.picture_to_stage[:, 0] * np.sign(np.linalg.det(self.picture_to_stage))
        return float(np.degrees(np.arctan2(across[1], across[0])))

    @property
    def scale(self) -> float:
        """A length on the stage over the same by the stated pixel."""
        return float(np.sqrt(abs(np.linalg.det(self.picture_to_stage))))


@dataclass(frozen=True)
class FoundAgain:
    """How a mosaic of before was found again on the stage.

    looks: tiles looked at; recognised: those that show what they had shown; unlike: those that show something else,
    as row and column (from 0); x_um, y_um: by which the sample moved on the stage; scatter_um: distance of the places
    from that common move, root mean square, None where nothing was looked at; turned_deg: what remains as a turn of
    the sample, from x towards y.
    """

    looks: int
    recognised: int
    unlike: tuple[tuple[int, int], ...]
    x_um: float
    y_um: float
    scatter_um: float | None
    turned_deg: float


@dataclass(frozen=True)
class Mosaic:
    """The stitched map.

    image: transmission (rows, columns), NaN where nothing was seen; x0_um, y0_um: stage coordinate of the centre of
    pixel [0, 0], x to the right, y downwards; offsets_um (tiles, 2): x, y by which registration moved each tile, in
    the order given; residual_um: how far a tile must be expected to lie from its place (root mean square), but for what
    turns or stretches all alike; None when not registered, or when that is not known. registration: how it was found.
    earlier: where it is the mosaic of a run before, how that was found again.
    """

    image: Picture
    x0_um: float
    y0_um: float
    pixel_size_um: float
    offsets_um: NDArray[np.floating]
    residual_um: float | None
    registration: Registration | None = None
    earlier: FoundAgain | None = None


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
