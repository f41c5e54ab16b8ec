"""A volume's TIFF whose planes come in any order, also from several processes: each has its place from the start."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.durable import fsync_path, part_path, publish_file, storage_error
from xrm_control.storage.formats.planes_on_disk import AnyVolume

_UNKNOWN = str(uuid.UUID(int=0))
_NO_LINKS = frozenset({errno.EXDEV, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


def begin_planes(
    file: BinaryIO, shape: Sequence[int], dtype: np.dtype, voxel_size_um: float, name: str, description: str
) -> int:
    """Write all but the pixels of a volume [z, y, x], with room for them; returns where in the file they begin.

    name, description: told in the OME-XML. Raises DataError for a voxel that is none.
    """
    if not (np.isfinite(voxel_size_um) and voxel_size_um > 0):
        raise DataError("the voxel size must be positive", where=file.name, value=voxel_size_um)
    lengths = {f"PhysicalSize{axis}": float(voxel_size_um) for axis in "XYZ"}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    about = {"Name": name, **({"Description": description} if description else {})}
    place = tifffile.imwrite(
        file,
        shape=tuple(shape),
        dtype=dtype,
        ome=True,
        photometric="minisblack",
        metadata={"axes": "ZYX", "UUID": _UNKNOWN, **lengths, **units, **about},
        returnoffset=True,
    )
    if place is None or place[1] != math.prod(shape[1:]) * dtype.itemsize:
        raise DataError("the pixels do not lie in one piece", where=file.name)
    return int(place[0])


def write_in_turn(file: BinaryIO, start: int, parts: Iterable[AnyVolume]) -> None:
    """All planes one after the other, in parts (n, y, x) or (y, x); and the identity that they give the file."""
    digests: list[str] = []
    file.seek(start)
    for part in parts:
        for plane in part if part.ndim == 3 else (part[:],):
            pixels = np.ascontiguousarray(plane).data.cast("B")
            digests.append(hashlib.sha256(pixels).hexdigest())
            file.write(pixels)
    _identify(file, file.tell(), digests)


def put_planes(path: Path, start: int, planes: NDArray[Any]) -> tuple[str, ...]:
    """Write planes (n, y, x) at byte `start` of a file that was begun; on the disk when this returns.

    Returns the SHA-256 of each. Raises DataError for NaN and infinity, StorageError where the disk refuses.
    """
    digests: list[str] = []
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for plane in planes:
                if not np.isfinite(plane).all():
                    raise DataError("a volume with NaN or infinity is not written", where=str(path))
                pixels = np.ascontiguousarray(plane).data.cast("B")
                digests.append(hashlib.sha256(pixels).hexdigest())
                while pixels:
                    done = os.pwrite(descriptor, pixels, start)
                    pixels, start = pixels[done:], start + done
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise storage_error("a part of the volume cannot be written", path, error, planes.nbytes) from error
    return tuple(digests)


def are_planes(path: Path, start: int, plane_bytes: int, digests: Sequence[str]) -> bool:
    """Whether the planes from byte `start` on are those of these SHA-256."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return all(hashlib.sha256(file.read(plane_bytes)).hexdigest() == digest for digest in digests)
    except OSError:
        return False


def finish_planes(path: Path, end: int, digests: Sequence[str], target: Path, *, replace: bool) -> bool:
    """Give a file whose planes are all there its identity, and the name `target` beside its own, on the disk.

    end: the byte behind the last plane. False where the file system gives no file two names. Raises StorageError where
    the disk refuses, and where `target` exists (unless `replace`).
    """
    part = part_path(target)
    try:
        with path.open("r+b") as file:
            _identify(file, end, digests)
        fsync_path(path)
        part.unlink(missing_ok=True)
        # Its own name stays: whoever does this again finds it.
        os.link(path, part)
    except PermissionError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise storage_error("the volume cannot be written", target, error) from error
    try:
        publish_file(part, target, replace=replace, synced=True)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return True


def _identify(file: BinaryIO, end: int, digests: Sequence[str]) -> None:
    """The same volume gives the same bytes: the file's identity comes from its planes, not from chance.

    It stands behind the pixels, and is as long as the one before.
    """
    content = hashlib.sha256("".join(digests).encode()).digest()
    file.seek(end)
    text = file.read()
    file.seek(end)
    file.write(text.replace(_UNKNOWN.encode(), str(uuid.UUID(bytes=content[:16], version=4)).encode()))
