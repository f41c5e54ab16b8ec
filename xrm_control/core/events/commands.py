"""What happens to the commands that operators send to a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.run import RunEvent
from xrm_control.core.states import Level


@dataclass(frozen=True)
class CommandEvent(RunEvent):
    """Base of all that happens to one command. letter: its number; by: who sent it; words: what it says."""

    level: ClassVar[Level] = Level.WARNING

    letter: str
    words: str
    by: str


@dataclass(frozen=True)
class CommandTaken(CommandEvent):
    """It will be carried out. command: as it was sent, in JSON; sent_utc: when."""

    kind: ClassVar[str] = "command.taken"

    sent_utc: str
    answer: str
    command: str

    @property
    def text(self) -> str:
        return f"{self.words}, by {self.by}: {self.answer}"


@dataclass(frozen=True)
class CommandRefused(CommandEvent):
    """It will not be carried out."""

    kind: ClassVar[str] = "command.refused"

    reason: str

    @property
    def text(self) -> str:
        return f"{self.words}, by {self.by}: refused: {self.reason}"


@dataclass(frozen=True)
class CommandDone(CommandEvent):
    """It is carried out. outcome: what came of it."""

    kind: ClassVar[str] = "command.done"

    outcome: str

    @property
    def text(self) -> str:
        return f"{self.words}, by {self.by}: {self.outcome}"


@dataclass(frozen=True)
class RunStopped(RunEvent):
    """The run has come to an orderly end before its own, as somebody wanted; it can be gone on with."""

    kind: ClassVar[str] = "run.stopped"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return self.reason


@dataclass(frozen=True)
class PauseDisturbed(RunEvent):
    """While the run is paused somebody uses the instrument."""

    kind: ClassVar[str] = "run.disturbed"
    level: ClassVar[Level] = Level.WARNING

    what: str

    @property
    def text(self) -> str:
        return f"while the run is paused: {self.what}"
