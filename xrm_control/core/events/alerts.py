"""What became of the alerts that a run has sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.run import RunEvent
from xrm_control.core.states import Level


@dataclass(frozen=True)
class AlertSent(RunEvent):
    """Somebody was told. channel: by which; problems: of those that were tried before it."""

    kind: ClassVar[str] = "alert.sent"

    alert: str
    channel: str
    problems: str = ""

    @property
    def text(self) -> str:
        before = f", after {self.problems}" if self.problems else ""
        return f"told by {self.channel}{before}: {self.alert}"


@dataclass(frozen=True)
class AlertUndelivered(RunEvent):
    """Nobody was told."""

    kind: ClassVar[str] = "alert.undelivered"
    level: ClassVar[Level] = Level.WARNING

    alert: str
    problem: str

    @property
    def text(self) -> str:
        return f"nobody was told ({self.problem}): {self.alert}"
