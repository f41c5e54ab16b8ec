"""Wishes and limits while an item's process lives: one letter to its run, and what its end then means."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.app.queues import Bench, stood
from xrm_control.app.queue import items
from xrm_control.app.queue.clock import QueueClock
from xrm_control.app.queue.ending import ending
from xrm_control.app.queue.items import Wanted
from xrm_control.app.queue.watch import Watch
from xrm_control.contracts.commands import Command, Letter, Reply, Stop
from xrm_control.contracts.queue import Budget, Item, Wish
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import CommandRefusal
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RunState
from xrm_control.processing.schedule import Obstacle
from xrm_control.storage.inbox import Inbox, delivered
from xrm_control.storage.queue_folder import QueueFolder
from xrm_control.storage.run_folder import RunFolder


class Living:
    """Lives until its run has taken a command, or for so many looks."""

    def __init__(self, looks: int = 400) -> None:
        self.taken: list[Command] = []
        self.looks, self.interrupts = looks, 0

    def poll(self) -> int | None:
        self.looks -= 1
        return ExitCode.RESUMABLE if self.taken else 0 if self.looks < 0 else None

    def interrupt(self) -> None:
        self.interrupts += 1
        self.looks = 0

    def said(self) -> str:
        return ""


class Scene:
    """One item in hand, and a run that answers letters; it refuses the first `deaf` of them."""

    def __init__(self, folder: Path, t_s: float = 30.0, **wanted: Any) -> None:
        self.bench = Bench(folder)
        self.bench.add("first", **wanted)
        self.queue = QueueFolder.open(self.bench.queue)
        self.item = self.queue.change(1, lambda one: one.entered(ItemState.RUNNING, utc_now(), "the queue"))
        self.queue.folder(1).runs.mkdir()
        run = self.queue.folder(1).runs / "20260101T000000Z_r_0000"
        (folder / "stood" / stood(folder, RunState.SCANNING, t_s=t_s)).rename(run)
        self.run, self.living, self.deaf, self.heard = RunFolder(run), Living(), 0, 0

    def watched(self, interrupted: bool = False, ahead_s: float = 0.0) -> tuple[int, Obstacle | None]:
        def deliver(_: str, letter: Letter) -> Future[Reply]:
            self.heard += 1
            reply: Future[Reply] = Future()
            reply.set_result(Reply(accepted=self.heard > self.deaf, text=""))
            if self.heard > self.deaf:
                self.living.taken.append(letter.command)
            return reply

        watch = Watch(self.queue, self.item, QueueClock(ahead_s), self.bench.told.append, lambda: interrupted)
        with self.run.lock(), delivered(Inbox(self.run), deliver):
            return watch.wait(self.living), watch.stopped


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrm_control.app.queue.watch._OBEY_EVERY_S", 0.0)
    monkeypatch.setattr("xrm_control.app.queue.watch._LIMITS_EVERY_S", 0.0)


WISHES: list[tuple[Literal["pause", "give_way", "skip"], Literal["frame", "scan", "region"], ItemState]] = [
    ("pause", "frame", ItemState.PAUSED),
    ("give_way", "scan", ItemState.WAITING),
    ("give_way", "region", ItemState.WAITING),
    ("skip", "frame", ItemState.SKIPPED),
]


@pytest.mark.parametrize(("kind", "after", "becomes"), WISHES)
@pytest.mark.parametrize("deaf", [0, 2])
def test_a_wish_becomes_one_letter(
    tmp_path: Path,
    kind: Literal["pause", "give_way", "skip"],
    after: Literal["frame", "scan", "region"],
    becomes: ItemState,
    deaf: int,
) -> None:
    scene = Scene(tmp_path)
    scene.deaf = deaf
    wish = Wish(kind=kind, after=after, by="op@host", reason="because")
    wished = scene.queue.change(1, lambda one: one.model_copy(update={"wish": wish}))
    code, stopped = scene.watched()
    assert scene.living.taken == [Stop(after=after)]
    end = ending(wished, scene.queue.folder(1), code, "", stopped, None)
    assert (end.state, end.reason) == (becomes, "because")


@pytest.mark.parametrize(
    ("wanted", "said", "becomes"),
    [
        ({"budget": Budget(minutes=1)}, "it has used 2.0 of 1 min of its budget", ItemState.EXPIRED),
        ({"deadline": timedelta(minutes=5)}, "its deadline is over", ItemState.EXPIRED),
        ({"end": timedelta(minutes=5)}, "the night is over", ItemState.PAUSED),
    ],
)
def test_over_its_time_it_stops_behind_its_scan(
    tmp_path: Path, wanted: dict[str, Any], said: str, becomes: ItemState
) -> None:
    now = utc_now()
    given = {key: now + value if isinstance(value, timedelta) else value for key, value in wanted.items()}
    end = given.pop("end", None)
    scene = Scene(tmp_path, t_s=120.0, **given)
    if end is not None:
        items.set_limits(scene.bench.queue, end=end)
    scene.bench.told.clear()
    code, stopped = scene.watched(ahead_s=600.0)
    assert scene.living.taken == [Stop(after="scan")]
    assert stopped is not None
    assert said in stopped.reason
    assert ending(scene.item, scene.queue.folder(1), code, "", stopped, None).state is becomes


def test_within_its_limits_nothing_is_sent(tmp_path: Path) -> None:
    scene = Scene(tmp_path, budget=Budget(minutes=60), deadline=utc_now() + timedelta(hours=1))
    scene.living.looks = 10
    assert scene.watched() == (0, None)
    assert scene.heard == 0


def test_an_interrupt_reaches_the_process_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.watched(interrupted=True)
    assert scene.living.interrupts == 1


def test_wishes_from_the_commands(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.bench.acts["quick"] = [scene.bench.done()]
    _, said = items.now(scene.bench.queue, scene.bench.recipe, {}, Wanted(name="quick"), after="scan")
    assert said == "is done next: item 1 stops after this scan, and is gone on with afterwards"
    assert wish(scene) == ("give_way", "scan")
    with scene.queue.running():
        assert "stops after its frame" in items.stop(scene.bench.queue, now=True)
        assert wish(scene) == ("pause", "frame")
        assert items.skip(scene.bench.queue, "first")[1] == "stops after its frame"
    assert wish(scene) == ("skip", "frame")
    with pytest.raises(CommandRefusal, match="is being carried out"):
        items.remove(scene.bench.queue, "first")
    with pytest.raises(CommandRefusal, match="is being carried out"):
        items.move(scene.bench.queue, "first", priority=3)


def wish(scene: Scene) -> tuple[str, str]:
    item: Item = scene.bench.items()["first"]
    assert item.wish is not None
    return item.wish.kind, item.wish.after
