"""NumPy .npy volumes, without voxel size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
            _refuse_more(path, announced)
            require_memory(announced.nbytes, str(path))
            values = np.load(path, allow_pickle=False)
        except DataError:
            raise
        except Exception as error:  # damaged headers raise whatever the parser of Python's literals does
            raise DataError(f"cannot be read as a NumPy array: {error}", where=str(path)) from error
        return VolumeFile.of_cubes(values, told_voxel(told_um))


def _refuse_more(path: Path, announced: NDArray[Any]) -> None:
    """Raise DataError for a file that is longer than its header says: something was put in, and all is shifted."""
    offset = getattr(announced, "offset", None)
    if offset is not None and path.stat().st_size > offset + announced.nbytes:
        raise DataError(
            "the file is longer than its header says: it is damaged, or holds more than one array",
            where=str(path),
            value=f"{path.stat().st_size} bytes",
            limit=f"{offset + announced.nbytes}",
            remedy="save the volume anew, alone in its file",
        )
