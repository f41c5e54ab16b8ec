"""Whose a file is, and who asks: what is told where the system says "permission denied"."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from pathlib import Path

from xrm_control.core.errors import DataError

DENIED = frozenset({errno.EACCES, errno.EPERM})


def who_asks() -> str:
    """The user in whose name this process works."""
    return _name(os.geteuid())


def whose(path: Path) -> tuple[str, str] | None:
    """Of `path`, or the nearest folder above it that can be looked at and that refuses this process: to whom it belongs
    and its mode, in words; and the owner. None where nothing can be looked at.
    """
    there = [place for place in (path, *path.parents) if os.path.lexists(place)]
    barred = next((place for place in there[:2] if not os.access(place, os.R_OK | os.W_OK, effective_ids=True)), None)
    for place in (barred, *there):
        if place is not None:
            with contextlib.suppress(OSError):
                about = place.stat()
                owner = _name(about.st_uid)
                named = "" if place == path else f"{place} "
                return f"{named}belongs to {owner}, mode {stat.S_IMODE(about.st_mode):o}", owner
    return None


def may_read(path: Path) -> bool:
    """Whether this process may read a file, as far as its permissions tell; True for one that is not there."""
    return os.access(path, os.R_OK, effective_ids=True) or not os.path.lexists(path)


def require_readable(path: Path) -> None:
    """DataError, naming the owner, for a file that is there and that this process may not read."""
    if not may_read(path):
        belongs, owner = whose(path) or ("", "its owner")
        raise DataError(
            "may not be read",
            where=str(path),
            value=f"you are {who_asks()}",
            limit=belongs or None,
            remedy=f"do it as {owner}, or have the permissions changed",
        )


def like_its_folder(path: Path, descriptor: int | None = None) -> None:
    """What root makes in the folder of somebody else belongs to that one, who could not go on with it otherwise.

    For any other user, and where the file system does not take it, nothing is done.
    """
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            folder = path.parent.stat()
            if folder.st_uid != 0:
                os.chown(path if descriptor is None else descriptor, folder.st_uid, folder.st_gid)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
