"""Where heavy work runs: a family of executors, one file each in this package."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import ContextVar
from typing import Any, TypeVar

from xrm_control.core.family import Family
from xrm_control.core.model import Spec

EXECUTORS = Family("xrm_control.compute", group="xrm_control.executors")

Result = TypeVar("Result")

_over: ContextVar[threading.Event | None] = ContextVar("over", default=None)


def stopped() -> bool:
    """Whether the workers that do the present work were stopped: for work that waits, and could wait for long.

    Only work in a thread has to ask; elsewhere the process ends with its work in it.
    """
    over = _over.get()
    return over is not None and over.is_set()


def told_by(over: threading.Event, function: Callable[..., Result], *arguments: Any) -> Result:
    """``function(*arguments)``, in which `stopped` says whether `over` is set."""
    token = _over.set(over)
    try:
        return function(*arguments)
    finally:
        _over.reset(token)


class Workers(ABC):
    """Workers that take picklable functions; a context manager that leaves none behind."""

    @abstractmethod
    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run ``function(*arguments)`` on a worker. The virtual clock stands still meanwhile.

        What is run must survive being run twice: a worker may be lost and another one take over.
        """

    @abstractmethod
    def stop(self) -> None:
        """End now: work in flight is abandoned (it is safe to repeat), queued work is cancelled."""

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Executed(Workers):
    """Workers behind an executor; `terminate` ends them."""

    def __init__(self, executor: Executor, terminate: Callable[[], None]) -> None:
        self._executor = executor
        self._terminate = terminate

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """See `Workers.run`."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def stop(self) -> None:
        """See `Workers.stop`."""
        self._terminate()


class Compute(Spec):
    """Settings of one kind of executor."""

    @property
    def here(self) -> bool:
        """Whether its workers are on this machine."""
        return True

    @property
    def processes(self) -> int:
        """Processes on this machine that work at once, besides the session's own; 0: the session's own does."""
        return 0

    def check_machine(self) -> None:
        """Raise RecipeError where this installation lacks what it needs."""

    @abstractmethod
    def open(self, tell: Callable[[str], None] | None = None) -> Workers:
        """Workers, not yet started. `tell` hears of what they mend by themselves and can say."""
