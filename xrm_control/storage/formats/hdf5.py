"""Small helpers for the HDF5 formats: opening with clear errors, reading with the path named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading. Raises DataError where it cannot be read, also later, while it is in use."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise DataError(f"cannot be read as HDF5: {error}", where=str(path)) from error


def has_paths(path: Path, *wanted: str) -> bool:
    """Whether the file is HDF5 and holds all these paths."""
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return all(one in file for one in wanted)


def dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """The dataset called `name`. Raises DataError where there is none."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset):
        raise DataError("the dataset is missing", where=f"{file.filename}:/{name.strip('/')}")
    return item


def read_array(file: h5py.File, name: str, ndim: int) -> NDArray:
    """A numeric dataset with `ndim` dimensions. Raises DataError for anything else."""
    item = dataset(file, name)
    if item.ndim != ndim or item.dtype.kind not in "uif":
        raise DataError(
            f"must be numbers in {ndim} dimensions",
            where=f"{file.filename}:/{name.strip('/')}",
            value=f"{item.dtype} {item.shape}",
        )
    return np.asarray(item[()])


def scalar_in(file: h5py.File, name: str, units: dict[str, float]) -> float | None:
    """A positive scalar times the factor of its `units` attribute; None where it is absent, not finite or zero."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "uif" or item.size != 1:
        return None
    unit = item.attrs.get("units", "")
    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
    value = float(np.asarray(item[()]).reshape(-1)[0]) * units.get(unit.strip().lower(), units.get("", 1.0))
    return value if np.isfinite(value) and value > 0 else None
