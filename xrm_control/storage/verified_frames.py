"""Images of many frames of a run, each held against the journal once and then read by the row."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.cpus import cpus
from xrm_control.storage.frames import VerifiedFile, read_verified, stamp_of
from xrm_control.storage.records import StoredFrame


class VerifiedFrames:
    """A frame's whole content is held against its hash when it is first asked for. After that the rows that are wanted
    are all that is read of it, as long as its file lies there as it did.

    A volume made in parts asks for a few rows of every view, part by part: each part would hash the whole scan.
    seen: what another one has held against the journal before.
    """

    def __init__(self, run: Path, seen: Mapping[str, VerifiedFile] | None = None) -> None:
        self._run = run
        self._seen = dict(seen or {})

    @property
    def seen(self) -> dict[str, VerifiedFile]:
        """By path within the run, of what was held against the journal."""
        return dict(self._seen)

    def read(
        self, frames: Sequence[StoredFrame], views: Sequence[int] | None = None, rows: slice = slice(None)
    ) -> NDArray[Any]:
        """Images (n, rows, columns) of frames of one shape, or of some of them.

        Raises DataError for a frame that is gone or is not what was committed, StorageError where it cannot be read.
        """
        chosen = frames if views is None else [frames[view] for view in views]
        first, end, _ = rows.indices(frames[0].shape[0])
        out = np.empty((len(chosen), end - first, frames[0].shape[1]), frames[0].dtype)
        for target, frame in zip(out, chosen, strict=True):
            if not self._rows(frame, first, target):
                image, self._seen[frame.path] = read_verified(self._run / frame.path, frame)
                target[...] = image[first:end]
        return out

    def look_through(self, frames: Sequence[StoredFrame]) -> None:
        """Hold all against the journal, by as many threads as there are CPUs. Raises as `read`."""
        with ThreadPoolExecutor(cpus()) as threads:
            for frame, known in zip(frames, threads.map(self._verified, frames), strict=True):
                self._seen[frame.path] = known

    def _verified(self, frame: StoredFrame) -> VerifiedFile:
        return read_verified(self._run / frame.path, frame)[1]

    def _rows(self, frame: StoredFrame, first: int, out: NDArray[Any]) -> bool:
        """Read some rows into `out`; whether the file lies there as when it was held against the journal."""
        known = self._seen.get(frame.path)
        if known is None or known.offset is None:
            return False
        try:
            with (self._run / frame.path).open("rb", buffering=0) as file:
                at = known.offset + first * frame.shape[1] * out.itemsize
                return stamp_of(file) == known.stamp and os.preadv(file.fileno(), [out.data], at) == out.nbytes
        except OSError:
            # Told in full by who reads the whole.
            return False
