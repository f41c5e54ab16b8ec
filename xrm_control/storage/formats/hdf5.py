"""Small helpers for the HDF5 formats: opening with clear errors, reading with the path named."""

from __future__ import annotations

import re
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
from xrm_control.core.numbers import PLAIN
from xrm_control.storage.formats.hdf5_parts import refuse_missing_parts
from xrm_control.storage.formats.lazy_frames import LazyFrames

_NUMBER = re.compile(rf"\s*([+-]?{PLAIN}(?:[eE][+-]?[0-9]+)?)\s*(\D*)")
_FACTORS = ("scale_factor", "scaling_factor", "slope", "rescaleslope", "scale")
_OFFSETS = ("add_offset", "offset", "intercept", "rescaleintercept")


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
        raise DataError(_lost(file, name), where=f"{file.filename}:/{name.strip('/')}")
    return item


def _lost(file: h5py.File, name: str) -> str:
    """Why there is no dataset of that name; a link may lead nowhere."""
    parts = name.strip("/").split("/")
    for end in range(1, len(parts) + 1):
        link = file.get("/".join(parts[:end]), getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return f"is a link to {link.path} in the file {link.filename}, and that is not there"
        if isinstance(link, h5py.SoftLink):
            return f"is a link to {link.path}, and that is not there"
        if link is None:
            break
    return "the dataset is missing"


def stacks_in(path: Path, most: int = 3) -> str:
    """What an HDF5 file holds of three dimensions, in words; "" for other files and where there is nothing."""
    if not path.is_file() or not h5py.is_hdf5(path):
        return ""
    with open_hdf5(path) as file:
        found = [f"/{name} {item.shape}" for name, item in datasets_below(file, "/") if item.ndim >= 3]
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def read_array(file: h5py.File, name: str, ndim: int) -> NDArray[Any]:
    """A numeric dataset with `ndim` dimensions, those of one element aside. Raises DataError for anything else, and for
    more than fits.
    """
    item = _numbers(file, name, ndim)
    require_memory(item.nbytes, f"{file.filename}:/{name.strip('/')}")
    values = np.asarray(item[()])
    return values.reshape(_shape_of(item.shape, ndim) or values.shape)


def lazy_frames(file: h5py.File, name: str, chosen: Sequence[int] | None = None) -> LazyFrames:
    """A stack of frames, or those `chosen` of it, left in the file. Raises DataError for anything else."""
    item = _numbers(file, name, 3)
    if item.ndim != 3:
        raise _no_numbers(file, name, item, 3)
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
    if _shape_of(item.shape, ndim) is None or item.dtype.kind not in "uif":
        raise _no_numbers(file, name, item, ndim)
    refuse_missing_parts(item)
    return item


def _shape_of(shape: tuple[int, ...], ndim: int) -> tuple[int, ...] | None:
    """A shape in so many dimensions: as it is, without dimensions of one, or one frame as a stack; None: it is none."""
    if len(shape) == ndim:
        return shape
    if ndim == 3 and len(shape) == 2:
        return (1, *shape)
    bare = tuple(size for size in shape if size != 1)
    return bare if ndim == 1 and len(bare) == 1 else None


def _no_numbers(file: h5py.File, name: str, item: h5py.Dataset, ndim: int) -> DataError:
    return DataError(
        f"must be numbers in {ndim} dimensions",
        where=f"{file.filename}:/{name.strip('/')}",
        value=f"{item.dtype} {item.shape}",
        limit="(views, rows, columns)" if ndim == 3 else "one after the other",
        remedy="write the file anew so",
    )


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
    """A dataset as numbers, or a text that is one ("0.5 um"); None where there is none, or no finite number above 0."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or not item.size or (item.ndim > 1 and item.size > 1):
        return None
    unit = unit_of(item)
    if item.dtype.kind in "uif":
        values = np.asarray(item[()], float).reshape(-1)
    else:
        said = _NUMBER.fullmatch(text(item[()])) if item.size == 1 else None
        if said is None:
            return None
        values, unit = np.array([float(said[1])]), said[2].strip() or unit
    if not np.isfinite(values).all() or not (values > 0).any():
        return None
    return Fact(values, unit, name.strip("/"))


def deciding_fact(file: h5py.File, name: str, remedy: str) -> Fact | None:
    """As `fact`, of what decides a scale: None where nothing is there, or zero, which stands for nothing.

    Raises DataError for what is there and no number above zero: passed over, something else would decide.
    """
    found = fact(file, name)
    item = file.get(name)
    if found is not None or not isinstance(item, h5py.Dataset) or not item.size:
        return found
    if item.dtype.kind in "uif" and not np.any(item[()]):
        return None
    shown = text(item[()]) if item.size == 1 else f"{item.dtype} {item.shape}"
    raise DataError(
        "decides the scale, and is no number above zero",
        where=f"{file.filename}:/{name.strip('/')}",
        value=repr(shown[:60]),
        remedy=remedy,
    )


def unit_of(item: h5py.Dataset) -> str:
    """What its attribute `units` (or `unit`) says, in whatever case; "" where there is none."""
    names = {str(name).lower(): str(name) for name in item.attrs}
    for name in ("units", "unit"):
        if name in names:
            return text(item.attrs[names[name]]).strip()
    return ""


def stored_scale(file: h5py.File, name: str) -> tuple[float, float]:
    """Factor and offset that a dataset's attributes tell to apply to its numbers; (1, 0) where they tell none."""
    item = file.get(name)
    found = [1.0, 0.0]
    if isinstance(item, h5py.Dataset):
        for key, stored in item.attrs.items():
            value = np.asarray(stored)
            for place, words in enumerate((_FACTORS, _OFFSETS)):
                if str(key).lower() in words and value.dtype.kind in "uif" and value.size == 1:
                    found[place] = float(value.reshape(-1)[0])
    return found[0], found[1]


def refuse_mixed_scales(file: h5py.File, names: Sequence[str]) -> None:
    """Raise DataError where datasets that are to be compared tell of different factors and offsets of their numbers."""
    scales = {name: stored_scale(file, name) for name in names if name in file}
    if len(set(scales.values())) > 1:
        odd = next(name for name, scale in scales.items() if scale != (1.0, 0.0))
        raise DataError(
            "the numbers are stored with a factor or an offset that those of the other frames have not",
            where=f"{file.filename}:/{odd}",
            value="; ".join(f"{name.rpartition('/')[2]}: x {a:g} + {b:g}" for name, (a, b) in scales.items()),
            remedy="write all frames as plain counts",
        )


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
