"""What is worth an alert, from the events of a run."""

from __future__ import annotations

from dataclasses import dataclass

from xrm_control.alerts.spec import Occasion
from xrm_control.core.events import (
    AnyEvent,
    BudgetSpent,
    ConditionViolated,
    PolicyApplied,
    RunAborted,
    RunFailed,
    RunStopped,
    SafeStateFailed,
    StateEntered,
)
from xrm_control.core.states import RunState


@dataclass(frozen=True)
class Message:
    """What somebody is told. occasion: None for a test; grave: it wants a person, soon."""

    occasion: Occasion | None
    title: str
    body: str
    grave: bool = False


class Composer:
    """Remembers why a run ended until its end is known."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._reasons: list[str] = []

    def of(self, event: AnyEvent) -> Message | None:
        """The message that an event is worth; None for nothing."""
        match event:
            case RunFailed() | RunAborted() | SafeStateFailed():
                self._reasons.append(event.text)
                return None
            case StateEntered(state=RunState.DONE):
                return self._message("finished", "finished", "all that was planned has its outcome")
            case RunStopped():
                return self._message("finished", "ended in order", event.text)
            case StateEntered(state=RunState.FAILED | RunState.ABORTED):
                return self._message("failed", str(event.state), "; ".join(self._reasons), grave=True)
            case ConditionViolated():
                return self._message("condition", f"{event.condition} is out of order", event.text)
            case PolicyApplied() | BudgetSpent():
                return self._message("policy", f"goes on otherwise ({event.then})", event.text)
            case _:
                return None

    def held(self, reason: str, minutes: float) -> Message:
        """Of a hold that lasts."""
        return self._message("held", f"held for more than {minutes:g} min", reason, grave=True)

    def disk(self, free_gb: float, limit_gb: float) -> Message:
        """Of a disk that fills."""
        return self._message(
            "disk", "the disk is nearly full", f"{free_gb:.2f} GB free, limit {limit_gb:g} GB", grave=True
        )

    def _message(self, occasion: Occasion, what: str, body: str, *, grave: bool = False) -> Message:
        return Message(occasion, f"xrm {self._run}: {what}", body, grave)
