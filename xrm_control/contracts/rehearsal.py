"""rehearsal.json: what a night came to on the twin, before anything moved. Nothing in it is data."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from xrm_control.contracts.account import Account
from xrm_control.contracts.document import Document, JsonFile, Record


class Quantiles(Record):
    """Instrument time in s that is not exceeded with a probability of 10, 50 and 90 %; of: how it was found."""

    p10_s: float
    p50_s: float
    p90_s: float
    of: str


class Start(Record):
    """Where the night was begun. positions: of the axes, in um and degrees; read: asked of the instrument itself;
    note: how, or why not.
    """

    positions: dict[str, float]
    read: bool
    note: str


class Cost(Record):
    """By the plan, which knows no trouble."""

    total_s: float
    frames: int
    rois: int
    disk_bytes: int
    dose_gy: float


class Night(Record):
    """The item played once. faults: of the storm, a line each; error: what ended it, "" for nothing; run: its folder,
    relative to the rehearsal's, None where it was not kept; wall_s: how long it took to play.
    """

    seed: int
    faults: tuple[str, ...]
    error: str
    account: Account
    run: str | None
    wall_s: float


class RehearsedItem(Record):
    """A recipe, alone or of a queue. recipe_sha256: of the recipe that was rehearsed, as a real run of it records it;
    instrument: that it names; notes: what differs from a real night, a sentence each.
    """

    number: int
    name: str
    recipe_name: str
    recipe_sha256: str
    instrument: str
    start: Start
    plan: Cost
    notes: tuple[str, ...] = ()
    nights: tuple[Night, ...] = Field(min_length=1)
    time: Quantiles


class Rehearsal(Document):
    """The whole. kind: so that no reader takes it for results; of: recipe or queue as it was named; images: whether
    frames were rendered and volumes made; storm: its name or file, "" for calm; time: of all items, one after another;
    left_out: items of the queue that would not be begun, and why.
    """

    kind: Literal["rehearsal"] = "rehearsal"
    of: str
    written: AwareDatetime
    images: bool
    storm: str
    items: tuple[RehearsedItem, ...] = Field(min_length=1)
    left_out: tuple[str, ...] = ()
    time: Quantiles
    wall_s: float

    def item(self, recipe_sha256: str) -> RehearsedItem | None:
        """The item of a recipe, by the hash that a run of it records; None where it was not rehearsed."""
        return next((item for item in self.items if item.recipe_sha256 == recipe_sha256), None)


REHEARSAL = JsonFile("rehearsal.json", Rehearsal)
