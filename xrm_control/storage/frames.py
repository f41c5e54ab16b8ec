"""Frames: one TIFF each, hashed and durable before it is acknowledged.

The order that loses nothing: `Journal.intend` -> expose -> `FrameStore.store`, which encodes in memory, hashes, writes
durably and commits to the journal. When `store` returns, the frame is acknowledged.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import tifffile
from numpy.typing import NDArray

from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.storage.durable import fsync_path, make_folder, sha256_bytes, storage_error, write_durable
from xrm_control.storage.in_place import Place
from xrm_control.storage.journal import Journal
from xrm_control.storage.plain_tiff import plain_offset
from xrm_control.storage.records import Exposure, StoredFrame
from xrm_control.storage.run_folder import RunFolder

_DTYPES = ("uint8", "uint16", "uint32", "float32", "float64")


class FrameStore:
    """Writes and reads the frames of one run. Synchronous; one caller at a time, as its journal."""

    def __init__(self, folder: RunFolder, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal
        # Durable in the run's folder, as this process has seen to.
        self._folders: set[Path] = set()
        # As it was when the first frame was stored: who only reads does not ask.
        self._place: Place | None = None

    def store(
        self,
        frame_id: FrameId,
        attempt: int,
        image: NDArray[Any],
        exposure: Exposure,
        commit: Callable[[StoredFrame], object] | None = None,
    ) -> StoredFrame:
        """Make one image (rows, columns) durable and commit it; the attempt must have been intended before.

        commit: called with the durable frame in place of `Journal.commit`, which it does.
        Raises DataError for an image that is none, StorageError when the disk or the journal refuses.
        """
        data = encode_frame(frame_id, attempt, image, exposure)
        frame = self._described(frame_id, attempt, image, exposure, data)
        path = self._folder.path / frame.path
        if self._place is None:
            self._place = Place(self._folder)
        self._place.require()
        if path.parent not in self._folders:
            self._folders.add(make_folder(path.parent))
        write_durable(path, data)
        (commit or self._journal.commit)(frame)
        return frame

    def adopt(self, frame_id: FrameId, attempt: int) -> StoredFrame:
        """Commit the file of an attempt that was made durable, and not committed before the run died.

        Raises DataError unless the file holds, to the byte, what storing that attempt would have written, and an image
        like those of the frames beside it; StorageError when the disk or the journal refuses.
        """
        path = self._folder.frame_path(frame_id, attempt)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot be read: {error.strerror}", where=str(path)) from error
        image, exposure = _decode_orphan(path, data)
        if encode_frame(frame_id, attempt, image, exposure) != data:
            raise DataError("the file is not whole, or of another frame", where=str(path))
        frame = self._described(frame_id, attempt, image, exposure, data)
        group = "" if frame_id.of_mosaic else frame_id.group
        beside = next((stored for _, stored in self._journal.stored_frames(group)), frame)
        if (beside.shape, beside.dtype) != (frame.shape, frame.dtype):
            raise DataError("does not fit the frames beside it", where=str(path), value=frame.shape, limit=beside.shape)
        # The process died, and perhaps the machine: whether the folder was flushed is not known.
        fsync_path(path)
        fsync_path(path.parent)
        make_folder(path.parent)
        self._journal.commit(frame)
        return frame

    def _described(
        self, frame_id: FrameId, attempt: int, image: NDArray[Any], exposure: Exposure, data: bytes
    ) -> StoredFrame:
        mean = float(np.mean(image, dtype=np.float64))
        return StoredFrame(
            frame_id=frame_id,
            attempt=attempt,
            path=self._folder.relative(self._folder.frame_path(frame_id, attempt)),
            bytes=len(data),
            shape=(image.shape[0], image.shape[1]),
            dtype=image.dtype.name,
            sha256=sha256_bytes(data),
            exposure=exposure,
            mean_counts=mean if np.isfinite(mean) else None,
        )

    def load(self, frame_id: FrameId) -> NDArray[Any]:
        """The image (rows, columns) of the kept attempt; DataError when none is kept or the file is not whole."""
        frame = self._journal.kept_frame(frame_id)
        if frame is None:
            raise DataError("no attempt of this frame is kept", where=frame_id)
        return read_frame(self._folder, frame)

    def load_stack(self, frame_ids: Sequence[FrameId]) -> NDArray[Any]:
        """The kept images of `frame_ids` as one array (frames, rows, columns).

        Raises DataError for none, and for frames of different shapes or types; and as `read_frame`.
        """
        if not frame_ids:
            raise DataError("a stack of no frames was asked for", where=str(self._folder.path))
        first = self.load(frame_ids[0])
        stack = np.empty((len(frame_ids), *first.shape), first.dtype)
        stack[0] = first
        for index, frame_id in enumerate(frame_ids[1:], start=1):
            image = self.load(frame_id)
            if image.shape != first.shape or image.dtype != first.dtype:
                raise DataError(
                    "the frame does not fit the others of its stack",
                    where=frame_id,
                    value=f"{image.shape} {image.dtype}",
                    limit=f"{first.shape} {first.dtype}",
                )
            stack[index] = image
        return stack


def encode_frame(frame_id: FrameId, attempt: int, image: NDArray[Any], exposure: Exposure) -> bytes:
    """One image (rows, columns) as the bytes of a TIFF that describes itself; the same frame gives the same bytes.

    The description is JSON (frame id, attempt, measured pose, times, camera id), enough to rebuild the commit, and the
    CRC-32 of that and of the pixels (little-endian): what was damaged before its commit does not pass for whole.

    Raises DataError for what is no image.
    """
    if image.ndim != 2 or image.size == 0 or image.dtype.name not in _DTYPES:
        raise DataError(
            "is no image",
            where=frame_id,
            value=f"{image.shape} {image.dtype}",
            limit=f"two axes of {', '.join(_DTYPES)}",
        )
    said = {"frame_id": frame_id, "attempt": attempt, **asdict(exposure)}
    pixels = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
    said["crc32"] = zlib.crc32(pixels.data, zlib.crc32(json.dumps(said, sort_keys=True).encode()))
    description = json.dumps(said, sort_keys=True)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        image,
        byteorder="<",
        photometric="minisblack",
        metadata=None,
        description=description,
        software="xrm_control",
        datetime=None,
    )
    return buffer.getvalue()


def read_frame(folder: RunFolder, frame: StoredFrame) -> NDArray[Any]:
    """The image of a committed frame, after its size, hash, shape and type were held against the journal.

    A torn TIFF may decode as an empty array without an error; therefore the bytes are trusted only by their hash.

    Raises DataError for a frame that is gone or is not what was committed, StorageError where it cannot be read.
    """
    return read_verified(folder.path / frame.path, frame)[0]


@dataclass(frozen=True)
class VerifiedFile:
    """How a frame's file lay when its content was held against the journal: what the system says of it (another one
    when it was written to since), and where its pixels begin; None where they do not lie in one piece as they are.
    """

    stamp: tuple[int, ...]
    offset: int | None


def stamp_of(file: BinaryIO) -> tuple[int, ...]:
    """What is another one when a file was replaced or written to: device, inode, size, times of both in ns."""
    said = os.fstat(file.fileno())
    return said.st_dev, said.st_ino, said.st_size, said.st_mtime_ns, said.st_ctime_ns


def read_verified(path: Path, frame: StoredFrame) -> tuple[NDArray[Any], VerifiedFile]:
    """As `read_frame`, and how its file lies there."""
    if path.exists() and not path.is_file():
        raise DataError("a committed frame is no regular file any more", where=str(path))
    try:
        with path.open("rb", buffering=0) as file:
            stamp = stamp_of(cast(BinaryIO, file))
            data = file.readall()
    except FileNotFoundError as error:
        if not path.parent.is_dir():
            raise StorageError(
                "a committed frame is gone, and its folder with it: somebody has moved the run, or its disk is away",
                where=str(path),
                remedy="put the folder back, or have the disk mounted; `xrm resume` goes on with the run where it is",
            ) from error
        remedy = "put it back from a copy; `xrm verify` names all that are gone"
        raise DataError("a committed frame is gone", where=str(path), remedy=remedy) from error
    except OSError as error:
        raise storage_error("a committed frame cannot be read", path, error) from error
    if sha256_bytes(data) != frame.sha256:
        raise DataError(
            "the frame's content is not what was committed",
            where=str(path),
            value=f"{len(data)} bytes",
            limit=f"{frame.bytes} bytes, sha256 {frame.sha256[:12]}...",
            remedy="the file was damaged or changed; take it out and retake the frame",
        )
    offset = plain_offset(data, frame.shape, frame.dtype)
    if offset is not None:
        pixels = np.frombuffer(data, np.dtype(frame.dtype).newbyteorder("<"), math.prod(frame.shape), offset)
        return pixels.reshape(frame.shape).astype(frame.dtype), VerifiedFile(stamp, offset)
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = tiff.pages.first
            image = np.asarray(page.asarray())
            plain = page.is_final and page.is_contiguous and image.dtype.newbyteorder(tiff.byteorder) == image.dtype
            offset = page.dataoffsets[0] if plain else None
    except (tifffile.TiffFileError, ValueError) as error:
        raise DataError(f"the frame cannot be decoded: {error}", where=str(path)) from error
    if image.shape != frame.shape or image.dtype.name != frame.dtype:
        raise DataError("the frame decodes to another shape or type", where=str(path), value=image.shape)
    return image, VerifiedFile(stamp, offset)


def _decode_orphan(path: Path, data: bytes) -> tuple[NDArray[Any], Exposure]:
    """Image and exposure of a frame's file, as it says itself; DataError when it cannot be decoded."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            said = json.loads(page.description)
            exposure = Exposure(Pose(**said["actual"]), said["t_start_s"], said["t_end_s"], said["unique_id"])
            return np.asarray(page.asarray()), exposure
    # A torn file fails in any way: what tifffile raises for one is not told.
    except (tifffile.TiffFileError, LookupError, TypeError, ValueError, AttributeError, OSError, struct.error) as error:
        raise DataError(f"the file cannot be decoded: {error}", where=str(path)) from error
