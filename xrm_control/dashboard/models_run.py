"""Runs as the server tells of them: as a line of the list, and as the page of one shows it."""

from __future__ import annotations

from pydantic import Field

from xrm_control.contracts.document import Figure, Record
from xrm_control.contracts.population import Share
from xrm_control.core.states import FrameKind, Level, RunState, Verdict


class RunCard(Record):
    """A run in the list. particles: whole ones, None while nothing is summed up; verdict: None before its end.

    last_utc: when its present state began; campaign: queue and item that it is of, "" for a run of its own.
    """

    name: str
    recipe_name: str
    sample: str
    started_utc: str
    state: RunState | None
    alive: bool
    died: bool
    simulated: bool
    kept: int
    planned: int
    particles: int | None
    verdict: Verdict | None
    problem: str = Field(default="", description="why its folder cannot be read")
    last_utc: str | None = None
    campaign: str = ""


class Runs(Record):
    """The newest runs first; total: of all that match."""

    runs: tuple[RunCard, ...]
    total: int


class StageView(Record):
    """A stage of one region, or of the mosaic (roi ""): frames with an outcome, frames planned."""

    name: str
    roi: str
    done: int
    planned: int


class ActionView(Record):
    """What an operator may do now; reason: why not, "" where it is possible."""

    name: str
    possible: bool
    reason: str = ""


class Alarm(Record):
    """Something that wants an eye. cause: what happened; evidence: with which numbers, when; cure: what to do, in
    words; action: the name of the action that does it, "" where no button can.
    """

    level: Level
    cause: str
    evidence: str
    cure: str = ""
    action: str = ""


class FrameView(Record):
    """A frame that was kept. picture: its address; file: relative to the run's folder; t_s: instrument time at the end
    of its exposure.
    """

    frame_id: str
    kind: FrameKind
    theta_deg: float
    mean_counts: Figure
    t_s: float
    picture: str
    file: str


class Beside(Record):
    """How far a sample was found beside its place, last; of: which region or view; allowed_um: of the distance."""

    of: str
    x_um: float
    y_um: float
    allowed_um: Figure


class WatchedNow(Record):
    """A value that the recipe watches. out: its value as read, or why it is not believed, while it is out of order."""

    value: str
    limit: str
    out: str = ""


class RunView(Record):
    """A run as it stands. Times in s of instrument time; remaining_s: None where nothing is left to wait for.

    control: who is in control of it in the browser, "" when nobody; disk_free_bytes: where the run is.
    """

    name: str
    folder: str = Field(description="where it lies, on the server's machine")
    recipe_name: str
    sample: str
    simulated: bool
    started_utc: str
    state: RunState | None
    state_reason: str
    state_utc: str | None
    before_waiting: RunState | None
    alive: bool
    died: bool
    ended: bool
    verdict: Verdict | None
    reasons: tuple[str, ...]
    t_s: float
    planned_s: float
    remaining_s: Figure
    kept: int
    planned: int
    retaken: int
    missing: int
    stages: tuple[StageView, ...]
    last_frame: FrameView | None
    flux: Figure = Field(default=None, description="the last flat's mean counts, over the first's")
    beside: Beside | None = None
    watched: tuple[WatchedNow, ...] = ()
    voided_share: Share | None = Field(default=None, description="of particles with voids, as the report has it")
    actions: tuple[ActionView, ...]
    alarms: tuple[Alarm, ...]
    disk_free_bytes: int
    report: bool
    results: bool
