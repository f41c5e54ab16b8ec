"""results.json: what a run, or one region of it, found out."""

from __future__ import annotations

from pydantic import AliasChoices, Field, field_validator

from xrm_control.contracts.document import Document, JsonFile, Record
from xrm_control.contracts.expectation import ExpectedParticles
from xrm_control.contracts.handoff import RecipeReference
from xrm_control.contracts.lot import LotVerdict
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.contracts.population import Population
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.table1 import Table1
from xrm_control.contracts.truth import TruthMatch
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Verdict


class InstrumentTimes(Record):
    """The instrument's own times; mosaic_s: None when there was none; scan_s: by region."""

    mosaic_s: float | None
    scan_s: dict[str, float]
    total_s: float


class RegionCounts(Record):
    """What was measured; moved_particles: of the whole ones, those that moved during the scan and count in no
    statistics, None: none; voids: None where nobody looked for them.
    """

    particles: int
    whole_particles: int
    moved_particles: int | None = None
    voids: int | None


class RunCounts(RegionCounts):
    """tiles: radiographs of the mosaic that were kept; projections: of the largest scan, as planned;
    particles_in_mosaic: found there; particles_in_mosaic_between: two ends of a 95 % interval of how many there are,
    None where that cannot be stated.
    """

    tiles: int
    particles_in_mosaic: int | None
    rois: int
    projections: int
    particles_in_mosaic_between: tuple[int, int] | None = None


class RunVerdict(Record):
    """How a run ended, and why it is not complete."""

    status: Verdict
    reasons: tuple[str, ...] = ()


class Pause(Record):
    """While the run stood still, in s of instrument time; found: how, and how frames and sample were afterwards."""

    from_s: float
    to_s: float
    found: tuple[str, ...]


class Incident(Record):
    """What went otherwise than planned at t_s of instrument time. kind: of the event; text: in a line."""

    t_s: float
    kind: str
    text: str


class ChainMark(Record):
    """The journal's running hash after so many rows: what was summed up, to be compared later."""

    rows: int
    sha256: str


class ReanalysisNote(Record):
    """Of a run whose volumes were measured again. settings: in place of the recipe's; inputs: volumes and hand-offs."""

    key: str
    settings: dict[str, str]
    inputs: dict[str, str]


class Measured(Document):
    """What the results of a run and of a region share."""

    table1: Table1
    population: Population
    quality: dict[str, QualityMetrics]


class RegionResults(Measured):
    """results.json of one region, as the built-in core writes it. warnings: of reconstruction and hand-off; doubts:
    what speaks against the numbers of a volume of which nothing else is known, and what to do.

    scale, grey: voxel size and unit of the grey values, with where each is from; field: which part was looked at.
    """

    roi: str
    counts: RegionCounts
    inputs: dict[str, str]
    recipe: RecipeReference
    sample: SampleSpec | None
    warnings: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("warnings", "remarks"))
    doubts: tuple[str, ...] = ()
    scale: str = ""
    grey: str = ""
    field: str = ""

    @field_validator("sample", mode="before")
    @classmethod
    def _nothing_said(cls, value: object) -> object:
        return None if value == {} else value


class RunResults(Measured):
    """results.json of a run. quality: by region; truth: of simulated runs whose particles were measured; pauses: after
    which it was gone on with; incidents: holds, conditions and policies, in order of time; frames: outcomes of all
    planned ones, by kind; chain: of the journal that was summed up, None where it is of a version without one;
    expectations: particles that the mosaic promised of each region against those found, none in runs of before there
    was one; reanalysis: None for what the run itself found out; lot: None where the recipe has no specification."""

    run: str
    recipe_name: str
    recipe_sha256: str
    backend: str
    simulated: bool
    started_utc: str
    versions: dict[str, str]
    sample: SampleSpec
    instrument_times: InstrumentTimes
    counts: RunCounts
    truth: TruthMatch | None
    verdict: RunVerdict
    pauses: tuple[Pause, ...] = ()
    incidents: tuple[Incident, ...] = ()
    frames: dict[str, FrameOutcomes] = Field(default_factory=dict)
    expectations: tuple[ExpectedParticles, ...] = ()
    chain: ChainMark | None = None
    reanalysis: ReanalysisNote | None = None
    lot: LotVerdict | None = None


RESULTS = JsonFile("results.json", RunResults)
REGION_RESULTS = JsonFile("results.json", RegionResults)
