"""What survives the death of whoever runs a queue, of its item in flight, and of both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.queues import PRETEND, Bench, stood, until
from xrm_control.app.queue import items
from xrm_control.contracts.morning import MORNING
from xrm_control.contracts.queue import Wish
from xrm_control.core.clock import utc_now
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RunState
from xrm_control.storage.queue_folder import QueueFolder

ROOT = Path(__file__).parents[2]
DRIVER = (
    "import sys; from pathlib import Path; from xrm_control.app.queue import runner;"
    "sys.exit(runner.run(Path(sys.argv[1]), None, print, program=sys.argv[2:]).exit_code)"
)


@pytest.fixture
def process(bench: Bench) -> Iterator[Any]:
    """A process that runs the queue; those that are left are ended."""
    started: list[subprocess.Popen[str]] = []

    def start(queue: Path = bench.queue) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DRIVER, str(queue), *PRETEND]
        out = (bench.folder / f"runner-{len(started)}.txt").open("w")
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, text=True))
        out.close()
        return started[-1]

    yield start
    (bench.folder / "go").touch()
    for one in started:
        if one.poll() is None:
            one.kill()
        one.wait(60)


def in_flight(bench: Bench, name: str) -> bool:
    started = bench.folder / "started.txt"
    return (
        started.exists()
        and f"{name} " in started.read_text()
        and bool(list(bench.queue.glob(f"items/*_{name}/runs/*")))
    )


def child_of(bench: Bench, name: str) -> int:
    (lock,) = bench.queue.glob(f"items/*_{name}/.lock")
    return int(lock.read_text().split()[0])


def test_killed_with_its_item_in_flight_and_run_again(bench: Bench, process: Any) -> None:
    """The machine goes down: whoever runs the queue next goes on with the item, and does nothing twice."""
    begun = stood(bench.folder, RunState.SCANNING)
    bench.add("first")
    bench.add("second", bench.done(begins=begun, waits="never"), bench.done())
    bench.add("third")
    killed = process()
    until(lambda: in_flight(bench, "second"))
    killed.kill()
    killed.wait()
    os.kill(child_of(bench, "second"), signal.SIGKILL)
    until(lambda: QueueFolder.open(bench.queue).folder(2).holder() is None)
    assert bench.run().exit_code == ExitCode.OK
    assert (bench.folder / "started.txt").read_text().split("\n")[:-1] == [
        "first run", "second run", "second resume", "third run",
    ]  # fmt: skip
    told = MORNING.read(bench.queue / "morning.json")
    assert [sitting.how for sitting in told.sittings] == ["its process died", "all items are done"]
    assert any("the process that ran the queue died" in entry.reason for entry in told.items[1].history)


def test_killed_alone_its_item_lives_on_and_is_found(bench: Bench, process: Any) -> None:
    begun = stood(bench.folder, RunState.SCANNING)
    bench.add("first", bench.done(begins=begun, waits="go"))
    bench.add("second")
    killed = process()
    until(lambda: in_flight(bench, "first"))
    killed.kill()
    killed.wait()
    assert QueueFolder.open(bench.queue).folder(1).holder() == str(child_of(bench, "first"))
    threading.Timer(1.0, (bench.folder / "go").touch).start()
    assert bench.run().exit_code == ExitCode.OK
    assert (bench.folder / "started.txt").read_text().split("\n")[:-1] == ["first run", "second run"]


def test_run_by_two_paths_at_once_and_killed_again_and_again(bench: Bench, process: Any) -> None:
    """One of the two has it, whichever path it came by; each item is begun once, though its runner always dies."""
    names = [f"item-{number}" for number in range(4)]
    begun = stood(bench.folder, RunState.SCANNING)
    for name in names:
        bench.add(name, bench.done(begins=begun, waits=f"go-{name}"))
    link = bench.folder / "link"
    link.symlink_to(bench.folder)
    for number, name in enumerate(names):
        two = [process(), process(link / "queue")]
        until(lambda name=name: in_flight(bench, name))
        if number % 2:
            (bench.folder / f"go-{name}").touch()
        for one in two:
            one.kill()
            one.wait()
        (bench.folder / f"go-{name}").touch()
    assert bench.run().exit_code == ExitCode.OK
    assert (bench.folder / "started.txt").read_text().split("\n")[:-1] == [f"{name} run" for name in names]
    assert set(bench.states().values()) == {ItemState.DONE}


@pytest.mark.parametrize(
    ("state", "verdict", "unsafe", "becomes", "code"),
    [
        (RunState.DONE, "complete", False, ItemState.DONE, ExitCode.OK),
        (RunState.FAILED, "failed", False, ItemState.FAILED, ExitCode.PARTLY),
        (RunState.FAILED, "failed", True, ItemState.FAILED, ExitCode.NOT_SAFE),
    ],
)
def test_what_had_ended_while_nobody_ran_the_queue(
    bench: Bench, state: RunState, verdict: str, unsafe: bool, becomes: ItemState, code: ExitCode
) -> None:
    """Found on record; what was not left safe is not gone on with."""
    bench.add("first")
    folder = QueueFolder.open(bench.queue)
    folder.change(1, lambda item: item.entered(ItemState.RUNNING, utc_now(), "the queue"))
    name = stood(bench.folder, state, verdict, unsafe=unsafe)
    folder.folder(1).runs.mkdir()
    (bench.folder / "stood" / name).rename(folder.folder(1).runs / "20260101T000000Z_r_0000")
    assert bench.run().exit_code == code
    assert bench.states()["first"] is becomes
    assert not (bench.folder / "started.txt").exists()


def test_what_was_in_hand_is_gone_on_with_before_what_has_come_ahead_of_it(bench: Bench) -> None:
    bench.add("first")
    folder = QueueFolder.open(bench.queue)
    folder.change(1, lambda item: item.entered(ItemState.RUNNING, utc_now(), "the queue"))
    bench.add("urgent", priority=5)
    assert bench.run().exit_code == ExitCode.OK
    assert bench.begun() == ["first", "first", "urgent"]


def test_what_was_to_be_skipped_when_everything_died_is_not_gone_on_with(bench: Bench) -> None:
    for name in ("first", "second"):
        bench.add(name)
    folder = QueueFolder.open(bench.queue)
    wish = Wish(kind="skip", by="op@host", reason="fell off")
    for number in (1, 2):
        folder.change(number, lambda item: item.entered(ItemState.RUNNING, utc_now(), "the queue"))
    folder.change(1, lambda item: item.model_copy(update={"wish": wish}))
    assert items.skip(bench.queue, "second", "too late")[1] == "skipped"
    bench.run()
    assert {name: item.reason for name, item in bench.items().items()} == {"first": "fell off", "second": "too late"}
    assert bench.states() == dict.fromkeys(("first", "second"), ItemState.SKIPPED)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_signal_the_item_stands_paused(bench: Bench, process: Any, number: signal.Signals) -> None:
    begun, aborted = stood(bench.folder, RunState.SCANNING), stood(bench.folder, RunState.ABORTED, "aborted", ("x",))
    bench.add("first", bench.done(begins=begun, waits="never", interrupted=aborted), bench.done())
    bench.add("second")
    ended = process()
    until(lambda: in_flight(bench, "first"))
    ended.send_signal(number)
    assert ended.wait(120) == ExitCode.INTERRUPTED
    assert bench.states() == {"first": ItemState.PAUSED, "second": ItemState.WAITING}
    assert bench.run().exit_code == ExitCode.OK
    assert bench.begun() == ["first", "first", "second"]
