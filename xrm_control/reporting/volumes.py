"""Volumes on disk as arrays that are read slice by slice, with their voxel size."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from xrm_control.core.errors import DataError, StorageError
from xrm_control.storage.formats.planes_on_disk import AnyVolume, PlanesOnDisk

IN_MEMORY_LIMIT_BYTES = 1 << 30
DAMAGE = (OSError, ValueError, IndexError, KeyError, struct.error, zlib.error, tifffile.TiffFileError)
"""What tifffile raises on files that are cut, foreign or scrambled."""
_MICROMETRES = {"µm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3}


@dataclass(frozen=True)
class Stack:
    """A volume (z, y, x), left in its file where that allows it, and its voxel size (None where it is not stated)."""

    data: AnyVolume
    voxel_size_um: float | None

    @property
    def file(self) -> str | None:
        """Where it is left; None where it is in memory."""
        return str(self.data.path) if isinstance(self.data, PlanesOnDisk) else None


def open_stack(path: Path) -> Stack:
    """Open a 3-D TIFF for reading. Raises DataError when it is damaged, not 3-D, or packed and beyond 1 GiB,
    StorageError where the disk fails.
    """
    if path.exists() and not path.is_file():
        raise DataError("is no regular file", where=path.name)
    try:
        with tifffile.TiffFile(path) as tif:
            shape = tuple(size for size in tif.series[0].shape)
            size_bytes = int(np.prod(shape)) * tif.series[0].dtype.itemsize  # type: ignore[union-attr]
            voxel = _voxel_size_um(tif.ome_metadata)
        if len(shape) != 3 or 0 in shape:
            raise DataError("not a volume in Z, Y, X", where=path.name, value=shape)
        if (found := PlanesOnDisk.of_tiff(path)) is not None:
            return Stack(found, voxel)
        if size_bytes > IN_MEMORY_LIMIT_BYTES:
            raise DataError(
                "packed, and too large to unpack for a picture",
                where=path.name,
                value=size_bytes,
                limit=IN_MEMORY_LIMIT_BYTES,
            )
        return Stack(tifffile.imread(path), voxel)
    except (DataError, StorageError):
        raise
    except DAMAGE as error:
        raise DataError(f"not a readable volume ({error})", where=path.name) from error


def _voxel_size_um(ome_xml: str | None) -> float | None:
    if not ome_xml:
        return None
    size = re.search(r'\bPhysicalSizeX="([^"]+)"', ome_xml)
    unit = re.search(r'\bPhysicalSizeXUnit="([^"]+)"', ome_xml)
    scale = _MICROMETRES.get(unit.group(1) if unit else "µm")
    try:
        return float(size.group(1)) * scale if size and scale else None
    except ValueError:
        return None
