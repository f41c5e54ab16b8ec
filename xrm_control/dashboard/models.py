"""What the server says to a browser or a script: one model for each answer; OpenAPI is made from them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from xrm_control.contracts.commands import Command
from xrm_control.contracts.document import Figure, Record
from xrm_control.contracts.plan import Plan
from xrm_control.contracts.population import Share
from xrm_control.core.states import FrameKind, FrameOutcome, Level, RunState, Verdict


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
    voided_share: Share | None = Field(default=None, description="of particles with voids, as the report has it")
    actions: tuple[ActionView, ...]
    alarms: tuple[Alarm, ...]
    disk_free_bytes: int
    report: bool
    results: bool


class TileView(Record):
    """A tile of the mosaic: stage position of its centre, its size in um; picture: "" until it is kept."""

    frame_id: str
    row: int
    column: int
    x_um: float
    y_um: float
    width_um: float
    height_um: float
    outcome: FrameOutcome
    picture: str = ""


class MosaicView(Record):
    """The tiles, and the stitched mosaic when there is one: its picture, and what it covers on the stage in um.

    particles: places of what was found in it are not on file; how many were.
    """

    tiles: tuple[TileView, ...]
    picture: str = ""
    x0_um: float = 0.0
    y0_um: float = 0.0
    width_um: float = 0.0
    height_um: float = 0.0
    particles: int | None = None


class RegionView(Record):
    """A region on the mosaic. state: waiting, scanning, or the state of its life after the scan; frames with an outcome
    and planned; particles: whole ones that were measured, voided: how many of them have voids, voided_percent: their
    share, weighted as in its results; trust: pass, doubt or redo, "" where nobody looked.
    """

    name: str
    x_um: float
    y_um: float
    z_um: float
    width_um: float
    height_um: float
    state: str
    reason: str
    why: str
    added_by: str
    done: int
    planned: int
    expected_particles: int
    particles: int | None
    voided: int | None = None
    voided_percent: Figure
    equivalent_diameter_um: Figure
    trust: str
    preview: str = ""
    volume: bool = False
    doubts: tuple[str, ...] = ()


class Regions(Record):
    """All regions, in the order in which they are scanned."""

    regions: tuple[RegionView, ...]


class Line(Record):
    """An event as a line of the log. id: its number in the journal."""

    id: int
    t_s: float
    utc: str | None
    level: Level
    kind: str
    text: str


class Lines(Record):
    """Lines in order; last_id: the newest of the journal."""

    lines: tuple[Line, ...]
    last_id: int


class Planes(Record):
    """What a volume offers: shape (z, y, x), voxel size, and the values (1/um) that grey 0 and 255 stand for."""

    shape: tuple[int, ...] = Field(min_length=3, max_length=3)
    voxel_size_um: float | None
    low_per_um: float
    high_per_um: float
    labels: bool


class Table(Record):
    """A table of a run: its columns with unit and meaning, and its rows; an empty cell is None. others: columns that
    were not asked for.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[float | int | str | bool | None, ...], ...]
    total: int
    others: tuple[TableColumn, ...] = ()


class TableColumn(Record):
    name: str
    heading: str
    unit: str
    meaning: str
    numeric: bool = True


class Cost(Record):
    """What one more place would cost: instrument time, dose, disk; expected whole particles; windows that it takes."""

    windows: int
    seconds: float
    dose_gy: float
    bytes: int
    particles: Figure


class Request(Record):
    """Of an action without further words; see `Wish`."""

    request: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$")


class Wish(Record):
    """A command to a run. request: a number of the sender's own choice; the same one again is not carried out twice."""

    command: Command
    request: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$")


class Said(Record):
    """What came of an action, in words."""

    text: str


class Refusal(Record):
    """Why not: what, where, which value met which limit, what to do next."""

    what: str
    where: str | None = None
    value: str | None = None
    limit: str | None = None
    remedy: str | None = None


class RecipeCard(Record):
    """A recipe that may be started: its name, its file's name, what its first comment says."""

    name: str
    file: str
    about: str


class Setting(Record):
    """A setting of a recipe as a field of a form: its path (``scan.projections``), what it is, and what it stands at.

    choices: of a field that has only some; kind: number, integer, text, switch or choice.
    """

    path: str
    kind: str
    value: float | int | str | bool | None
    meaning: str
    choices: tuple[str, ...] = ()


class Draft(Record):
    """A recipe to be checked, planned or started. settings: path -> value, in place of the file's."""

    file: str = Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.ya?ml$")
    settings: dict[str, float | int | str | bool | None] = Field(default_factory=dict, max_length=200)


class DraftView(Record):
    """What is wrong with a draft (nothing: it can be started), and what it will cost; rehearse: whether it can be."""

    faults: tuple[Refusal, ...]
    warnings: tuple[str, ...]
    plan: Plan | None
    rehearse: ActionView | None = None


class Start(Draft):
    """A draft to be started. request: see `Wish`."""

    request: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$")


class Enqueue(Start):
    """A draft for the queue. first: done next, in front of all others."""

    first: bool = False


class QueueItem(Record):
    """An item of the queue. begins, ends: by plan, None for what is over or will not be begun; obstacle: why it will
    not be; run: the name of its run, "" before there is one; actions: what can be done with it: move, skip, retry.
    """

    number: int
    name: str
    state: str
    reason: str
    priority: int
    deadline: datetime | None
    begins: datetime | None
    ends: datetime | None
    seconds: float
    obstacle: str
    run: str
    actions: tuple[str, ...]


class QueueView(Record):
    """The queue as it stands. ahead: in the order of their turn; over: what has ended; runner: the process that runs
    it, "" when nobody does; remarks: what there is to say of the whole; morning: whether its page is there.
    """

    path: str
    runner: str
    ahead: tuple[QueueItem, ...]
    over: tuple[QueueItem, ...]
    ends: datetime | None
    seconds: float
    remarks: tuple[str, ...]
    morning: bool


class Move(Record):
    """Where an item is to stand: before another one, after another one, or first of all."""

    before: int | None = None
    after: int | None = None
    first: bool = False


class Control(Record):
    """Who is in control in the browsers: only whoever is may act; abort and pause are for every operator.

    you: whether it is who asks; role: of who asks, operator or viewer.
    """

    holder: str
    since_utc: str | None
    seen_utc: str | None = Field(default=None, description="when a page of the holder's was last heard of")
    you: bool
    role: str
    local: bool = Field(description="whether no token is needed")


class Take(Record):
    """Take control, under a name that others see. free: only where nobody has it, as with a first action."""

    name: str = Field(min_length=1, max_length=60)
    free: bool = False


Table.model_rebuild()
