"""What happens to regions (ROIs): choosing, checking, preview, reconstruction, analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.base import Event
from xrm_control.core.states import Level, RoiState


@dataclass(frozen=True)
class RoiEvent(Event):
    """Base of all that happens to one region."""

    roi: str


@dataclass(frozen=True)
class RoiChosen(RoiEvent):
    """It will be scanned; its centre in stage coordinates."""

    kind: ClassVar[str] = "roi.chosen"

    x_um: float
    y_um: float
    reason: str

    @property
    def text(self) -> str:
        return f"{self.roi} at ({self.x_um:.1f}, {self.y_um:.1f}) um: {self.reason}"


@dataclass(frozen=True)
class RoiStateEntered(RoiEvent):
    """One step in its life after the scan."""

    kind: ClassVar[str] = "roi.state"

    state: RoiState
    reason: str = ""

    @property
    def text(self) -> str:
        return f"{self.roi}: {self.state}{': ' if self.reason else ''}{self.reason}"


@dataclass(frozen=True)
class RoiQuarantined(RoiEvent):
    """It is set aside; the run goes on with the others."""

    kind: ClassVar[str] = "roi.quarantined"
    level: ClassVar[Level] = Level.ERROR

    reason: str

    @property
    def text(self) -> str:
        return f"{self.roi}: {self.reason}"


@dataclass(frozen=True)
class RoiPlaced(RoiEvent):
    """It is where the mosaic showed it: so far beside in the stage's x and y. correlation: 1 is the same picture."""

    kind: ClassVar[str] = "roi.place"

    x_um: float
    y_um: float
    correlation: float

    @property
    def text(self) -> str:
        return f"{self.roi} lies {beside(self.x_um, self.y_um)}"


@dataclass(frozen=True)
class RoiNotCompared(RoiEvent):
    """Whether it is where the mosaic showed it cannot be told."""

    kind: ClassVar[str] = "roi.place"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"{self.roi}: {self.reason}, not compared with the mosaic"


@dataclass(frozen=True)
class RoiMoved(RoiEvent):
    """It is not where the mosaic showed it."""

    kind: ClassVar[str] = "roi.moved"
    level: ClassVar[Level] = Level.ERROR

    x_um: float
    y_um: float
    correlation: float

    @property
    def text(self) -> str:
        return f"{self.roi} has moved by {beside(self.x_um, self.y_um)}"


@dataclass(frozen=True)
class RotationPairLost(RoiEvent):
    """The best pair of views that is left misses half a turn by so much."""

    kind: ClassVar[str] = "roi.remark"
    level: ClassVar[Level] = Level.WARNING

    missed_deg: float

    @property
    def text(self) -> str:
        missed = f"the best pair left misses half a turn by {self.missed_deg:.2f} deg"
        return f"{self.roi}: {missed}: the rotation axis is less exact"


@dataclass(frozen=True)
class ReconstructionWarned(RoiEvent):
    """What the reconstruction has to say besides its volume."""

    kind: ClassVar[str] = "roi.remark"
    level: ClassVar[Level] = Level.WARNING

    warning: str

    @property
    def text(self) -> str:
        return f"{self.roi}: {self.warning}"


@dataclass(frozen=True)
class RegionDoubted(RoiEvent):
    """A check of its numbers speaks against them. check: its name; doubt: why, and what to do."""

    kind: ClassVar[str] = "roi.doubted"
    level: ClassVar[Level] = Level.WARNING

    check: str
    doubt: str

    @property
    def text(self) -> str:
        return f"{self.roi}: {self.doubt}"


@dataclass(frozen=True)
class ExpectationCorrected(RoiEvent):
    """The first region that was measured held `found` whole particles of `expected`: those still to come are expected
    to hold as many times what the mosaic promises. later: in words, of each.
    """

    kind: ClassVar[str] = "roi.expectation"

    expected: int
    found: int
    later: str

    @property
    def text(self) -> str:
        return f"{self.roi} holds {self.found} whole particles, {self.expected} expected; so {self.later}"


@dataclass(frozen=True)
class RowsReconstructed(RoiEvent):
    """`done` of `of` rows of its volume are made."""

    kind: ClassVar[str] = "roi.rows"

    done: int
    of: int

    @property
    def text(self) -> str:
        return f"{self.roi}: {self.done} of {self.of} rows reconstructed"


@dataclass(frozen=True)
class PreviewBegun(RoiEvent):
    """Slices grow in a picture while it is scanned. picture: its path."""

    kind: ClassVar[str] = "preview.begun"

    picture: str

    @property
    def text(self) -> str:
        return f"{self.roi}: watch it grow in {self.picture}"


@dataclass(frozen=True)
class PreviewSkipped(RoiEvent):
    """The preview is over; so many views were left out because it could not keep up."""

    kind: ClassVar[str] = "preview.skipped"
    level: ClassVar[Level] = Level.WARNING

    views: int

    @property
    def text(self) -> str:
        return f"{self.roi}: the preview could not keep up with {self.views} views"


@dataclass(frozen=True)
class PreviewEnded(RoiEvent):
    """The preview cannot go on; the scan does."""

    kind: ClassVar[str] = "preview.ended"
    level: ClassVar[Level] = Level.WARNING

    problem: str

    @property
    def text(self) -> str:
        return f"{self.roi}: no more preview: {self.problem}"


def beside(x_um: float, y_um: float) -> str:
    """A displacement in words."""
    return f"({x_um:+.1f}, {y_um:+.1f}) um against the mosaic"
