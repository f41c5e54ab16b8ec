"""Small helpers for the HDF5 formats: opening with clear errors, reading with the path named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.memory import require_memory
from xrm_control.storage.formats.hdf5_parts import refuse_missing_parts
from xrm_control.storage.formats.lazy_frames import LazyFrames


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading. Raises DataError where it cannot be read, also later, while it is in use."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except Exception as error:  # damaged files raise whatever the library does
        what = str(error) or type(error).__name__
        raise DataError(f"cannot be read as HDF5: {what}", where=str(path), remedy="copy it anew") from error


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


def read_array(file: h5py.File, name: str, ndim: int) -> NDArray[Any]:
    """A numeric dataset with `ndim` dimensions. Raises DataError for anything else, and for more than fits."""
    item = _numbers(file, name, ndim)
    require_memory(item.nbytes, f"{file.filename}:/{name.strip('/')}")
    return np.asarray(item[()])


def lazy_frames(file: h5py.File, name: str, chosen: Sequence[int] | None = None) -> LazyFrames:
    """A stack of frames, or those `chosen` of it, left in the file. Raises DataError for anything else."""
    item = _numbers(file, name, 3)
    places = tuple(range(len(item))) if chosen is None else tuple(chosen)
    shape = (len(places), *item.shape[1:])
    return LazyFrames(shape, item.dtype, partial(_read_frames, Path(file.filename), name, places))


def _read_frames(path: Path, name: str, places: Sequence[int], views: Sequence[int], rows: slice) -> NDArray[Any]:
    wanted = [places[view] for view in views]
    with open_hdf5(path) as file:
        item = dataset(file, name)
        out = np.empty((len(wanted), rows.stop - rows.start, item.shape[2]), item.dtype)
        for start, end in _runs(wanted):
            item.read_direct(out, np.s_[wanted[start] : wanted[end - 1] + 1, rows], np.s_[start:end])
    return out


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Index ranges over which numbers rise by one: what can be read in one go."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield start, index
            start = index


def _numbers(file: h5py.File, name: str, ndim: int) -> h5py.Dataset:
    item = dataset(file, name)
    if item.ndim != ndim or item.dtype.kind not in "uif":
        raise DataError(
            f"must be numbers in {ndim} dimensions",
            where=f"{file.filename}:/{name.strip('/')}",
            value=f"{item.dtype} {item.shape}",
        )
    refuse_missing_parts(item)
    return item


@dataclass(frozen=True)
class Fact:
    """Numbers (k,) of a small dataset or an attribute, the unit that the file states ("": none), and the path."""

    values: NDArray[np.float64]
    unit: str
    path: str

    @property
    def value(self) -> float:
        """The only, or the first, of them."""
        return float(self.values[0])


def fact(file: h5py.File, name: str) -> Fact | None:
    """A dataset as numbers; None where there is none, or no finite number above zero."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "uif" or item.ndim > 1 or not item.size:
        return None
    values = np.asarray(item[()], float).reshape(-1)
    if not np.isfinite(values).all() or not (values > 0).any():
        return None
    return Fact(values, unit_of(item), name.strip("/"))


def unit_of(item: h5py.Dataset) -> str:
    """What its attribute `units` (or `unit`) says; "" where there is none."""
    for name in ("units", "unit"):
        if name in item.attrs:
            return text(item.attrs[name]).strip()
    return ""


def text(stored: object) -> str:
    """A stored string, whether bytes, text or an array of one of these."""
    value = np.asarray(stored).reshape(-1)
    first = value[0] if value.size else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def datasets_below(file: h5py.File, group: str) -> Iterator[tuple[str, h5py.Dataset]]:
    """Path and dataset of everything below `group`; links into other files are not followed."""
    found: list[tuple[str, h5py.Dataset]] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((f"{group}/{name}".strip("/"), item))

    top = file.get(group) if group.strip("/") else file
    if isinstance(top, h5py.Group):
        top.visititems(visit)
    yield from found
