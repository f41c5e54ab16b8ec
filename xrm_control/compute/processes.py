"""Work in processes of its own: a crash or a leak there does not touch the night's run."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Literal, TypeVar

from pydantic import Field

from xrm_control.compute.executor import Compute, Workers
from xrm_control.core.cpus import cpus
from xrm_control.core.errors import WorkersLost

Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1
_TRIES = 3


class Processes(Compute):
    """A pool of spawned processes (fork would break Channel Access and locks)."""

    kind: Literal["processes"] = "processes"
    workers: int = Field(default=1, ge=1, le=64)

    @property
    def processes(self) -> int:
        """See `Compute.processes`."""
        return self.workers

    def open(self, tell: Callable[[str], None] | None = None) -> Workers:
        """See `Compute.open`."""
        return _Processes(self.workers, tell)


class _Processes(Workers):
    """A pool breaks as a whole when one process dies, so a new one takes its place and the work is begun anew."""

    def __init__(self, count: int, tell: Callable[[str], None] | None) -> None:
        self._count, self._tell = count, tell
        self._before = {child.pid for child in multiprocessing.active_children()}
        self._pool = self._new()
        # What broke a pool is tried again alone, so that it takes nothing else with it.
        self._alone = asyncio.Lock()

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """See `Workers.run`. Raises WorkersLost for work whose process dies each time."""
        pool = self._pool
        try:
            return await self._in(pool, function, arguments)
        except BrokenProcessPool:
            self._replace(pool)
        async with self._alone:
            for _ in range(_TRIES - 1):
                pool = self._pool
                try:
                    return await self._in(pool, function, arguments)
                except BrokenProcessPool:
                    self._replace(pool)
        raise WorkersLost(
            "a process died at this work",
            where="compute",
            value=f"{_TRIES} times",
            remedy="it may lack memory: give fewer workers, a higher binning or fewer rows",
        )

    def stop(self) -> None:
        """See `Workers.stop`."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if child.pid not in self._before:
                child.terminate()

    async def _in(
        self, pool: ProcessPoolExecutor, function: Callable[..., Result], arguments: tuple[Any, ...]
    ) -> Result:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        # Whatever was in flight with it sees the same break; the first to come sees to it.
        if self._pool is broken:
            self._pool = self._new()
            broken.shutdown(wait=False, cancel_futures=True)
            if self._tell is not None:
                self._tell("a process that computes died; a new one takes its place and its work is begun anew")

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(max(1, cpus() // self._count),),
        )


def _begin(threads: int) -> None:
    """What a process does first. Its share of the CPUs is told as numerical libraries have it."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    # A session that is killed cannot end its workers; the kernel does. Linux only.
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    ignore_interrupts()


def ignore_interrupts() -> None:
    """Ctrl-C reaches the whole process group; only the session decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # acquisition goes first
