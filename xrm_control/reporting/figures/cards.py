"""A single particle at a glance: three cuts through its middle, side by side."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from xrm_control.reporting.figures.slices import VOID_PHASE, Window
from xrm_control.reporting.figures.style import ORANGE, SKY, Picture

TILE_PX = 64
_GAP_PX = 2
# From numpy's (z, y, x): rows and columns of the planes xy, xz and yz.
_ACROSS = ((1, 2), (0, 2), (0, 1))

Volume = NDArray[np.generic]


def cuts_picture(
    volume: Volume,
    labels: Volume | None,
    phases: Volume | None,
    centre: tuple[float, float, float],
    side: float,
    window: Window,
    alt: str,
) -> Picture:
    """The planes xy, xz and yz through `centre`, each of `side` by `side` voxels, as one JPEG of 196 x 64 pixels.

    volume: (z, y, x) in 1/um; labels, phases: of the same shape, or None; outlines are drawn of what is there.
    centre: index along z, y, x; what lies outside of the volume is black.
    """
    tiles = [_tile(volume, labels, phases, centre, side, window, plane) for plane in range(3)]
    gap = np.full((TILE_PX, _GAP_PX, 3), 255, np.uint8)
    sheet = np.hstack([tiles[0], gap, tiles[1], gap, tiles[2]])
    file = io.BytesIO()
    matplotlib.image.imsave(file, sheet, format="jpg", pil_kwargs={"quality": 80, "optimize": True})
    height, width = sheet.shape[:2]
    return Picture(file.getvalue(), "image/jpeg", width, height, alt)


def _tile(
    volume: Volume,
    labels: Volume | None,
    phases: Volume | None,
    centre: tuple[float, float, float],
    side: float,
    window: Window,
    plane: int,
) -> NDArray[np.uint8]:
    shown = np.linspace(-side / 2, side / 2, TILE_PX)
    rows, columns = (np.rint(centre[axis] + shown).astype(int) for axis in _ACROSS[plane])
    at = min(max(round(centre[plane]), 0), volume.shape[plane] - 1)
    inside = np.ones((TILE_PX, TILE_PX), bool)
    for index, axis, turned in ((rows, _ACROSS[plane][0], True), (columns, _ACROSS[plane][1], False)):
        within = (index >= 0) & (index < volume.shape[axis])
        inside &= within[:, None] if turned else within[None]
        np.clip(index, 0, volume.shape[axis] - 1, out=index)
    grid = np.ix_(rows, columns)

    def cut(stack: Volume) -> Volume:
        return np.asarray(stack[(slice(None),) * plane + (at,)])[grid]

    grey = (cut(volume).astype(np.float32) - window.low) / (window.high - window.low)
    image = np.repeat((255 * np.clip(np.nan_to_num(grey), 0, 1) * inside)[..., None], 3, -1).astype(np.uint8)
    if labels is not None:
        image[_edges(np.where(inside, cut(labels), 0))] = _rgb(ORANGE)
    if phases is not None:
        image[_edges(np.where(inside, cut(phases) == VOID_PHASE, False))] = _rgb(SKY)
    return image


def _edges(regions: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Pixels beyond which, to the right or below, another region begins."""
    found = np.zeros(regions.shape, bool)
    found[:, :-1] |= regions[:, 1:] != regions[:, :-1]
    found[:-1] |= regions[1:] != regions[:-1]
    return found


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
