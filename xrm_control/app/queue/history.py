"""What the history of a queue and of an item says of the time before."""

from __future__ import annotations

from datetime import datetime

from xrm_control.contracts.queue import Item, Sitting
from xrm_control.core.queue_states import ItemState

# An instrument that was there for so long, and is lost again, is waited for anew.
_WORKED_S = 600.0


def ended_sitting(sitting: Sitting, last: datetime | None) -> Sitting:
    """A sitting that nobody has ended: its process died, after the last that it did."""
    if sitting.ended is not None:
        return sitting
    ended = sitting.begun if last is None else max(sitting.begun, last)
    return sitting.model_copy(update={"ended": ended, "how": "its process died"})


def tries(item: Item) -> list[datetime]:
    """When it was held, without a longer time of work in between; the first one is what patience counts from."""
    found: list[datetime] = []
    begun: datetime | None = None
    for entry in item.history:
        if entry.state is ItemState.RUNNING:
            begun = entry.utc
        elif entry.state is ItemState.HELD:
            if begun is not None and (entry.utc - begun).total_seconds() > _WORKED_S:
                found = []
            found.append(entry.utc)
        else:
            found = []
    return found
