"""Two small pictures of a run for the morning page: its mosaic, and its largest whole particle."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xrm_control.contracts.columns import STANDARD
from xrm_control.contracts.rows import read_rows
from xrm_control.contracts.tables import Particle
from xrm_control.core.errors import DataError, StorageError
from xrm_control.reporting.figures.slices import grey_window
from xrm_control.reporting.volumes import open_stack

_MOST_PX = 300
# Of the particle's diameter, to each side of its centre.
_AROUND = 0.8


def mosaic_picture(run: Path) -> bytes | None:
    """The mosaic with its regions as a small JPEG; None where there is none that can be read."""
    try:
        with Image.open(run / "mosaic.png") as image:
            small = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # Pillow calls a broken PNG a syntax error
        return None
    small.thumbnail((_MOST_PX, _MOST_PX), Image.Resampling.LANCZOS)
    return _jpeg(small)


def particle_picture(run: Path) -> bytes | None:
    """A slice through the largest particle that no volume cuts; of all where each is cut; None without volumes."""
    found = max(_particles(run), default=None, key=lambda one: one[:2])
    if found is None:
        return None
    _, diameter_um, region, (x_um, y_um, z_um) = found
    try:
        return _slice_of(region / "volume.ome.tif", diameter_um, (z_um, y_um, x_um))
    except (DataError, StorageError):
        return None


def _slice_of(volume: Path, diameter_um: float, place_um: tuple[float, float, float]) -> bytes | None:
    """Around a place (z, y, x) of the volume. Raises DataError, StorageError where it cannot be read."""
    stack = open_stack(volume)
    voxel_um = stack.voxel_size_um
    if not voxel_um:
        return None
    depth, rows, columns = stack.data.shape
    at = [round(um / voxel_um + (size - 1) / 2) for um, size in zip(place_um, (depth, rows, columns), strict=True)]
    half = max(4, round(_AROUND * diameter_um / voxel_um))
    plane = np.asarray(stack.data[min(max(at[0], 0), depth - 1)], np.float32)
    window = grey_window(stack.data)
    crop = plane[max(0, at[1] - half) : at[1] + half, max(0, at[2] - half) : at[2] + half]
    return None if not crop.size else _jpeg(_grey(crop, window.low, window.high))


def _particles(run: Path) -> Iterator[tuple[bool, float, Path, tuple[float, float, float]]]:
    """(whether it is whole, diameter, its region's folder, its place) of every particle."""
    for table in sorted(run.glob("*/particles.csv")):
        try:
            rows = read_rows(table, STANDARD.particles)
            sizes, cut = rows.numbers(Particle.equivalent_diameter_um), rows.flags(Particle.touches_boundary)
            places = [rows.numbers(column) for column in (Particle.x_um, Particle.y_um, Particle.z_um)]
        except (DataError, KeyError):
            continue
        for index, size in enumerate(sizes):
            place = tuple(float(axis[index]) for axis in places)
            if np.isfinite([size, *place]).all():
                yield not bool(cut[index]), float(size), table.parent, (place[0], place[1], place[2])


def _grey(plane: NDArray[np.float32], low: float, high: float) -> Image.Image:
    shades = np.clip(np.nan_to_num((plane - low) / (high - low)), 0, 1) * 255
    image = Image.fromarray(shades.astype(np.uint8))
    scale = _MOST_PX / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.NEAREST)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue()
