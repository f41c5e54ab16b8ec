"""Whether what is to be written can be, asked before the work and not after it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from xrm_control.core.errors import DataError
from xrm_control.storage.durable import of_the_disk, storage_error

_OF_AN_ANALYSIS = ("particles.csv", "voids.csv", "columns.json", "results.json", "quality.json")


def require_new_file(path: Path, *, replace: bool) -> None:
    """Raise DataError unless a file can be written at `path`; one that is there only with `replace`."""
    if path.is_dir():
        raise DataError("is a folder; the name of a file is needed", where=f"--out, {path}")
    if path.exists() and not replace:
        raise DataError(
            "the file exists already and is not overwritten",
            where=str(path),
            remedy="choose another name, or say --replace",
        )
    if not path.absolute().parent.is_dir():
        raise DataError(
            "there is no such folder to write into",
            where=f"--out, {path}",
            value=str(path.parent),
            remedy="make the folder, or check the path",
        )
    _require_writable(path.absolute().parent, path)


def require_results_folder(folder: Path, *, replace: bool) -> None:
    """Raise DataError unless results can be written into `folder`, which may be missing; onto others only with
    `replace`.
    """
    found = [name for name in _OF_AN_ANALYSIS if (folder / name).exists()]
    if found and not replace:
        raise DataError(
            "the folder holds results already, and they are not overwritten",
            where=str(folder),
            value=", ".join(found),
            remedy="choose another folder, or say --replace",
        )
    require_folder(folder)


def require_folder(folder: Path) -> None:
    """Raise DataError unless `folder` can be written into, or made."""
    if folder.exists() and not folder.is_dir():
        raise DataError("is a file; results need a folder", where=f"--out, {folder}", remedy="name another folder")
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise DataError("is a file, and no folder can be made in it", where=f"--out, {place}")
    _require_writable(place, folder)


def _require_writable(folder: Path, wanted: Path) -> None:
    """Raise DataError where somebody may not write there, StorageError where the disk refuses it to everybody."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if of_the_disk(error):
            raise storage_error("nothing can be written there", folder, error) from error
        raise DataError(
            f"nothing can be written into that folder: {error.strerror or error}",
            where=f"--out, {wanted}",
            value=str(folder),
            remedy="choose another folder, or have its permissions changed",
        ) from error


def refuse_existing(targets: Sequence[Path]) -> None:
    """Raises DataError where one of these files is there; the first three are named."""
    there = [str(target) for target in targets if target.exists()]
    if there:
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""
        raise DataError(
            "is there already and is not overwritten",
            where=", ".join(there[:3]) + more,
            remedy="choose another folder, or say --replace",
        )
