"""How a duration is measured: the median of several calls after one that warms up."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
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

    @property
    def told(self) -> str:
        """The figures there are, as text."""
        return "  ".join(f"{key} {value}" for key, value in self.figures.items() if value)


def tell(cases: Iterable[str], row: Callable[[str, Sequence[int]], Row], arguments: Sequence[str], seeds: int) -> None:
    """Print a line for each case; arguments: [SEEDS [CASE ...]], all cases that begin so, `seeds` where not told."""
    asked = tuple(arguments[1:]) or ("",)
    for name in (name for name in cases if name.startswith(asked)):
        one = row(name, range(int(arguments[0]) if arguments else seeds))
        print(f"{one.what:36s} {one.seconds or 0:5.2f} s  {one.told}", flush=True)


def median_s(call: Callable[[], object], repeats: int = 5) -> float:
    """Median seconds of `repeats` calls, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        passed_s = stopwatch()
        call()
        times.append(passed_s())
    return statistics.median(times)
