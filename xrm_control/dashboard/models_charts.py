"""What the server says of numbers over time: within one run, and from run to run."""

from __future__ import annotations

from pydantic import Field

from xrm_control.contracts.document import Figure, Record
from xrm_control.core.states import Verdict


class Point(Record):
    """A value at an instant: t_s of instrument time; utc: the same on the wall, None where it is not known; of: what
    it was measured in.
    """

    t_s: float
    utc: str | None
    value: float
    of: str


class Trend(Record):
    """A value over the run. low, high: between which it is in order, None where nobody has said; note: what it is."""

    name: str
    heading: str
    unit: str
    points: tuple[Point, ...]
    low: Figure = None
    high: Figure = None
    note: str = ""


class Spell(Record):
    """A time in which a watched value was out of order, in s of instrument time; to_s None: it still is."""

    from_s: float
    to_s: float | None
    from_utc: str | None
    to_utc: str | None
    value: str


class Watched(Record):
    """A value that the recipe watches: what is in order, in words and as numbers, and when it was not."""

    value: str
    limit: str
    low: Figure
    high: Figure
    action: str
    spells: tuple[Spell, ...]


class Trends(Record):
    """Of one run, up to t_s of instrument time. disk_free_bytes: where the run is, now."""

    t_s: float
    started_utc: str
    trends: tuple[Trend, ...]
    watched: tuple[Watched, ...]
    disk_free_bytes: int


class ChartNumber(Record):
    """A number of which a control chart can be drawn."""

    name: str
    heading: str
    unit: str
    meaning: str


class ChartPoint(Record):
    """A run's number. low, high: the 95 % interval that its results state; n: particles that it is of; counts: whether
    the limits are made of it, too; outside: whether it lies beyond them; moving_range: from the run before.
    """

    run: str
    recipe_name: str
    recipe_sha256: str
    sample: str
    started_utc: str
    verdict: Verdict
    value: float
    low: Figure
    high: Figure
    n: int
    counts: bool
    outside: bool
    moving_range: Figure
    jumped: bool = Field(description="whether the moving range lies beyond its limit")


class ControlChart(Record):
    """A number over runs, in order of time, as an individuals chart with moving ranges.

    centre, lower, upper, range_mean, range_upper: None where too few runs count; rule: how they are found, and its
    source; said: why there are none, and what to beware of.
    """

    number: ChartNumber
    points: tuple[ChartPoint, ...]
    centre: Figure
    lower: Figure
    upper: Figure
    range_mean: Figure
    range_upper: Figure
    rule: str
    said: tuple[str, ...]
    left_out: int = Field(description="runs that were found and state no such number")
