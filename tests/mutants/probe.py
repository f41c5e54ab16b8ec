"""Notes which functions each test enters, also in processes that it starts. Lives at the root of an instrumented copy.

As a plugin of pytest it writes a line for each phase of a test: test, phase, seconds, numbers of functions. Any other
process writes each function as it is first entered, so that one that is killed has told what it did.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

seen: set[int] = set()
# As they were before any test puts failing ones in their place.
_open, _write, _close = os.open, os.write, os.close
_tested: list[bool] = []


def reach(number: int) -> None:
    """Called by each function of the copy on its first entry."""
    seen.add(number)
    test, _, phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    if test and not _tested:
        _note(f"{test}\t{phase.strip('()')}\t0\t{number}\n")


def pytest_configure() -> None:
    """This process runs the tests: rows are written at the end of each phase."""
    _tested.append(True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What this phase entered."""
    if hasattr(report, "node"):
        # Heard from a worker of pytest-xdist, which has noted it.
        return
    phase = "failed" if report.failed else str(report.when)
    if seen or report.failed or phase == "call":
        _note(f"{report.nodeid}\t{phase}\t{report.duration:.3f}\t{','.join(map(str, sorted(seen)))}\n")
    seen.clear()


def _note(line: str, environment: Callable[[str], str | None] = os.environ.get) -> None:
    path = environment("XRM_REACHED")
    try:
        file = _open(path or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        _write(file, line.encode())
        _close(file)
    except OSError:
        return
