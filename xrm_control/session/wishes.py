"""Commands that were taken, and the wait of a run that is paused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from xrm_control.acquisition.recovery import gather_or_cancel
from xrm_control.contracts.commands import Command, Reply
from xrm_control.core.errors import XrmError
from xrm_control.core.events import CommandDone, CommandRefused, CommandTaken, PauseDisturbed
from xrm_control.session.context import RunContext
from xrm_control.storage.journal_reader import JournalQueries

_WATCH_EVERY_S = 5.0
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


@dataclass(frozen=True)
class Wish:
    """A command that was taken and is not carried out yet. letter: its number."""

    letter: str
    command: Command
    by: str


def recall(journal: JournalQueries) -> tuple[dict[str, Reply], tuple[Wish, ...]]:
    """By the letters' numbers what was answered; and which of the commands that were taken are not carried out.

    A run that failed at once may have had no time to put an answer into its mailbox: it is not heard a second time.
    """
    taken = journal.events_of(CommandTaken.kind)
    known = {
        str(event.data["letter"]): Reply(accepted=False, text=str(event.data["reason"]))
        for event in journal.events_of(CommandRefused.kind)
    }
    known |= {str(event.data["letter"]): Reply(accepted=True, text=str(event.data["answer"])) for event in taken}
    over = [
        str(event.data["letter"]) for kind in (CommandDone, CommandRefused) for event in journal.events_of(kind.kind)
    ]
    wishes = (
        Wish(
            str(event.data["letter"]),
            _COMMAND.validate_python(json.loads(str(event.data["command"]))),
            str(event.data["by"]),
        )
        for event in taken
    )
    return known, tuple(wish for wish in wishes if wish.letter not in over)


async def watched(run: RunContext, changed: asyncio.Event, wanted: Callable[[], bool]) -> None:
    """Wait as long as it is `wanted`; `changed` is set when that may have changed. What somebody does with the
    instrument meanwhile is told.
    """
    seen = ""
    while wanted():
        changed.clear()
        try:
            async with asyncio.timeout(_WATCH_EVERY_S):
                await changed.wait()
        except TimeoutError:
            what = await _disturbed(run)
            if what and what != seen:
                run.events.emit(PauseDisturbed(what))
            seen = what


async def _disturbed(run: RunContext) -> str:
    """What somebody does with the instrument; "" for nothing."""
    instrument = run.instrument
    try:
        is_open, *readings = await gather_or_cancel(
            instrument.shutter.is_open(), *(axis.read() for axis in instrument.axes.values())
        )
    except XrmError:
        # An instrument that was lost is met by whoever goes on.
        return ""
    moving = [f"axis {name} moves" for name, reading in zip(instrument.axes, readings, strict=True) if reading.moving]
    return ", ".join([*(["the shutter is open"] if is_open else []), *moving])
