"""Files that are either whole and on the disk, or not there at all.

The order is always: write `<name>.part` in the same folder, fsync it, rename without overwriting, fsync the folder.
A `.part` file never counts. After an fsync error nothing is known about the file's pages, so the same file is never
tried again: its `.part` stays where it is and bars the way until somebody looks (`RunFolder.quarantine_parts`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from xrm_control.core.errors import DiskFull, StorageError
from xrm_control.core.system_limits import remedy_of
from xrm_control.storage.mounts import super_options
from xrm_control.storage.ownership import DENIED, like_its_folder, who_asks, whose

PART_SUFFIX = ".part"

DISK_FULL = "the disk is full"
_KEPT = "what was acknowledged is kept"
FREE_SPACE = f"free space; {_KEPT}"
READ_ONLY = "the disk is mounted read-only"
GIVEN_UP = "the system has given the disk up"
MOUNT_IT = "have the disk mounted for writing, and look why it is not"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_THE_DISK = _FULL | {errno.EFBIG, errno.EIO, errno.EROFS}
# As much as a transaction of a journal may need.
_PROBE_SUFFIX, _PROBE_BYTES = "-room", 128 * 1024
_NO_SUCH_CALL = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM})
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal; StorageError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"cannot be read: {error.strerror}", where=str(path)) from error


def free_bytes(path: Path) -> int:
    """Bytes that an ordinary user may still write on the file system of `path` (or of its nearest existing parent).

    Raises StorageError where the system does not tell.
    """
    place = Path(path).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        status = os.statvfs(place)
    except OSError as error:
        raise StorageError(f"cannot ask for the free space: {error.strerror}", where=str(path)) from error
    return status.f_bavail * status.f_frsize


def disk_trouble(path: Path) -> str:
    """Why nothing can be written on the file system of `path`, as it says itself; "" where nothing is known."""
    with contextlib.suppress(OSError):
        status = os.statvfs(path)
        if status.f_flag & os.ST_RDONLY:
            return READ_ONLY
        options = super_options(path)
        if "emergency_ro" in options:
            return READ_ONLY
        if "shutdown" in options:
            return GIVEN_UP
        if status.f_bavail * status.f_frsize < _PROBE_BYTES:
            return DISK_FULL
        if status.f_files and not status.f_favail:
            return f"{DISK_FULL}: it takes no more files"
    return ""


def require_free(path: Path, need_bytes: int, reserve_bytes: int = 0) -> None:
    """DiskFull unless `need_bytes` can be written beside `path` with `reserve_bytes` left over; StorageError where the
    system does not tell.
    """
    free = free_bytes(path)
    if free < need_bytes + reserve_bytes:
        raise DiskFull(
            "not enough space on the disk",
            where=str(path),
            value=f"{_size(free)} free",
            limit=f"{_size(need_bytes)} needed and {_size(reserve_bytes)} kept in reserve",
            remedy="free space, or write elsewhere with --out",
        )


def part_path(path: Path) -> Path:
    """The name under which `path` is written before it counts."""
    return path.with_name(path.name + PART_SUFFIX)


def make_folder(path: Path) -> Path:
    """Create `path` and its missing parents, each durable in the folder that holds it; returns `path`.

    One that is there may have been made by somebody who died before it was durable: it is made so.
    Raises StorageError where a file is in the way, and where the disk refuses.
    """
    missing = []
    place = path
    while not place.exists():
        missing.append(place)
        place = place.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error("cannot create the folder", folder, error) from error
        like_its_folder(folder)
        fsync_path(folder.parent)
    if not path.is_dir():
        raise StorageError("is a file where a folder is needed", where=str(path))
    # Who may not read the folder that holds it has not made it.
    if not missing and os.access(path.parent, os.R_OK):
        fsync_path(path.parent)
    return path


def write_durable(path: Path, data: bytes, *, replace: bool = False) -> Path:
    """Make `data` the durable content of `path`; returns `path`, whose folder must exist.

    Raises StorageError, naming the path, the space needed and the space free, when anything on the way fails, when
    `path` exists (unless `replace`), or when an earlier write of `path` was left unfinished (unless `replace`).
    """
    part = part_path(path)
    if not replace and path.exists():
        raise _target_exists(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if replace else os.O_EXCL)
    try:
        descriptor = os.open(part, flags, 0o644)
    except FileExistsError as error:
        raise StorageError(
            "an unfinished write of this file is in the way",
            where=str(path),
            remedy=f"move {part.name} to quarantine; the frame is taken again under a new attempt",
        ) from error
    except OSError as error:
        raise storage_error("cannot be written", path, error, len(data)) from error
    try:
        like_its_folder(part, descriptor)
        _write_all(descriptor, part, data)
        _fsync(descriptor, part, len(data))
    finally:
        os.close(descriptor)
    publish_file(part, path, replace=replace, synced=True)
    return path


@contextlib.contextmanager
def durable_file(
    path: Path, what: str, *, replace: bool = False, need_bytes: int | None = None, own_name: bool = False
) -> Iterator[BinaryIO]:
    """A file to be written in the block, for reading as well; durable under the name `path` when the block ends.

    what: said in the error, as in "the mosaic". own_name: its temporary name is its own, for writers that may meet.
    Raises StorageError; what fails in the block leaves nothing behind.
    """
    part = part_path(path)
    try:
        if own_name:
            file = tempfile.NamedTemporaryFile("w+b", dir=path.parent, suffix=PART_SUFFIX, delete=False)  # noqa: SIM115
            part = Path(file.name)
        else:
            # What is left of an earlier try was perhaps not flushed: it is never written into again.
            if part.exists():
                part.unlink()
            file = part.open("w+b")
        with file:
            like_its_folder(part, file.fileno())
            yield cast(BinaryIO, file)
            file.flush()
            _fsync(file.fileno(), part, need_bytes)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        _discard(part)
        raise storage_error(f"{what} cannot be written", path, error, need_bytes) from error
    except BaseException:
        _discard(part)
        raise
    publish_file(part, path, replace=replace, synced=True)


def publish_file(part: Path, final: Path, *, replace: bool = False, synced: bool = False) -> Path:
    """fsync `part` (unless `synced`), rename it to `final` in the same folder, fsync the folder; returns `final`.

    Raises StorageError for a `final` that exists (unless `replace`), and where the disk refuses.
    """
    if not synced:
        fsync_path(part)
    try:
        if replace:
            os.replace(part, final)
        else:
            _rename_exclusive(part, final)
    except FileExistsError as error:
        raise _target_exists(final) from error
    except OSError as error:
        raise storage_error("cannot be given its final name", final, error) from error
    fsync_path(final.parent)
    return final


def publish_folder(part: Path, final: Path) -> Path:
    """fsync every file and folder under `part`, then rename it to `final` (which must not exist); returns `final`.

    Raises StorageError where it exists, for a `part` that is no folder, and where the disk refuses.
    """
    if not part.is_dir():
        raise StorageError("is no folder and cannot be published", where=str(part))
    for folder, _, names in os.walk(part, topdown=False):
        for name in names:
            fsync_path(Path(folder, name))
        fsync_path(Path(folder))
    return publish_file(part, final, synced=True)


def fsync_path(path: Path) -> None:
    """Flush a file or a folder to the disk; StorageError when the disk refuses."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error("cannot be opened to be flushed", path, error) from error
    try:
        _fsync(descriptor, path)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def disk_watched(what: str, path: Path) -> Iterator[None]:
    """Work in the folder `path` by others' readers and writers: what the disk refuses them is a StorageError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError) or not of_the_disk(error):
            raise
        raise storage_error(f"{what} cannot go on", Path(os.fsdecode(error.filename or path)), error) from error


def of_the_disk(error: OSError) -> bool:
    """Whether the disk refuses, whoever asks and wherever: full, failing, or read-only."""
    return error.errno in _OF_THE_DISK


def storage_error(what: str, path: Path, error: OSError, need_bytes: int | None = None) -> StorageError:
    """A StorageError that says what failed, at which path, why, and how much space was needed and free; DiskFull where
    there is none.
    """
    free = need = remedy = None
    kind = DiskFull if error.errno in _FULL else StorageError
    if error.errno in _FULL:
        why, remedy = _no_room(path, error.errno)
        what = f"{what}: {why}"
    elif error.errno == errno.EFBIG:
        what, remedy = f"{what}: the file-size limit is reached", "raise the limit (`ulimit -f`) or free space"
    elif error.errno == errno.EIO:
        what = f"{what}: the disk reports an error; this file is not tried again"
        remedy = "check the disk before anything else is written to it"
    else:
        what = f"{what}: {error.strerror or error}"
        remedy = MOUNT_IT if error.errno == errno.EROFS else remedy_of(error)
    if error.errno in DENIED and (owned := whose(path)) is not None:
        belongs, owner = owned
        remedy = f"do it as {owner}, have the permissions changed, or work on a copy of your own"
        free, limit = f"you are {who_asks()}", belongs
        return StorageError(what, where=str(path), value=free, limit=limit, remedy=remedy)
    if need_bytes is not None:
        need = f"{_size(need_bytes)} needed"
        with contextlib.suppress(StorageError):
            free = f"{_size(free_bytes(path))} free"
    return kind(what, where=str(path), value=free, limit=need, remedy=remedy)


def _no_room(path: Path, code: int | None) -> tuple[str, str]:
    """What there is no room in, and what to do about it: bytes, names of files, or somebody's share of them."""
    if code == errno.EDQUOT:
        user = who_asks()
        return f"the disk quota of {user} is used up", f"free space of {user}, or have the quota raised; {_KEPT}"
    with contextlib.suppress(OSError):
        place = next(one for one in (path, *path.parents) if one.exists())
        status = os.statvfs(place)
        if status.f_files and not status.f_favail and status.f_bavail:
            return (
                f"{DISK_FULL}: it takes no more files, though it has space",
                f"remove files that are not needed; {_KEPT}",
            )
    return DISK_FULL, FREE_SPACE


def no_room_beside(path: Path) -> tuple[str, str] | None:
    """Whether a file beside `path` finds no room: what there is no room in, and what to do about it; None for room.

    Tried, as only a write knows of quotas; nothing is left of it.
    """
    probe = path.with_name(path.name + _PROBE_SUFFIX)
    try:
        try:
            descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _PROBE_BYTES)
            finally:
                os.close(descriptor)
        finally:
            _discard(probe)
    except OSError as error:
        return _no_room(path, error.errno) if error.errno in _FULL else None
    return None


def _write_all(descriptor: int, part: Path, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        # The data is still in memory and nothing was acknowledged: give the space back to the journal.
        failure = storage_error("cannot be written", part, error, len(data))
        _discard(part)
        raise failure from error


def _discard(part: Path) -> None:
    """Take it away if the disk lets us: what failed before is what is told, and a .part never counts."""
    with contextlib.suppress(OSError):
        part.unlink()


def _fsync(descriptor: int, path: Path, need_bytes: int | None = None) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise storage_error("cannot be made durable", path, error, need_bytes) from error


def _rename_exclusive(part: Path, final: Path) -> None:
    """Rename that fails with FileExistsError instead of overwriting."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        if rename(_AT_FDCWD, os.fsencode(part), _AT_FDCWD, os.fsencode(final), _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NO_SUCH_CALL:
            raise OSError(code, os.strerror(code), str(final))
    if not part.is_dir():
        try:
            os.link(part, final)
        except OSError as error:
            if error.errno not in _NO_SUCH_CALL:
                raise
        else:
            os.unlink(part)
            return
    # No exclusive call for folders, nor for files where there are no links (exFAT by FUSE): locks keep others away.
    if final.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
    os.rename(part, final)


def _target_exists(path: Path) -> StorageError:
    return StorageError("exists already and is not overwritten", where=str(path), remedy="choose another name")


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"
