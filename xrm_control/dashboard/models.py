"""What is asked of the server, and what it says to that: one model each; OpenAPI is made from them. Runs, mosaic,
tables and queue have modules of their own.
"""

from __future__ import annotations

from pydantic import Field

from xrm_control.contracts.commands import Command
from xrm_control.contracts.document import Figure, Record
from xrm_control.contracts.plan import Plan
from xrm_control.core.states import Level
from xrm_control.dashboard.models_run import ActionView


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
