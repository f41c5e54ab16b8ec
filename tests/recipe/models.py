"""Small recipes to make mistakes in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from xrm_control.core.errors import DataError
from xrm_control.core.model import Spec


class Grid(Spec):
    kind: Literal["grid"] = "grid"
    rows: int = Field(default=2, ge=1)


class Point(Spec):
    x_um: float
    y_um: float


class Manual(Spec):
    kind: Literal["manual"]
    points: tuple[Point, ...] = Field(min_length=1)


class Scan(Spec):
    projections: Literal["auto"] | Annotated[int, Field(ge=2, le=5000)] = "auto"
    exposure_s: float = Field(default=1.25, gt=0, le=60)
    binning: Literal[1, 2, 4, 8] = 8
    method: Literal["fbp", "sirt"] = "fbp"
    angles_deg: tuple[float, float] = (-90, 90)
    fast: bool = False
    rows: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Scan:
        if self.angles_deg[0] >= self.angles_deg[1]:
            raise DataError("the first angle must lie below the last", value=self.angles_deg)
        return self


class Recipe(Spec):
    name: str
    seed: int = 1
    scan: Scan = Scan()
    roi: Annotated[Grid | Manual, Field(discriminator="kind")] = Grid()
    tags: tuple[str, ...] = ()
    notes: dict[str, str] = Field(default_factory=dict)


class Required(Spec):
    name: str = Field(pattern="^[a-z]+$", description="small letters")
    roi: Annotated[Grid | Manual, Field(discriminator="kind")]
    exposure_s: float
    comment: str = Field(description="what the run is for")


class Petrol(Spec):
    kind: Literal["petrol"]
    power: int
    tank: int


class Electric(Spec):
    kind: Literal["electric"]
    power: int
    battery: int = 50


class Garage(Spec):
    name: str
    engine: Annotated[Petrol | Electric, Field(discriminator="kind")]
