"""A folder of TIFF slices, one file a slice, in the order of the numbers in their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.memory import require_memory
from xrm_control.storage.durable import make_folder, part_path, publish_folder, storage_error
from xrm_control.storage.formats.scan_file import VolumeFile, VolumeFormat, told_voxel
from xrm_control.storage.formats.tiff_pages import SUFFIXES, in_order, read_picture, refuse_gaps


class TiffStack(VolumeFormat):
    """Reads a folder of slices; such a stack does not tell its voxel size."""

    name = "TIFF stack"
    suffixes = ()

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and bool(_slices(path))

    def read(self, path: Path, told_um: float | None) -> VolumeFile:
        files = _slices(path)
        refuse_gaps(files, "slices")
        first = read_picture(files[0])
        require_memory(len(files) * first.nbytes, str(path))
        volume = np.empty((len(files), *first.shape), first.dtype)
        for target, file in zip(volume, files, strict=True):
            image = read_picture(file)
            if (image.shape, image.dtype) != (first.shape, first.dtype):
                raise DataError(
                    "slices must be pictures of one shape and type",
                    where=str(file),
                    value=f"{image.shape} {image.dtype}",
                    limit=f"{first.shape} {first.dtype}, as {files[0].name}",
                )
            target[...] = image
        return VolumeFile.of_cubes(volume, told_voxel(told_um))


def write_tiff_stack(folder: Path, volume: NDArray[Any]) -> Path:
    """Write [z, y, x] as folder/slice_0000.tif ...; the folder appears when all slices are on the disk.

    Raises DataError for an array that is no volume, StorageError where the disk fails or the folder exists.
    """
    if volume.ndim != 3 or 0 in volume.shape:
        raise DataError("a volume has three dimensions", where=str(folder), value=f"shape {volume.shape}")
    part = make_folder(part_path(folder))
    for number, image in enumerate(volume):
        file = part / f"slice_{number:04d}.tif"
        try:
            tifffile.imwrite(file, image, photometric="minisblack")
        except OSError as error:
            raise storage_error("a slice cannot be written", file, error, image.nbytes) from error
    return publish_folder(part, folder)


def _slices(folder: Path) -> list[Path]:
    return in_order([one for one in folder.iterdir() if one.is_file() and one.suffix.lower() in SUFFIXES])
