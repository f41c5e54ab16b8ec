"""What the kernel has made of a mounted file system that met errors (Linux); statvfs no longer tells of it there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")


def super_options(path: Path) -> frozenset[str]:
    """The options of the file system of `path` as it stands, such as ext4's `emergency_ro` and `shutdown`; empty where
    nothing is known.
    """
    with suppress(OSError):
        device = path.stat().st_dev
        known = f"{os.major(device)}:{os.minor(device)}"
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            # number parent major:minor root place options ... - type source super-options
            fields = line.split()
            if len(fields) > 6 and fields[2] == known:
                return frozenset(fields[-1].split(","))
    return frozenset()
