"""The one stream of a run: whoever emits knows no listener, and no listener can end or fail the run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from xrm_control.core.events.closed import AnyEvent
from xrm_control.core.events.run import ListenerFailed, ListenerLost

Listener = Callable[[AnyEvent], None]


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
        self._gone: list[_Guest] = []

    def subscribe(self, listener: Listener, name: str = "a listener") -> None:
        """Hand `listener` every event from now on."""
        self._guests.append(_Guest(name, listener))

    @contextlib.contextmanager
    def listening(self, listener: Listener, name: str) -> Generator[None, None, None]:
        """Hand `listener` every event while the block runs."""
        guest = _Guest(name, listener)
        self._guests.append(guest)
        try:
            yield
        finally:
            self._guests = [one for one in self._guests if one is not guest]
            self._gone.append(guest)

    def emit(self, event: AnyEvent) -> None:
        """`event` happens now. Never raises what a listener raises."""
        self._tell(dataclasses.replace(event, t_s=self._now_s()), tuple(self._guests))

    @property
    def failures(self) -> dict[str, int]:
        """How many events were lost to whom."""
        return {guest.name: guest.failures for guest in (*self._guests, *self._gone) if guest.failures}

    def sum_up(self) -> None:
        """Say, at the end, how many events each listener has lost."""
        for name, count in self.failures.items():
            self.emit(ListenerLost(name, count))

    def _tell(self, event: AnyEvent, guests: Sequence[_Guest]) -> None:
        news: list[tuple[_Guest, str]] = []
        for guest in guests:
            try:
                guest.listener(event)
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a guest does, the house goes on
                guest.failures += 1
                if guest.failures == 1:
                    news.append((guest, _said(error)))
        for guest, why in news:
            # Each guest is news once, so this comes to an end.
            others = tuple(other for other in self._guests if other is not guest)
            self._tell(ListenerFailed(guest.name, why, t_s=event.t_s), others)


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  an error that cannot even be printed
        return type(error).__name__
