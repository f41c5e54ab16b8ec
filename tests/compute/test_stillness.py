"""A process that computes and stands still is given up; one that works, or waits for a program of its own, is not."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from xrm_control.compute.processes import ProcessWorkers
from xrm_control.compute.stillness import Stillness
from xrm_control.core.clock import VIRTUAL, pause, run, stopwatch
from xrm_control.core.errors import WorkersLost

STILL_S = 3.0


def suspended(mark: Path) -> str:
    """Suspends itself the first time."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return "done"


def deadlocked(_: Path) -> str:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return "never"


def deadlocked_beside_one_that_has_ended(_: Path) -> str:
    subprocess.Popen(["true"])
    return deadlocked(_)


def works(_: Path) -> str:
    since = stopwatch()
    while since() < 2 * STILL_S:
        pass
    return "worked"


def waits_for_a_program(_: Path) -> str:
    subprocess.run(["sleep", str(2 * STILL_S)], check=True)
    return "waited"


def outcome(work: Callable[[Path], str], mark: Path, told: list[str]) -> str:
    async def main() -> str:
        with ProcessWorkers(1, told.append, STILL_S) as workers:
            return await workers.run(work, mark)

    return run(main(), VIRTUAL)


@pytest.mark.parametrize(
    ("work", "ends", "told"),
    [
        (suspended, "done", ["it did nothing for 3 s: it is suspended (SIGSTOP), and was killed"]),
        (works, "worked", []),
        (waits_for_a_program, "waited", []),
    ],
)
def test_what_stands_still_is_begun_anew(
    work: Callable[[Path], str], ends: str, told: list[str], tmp_path: Path
) -> None:
    heard: list[str] = []
    assert outcome(work, tmp_path / "mark", heard) == ends
    assert len(heard) == len(told)
    assert all(one in line for one, line in zip(told, heard, strict=True))


@pytest.mark.parametrize("work", [deadlocked, deadlocked_beside_one_that_has_ended])
def test_what_stands_still_each_time_is_lost_with_what_to_do(work: Callable[[Path], str], tmp_path: Path) -> None:
    with pytest.raises(WorkersLost) as lost:
        outcome(work, tmp_path, [])
    assert f"{work.__name__}: it did nothing for 3 s: it waits for something" in lost.value.what
    assert lost.value.remedy is not None
    assert "xrm resume" in lost.value.remedy


def test_a_look_at_what_is_gone_says_nothing() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    looks = Stillness(child.pid, STILL_S)
    assert [looks.look() for _ in range(20)] == [None] * 20


def test_looks_count_and_not_the_time_between_them() -> None:
    """Whoever was suspended together with what it watches gives it up no sooner for that."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        looks = Stillness(child.pid, STILL_S)
        said = [looks.look()]
        pause(2 * STILL_S)
        said += [looks.look() for _ in range(3)]
        assert said == [None] * 4
        assert looks.look() is not None
    finally:
        child.kill()
        child.wait()
