"""morning.json: what became of every item of a queue, with the evidence."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from xrm_control.contracts.document import Document, JsonFile, Record
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.contracts.queue import Budget, ItemCost, ItemEntry, Sitting
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RoiState, Verdict


class Hold(Record):
    """A time in which a run waited, in s of its instrument time; to_s None: it waited to its end."""

    from_s: float
    to_s: float | None
    reason: str


class RegionFate(Record):
    """What became of a region."""

    name: str
    state: RoiState | None
    reason: str = ""


class Evidence(Document):
    """What a run's own journal and results say of an item. Paths are relative to the item's folder.

    used_s: instrument time, standing still included; standing_s: of that, held or paused; beam_s: exposed with the
    shutter open; dose_gy: surface dose, summed over the scans; resumed: how often it was gone on with.
    """

    run: str
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    used_s: float = 0.0
    standing_s: float = 0.0
    holds: tuple[Hold, ...] = ()
    resumed: int = 0
    retaken: int = 0
    frames: dict[str, FrameOutcomes] = Field(default_factory=dict[str, FrameOutcomes])
    beam_s: float = 0.0
    dose_gy: float = 0.0
    particles: int = 0
    whole_particles: int = 0
    regions: tuple[RegionFate, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def outcomes(self) -> FrameOutcomes:
        """Of all planned frames."""
        return sum(self.frames.values(), FrameOutcomes())


class MorningItem(Record):
    """One item. folder: relative to the queue's; report, pictures: relative to the queue's, of those that are there;
    next: commands to go on with, to copy.
    """

    number: int
    name: str
    folder: str
    state: ItemState
    reason: str
    at_um: tuple[float, float] | None
    priority: int
    deadline: AwareDatetime | None
    budget: Budget
    cost: ItemCost
    evidence: Evidence | None
    report: str | None
    mosaic: str | None
    pictures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    history: tuple[ItemEntry, ...]

    @property
    def used_s(self) -> float:
        """Instrument time."""
        return 0.0 if self.evidence is None else self.evidence.used_s


class Totals(Record):
    """Of all items whose runs were begun: as planned, and as it came."""

    planned_s: float = 0.0
    used_s: float = 0.0
    planned_beam_s: float = 0.0
    beam_s: float = 0.0
    planned_dose_gy: float = 0.0
    dose_gy: float = 0.0
    standing_s: float = 0.0
    retaken: int = 0
    particles: int = 0
    frames: FrameOutcomes = FrameOutcomes()


class Morning(Document):
    """The page as data. ahead_s: how far the items' times are ahead of the wall clock, in virtual time;
    problems: what is wrong with the queue's own files; next: commands for the queue as a whole.
    """

    queue: str
    written: AwareDatetime
    running: bool
    end: AwareDatetime | None
    budget: Budget
    unsafe: str | None
    ahead_s: float = 0.0
    items: tuple[MorningItem, ...]
    totals: Totals
    sittings: tuple[Sitting, ...]
    problems: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


EVIDENCE = JsonFile("evidence.json", Evidence)
MORNING = JsonFile("morning.json", Morning)
