"""How far a queue is, and what comes when: for its list, its runner and its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from xrm_control.contracts.morning import EVIDENCE, Evidence
from xrm_control.contracts.queue import Item, QueueSettings
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import DataError, XrmError
from xrm_control.core.queue_states import AHEAD
from xrm_control.processing.evidence import evidence, share_left
from xrm_control.processing.schedule import Left, Room, Schedule, Spent, schedule
from xrm_control.storage.durable import free_bytes
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.queue_folder import Contents, ItemFolder, QueueFolder
from xrm_control.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Listing:
    """A queue at one moment. settings: None where they cannot be read, `trouble` says why; runner: the process that
    runs it; schedule: of what is ahead.
    """

    path: Path
    items: tuple[Item, ...]
    damaged: dict[int, str]
    settings: QueueSettings | None
    trouble: str | None
    runner: str | None
    now: datetime
    schedule: Schedule


def look(queue: Path) -> Listing:
    """All of a queue, and when each item begins and ends by its plan. Raises DataError for what is no queue."""
    folder = QueueFolder.open(queue)
    runner, contents, trouble = folder.runner(), folder.read(), None
    settings: QueueSettings | None = None
    try:
        settings = folder.settings()
    except DataError as error:
        trouble = str(error)
    known = settings or QueueSettings()
    # Who looks at a queue that nobody runs asks what would come if it were run now.
    now = utc_now() + timedelta(seconds=known.ahead_s if runner is not None else 0.0)
    left, spent = facts(folder, contents)
    room = room_of(folder, known, now, spent)
    return Listing(
        folder.path,
        tuple(contents.items.values()),
        contents.damaged,
        settings,
        trouble,
        runner,
        now,
        schedule(contents.items.values(), room, left),
    )


def room_of(folder: QueueFolder, settings: QueueSettings, now: datetime, spent: Spent) -> Room:
    """What the queue has to live in."""
    return Room(now, settings.end, settings.budget, free_bytes(folder.path), spent)


def facts(folder: QueueFolder, contents: Contents) -> tuple[dict[int, Left], Spent]:
    """What is left of each item whose run has begun, and what the queue has spent so far."""
    left: dict[int, Left] = {}
    total = Spent()
    folders = folder.folders()
    for number, item in contents.items.items():
        # It may have been taken away since.
        run = folders[number].run() if item.begun and number in folders else None
        if run is None:
            continue
        told = told_of(folders[number], item, run)
        spent = Spent(told.used_s, told.dose_gy)
        total += spent
        if item.state in AHEAD:
            left[number] = Left(share_left(run, item.cost), spent)
    return left, total


def told_of(place: ItemFolder, item: Item, run: Path) -> Evidence:
    """What an item's run shows; of one that has ended, as it was noted then."""
    if item.state not in AHEAD and place.evidence.is_file():
        try:
            return EVIDENCE.read(place.evidence)
        except DataError:
            pass
    return evidence(run, place.path, item.cost)


def instrument_s(place: ItemFolder) -> float:
    """Instrument time that an item's run has used; 0 where nothing is known."""
    run = place.run()
    if run is None:
        return 0.0
    try:
        with JournalReader.open(RunFolder(run).journal) as journal:
            return journal.last_t_s() or 0.0
    except XrmError:
        return 0.0
