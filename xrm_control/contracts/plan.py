"""plan.json: what a recipe costs, as it was known before anything moved."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from xrm_control.contracts.document import Document, JsonFile, Record
from xrm_control.core.errors import RecipeError


class StagePlan(Record):
    """One stage: instrument time, frames and their bytes on the disk."""

    name: str
    seconds: float
    frames: int
    bytes: int


class PlanWarning(Record):
    """What may go wrong with a recipe that is in order: where it was said, the value, what it met, what to do."""

    where: str
    what: str
    value: str | None = None
    limit: str | None = None
    remedy: str | None = None

    def message(self) -> str:
        """In one line, as errors are told."""
        return str(RecipeError(self.what, where=self.where, value=self.value, limit=self.limit, remedy=self.remedy))


class Plan(Record):
    """The cost of a recipe. Disk counts frames, volumes and tables; dose is what the powder absorbs at its surface.

    volume_width_um: of what is reconstructed, wider than the field of view in half acquisition; None in old plans.
    limits: of each axis, low and high, in um and degrees; total_s: instrument time of the whole run; warnings: what
    was doubtful about the recipe before anything moved.
    """

    stages: tuple[StagePlan, ...]
    rois: int
    projections: int
    pixel_size_um: float
    field_of_view_um: float
    volume_width_um: float | None = None
    disk_bytes: int
    memory_bytes: int
    dose_per_scan_gy: float
    particles_in_mosaic: int
    particles_per_volume: int
    limits: dict[str, tuple[float, float]]
    total_s: float
    warnings: tuple[PlanWarning, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON-able data."""
        return self.model_dump(mode="json")

    def stage(self, name: str) -> StagePlan | None:
        """The stage of that name; None when none was planned."""
        return next((stage for stage in self.stages if stage.name == name), None)


class PlannedCore(Record):
    """Which analysis core the recipe names."""

    model_config = ConfigDict(frozen=True, extra="allow")

    core: str = "builtin"
    command: tuple[str, ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether it is another one than the built-in core."""
        return bool(self.command) or self.core != "builtin"


class PlannedRecipe(Record):
    """The recipe as it was validated, all of it; only what a reader of the plan needs has a type here."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = ""
    handoff: PlannedCore = PlannedCore()


class PlanDocument(Plan, Document):
    """plan.json: the plan and the recipe that it is of."""

    recipe: PlannedRecipe = PlannedRecipe()


PLAN = JsonFile("plan.json", PlanDocument)
