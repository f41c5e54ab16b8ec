"""The journal's events as lines of a log."""

from __future__ import annotations

from xrm_control.core.states import Level
from xrm_control.dashboard.models import Line, Lines
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.records import EventRecord
from xrm_control.storage.run_folder import RunFolder

_PAGE = 500


def lines_before(folder: RunFolder, before: int | None, limit: int, level: Level = Level.INFO) -> Lines:
    """The newest `limit` lines below number `before` (None: of all) that matter at least as much as `level`."""
    with JournalReader.open(folder.journal) as journal:
        last_id, found = journal.last_event_id(), list[Line]()
        while len(found) < limit and (page := journal.events_before(before, _PAGE)):
            found = [*(line_of(*one) for one in page if _matters(one[1], level)), *found]
            before = page[0][0]
    return Lines(lines=tuple(found[-limit:]), last_id=last_id)


def lines_since(folder: RunFolder, after: int, limit: int) -> Lines:
    """The next lines above number `after`, in order."""
    with JournalReader.open(folder.journal) as journal:
        found = tuple(line_of(*one) for one in journal.events(after, limit))
        return Lines(lines=found, last_id=journal.last_event_id())


def lines_after(folder: RunFolder, after: int) -> list[Line]:
    """The next lines, a page of them at most."""
    with JournalReader.open(folder.journal) as journal:
        return [line_of(*one) for one in journal.events(after, _PAGE)]


def line_of(number: int, event: EventRecord) -> Line:
    """One event."""
    return Line(id=number, t_s=event.t_s, utc=event.utc, level=event.level, kind=event.kind, text=event.text)


def _matters(event: EventRecord, level: Level) -> bool:
    order = list(Level)
    return order.index(event.level) >= order.index(level)
