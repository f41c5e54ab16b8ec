"""Queues from Python: many recipes, one after the other, through a night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from xrm_control.api.recipes import Overrides, as_text
from xrm_control.app.queue import items, page, runner
from xrm_control.app.queue.facts import Listing, look
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.morning import Morning
from xrm_control.contracts.queue import Budget, Item
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.interrupts import outside_loop


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
        budget = Budget(minutes=minutes, dose_gy=dose_gy)
        wanted = Wanted(name, at_um, priority, deadline, budget, _text(before), _text(after))
        return items.add(Path(self.folder), Path(recipe), as_text(overrides), wanted)

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
        return items.now(Path(self.folder), Path(recipe), as_text(overrides), Wanted(name=name, at_um=at_um), after)[0]

    def list(self) -> Listing:
        """All items, when each begins and ends by its plan, and what does not fit."""
        return look(Path(self.folder))

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
            Path(self.folder),
            str(item),
            before=_text(before),
            after=_text(after),
            first=first,
            priority=priority,
            deadline=deadline,
        )

    def skip(self, item: int | str, reason: str = "") -> str:
        """Do not carry an item out, or not any further; what comes of it."""
        return items.skip(Path(self.folder), str(item), reason)[1]

    def remove(self, item: int | str) -> str:
        """Take an item off the list; its folder stays."""
        return items.remove(Path(self.folder), str(item))[1]

    def retry(self, item: int | str) -> Item:
        """Let an item wait for its turn again; the run that it has is gone on with."""
        return items.retry(Path(self.folder), str(item))

    def limit(
        self,
        *,
        end: datetime | Literal["none"] | None = None,
        minutes: float | None = None,
        dose_gy: float | None = None,
        safe: bool = False,
    ) -> None:
        """End of the night, and the most that all items together may spend; safe: somebody has looked, and it is."""
        budget = None if minutes is None and dose_gy is None else Budget(minutes=minutes, dose_gy=dose_gy)
        items.set_limits(Path(self.folder), end=end, budget=budget, safe=safe)

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
        tempo = None if speed is None else str(speed)
        carried = outside_loop(lambda: runner.run(Path(self.folder), tempo, tell, patience_s=patience_s))
        return QueueEnding(carried.exit_code, carried.how, carried.path / "morning.html")

    def stop(self, *, now: bool = False) -> str:
        """Let whoever runs the queue end after the item in hand; now: after its frame."""
        return items.stop(Path(self.folder), now=now)

    def report(self) -> Morning:
        """Write the morning page anew; what it holds."""
        return page.report(Path(self.folder))[1]


def _text(item: int | str | None) -> str | None:
    return None if item is None else str(item)
