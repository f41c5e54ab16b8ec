"""What happened, as records: the session emits them, the journal, the log and the progress display take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class Event:
    """One thing that happened at the instrument time `t_s`; `kind` is for machines, `text` for people."""

    t_s: float
    level: Level
    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class EventStream:
    """Hands each event to every listener, in the order of subscription."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Hand `listener` every event from now on."""
        self._listeners.append(listener)

    def emit(self, kind: str, text: str, *, level: Level = "info", **data: Any) -> None:
        """Record that `kind` happened now."""
        event = Event(self._now_s(), level, kind, text, data)
        for listener in self._listeners:
            listener(event)
