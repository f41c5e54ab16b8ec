"""A particle's mesh: to be turned on the page, and as a file to take away, as `xrm export` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from xrm_control.app.meshes import file_name, mesh_exporter
from xrm_control.core.errors import DataError, XrmError
from xrm_control.core.triangles import Triangles
from xrm_control.dashboard.files import inside
from xrm_control.dashboard.volumes import label_mesh, stamp, stl
from xrm_control.processing.meshes import RegionMeshes
from xrm_control.storage.formats.registry import volume_formats
from xrm_control.storage.run_folder import RoiFolder, RunFolder

MOST_BYTES = 1 << 30
"""Of a volume that is read into memory for a browser."""

KEPT_BYTES = 256 << 20
"""Of a volume that stays in memory, so that the next particle of its region comes at once."""

_Stamps = tuple[int, ...]


@dataclass(frozen=True)
class Shown:
    """A surface as a binary STL. blocks: why it runs along the voxels; "" where it is the volume's own surface."""

    data: bytes
    blocks: str = ""


@dataclass(frozen=True)
class MeshFile:
    """Its content, its name and its type."""

    data: bytes
    name: str
    media_type: str


def shown(run: RunFolder, roi: str, particle: int, *, voids: bool) -> Shown:
    """The hull of a particle, or the walls of its voids, to be looked at: as the export has them, and else as the
    labels' own, which says so.

    Raises DataError for a particle that is not there, or has no void.
    """
    place = run.roi(roi)
    try:
        return Shown(_smooth(run, roi, particle, voids))
    except XrmError as error:
        return Shown(label_mesh(place, particle, voids=voids), error.what)


def _smooth(run: RunFolder, roi: str, particle: int, voids: bool) -> bytes:
    place = run.roi(roi)
    _require_inside(run, place)
    if place.volume.is_file() and place.volume.stat().st_size > KEPT_BYTES:
        raise DataError(f"volumes above {KEPT_BYTES / 1e9:.2f} GB are drawn by their labels", where=roi)
    hull, walls = _surfaces(run, roi, particle, tuple(stamp(path) for path in _sources(place) if path.exists()))
    if voids and not walls:
        raise DataError("no void's wall is seen in this particle", where=roi, value=particle)
    return walls if voids else hull


@lru_cache(maxsize=16)
def _surfaces(run: RunFolder, roi: str, particle: int, stamps: _Stamps) -> tuple[bytes, bytes]:
    """Hull and walls as STL; b"" without a wall."""
    found = _region(run, roi, stamps).mesh(particle)
    walls = [part.surface for part in found.voids]
    return _stl([found.hull.surface]), _stl(walls) if walls else b""


@lru_cache(maxsize=1)
def _region(run: RunFolder, roi: str, stamps: _Stamps) -> RegionMeshes:
    """Read and held against its hashes once. stamps: change with its files."""
    return RegionMeshes(run, roi)


def _stl(surfaces: Sequence[Triangles]) -> bytes:
    first = np.cumsum([0, *(len(one.points_um) for one in surfaces)])
    faces = np.concatenate([one.faces + start for one, start in zip(surfaces, first[:-1], strict=True)])
    return stl(np.concatenate([one.points_um for one in surfaces]), faces)


def _sources(place: RoiFolder) -> tuple[Path, ...]:
    return place.volume, place.labels, place.particles, place.voids


def _require_inside(run: RunFolder, place: RoiFolder) -> None:
    for path in _sources(place):
        if path.exists() and not inside(path, run.path):
            raise DataError("this is not there yet", where=f"{place.path.name}/{path.name}")


@cache
def warm() -> None:
    """Import what the first mesh would wait for: three quarters of its time."""
    from scipy import ndimage, optimize, spatial

    _ = ndimage, optimize, spatial, volume_formats()


def mesh_file(run: RunFolder, roi: str, particle: int, kind: str) -> MeshFile:
    """Raises DataError for a particle, a region or a volume that is not there, or too large; RecipeError for a kind
    that there is not.
    """
    exporter, place = mesh_exporter(kind), run.roi(roi)
    _require_inside(run, place)
    region = RegionMeshes(run, roi)
    region.require([particle])
    size = place.volume.stat().st_size
    if size > MOST_BYTES:
        raise DataError(
            "the volume is too large to be read for the window",
            where=f"{roi}/{place.volume.name}",
            value=f"{size / 1e9:.1f} GB",
            limit=f"{MOST_BYTES / 1e9:.1f} GB",
            remedy=f"xrm export RUN --to {kind} --roi {roi} --particle {particle} --out FOLDER",
        )
    data = exporter.encoded(region.mesh(particle))
    return MeshFile(data, file_name(run.name, roi, particle, exporter), exporter.media_type)
