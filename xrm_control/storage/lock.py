"""A lock that the kernel frees when its holder dies, and that can be asked about without being taken.

It is a lock of the open file description (Linux's F_OFD_SETLK): like flock it belongs to the open file and not to the
process, and unlike flock the kernel says whether somebody has it (F_OFD_GETLK), through a file that is open for reading
only. Nobody who starts in that moment can be refused because somebody else has asked.

Some file systems know no locks, and some keep them from other machines. Who holds one signs with the machine as well; a
signature of another machine's, under a lock that seems free, is not taken for one of a process that is dead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xrm_control.core.errors import LockUnknown, ResourceLocked, StorageError
from xrm_control.storage.durable import storage_error
from xrm_control.storage.ownership import like_its_folder

# struct flock: type, whence, start, length (0: all), pid; the padding is C's.
_FLOCK = "hhqqi4x"
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_BOOT, _INSTALLATION = Path("/proc/sys/kernel/random/boot_id"), Path("/etc/machine-id")
_LONGEST = 400
WHOLE_FILE = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def lock_holder(path: Path) -> str | None:
    """Who holds `path` at this moment: a process number, one "on" another machine, or "unknown"; None when nobody does,
    or there is no such file.

    Takes nothing. Raises LockUnknown where that cannot be told, StorageError when the file cannot be looked at.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error("cannot open the lock file", path, error) from error
    try:
        found = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, WHOLE_FILE))
        if found[0] != fcntl.F_UNLCK:
            return _signature(descriptor).holder
        _require_ours(path, descriptor)
        return None
    except OSError as error:
        if isinstance(error, ResourceLocked):
            raise
        if error.errno in _NO_LOCKS:
            if not _signature(descriptor).process:
                # Let go of in order, and nobody can take it here.
                return None
            raise LockUnknown(
                f"whether a process holds it cannot be told: the file system knows no locks ({error.strerror})",
                where=str(path),
                value=f"last held by process {_signature(descriptor).holder}",
                remedy=_LOOK_THERE,
            ) from error
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

    Raises ResourceLocked, naming the process that holds it, when it is taken; LockUnknown when it may be, on another
    machine; StorageError when the file cannot be opened, locked or written. The lock belongs to the open file: a
    process forked inside the block shares it, a spawned one does not.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error("cannot open the lock file", path, error) from error
    try:
        like_its_folder(path, descriptor)
        take_lock(
            path,
            descriptor,
            lambda holder: _in_use(purpose, path, holder),
        )
        sign_lock(path, descriptor, os.getpid())
        try:
            yield
        finally:
            # So that a later reader is not told of a process that has gone.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _in_use(purpose: str, path: Path, holder: str) -> ResourceLocked:
    what, remedy = f"{purpose} is in use by process {holder}", "wait for it, or end it"
    if holder.isdecimal() and is_suspended(int(holder)):
        what += ", which a signal has suspended (Ctrl-Z, SIGSTOP)"
        remedy = f"let it go on: `fg` in its terminal, or `kill -CONT {holder}`; or end it"
    return ResourceLocked(what, where=str(path), remedy=f"{remedy}: Ctrl-C where it runs, or a SIGTERM to that process")


def take_lock(path: Path, descriptor: int, taken: Callable[[str], ResourceLocked]) -> None:
    """Lock the open file. Raises what `taken` makes of its holder, LockUnknown, StorageError."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, WHOLE_FILE)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise StorageError(
                f"cannot be locked: the file system knows no locks ({error.strerror})",
                where=str(path),
                remedy="work on a local disk, or have it mounted with locks (of NFS: not `nolock`)",
            ) from error
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise storage_error("cannot be locked", path, error) from error
        raise taken(_signature(descriptor).holder) from error
    _require_ours(path, descriptor)


def sign_lock(path: Path, descriptor: int, process: int) -> None:
    """Say in the lock file `path`, open as `descriptor`, which process holds it. Raises StorageError: others would be
    told of whoever held it before.
    """
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(
            descriptor,
            f"{process} {_machine()} {_read(_BOOT)} {_read(_INSTALLATION)}\n".encode(errors="replace")[:_LONGEST],
            0,
        )
    except OSError as error:
        raise storage_error("cannot say who holds it", path, error) from error


@dataclass(frozen=True)
class _Signature:
    """Who wrote itself into a lock's file; all "" where nobody did, all but the process where an earlier version did.

    boot: of that kernel's life; installation: of machines that may have one name.
    """

    process: str = ""
    machine: str = ""
    boot: str = ""
    installation: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is of this machine, of whose processes the kernel knows; also from before it was started anew."""
        same = (self.machine, self.installation) == (_machine(), _read(_INSTALLATION))
        return not self.machine or (self.boot == _read(_BOOT) != "-") or same

    @property
    def holder(self) -> str:
        """In words: a number alone is that of a process of this machine."""
        if not self.process:
            return "unknown"
        return self.process if self.is_ours else f"{self.process} on {self.machine}"


def _signature(descriptor: int) -> _Signature:
    text = os.pread(descriptor, _LONGEST, 0).decode(errors="replace")
    words = text.split()[:4]
    # One that a power cut has torn says nothing of a machine.
    return _Signature(*words) if len(words) == 4 and text.endswith("\n") else _Signature(*words[:1])


def _require_ours(path: Path, descriptor: int) -> None:
    """Raises LockUnknown for a lock that seems free, and was never let go of by another machine."""
    signed = _signature(descriptor)
    if not signed.is_ours:
        raise LockUnknown(
            f"process {signed.holder} held it, and whether that lives cannot be told on this machine",
            where=str(path),
            value=f"this is {_machine()}",
            remedy=_LOOK_THERE,
        )


_LOOK_THERE = (
    "look on that machine whether the process lives; where it does not, take the lock's file away and do this again, "
    "on a local disk"
)


def _machine() -> str:
    return os.uname().nodename.replace(" ", "-") or "-"


def _read(path: Path) -> str:
    """A word of the system's; "-" where it says none."""
    try:
        return "".join(path.read_text().split()) or "-"
    except OSError:
        return "-"
