"""What the server says of a rehearsal: how far it is, and what the night came to on the twin."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from xrm_control.contracts.document import Record
from xrm_control.contracts.morning import Hold
from xrm_control.contracts.rehearsal import Quantiles


class RehearsalState(StrEnum):
    """How a rehearsal stands: troubled is one that could not be played to its end."""

    NONE = "none"
    PLAYING = "playing"
    PLAYED = "played"
    TROUBLED = "troubled"
    CANCELLED = "cancelled"


class AxisRange(Record):
    """How far an axis went at exposures, between its limits where the plan knows them; unit: of all four numbers."""

    axis: str
    unit: str
    low: float
    high: float
    limits: tuple[float, float] | None


class RehearsedNight(Record):
    """What the night came to. time: instrument time in s with its quantiles; planned_s: by the plan, which knows no
    trouble; frames by outcome; missing: not taken or not reached; holds: times in s of instrument time.
    """

    time: Quantiles
    planned_s: float
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]
    planned_frames: int
    kept: int
    retaken: int
    missing: int
    disk_bytes: int
    dose_gy: float
    axes: tuple[AxisRange, ...]
    holds: tuple[Hold, ...]
    start: str
    notes: tuple[str, ...]


class RehearsalView(Record):
    """The newest rehearsal. file, settings: the draft that it is of; elapsed_s, limit_s: of the wall clock; said: why
    it was not played to its end; folder: for `xrm compare RUN --with FOLDER`.
    """

    state: RehearsalState
    file: str = ""
    settings: dict[str, float | int | str | bool | None] = Field(
        default_factory=dict[str, float | int | str | bool | None]
    )
    started_utc: str | None = None
    elapsed_s: float = 0.0
    limit_s: float = 0.0
    said: str = ""
    folder: str = ""
    night: RehearsedNight | None = None
