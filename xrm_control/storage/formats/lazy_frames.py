"""Frames that stay on the disk until they are asked for, so that a scan need not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

Read = Callable[[Sequence[int], slice], NDArray[Any]]


@dataclass(frozen=True)
class LazyFrames:
    """Frames (n, rows, columns), indexed as an array is: by views, and by a slice of rows after them.

    read: gives some views, by number in any order, over a slice of rows, as (views, rows, columns). Each access opens
    the file anew, so nothing has to be closed, and a pickled copy works in another process if `read` does.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    read: Read

    @property
    def ndim(self) -> int:
        """Always 3."""
        return 3

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        views, *rest = key if isinstance(key, tuple) else (key,)
        numbers = np.arange(self.shape[0])[views]
        # A slice of rows is all that is read; whatever else is asked for is taken from that.
        rows = slice(None)
        if rest and isinstance(rest[0], slice) and rest[0].step in (None, 1):
            rows, rest = rest[0], [slice(None), *rest[1:]]
        first, end, _ = rows.indices(self.shape[1])
        wanted = (np.size(numbers), max(0, end - first), self.shape[2])
        found = self.read(np.atleast_1d(numbers).tolist(), slice(first, max(first, end)))
        if found.shape != wanted:
            raise DataError("the frames are not those that the file announced", value=found.shape, limit=wanted)
        return found[(0 if np.ndim(numbers) == 0 else slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype)
