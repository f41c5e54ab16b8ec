"""How many CPUs and how much memory this machine has for this process."""

from __future__ import annotations

import os


def cpus() -> int:
    """At least 1: those the process may run on, fewer where OMP_NUM_THREADS says so, as numerical libraries have it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed, int(wanted))) if wanted.isdigit() else allowed


def memory_bytes() -> int | None:
    """The machine's memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
