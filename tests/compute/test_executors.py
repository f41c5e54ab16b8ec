"""Executors: the same answer from each, errors with their fields, and nothing left behind."""

from __future__ import annotations

import os

import pytest

from xrm_control.compute.executor import Compute
from xrm_control.compute.inline import Inline
from xrm_control.compute.processes import Processes
from xrm_control.core.clock import VIRTUAL, Clock, pause, run, utc_now
from xrm_control.core.errors import DataError


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


def gone(pid: int) -> bool:
    """Whether the process ends, and is reaped, within some seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        pause(0.05)
    return False
