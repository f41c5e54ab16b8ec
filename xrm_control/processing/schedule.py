"""In which order the items of a queue are carried out, when each begins and ends by its plan, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from xrm_control.contracts.queue import Budget, Item
from xrm_control.core.queue_states import AHEAD, IN_HAND, ItemState

_LATEST = datetime.max.replace(tzinfo=UTC)
_NO_BUDGET = Budget()


@dataclass(frozen=True)
class Obstacle:
    """Why an item is not begun. state: what it becomes when its turn has come; waiting: it is left for later."""

    state: ItemState
    reason: str

    @property
    def sentence(self) -> str:
        """For whoever asks beforehand."""
        return f"will not be begun: {'it ' if self.reason.startswith('would') else ''}{self.reason}"


@dataclass(frozen=True)
class Spent:
    """What an item, or a queue, has used already: instrument time, and surface dose summed over scans."""

    seconds: float = 0.0
    dose_gy: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.dose_gy + other.dose_gy)


@dataclass(frozen=True)
class Room:
    """What a queue has to live in. end: of the night; free_bytes: on its disk; spent: by the queue so far."""

    now: datetime
    end: datetime | None = None
    budget: Budget = _NO_BUDGET
    free_bytes: int = 0
    spent: Spent = Spent()


@dataclass(frozen=True)
class Left:
    """What is still to be done of an item: `share` of its plan. spent: what it has used already."""

    share: float = 1.0
    spent: Spent = Spent()


@dataclass(frozen=True)
class Slot:
    """When an item begins and ends by its plan; obstacle: why it will not be begun, and takes no time."""

    number: int
    begin: datetime
    end: datetime
    seconds: float
    obstacle: Obstacle | None = None


@dataclass(frozen=True)
class Schedule:
    """The slots in the order of their turn; end: of the last that fits; disk_bytes: of all that fit."""

    slots: tuple[Slot, ...]
    end: datetime
    seconds: float
    disk_bytes: int
    by_number: Mapping[int, Slot] = field(default_factory=dict[int, Slot])


def in_order(items: Iterable[Item]) -> list[Item]:
    """What is still ahead, in the order of its turn: what is in hand; then by priority, deadline, and place."""
    return sorted((item for item in items if item.state in AHEAD), key=_key)


def _key(item: Item) -> tuple[bool, int, datetime, float, int]:
    return (item.state not in IN_HAND, -item.priority, item.deadline or _LATEST, item.position, item.number)


def schedule(items: Iterable[Item], room: Room, left: Mapping[int, Left]) -> Schedule:
    """Each item behind the one before it; what does not fit takes neither time nor disk. left: of those begun."""
    now, spent, disk = room.now, room.spent, 0
    slots: list[Slot] = []
    for item in in_order(items):
        what = left.get(item.number, Left())
        here = Room(now, room.end, room.budget, room.free_bytes - disk, spent)
        obstacle = None if item.state in IN_HAND else obstacle_of(item, here, what)
        seconds = what.share * item.cost.total_s
        end = now + timedelta(seconds=seconds)
        slots.append(Slot(item.number, now, end, seconds, obstacle))
        if obstacle is None:
            now, disk = end, disk + round(what.share * item.cost.disk_bytes)
            spent = spent + Spent(seconds, what.share * item.cost.dose_gy)
    seconds = (now - room.now).total_seconds()
    return Schedule(tuple(slots), now, seconds, disk, {slot.number: slot for slot in slots})


def obstacle_of(item: Item, room: Room, left: Left) -> Obstacle | None:
    """Why an item cannot be begun at `room.now`; None where it can."""
    seconds, dose_gy = left.share * item.cost.total_s, left.share * item.cost.dose_gy
    end = room.now + timedelta(seconds=seconds)
    if item.deadline is not None and end > item.deadline:
        return Obstacle(
            ItemState.EXPIRED, f"would end {overrun(end, item.deadline)} after its deadline, {at(item.deadline)}"
        )
    if why := over(item.budget, left.spent + Spent(seconds, dose_gy)):
        return Obstacle(ItemState.EXPIRED, f"would take {why} of its budget")
    # Another night, or a larger budget, may have room for it.
    if room.end is not None and end > room.end:
        return Obstacle(
            ItemState.WAITING, f"would end {overrun(end, room.end)} after the end of the night, {at(room.end)}"
        )
    if why := over(room.budget, room.spent + Spent(seconds, dose_gy)):
        return Obstacle(ItemState.WAITING, f"the queue would take {why} of its budget")
    need = round(left.share * item.cost.disk_bytes) + item.cost.keep_free_bytes
    if need > room.free_bytes:
        return Obstacle(
            ItemState.WAITING,
            f"the disk has not the room: {max(0, room.free_bytes) / 1e9:.2f} GB free, {need / 1e9:.2f} GB needed,"
            " with what must stay free",
        )
    return None


def over(budget: Budget, spent: Spent) -> str | None:
    """By how much a budget is exceeded, in words; None where it is not."""
    minutes = spent.seconds / 60
    if budget.minutes is not None and minutes > budget.minutes:
        return f"{minutes:.1f} of {budget.minutes:g} min"
    if budget.dose_gy is not None and spent.dose_gy > budget.dose_gy:
        return f"{spent.dose_gy:.4g} of {budget.dose_gy:g} Gy"
    return None


def at(moment: datetime) -> str:
    """A moment in local time, to the minute, with its zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def overrun(end: datetime, limit: datetime) -> str:
    """By how much `end` is later than `limit`, as people say it."""
    minutes = round((end - limit).total_seconds() / 60)
    if minutes >= 100:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes >= 1 else "a moment"
