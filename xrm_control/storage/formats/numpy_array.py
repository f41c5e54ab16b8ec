"""NumPy .npy volumes, without voxel size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.scan_file import VolumeFormat


class NumpyArray(VolumeFormat):
    """Reads .npy, never pickled objects."""

    name = "NumPy"
    suffixes = (".npy",)

    def recognises(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(6) == b"\x93NUMPY"

    def read(self, path: Path) -> tuple[NDArray[Any], float | None]:
        try:
            return np.load(path, allow_pickle=False), None
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read as a NumPy array: {error}", where=str(path)) from error
