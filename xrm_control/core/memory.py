"""How much memory there is, asked before it is taken."""

from __future__ import annotations

import gc
import os
from pathlib import Path

from xrm_control.core.errors import DataError

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def collect_less_often() -> None:
    """For a process of our own: what refers to itself is looked for every 20 000 new objects, not every 700.

    Reports and tables make many objects and hardly any circles; the search took a tenth of their time.
    """
    gc.set_threshold(20_000, 20, 20)


def available_bytes() -> int:
    """Memory that this process may still take: what the machine has left, or its control group if that is less."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        free = 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int((_GROUP / "memory.max").read_text())
        free = min(free, limit - int((_GROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # no control group, or one without a limit ("max")
    return max(free, 0)


def require_memory(need_bytes: int, where: str, remedy: str = "use a machine with more memory") -> None:
    """Raise DataError unless so much can be taken: said before, not found out by the system's killing."""
    free = available_bytes()
    if need_bytes > free:
        raise DataError(
            "does not fit into memory",
            where=where,
            value=f"{need_bytes / 1e9:.3g} GB needed",
            limit=f"{free / 1e9:.3g} GB free",
            remedy=remedy,
        )
