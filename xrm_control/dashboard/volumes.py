"""Volumes for a slice viewer and for turning particles: planes of 8 bits with one contrast, labels, meshes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.dashboard.files import inside
from xrm_control.dashboard.models_table import Planes
from xrm_control.dashboard.pictures import grey
from xrm_control.dashboard.slabs import Convert, Slabs
from xrm_control.reporting.figures.slices import grey_window
from xrm_control.reporting.volumes import Stack, open_stack
from xrm_control.storage.formats.planes_on_disk import AnyVolume
from xrm_control.storage.run_folder import RoiFolder

Plane = Literal["xy", "xz", "yz"]
AXIS: dict[str, int] = {"xy": 0, "xz": 1, "yz": 2}
VOID = 2
# Of one process: all who look share what was read.
_SLABS = Slabs()


@dataclass(frozen=True)
class Section:
    """One plane of a volume, (rows, columns)."""

    pixels: NDArray[np.generic]

    @property
    def data(self) -> bytes:
        """Row by row; little-endian."""
        return np.ascontiguousarray(self.pixels.astype(self.pixels.dtype.newbyteorder("<"))).tobytes()


def planes(place: RoiFolder) -> Planes:
    """What the volume of a region offers. Raises DataError where there is none."""
    stack, window = _opened(place.volume), _window(str(place.volume), stamp(place.volume))
    z, y, x = stack.data.shape
    return Planes(
        shape=(z, y, x),
        voxel_size_um=stack.voxel_size_um,
        low_per_um=window[0],
        high_per_um=window[1],
        labels=place.labels.is_file(),
    )


def section(place: RoiFolder, plane: Plane, index: int) -> Section:
    """A plane in grey, 8 bits. Raises DataError outside of the volume."""
    window = _window(str(place.volume), stamp(place.volume))
    return Section(_plane(place.volume, plane, index, lambda values: grey(values, window), 1))


def label_section(place: RoiFolder, plane: Plane, index: int) -> Section:
    """The particles' numbers in a plane, 16 bits. Raises DataError where nothing is labelled."""
    if not place.labels.is_file():
        raise DataError("nothing is labelled here", where=place.path.name)
    return Section(_plane(place.labels, plane, index, lambda numbers: numbers.astype(np.uint16), 2))


def label_mesh(place: RoiFolder, particle: int, *, voids: bool) -> bytes:
    """The surface of a particle's voxels, or of the voids in it, as a binary STL in um, about the volume's centre.

    Raises DataError for a particle that is not there, or has no void.
    """
    from skimage.measure import marching_cubes

    stack = _opened(place.labels)
    inside = _box(stack.data, particle, place.path.name)
    voxel_um = stack.voxel_size_um or 1.0
    mask = np.asarray(stack.data[inside]) == particle
    if voids:
        phases = place.path / "phases.ome.tif"
        mask &= np.asarray(_opened(phases).data[inside]) == VOID
        if not mask.any():
            raise DataError("no void was found in this particle", where=place.path.name, value=particle)
    padded = np.pad(mask, 1).astype(np.float32)
    corners, faces, _, _ = marching_cubes(padded, 0.5)
    centre = (np.array(stack.data.shape) - 1) / 2
    start = np.array([part.start for part in inside])
    points_um = ((corners - 1 + start - centre) * voxel_um)[:, ::-1]
    return stl(points_um.astype(np.float32), faces)


def stl(points: NDArray[np.float32], faces: NDArray[np.integer]) -> bytes:
    """Points (n, 3) as x, y, z and triangles (m, 3) as a binary STL."""
    triangles = np.zeros(len(faces), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
    triangles["corners"] = points[faces]
    return b"xrm_control, um".ljust(80) + np.uint32(len(faces)).tobytes() + triangles.tobytes()


def _plane(path: Path, plane: Plane, index: int, convert: Convert, itemsize: int) -> NDArray[np.generic]:
    volume, axis = _opened(path).data, AXIS[plane]
    if not 0 <= index < volume.shape[axis]:
        raise DataError("no such plane", where=plane, value=index, limit=f"0 to {volume.shape[axis] - 1}")
    if axis == 0:
        return convert(volume[index])
    return _SLABS.plane((str(path), stamp(path)), volume, axis, index, convert, itemsize)


def _box(labels: AnyVolume, particle: int, where: str) -> tuple[slice, ...]:
    planes_, rows, columns = set[int](), set[int](), set[int]()
    for z in range(labels.shape[0]):
        at = np.nonzero(np.asarray(labels[z]) == particle)
        if at[0].size:
            planes_.add(z)
            rows.update((int(at[0].min()), int(at[0].max())))
            columns.update((int(at[1].min()), int(at[1].max())))
    if not planes_:
        raise DataError("there is no such particle", where=where, value=particle)
    return tuple(slice(min(some), max(some) + 1) for some in (planes_, rows, columns))


def _opened(path: Path) -> Stack:
    if not path.is_file() or not inside(path, path.parent.parent):
        raise DataError("this is not there yet", where=f"{path.parent.name}/{path.name}")
    return _open(str(path), stamp(path))


def stamp(path: Path) -> int:
    """Changes with a file. Raises DataError where it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise DataError("this is not there yet", where=f"{path.parent.name}/{path.name}") from error


@lru_cache(maxsize=6)
def _open(path: str, stamp: int) -> Stack:
    return open_stack(Path(path))


@lru_cache(maxsize=32)
def _window(path: str, stamp: int) -> tuple[float, float]:
    found = grey_window(_open(path, stamp).data)
    return found.low, found.high
