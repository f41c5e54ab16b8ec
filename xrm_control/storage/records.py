"""What the journal takes and gives: plain frozen records."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from xrm_control.contracts.lot import LotVerdict
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.rehearsal import REHEARSAL_BACKEND
from xrm_control.core.states import ENDS, FrameKind, Level, RoiState, RunState


@dataclass(frozen=True)
class RunRecord:
    """Who made a run, from what; `started_utc` in ISO 8601."""

    name: str
    recipe_name: str
    recipe_sha256: str
    backend: str
    simulated: bool
    started_utc: str

    @property
    def rehearsal(self) -> bool:
        """Whether it was played on a twin: nothing of it is data."""
        return self.backend == REHEARSAL_BACKEND


@dataclass(frozen=True)
class PlannedFrame:
    """A frame that shall be taken. `frame_id` is its file in `frames/` without suffix; `roi` is "" for the mosaic."""

    frame_id: FrameId
    stage: str
    kind: FrameKind
    number: int
    target: Pose
    exposure_s: float
    binning: int
    roi: str = ""


@dataclass(frozen=True)
class Intent:
    """A planned frame that is about to be exposed, at which angle, and when that was decided (instrument time)."""

    frame_id: FrameId
    theta_deg: float
    t_s: float


@dataclass(frozen=True)
class Exposure:
    """What the instrument says of one exposure: measured pose, start and end in instrument time, the camera's id."""

    actual: Pose
    t_start_s: float
    t_end_s: float
    unique_id: int


@dataclass(frozen=True)
class StoredFrame:
    """A frame that is durable on the disk. `path` is relative to the run folder; shape is (rows, columns)."""

    frame_id: FrameId
    attempt: int
    path: str
    bytes: int
    shape: tuple[int, int]
    dtype: str
    sha256: str
    exposure: Exposure
    mean_counts: float | None


class ArtifactKind(StrEnum):
    """What a recorded file is to its run; `check`: what was taken again, or brought, to be compared."""

    RECIPE = "recipe"
    PLAN = "plan"
    TRUTH = "truth"
    MOSAIC = "mosaic"
    ROIS = "rois"
    PICTURE = "picture"
    CHECK = "check"
    VOLUME = "volume"
    PREVIEW = "preview"
    HANDOFF = "handoff"
    ANALYSIS = "analysis"
    TABLE = "table"
    RESULTS = "results"
    REPORT = "report"
    REANALYSIS = "reanalysis"


@dataclass(frozen=True)
class Artifact:
    """A file that a stage made: `path` relative to the run folder, `roi` "" for the run as a whole.

    inputs: SHA-256 of the files that it was made of, by path; what is made of frames names them in handoff.json.
    """

    path: str
    sha256: str
    bytes: int
    kind: str
    t_s: float
    roi: str = ""
    inputs: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ChainLink:
    """A link of the journal's chain: it stands for all of the first `rows` rows, in the order of their writing."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class EventRecord:
    """Something that happened at instrument time `t_s` (and wall-clock time `utc`, where known)."""

    t_s: float
    level: Level
    kind: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    utc: str | None = None


@dataclass(frozen=True)
class StateRecord:
    """A state of the run that was entered, and why."""

    state: RunState
    t_s: float
    reason: str = ""
    utc: str | None = None


@dataclass(frozen=True)
class RoiStateRecord:
    """A state of a region that was entered, and why."""

    state: RoiState
    t_s: float
    reason: str = ""
    utc: str | None = None


@dataclass(frozen=True)
class Accounting:
    """The fate of planned frames: ``planned == kept + missing + open``; `retaken` counts the rejected attempts."""

    planned: int = 0
    kept: int = 0
    missing: int = 0
    open: int = 0
    retaken: int = 0

    def __add__(self, other: Accounting) -> Accounting:
        """Of both together."""
        return Accounting(
            self.planned + other.planned,
            self.kept + other.kept,
            self.missing + other.missing,
            self.open + other.open,
            self.retaken + other.retaken,
        )

    @property
    def complete(self) -> bool:
        """True when every planned frame is kept."""
        return self.kept == self.planned


@dataclass(frozen=True)
class StageProgress:
    """How far a stage (of one ROI, or of the mosaic with roi "") has come: frames with an outcome, frames planned."""

    stage: str
    roi: str
    done: int
    planned: int


@dataclass(frozen=True)
class RunSummary:
    """What `xrm status` shows; `last_t_s` is the latest instrument time in the journal.

    alive: a process carries the run out, `process` is its number; suspended: a signal has stopped that process, and it
    does nothing until another lets it go on; last_sign_utc: when anything was last written;
    life_unknown: why it cannot be told whether a process carries it out; "" where that is known;
    disk_trouble: why nothing can be written there at this moment, "" for nothing: an end may not have been recorded;
    outcomes: of all planned frames, by kind; incidents: what went otherwise than planned, a line each; lot: the
    verdict on the lot, None where there is none yet or nothing was specified.
    """

    run: RunRecord
    state: StateRecord | None
    stages: tuple[StageProgress, ...]
    frames: dict[str, Accounting]
    total: Accounting
    rois: dict[str, RoiStateRecord]
    last_event: EventRecord | None
    last_t_s: float | None
    alive: bool = False
    process: int | None = None
    suspended: bool = False
    last_sign_utc: str | None = None
    life_unknown: str = ""
    disk_trouble: str = ""
    outcomes: dict[str, FrameOutcomes] = field(default_factory=dict[str, FrameOutcomes])
    incidents: tuple[str, ...] = ()
    lot: LotVerdict | None = None

    @property
    def ended(self) -> bool:
        """Whether the run has come to an end that is on record."""
        return self.state is not None and self.state.state in ENDS

    @property
    def stopped(self) -> bool:
        """Whether it stands still, safe, and nobody carries it out: it was ended in order, or its process died then."""
        return not self.maybe_alive and self.state is not None and self.state.state is RunState.PAUSED

    @property
    def died(self) -> bool:
        """Whether nobody carries it out any more, and it has come to no end."""
        return not self.maybe_alive and not self.ended and not self.stopped

    @property
    def maybe_alive(self) -> bool:
        """Whether a process carries it out, or may, as far as can be told."""
        return self.alive or bool(self.life_unknown)

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON-able data."""
        told = {kind: one.model_dump() for kind, one in self.outcomes.items()}
        lot = None if self.lot is None else self.lot.model_dump(mode="json")
        return {
            **asdict(self),
            "outcomes": told,
            "lot": lot,
            "ended": self.ended,
            "stopped": self.stopped,
            "died": self.died,
        }
