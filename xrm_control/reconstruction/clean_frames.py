"""Frames as they would be without stray light, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.references import bad_pixels, robust_mean
from xrm_control.reconstruction.scan import Frames, ScanData
from xrm_control.reconstruction.stray_light import StrayLight, measured

_AT_A_TIME = 32
NOT_TAKEN_OFF = "stray light was not taken off"
"""How the note begins where frames behind the blade tell nothing."""


def cleaned(scan: ScanData, behind: NDArray[Any]) -> ScanData:
    """The scan without the stray light that frames behind the blade (b, rows, columns) show; flats as well.

    Where they tell none the scan is as it was, and a note says why.
    """
    if not len(behind):
        return scan
    darks = np.asarray(scan.darks, np.float32)
    dark = robust_mean(darks) if len(darks) else np.zeros(scan.projections.shape[1:], np.float32)
    bad = bad_pixels(dark if len(darks) else None, np.asarray(scan.flats, np.float32).mean(axis=0) - dark)
    try:
        stray = measured(behind, scan.flats, scan.darks, bad)
    except DataError as error:
        return replace(scan, origins=scan.origins.noting(f"{NOT_TAKEN_OFF}: {error}"))
    dtype = np.dtype(scan.projections.dtype)
    full = float(np.iinfo(dtype).max) if dtype.kind == "u" else None
    again = scan.repeated
    return replace(
        scan,
        projections=CleanFrames(scan.projections, dark, stray, full),
        flats=CleanFrames(scan.flats, dark, stray, full)[:],
        repeated=again and replace(again, frames=CleanFrames(again.frames, dark, stray, full)[:]),
        full_counts=full,
        stray=stray,
    )


@dataclass(frozen=True)
class CleanFrames:
    """Frames (n, rows, columns) as they would be without stray light, made when they are asked for, indexed as frames
    are. Pixels at `full` counts stay as they are.
    """

    frames: Frames
    dark: NDArray[np.float32]
    stray: StrayLight
    full: float | None

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, rows, columns)."""
        return tuple(self.frames.shape)

    @property
    def dtype(self) -> np.dtype:
        """Always float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key: Any) -> Any:
        views, *rest = key if isinstance(key, tuple) else (key,)
        # Light comes from all over the frame, so it is read whole.
        numbers, rows = np.arange(len(self))[views], slice(None)
        if rest and isinstance(rest[0], slice):
            rows, rest = rest[0], [slice(None), *rest[1:]]
        found = np.concatenate([*self._parts(np.atleast_1d(numbers), rows)])
        return found[(0 if np.ndim(numbers) == 0 else slice(None), *rest)]

    def _parts(self, numbers: NDArray[np.int64], rows: slice) -> Iterator[NDArray[np.float32]]:
        for first, end in pairwise((*range(0, len(numbers), _AT_A_TIME), len(numbers))):
            seen = np.asarray(self.frames[numbers[first:end]])
            clean = self.stray.taken_off(np.asarray(seen, np.float32) - self.dark, rows) + self.dark[rows]
            if self.full is not None:
                clean[seen[:, rows] >= self.full] = self.full
            yield clean
        if not len(numbers):
            yield np.empty((0, *self.dark[rows].shape), np.float32)
