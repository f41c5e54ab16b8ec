"""The two listeners that keep what happens: the journal what matters, log.jsonl everything."""

from __future__ import annotations

from collections.abc import Callable

from xrm_control.core.events import AnyEvent, EventStream
from xrm_control.core.states import Level
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RunFolder


class EventRecorder:
    """`utc()`: the wall-clock time of now in ISO 8601."""

    def __init__(self, folder: RunFolder, journal: Journal, utc: Callable[[], str]) -> None:
        self._folder, self._journal, self._utc = folder, journal, utc

    def listen_to(self, events: EventStream) -> None:
        """Keep all that `events` brings from now on."""
        events.subscribe(self.in_journal, "the journal of events")
        events.subscribe(self.in_log, "the log")

    def in_journal(self, event: AnyEvent) -> None:
        """What matters. The journal's required writes are the run's own business, and end it where they fail."""
        if event.level != Level.DEBUG:
            self._journal.record_event(
                event.kind, event.text, t_s=event.t_s, level=event.level, data=event.data, utc=self._utc()
            )

    def in_log(self, event: AnyEvent) -> None:
        """Everything."""
        self._folder.append_log(
            {
                "t_s": round(event.t_s, 3),
                "utc": self._utc(),
                "level": event.level,
                "kind": event.kind,
                "text": event.text,
            }
            | ({"data": event.data} if event.data else {})
        )
