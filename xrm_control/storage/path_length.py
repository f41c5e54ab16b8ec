"""Paths that a file system takes and SQLite does not: told before anything is made there."""

from __future__ import annotations

import os
from pathlib import Path

from xrm_control.core.errors import DataError

# SQLite's 512 bytes, of which it wants 8 for what it puts behind a file's name.
_LONGEST_BYTES = 504
JOURNAL = "journal.sqlite"
# A run's folder: its time, the first 60 characters of its recipe's name, and four more.
LONGEST_RUN_NAME = "_".join(("20260101T000000Z", "x" * 60, "0000"))


def require_short(journal: Path) -> None:
    """Raises DataError for the path of a journal, or of one to come, that SQLite cannot open."""
    length = len(os.fsencode(os.path.realpath(journal)))
    if length > _LONGEST_BYTES:
        raise DataError(
            "the path is too long for a journal",
            where=str(journal),
            value=f"{length} bytes",
            limit=f"{_LONGEST_BYTES} bytes, links followed",
            remedy="choose a folder with a shorter path; a folder that is there may be moved",
        )
