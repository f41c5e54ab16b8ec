"""Parts of an HDF5 dataset that are not there: HDF5 itself reads them as zeros, without a word.

Virtual datasets whose source files are gone, external raw files cut short, and chunks that were never written.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py

from xrm_control.core.errors import DataError

_DEEP = 4  # virtual datasets of virtual datasets


def refuse_missing_parts(item: h5py.Dataset, depth: int = 0) -> None:
    """Raise DataError, naming the part, unless all of the dataset is on the disk."""
    where = f"{item.file.filename}:{item.name}"
    if not item.size:
        return
    _refuse_unknown_filters(item, where)
    if item.is_virtual:
        _refuse_virtual(item, where, depth)
    elif item.external:
        _refuse_external(item, where)
    elif item.chunks is not None:
        _refuse_unwritten(item, item.chunks, where)
    elif item.id.get_storage_size() == 0:
        raise _missing(where, "it was never written")


def _refuse_unknown_filters(item: h5py.Dataset, where: str) -> None:
    """HDF5 itself speaks of a folder of plugins."""
    made = item.id.get_create_plist()
    for number in range(made.get_nfilters()):
        code, _, _, name = made.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            raise DataError(
                "the data are compressed in a way that this installation cannot undo",
                where=where,
                value=f"HDF5 filter {code}" + (f", {name.decode(errors='replace')}" if name else ""),
                remedy="rewrite the file with `h5repack -f GZIP=1`, where the filter is installed",
            )


def _missing(where: str, what: str) -> DataError:
    return DataError(
        f"a part of the data is not there, and would be read as zeros: {what}",
        where=where,
        remedy="put the missing file back where it was, or copy the scan anew",
    )


def _refuse_virtual(item: h5py.Dataset, where: str, depth: int) -> None:
    covered = 0
    for source in item.virtual_sources():
        if "%b" in source.file_name:
            return  # as many files as there are: the dataset ends with the last of them
        name = source.file_name
        path = Path(item.file.filename) if name == "." else _found(item, name)
        if path is None or not h5py.is_hdf5(path):
            raise _missing(where, f"the file {name} is {'missing' if path is None else 'no HDF5'}")
        with h5py.File(path, "r") as file:
            part = file.get(source.dset_name)
            if not isinstance(part, h5py.Dataset):
                raise _missing(where, f"{name} has no {source.dset_name}")
            if _too_small(part, source):
                raise _missing(where, f"{name}:{source.dset_name} has the shape {part.shape} and is too small")
            if depth < _DEEP:
                refuse_missing_parts(part, depth + 1)
        covered += source.vspace.get_select_npoints()
    if covered < int(item.size or 0):
        raise _missing(where, f"only {covered} of {item.size} values have a source")


def _too_small(part: h5py.Dataset, source: Any) -> bool:
    if source.vspace.get_select_npoints() > (part.size or 0):
        return True
    try:
        last = source.src_space.get_select_bounds()[1]
    except (ValueError, RuntimeError):
        return False  # all of the source is meant
    return len(last) != part.ndim or any(end >= size for end, size in zip(last, part.shape, strict=True))


def _refuse_external(item: h5py.Dataset, where: str) -> None:
    left = item.nbytes
    for name, offset, size in item.external or ():
        path = _found(item, name)
        need = min(size, left)
        left -= need
        if path is None or path.stat().st_size < offset + need:
            have = "missing" if path is None else f"{path.stat().st_size} bytes long instead of {offset + need}"
            raise _missing(where, f"the file {name} is {have}")
    if left > 0:
        raise _missing(where, f"{left} bytes have no file")


def _refuse_unwritten(item: h5py.Dataset, chunks: tuple[int, ...], where: str) -> None:
    wanted = math.prod(-(-size // chunk) for size, chunk in zip(item.shape, chunks, strict=True))
    if item.id.get_num_chunks() >= wanted:
        return
    per_step = wanted // -(-item.shape[0] // chunks[0])
    written: dict[int, int] = {}
    for number in range(item.id.get_num_chunks()):
        first = item.id.get_chunk_info(number).chunk_offset[0]
        written[first] = written.get(first, 0) + 1
    gaps = [first for first in range(0, item.shape[0], chunks[0]) if written.get(first, 0) < per_step]
    shown = ", ".join(map(str, gaps[:8])) + (", ..." if len(gaps) > 8 else "")
    raise _missing(
        where, f"never written from index {shown} on, {wanted - item.id.get_num_chunks()} of {wanted} chunks"
    )


def _found(item: h5py.Dataset, name: str) -> Path | None:
    """Beside the file that names it, or from the current folder, as HDF5 looks."""
    places = (Path(item.file.filename).absolute().parent / name, Path(name))
    return next((place for place in places if place.is_file()), None)
