"""Queues for tests: recipes that are checked for real, carried out by a small program that only pretends to.

What it pretends stands in ``pretend.json`` beside the queue, by the item's name a list, one entry for each time that it
is started: how its run stands afterwards (a folder of `stood`), what it prints, its exit code, and what it waits for.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.reporting.conftest import results
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control.app.queue import items, runner
from xrm_control.app.queue.clock import QueueClock
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.morning import MORNING, Morning
from xrm_control.contracts.queue import Item
from xrm_control.core.clock import utc_now
from xrm_control.core.events import SafeStateFailed
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import Level, RunState
from xrm_control.storage.journal import Journal
from xrm_control.storage.queue_folder import QueueFolder
from xrm_control.storage.records import RunRecord

PRETEND = (sys.executable, "-S", "-E", str(Path(__file__).with_name("pretend.py")))
NAMES = ("first", "second", "third")


def stood(folder: Path, state: RunState, verdict: str | None = None, reasons: tuple[str, ...] = (), t_s: float = 30.0,
          *, unsafe: bool = False) -> str:  # fmt: skip
    """A run's folder as it stands in a state, to be copied; its name."""
    name = f"{state}-{verdict}-{t_s:g}-{len(reasons)}-{unsafe}"
    path = folder / "stood" / name
    if path.exists():
        return name
    path.mkdir(parents=True)
    record = RunRecord("r", "r", "0" * 64, "simulated", True, utc_now().isoformat())
    with Journal.create(path / "journal.sqlite", record) as journal:
        journal.set_state(state, t_s=t_s, reason="", utc=None)
        if unsafe:
            journal.record_event(SafeStateFailed.kind, "open", t_s=t_s, level=Level.ERROR, data={}, utc=None)
    if verdict is not None:
        told = results("r")
        told["verdict"] = {"status": verdict, "reasons": list(reasons)}
        (path / "results.json").write_text(json.dumps(told))
    return name


@dataclass
class Bench:
    """A queue of pretended items in `folder`."""

    folder: Path
    told: list[str] = field(default_factory=list)
    acts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def queue(self) -> Path:
        return self.folder / "queue"

    @property
    def recipe(self) -> Path:
        path = self.folder / "short.yaml"
        return path if path.exists() else write_recipe(self.folder, **SMALL)

    def done(self, **more: Any) -> dict[str, Any]:
        return {"stands": stood(self.folder, RunState.DONE, "complete"), "code": 0, **more}

    def add(self, name: str, *acts: dict[str, Any], **wanted: Any) -> Item:
        """An item; without acts it is simply done."""
        self.acts[name] = list(acts) or [self.done()]
        self.write()
        return items.add(self.queue, self.recipe, {}, Wanted(name=name, **wanted))

    def write(self) -> None:
        (self.folder / "pretend.json").write_text(json.dumps(self.acts))

    def run(self, clock: QueueClock | None = None, **more: Any) -> runner.Carried:
        return runner.run(self.queue, None, self.told.append, clock=clock or QuickClock(), program=PRETEND, **more)

    def items(self) -> dict[str, Item]:
        return {item.name: item for item in QueueFolder.open(self.queue).read().items.values()}

    def states(self) -> dict[str, ItemState]:
        return {name: item.state for name, item in self.items().items()}

    def begun(self) -> list[str]:
        """The names of the items in the order in which they were begun or gone on with."""
        entries = [
            (entry.utc, item.name)
            for item in self.items().values()
            for entry in item.history
            if entry.state is ItemState.RUNNING
        ]
        return [name for _, name in sorted(entries)]


class QuickClock(QueueClock):
    """Longer waits take no time; the short ones between two looks at a process do."""

    def wait(self, seconds: float) -> None:
        if seconds < 0.1:
            super().wait(seconds)
        else:
            self.skip(seconds)


def until(condition: Any, within_s: float = 120.0) -> None:
    """Wait for something that another process or thread does."""
    import threading

    end = utc_now() + timedelta(seconds=within_s)
    while not condition():
        if utc_now() > end:
            raise TimeoutError("it has not come")
        threading.Event().wait(0.02)


def page(bench: Bench) -> Morning:
    """The morning page as it is on the disk."""
    return MORNING.read(bench.queue / "morning.json")


def error(code: int, what: str = "something", kind: str = "StorageError") -> dict[str, Any]:
    """How an item's process ends that says what went wrong."""
    return {"code": code, "said": {"ok": False, "error": kind, "what": what, "where": "there"}}
