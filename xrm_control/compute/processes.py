"""Work in processes of its own: a crash or a leak there does not touch the night's run."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import Literal

from pydantic import Field

from xrm_control.compute.executor import Compute, Workers


class Processes(Compute):
    """A pool of spawned processes (fork would break Channel Access and locks)."""

    kind: Literal["processes"] = "processes"
    workers: int = Field(default=1, ge=1, le=64)

    def open(self) -> Workers:
        """See `Compute.open`."""
        pool = ProcessPoolExecutor(
            self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=ignore_interrupts
        )
        before = {child.pid for child in multiprocessing.active_children()}

        def terminate() -> None:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                if child.pid not in before:
                    child.terminate()

        return Workers(pool, terminate)


def ignore_interrupts() -> None:
    """Ctrl-C reaches the whole process group; only the session decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # acquisition goes first
