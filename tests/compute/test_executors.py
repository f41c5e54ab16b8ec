"""Executors: the same answer from each, errors with their fields, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from xrm_control.compute.executor import Compute
from xrm_control.compute.inline import Inline
from xrm_control.compute.processes import Processes
from xrm_control.core.clock import VIRTUAL, Clock, pause, run, utc_now
from xrm_control.core.cpus import cpus
from xrm_control.core.errors import DataError, WorkersLost


def square(value: int) -> int:
    return value * value


def whereabouts() -> int:
    return os.getpid()


def refuse() -> None:
    raise DataError("no", where="here", value=3)


@pytest.mark.parametrize("compute", [Inline(), Processes()])
def test_work_comes_back_and_virtual_time_stands_still(compute: Compute) -> None:
    async def main() -> tuple[int, float]:
        clock = Clock(utc_now())
        with compute.open() as workers:
            result = await workers.run(square, 7)
            with pytest.raises(DataError) as error:
                await workers.run(refuse)
            assert (error.value.where, error.value.value) == ("here", 3)
            return result, clock.now_s()

    assert run(main(), VIRTUAL) == (49, 0.0)


def test_processes_are_others_and_end_with_the_block() -> None:
    async def main() -> int:
        with Processes().open() as workers:
            return await workers.run(whereabouts)

    pid = run(main(), VIRTUAL)
    assert pid != os.getpid()
    assert gone(pid)


def oom_score() -> int:
    return int(Path("/proc/self/oom_score_adj").read_text())


def test_where_memory_runs_out_the_kernel_ends_them_and_not_the_session() -> None:
    async def main() -> int:
        with Processes().open() as workers:
            return await workers.run(oom_score)

    assert run(main(), VIRTUAL) >= oom_score() + 300


def fall_once(mark: Path) -> str:
    """Kills its process the first time."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def fall() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("count", [1, 2])
def test_a_killed_process_costs_time_and_nothing_else(tmp_path: Path, count: int) -> None:
    told: list[str] = []

    async def main() -> list[object]:
        with Processes(workers=count).open(told.append) as workers:
            beside = [workers.run(square, value) for value in range(6)]
            lost = await asyncio.gather(
                workers.run(fall_once, tmp_path / "mark"), workers.run(fall), *beside, return_exceptions=True
            )
            return [*lost, await workers.run(square, 9)]

    once, always, *others = run(main(), VIRTUAL)
    assert once == "done"
    assert isinstance(always, WorkersLost)
    assert "3 times" in str(always)
    assert others == [0, 1, 4, 9, 16, 25, 81]
    assert len(told) == 1 + 2
    assert "died" in told[0]


def fall_of(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, "fall_of: SIGKILL, killed, as the system does where memory runs out .* -> it may lack memory"),
        (signal.SIGBUS, "fall_of: SIGBUS, a file in memory could not be read: .* -> check the disk"),
        (signal.SIGSEGV, "fall_of: SIGSEGV, it crashed .* -> a library that computes crashed"),
        (signal.SIGUSR2, "fall_of: SIGUSR2, user defined signal 2"),
        (signal.SIGRTMIN + 3, "fall_of: signal 37"),
    ],
)
def test_what_ended_a_process_is_told(number: int, said: str) -> None:
    told: list[str] = []

    async def main() -> None:
        with Processes().open(told.append) as workers:
            await workers.run(fall_of, number)

    with pytest.raises(WorkersLost, match=said):
        run(main(), VIRTUAL)
    assert [said.removeprefix("fall_of: ").partition(" ")[0] in text for text in told] == [True, True]


class Untold(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def raise_untold() -> None:
    raise Untold(1, 2)


def answer_untold() -> object:
    return lambda: None


@pytest.mark.parametrize(("function", "text"), [(raise_untold, "Untold: 1 and 2"), (answer_untold, "pickle")])
def test_what_cannot_travel_is_told_in_words(function: Callable[[], object], text: str) -> None:
    async def main() -> None:
        with Processes().open() as workers:
            await workers.run(function)

    with pytest.raises(Exception, match=text):
        run(main(), VIRTUAL)


def test_work_in_flight_ends_when_the_workers_are_stopped() -> None:
    async def main() -> object:
        with Processes().open() as workers:
            pid = await workers.run(whereabouts)
            waiting = asyncio.create_task(workers.run(wait_long))
            await asyncio.wait([waiting], timeout=0.2)
            workers.stop()
            with pytest.raises(WorkersLost, match="stopped"):
                await waiting
            return pid

    pid = run(main(), 1)
    assert isinstance(pid, int)
    assert gone(pid)


SCRIPT = """
import asyncio, sys
sys.path.insert(0, ".")
from tests.compute.test_executors import square
from xrm_control.compute.processes import Processes

print("the script runs", flush=True)

async def main():
    with Processes().open() as workers:
        print(await workers.run(square, 5))

asyncio.run(main())
"""


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode) == ("the script runs\n25\n", 0), done.stderr


def test_each_process_takes_its_share_of_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(count: int) -> int:
        with Processes(workers=count).open() as workers:
            return await workers.run(cpus)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert run(main(1), VIRTUAL) == cpus()
    assert run(main(cpus()), VIRTUAL) == 1


ORPHANS = """
import asyncio, os, sys
sys.path.insert(0, ".")
from tests.compute.test_executors import wait_long, whereabouts
from xrm_control.compute.processes import Processes

async def main():
    with Processes().open() as workers:
        print(await workers.run(whereabouts), flush=True)
        await workers.run(wait_long)

asyncio.run(main())
"""


def wait_long() -> None:
    threading.Event().wait(100)


def test_processes_do_not_outlive_a_session_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "session.py"
    script.write_text(ORPHANS)
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        if session.stdout is None:
            raise AssertionError
        pid = int(session.stdout.readline())
        session.kill()
        session.wait()
        assert gone(pid)


def gone(pid: int) -> bool:
    """Whether the process ends, and is reaped, within some seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        pause(0.05)
    return False
