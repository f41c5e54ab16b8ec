"""The queue of the night, for the page: what comes when, what was, and what can be done with each item."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from xrm_control.app.queue.facts import Listing, look
from xrm_control.contracts.queue import Item
from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import DataError
from xrm_control.core.queue_states import AHEAD, IN_HAND, UNDONE, ItemState
from xrm_control.dashboard.models_queue import QueueItem, QueueView
from xrm_control.processing.schedule import Slot
from xrm_control.storage.queue_folder import QueueFolder

MOVE, SKIP, RETRY = "move", "skip", "retry"
_MORNING = "morning.html"
_STAMPED = ("*.json", "items", "items/*/item.json", "items/*/runs")
# Of the time between two looks a look takes this share at most.
_GOOD_S, _SHARE = 1.0, 0.04


@dataclass
class QueueLooks:
    """One look at a queue for all who watch it: it is looked at anew when its files have changed, when something was
    done from here, or when the last look is old, which is the later the longer a look takes.
    """

    _view: QueueView | None = None
    _stamp: tuple[int, ...] = ()
    _good_s: float = 0.0
    _since_s: Callable[[], float] = field(default_factory=stopwatch)
    _acts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def view(self, queue: Path) -> QueueView:
        """As `queue_view`, which raises."""
        with self._lock:
            stamp = _stamp(queue)
            if self._view is not None and self._since_s() < self._good_s and stamp == self._stamp:
                return self._view
            acts, took_s, self._stamp = self._acts, stopwatch(), stamp
            found = queue_view(queue)
            # What was done meanwhile may not be in it.
            self._view = found if acts == self._acts else None
            self._good_s, self._since_s = max(_GOOD_S, took_s() / _SHARE), stopwatch()
            return found

    def forget(self) -> None:
        """Something was done."""
        self._acts += 1
        self._view = None


def _stamp(queue: Path) -> tuple[int, ...]:
    """Changes with what stands in the queue; what its runs do meanwhile is not in it."""
    places = (
        queue,
        queue / "items",
        *queue.glob("*.json"),
        *queue.glob("items/*/item.json"),
        *queue.glob("items/*/runs"),
    )
    found: list[int] = []
    for place in places:
        with suppress(OSError):
            found.append(place.stat().st_mtime_ns)
    return tuple(found)


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
