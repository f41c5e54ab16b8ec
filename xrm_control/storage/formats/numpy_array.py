"""NumPy .npy volumes, without voxel size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xrm_control.core.errors import DataError
from xrm_control.core.memory import require_memory
from xrm_control.storage.formats.scan_file import VolumeFile, VolumeFormat, told_voxel


class NumpyArray(VolumeFormat):
    """Reads .npy, never pickled objects."""

    name = "NumPy"
    suffixes = (".npy",)

    def recognises(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(6) == b"\x93NUMPY"

    def read(self, path: Path, told_um: float | None) -> VolumeFile:
        try:
            # The header first: what it announces may be neither in the file nor fit into memory.
            announced = np.load(path, mmap_mode="r", allow_pickle=False)
            require_memory(announced.nbytes, str(path))
            values = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"cannot be read as a NumPy array: {error}", where=str(path)) from error
        return VolumeFile.of_cubes(values, told_voxel(told_um))
