"""Whether the camera still stands as a recipe's alignment says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.run import RunEvent
from xrm_control.core.states import Level


@dataclass(frozen=True)
class AlignmentLook(RunEvent):
    """A picture is about to be taken after a known move; it is a check, and no frame of the run's plan."""

    kind: ClassVar[str] = "alignment.look"

    number: int
    x_um: float
    y_um: float
    z_um: float
    theta_deg: float
    lit: bool

    @property
    def text(self) -> str:
        return f"alignment, picture {self.number} at ({self.x_um:.1f}, {self.y_um:.1f}) um"


@dataclass(frozen=True)
class AlignmentHeld(RunEvent):
    """Known moves at the run's beginning: the picture lay so far off what the alignment says, in um."""

    kind: ClassVar[str] = "alignment.held"

    off_um: float
    allowed_um: float

    @property
    def text(self) -> str:
        off = f"{self.off_um:.2f} um off after a known move (limit {self.allowed_um:.2f})"
        return f"the camera stands as calibrated: {off}"


@dataclass(frozen=True)
class AlignmentNotHeld(RunEvent):
    """Whether the camera stands as calibrated cannot be told."""

    kind: ClassVar[str] = "alignment.held"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"the camera's alignment was not held against known moves: {self.reason}"
