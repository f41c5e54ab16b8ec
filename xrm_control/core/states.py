"""What a run, a region and a frame can be: the enumerations that state machine, journal, screens and report share."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where a run is. The legal ways between these are in `session.states`."""

    IDLE = "idle"
    CONNECTING = "connecting"
    HOMING = "homing"
    MOSAICKING = "mosaicking"
    PICKING = "picking"
    ALIGNING = "aligning"
    REFERENCING = "referencing"
    SCANNING = "scanning"
    CHECKING = "checking"
    PAUSED = "paused"
    HELD = "held"
    FINISHING = "finishing"
    DONE = "done"
    ABORTING = "aborting"
    ABORTED = "aborted"
    FAILING = "failing"
    FAILED = "failed"


WORKING = (
    RunState.CONNECTING,
    RunState.HOMING,
    RunState.MOSAICKING,
    RunState.PICKING,
    RunState.ALIGNING,
    RunState.REFERENCING,
    RunState.SCANNING,
    RunState.CHECKING,
)
WAITING = (RunState.PAUSED, RunState.HELD)
ENDING = (RunState.FINISHING, RunState.ABORTING, RunState.FAILING)
ENDS = (RunState.DONE, RunState.ABORTED, RunState.FAILED)


class RoiState(StrEnum):
    """The life of a region after its scan; it ends `reported`, or `quarantined` with a reason."""

    SCANNED = "scanned"
    RECONSTRUCTING = "reconstructing"
    ANALYSING = "analysing"
    REPORTED = "reported"
    QUARANTINED = "quarantined"


ROI_ENDS = (RoiState.REPORTED, RoiState.QUARANTINED)


class FrameKind(StrEnum):
    """What a frame shows: the sample (tile, projection, a projection's view once more at the scan's end: repeat), the
    beam without it (flat), no beam (dark), or the beam with a part of it behind an opaque blade (blocker)."""

    TILE = "tile"
    PROJECTION = "projection"
    FLAT = "flat"
    DARK = "dark"
    BLOCKER = "blocker"
    REPEAT = "repeat"


REFERENCES = (FrameKind.DARK, FrameKind.FLAT)


class FrameOutcome(StrEnum):
    """What became of a planned frame; `open` until it is decided."""

    KEPT = "kept"
    MISSING = "missing"
    OPEN = "open"


class Verdict(StrEnum):
    """What a run is worth as a whole: `complete` only when nothing that was asked for is missing, and no check of a
    region doubts its numbers; `doubt` when one does."""

    COMPLETE = "complete"
    DOUBT = "doubt"
    INCOMPLETE = "incomplete"
    ABORTED = "aborted"
    FAILED = "failed"


class Level(StrEnum):
    """How much an event matters; `debug` stays in the log, the rest is in the journal."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
