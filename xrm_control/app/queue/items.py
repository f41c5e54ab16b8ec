"""What is put into a queue, and what is changed in it: from any process, also while another one runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from xrm_control.app.queue.freezing import checked, cost_of, instrument_of
from xrm_control.contracts.queue import Budget, Item, ItemEntry, QueueSettings, Wish
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import CommandRefusal, RecipeError
from xrm_control.core.queue_states import AHEAD, IN_HAND, ItemState
from xrm_control.core.user import user_at_host
from xrm_control.processing.schedule import in_order
from xrm_control.storage.queue_folder import Contents, QueueFolder

After = Literal["item", "frame", "scan", "region"]
_NO_BUDGET = Budget()


@dataclass(frozen=True)
class Wanted:
    """How a recipe is put into a queue. name: None for the recipe's; at_um: where on the holder; before, after: the
    number or name of another item; deadline: by when it must have ended; now: in front of all others; by: on whose
    behalf, "" for this process's user.
    """

    name: str | None = None
    at_um: tuple[float, float] | None = None
    priority: int | None = None
    deadline: datetime | None = None
    budget: Budget = _NO_BUDGET
    before: str | None = None
    after: str | None = None
    now: bool = False
    by: str = ""


def sender(on_behalf_of: str = "") -> str:
    """Who this process works for: user@host, and whoever has told that one."""
    user = user_at_host()[:200]
    return f"{on_behalf_of} by {user}"[:300] if on_behalf_of else user


def add(queue: Path, recipe: Path, settings: Mapping[str, str] | None = None, wanted: Wanted = Wanted()) -> Item:
    """Check a recipe and freeze it into a queue, which is begun where there is none.

    settings: as `--set` takes them. Raises RecipeError or SafetyRefusal as `check` does, DataError for what
    is no queue.
    """
    loaded, plan = checked(recipe, settings or {}, wanted.at_um)
    if wanted.deadline is not None and wanted.deadline <= utc_now():
        raise RecipeError("is over already", where="--deadline", value=wanted.deadline.isoformat(timespec="minutes"))
    folder = QueueFolder.make(queue)

    def made(number: int, contents: Contents, sha256: str) -> Item:
        place = _place(contents, folder, wanted)
        return Item(
            number=number,
            name=_name(wanted.name or loaded.recipe.name),
            source=str(recipe)[:1000],
            recipe_sha256=sha256,
            instrument=instrument_of(loaded.recipe),
            simulated=loaded.recipe.instrument.simulated,
            cost=cost_of(loaded.recipe, plan),
            at_um=wanted.at_um,
            priority=place.priority,
            deadline=None if wanted.deadline is None else wanted.deadline.astimezone(UTC),
            budget=wanted.budget,
            position=place.position,
            warnings=tuple(warning.message() for warning in plan.warnings),
            history=(ItemEntry(state=ItemState.WAITING, utc=utc_now(), by=sender(wanted.by), reason="added"),),
        )

    return folder.add(loaded.text, made)


def now(
    queue: Path,
    recipe: Path,
    settings: Mapping[str, str] | None = None,
    wanted: Wanted = Wanted(),
    after: After = "item",
) -> tuple[Item, str]:
    """`add` in front of all others. after: "item": when the one in hand has ended; "scan" or "region": that one
    stops in order behind its present scan or region, gives way, and is gone on with afterwards.
    """
    item = add(queue, recipe, settings, Wanted(**{**wanted.__dict__, "now": True}))
    if after == "item":
        return item, "is done next"
    folder = QueueFolder.open(queue)
    running = [one for one in folder.read().items.values() if one.state is ItemState.RUNNING]
    for one in running:
        wish = Wish(kind="give_way", after=after, by=sender(), reason=f"gives way to item {item.number} ({item.name})")
        folder.change(one.number, lambda found, wish=wish: found.model_copy(update={"wish": wish}))
    if not running:
        return item, "is done next: nothing is being carried out"
    return item, f"is done next: item {running[0].number} stops after this {after}, and is gone on with afterwards"


def move(
    queue: Path,
    which: str,
    *,
    before: str | None = None,
    after: str | None = None,
    first: bool = False,
    priority: int | None = None,
    deadline: datetime | Literal["none"] | None = None,
    by: str = "",
) -> Item:
    """Give an item another place, priority or deadline. Beside another item it takes that one's priority.

    by: on whose behalf. Raises CommandRefusal where it would not come to stand there, because of a deadline, or is
    over.
    """
    folder = QueueFolder.open(queue)
    if deadline not in (None, "none") and isinstance(deadline, datetime) and deadline <= utc_now():
        raise RecipeError("is over already", where="--deadline", value=deadline.isoformat(timespec="minutes"))
    with folder.editing():
        contents = folder.read()
        item = contents.named(which, folder.path)
        if item.state not in AHEAD or item.state in IN_HAND:
            raise CommandRefusal(
                "has no place in the order any more" if item.state not in AHEAD else "is being carried out",
                where=_title(item),
                value=item.state,
            )
        changes: dict[str, object] = {} if priority is None else {"priority": priority}
        if deadline is not None:
            changes["deadline"] = deadline.astimezone(UTC) if isinstance(deadline, datetime) else None
        if before or after or first:
            place = _place(contents, folder, Wanted(priority=priority, before=before, after=after, now=first), item)
            changes |= {"priority": place.priority, "position": place.position}
        if not changes:
            raise RecipeError(
                "where to?", where="move", remedy="say --before, --after, --first, --priority or --deadline"
            )
        # Through the model, which knows the limits of a priority.
        contents = folder.read()
        changes["moves"] = item.moved(utc_now(), sender(by), _wanted(before, after, first, priority, deadline))
        moved = Item.model_validate({**item.model_dump(), **changes, "seal": ""})
        _require_stands(contents, folder, moved, before, after)
        return folder.put(moved)


def skip(queue: Path, which: str, reason: str = "", by: str = "") -> tuple[Item, str]:
    """Do not carry an item out, or not any further; `retry` takes it up again. Returns it and what comes of it.

    by: on whose behalf.
    """
    return _give_up(queue, which, ItemState.SKIPPED, reason, by)


def remove(queue: Path, which: str, reason: str = "") -> tuple[Item, str]:
    """Take an item off the list; its folder stays. One that is being carried out is refused."""
    return _give_up(queue, which, ItemState.REMOVED, reason)


def retry(queue: Path, which: str, by: str = "") -> Item:
    """Let an item that failed, expired, was skipped, refused or paused wait for its turn again; its run is gone on
    with where it has one. by: on whose behalf. Raises CommandRefusal for one that is being carried out.
    """
    folder = QueueFolder.open(queue)

    def change(item: Item) -> Item:
        if item.state in IN_HAND and not _left_alone(folder, item):
            raise CommandRefusal(
                "is being carried out",
                where=_title(item),
                value=item.state,
                remedy="one that is held is tried again by itself; of another one wait for the end, or `xrm queue skip`"
                " it first",
            )
        return item.entered(ItemState.WAITING, _after(item), sender(by), "to be tried again")

    return folder.change(folder.read().named(which, folder.path).number, change)


def stop(queue: Path, *, now: bool = False, by: str = "") -> str:
    """Let whoever runs the queue end after the item in hand; `now`: that one stops after its frame, and stands paused.

    by: on whose behalf. Raises CommandRefusal where nobody runs it.
    """
    folder = QueueFolder.open(queue)
    if folder.runner() is None:
        raise CommandRefusal("nobody runs the queue", where=str(folder.path), remedy="there is nothing to stop")
    by = sender(by)
    folder.change_settings(lambda settings: settings.model_copy(update={"stop": by}))
    running = [item for item in folder.read().items.values() if item.state in IN_HAND]
    if not running:
        return "the queue ends"
    if not now:
        return f"the queue ends after item {running[0].number} ({running[0].name})"
    wish = Wish(kind="pause", by=by, reason=f"stopped by {by}")
    folder.change(running[0].number, lambda item: item.model_copy(update={"wish": wish}))
    return f"item {running[0].number} ({running[0].name}) stops after its frame, and the queue ends"


def set_limits(
    queue: Path,
    *,
    end: datetime | Literal["none"] | None = None,
    budget: Budget | None = None,
    safe: bool = False,
) -> QueueSettings:
    """What holds for all items. safe: somebody has looked at the instrument. RecipeError for an end that is over."""
    if isinstance(end, datetime) and end <= utc_now():
        raise RecipeError(
            "is over already",
            where="--end",
            value=end.isoformat(timespec="minutes"),
            remedy="name one that comes, or `none`; `xrm queue stop` ends what is going on",
        )
    folder = QueueFolder.make(queue)
    folder.begin_settings_anew()
    changes: dict[str, object] = {}
    if end is not None:
        changes["end"] = end.astimezone(UTC) if isinstance(end, datetime) else None
    if budget is not None:
        changes["budget"] = budget
    if safe:
        changes["unsafe"] = None
    return folder.change_settings(lambda settings: settings.model_copy(update=changes))


def _give_up(queue: Path, which: str, state: ItemState, reason: str, by: str = "") -> tuple[Item, str]:
    folder, by = QueueFolder.open(queue), sender(by)
    why = reason or f"{'skipped' if state is ItemState.SKIPPED else 'removed'} by {by}"

    def change(item: Item) -> Item:
        alone = _left_alone(folder, item)
        if item.state not in IN_HAND or (alone and state is ItemState.SKIPPED):
            return item.entered(state, _after(item), by, why)
        if state is ItemState.REMOVED:
            raise CommandRefusal("is being carried out", where=_title(item), remedy="`xrm queue skip` ends it in order")
        return item.model_copy(update={"wish": Wish(kind="skip", by=by, reason=why)})

    item = folder.change(folder.read().named(which, folder.path).number, change)
    return item, "stops after its frame" if item.wish is not None else str(item.state)


def _left_alone(folder: QueueFolder, item: Item) -> bool:
    """Whether nobody has an item in hand, whatever is on record."""
    return folder.runner() is None and folder.folder(item.number).holder() is None


def _after(item: Item) -> datetime:
    """Now; in a queue that went through virtual time not before what is on record."""
    return max(utc_now(), item.history[-1].utc)


def _wanted(
    before: str | None,
    after: str | None,
    first: bool,
    priority: int | None,
    deadline: datetime | Literal["none"] | None,
) -> str:
    """What was asked of a move, in words."""
    when = deadline.isoformat(timespec="minutes") if isinstance(deadline, datetime) else deadline
    parts = {
        "before item": before,
        "after item": after,
        "first": "" if first else None,
        "priority": priority,
        "deadline": when,
    }
    return ", ".join(f"{name} {value}".strip() for name, value in parts.items() if value is not None)[:200]


@dataclass(frozen=True)
class _Place:
    priority: int
    position: float


def _place(contents: Contents, folder: QueueFolder, wanted: Wanted, moved: Item | None = None) -> _Place:
    """Where among the others; at the end of its priority unless something else is wanted."""
    if sum(map(bool, (wanted.before, wanted.after, wanted.now))) > 1:
        raise RecipeError("only one place can be wanted", where="--before, --after")
    others = [item for item in in_order(contents.items.values()) if moved is None or item.number != moved.number]
    known = [*contents.items.values()]
    last = max((item.position for item in known), default=0.0) + 1.0
    if wanted.now:
        waiting = [item for item in others if item.state not in IN_HAND]
        highest = max((item.priority for item in waiting), default=0)
        # Above all, also above those that have a deadline.
        return _Place(min(1000, max(highest + 1, wanted.priority or 0)), last)
    beside = wanted.before or wanted.after
    if beside is None:
        return _Place(wanted.priority or 0, last)
    other = contents.named(beside, folder.path)
    if other not in others:
        raise CommandRefusal(
            "has no place in the order any more"
            if moved is None or other.number != moved.number
            else "is the same item",
            where=_title(other),
            value=other.state,
            remedy="name another one that waits; `xrm queue list` shows them",
        )
    same = sorted(item.position for item in others if item.priority == other.priority)
    at = same.index(other.position)
    if wanted.before:
        low, high = same[at - 1] if at else other.position - 1.0, other.position
    else:
        low, high = other.position, same[at + 1] if at + 1 < len(same) else other.position + 1.0
    middle = (low + high) / 2
    if low < middle < high:
        return _Place(other.priority, middle)
    # No number is left between the two: all get new ones, in the same order.
    for number, item in enumerate(in_order(contents.items.values()), start=1):
        folder.put(item.model_copy(update={"position": float(number)}))
    return _place(folder.read(), folder, wanted, moved)


def _require_stands(
    contents: Contents, folder: QueueFolder, moved: Item, before: str | None, after: str | None
) -> None:
    """Raises CommandRefusal where a deadline puts the item elsewhere than it was wanted."""
    beside = before or after
    if beside is None:
        return
    other = contents.named(beside, folder.path)
    numbers = [item.number for item in in_order({**contents.items, moved.number: moved}.values())]
    place, theirs = numbers.index(moved.number), numbers.index(other.number)
    if (place < theirs) != (before is not None):
        raise CommandRefusal(
            "cannot stand there: of one priority those with a deadline go first, the earliest before the others",
            where=_title(moved),
            value=f"{'before' if before else 'after'} {_title(other)}",
            remedy="give it another --priority or --deadline",
        )


def _title(item: Item) -> str:
    return f"item {item.number} ({item.name})"


def _name(text: str) -> str:
    import re

    from xrm_control.contracts.queue import NAME

    if not re.fullmatch(NAME, text):
        raise RecipeError(
            "is no name of an item", where="--name", value=repr(text)[:80], limit="up to 60 letters, digits, - and _"
        )
    return text


Change = Callable[[Item], Item]
