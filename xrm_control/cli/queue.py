"""`xrm queue`: many recipes, one after the other, through a night."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from xrm_control.cli import arguments
from xrm_control.cli.options import AsJson, Overrides, RecipePath, number_option, whole_option
from xrm_control.cli.plain import PlainConsole, print_json
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import RecipeError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.numbers import PLAIN

if TYPE_CHECKING:
    from xrm_control.app.queue.items import Wanted
    from xrm_control.contracts.queue import Budget, Item

queue = typer.Typer(help="Many recipes, one after the other, through a night.", no_args_is_help=True)
_out = PlainConsole(highlight=False, soft_wrap=True)
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)

_NUMBER = rf"[-+]?{PLAIN}(?:[eE][-+]?[0-9]+)?"
_AT = re.compile(rf"({_NUMBER})\s*,\s*({_NUMBER})")
_AMOUNT = re.compile(rf"({PLAIN}(?:[eE][-+]?[0-9]+)?)\s*(s|min|h|Gy|kGy|MGy)")
_MINUTES = {"s": 1 / 60, "min": 1.0, "h": 60.0}
_GRAY = {"Gy": 1.0, "kGy": 1e3, "MGy": 1e6}

Which = Annotated[str, typer.Argument(metavar="ITEM", help="number or name of an item", show_default=False)]
Folder = Annotated[Path, typer.Option("--queue", help="folder of the queue")]
Name = Annotated[str | None, typer.Option(help="name of the item; none: the recipe's")]
Place = Annotated[
    str | None, typer.Option("--at", help="X,Y in um: where on the holder, added to the recipe's positions")
]
Priority = Annotated[
    int | None, whole_option(help="higher ones are carried out first; 0 if not said", low=-1000, high=1000)
]
Deadline = Annotated[str | None, typer.Option(help="by when it must have ended: 07:30, 2026-11-27T07:30, or +8h")]
Limit = Annotated[str | None, typer.Option(help="the most it may spend: 90min, 2h, 500kGy, or both with a comma")]
Before = Annotated[str | None, typer.Option(help="in front of this item")]
After = Annotated[str | None, typer.Option(help="behind this item")]
QUEUE = Path("queue")


@queue.callback()
def _group() -> None:
    """Many recipes, one after the other, through a night."""


@queue.command()
def add(
    recipe: RecipePath,
    set_: Overrides = None,
    folder: Folder = QUEUE,
    name: Name = None,
    at: Place = None,
    priority: Priority = None,
    deadline: Deadline = None,
    budget: Limit = None,
    before: Before = None,
    after: After = None,
    json_: AsJson = False,
) -> None:
    """Check a recipe and put it into a queue, frozen as it is now; also while the queue is run."""
    from xrm_control.app.queue import items

    wanted = _wanted(name, at, priority, deadline, budget, before, after)
    item = items.add(folder, recipe, arguments.overrides(set_), wanted)
    _told_of(item, "added", folder, json_)


@queue.command()
def now(
    recipe: RecipePath,
    set_: Overrides = None,
    folder: Folder = QUEUE,
    name: Name = None,
    at: Place = None,
    deadline: Deadline = None,
    budget: Limit = None,
    after: Annotated[
        Literal["item", "scan", "region"],
        typer.Option(help="what of the item in hand is still finished; scan, region: it is gone on with afterwards"),
    ] = "item",
    json_: AsJson = False,
) -> None:
    """Do one recipe next, without disturbing the rest."""
    from xrm_control.app.queue import items

    wanted = _wanted(name, at, None, deadline, budget, None, None)
    item, what = items.now(folder, recipe, arguments.overrides(set_), wanted, after)
    _told_of(item, what, folder, json_)


@queue.command("list")
def list_(folder: Folder = QUEUE, json_: AsJson = False) -> None:
    """What is in a queue, when each item begins and ends by its plan, and what does not fit."""
    from xrm_control.app.queue.facts import look
    from xrm_control.cli import queue_table

    found = look(folder)
    if json_:
        print_json(queue_table.as_dict(found))
    else:
        for one in queue_table.view(found):
            _out.print(one)


@queue.command()
def move(
    item: Which,
    folder: Folder = QUEUE,
    before: Before = None,
    after: After = None,
    first: Annotated[bool, typer.Option("--first", help="in front of all others")] = False,
    priority: Priority = None,
    deadline: Annotated[str | None, typer.Option(help="as for add; `none` takes it away")] = None,
    json_: AsJson = False,
) -> None:
    """Give an item another place, priority or deadline. Beside another item it takes that one's priority."""
    from xrm_control.app.queue import items

    moved = items.move(
        folder,
        item,
        before=before,
        after=after,
        first=first,
        priority=priority,
        deadline=_moment(deadline, "--deadline"),
    )
    _told_of(moved, f"moved; priority {moved.priority}", folder, json_)


@queue.command()
def skip(
    item: Which,
    folder: Folder = QUEUE,
    reason: Annotated[str, typer.Option(help="for the morning page", show_default=False)] = "",
    json_: AsJson = False,
) -> None:
    """Do not carry an item out, or not any further; what it has is kept."""
    from xrm_control.app.queue import items

    found, what = items.skip(folder, item, reason[:500])
    _told_of(found, what, folder, json_)


@queue.command()
def remove(item: Which, folder: Folder = QUEUE, json_: AsJson = False) -> None:
    """Take an item off the list. Its folder stays."""
    from xrm_control.app.queue import items

    found, what = items.remove(folder, item)
    _told_of(found, what, folder, json_)


@queue.command()
def retry(item: Which, folder: Folder = QUEUE, json_: AsJson = False) -> None:
    """Let an item wait for its turn again; the run that it has is gone on with."""
    from xrm_control.app.queue import items

    _told_of(items.retry(folder, item), "waits again", folder, json_)


@queue.command("set")
def set_limits(
    folder: Folder = QUEUE,
    end: Annotated[str | None, typer.Option(help="of the night: 07:30, 2026-11-27T07:30, +12h; `none`")] = None,
    budget: Annotated[str | None, typer.Option(help="of all items together: 12h, 5MGy, or both with a comma")] = None,
    safe: Annotated[bool, typer.Option("--safe", help="somebody has looked at the instrument, and it is safe")] = False,
    json_: AsJson = False,
) -> None:
    """What holds for all items: the end of the night, a budget. Also while the queue is run."""
    from xrm_control.app.queue import items
    from xrm_control.processing.schedule import at

    if end is None and budget is None and not safe:
        raise RecipeError("nothing is to be set", where="queue set", remedy="say --end, --budget or --safe")
    settings = items.set_limits(
        folder, end=_moment(end, "--end"), budget=None if budget is None else _budget(budget), safe=safe
    )
    if json_:
        print_json({"ok": True, **settings.model_dump(mode="json", include={"end", "budget", "unsafe"})})
        return
    until = "not set" if settings.end is None else at(settings.end)
    most = ", ".join(
        [
            *([] if settings.budget.minutes is None else [f"{settings.budget.minutes:g} min"]),
            *([] if settings.budget.dose_gy is None else [f"{settings.budget.dose_gy:g} Gy"]),
        ]
    )
    _out.print(f"end of the night: {until}; budget: {most or 'not set'}")


@queue.command()
def run(
    folder: Folder = QUEUE,
    speed: Annotated[
        str | None, typer.Option(help="virtual (simulated only), or N times the wall clock; none: the instrument's own")
    ] = None,
    patience: Annotated[
        float,
        number_option(help="minutes for which an instrument that does not answer is waited for", low=0, high=10_000),
    ] = 240.0,
    json_: AsJson = False,
) -> None:
    """Carry out what is ahead, each item by a process of its own. After a kill or a reboot: the same command again."""
    from xrm_control.app.queue import runner

    carried = runner.run(folder, speed, lambda text: _err.print(text), patience_s=60 * patience)
    page = carried.path / "morning.html"
    if json_:
        print_json(
            {"ok": carried.exit_code == 0, "exit_code": int(carried.exit_code), "how": carried.how, "page": str(page)}
        )
    else:
        _out.print(f"ended    {carried.how}")
        _out.print(f"page     {page}")
    raise typer.Exit(carried.exit_code)


@queue.command()
def stop(
    folder: Folder = QUEUE,
    now: Annotated[
        bool, typer.Option("--now", help="the item in hand stops after its frame, and stands paused")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Let the queue end after the item in hand; `xrm queue run` goes on with it."""
    from xrm_control.app.queue import items

    said = items.stop(folder, now=now)
    print_json({"ok": True, "answer": said}) if json_ else _out.print(said)


@queue.command()
def report(folder: Folder = QUEUE, json_: AsJson = False) -> None:
    """Write the morning page anew, from the runs as they are now."""
    from xrm_control.app.queue.page import report as write

    page, made = write(folder)
    if json_:
        print_json(made.model_dump(mode="json"))
    else:
        _out.print(str(page))
    raise typer.Exit(ExitCode.OK)


def _wanted(
    name: str | None,
    at: str | None,
    priority: int | None,
    deadline: str | None,
    budget: str | None,
    before: str | None,
    after: str | None,
) -> Wanted:
    from xrm_control.app.queue.items import Wanted
    from xrm_control.contracts.queue import Budget

    moment = _moment(deadline, "--deadline")
    return Wanted(
        name=name,
        at_um=_at(at),
        priority=priority,
        deadline=moment if isinstance(moment, datetime) else None,
        budget=Budget() if budget is None else _budget(budget),
        before=before,
        after=after,
    )


def _at(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    found = _AT.fullmatch(text.strip())
    if found is None:
        raise RecipeError("is no place", where="--at", value=text, limit="X,Y in um, e.g. --at=-120,35.5")
    return float(found[1]), float(found[2])


def _budget(text: str) -> Budget:
    """`none`, or amounts of time and dose. Raises RecipeError."""
    from xrm_control.contracts.queue import Budget

    found: dict[str, float] = {}
    if text.strip() == "none":
        return Budget()
    for part in text.split(","):
        amount = _AMOUNT.fullmatch(part.strip())
        value = 0.0 if amount is None else float(amount[1])
        unit = "" if amount is None else amount[2]
        key = "minutes" if unit in _MINUTES else "dose_gy"
        if amount is None or not 0 < value < 1e9 or key in found:
            raise RecipeError(
                "is given twice" if key in found and amount else "is no budget",
                where="--budget",
                value=text,
                limit="a time (s, min, h), a dose (Gy, kGy, MGy), or both: 90min,500kGy",
            )
        found[key] = value * (_MINUTES.get(unit) or _GRAY[unit])
    return Budget(**found)


def _moment(text: str | None, option: str) -> datetime | Literal["none"] | None:
    """`none`, a time of day (the next one, local), a date and time (local unless it says), or +HOURS. RecipeError."""
    if text is None or text == "none":
        return None if text is None else "none"
    now = utc_now().astimezone()
    if ahead := re.fullmatch(r"\+([0-9]{1,5}(?:\.[0-9]+)?)\s*(min|h|d)", text):
        return now + timedelta(minutes=float(ahead[1]) * {"min": 1, "h": 60, "d": 1440}[ahead[2]])
    if clock := re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text):
        hour, minute = int(clock[1]), int(clock[2])
        # As a wall clock shows it, whatever its offset is then; in the night when clocks are put back twice.
        days = (now.date(), now.date() + timedelta(days=1))
        shown = (datetime(day.year, day.month, day.day, hour, minute, fold=fold) for day in days for fold in (0, 1))
        return next(moment for moment in map(datetime.astimezone, shown) if moment > now)
    try:
        moment = datetime.fromisoformat(text)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return moment.astimezone()
    except (ValueError, OverflowError) as error:
        raise RecipeError(
            "is no time", where=option, value=text, limit="07:30, 2026-11-27T07:30, +90min, +8h, +3d"
        ) from error


def _told_of(item: Item, what: str, folder: Path, json_: bool) -> None:
    if json_:
        told = {"item": item.number, "name": item.name, "answer": what, "warnings": list(item.warnings)}
        print_json({"ok": True, **told})
        return
    for warning in item.warnings if what == "added" else ():
        _err.print("warning:", style="bold yellow", end=" ")
        _err.print(warning)
    _out.print(f"item {item.number} ({item.name}): {what}")
