"""How a duration is measured: the median of several calls after one that warms up."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from xrm_control.core.clock import stopwatch


@dataclass(frozen=True)
class Row:
    """One line of a table: what, by whom, seconds, ratio to the peer named in `against`, a note, and `figures`: what
    else was measured, by the heading of its column. Seconds are missing where nothing was measured.
    """

    what: str
    who: str
    seconds: float | None = None
    ratio: float | None = None
    against: str = ""
    warn: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)


def median_s(call: Callable[[], object], repeats: int = 5) -> float:
    """Median seconds of `repeats` calls, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        passed_s = stopwatch()
        call()
        times.append(passed_s())
    return statistics.median(times)
