"""A lock that the kernel frees when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from xrm_control.core.errors import InstrumentLocked
from xrm_control.storage.durable import storage_error


@contextlib.contextmanager
def hold_lock(path: Path, purpose: str) -> Iterator[None]:
    """Hold `path` (created when missing, never deleted) exclusively for the block.

    Raises InstrumentLocked, naming the process that holds it, when it is taken; StorageError when the file cannot be
    opened. The lock belongs to the open file: a process forked inside the block shares it, a spawned one does not.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error("cannot open the lock file", path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise storage_error("cannot be locked", path, error) from error
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise InstrumentLocked(
                f"{purpose} is in use by process {holder}",
                where=str(path),
                remedy="wait for it, or end it with `xrm stop`",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        try:
            yield
        finally:
            # So that a later reader is not told of a process that has gone.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
