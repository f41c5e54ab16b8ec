"""Where a scan comes from: the frames of a run, or a file of another instrument."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from xrm_control.core.errors import DataError
from xrm_control.core.states import FrameKind
from xrm_control.processing.volumes import identity_of
from xrm_control.reconstruction.clean_frames import cleaned
from xrm_control.reconstruction.intensities import NOTHING_LEFT_OUT, LeftOut
from xrm_control.reconstruction.scan import RepeatedViews, ScanData
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.formats.registry import read_scan
from xrm_control.storage.formats.scan_file import NOTHING_TOLD, ScanOptions
from xrm_control.storage.frames import VerifiedFile
from xrm_control.storage.records import PlannedFrame, StoredFrame
from xrm_control.storage.verified_frames import VerifiedFrames

# Views of a small scan are looked at several times, and read once.
_AT_ONCE_BYTES = 2**26
FRAMES = (FrameKind.PROJECTION, FrameKind.FLAT, FrameKind.DARK)


@dataclass(frozen=True)
class FileScan:
    """A scan in a file of any known format, completed with what the user knows."""

    path: Path
    told: ScanOptions = NOTHING_TOLD
    normalised: bool = False
    left_out: LeftOut = NOTHING_LEFT_OUT

    def identity(self) -> str:
        """See `ScanSource.identity`: the files as they stand there, not their content, which may be very large."""
        files = [one for one in (self.path, self.told.references, self.told.angles) if one is not None]
        facts = [(one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in files]
        return identity_of(facts, self.told, self.normalised, self.left_out)

    def proven(self) -> FileScan:
        """See `ScanSource.proven`: a file has no hashes to be held against."""
        return self

    def load(self) -> ScanData:
        """Raises DataError for what is no scan, or lacks pixel size or references."""
        recorded = read_scan(self.path, self.told)
        return self.left_out.of(ScanData.of(recorded, assume_normalised=self.normalised))


@dataclass(frozen=True)
class RunScan:
    """The kept frames of one scan of a run. seen: how those lie whose content was held against the journal before."""

    run: Path
    roi: str
    pixel_size_um: float
    frames: Sequence[tuple[PlannedFrame, StoredFrame]]
    seen: Mapping[str, VerifiedFile] | None = None

    def identity(self) -> str:
        """See `ScanSource.identity`."""
        return identity_of([frame.sha256 for _, frame in self.frames], self.pixel_size_um)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the projections. Raises DataError where there is none."""
        views = self.of(FrameKind.PROJECTION)
        return (len(views), *views[0].shape)

    def load(self) -> ScanData:
        """Projections sorted by measured angle, left on the disk if they are many; a frame's hash is verified when
        the frame is first read.

        What frames behind a blade show of stray light is taken off all others.
        """
        projections, references, darks = (self.of(kind) for kind in FRAMES)
        behind = self.stored(FrameKind.BLOCKER)
        views = sorted(projections, key=lambda frame: frame.exposure.actual.theta_deg)
        shape, dtype = (len(views), *views[0].shape), np.dtype(views[0].dtype)
        files = VerifiedFrames(self.run, self.seen)
        lazy = LazyFrames(shape, dtype, partial(files.read, views))
        scan = ScanData(
            projections=lazy[:] if math.prod(shape) * dtype.itemsize <= _AT_ONCE_BYTES else lazy,
            theta_deg=np.array([frame.exposure.actual.theta_deg for frame in views]),
            time_s=np.array([middle_s(frame) for frame in views]),
            flats=files.read(references),
            flat_time_s=np.array([middle_s(frame) for frame in references]),
            darks=files.read(darks),
            pixel_size_um=self.pixel_size_um,
            repeated=self._repeated(files),
        )
        if not behind or behind[0].shape != views[0].shape:
            return scan
        return cleaned(scan, files.read(behind))

    def proven(self) -> RunScan:
        """See `ScanSource.proven`. Raises DataError for a frame that is gone or damaged."""
        files = VerifiedFrames(self.run, self.seen)
        files.look_through([frame for _, frame in self.frames])
        return replace(self, seen=files.seen)

    def _repeated(self, files: VerifiedFrames) -> RepeatedViews | None:
        if all(plan.kind is not FrameKind.REPEAT for plan, _ in self.frames):
            return None
        again = self.of(FrameKind.REPEAT)
        return RepeatedViews(
            frames=files.read(again),
            theta_deg=np.array([frame.exposure.actual.theta_deg for frame in again]),
            time_s=np.array([middle_s(frame) for frame in again]),
        )

    def stored(self, kind: FrameKind) -> list[StoredFrame]:
        """Frames of a kind, in the order in which they were taken."""
        found = [frame for plan, frame in self.frames if plan.kind == kind]
        return sorted(found, key=lambda frame: frame.exposure.t_start_s)

    def of(self, kind: FrameKind) -> list[StoredFrame]:
        """Frames of a kind, in the order in which they were taken. DataError for none, or one of another shape."""
        stored = self.stored(kind)
        if not stored:
            raise DataError(f"the scan has no {kind}", where=f"{self.run.name}, {self.roi}")
        odd = next(
            (frame for frame in stored if (frame.shape, frame.dtype) != (stored[0].shape, stored[0].dtype)), None
        )
        if odd is not None:
            raise DataError("the frame does not fit the others of its scan", where=odd.frame_id, value=odd.shape)
        return stored


def middle_s(frame: StoredFrame) -> float:
    """Middle of its exposure in s of instrument time."""
    return (frame.exposure.t_start_s + frame.exposure.t_end_s) / 2
