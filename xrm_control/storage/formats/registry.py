"""Which format reads a file: every module of this package is looked at, none is listed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.hdf5 import stacks_in
from xrm_control.storage.formats.light import Light
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat, ScanOptions, VolumeFile, VolumeFormat

_Format = TypeVar("_Format", bound=ScanFormat | VolumeFormat)
_PACKAGE = "xrm_control.storage.formats"
_CORE = 0.25  # of the width, around the middle, where no mask reaches
_FRAMES_GO = "frames go into exchange/data, exchange/data_white and exchange/data_dark, angles into exchange/theta"


def scan_formats() -> list[ScanFormat]:
    """All formats that hold scans, by name."""
    return _members(ScanFormat)


def volume_formats() -> list[VolumeFormat]:
    """All formats that hold volumes, by name."""
    return _members(VolumeFormat)


def read_scan(path: Path | str, told: ScanOptions | None = None) -> ScanFile:
    """The scan in a file of any known kind; told: what the operator says of it, which goes before the file.

    Raises DataError for a file that is missing, damaged or of no such kind, and for an option that does not fit it.
    """
    told = told or ScanOptions()
    kind = _format_of(Path(path), scan_formats(), "scan")
    kind.refuse_options(Path(path), told)
    with _named(path):
        scan = kind.read(Path(path), told)
    return scan if told.references is None else _with_references(scan, told.references)


def _with_references(scan: ScanFile, path: Path) -> ScanFile:
    """With the flats (and darks) of another file: its own references, or its images if it has none."""
    other = _format_of(path, scan_formats(), "references").read_references(path)
    shape = scan.projections.shape[1:]
    if other.flats.shape[1:] != shape:
        raise DataError(
            "references must have the shape of the projections",
            where=f"--references, {path}",
            value=other.flats.shape[1:],
            limit=shape,
        )
    light = Light()
    if scan.light is not None and other.light is not None:
        light = Light.of(scan.light, other.light, "exposure times", f"the scan and {path.name}")
    note = f"{len(other.flats)} flats are from {path.name}"
    return replace(
        scan,
        flats=other.flats,
        flat_time_s=np.zeros(len(other.flats)),
        darks=other.darks if len(other.darks) else scan.darks,
        light=light.projections,
        flat_light=light.flats,
        origins=replace(scan.origins, light=light.said).noting(note, *filter(None, (light.note,))),
    )


def open_volume(path: Path | str, voxel_size_um: float | None = None) -> VolumeFile:
    """The volume in a file or folder of any known kind; voxel_size_um: by the operator's word, before the file's.

    Raises DataError as `read_scan` does.
    """
    with _named(path):
        found = _format_of(Path(path), volume_formats(), "volume").read(Path(path), voxel_size_um)
    volume = found.values
    if volume.ndim != 3 or 0 in volume.shape:
        raise DataError("a volume has three dimensions", where=str(path), value=f"shape {volume.shape}")
    if volume.dtype.kind not in "uif":
        raise DataError("a volume holds real numbers", where=str(path), value=str(volume.dtype))
    values, notes = finite_values(volume, str(path))
    return replace(found, values=values, notes=(*found.notes, *notes)) if notes else found


def finite_values(volume: NDArray[Any], where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The volume (z, y, x) with NaN around a circle taken for a mask, and what is to be said of it.

    Raises DataError, naming `where`, for NaN or infinity elsewhere.
    """
    if volume.dtype.kind != "f" or np.isfinite(volume).all():
        return volume, ()
    masked = _without_mask(volume)
    if masked is None:
        raise DataError(
            "the volume holds NaN or infinity",
            where=where,
            value=f"{int((~np.isfinite(volume)).sum())} voxels",
            remedy="write a number in their place, outside of the sample that of its darkest surroundings",
        )
    return masked, ("NaN around the sample was taken for a mask",)


def _without_mask(volume: NDArray[Any]) -> NDArray[Any] | None:
    """With a number below all others for NaN around a circle, the same in each slice; None where it is elsewhere."""
    mask = np.isnan(volume[0])
    rows, columns = mask.shape
    y, x = np.ogrid[:rows, :columns]
    away = np.hypot(y - (rows - 1) / 2, x - (columns - 1) / 2)
    corners = mask[[0, 0, -1, -1], [0, -1, 0, -1]]
    if not corners.all() or mask[away < _CORE * min(rows, columns)].any():
        return None
    if not all(np.array_equal(np.isnan(plane), mask) and np.isfinite(plane[~mask]).all() for plane in volume):
        return None
    low, high = float(np.nanmin(volume)), float(np.nanmax(volume))
    return np.where(mask, volume.dtype.type(low - (high - low)), volume)


def read_volume(path: Path | str) -> tuple[NDArray[Any], float | None]:
    """Array [z, y, x] and edge of its voxels in um (None: not in the file). Raises DataError as `open_volume` does, and
    for voxels that are no cubes.
    """
    found = open_volume(path)
    if not found.cubic:
        raise DataError(
            "the voxels are no cubes", where=str(path), value=f"{found.voxel_zyx_um} um", remedy="resample the volume"
        )
    return found.values, None if found.voxel_zyx_um is None else found.voxel_zyx_um[2]


@contextmanager
def _named(path: Path | str) -> Iterator[None]:
    """Errors within name the file, whatever place in it they name."""
    try:
        yield
    except DataError as error:
        if error.where is not None and Path(path).name in error.where:
            raise
        where = f"{path}: {error.where}" if error.where else str(path)
        raise DataError(error.what, where=where, value=error.value, limit=error.limit, remedy=error.remedy) from error


def _format_of(path: Path, formats: list[_Format], what: str) -> _Format:
    if not path.exists():
        raise DataError("no such file", where=str(path), remedy="check the path")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError("the file is empty", where=str(path))
    name = path.name.lower()
    fitting = [one for one in formats if path.is_dir() or any(name.endswith(suffix) for suffix in one.suffixes)]
    for one in [*fitting, *(one for one in formats if one not in fitting)]:
        if one.recognises(path):
            return one
    known = ", ".join(f"{one.name} ({' '.join(one.suffixes) or 'folder'})" for one in formats)
    held = stacks_in(path)
    raise DataError(
        f"holds no {what} in a known format",
        where=str(path),
        value=f"HDF5 with {held}" if held else None,
        limit=known,
        remedy=_FRAMES_GO if held and what == "scan" else "convert it to one of these",
    )


def _members(base: type[_Format]) -> list[_Format]:
    found: dict[str, _Format] = {}
    package = importlib.import_module(_PACKAGE)
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{_PACKAGE}.{info.name}")
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, base) and item is not base:
                found[item.name] = item()
    return [found[name] for name in sorted(found)]
