"""Queues from Python: many recipes, one after the other, through a night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from xrm_control.api import given
from xrm_control.api.recipes import Overrides, as_text
from xrm_control.app.queue import items, page, runner
from xrm_control.app.queue.facts import Listing, look
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.morning import Morning
from xrm_control.contracts.queue import Budget, Item
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.interrupts import outside_loop

_PRIORITY = TypeAdapter[int](Annotated[int, Field(strict=True, ge=-1000, le=1000)])


@dataclass(frozen=True)
class QueueEnding:
    """How a queue was run: exit code as of `xrm queue run`, why it ended, and the morning page."""

    exit_code: ExitCode
    how: str
    page: Path


@dataclass(frozen=True)
class Queue:
    """The queue in `folder`, which the first `add` begins. Each method reads and writes its files at once.

    Items are named by number or, where only one has it, by name. Methods raise CommandRefusal where the state of an
    item does not allow it, DataError for what is not there.
    """

    folder: str | Path = "queue"

    def add(
        self,
        recipe: str | Path,
        overrides: Overrides | None = None,
        *,
        name: str | None = None,
        at_um: tuple[float, float] | None = None,
        priority: int = 0,
        deadline: datetime | None = None,
        minutes: float | None = None,
        dose_gy: float | None = None,
        before: int | str | None = None,
        after: int | str | None = None,
    ) -> Item:
        """Check a recipe and freeze it into the queue.

        at_um: where on the holder, added to the recipe's positions; deadline: with its time zone; minutes, dose_gy: the
        most it may spend, of instrument time and of surface dose summed over its scans. Raises as `check`.
        """
        wanted = Wanted(
            name,
            _place(at_um),
            _priority(priority),
            given.moment(deadline, "deadline"),
            _budget(minutes, dose_gy),
            _text(before),
            _text(after),
        )
        return items.add(given.path(self.folder, "folder"), given.path(recipe, "recipe"), as_text(overrides), wanted)

    def now(
        self,
        recipe: str | Path,
        overrides: Overrides | None = None,
        *,
        name: str | None = None,
        at_um: tuple[float, float] | None = None,
        after: Literal["item", "scan", "region"] = "item",
    ) -> Item:
        """Do one recipe next. after: what of the item in hand is still finished; it is gone on with afterwards."""
        until = given.choice(after, ("item", "scan", "region"), "after")
        folder, wanted = given.path(self.folder, "folder"), Wanted(name=name, at_um=_place(at_um))
        return items.now(folder, given.path(recipe, "recipe"), as_text(overrides), wanted, until)[0]

    def list(self) -> Listing:
        """All items, when each begins and ends by its plan, and what does not fit."""
        return look(given.path(self.folder, "folder"))

    def move(
        self,
        item: int | str,
        *,
        before: int | str | None = None,
        after: int | str | None = None,
        first: bool = False,
        priority: int | None = None,
        deadline: datetime | Literal["none"] | None = None,
    ) -> Item:
        """Give an item another place, priority or deadline. Beside another item it takes that one's priority."""
        return items.move(
            given.path(self.folder, "folder"),
            str(item),
            before=_text(before),
            after=_text(after),
            first=first,
            priority=None if priority is None else _priority(priority),
            deadline=_moment(deadline, "deadline"),
        )

    def skip(self, item: int | str, reason: str = "") -> str:
        """Do not carry an item out, or not any further; what comes of it."""
        return items.skip(given.path(self.folder, "folder"), str(item), reason)[1]

    def remove(self, item: int | str) -> str:
        """Take an item off the list; its folder stays."""
        return items.remove(given.path(self.folder, "folder"), str(item))[1]

    def retry(self, item: int | str) -> Item:
        """Let an item wait for its turn again; the run that it has is gone on with."""
        return items.retry(given.path(self.folder, "folder"), str(item))

    def limit(
        self,
        *,
        end: datetime | Literal["none"] | None = None,
        minutes: float | None = None,
        dose_gy: float | None = None,
        safe: bool = False,
    ) -> None:
        """End of the night, and the most that all items together may spend; safe: somebody has looked, and it is."""
        budget = None if minutes is None and dose_gy is None else _budget(minutes, dose_gy)
        items.set_limits(given.path(self.folder, "folder"), end=_moment(end, "end"), budget=budget, safe=safe)

    def run(
        self,
        *,
        speed: str | float | None = None,
        patience_s: float = runner.PATIENCE_S,
        tell: Callable[[str], Any] = lambda _: None,
    ) -> QueueEnding:
        """Carry out what is ahead, each item by a process of its own. After a kill or a reboot: the same again.

        speed: as for `run`; patience_s: how long an instrument that does not answer is waited for; tell: hears what
        happens. Ctrl-C ends the item in hand in the safe state, and the queue. Raises ResourceLocked while another
        process runs it, NotSafe when nobody has looked at an instrument that was not left safe.
        """
        tempo, waits_s = None if speed is None else str(speed), given.number(patience_s, "patience_s")
        carried = outside_loop(lambda: runner.run(given.path(self.folder, "folder"), tempo, tell, patience_s=waits_s))
        return QueueEnding(carried.exit_code, carried.how, carried.path / "morning.html")

    def stop(self, *, now: bool = False) -> str:
        """Let whoever runs the queue end after the item in hand; now: after its frame."""
        return items.stop(given.path(self.folder, "folder"), now=now)

    def report(self) -> Morning:
        """Write the morning page anew; what it holds."""
        return page.report(given.path(self.folder, "folder"))[1]


def _text(item: int | str | None) -> str | None:
    return None if item is None else str(item)


def _place(at_um: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if at_um is None else given.place(at_um, "at_um")


def _priority(value: int) -> int:
    with given.accepted("priority"):
        return _PRIORITY.validate_python(value)


def _budget(minutes: float | None, dose_gy: float | None) -> Budget:
    amounts = {
        name: None if value is None else given.number(value, name)
        for name, value in (("minutes", minutes), ("dose_gy", dose_gy))
    }
    with given.accepted():
        return Budget(**amounts)


def _moment(value: datetime | Literal["none"] | None, where: str) -> datetime | Literal["none"] | None:
    return "none" if value == "none" else given.moment(value, where)
