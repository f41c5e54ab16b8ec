"""Workers killed in the middle, schedulers that are not there: time is lost, no data, and errors say what to do."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import numpy as np
import pytest

import xrm_control.processing.regions as processing
from tests.compute.cluster import (
    FIRST_DEATH_IS_THE_LAST,
    bounded,
    die,
    local_cluster,
    on,
    refuse,
    square,
    wait_at_first,
    whereabouts,
)
from tests.scan_on_disk import ROI, scan_job
from xrm_control.compute.dask import Asked, Dask
from xrm_control.compute.executor import Workers
from xrm_control.compute.inline import Inline
from xrm_control.core.clock import pause
from xrm_control.core.errors import DataError, WorkersLost
from xrm_control.processing.regions import HandoffResult, ScanJob, clear_scratch, hand_over, reconstruct_roi
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]


def die_while_publishing(job: ScanJob, mark: Path, step: int) -> HandoffResult:
    """`hand_over` on a worker that dies before its file number `step` is given its name; the second time, not."""
    real, count = processing.publish_file, [0]

    def deadly(*arguments: Any, **named: Any) -> Path:
        count[0] += 1
        if count[0] == step and not mark.exists():
            mark.touch()
            die()
        return real(*arguments, **named)

    processing.publish_file = deadly
    try:
        done = hand_over(job)
        if step > count[0] and not mark.exists():
            mark.touch()
            die()
        return done
    finally:
        processing.publish_file = real


# Workers that die


def test_a_worker_killed_in_the_middle_costs_time_only(there: Dask, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    async def work(workers: Workers) -> tuple[int, int]:
        task = asyncio.create_task(workers.run(wait_at_first, mark))
        for _ in range(1000):
            if mark.exists() and mark.read_text().endswith("\n"):
                break
            await asyncio.get_running_loop().run_in_executor(None, pause, 0.02)
        victim = int(mark.read_text())
        os.kill(victim, signal.SIGKILL)
        return victim, await task

    victim, survivor = on(there, work)
    assert survivor not in (victim, os.getpid())


@pytest.mark.parametrize(
    ("step", "published"),
    [
        (1, "nothing"),
        (2, "a preview"),
        (3, "a preview and 16 bits"),
        (4, "all but the hand-off"),
        (5, "everything, but the answer was not given"),
    ],
)
def test_killed_while_it_publishes_the_volume_is_whole(
    there: Dask, job: ScanJob, tmp_path: Path, step: int, published: str
) -> None:
    mine = scan_job(tmp_path)
    mark = tmp_path / "mark"
    done = on(there, lambda workers: workers.run(die_while_publishing, mine, mark, step))
    assert mark.exists(), "no worker died"
    assert done.quality.stated() == pytest.approx(hand_over(job).quality.stated(), rel=1e-5)
    place, right = RunFolder.open(mine.scan.run).roi(ROI), RunFolder.open(job.scan.run).roi(ROI)
    np.testing.assert_allclose(read_volume(place.volume)[0], read_volume(right.volume)[0], rtol=1e-5, atol=1e-7)
    left = [path for path in place.path.iterdir() if path.is_dir()]
    assert len(left) == (step < 5), "what the dead worker left"
    clear_scratch(place.path)
    assert sorted(path.name for path in place.path.iterdir()) == [
        "handoff.json",
        "preview.png",
        "volume-16bit.tif",
        "volume.ome.tif",
    ]


def test_a_worker_killed_between_the_parts_costs_its_part_only(there: Dask, tmp_path: Path) -> None:
    """Held against the same work undisturbed; killed from outside, as soon as some parts are on the disk."""
    here, mine = scan_job(tmp_path / "a", rows_at_a_time=4), scan_job(tmp_path / "b", rows_at_a_time=4)
    right = on(Inline(), lambda workers: reconstruct_roi(workers, here))
    killed: list[int] = []

    async def work(workers: Workers) -> HandoffResult:
        victim = await workers.run(whereabouts)

        def told(done: int, of: int) -> None:
            if not killed and done < of:
                os.kill(victim, signal.SIGKILL)
                killed.append(done)

        return await reconstruct_roi(workers, mine, told)

    done = on(there, work)
    assert killed, "no worker was killed"
    assert done.quality.stated() == pytest.approx(right.quality.stated(), rel=1e-5, abs=1e-9)
    one, two = (read_volume(RunFolder.open(job.scan.run).roi(ROI).volume)[0] for job in (here, mine))
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("there", [FIRST_DEATH_IS_THE_LAST], indirect=True)
def test_work_that_kills_its_workers_is_given_up(there: Dask) -> None:
    with pytest.raises(WorkersLost, match=r"died while running it.* -> look at the memory"):
        on(there, lambda workers: workers.run(die))
    assert on(there, lambda workers: workers.run(square, 3)) == 9


# A scheduler that is not there


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_scheduler_that_does_not_answer(nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrm_control.compute.dask._CONNECT_S", 1.0)
    with pytest.raises(WorkersLost, match=r"compute.scheduler: .*does not answer.*-> start it") as error:
        Dask(scheduler=f"tcp://127.0.0.1:{nobody}").open()
    assert error.value.exit_code == 3
    assert pickle.loads(pickle.dumps(error.value)).facts() == error.value.facts()


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrm_control.compute.dask._CONNECT_S", 1.0)
    with (
        local_cluster(n_workers=0, processes=False, protocol="tcp") as empty,
        pytest.raises(WorkersLost, match=r"has no worker.*-> start some"),
    ):
        Dask(scheduler=empty.scheduler_address).open()


# Told a line, its worker goes.
SCHEDULER = """
import distributed, sys
if __name__ == "__main__":
    cluster = distributed.LocalCluster(
        n_workers=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.readline()
    cluster.scale(0)
    sys.stdin.read()
"""


def frozen(scheduler: subprocess.Popen[str]) -> None:
    """Its connections stand: the kernel answers for it."""
    scheduler.send_signal(signal.SIGSTOP)


def without_workers(scheduler: subprocess.Popen[str]) -> None:
    assert scheduler.stdin is not None
    scheduler.stdin.write("\n")
    scheduler.stdin.flush()


LOSSES = {
    "killed": (subprocess.Popen.kill, "connection to the scheduler"),
    "frozen": (frozen, "does not answer any more"),
    "without workers": (without_workers, "no worker for minutes"),
}


@pytest.mark.parametrize("how", LOSSES)
def test_what_a_lost_scheduler_had_is_done_on_this_machine(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose, said = LOSSES[how]
    for name, value in (("_ASK_EVERY_S", 0.2), ("_ANSWER_S", 1.0), ("_UNANSWERED", 2), ("_WITHOUT_WORKERS", 3)):
        monkeypatch.setattr(f"xrm_control.compute.dask.{name}", value)
    told: list[str] = []
    scheduler = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert scheduler.stdout is not None
    try:

        async def work(workers: Workers) -> list[int]:
            task = asyncio.create_task(workers.run(wait_at_first, tmp_path / "mark"))
            while not (tmp_path / "mark").exists():
                await asyncio.get_running_loop().run_in_executor(None, pause, 0.02)
            lose(scheduler)
            return [await task, await workers.run(whereabouts), await workers.run(square, 4)]

        async def main() -> list[int]:
            with Dask(scheduler=address).open(told.append) as workers:
                return await work(workers)

        address = scheduler.stdout.readline().strip()
        one, other, result = bounded(main())
        assert one == other != os.getpid()
        assert result == 16
        assert len(told) == 1
        assert said in told[0]
        assert told[0].endswith("computed on this machine")
    finally:
        scheduler.kill()
        scheduler.communicate()


def test_nothing_is_left_on_the_terminal() -> None:
    """A worker dies, the block ends, the interpreter ends: no log, no traceback."""
    program = "from tests.compute.test_dask_losses import noisy; noisy()"
    done = subprocess.run(
        [sys.executable, "-c", f"if __name__ == '__main__':\n    {program}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[25]\n", "")


def noisy() -> None:
    async def work(workers: Workers) -> list[int]:
        with pytest.raises(WorkersLost):
            await workers.run(die)
        with pytest.raises(DataError):
            await workers.run(refuse)
        return [await workers.run(square, 5)]

    with dask.config.set(FIRST_DEATH_IS_THE_LAST):
        print(on(Dask(workers=2), work))


# Answers one after the other (workers, None: no answer) -> why a scheduler is given up.
ANSWERS = [
    ([], None),
    ([None] * 3, None),
    ([None] * 4, "does not answer any more"),
    ([None, None, 2, None, None], None),
    ([0] * 19, None),
    ([0] * 20, "no worker for minutes"),
    ([0] * 19 + [1] + [0] * 19, None),
    ([0] * 19 + [None] * 3 + [0] * 19, None),
]


@pytest.mark.parametrize(("answers", "why"), ANSWERS)
def test_a_scheduler_is_given_up_after_four_questions_or_twenty_answers_without_workers(
    answers: list[int | None], why: str | None
) -> None:
    asked = Asked()
    for workers in answers:
        assert asked.why_over is None
        asked = asked.and_then(workers)
    assert asked.why_over is None if why is None else why in (asked.why_over or "")
