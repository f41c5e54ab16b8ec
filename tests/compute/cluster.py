"""A cluster of real processes, and what its workers do."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import distributed

from xrm_control.compute.executor import Workers
from xrm_control.core.clock import run
from xrm_control.core.errors import DataError

NO_FIXED_PORT: Any = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
Result = TypeVar("Result")
FIRST_DEATH_IS_THE_LAST = {"distributed.scheduler.allowed-failures": 0}


def local_cluster(**more: Any) -> Any:
    return distributed.LocalCluster(**NO_FIXED_PORT, silence_logs=logging.CRITICAL, **more)


def bounded(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on the wall clock, 120 s at most."""
    return run(asyncio.wait_for(main, 120), 1)


def on(compute: Any, work: Callable[[Workers], Coroutine[Any, Any, Result]]) -> Result:
    async def main() -> Result:
        with compute.open() as workers:
            return await work(workers)

    return bounded(main())


# What the workers do


def square(value: int) -> int:
    return value * value


def whereabouts() -> int:
    return os.getpid()


def refuse() -> None:
    raise DataError("no", where="here", value=3, limit=2, remedy="less")


def die() -> None:
    # A worker that dies in the moment of its start is not started again by dask.
    threading.Event().wait(2)
    os.kill(os.getpid(), signal.SIGKILL)


def wait_at_first(mark: Path) -> int:
    """Say where it runs, and wait to be killed; the second time, return at once."""
    try:
        with mark.open("x") as file:
            file.write(f"{os.getpid()}\n")
    except FileExistsError:
        return os.getpid()
    threading.Event().wait(100)
    raise AssertionError("nobody killed this worker")
