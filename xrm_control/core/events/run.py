"""What happens to the run as a whole: states, stages, its report, and those who listen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.base import Event
from xrm_control.core.states import Level, RunState


@dataclass(frozen=True)
class RunEvent(Event):
    """Base of all that happens to the run as a whole."""


@dataclass(frozen=True)
class RunFolderMade(RunEvent):
    """Where the run's files are."""

    kind: ClassVar[str] = "run.folder"

    path: str

    @property
    def text(self) -> str:
        return self.path


@dataclass(frozen=True)
class RecipeDoubted(RunEvent):
    """Something in the recipe may go wrong, and was known before anything moved."""

    kind: ClassVar[str] = "run.recipe_doubted"
    level: ClassVar[Level] = Level.WARNING

    warning: str

    @property
    def text(self) -> str:
        return self.warning


@dataclass(frozen=True)
class StateEntered(RunEvent):
    """The run is in another state."""

    kind: ClassVar[str] = "run.state"

    state: RunState

    @property
    def text(self) -> str:
        return self.state.value


@dataclass(frozen=True)
class RunHeld(RunEvent):
    """The run stands still and waits."""

    kind: ClassVar[str] = "run.held"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return self.reason


@dataclass(frozen=True)
class RunReleased(RunEvent):
    """What the run waited for is over."""

    kind: ClassVar[str] = "run.released"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"{self.reason}: over"


@dataclass(frozen=True)
class RunInterrupted(RunEvent):
    """Somebody wants the run to end. by: a signal, or a button."""

    kind: ClassVar[str] = "run.interrupted"
    level: ClassVar[Level] = Level.WARNING

    by: str

    @property
    def text(self) -> str:
        return f"{self.by}: stopping safely"


@dataclass(frozen=True)
class RunAborted(RunEvent):
    """Somebody ended the run."""

    kind: ClassVar[str] = "run.aborted"
    level: ClassVar[Level] = Level.ERROR

    reason: str

    @property
    def text(self) -> str:
        return self.reason


@dataclass(frozen=True)
class RunFailed(RunEvent):
    """An error ended the run. error: the name of its class."""

    kind: ClassVar[str] = "run.failed"
    level: ClassVar[Level] = Level.ERROR

    reason: str
    error: str = ""

    @property
    def text(self) -> str:
        return self.reason


@dataclass(frozen=True)
class RunReplanned(RunEvent):
    """The regions are known: so many frames in all, and so much instrument time for the whole run."""

    kind: ClassVar[str] = "run.replanned"
    level: ClassVar[Level] = Level.DEBUG

    images: int
    planned_s: float

    @property
    def text(self) -> str:
        return f"{self.images} frames in {self.planned_s:.0f} s"


@dataclass(frozen=True)
class StagePlanned(RunEvent):
    """What an acquisition shall take is written down."""

    kind: ClassVar[str] = "stage.planned"

    stage: str
    frames: int

    @property
    def text(self) -> str:
        return f"{self.stage}: {self.frames} frames"


@dataclass(frozen=True)
class StageBegun(RunEvent):
    """A stage of `total` steps begins."""

    kind: ClassVar[str] = "stage.begun"

    stage: str
    total: int

    @property
    def text(self) -> str:
        return self.stage


@dataclass(frozen=True)
class StageEnded(RunEvent):
    """The stage has come to its end."""

    kind: ClassVar[str] = "stage.ended"

    stage: str

    @property
    def text(self) -> str:
        return self.stage


@dataclass(frozen=True)
class ReportBegun(RunEvent):
    """The run is summed up."""

    kind: ClassVar[str] = "report.begun"

    @property
    def text(self) -> str:
        return "summing up, writing the report"


@dataclass(frozen=True)
class ReportFailed(RunEvent):
    """There is no report, or only a part of its files."""

    kind: ClassVar[str] = "report.failed"
    level: ClassVar[Level] = Level.ERROR

    problem: str

    @property
    def text(self) -> str:
        return f"the report cannot be written: {self.problem}"


@dataclass(frozen=True)
class WorkersAway(RunEvent):
    """Workers were lost; others take over. problem: in a sentence."""

    kind: ClassVar[str] = "workers.lost"
    level: ClassVar[Level] = Level.WARNING

    problem: str

    @property
    def text(self) -> str:
        return self.problem


@dataclass(frozen=True)
class ListenerFailed(RunEvent):
    """A listener raised; it is told of once."""

    kind: ClassVar[str] = "listener.failed"
    level: ClassVar[Level] = Level.WARNING

    listener: str
    error: str

    @property
    def text(self) -> str:
        return f"{self.listener} failed and may lose events; the run goes on: {self.error}"


@dataclass(frozen=True)
class ListenerLost(RunEvent):
    """How many events a listener has lost by the end."""

    kind: ClassVar[str] = "listener.lost"
    level: ClassVar[Level] = Level.WARNING

    listener: str
    events: int

    @property
    def text(self) -> str:
        return f"{self.listener} lost {self.events} events"


@dataclass(frozen=True)
class FileQuarantined(RunEvent):
    """Of a run that died: a file that counts for nothing was moved. path: where it is now, in the run folder."""

    kind: ClassVar[str] = "file.quarantined"
    level: ClassVar[Level] = Level.WARNING

    path: str
    reason: str

    @property
    def text(self) -> str:
        return f"{self.path}: {self.reason}"
