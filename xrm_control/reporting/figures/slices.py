"""Orthogonal slices of a volume with the outlines of its labels, and a strip of all slices for scrolling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image

from xrm_control.contracts.tables import PLANES
from xrm_control.reporting.figures.style import (
    FONT_PT,
    INK,
    ORANGE,
    SKY,
    Margins,
    Picture,
    dress,
    new_figure,
    to_picture,
)
from xrm_control.reporting.formatting import signed
from xrm_control.storage.formats.planes_on_disk import AnyVolume

PANEL_PX = 340
VOID_PHASE = 2
_SAMPLE = 2 << 20
_AXIS = {"xy": 0, "xz": 1, "yz": 2}
_NAMES = {"xy": ("x", "y", "z"), "xz": ("x", "z", "y"), "yz": ("y", "z", "x")}


@dataclass(frozen=True)
class Cut:
    """Where a volume is cut for the plane (`xy`, `xz` or `yz`): the index along the third axis."""

    plane: str
    index: int


@dataclass(frozen=True)
class Window:
    """Grey values from black to white, in 1/um; the same for every slice of a run so that greys compare."""

    low: float
    high: float


def fullest_cuts(labels: AnyVolume | None, shape: tuple[int, ...]) -> tuple[Cut, ...]:
    """For each plane the cut with the largest labelled area; the middle where there are no labels.

    labels: (z, y, x) integers, 0 outside of particles; shape: the volume's shape.
    """
    if labels is None or labels.shape != shape:
        return tuple(Cut(plane, shape[_AXIS[plane]] // 2) for plane in PLANES)
    areas = [np.zeros(size, np.int64) for size in shape]
    for at in range(shape[0]):
        inside = np.asarray(labels[at]) > 0
        areas[0][at] = inside.sum()
        areas[1] += inside.sum(1)
        areas[2] += inside.sum(0)
    return tuple(
        Cut(plane, int(areas[_AXIS[plane]].argmax()) if areas[_AXIS[plane]].any() else shape[_AXIS[plane]] // 2)
        for plane in PLANES
    )


def grey_window(volume: AnyVolume) -> Window:
    """Black at the darkest, white at the brightest 0.3 % of a sample of slices of a volume (z, y, x)."""
    step = max(1, volume.shape[0] // 16)
    # Of large planes every few voxels: of two millions the brightest 0.3 % are known well enough.
    every = max(
        1, math.ceil(math.sqrt(volume.shape[1] * volume.shape[2] * len(range(0, volume.shape[0], step)) / _SAMPLE))
    )
    sample = np.stack([volume[z][::every, ::every] for z in range(0, volume.shape[0], step)]).astype(np.float32)
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return Window(0.0, 1.0)
    low, high = np.percentile(finite, (0.3, 99.7))
    return Window(float(low), float(max(high, low + 1e-6)))


def slice_figure(
    volume: AnyVolume,
    labels: AnyVolume | None,
    voxel_size_um: float,
    cut: Cut,
    window: Window,
    phases: AnyVolume | None = None,
) -> Picture:
    """One slice of a volume (z, y, x) in 1/um, with the outlines of particles and voids, and a scale bar.

    labels: same shape, 0 outside of particles; phases: same shape, 2 in voids; either may be missing.
    """
    across, along, through = _NAMES[cut.plane]
    image = np.asarray(_of(volume, cut), np.float32)
    rows, columns = image.shape
    centre_um = ((rows - 1) / 2 * voxel_size_um, (columns - 1) / 2 * voxel_size_um)
    room = Margins(left=48)
    around = room.bottom + room.top
    height = int(np.clip(around + (PANEL_PX - room.left - room.right) * rows / columns, around + 60, around + 420))
    figure = new_figure(PANEL_PX, height, room)
    axes = figure.add_subplot()
    half = voxel_size_um / 2
    extent = (-centre_um[1] - half, centre_um[1] + half, centre_um[0] + half, -centre_um[0] - half)
    axes.imshow(image, cmap="gray", vmin=window.low, vmax=window.high, extent=extent, interpolation="nearest")
    if labels is not None and labels.shape == volume.shape:
        particles = np.asarray(_of(labels, cut))
        _outline(axes, particles, voxel_size_um, ORANGE)
    if phases is not None and phases.shape == volume.shape:
        voids = np.asarray(_of(phases, cut)) == VOID_PHASE
        _outline(axes, voids, voxel_size_um, SKY)
    _scale_bar(axes, extent)
    offset_um = (cut.index - (volume.shape[_AXIS[cut.plane]] - 1) / 2) * voxel_size_um
    dress(axes, x=f"{across} (µm)", y=f"{along} (µm)", title=f"{cut.plane} at {through} = {signed(offset_um)} µm")
    axes.grid(False)
    axes.set_xlim(extent[0], extent[1])
    axes.set_ylim(extent[2], extent[3])
    return to_picture(figure, f"Slice {cut.plane} of the volume with particle outlines")


def _of(volume: AnyVolume, cut: Cut) -> NDArray[np.generic]:
    at: list[int | slice] = [slice(None)] * 3
    at[_AXIS[cut.plane]] = cut.index
    return volume[tuple(at)]


def label_edges(labels: NDArray[np.generic]) -> NDArray[np.float64]:
    """The sides of pixels at which a label image (rows, columns) changes: (n, 2 points, (column, row)) in pixels.

    The coordinates count from the outer corner of pixel [0, 0], so that pixel [r, c] spans c to c + 1 and r to r + 1.
    """
    row, column = np.nonzero(labels[:, 1:] != labels[:, :-1])
    upright = np.stack([np.stack([column + 1, row], -1), np.stack([column + 1, row + 1], -1)], 1)
    row, column = np.nonzero(labels[1:] != labels[:-1])
    level = np.stack([np.stack([column, row + 1], -1), np.stack([column + 1, row + 1], -1)], 1)
    return np.concatenate([upright, level]).astype(float)


def outline_of(edges: NDArray[np.float64], colour: str) -> PathCollection:
    """Edges (n, 2 points, 2) as one path: drawn one by one they would take most of a figure's time."""
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(edges))
    paths = [Path(edges.reshape(-1, 2), codes)] if len(edges) else []
    return PathCollection(paths, facecolors="none", edgecolors=colour, linewidths=0.9)


@dataclass(frozen=True)
class Strip:
    """All slices of a volume, or every n-th, side by side in one JPEG for a page to scroll through."""

    picture: Picture
    tile_width_px: int
    tile_height_px: int
    columns: int
    positions_um: tuple[float, ...]


def slice_strip(
    volume: AnyVolume, voxel_size_um: float, window: Window, *, most_slices: int, most_px: int = 128
) -> Strip:
    """Slices perpendicular to the rotation axis of a volume (z, y, x), thinned and averaged down to the given sizes."""
    every = max(1, -(-volume.shape[0] // most_slices))
    step = max(1, -(-max(volume.shape[1:]) // most_px))
    chosen = range(0, volume.shape[0], every)
    rows, columns = (size // step for size in volume.shape[1:])
    across = int(np.ceil(np.sqrt(len(chosen))))
    sheet = np.zeros((-(-len(chosen) // across) * rows, across * columns), np.uint8)
    for at, index in enumerate(chosen):
        plane = np.asarray(volume[index, : rows * step, : columns * step], np.float32)
        small = plane.reshape(rows, step, columns, step).mean((1, 3))
        grey = np.clip(np.nan_to_num((small - window.low) / (window.high - window.low)), 0, 1) * 255
        top, left = at // across * rows, at % across * columns
        sheet[top : top + rows, left : left + columns] = grey.astype(np.uint8)
    picture = Picture.jpeg(Image.fromarray(sheet), 68, "All slices perpendicular to the rotation axis")
    middle = (volume.shape[0] - 1) / 2
    return Strip(picture, columns, rows, across, tuple((index - middle) * voxel_size_um for index in chosen))


def round_length(span: float) -> float:
    """A length of 1, 2 or 5 times a power of ten, near a quarter of `span`."""
    power = 10.0 ** np.floor(np.log10(span / 4))
    return float(max(step * power for step in (1, 2, 5) if step * power <= span / 4 * 1.0001))


def _outline(axes: Axes, regions: NDArray[np.generic], voxel_size_um: float, colour: str) -> None:
    rows, columns = regions.shape
    corners_um = (label_edges(regions) - np.array([columns, rows]) / 2) * voxel_size_um
    axes.add_collection(outline_of(corners_um, colour))


def _scale_bar(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    left, right, bottom, top = extent
    length = round_length(right - left)
    x, y = left + 0.05 * (right - left), bottom + 0.06 * (top - bottom)
    outline = [withStroke(linewidth=4, foreground=INK)]
    axes.plot([x, x + length], [y, y], color="white", linewidth=2.5, solid_capstyle="butt", path_effects=outline)
    axes.text(
        x + length / 2,
        y + 0.025 * (top - bottom),
        f"{length:g} µm",
        color="white",
        fontsize=FONT_PT,
        ha="center",
        va="bottom",
        path_effects=[withStroke(linewidth=2.5, foreground=INK)],
    )
