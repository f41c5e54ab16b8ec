"""Nights of real items (they acquire, reconstruct and measure) that are killed at random and edited meanwhile.

The judges are the kernel's SIGKILL, the list of what was wanted, and a run of the same recipe that nobody disturbed:
on an instrument that stands still, without noise, all items give its volume and its tables.
``XRM_QUEUE_STORMS`` nights from the seed ``XRM_QUEUE_STORM_FIRST`` on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import tifffile

from tests.app.queues import until
from tests.system.conftest import write_recipe
from tests.system.test_kills import FRAMES, STILL
from tests.system.test_queue import ended, xrm
from xrm_control import app
from xrm_control.app.queue import items
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.morning import MORNING
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import AHEAD, ItemState
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.queue_folder import QueueFolder

__all__ = ["ended"]

_FIRST, _NIGHTS = int(os.environ.get("XRM_QUEUE_STORM_FIRST", 1)), int(os.environ.get("XRM_QUEUE_STORMS", 12))
SEEDS = range(_FIRST, _FIRST + _NIGHTS)
ACTS = ("kill the queue", "kill the item", "kill both", "move", "skip", "retry", "set", "add", "now", "look")
PLACES: tuple[dict[str, Any], ...] = ({"first": True}, {"priority": 3}, {"before": "1"})
_BEGUN_WITH, _MOST_ITEMS, _ACTS = 3, 6, 14


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a region that nobody disturbed."""
    place = tmp_path_factory.mktemp("right")
    loaded = app.load(write_recipe(place, **STILL))
    return app.run(loaded, place / "runs", None).folder / "roi-01"


class Night:
    """A queue, who runs it, and what somebody wants of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.queue, self.random = folder, folder / "queue", Random(seed)
        self.recipe = write_recipe(folder, **STILL)
        self.running: subprocess.Popen[str] | None = None
        self.started: list[subprocess.Popen[str]] = []
        self.done: Counter[str] = Counter()
        self.skipped: set[int] = set()
        self.deaths: Counter[int] = Counter()
        for _ in range(_BEGUN_WITH):
            self.add()

    def add(self, *, now: bool = False) -> None:
        number = len(QueueFolder.open(self.queue).read().items) + 1 if self.queue.exists() else 1
        if number <= _MOST_ITEMS:
            items.add(self.queue, self.recipe, {}, Wanted(name=f"item-{number}", now=now))

    def in_hand(self) -> tuple[int, int] | None:
        """The item that is carried out, and by which process."""
        folder = QueueFolder.open(self.queue)
        for number in folder.read().items:
            if folder.folder(number).holder() is not None:
                return number, int((folder.folder(number).path / ".lock").read_text().split()[0])
        return None

    def run(self) -> None:
        if self.running is None or self.running.poll() is not None:
            self.running = xrm(self.folder, "queue", "run")
            self.started.append(self.running)

    def act(self) -> None:
        what = self.random.choice(ACTS)
        some = str(self.random.choice(list(QueueFolder.open(self.queue).read().items)))
        with suppress(XrmError):  # refused, as for an item that has ended
            match what:
                case "kill the queue" | "kill the item" | "kill both":
                    self.kill(what)
                case "move":
                    items.move(self.queue, some, **self.random.choice(PLACES))
                case "skip":
                    items.skip(self.queue, some)
                    self.skipped.add(int(some))
                case "retry":
                    items.retry(self.queue, some)
                    self.skipped.discard(int(some))
                case "set":
                    items.set_limits(self.queue, end=utc_now() + timedelta(hours=self.random.randint(5, 9)))
                case "add" | "now":
                    self.add(now=what == "now")
                case _:
                    QueueFolder.open(self.queue).read()
            self.done[what] += 1

    def kill(self, what: str) -> None:
        victim = self.in_hand() if what != "kill the queue" else None
        if what != "kill the item" and self.running is not None:
            self.running.kill()
            self.running.wait()
        # Ended three times an item is given up.
        if victim is not None and self.deaths[victim[0]] < 2:
            self.deaths[victim[0]] += 1
            os.kill(victim[1], signal.SIGKILL)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_done_twice_and_nothing_is_lost(
    tmp_path: Path, right: Path, ended: list[subprocess.Popen[str]], seed: int
) -> None:
    night = Night(tmp_path, seed)
    try:
        for _ in range(_ACTS):
            night.run()
            threading.Event().wait(night.random.uniform(0.3, 4.0))
            night.act()
        # The storm is over.
        for number in sorted(night.skipped):
            with suppress(XrmError):
                items.retry(night.queue, str(number))
        until(lambda: over(night), 900)
    finally:
        ended.extend(night.started)
    print(f"seed {seed}: {dict(night.done)}")
    said = (tmp_path / "said.txt").read_text()
    assert "Traceback" not in said
    contents = QueueFolder.open(night.queue).read()
    assert not contents.damaged
    assert sorted(contents.items) == list(range(1, len(contents.items) + 1))
    page = MORNING.read(night.queue / "morning.json")
    assert {item.number: item.state for item in page.items} == {n: one.state for n, one in contents.items.items()}
    for number, item in contents.items.items():
        runs = list(QueueFolder.open(night.queue).folder(number).runs.glob("*/journal.sqlite"))
        if item.state is ItemState.SKIPPED:
            continue
        assert (item.state, len(runs)) == (ItemState.DONE, 1), (item.reason, said)
        with JournalReader.open(runs[0]) as journal:
            names = [plan.frame_id for plan, _ in journal.stored_frames()]
            assert journal.missing_frames() == {}
        assert len(names) == len(set(names)) == FRAMES
        assert app.verify(runs[0].parent).exit_code is ExitCode.OK
        made = runs[0].parent / "roi-01"
        assert (tifffile.imread(made / "volume.ome.tif") == tifffile.imread(right / "volume.ome.tif")).all()
        assert (made / "particles.csv").read_bytes() == (right / "particles.csv").read_bytes()


def over(night: Night) -> bool:
    """Whether nothing is ahead any more; the queue is run until then."""
    contents = QueueFolder.open(night.queue).read()
    if any(item.state in AHEAD or item.state is ItemState.RUNNING for item in contents.items.values()):
        night.run()
        return False
    for item in contents.items.values():
        if item.state is ItemState.PAUSED:
            items.retry(night.queue, str(item.number))
            return False
    return night.running is None or night.running.poll() is not None
