"""Room that is kept back on the disk, so that whoever finds it full can still put on record why it ends.

It is a file of bytes that no file system can store in less; given back, its room is free for the journal's last rows,
the results and the report. Whoever fills the disk meanwhile may be faster: then it is as without.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from xrm_control.storage.durable import write_durable

RESERVE = ".reserve"


def keep_back(path: Path, size_bytes: int) -> None:
    """Keep so much room back in the file `path`, durably. Raises StorageError, DiskFull where there is not so much."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == size_bytes:
            return
    write_durable(path, os.urandom(size_bytes), replace=True)


def give_back(path: Path) -> bool:
    """Give the room back, as far as the disk lets us; whether there was any."""
    try:
        path.unlink()
    except OSError:
        return False
    return True
