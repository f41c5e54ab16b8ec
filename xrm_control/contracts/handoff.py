"""handoff.json: what an analysis core receives with a volume."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator

from xrm_control.contracts.document import Document, Figure, JsonFile, Record
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.core.sample import SampleSpec


class StagePosition(Record):
    """A place on the stage at theta = 0, um."""

    x: float
    y: float
    z: float


class RecipeReference(Record):
    """Which recipe a file comes from."""

    name: str = ""
    sha256: str = ""


class HandoffSpec(Document):
    """handoff.json: one volume (z, y, x), what it is of, and how it was made.

    volume: file beside handoff.json; attenuation_scale: what its numbers are multiplied with to give `units`;
    centre_stage_um: stage position of the middle of the volume; quality: figures of the reconstruction; warnings: what
    it had to say besides; inputs: SHA-256 of the volume and of the frames by name; analysis: the settings of the
    built-in core, for which it alone cares.
    """

    sample: SampleSpec | None = None
    recipe: RecipeReference = RecipeReference()
    volume: str = Field(min_length=1)
    shape: tuple[int, int, int] | None = None
    voxel_size_um: float = Field(gt=0)
    units: Literal["1/um"] = "1/um"
    attenuation_scale: float = Field(default=1.0, gt=0)
    roi: str = "roi-01"
    centre_stage_um: StagePosition = StagePosition(x=0, y=0, z=0)
    rotation_axis_px: Figure = None
    quality: QualityMetrics = QualityMetrics()
    warnings: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("warnings", "remarks"))
    inputs: dict[str, str] = Field(default_factory=dict)
    analysis: dict[str, Any] = Field(default_factory=dict)

    @field_validator("sample", mode="before")
    @classmethod
    def _nothing_said(cls, value: object) -> object:
        # An empty object says nothing of the sample: it is no powder by default.
        return None if value == {} else value


HANDOFF = JsonFile("handoff.json", HandoffSpec)
