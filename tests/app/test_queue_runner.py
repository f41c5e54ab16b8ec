"""A queue carried out: what each end of a process means, what is waited for, what survives the runner's own death."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.app.queues import NAMES, Bench, QuickClock, error, page, stood
from xrm_control.app.queue import items
from xrm_control.app.queue.clock import QueueClock
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.morning import EVIDENCE
from xrm_control.contracts.queue import Budget, Item
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import NotSafe, StorageError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RunState, Verdict
from xrm_control.storage.queue_folder import QueueFolder

ROOT = Path(__file__).parents[2]
DRIVER = (
    "import sys; from pathlib import Path; from xrm_control.app.queue import runner;"
    "sys.exit(runner.run(Path(sys.argv[1]), None, print, program=sys.argv[2:]).exit_code)"
)


def test_one_after_the_other(bench: Bench) -> None:
    for name in NAMES:
        bench.add(name)
    carried = bench.run()
    assert (carried.exit_code, carried.how) == (ExitCode.OK, "all items are done")
    assert bench.begun() == list(NAMES)
    assert set(bench.states().values()) == {ItemState.DONE}
    assert [item.state for item in page(bench).items] == [ItemState.DONE] * 3
    # Again: nothing is done twice.
    assert bench.run().exit_code == ExitCode.OK
    assert bench.begun() == list(NAMES)


# Exit code, how the run stands, the item's state, part of its reason, whether the next one is begun, the queue's code.
ENDS: list[tuple[int, RunState | None, str | None, ItemState, str, bool, ExitCode]] = [
    (0, RunState.DONE, "complete", ItemState.DONE, "complete", True, ExitCode.OK),
    (5, RunState.DONE, "incomplete", ItemState.INCOMPLETE, "because", True, ExitCode.PARTLY),
    (1, RunState.FAILED, "failed", ItemState.FAILED, "there: something", True, ExitCode.PARTLY),
    (2, None, None, ItemState.REFUSED, "there: something", True, ExitCode.PARTLY),
    (4, None, None, ItemState.REFUSED, "there: something", True, ExitCode.PARTLY),
    (4, RunState.FAILED, "failed", ItemState.FAILED, "there: something", True, ExitCode.PARTLY),
    (7, RunState.FAILED, "failed", ItemState.FAILED, "there: something", False, ExitCode.NOT_SAFE),
    (75, RunState.PAUSED, "incomplete", ItemState.PAUSED, "because", True, ExitCode.PARTLY),
    (130, RunState.ABORTED, "aborted", ItemState.PAUSED, "there: something", True, ExitCode.PARTLY),
    (99, RunState.FAILED, "failed", ItemState.FAILED, "there: something", True, ExitCode.PARTLY),
    # What a process says alone is not believed.
    (0, None, None, ItemState.FAILED, "there are no results", True, ExitCode.PARTLY),
    (0, RunState.DONE, "incomplete", ItemState.INCOMPLETE, "because", True, ExitCode.PARTLY),
    (0, RunState.FAILED, "failed", ItemState.INCOMPLETE, "because", True, ExitCode.PARTLY),
]


@pytest.mark.parametrize(("code", "state", "verdict", "becomes", "reason", "goes_on", "ends"), ENDS)
def test_what_an_end_means(
    bench: Bench,
    code: int,
    state: RunState | None,
    verdict: str | None,
    becomes: ItemState,
    reason: str,
    goes_on: bool,
    ends: ExitCode,
) -> None:
    reasons = () if verdict == "complete" else ("because",)
    stands = {} if state is None else {"stands": stood(bench.folder, state, verdict, reasons)}
    bench.add("first", {**(error(code) if code in (1, 2, 4, 7, 99, 130) else {"code": code}), **stands})
    bench.add("second")
    carried = bench.run()
    first = bench.items()["first"]
    assert (first.state, reason in first.reason) == (becomes, True), first.reason
    assert (bench.states()["second"] is ItemState.DONE) == goes_on
    assert carried.exit_code == ends
    told = next(item for item in page(bench).items if item.name == "first")
    assert (told.state, told.reason) == (first.state, first.reason)


def test_nothing_is_started_until_somebody_has_looked(bench: Bench) -> None:
    bench.add("first", {**error(7, "shutter open"), "stands": stood(bench.folder, RunState.FAILED, "failed")})
    bench.add("second")
    assert bench.run().exit_code == ExitCode.NOT_SAFE
    with pytest.raises(NotSafe, match=r"shutter open.*xrm queue set --safe"):
        bench.run()
    assert bench.states()["second"] is ItemState.WAITING
    assert "shutter open" in str(page(bench).unsafe)
    items.set_limits(bench.queue, safe=True)
    bench.run()
    assert bench.states()["second"] is ItemState.DONE


@pytest.mark.parametrize("fails", ["put", "change_settings"])
def test_one_that_was_not_left_safe_is_told_whatever_cannot_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    stands = stood(bench.folder, RunState.FAILED, "failed", unsafe=True)
    bench.add("first", {**error(7, "shutter open"), "stands": stands})
    bench.add("second")
    write = getattr(QueueFolder, fails)

    def full(self: QueueFolder, what: Any) -> Any:
        if (bench.folder / "started.txt").exists():
            raise StorageError("cannot be written: the disk is full", where="there")
        return write(self, what)

    with monkeypatch.context() as patch:
        patch.setattr(QueueFolder, fails, full)
        with pytest.raises(NotSafe, match=r"shutter open.*the disk is full.*make it safe"):
            bench.run()
    # Whoever runs the queue next is told by its settings, or by the run's own journal.
    with suppress(NotSafe):
        assert bench.run().exit_code is ExitCode.NOT_SAFE
    assert bench.states()["second"] is ItemState.WAITING


@pytest.mark.parametrize("fails", ["evidence.json.part", "item.json.part", "queue.json.part"])
@pytest.mark.parametrize("times", [1, 100])
def test_the_evidence_of_an_end_that_could_not_be_written_is_written_by_the_next_sitting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fails: str, times: int
) -> None:
    bench.add("first")
    opened, left = os.open, [times]

    def full(path: Any, *more: Any) -> int:
        if left[0] and Path(path).name == fails and (bench.folder / "started.txt").exists():
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return opened(path, *more)

    with monkeypatch.context() as disk, suppress(StorageError):
        disk.setattr(os, "open", full)
        bench.run()
    assert left[0] < times
    assert bench.run().exit_code is ExitCode.OK
    assert bench.begun().count("first") <= 2
    assert bench.states() == {"first": ItemState.DONE}
    (place,) = QueueFolder.open(bench.queue).folders().values()
    assert EVIDENCE.read(place.evidence).verdict is Verdict.COMPLETE


def test_a_process_that_dies_is_gone_on_with(bench: Bench) -> None:
    dies = {"stands": stood(bench.folder, RunState.SCANNING), "code": -9}
    bench.add("first", dies, bench.done())
    bench.add("second")
    assert bench.run().exit_code == ExitCode.OK
    assert (bench.folder / "started.txt").read_text().split("\n")[:3] == ["first run", "first resume", "second run"]
    assert "SIGKILL" in bench.items()["first"].history[2].reason


def test_one_that_dies_again_and_again_is_given_up(bench: Bench) -> None:
    bench.add("first", {"stands": stood(bench.folder, RunState.SCANNING), "code": -11})
    bench.add("second")
    assert bench.run().exit_code == ExitCode.PARTLY
    assert bench.begun() == ["first"] * 3 + ["second"]
    assert "given up" in bench.items()["first"].reason


def test_an_instrument_that_comes_back_is_waited_for(bench: Bench) -> None:
    bench.add("first", error(3, "no answer"), error(6, "in use"), bench.done())
    bench.add("second")
    clock = QuickClock()
    assert bench.run(clock).exit_code == ExitCode.OK
    assert [entry.state for entry in bench.items()["first"].history] == [
        ItemState.WAITING, ItemState.RUNNING, ItemState.HELD, ItemState.RUNNING, ItemState.HELD, ItemState.RUNNING,
        ItemState.DONE,
    ]  # fmt: skip
    assert clock.ahead_s >= 30 + 60


def test_one_that_does_not_come_back_keeps_its_items(bench: Bench) -> None:
    bench.add("first", error(3, "no answer"))
    bench.add("second")
    carried = bench.run(patience_s=600.0)
    assert carried.exit_code == ExitCode.UNREACHABLE
    assert "no answer" in carried.how
    assert set(bench.states().values()) == {ItemState.WAITING}
    assert "waited 10 min in vain" in bench.items()["first"].reason
    # It was not asked more often than patience has it, and not again for the next item.
    assert bench.begun() == ["first"] * 6
    bench.acts["first"] = [bench.done()]
    bench.write()
    assert bench.run().exit_code == ExitCode.OK


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_a_system_that_starts_no_process_now_costs_no_item(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """All of a night had failed within a second."""
    started, refused = subprocess.Popen, [code, code]

    def refuse(*arguments: Any, **more: Any) -> Any:
        if refused:
            raise OSError(refused.pop(), os.strerror(code))
        return started(*arguments, **more)

    monkeypatch.setattr("xrm_control.app.queue.process.subprocess.Popen", refuse)
    bench.add("first")
    bench.add("second")
    clock = QuickClock()
    assert bench.run(clock).exit_code == ExitCode.OK
    assert [entry.state for entry in bench.items()["first"].history].count(ItemState.HELD) == 2
    assert clock.ahead_s >= 30 + 60
    assert bench.states() == {"first": ItemState.DONE, "second": ItemState.DONE}


@pytest.mark.parametrize("journaled", [False, True])
def test_one_that_met_a_full_disk_waits_for_another_sitting(bench: Bench, journaled: bool) -> None:
    """Not tried again at once, and not given up: as one for which there was no room from the beginning."""
    full = error(1, "x.part: cannot be written: no room", "DiskFull")
    bench.add("first", {**full, "stands": stood(bench.folder, RunState.FAILED if journaled else RunState.SCANNING)},
              bench.done())  # fmt: skip
    bench.add("second")
    assert bench.run().exit_code == ExitCode.PARTLY
    assert bench.begun() == ["first", "second"]
    assert bench.states() == {"first": ItemState.WAITING, "second": ItemState.DONE}
    assert "left: there: x.part: cannot be written: no room" in bench.items()["first"].reason
    assert bench.run().exit_code == ExitCode.OK
    assert bench.begun() == ["first", "second", "first"]


class SetBack(QuickClock):
    """Somebody sets the wall clock back by an hour while an instrument is waited for."""

    shift = timedelta()

    def wall(self) -> datetime:
        return super().wall() + self.shift

    def wait(self, seconds: float) -> None:
        if seconds >= 0.1:
            self.shift = timedelta(hours=-1)
        super().wait(seconds)


def test_a_clock_that_is_set_back_prolongs_no_wait(bench: Bench) -> None:
    bench.add("first", error(3, "no answer"), error(6, "in use"), bench.done())
    clock = SetBack()
    assert bench.run(clock).exit_code == ExitCode.OK
    assert 30 + 60 <= clock.elapsed_s() < 600
    times = [entry.utc for entry in bench.items()["first"].history]
    assert times == sorted(times)


def test_a_real_instruments_deadlines_are_the_wall_clocks(bench: Bench) -> None:
    """The clock showed an hour too much when the item was put on record, and was put right."""
    bench.add("first", deadline=utc_now() + timedelta(minutes=30))

    def real(item: Item) -> Item:
        entry = item.history[-1]
        wrong = entry.model_copy(update={"utc": entry.utc + timedelta(hours=1)})
        return item.model_copy(update={"simulated": False, "history": (wrong,)})

    QueueFolder.open(bench.queue).change(1, real)
    assert bench.run(QueueClock()).exit_code == ExitCode.OK
    assert bench.states() == {"first": ItemState.DONE}
    assert QueueFolder.open(bench.queue).settings().ahead_s == 0
    times = [entry.utc for entry in bench.items()["first"].history]
    assert times == sorted(times)


def test_another_instrument_goes_on_meanwhile(bench: Bench) -> None:
    bench.add("first", error(3, "no answer"))
    items.add(bench.queue, bench.recipe, {"instrument.specimen": "nmc622"}, Wanted(name="second"))
    bench.acts["second"] = [bench.done()]
    bench.write()
    assert bench.run(patience_s=60.0).exit_code == ExitCode.UNREACHABLE
    assert bench.states() == {"first": ItemState.WAITING, "second": ItemState.DONE}


def test_deadlines_budgets_and_the_end_of_the_night(bench: Bench) -> None:
    """In virtual time a run of an hour takes an hour of the night."""
    hour = stood(bench.folder, RunState.DONE, "complete", t_s=3600.0)
    start = utc_now()
    bench.add("long", bench.done(stands=hour))
    bench.add("late", deadline=start + timedelta(minutes=50), before="long")
    items.move(bench.queue, "late", priority=-1)
    bench.add("dear", budget=Budget(dose_gy=1.0))
    bench.add("next")
    bench.add("other", bench.done(stands=hour))
    bench.add("left", priority=-1)
    items.set_limits(bench.queue, end=start + timedelta(hours=2))
    assert bench.run().exit_code == ExitCode.PARTLY
    assert bench.states() == {
        "long": ItemState.DONE,
        "late": ItemState.EXPIRED,
        "dear": ItemState.EXPIRED,
        "next": ItemState.DONE,
        "other": ItemState.DONE,
        "left": ItemState.WAITING,
    }
    assert "after the end of the night" in bench.items()["left"].reason
    assert "after its deadline" in bench.items()["late"].reason
    items.set_limits(bench.queue, end="none", budget=Budget(minutes=121))
    bench.run()
    assert "of 121 min of its budget" in bench.items()["left"].reason
    items.set_limits(bench.queue, budget=Budget())
    bench.run()
    assert bench.states()["left"] is ItemState.DONE
