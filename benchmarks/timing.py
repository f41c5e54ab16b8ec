"""How a duration is measured: the median of several calls after one that warms up."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from xrm_control.core.clock import stopwatch


@dataclass(frozen=True)
class Row:
    """One line of the table: what, by whom, seconds, ratio to the peer named in `against`, and a remark."""

    what: str
    who: str
    seconds: float
    ratio: float | None = None
    against: str = ""
    remark: str = ""


def median_s(call: Callable[[], object], repeats: int = 5) -> float:
    """Median seconds of `repeats` calls, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        passed_s = stopwatch()
        call()
        times.append(passed_s())
    return statistics.median(times)
