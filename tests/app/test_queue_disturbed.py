"""What is done to a queue: damaged on the disk, edited while it runs, left behind by its runner."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.app.queues import NAMES, PRETEND, Bench, QuickClock, error, page, stood, until
from xrm_control.app.queue import items, runner
from xrm_control.app.queue.facts import look
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.queue import Budget
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import CommandRefusal, DataError, ResourceLocked, StorageError, XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RunState
from xrm_control.storage.queue_folder import QueueFolder, leave

ROOT = Path(__file__).parents[2]
DRIVER = (
    "import sys; from pathlib import Path; from xrm_control.app.queue import runner;"
    "sys.exit(runner.run(Path(sys.argv[1]), None, print, program=sys.argv[2:]).exit_code)"
)


def test_a_changed_recipe_is_not_begun(bench: Bench) -> None:
    for name in NAMES:
        bench.add(name)
    with (bench.queue / "items" / "0002_second" / "recipe.yaml").open("a") as file:
        file.write("# innocent\n")
    assert bench.run().exit_code == ExitCode.PARTLY
    assert bench.begun() == ["first", "third"]
    assert "is not as it was added" in bench.items()["second"].reason


DAMAGES = {
    "torn": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "a changed figure": lambda text: text.replace('"priority": 0', '"priority": 9'),
    "another state": lambda text: text.replace('"state": "waiting"', '"state": "done"'),
    "no seal": lambda text: json.dumps({**json.loads(text), "seal": ""}),
    "another's": lambda text: json.dumps({**json.loads(text), "number": 3}),
    "a list": lambda _: "[]",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_item_is_told_and_costs_no_other(bench: Bench, damage: str) -> None:
    for name in NAMES:
        bench.add(name)
    path = bench.queue / "items" / "0002_second" / "item.json"
    path.write_text(DAMAGES[damage](path.read_text()))
    found = look(bench.queue)
    assert list(found.damaged) == [2]
    assert bench.run().exit_code == ExitCode.PARTLY
    assert bench.begun() == ["first", "third"]
    told = page(bench)
    assert told.problems[0].startswith("item 2: 0002_second/item.json")
    # Its recipe is still there, to be added again.
    assert f"xrm queue add {bench.queue}/items/0002_second/recipe.yaml --queue {bench.queue}" in told.next


def test_an_item_whose_folder_is_gone_is_told(bench: Bench) -> None:
    for name in NAMES:
        bench.add(name)
    (bench.queue / "items" / "0002_second").rename(bench.folder / "elsewhere")
    assert bench.run().exit_code == ExitCode.PARTLY
    assert "not there any more" in page(bench).problems[0]


def test_settings_that_cannot_be_read_begin_nothing_and_are_begun_anew(bench: Bench) -> None:
    bench.add("first")
    items.set_limits(bench.queue, budget=Budget(minutes=1))
    (bench.queue / "queue.json").write_text("{")
    assert "queue.json" in str(look(bench.queue).trouble)
    with pytest.raises(DataError, match=r"queue\.json"):
        bench.run()
    items.set_limits(bench.queue, end="none")
    assert (bench.queue / "queue.json.damaged-1").read_text() == "{"
    assert bench.run().exit_code == ExitCode.OK


@contextmanager
def running(bench: Bench) -> Iterator[threading.Thread]:
    """The queue run by another thread, as far as its first item; let go on when the block ends."""
    codes: list[Any] = []
    thread = threading.Thread(target=lambda: codes.append(bench.run()))
    thread.start()
    try:
        until(lambda: (bench.folder / "started.txt").exists())
        yield thread
    finally:
        (bench.folder / "go").touch()
        thread.join(120)
    assert codes


def test_edited_while_it_runs(bench: Bench) -> None:
    bench.add("first", bench.done(waits="go"))
    for name in ("second", "third", "fourth"):
        bench.add(name)
    with running(bench):
        with pytest.raises(ResourceLocked, match="the queue is in use by process"):
            bench.run()
        bench.add("fifth", before="third")
        bench.acts["quick"] = [bench.done()]
        bench.write()
        items.now(bench.queue, bench.recipe, {}, Wanted(name="quick"))
        items.skip(bench.queue, "fourth")
        items.remove(bench.queue, "second")
        assert look(bench.queue).runner == str(os.getpid())
    assert bench.begun() == ["first", "quick", "fifth", "third"]


def test_one_in_hand_does_not_wait_again(bench: Bench) -> None:
    """Else its end would have no way to be put on record, and end the night."""
    bench.add("first", bench.done(waits="go"))
    bench.add("second")
    with running(bench), pytest.raises(CommandRefusal, match=r"is being carried out.*xrm queue skip"):
        items.retry(bench.queue, "first")
    assert bench.states() == {"first": ItemState.DONE, "second": ItemState.DONE}


@pytest.mark.parametrize("what", ["its folder", "its file", "half its file", "its history"])
def test_what_is_done_to_the_item_in_hand_costs_no_other(bench: Bench, what: str) -> None:
    bench.add("first", bench.done(waits="go"))
    bench.add("second")
    place = QueueFolder.open(bench.queue).folder(1)
    with running(bench):
        match what:
            case "its folder":
                place.path.rename(bench.folder / "elsewhere")
            case "its file":
                place.item.unlink()
            case "half its file":
                place.item.write_text(place.item.read_text()[:200])
            case _:
                QueueFolder.open(bench.queue).change(
                    1, lambda item: item.entered(ItemState.WAITING, item.history[-1].utc, "somebody")
                )
        look(bench.queue)
    assert bench.states()["second"] is ItemState.DONE
    assert any("item 1 (first): what came of it cannot be put on record: " in line for line in bench.told)
    assert page(bench).sittings[-1].how == "nothing is left that can be begun now"


def test_a_process_that_nobody_knew_of_is_waited_for(bench: Bench) -> None:
    bench.add("first")
    bench.add("second")
    lock = QueueFolder.open(bench.queue).folder(1).take()

    class UntilTold(list[str]):
        """It ends when it is waited for, however long that takes."""

        def append(self, text: str) -> None:
            super().append(text)
            if "waited for" in text:
                leave(lock)

    bench.told = UntilTold()
    bench.run()
    assert any("the item is carried out by process" in line and "waited for" in line for line in bench.told)
    assert bench.states()["second"] is ItemState.DONE


def test_who_edits_for_long_ends_no_night(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that stalls, or a process that is suspended, while it holds the list."""
    monkeypatch.setattr("xrm_control.storage.queue_folder._EDIT_WITHIN_S", 0.1)
    bench.add("first")
    held = ExitStack()
    held.enter_context(QueueFolder.open(bench.queue).editing())
    with pytest.raises(ResourceLocked, match="the queue's list is in use by process"):
        items.skip(bench.queue, "first")

    class UntilTold(list[str]):
        def append(self, text: str) -> None:
            super().append(text)
            if text.startswith("waiting: "):
                held.close()

    bench.told = UntilTold()
    assert bench.run().exit_code == ExitCode.OK
    assert [line for line in bench.told if "the queue's list is in use by process" in line] == bench.told[:1]


def moved(queue: Path) -> Path:
    return queue.rename(queue.with_name("elsewhere"))


def without_its_lock(queue: Path) -> Path:
    (queue / ".lock").unlink()
    return queue


@pytest.mark.parametrize(
    ("meddle", "said"),
    [
        (moved, "the queue's folder is not where it was"),
        (without_its_lock, "the queue's lock is not this process's any more"),
    ],
)
def test_a_queue_that_is_not_its_runners_any_more_is_left_alone(
    bench: Bench, meddle: Callable[[Path], Path], said: str
) -> None:
    """Nothing more is begun, as another process may run it; it goes on where it is, and does nothing twice."""
    bench.add("first", bench.done(waits="go"))
    bench.add("second")
    ended: list[XrmError] = []

    def run() -> None:
        try:
            bench.run()
        except XrmError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: (bench.folder / "started.txt").exists())
    place = meddle(bench.queue)
    (bench.folder / "go").touch()
    thread.join(120)
    assert [type(error) for error in ended] == [StorageError]
    assert said in str(ended[0])
    known = QueueFolder.open(place).read().items
    assert known[2].state is ItemState.WAITING
    assert "second" not in (bench.folder / "started.txt").read_text()
    carried = runner.run(place, None, clock=QuickClock(), program=PRETEND)
    assert carried.exit_code == ExitCode.OK
    assert (bench.folder / "started.txt").read_text().split("\n").count("second run") == 1


def test_what_somebody_else_has_in_hand_is_not_begun(bench: Bench) -> None:
    """A second one who runs the queue, whose lock's file was taken away: neither does what the other does."""
    for name in NAMES:
        bench.add(name)
    folder = QueueFolder.open(bench.queue)

    class Second(list[str]):
        def append(self, text: str) -> None:
            super().append(text)
            if text.startswith("item 1 (first): begun"):
                folder.change(2, lambda item: item.entered(ItemState.RUNNING, utc_now(), "another"))

    bench.told = Second()
    assert bench.run().exit_code == ExitCode.PARTLY
    assert (bench.folder / "started.txt").read_text().split("\n")[:-1] == ["first run", "third run"]


def test_stopped_after_the_item_in_hand(bench: Bench) -> None:
    bench.add("first", bench.done(waits="go"))
    bench.add("second")
    with running(bench):
        assert items.stop(bench.queue) == "the queue ends after item 1 (first)"
    assert bench.states() == {"first": ItemState.DONE, "second": ItemState.WAITING}
    assert "stopped by" in page(bench).sittings[-1].how
    assert bench.run().exit_code == ExitCode.OK


def test_a_long_campaign_leaves_memory_and_handles_as_they_were(bench: Bench) -> None:
    """30 samples of 144 min in virtual time, 72 h; every tenth fails."""
    day = stood(bench.folder, RunState.DONE, "complete", t_s=144 * 60.0)
    bad = {**error(1), "stands": stood(bench.folder, RunState.FAILED, "failed", t_s=144 * 60.0)}
    for number in range(30):
        bench.add(f"sample-{number:02}", bad if number % 10 == 9 else bench.done(stands=day))
    handles: list[int] = []
    bench.told = Counted(handles)  # type: ignore[assignment]
    clock = QuickClock()
    assert bench.run(clock).exit_code == ExitCode.PARTLY
    told = page(bench)
    assert [item.name for item in told.items if item.state is ItemState.FAILED] == [
        "sample-09",
        "sample-19",
        "sample-29",
    ]
    assert sum(item.state is ItemState.DONE for item in told.items) == 27
    assert told.totals.used_s == pytest.approx(72 * 3600)
    assert clock.ahead_s == pytest.approx(72 * 3600, rel=0.02)
    assert max(handles[10:]) <= max(handles[:10])


class Counted(list[str]):
    """What is told, with how many files are open then."""

    def __init__(self, handles: list[int]) -> None:
        super().__init__()
        self._handles = handles

    def append(self, text: str) -> None:
        super().append(text)
        self._handles.append(len(os.listdir("/proc/self/fd")))
