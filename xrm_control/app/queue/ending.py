"""What the end of the process that carried an item out means for the item, and for the queue."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xrm_control.contracts.queue import Item
from xrm_control.contracts.results import RESULTS
from xrm_control.core.errors import DataError, DiskFull, StorageError, XrmError
from xrm_control.core.events import RunFailed, SafeStateFailed, SafeStateVerified
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RunState, Verdict
from xrm_control.core.system_limits import is_spent
from xrm_control.processing.achieved import ended_by_the_machine
from xrm_control.processing.schedule import Obstacle
from xrm_control.storage.journal_reader import JournalQueries, JournalReader
from xrm_control.storage.queue_folder import ItemFolder
from xrm_control.storage.run_folder import RunFolder

DIED = -1
"""In place of an exit code: the process is gone, and has left no end on record."""
_LONGEST = 500


@dataclass(frozen=True)
class Ending:
    """state: that the item enters; unsafe: nothing may be started any more; lost: instrument or workers do not answer,
    or somebody else has them; full: the disk had no room; died: the process came to no end of its own.
    """

    state: ItemState
    reason: str
    unsafe: bool = False
    lost: bool = False
    full: bool = False
    died: bool = False


def ending(
    item: Item, place: ItemFolder, code: int, said: str, stopped: Obstacle | None, interrupted: str | None
) -> Ending:
    """Of a process that ended with `code`, and printed `said` (as by --json).

    stopped: why the queue itself has stopped it; interrupted: what ends the queue.
    """
    run = place.run()
    reason = _reason(run, said) or f"ended with exit code {code}"
    if code < 0 and interrupted is not None:
        return Ending(ItemState.PAUSED, f"ended by {interrupted}")
    if code < 0:
        number = "" if code == DIED else f" by signal {_signal(-code)}"
        return Ending(ItemState.WAITING, f"its process was ended{number}, and is to be gone on with", died=True)
    match code:
        case ExitCode.OK | ExitCode.PARTLY:
            return _finished(run, code, reason)
        case ExitCode.RESUMABLE:
            return _stopped(item, reason, stopped)
        case ExitCode.INTERRUPTED if interrupted is not None:
            return Ending(ItemState.PAUSED, f"ended by {interrupted}")
        case ExitCode.INTERRUPTED if item.wish is not None and item.wish.kind == "skip":
            return Ending(ItemState.SKIPPED, item.wish.reason)
        case ExitCode.INTERRUPTED:
            return Ending(ItemState.PAUSED, reason)
        case ExitCode.UNREACHABLE | ExitCode.LOCKED:
            return Ending(ItemState.HELD, reason, lost=True)
        case ExitCode.USAGE | ExitCode.SAFETY if run is None:
            return Ending(ItemState.REFUSED, reason)
        case ExitCode.FAILURE if _error(run, said) == DiskFull.__name__:
            # As one that was not begun for want of room: it is gone on with when there is some.
            return Ending(ItemState.WAITING, _short(f"left: {reason}"), full=True)
        case ExitCode.NOT_SAFE:
            return Ending(ItemState.FAILED, reason, unsafe=True)
        case _:
            return Ending(ItemState.FAILED, reason)


def unstarted(error: StorageError) -> Ending:
    """Of a process that could not be started."""
    if isinstance(error, DiskFull):
        return Ending(ItemState.WAITING, _short(f"left: {error}"), full=True)
    if isinstance(error.__cause__, OSError) and is_spent(error.__cause__):
        return Ending(ItemState.HELD, _short(str(error)), lost=True)
    return Ending(ItemState.FAILED, _short(str(error)))


def code_on_record(run: Path) -> int | None:
    """The exit code that a run's journal speaks for, of a process that nobody waited for; None where it lives on, or
    would have, had it not died: it is to be gone on with.
    """
    folder = RunFolder(run)
    with JournalReader.open(folder.journal) as journal:
        record = journal.state()
        state = None if record is None else record.state
        if state in (RunState.ABORTED, RunState.FAILED) and not _left_safe(journal):
            return ExitCode.NOT_SAFE
        if state is RunState.DONE:
            return ExitCode.OK if _verdict(run) is Verdict.COMPLETE else ExitCode.PARTLY
        if state is RunState.FAILED:
            return ExitCode.FAILURE
        if state is RunState.ABORTED and not ended_by_the_machine(journal):
            return ExitCode.INTERRUPTED
        if state is RunState.PAUSED and folder.results.exists():
            return ExitCode.RESUMABLE
    return None


def _left_safe(journal: JournalQueries) -> bool:
    """Whether the last that is known of the instrument is that it was safe, or never ours."""
    failed = [at.t_s for at in journal.events_of(SafeStateFailed.kind)]
    verified = [at.t_s for at in journal.events_of(SafeStateVerified.kind)]
    return not failed or max(verified, default=-1.0) > max(failed)


def _finished(run: Path | None, code: int, reason: str) -> Ending:
    verdict = None if run is None else _verdict(run)
    if verdict is None:
        return Ending(ItemState.FAILED, f"its process ended with exit code {code}, and there are no results")
    if verdict is Verdict.COMPLETE and code == ExitCode.OK:
        return Ending(ItemState.DONE, "complete")
    return Ending(ItemState.INCOMPLETE, reason)


def _stopped(item: Item, reason: str, stopped: Obstacle | None) -> Ending:
    wish = item.wish
    if wish is not None and wish.kind == "skip":
        return Ending(ItemState.SKIPPED, wish.reason)
    if wish is not None and wish.kind == "give_way":
        return Ending(ItemState.WAITING, wish.reason)
    if stopped is not None:
        return Ending(stopped.state, stopped.reason)
    return Ending(ItemState.PAUSED, wish.reason if wish is not None and wish.reason else reason)


def _error(run: Path | None, said: str) -> str:
    """The class of the error that a process has ended with, as it says or has put on record; "" where none is known."""
    if (told := _told(said)) is not None:
        return told[0]
    if run is None:
        return ""
    with suppress(XrmError), JournalReader.open(RunFolder(run).journal) as journal:
        return next((str(event.data.get("error", "")) for event in journal.events_of(RunFailed.kind)[-1:]), "")
    return ""


def _told(said: str) -> tuple[str, XrmError] | None:
    """The class of the error that a process has printed, and what it says; None where it has printed none."""
    try:
        told = json.loads(said)
    except ValueError:
        return None
    if not (isinstance(told, dict) and told.get("what")):
        return None
    error = XrmError(
        str(told["what"]),
        where=told.get("where"),
        value=told.get("value"),
        limit=told.get("limit"),
        remedy=told.get("remedy"),
    )
    return str(told.get("error", "")), error


def _reason(run: Path | None, said: str) -> str:
    """What a process says of its end: its error, or the reasons of the verdict."""
    if (told := _told(said)) is not None:
        return _short(str(told[1]))
    if run is None:
        return ""
    try:
        return _short("; ".join(RESULTS.read(RunFolder(run).results).verdict.reasons))
    except DataError:
        pass
    try:
        with JournalReader.open(RunFolder(run).journal) as journal:
            return _short("; ".join(event.text for event in journal.events_of(RunFailed.kind)[-1:]))
    except XrmError:
        return ""


def _verdict(run: Path) -> Verdict | None:
    try:
        return RESULTS.read(RunFolder(run).results).verdict.status
    except DataError:
        return None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
