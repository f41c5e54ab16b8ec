"""What an operator knows of the strip beforehand: places to keep away from, and places that must be scanned first."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xrm_control.core.geometry import Coordinate
from xrm_control.core.model import Spec

_Name = Annotated[str, Field(min_length=1, max_length=40)]
_Reason = Annotated[str, Field(max_length=200)]
_Length = Annotated[float, Field(gt=0, le=20_000)]


class Avoided(Spec):
    """A place that no region may touch: a rectangle, or a disc where a diameter is given; stage um, its middle."""

    name: _Name
    reason: _Reason = ""
    x_um: Coordinate
    y_um: Coordinate
    width_um: _Length | None = None
    height_um: _Length | None = Field(default=None, description="left out: as wide as high")
    diameter_um: _Length | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Avoided:
        if (self.width_um is None) == (self.diameter_um is None):
            raise ValueError("give width_um (and height_um) of a rectangle, or diameter_um of a disc")
        if self.height_um is not None and self.width_um is None:
            raise ValueError("height_um goes with width_um; a disc has diameter_um alone")
        return self

    @property
    def size_um(self) -> tuple[float, float]:
        """Width and height of the box around it."""
        if self.diameter_um is not None:
            return self.diameter_um, self.diameter_um
        width_um = self.width_um or 0.0
        return width_um, self.height_um or width_um

    @property
    def text(self) -> str:
        """Its name, and why."""
        return f"'{self.name}'" + (f" ({self.reason})" if self.reason else "")

    def touched_by(self, centres_um: NDArray[np.float64], fov_um: float) -> NDArray[np.bool_]:
        """(n,): which square windows with these centres (n, 2) overlap it; sharing an edge is no overlap."""
        apart = np.abs(centres_um[:, :2] - (self.x_um, self.y_um))
        if self.diameter_um is None:
            inside = apart < (np.array(self.size_um) + fov_um) / 2 * (1 - 1e-9)
            return inside[:, 0] & inside[:, 1]
        beyond = np.maximum(apart - fov_um / 2, 0.0)
        return np.hypot(beyond[:, 0], beyond[:, 1]) < self.diameter_um / 2 * (1 - 1e-9)


class Must(Spec):
    """A place that is scanned before any that is chosen; stage um, the middle of its window."""

    name: _Name
    reason: _Reason = ""
    x_um: Coordinate
    y_um: Coordinate
    z_um: Coordinate | None = Field(default=None, description="stage z; left out: the strategy's own z_um")


class EdgeOnSpec(Spec):
    """How dark a region may be at +-90 degrees, where the beam runs through the whole width of the strip."""

    least_transmission_percent: float = Field(
        default=2.0, gt=0, lt=100, description="a ray of which less is left at +-90 degrees counts as dark"
    )
    most_dark_percent: float = Field(
        default=80.0,
        ge=0,
        le=100,
        description="share of dark rays among those that meet powder in a window; beyond it the window comes last",
    )
