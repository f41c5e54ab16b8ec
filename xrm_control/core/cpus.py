"""How many CPUs and how much memory this machine has for this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextvars import ContextVar

_alone: ContextVar[bool] = ContextVar("alone", default=False)


def cpus() -> int:
    """At least 1: those the process may run on, fewer where OMP_NUM_THREADS says so, as numerical libraries have it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    wanted = "" if _alone.get() else os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed, int(wanted))) if wanted.isdigit() else allowed


@contextlib.contextmanager
def alone() -> Generator[None]:
    """For work that all others wait for: `cpus` are those that the process may run on, whatever its share is."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def memory_bytes() -> int | None:
    """The machine's memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
