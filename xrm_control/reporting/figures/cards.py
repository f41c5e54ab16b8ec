"""A single particle at a glance: three cuts through its middle, side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xrm_control.reporting.figures.slices import VOID_PHASE, Window
from xrm_control.reporting.figures.style import ORANGE, SKY, Picture
from xrm_control.storage.formats.planes_on_disk import AnyVolume

TILE_PX = 64
_GAP_PX = 2
# From numpy's (z, y, x): rows and columns of the planes xy, xz and yz.
_ACROSS = ((1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class Layers:
    """A volume (z, y, x) in 1/um, and labels and phases of its shape, or None; outlines are drawn of what is there."""

    volume: AnyVolume
    labels: AnyVolume | None = None
    phases: AnyVolume | None = None


def cuts_picture(layers: Layers, centre: tuple[float, float, float], side: float, window: Window, alt: str) -> Picture:
    """The planes xy, xz and yz through `centre`, each of `side` by `side` voxels, as one JPEG of 196 x 64 pixels.

    centre: index along z, y, x; what lies outside of the volume is black.
    """
    tiles = [_tile(layers, centre, side, window, plane) for plane in range(3)]
    gap = np.full((TILE_PX, _GAP_PX, 3), 255, np.uint8)
    sheet = np.hstack([tiles[0], gap, tiles[1], gap, tiles[2]])
    return Picture.jpeg(Image.fromarray(sheet), 80, alt)


def _tile(
    layers: Layers, centre: tuple[float, float, float], side: float, window: Window, plane: int
) -> NDArray[np.uint8]:
    shape = layers.volume.shape
    shown = np.linspace(-side / 2, side / 2, TILE_PX)
    places = [np.rint(centre[axis] + shown).astype(int) for axis in _ACROSS[plane]]
    within = [(at >= 0) & (at < shape[axis]) for at, axis in zip(places, _ACROSS[plane], strict=True)]
    inside = within[0][:, None] & within[1][None]
    rows, columns = (np.clip(at, 0, shape[axis] - 1) for at, axis in zip(places, _ACROSS[plane], strict=True))
    through = min(max(round(centre[plane]), 0), shape[plane] - 1)
    # No more than what is shown: a plane of a large volume lies in pages all over its file.
    block = [slice(int(at[0]), int(at[-1]) + 1) for at in (rows, columns)]
    block.insert(plane, slice(through, through + 1))
    grid = np.ix_(rows - rows[0], columns - columns[0])

    def cut(stack: AnyVolume) -> NDArray[np.generic]:
        return np.asarray(stack[tuple(block)]).squeeze(plane)[grid]

    grey = (cut(layers.volume).astype(np.float32) - window.low) / (window.high - window.low)
    image = np.repeat((255 * np.clip(np.nan_to_num(grey), 0, 1) * inside)[..., None], 3, -1).astype(np.uint8)
    if layers.labels is not None:
        image[_edges(np.where(inside, cut(layers.labels), 0))] = _rgb(ORANGE)
    if layers.phases is not None:
        image[_edges(inside & (cut(layers.phases) == VOID_PHASE))] = _rgb(SKY)
    return image


def _edges(regions: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Pixels beyond which, to the right or below, another region begins."""
    found = np.zeros(regions.shape, bool)
    found[:, :-1] |= regions[:, 1:] != regions[:, :-1]
    found[:-1] |= regions[1:] != regions[:-1]
    return found


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
