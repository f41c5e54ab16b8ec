"""Letters to a run that is being carried out: what an operator wants of it, and the answer."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator

from xrm_control.contracts.document import Document, JsonFile, Record

STAGES = ("mosaic", "rois")
"""Stages of a run that can be named beside its regions: the mosaic, and the choice of the regions."""
REGION = re.compile(r"roi-\d{2,}")

_ROI = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


def _told_by_kind(schema: dict[str, JsonValue]) -> None:
    """Which command is meant is always written: among several there is no usual one."""
    required = schema.setdefault("required", [])
    if isinstance(required, list):
        required.insert(0, "kind")


class _Sent(Record):
    model_config = ConfigDict(json_schema_extra=_told_by_kind)


class Pause(_Sent):
    """Stand still, in the safe state, after the frame in flight."""

    kind: Literal["pause"] = "pause"

    @property
    def text(self) -> str:
        return "pause"


class Continue(_Sent):
    """Go on after a pause."""

    kind: Literal["continue"] = "continue"

    @property
    def text(self) -> str:
        return "continue"


class Skip(_Sent):
    """Set a region aside: it is not scanned, or not any further."""

    kind: Literal["skip"] = "skip"
    roi: str = Field(pattern=_ROI)

    @property
    def text(self) -> str:
        return f"skip {self.roi}"


class Order(_Sent):
    """Scan these regions first of those that wait, in this order; the others follow as they stood."""

    kind: Literal["order"] = "order"
    rois: tuple[Annotated[str, Field(pattern=_ROI)], ...] = Field(min_length=1, max_length=99)

    @field_validator("rois")
    @classmethod
    def _each_once(cls, rois: tuple[str, ...]) -> tuple[str, ...]:
        twice = [roi for roi in rois if rois.count(roi) > 1]
        if twice:
            raise ValueError(f"{twice[0]} is named twice")
        return rois

    @property
    def text(self) -> str:
        return f"order {' '.join(self.rois)}"


class Add(_Sent):
    """Scan one more place: the window around it, or as many windows as cover a box of width and height around it.

    Stage position in um; without z_um the one of the recipe's strategy.
    """

    kind: Literal["add"] = "add"
    x_um: float
    y_um: float
    z_um: float | None = None
    width_um: float | None = Field(default=None, gt=0)
    height_um: float | None = Field(default=None, gt=0)

    @property
    def text(self) -> str:
        box = "" if self.width_um is None else f", {self.width_um:g} by {self.height_um or self.width_um:g} um"
        return f"add ({self.x_um:g}, {self.y_um:g}) um{box}"


class Until(_Sent):
    """End the run when a stage has come to its end: ``mosaic``, ``rois`` (their choice), or the scan of a region."""

    kind: Literal["until"] = "until"
    stage: str = Field(pattern=_ROI)

    @property
    def text(self) -> str:
        return f"until {self.stage}"


class Stop(_Sent):
    """End the run after the frame in flight, after the scan or mosaic in progress, or after the region in progress (in
    the mosaic: after the first region)."""

    kind: Literal["stop"] = "stop"
    after: Literal["frame", "scan", "region"] = "frame"

    @property
    def text(self) -> str:
        return f"stop after this {self.after}"


class Abort(_Sent):
    """End the run now: the exposure in flight is lost, what computes is ended."""

    kind: Literal["abort"] = "abort"

    @property
    def text(self) -> str:
        return "abort"


Command = Annotated[Pause | Continue | Skip | Order | Add | Until | Stop | Abort, Field(discriminator="kind")]


class Letter(Document):
    """A command, who sent it (user@host) and when (UTC, ISO 8601)."""

    command: Command
    by: str = Field(min_length=1, max_length=200)
    sent_utc: str = Field(max_length=40)


class Reply(Document):
    """Whether the run takes a command, and what comes of it or why not."""

    accepted: bool
    text: str


LETTER = JsonFile("command.json", Letter)
REPLY = JsonFile("reply.json", Reply)
