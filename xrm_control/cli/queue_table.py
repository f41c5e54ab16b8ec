"""A queue for the terminal, and as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.table import Table

from xrm_control.app.queue.facts import Listing
from xrm_control.cli.tables import duration, size
from xrm_control.contracts.queue import Item
from xrm_control.core.queue_states import AHEAD, ItemState
from xrm_control.processing.schedule import Slot, at


def view(found: Listing) -> list[Table | str]:
    """What is ahead in the order of its turn, then what is over; what there is to say of each; the whole in words."""
    table = Table("", "item", "state", "priority", "begins", "ends", "takes", title=f"Queue {found.path}",
                  title_justify="left")  # fmt: skip
    notes: list[str] = []
    slots = found.schedule.by_number
    items = {item.number: item for item in found.items}
    for slot in found.schedule.slots:
        item = items[slot.number]
        begin, end = ("", "") if slot.obstacle is not None else (_day(slot.begin), _day(slot.end))
        table.add_row(str(item.number), item.name, item.state, str(item.priority), begin, end, duration(slot.seconds))
        notes += _said_of(item, _note(item, slot))
    over = [item for item in found.items if item.state not in AHEAD and item.state is not ItemState.REMOVED]
    if slots and over:
        table.add_section()
    for item in over:
        table.add_row(str(item.number), item.name, item.state, str(item.priority), "", _day(item.history[-1].utc), "")
        notes += _said_of(item, item.reason)
    return [table, *notes, *_words(found)]


def _said_of(item: Item, note: str) -> list[str]:
    return [f"item {item.number} ({item.name}): {note}"] if note else []


def _note(item: Item, slot: Slot) -> str:
    if slot.obstacle is not None:
        return slot.obstacle.sentence
    if item.deadline is not None:
        return f"by {_day(item.deadline)}"
    return item.reason if item.state is not ItemState.WAITING or item.begun else ""


def _day(moment: datetime) -> str:
    """Day of the week and local time, for narrow columns."""
    return f"{moment.astimezone():%a %H:%M}"


def _words(found: Listing) -> list[str]:
    fits = sum(slot.obstacle is None for slot in found.schedule.slots)
    lines = [f"{fits} item(s) ahead, {duration(found.schedule.seconds)}, to {at(found.schedule.end)} by plan;"
             f" disk {size(found.schedule.disk_bytes)}"]  # fmt: skip
    left = len(found.schedule.slots) - fits
    if left:
        lines.append(f"{left} item(s) will not be begun, for the reasons above")
    settings = found.settings
    if settings is not None:
        if settings.end is not None:
            lines.append(f"end of the night: {at(settings.end)}")
        if settings.budget.minutes is not None or settings.budget.dose_gy is not None:
            amounts = [
                *([] if settings.budget.minutes is None else [f"{settings.budget.minutes:g} min"]),
                *([] if settings.budget.dose_gy is None else [f"{settings.budget.dose_gy:g} Gy"]),
            ]
            lines.append(f"budget of all items: {', '.join(amounts)}")
        if settings.unsafe is not None:
            lines.append(f"NOT SAFE: {settings.unsafe}; look at the instrument, then `xrm queue set --safe`")
    lines.append("nobody runs it" if found.runner is None else f"run by process {found.runner}")
    if found.trouble is not None:
        lines.append(f"what holds for all items cannot be read: {found.trouble}; `xrm queue set` begins it anew")
    lines += [f"item {number} cannot be used: {what}" for number, what in found.damaged.items()]
    return lines


def as_dict(found: Listing) -> dict[str, Any]:
    """The listing as JSON-able data."""
    slots = {
        slot.number: {
            "begins": slot.begin.isoformat(timespec="seconds"),
            "ends": slot.end.isoformat(timespec="seconds"),
            "seconds": slot.seconds,
            "obstacle": None if slot.obstacle is None else slot.obstacle.reason,
        }
        for slot in found.schedule.slots
    }
    return {
        "queue": str(found.path),
        "runner": found.runner,
        "order": [slot.number for slot in found.schedule.slots],
        "ends": found.schedule.end.isoformat(timespec="seconds"),
        "seconds": found.schedule.seconds,
        "disk_bytes": found.schedule.disk_bytes,
        "settings": None if found.settings is None else found.settings.model_dump(mode="json"),
        "trouble": found.trouble,
        "damaged": {str(number): what for number, what in found.damaged.items()},
        "items": [
            {
                **item.model_dump(mode="json", exclude={"seal"}),
                "state": item.state,
                "reason": item.reason,
                "slot": slots.get(item.number),
            }
            for item in found.items
        ],
    }
