"""The queue of the night, for the page: what comes when, what was, and what can be done with each item."""

from __future__ import annotations

from pathlib import Path

from xrm_control.app.queue.facts import Listing, look
from xrm_control.contracts.queue import Item
from xrm_control.core.errors import DataError
from xrm_control.core.queue_states import AHEAD, IN_HAND, UNDONE, ItemState
from xrm_control.dashboard.models_queue import QueueItem, QueueView
from xrm_control.processing.schedule import Slot
from xrm_control.storage.queue_folder import QueueFolder

MOVE, SKIP, RETRY = "move", "skip", "retry"
_MORNING = "morning.html"


def queue_view(queue: Path) -> QueueView:
    """The queue in a folder; an empty one where there is none yet. Raises DataError where it cannot be read."""
    if not queue.is_dir():
        return QueueView(
            path=str(queue), runner="", ahead=(), over=(), ends=None, seconds=0.0, remarks=(), morning=False
        )
    found, folders = look(queue), QueueFolder.open(queue).folders()
    items = {item.number: item for item in found.items}

    def told(item: Item, slot: Slot | None) -> QueueItem:
        place = folders.get(item.number)
        run = None if place is None else place.run()
        return _told(item, slot, "" if run is None else run.name)

    over = [item for item in found.items if item.state not in AHEAD and item.state is not ItemState.REMOVED]
    return QueueView(
        path=str(found.path),
        runner=found.runner or "",
        ahead=tuple(told(items[slot.number], slot) for slot in found.schedule.slots),
        over=tuple(told(item, None) for item in sorted(over, key=lambda item: item.history[-1].utc, reverse=True)),
        ends=found.schedule.end if found.schedule.slots else None,
        seconds=found.schedule.seconds,
        remarks=tuple(_remarks(found)),
        morning=morning_of(queue).is_file(),
    )


def morning_of(queue: Path) -> Path:
    """The queue's page for the morning."""
    return queue / _MORNING


def runs_of(queue: Path | None) -> list[Path]:
    """The folders in which runs of the queue's items lie."""
    if queue is None or not queue.is_dir():
        return []
    try:
        return [place.runs for place in QueueFolder.open(queue).folders().values()]
    except DataError:
        return []


def _told(item: Item, slot: Slot | None, run: str) -> QueueItem:
    obstacle = "" if slot is None or slot.obstacle is None else slot.obstacle.reason
    comes = slot is not None and not obstacle
    return QueueItem(
        number=item.number,
        name=item.name,
        state=str(item.state),
        reason=item.reason if item.state is not ItemState.WAITING or item.begun else "",
        priority=item.priority,
        deadline=item.deadline,
        begins=slot.begin if slot is not None and comes else None,
        ends=slot.end if slot is not None and comes else None,
        seconds=item.cost.total_s if slot is None else slot.seconds,
        obstacle=obstacle,
        run=run,
        actions=_actions(item),
    )


def _actions(item: Item) -> tuple[str, ...]:
    if item.state in AHEAD:
        return (SKIP,) if item.state in IN_HAND else (MOVE, SKIP)
    return (RETRY,) if item.state in UNDONE else ()


def _remarks(found: Listing) -> list[str]:
    remarks = [f"item {number} cannot be used: {what}" for number, what in found.damaged.items()]
    if found.trouble is not None:
        remarks.append(f"what holds for all items cannot be read: {found.trouble}; `xrm queue set` begins it anew")
    if found.settings is not None and found.settings.unsafe is not None:
        remarks.append(
            f"nothing is started: {found.settings.unsafe}; look at the instrument, then `xrm queue set --safe`"
        )
    return remarks
