"""Which format reads a file: every module of this package is looked at, none is listed."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat, VolumeFormat

_Format = TypeVar("_Format", bound=ScanFormat | VolumeFormat)
_PACKAGE = "xrm_control.storage.formats"


def scan_formats() -> list[ScanFormat]:
    """All formats that hold scans, by name."""
    return _members(ScanFormat)


def volume_formats() -> list[VolumeFormat]:
    """All formats that hold volumes, by name."""
    return _members(VolumeFormat)


def read_scan(path: Path | str) -> ScanFile:
    """The scan in a file of any known kind. Raises DataError for a file that is missing, damaged or of no such kind."""
    return _format_of(Path(path), scan_formats(), "scan").read(Path(path))


def read_volume(path: Path | str) -> tuple[NDArray[Any], float | None]:
    """Array [z, y, x] and voxel size in um (None: not in the file). Raises DataError as `read_scan` does."""
    volume, voxel_um = _format_of(Path(path), volume_formats(), "volume").read(Path(path))
    if volume.ndim != 3 or 0 in volume.shape:
        raise DataError("a volume has three dimensions", where=str(path), value=f"shape {volume.shape}")
    if volume.dtype.kind not in "uif":
        raise DataError("a volume holds real numbers", where=str(path), value=str(volume.dtype))
    if volume.dtype.kind == "f" and not np.isfinite(volume).all():
        raise DataError("the volume holds NaN or infinity", where=str(path), value=int((~np.isfinite(volume)).sum()))
    if voxel_um is not None and not (np.isfinite(voxel_um) and voxel_um > 0):
        raise DataError("the voxel size in the file cannot be", where=str(path), value=voxel_um)
    return volume, voxel_um


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
    raise DataError(f"holds no {what} in a known format", where=str(path), limit=known)


def _members(base: type[_Format]) -> list[_Format]:
    found: dict[str, _Format] = {}
    package = importlib.import_module(_PACKAGE)
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{_PACKAGE}.{info.name}")
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, base) and item is not base:
                found[item.name] = item()
    return [found[name] for name in sorted(found)]
