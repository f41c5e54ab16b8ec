"""What happened, as records: the session emits them, the journal, the log and the progress display take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

FAILED, LOST = "listener.failed", "listener.lost"


@dataclass
class _Guest:
    """A listener, and how often it has failed."""

    name: str
    listener: Listener
    failures: int = 0


class EventStream:
    """Hands each event to every listener, in the order of subscription.

    Listeners are guests: one that raises is counted and named once to the others, and changes nothing for them or for
    whoever emits. It is asked again with the next event.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._guests: list[_Guest] = []

    def subscribe(self, listener: Listener, name: str = "a listener") -> None:
        """Hand `listener` every event from now on."""
        self._guests.append(_Guest(name, listener))

    def emit(self, kind: str, text: str, *, level: Level = "info", **data: Any) -> None:
        """Record that `kind` happened now. Never raises what a listener raises."""
        self._tell(Event(self._now_s(), level, kind, text, data), tuple(self._guests))

    @property
    def failures(self) -> dict[str, int]:
        """How many events were lost to whom."""
        return {guest.name: guest.failures for guest in self._guests if guest.failures}

    def sum_up(self) -> None:
        """Say, at the end, how many events each listener has lost."""
        for name, count in self.failures.items():
            self.emit(LOST, f"{name} lost {count} events", level="warning", listener=name, events=count)

    def _tell(self, event: Event, guests: Sequence[_Guest]) -> None:
        news = []
        for guest in guests:
            try:
                guest.listener(event)
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a guest does, the house goes on
                guest.failures += 1
                if guest.failures == 1:
                    news.append((guest, _said(error)))
        for guest, why in news:
            text = f"{guest.name} failed and may lose events; the run goes on: {why}"
            told = Event(event.t_s, "warning", FAILED, text, {"listener": guest.name, "error": why})
            # Each guest is news once, so this comes to an end.
            self._tell(told, tuple(other for other in self._guests if other is not guest))


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  an error that cannot even be printed
        return type(error).__name__
