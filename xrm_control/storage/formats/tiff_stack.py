"""A folder of TIFF slices, one file a slice, in the order of the numbers in their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.durable import make_folder, part_path, publish_folder, storage_error
from xrm_control.storage.formats.scan_file import VolumeFormat


class TiffStack(VolumeFormat):
    """Reads a folder of slices; such a stack does not tell its voxel size."""

    name = "TIFF stack"
    suffixes = ()

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and bool(_slices(path))

    def read(self, path: Path) -> tuple[NDArray[Any], float | None]:
        files = _slices(path)
        images: list[NDArray[Any]] = []
        for file in files:
            try:
                image = tifffile.imread(file)
            except (tifffile.TiffFileError, OSError, ValueError) as error:
                raise DataError(f"cannot be read as TIFF: {error}", where=str(file)) from error
            if image.ndim != 2 or (images and image.shape != images[0].shape):
                raise DataError("slices must be pictures of one shape", where=str(file), value=image.shape)
            images.append(image)
        return np.stack(images), None


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
    files = [one for one in folder.iterdir() if one.is_file() and one.suffix.lower() in (".tif", ".tiff")]
    return sorted(files, key=lambda one: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", one.name)])
