"""`control` on EPICS base's own server (softioc), in a table of its own."""

from __future__ import annotations

from benchmarks import control
from benchmarks.timing import Row


def rows() -> list[Row]:
    """This project beside Bluesky."""
    return control.rows(control.SOFTIOC)
