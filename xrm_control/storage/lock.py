"""A lock that the kernel frees when its holder dies, and that can be asked about without being taken.

It is a lock of the open file description (Linux's F_OFD_SETLK): like flock it belongs to the open file and not to the
process, and unlike flock the kernel says whether somebody has it (F_OFD_GETLK), through a file that is open for reading
only. Nobody who starts in that moment can be refused because somebody else has asked.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from xrm_control.core.errors import ResourceLocked
from xrm_control.storage.durable import storage_error
from xrm_control.storage.ownership import like_its_folder

# struct flock: type, whence, start, length (0: all), pid; the padding is C's.
_FLOCK = "hhqqi4x"
WHOLE_FILE = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def lock_holder(path: Path) -> str | None:
    """Who holds `path` at this moment: a process number, or "unknown"; None when nobody does, or there is no such file.

    Takes nothing. Raises StorageError when the file cannot be looked at.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error("cannot open the lock file", path, error) from error
    try:
        found = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, WHOLE_FILE))
        return None if found[0] == fcntl.F_UNLCK else _named(descriptor)
    except OSError as error:
        raise storage_error("cannot be asked who holds it", path, error) from error
    finally:
        os.close(descriptor)


def is_suspended(process: int) -> bool:
    """Whether a signal has stopped a process of this machine (Ctrl-Z, SIGSTOP); False where that cannot be told."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(errors="replace")
        # The name, in brackets, may itself hold brackets.
        return stat.rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False


@contextlib.contextmanager
def hold_lock(path: Path, purpose: str) -> Iterator[None]:
    """Hold `path` (created when missing, never deleted) exclusively for the block.

    Raises ResourceLocked, naming the process that holds it, when it is taken; StorageError when the file cannot be
    opened or written. The lock belongs to the open file: a process forked inside the block shares it, a spawned one
    does not.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error("cannot open the lock file", path, error) from error
    try:
        like_its_folder(path, descriptor)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, WHOLE_FILE)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise storage_error("cannot be locked", path, error) from error
            raise ResourceLocked(
                f"{purpose} is in use by process {_named(descriptor)}",
                where=str(path),
                remedy="wait for it, or end it: Ctrl-C where it runs, or a SIGTERM to that process",
            ) from error
        sign_lock(path, descriptor, os.getpid())
        try:
            yield
        finally:
            # So that a later reader is not told of a process that has gone.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def sign_lock(path: Path, descriptor: int, process: int) -> None:
    """Say in the lock file `path`, open as `descriptor`, which process holds it. Raises StorageError: others would be
    told of whoever held it before.
    """
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{process}\n".encode("ascii"), 0)
    except OSError as error:
        raise storage_error("cannot say who holds it", path, error) from error


def _named(descriptor: int) -> str:
    """The process that wrote itself into the file."""
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
