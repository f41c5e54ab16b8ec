"""An exported file is whole, verified and durable, or it is not there."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from xrm_control.core.errors import StorageError
from xrm_control.exports.exporter import Exporter
from xrm_control.exports.region_scan import RegionScan
from xrm_control.storage.durable import PART_SUFFIX, publish_file, require_free, sha256_file, storage_error

# Besides the images: angles, times and names of frames, a few hundred bytes a frame.
_BYTES_A_FRAME, _BYTES_A_FILE = 512, 1_000_000


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written and read back; counts of frames in it, and what its reader must know."""

    roi: str
    kind: str
    path: Path
    bytes: int
    sha256: str
    projections: int
    flats: int
    darks: int
    notes: tuple[str, ...] = ()


def write_export(exporter: Exporter, kind: str, scan: RegionScan, path: Path, *, replace: bool = False) -> ExportedFile:
    """Write under a temporary name, read back, compare with the run, rename; `path` is in a folder that is there.

    Raises StorageError where it cannot be written, and for a file that is there already unless `replace`; DataError
    for frames that are damaged, and for what reads back otherwise than it was written. Then nothing is left behind.
    """
    if path.exists() and not replace:
        raise StorageError(
            "exists already and is not overwritten", where=str(path), remedy="choose another --out, or say --replace"
        )
    frames = sum(map(len, scan.stacks))
    need = scan.frame_bytes + frames * _BYTES_A_FRAME + _BYTES_A_FILE
    require_free(path, need)
    # The suffix stays the last, for readers that look at it.
    part = path.with_name(f"{path.stem}.{os.getpid()}{PART_SUFFIX}{path.suffix}")
    try:
        part.unlink(missing_ok=True)
        exporter.write(scan, part)
        exporter.verify(scan, part)
        bytes_, sha256 = part.stat().st_size, sha256_file(part)
        publish_file(part, path, replace=replace)
    except OSError as error:
        _drop(part)
        if isinstance(error, StorageError):
            raise
        raise storage_error("the export cannot be written", path, error, need) from error
    except BaseException:
        _drop(part)
        raise
    return ExportedFile(scan.roi, kind, path, bytes_, sha256, *map(len, scan.stacks), notes=scan.notes)


def _drop(part: Path) -> None:
    """A disk that refused to write may refuse this too; what is left says by its name that it is no export."""
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)
