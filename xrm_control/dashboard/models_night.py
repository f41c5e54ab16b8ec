"""What the server says of a night: what went well, what did not, with its evidence and what to do."""

from __future__ import annotations

from pydantic import AwareDatetime

from xrm_control.contracts.document import Figure, Record
from xrm_control.contracts.morning import Hold, RegionFate
from xrm_control.dashboard.models_run import RunView


class NightRun(Record):
    """A run that was carried out in the night. last_utc: when its state began, None while somebody carries it out;
    item: its number in the queue, None outside of one; standing_s: held or paused, of used_s, both instrument time;
    beam_s: with the shutter open; dose_gy: surface dose of all scans, None where no plan tells; undone: regions that
    were not measured; notes: what to know besides; next: commands to copy.
    """

    run: RunView
    last_utc: str | None
    item: int | None
    used_s: float
    standing_s: float
    beam_s: float
    dose_gy: Figure
    resumed: int
    particles: int | None
    measured: int
    regions: int
    undone: tuple[RegionFate, ...]
    holds: tuple[Hold, ...]
    notes: tuple[str, ...]
    next: tuple[str, ...]


class NightItem(Record):
    """An item of the queue that came to no run in the night, and why; retry: whether it can be tried again."""

    number: int
    name: str
    state: str
    reason: str
    next: tuple[str, ...]
    retry: bool


class NightQueue(Record):
    """The queue at the end of the night. said: the night in a word; reasons: why it is no better; morning: whether its
    own page is there; next: commands for the queue as a whole.
    """

    path: str
    said: str
    good: bool
    reasons: tuple[str, ...]
    problems: tuple[str, ...]
    next: tuple[str, ...]
    morning: bool


class Unreadable(Record):
    """A run whose folder cannot be read, and why."""

    name: str
    problem: str


class NightView(Record):
    """A night, from since to until: its runs, good ones first; left_out: how many more there were than are told."""

    since: AwareDatetime
    until: AwareDatetime
    good: tuple[NightRun, ...]
    problems: tuple[NightRun, ...]
    going_on: tuple[NightRun, ...]
    unreadable: tuple[Unreadable, ...]
    items: tuple[NightItem, ...]
    queue: NightQueue | None
    left_out: int
