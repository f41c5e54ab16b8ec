"""What happens to single frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from xrm_control.core.events.base import IN_MEMORY, Event
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind, Level

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FrameEvent(Event):
    """Base of all that happens to one frame."""

    frame: FrameId


@dataclass(frozen=True)
class FrameKept(FrameEvent):
    """A frame is good and on the disk. index: among those of
    its kind; theta_deg: as measured; image (rows, columns): its counts, for those who show them at once."""

    kind: ClassVar[str] = "frame.kept"
    level: ClassVar[Level] = Level.DEBUG

    frame_kind: FrameKind
    index: int
    theta_deg: float
    image: NDArray[Any] | None = field(default=None, repr=False, compare=False, metadata=IN_MEMORY)

    @property
    def text(self) -> str:
        return self.frame


@dataclass(frozen=True)
class FrameRetaken(FrameEvent):
    """An attempt does not count; another follows."""

    kind: ClassVar[str] = "frame.retaken"
    level: ClassVar[Level] = Level.WARNING

    problem: str

    @property
    def text(self) -> str:
        return self.problem


@dataclass(frozen=True)
class FramePostponed(FrameEvent):
    """Its attempts are used up; it comes again at the end."""

    kind: ClassVar[str] = "frame.postponed"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"{self.frame}: given up for now, comes again at the end: {self.reason}"


@dataclass(frozen=True)
class FrameMissing(FrameEvent):
    """No attempt succeeded."""

    kind: ClassVar[str] = "frame.missing"
    level: ClassVar[Level] = Level.ERROR

    reason: str

    @property
    def text(self) -> str:
        return f"{self.frame} is missing: {self.reason}"


@dataclass(frozen=True)
class FrameConfirmed(FrameEvent):
    """It looks odd, and a second exposure looks the same."""

    kind: ClassVar[str] = "frame.confirmed"
    level: ClassVar[Level] = Level.WARNING

    @property
    def text(self) -> str:
        return f"{self.frame}: unlike its fellows, but two exposures agree: kept"


@dataclass(frozen=True)
class FrameWithdrawn(FrameEvent):
    """It was kept, and is rejected now that its fellows are known."""

    kind: ClassVar[str] = "frame.withdrawn"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"{self.frame}: {self.reason}"


@dataclass(frozen=True)
class ReferenceDoubted(FrameEvent):
    """`frame` fails against the darks or flats of its acquisition: these are taken again."""

    kind: ClassVar[str] = "reference.doubted"
    level: ClassVar[Level] = Level.WARNING

    reference: FrameKind

    @property
    def text(self) -> str:
        return f"{self.frame}: the {self.reference}s are doubted and taken again"


@dataclass(frozen=True)
class FrameAdopted(FrameEvent):
    """Of a run that died: its file was whole on the disk, and is committed now."""

    kind: ClassVar[str] = "frame.adopted"

    attempt: int

    @property
    def text(self) -> str:
        return f"{self.frame}: attempt {self.attempt} was whole on the disk: kept"


@dataclass(frozen=True)
class AttemptClosed(FrameEvent):
    """Of a run that died: an attempt that was in flight does not count."""

    kind: ClassVar[str] = "attempt.closed"
    level: ClassVar[Level] = Level.WARNING

    attempt: int
    reason: str

    @property
    def text(self) -> str:
        return f"{self.frame}: attempt {self.attempt} does not count: {self.reason}"
