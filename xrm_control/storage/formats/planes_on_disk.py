"""A volume that stays in its file: what is asked for is read, and never mapped into memory.

A map of a file that is cut short, or whose disk fails, ends the process by a signal at the first look (SIGBUS), without
a word; a read that fails is an error that names the file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError, StorageError
from xrm_control.storage.durable import storage_error

_WHOLE = slice(None)


@dataclass(frozen=True)
class PlanesOnDisk:
    """A volume (z, y, x) of `dtype` from byte `start` of a file of `size` bytes, indexed as an array is: by a number, a
    slice or an array of numbers along z, and by numbers and slices along y and x.

    Each access opens the file anew, so nothing has to be closed, and a copy works in another process. Every access
    raises DataError where the file is not as long as it was, StorageError where it cannot be read.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    start: int
    size: int

    @classmethod
    def of(cls, path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], start: int) -> PlanesOnDisk:
        """Raises DataError for a file that is too short for it, StorageError for one that cannot be looked at."""
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unread(path, error) from error
        if (end := start + math.prod(shape) * dtype.itemsize) > size:
            raise _cut(path, size, end)
        return cls(path, shape, dtype, start, size)

    @classmethod
    def of_tiff(cls, path: Path) -> PlanesOnDisk | None:
        """Of a TIFF; None where its pixels are packed, or do not lie in one piece, or are no volume. Raises what
        tifffile does for a file that is damaged, and as `of`.
        """
        import tifffile

        with tifffile.TiffFile(path) as tif:
            series = tif.series[0]
            if series.dataoffset is None or series.dtype is None or len(series.shape) != 3:
                return None
            depth, rows, columns = series.shape
            # The data type tells of no byte order: the file does.
            dtype = np.dtype(tif.byteorder + series.dtype.char)
            return cls.of(path, (depth, rows, columns), dtype, series.dataoffset)

    @property
    def ndim(self) -> int:
        """Always 3."""
        return 3

    @property
    def nbytes(self) -> int:
        """Of all planes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[z] for z in range(self.shape[0]))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        z, *rest = key if isinstance(key, tuple) else (key,)
        y, x = (*rest, _WHOLE, _WHOLE)[:2]
        whole = all(isinstance(one, slice) and one == _WHOLE for one in rest)
        numbers = np.arange(self.shape[0])[z]
        rows = np.arange(self.shape[1])[y]
        first, end = (int(rows.min()), int(rows.max()) + 1) if np.size(rows) else (0, 0)
        # What is read of a plane: whole rows, from the first to the last that is asked for.
        block = np.empty((end - first, self.shape[2]), self.dtype)
        # Numbers one after the other are a view; picked one by one they would be a copy.
        together = isinstance(y, slice) and y.step in (None, 1)
        cut = (_WHOLE if together else rows - first, x)
        found = np.empty((np.size(numbers), *block[cut].shape), self.dtype)
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._require_whole(descriptor)
                for at, number in enumerate(np.atleast_1d(numbers)):
                    place = self.start + (int(number) * self.shape[1] + first) * self.shape[2] * self.dtype.itemsize
                    if whole:
                        self._fill(descriptor, found[at], place)
                    else:
                        self._fill(descriptor, block, place)
                        found[at] = block[cut]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unread(self.path, error) from error
        return found if np.ndim(numbers) else found[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def min(self) -> Any:
        """Of all voxels; a plane at a time."""
        return min(plane.min() for plane in self)

    def max(self) -> Any:
        """Of all voxels; a plane at a time."""
        return max(plane.max() for plane in self)

    def _require_whole(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        if size != self.size:
            raise _cut(self.path, size, self.size)

    def _fill(self, descriptor: int, pixels: NDArray[Any], place: int) -> None:
        left = pixels.reshape(-1).view(np.uint8).data
        while left:
            count = os.preadv(descriptor, [left], place)
            if not count:
                raise _cut(self.path, place, self.size)
            left, place = left[count:], place + count


AnyVolume: TypeAlias = NDArray[Any] | PlanesOnDisk
"""In memory, or in its file."""


def _unread(path: Path, error: OSError) -> DataError | StorageError:
    if isinstance(error, FileNotFoundError):
        return DataError("the volume's file is gone", where=str(path))
    return storage_error("the volume cannot be read", path, error)


def _cut(path: Path, found: int, expected: int) -> DataError:
    return DataError(
        "the volume's file is not as long as it has to be: it was cut short, or is written anew",
        where=str(path),
        value=f"{found} bytes",
        limit=f"{expected}",
        remedy="`xrm verify` of its run says what is altered, and what makes it anew",
    )
